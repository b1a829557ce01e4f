//! `/petitions/{id}/sign`

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use sqlx::PgConnection;
use uuid::Uuid;

use super::store::{self, Target};
use super::{Second, obstacle};
use crate::app::AppState;
use crate::error::{Error, Result};
use crate::ledger::proof::base64url;
use crate::petitions::{issuing, life};
use crate::web::{Page, Path, Viewer, html};
use crate::{identity, notices, register};

/// What a work computer may record of the moment in which somebody signs: typed text and the screen, and the address
/// and title of this page.
const WATCHING: [&str; 5] =
    ["input.key_content", "screen.image", "screen.video", "web.urls", "window.titles"];

#[derive(Template)]
#[template(path = "petitions/sign.html")]
struct SignPage {
    page: Page,
    id: Uuid,
    it: Target,
    leaf: String,
    /// What the browser hashes before it signs: the leaf that it signs, and the text that it shows.
    leaf_text: String,
    document_text: String,
    /// Text or terms aren't those in the log.
    is_broken: bool,
    worker_ref: Option<Uuid>,
    department: Option<String>,
    second: Option<Second>,
    packs: i64,
    /// Names of declared categories that would record this.
    watching: Vec<&'static str>,
    address: String,
    code: Option<notices::Code>,
}

impl SignPage {
    fn takes_signatures(&self) -> bool {
        self.it.takes_signatures(self.page.now)
    }

    fn is_seeking(&self) -> bool {
        self.it.state == "seeking"
    }

    /// Its words stay readable unless it was refused or taken back.
    fn has_text(&self) -> bool {
        !matches!(self.it.state.as_str(), "refused" | "given_up")
    }

    /// Why nobody can sign it now.
    fn obstacle(&self) -> &'static str {
        match self.it.state.as_str() {
            "checking" => {
                "A representative checks it against the published rules. Nobody can sign until it opens."
            }
            "refused" => "It was refused, so it takes no signatures.",
            "lapsed" => "It didn’t find enough supporters in time, so it takes no signatures.",
            "given_up" => "Its author has given it up, so it takes no signatures.",
            _ => "It is closed. Signatures that were given stay; nobody can add, change or withdraw one.",
        }
    }

    /// Why nobody can sign without their name now.
    fn confidential_obstacle(&self) -> Option<String> {
        obstacle(self.second.as_ref(), self.packs, "signed")
    }
}

pub async fn show(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let it = store::find_target(&mut db, id).await?.ok_or(Error::NotFound)?;
    let person = identity::find_person(&mut db, viewer.person_id).await?;
    let address = format!("{}/petitions/{id}/sign", state.config.base_url);
    html(&SignPage {
        id,
        leaf: base64url(&it.leaf_hash),
        leaf_text: String::from_utf8_lossy(&it.leaf).into_owned(),
        document_text: it.whole.to_string(),
        is_broken: it.takes_signatures(page.now) && life::find_signable(&mut db, &state, id).await?.is_none(),
        worker_ref: store::find_worker_ref(&mut db, viewer.person_id).await?,
        department: person.and_then(|p| p.department),
        second: Second::find(&mut db, &state).await?,
        packs: issuing::packs_of(&mut db, &it.epoch).await?,
        watching: watching(&mut db, &page).await?,
        code: notices::qr_code(&address),
        address,
        it,
        page,
    })
}

/// Of anybody: what concerns others here may well concern whoever reads this tomorrow.
async fn watching(db: &mut PgConnection, page: &Page) -> Result<Vec<&'static str>> {
    let declared = register::declarations_in_force(db, page.now).await?;
    let categories = register::Category::all().filter(|category| {
        WATCHING.contains(&category.id()) && declared.iter().any(|d| d.content.category == *category)
    });
    Ok(categories.map(register::Category::name).collect())
}
