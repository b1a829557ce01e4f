//! Pages for the representative, rendered here and without any script.

mod codes;
mod connect;
mod overview;
mod roll;
mod sign_in;

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use tower_http::csrf::CsrfLayer;

use super::server::Representative;
use crate::clock::Time;
use crate::error::{Error, Problem, Result};
use crate::web::assets::{ASSETS, Assets};
use crate::web::page::html_with;
use crate::web::{Submitted, assets, times};

/// No script at all, and nothing from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

type Of = State<Representative>;

pub(super) fn router(representative: &Representative) -> Router {
    let origin = &representative.0.options.public_url;
    let csrf = CsrfLayer::new().add_trusted_origin(origin).unwrap_or_else(|_| CsrfLayer::new());
    Router::new()
        .route("/", get(overview::show))
        .route("/sign-in-link", post(overview::another_link))
        .route("/link/{token}", get(sign_in::ask).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/connect", get(connect::show).post(connect::connect))
        .route("/deliver", post(connect::deliver))
        .route("/roll", get(roll::show))
        .route("/roll/countersign", post(roll::countersign))
        .route("/roll/challenge", post(roll::challenge))
        .route("/roll/clear", post(roll::clear))
        .route("/codes", get(codes::show).post(codes::issue))
        .route("/codes/renew", post(codes::renew))
        .fallback(|| async { Error::NotFound })
        .merge(assets::router())
        .layer(DefaultBodyLimit::max(64 * 1024))
        .layer(csrf)
        .layer(middleware::from_fn(finish))
        .with_state(representative.clone())
}

/// What every page's template needs, as its field `page`.
pub(super) struct Page {
    /// Whether to show the way to the other pages.
    pub signed_in: bool,
    pub path: &'static str,
    pub name: String,
}

impl Page {
    fn of(representative: &Representative, path: &'static str) -> Self {
        let name = representative.0.options.name.clone();
        Page { signed_in: true, path, name }
    }

    fn assets(&self) -> &'static Assets {
        &ASSETS
    }

    /// In UTC: this server knows no time zone.
    fn moment(&self, at: &Time) -> String {
        times::moment(*at, &jiff::tz::TimeZone::UTC)
    }
}

#[derive(Template)]
#[template(path = "representative/error.html")]
struct ErrorPage {
    page: Page,
    problem: Problem,
}

/// Headers for every page, and a page for every refusal.
async fn finish(request: Request, next: Next) -> Response {
    let is_asset = request.uri().path().starts_with("/static/");
    let mut response = next.run(request).await;
    let status = response.status();
    let problem = response.extensions().get::<Problem>().cloned();
    let is_bare =
        response.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind == "text/plain; charset=utf-8");
    let problem = problem.or_else(|| {
        let failed = (status.is_client_error() || status.is_server_error()) && is_bare;
        failed.then(|| Problem::new(status, "The request was refused. Nothing was changed."))
    });
    if let Some(problem) = problem {
        let page = Page { signed_in: false, path: "", name: String::new() };
        response = html_with(status, &ErrorPage { page, problem }).unwrap_or(response);
    }
    let headers = response.headers_mut();
    let fixed: [(HeaderName, &'static str); 6] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !is_asset {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// A form's fields.
struct Sent(Submitted);

impl FromRequest<Representative> for Sent {
    type Rejection = Error;

    async fn from_request(request: Request, state: &Representative) -> Result<Self> {
        let form = axum::Form::<Vec<(String, String)>>::from_request(request, state).await;
        let unreadable = || Error::Rejected(StatusCode::BAD_REQUEST, "This form could not be read.".into());
        let axum::Form(pairs) = form.map_err(|_| unreadable())?;
        Ok(Sent(pairs.into_iter().collect()))
    }
}
