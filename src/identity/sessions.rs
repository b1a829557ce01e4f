//! The session cookie, and the middleware that turns it into a [`Viewer`].

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use jiff::tz::TimeZone;

use super::{model, store};
use crate::app::AppState;
use crate::config::Config;
use crate::web::Viewer;

/// `__Host-` ties the cookie to this host, path `/` and https; plain http is for this machine alone.
fn cookie_name(config: &Config) -> &'static str {
    if config.is_https() { "__Host-daylight" } else { "daylight" }
}

pub fn token(jar: &CookieJar, config: &Config) -> Option<String> {
    jar.get(cookie_name(config)).map(|c| c.value().to_owned())
}

pub fn cookie(token: String, config: &Config) -> Cookie<'static> {
    Cookie::build((cookie_name(config), token))
        .path("/")
        .http_only(true)
        .secure(config.is_https())
        .same_site(SameSite::Lax)
        .build()
}

pub fn removal(config: &Config) -> Cookie<'static> {
    let mut cookie = cookie(String::new(), config);
    cookie.make_removal();
    cookie
}

/// Looks the session up and puts the viewer into the request, and into the answer for the page of an error.
/// One query; none for assets and health.
pub async fn load_viewer(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let needless = path.starts_with("/static/") || path == "/healthz" || path == "/readyz";
    let jar = CookieJar::from_headers(request.headers());
    if let (false, Some(token)) = (needless, token(&jar, &state.config)) {
        match find(&state, &token).await {
            Ok(Some(viewer)) => {
                request.extensions_mut().insert(viewer.clone());
                let mut response = next.run(request).await;
                response.extensions_mut().insert(viewer);
                return response;
            }
            Ok(None) => {}
            Err(error) => return error.into_response(),
        }
    }
    next.run(request).await
}

async fn find(state: &AppState, token: &str) -> crate::error::Result<Option<Viewer>> {
    let now = state.clock.now();
    let idle_since = now.plus_seconds(-model::SESSION_IDLE_HOURS * 3600);
    let mut db = state.db.acquire().await?;
    let Some(row) = store::find_session(&mut db, &model::token_hash(token), now, idle_since).await? else {
        return Ok(None);
    };
    // The hour alone, and once: reading a page is no reason to write, and a finer time could be laid beside what was
    // done without a name.
    let hour = now.full_hour();
    if row.last_seen_at < hour {
        store::touch_session(&mut db, row.id, hour).await?;
    }
    Ok(Some(Viewer {
        person_id: row.person_id,
        session_id: row.id,
        name: row.name,
        roles: row.roles.iter().filter_map(|r| r.parse().ok()).collect(),
        time_zone: row
            .time_zone
            .and_then(|z| TimeZone::get(&z).ok())
            .unwrap_or_else(|| state.config.time_zone.clone()),
        signed_in_at: row.created_at,
    }))
}
