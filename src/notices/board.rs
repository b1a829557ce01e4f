//! The notice board: a plain public page of a notice, to be printed and hung up, with a code that leads back
//! to it.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use qrcode::types::Color;
use qrcode::{EcLevel, QrCode};
use sqlx::PgConnection;
use uuid::Uuid;

use super::compare::Names;
use super::show::{Reading, ShowQuery, accept};
use crate::app::AppState;
use crate::error::Result;
use crate::web::{Page, Path, html};

/// White around a code, in modules: scanners need four.
const QUIET: usize = 4;

/// A QR code as an SVG's path.
#[derive(Debug)]
pub struct Code {
    /// Modules along a side, the white around it included.
    pub size: usize,
    pub path: String,
}

/// `None` for an address too long for any code.
pub fn code(address: &str) -> Option<Code> {
    let code = QrCode::with_error_correction_level(address, EcLevel::M).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (y, row) in code.to_colors().chunks(width).enumerate() {
        let mut x = 0;
        while x < width {
            let run = row[x..].iter().take_while(|c| **c == Color::Dark).count();
            if run > 0 {
                path.push_str(&format!("M{} {}h{run}v1h-{run}z", x + QUIET, y + QUIET));
            }
            x += run.max(1);
        }
    }
    Some(Code { size: width + 2 * QUIET, path })
}

#[derive(Template)]
#[template(path = "notices/board.html")]
struct BoardPage {
    page: Page,
    it: Reading,
    html: String,
    audience: String,
    address: String,
    code: Option<Code>,
}

async fn load(
    db: &mut PgConnection,
    state: &AppState,
    notice: Uuid,
    query: &ShowQuery,
    accept: &str,
) -> Result<(Reading, String)> {
    let it = Reading::load(db, state, notice, query, accept).await?;
    let audience = Names::load(db).await?.audience(&it.version.jurisdictions, &it.version.departments);
    Ok((it, audience))
}

/// The newest version, for everybody: a board hangs where nobody signs in.
pub async fn show(
    State(state): State<AppState>,
    page: Page,
    Path(notice): Path<Uuid>,
    Query(query): Query<ShowQuery>,
    headers: HeaderMap,
) -> Result<Response> {
    let query = ShowQuery { version: None, ..query };
    let mut db = state.db.acquire().await?;
    let (it, audience) = load(&mut db, &state, notice, &query, accept(&headers)).await?;
    drop(db);
    let address = format!("{}/board/{notice}", state.config.base_url);
    html(&BoardPage { html: it.html(), code: code(&address), page, it, audience, address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_corners_and_white_around_it() {
        let code = code("https://daylight.example/board/0198c5c4-0000-7000-8000-000000000000").unwrap();
        assert_eq!(code.size, 33 + 8);
        assert!(code.path.starts_with("M4 4h7v1h-7z"), "{}", &code.path[..40]);
        assert!(super::code(&"x".repeat(5_000)).is_none());
    }
}
