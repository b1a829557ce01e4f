//! The two faces of an error: a page for people, `application/problem+json` for programs under `/api`.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::request_id::RequestId;

use super::page::{Page, html_with, see_other};
use super::routes::Pattern;
use super::viewer::Viewer;
use crate::app::AppState;
use crate::error::{Error, Problem};

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    page: Page,
    problem: Problem,
    /// What the person can do now.
    advice: &'static str,
}

/// A refusal's face for programs, where no layer gives it one.
pub fn for_programs(error: Error) -> Response {
    let response = error.into_response();
    let status = response.status();
    let problem = response.extensions().get::<Problem>().cloned();
    as_json(status, &problem.unwrap_or_else(|| Problem::new(status, refusal(status))))
}

fn as_json(status: StatusCode, problem: &Problem) -> Response {
    let body = serde_json::to_vec(problem).unwrap_or_default();
    let kind = HeaderValue::from_static("application/problem+json");
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

/// Finishes every refusal and failure; answers that succeeded pass through. It stands outside of what looks
/// the viewer up, which can fail too: then the page knows nobody.
pub async fn finish(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let is_api = parts.uri.path().starts_with("/api/");
    let is_get = parts.method == Method::GET;
    let mut page = Page::of(&parts, &state);
    let target = parts.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
    let request_id =
        parts.extensions.get::<RequestId>().and_then(|id| id.header_value().to_str().ok().map(str::to_owned));
    let response = next.run(Request::from_parts(parts, body)).await;

    let status = response.status();
    let plain = is_plain(&response);
    let mut problem = match response.extensions().get::<Problem>() {
        Some(problem) => problem.clone(),
        // A refusal by the framework itself: its own text may quote the request, so it isn't kept.
        None if (status.is_client_error() || status.is_server_error()) && plain => {
            Problem::new(status, refusal(status))
        }
        None => return response,
    };
    problem.instance = request_id;
    let mut finished = if is_api {
        as_json(status, &problem)
    } else if status == StatusCode::UNAUTHORIZED && is_get {
        return see_other(&format!("/sign-in?next={}", encode(&target)));
    } else {
        page.done = None;
        page.set_viewer(response.extensions().get::<Viewer>().cloned(), &state);
        let template = ErrorPage { page, advice: advice(status), problem };
        html_with(status, &template).unwrap_or_else(|_| status.into_response())
    };
    if let Some(pattern) = response.extensions().get::<Pattern>() {
        finished.extensions_mut().insert(*pattern);
    }
    for name in [header::RETRY_AFTER, header::WWW_AUTHENTICATE, header::ALLOW] {
        if let Some(value) = response.headers().get(&name) {
            finished.headers_mut().insert(name, value.clone());
        }
    }
    finished
}

fn is_plain(response: &Response) -> bool {
    response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .is_none_or(|v| v.starts_with("text/plain"))
}

fn refusal(status: StatusCode) -> &'static str {
    match status {
        StatusCode::METHOD_NOT_ALLOWED => "This address doesn't take that method.",
        StatusCode::PAYLOAD_TOO_LARGE => "What was sent is larger than this address takes.",
        StatusCode::FORBIDDEN => "This request came from another site, so it was refused.",
        StatusCode::REQUEST_TIMEOUT => "The server took too long.",
        StatusCode::BAD_REQUEST => "The request could not be read.",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "This address takes another kind of content.",
        status if status.is_server_error() => "Something went wrong on our side. Nothing was changed.",
        _ => "The request was refused.",
    }
}

fn advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "The address may be mistyped, or the thing may not be yours to see.",
        StatusCode::FORBIDDEN => {
            "If you think your role should allow it, ask an administrator. Nothing was changed."
        }
        StatusCode::UNAUTHORIZED => "Sign in and try again. What you sent was not kept.",
        StatusCode::CONFLICT => "Go back, reload the page to see how things stand, and try again.",
        status if status.is_server_error() => {
            "Try again in a moment. If it happens again, give the number below to an administrator."
        }
        _ => "Go back, check what you sent, and try again.",
    }
}

/// Percent-encodes everything but unreserved characters and the slash.
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                (b as char).to_string()
            }
            _ => format!("%{b:02X}"),
        })
        .collect()
}
