//! Where a worker's browser makes a wallet, signs, and starts a petition without a name. The server writes what can
//! be read; everything that needs a key happens in the browser (`static/wallet*.js`), so these pages never ask
//! whether somebody signed, and nothing that they answer depends on it.

mod sign;
mod start;
mod store;
mod wallet;

use super::WORKER;
use crate::web::Routes;

pub fn routes() -> Routes {
    Routes::new()
        .get("/petitions/wallet", WORKER, wallet::show)
        .get("/petitions/start/confidential", WORKER, start::show)
        .get("/petitions/{id}/sign", WORKER, sign::show)
}
