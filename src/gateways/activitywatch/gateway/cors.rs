//! Browsers' extensions are watchers too, and ask before they send. Web pages may neither ask nor send: what they post
//! without asking would enter somebody's records.

use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::answers::Answer;

/// Whoever sends, when it is an extension; `None` for a program, an error for a web page.
pub(super) fn origin(headers: &HeaderMap) -> Result<Option<HeaderValue>, ()> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else { return Ok(None) };
    let text = origin.to_str().map_err(drop)?;
    let id = ["moz-extension://", "chrome-extension://", "safari-web-extension://"]
        .into_iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .ok_or(())?;
    let fits = (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if fits && origins.next().is_none() { Ok(Some(origin.clone())) } else { Err(()) }
}

pub(super) fn admit(origin: Option<HeaderValue>, mut answer: Answer) -> Answer {
    if let Some(origin) = origin {
        answer.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        answer.headers_mut().insert(header::VARY, HeaderValue::from_static("origin"));
    }
    answer
}

/// The answer to "may I?".
pub(super) fn preflight(allowed: &'static str) -> Answer {
    let mut answer = Response::default();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    for (name, value) in [
        (header::ALLOW, allowed),
        (header::ACCESS_CONTROL_ALLOW_METHODS, allowed),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type, charset"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_pages_are_no_watchers() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::ORIGIN, value.parse().expect("a value"));
            }
            origin(&headers).map(|origin| origin.is_some())
        };
        assert_eq!(of(&[]), Ok(false));
        assert_eq!(of(&["moz-extension://6f1bd2a5-1f6c-4c1e-9d3a-111111111111"]), Ok(true));
        assert_eq!(of(&["chrome-extension://nglaklhklhcoonedhgnpgddginnjdadi"]), Ok(true));
        for odd in [
            "https://evil.example",
            "http://localhost:5600",
            "null",
            "moz-extension://",
            "moz-extension://a/b",
        ] {
            assert_eq!(of(&[odd]), Err(()), "{odd}");
        }
        assert_eq!(of(&["moz-extension://a", "https://evil.example"]), Err(()));
    }
}
