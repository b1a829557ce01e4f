//! Where a worker's browser makes a wallet, signs, and starts a petition without a name. The server writes what can
//! be read; everything that needs a key happens in the browser (`static/wallet*.js`), so these pages never ask
//! whether somebody signed, and nothing that they answer depends on it.

mod sign;
mod start;
mod store;
mod wallet;

use sqlx::PgConnection;

use super::model::PACKS_NEEDED;
use super::{WORKER, issuing};
use crate::app::AppState;
use crate::error::Result;
use crate::web::Routes;

pub fn routes() -> Routes {
    Routes::new()
        .get("/petitions/wallet", WORKER, wallet::show)
        .get("/petitions/start/confidential", WORKER, start::show)
        .get("/petitions/{id}/sign", WORKER, sign::show)
}

/// The second issuer, in words for a page.
struct Second {
    name: String,
    run_by: String,
    independent: bool,
}

impl Second {
    async fn find(db: &mut PgConnection, state: &AppState) -> Result<Option<Self>> {
        let row = issuing::representative(db).await?;
        Ok(row.map(|row| Second {
            independent: issuing::is_independent(&row, &state.config),
            name: row.name,
            run_by: row.run_by,
        }))
    }
}

/// Why nobody can do something without their name now; `done` ends the sentence "somebody could guess who …".
fn obstacle(second: Option<&Second>, packs: i64, done: &str) -> Option<String> {
    match second {
        None => Some(
            "Off: your representatives have no server, and without a second issuer a signature without a name could be \
             made up."
                .into(),
        ),
        Some(_) if packs < PACKS_NEEDED => Some(format!(
            "Off until {PACKS_NEEDED} colleagues have credentials; so far {packs} have them. Among fewer, somebody \
             could guess who {done}."
        )),
        Some(_) => None,
    }
}
