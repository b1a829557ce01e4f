//! What every Atom feed shares (RFC 4287).

use askama::Template;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::error::Result;

/// A text without what XML 1.0 can't hold, not even escaped: control characters.
pub fn text(text: &str) -> String {
    let allowed = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().filter(allowed).filter(|c| !matches!(c, '\u{fffe}' | '\u{ffff}')).collect()
}

/// A rendered feed, status 200.
pub fn answer(feed: &impl Template) -> Result<Response> {
    Ok(([(header::CONTENT_TYPE, "application/atom+xml; charset=utf-8")], feed.render()?).into_response())
}
