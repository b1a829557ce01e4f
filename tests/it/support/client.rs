//! Somebody's browser, or an agent: requests go straight into the router.

use std::net::SocketAddr;
use std::sync::Mutex;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::request::Builder;
use axum::http::{HeaderMap, Request, header};
use scraper::{Html, Selector};
use tower::ServiceExt;
use uuid::Uuid;

const BOUNDARY: &str = "daylight-test-boundary";

pub struct Actor {
    router: Router,
    person: Option<Uuid>,
    cookie: Mutex<Option<String>>,
}

impl Actor {
    pub(super) fn new(router: Router, person: Option<Uuid>, cookie: Option<String>) -> Self {
        Actor { router, person, cookie: Mutex::new(cookie) }
    }

    /// Who this is; a visitor is nobody.
    pub fn id(&self) -> Uuid {
        self.person.expect("a visitor has no id")
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(Request::get(path), Body::empty()).await
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let pairs = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        let kind = "application/x-www-form-urlencoded";
        self.post_bytes(path, kind, &[], body.into_bytes()).await
    }

    pub async fn post_json(&self, path: &str, body: &serde_json::Value, bearer: Option<&str>) -> Reply {
        let authorization = bearer.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = authorization.iter().map(|value| ("authorization", value.as_str())).collect();
        self.post_bytes(path, "application/json", &headers, body.to_string().into_bytes()).await
    }

    pub async fn post_bytes(
        &self,
        path: &str,
        content_type: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Reply {
        let mut request = Request::post(path).header(header::CONTENT_TYPE, content_type);
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("sec-fetch-site")) {
            request = request.header("sec-fetch-site", "same-origin");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request, Body::from(body)).await
    }

    /// A form with one file, as `multipart/form-data`.
    pub async fn upload(&self, path: &str, field: &str, filename: &str, bytes: &[u8]) -> Reply {
        let disposition = format!("form-data; name=\"{field}\"; filename=\"{filename}\"");
        let head =
            format!("--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\nContent-Type: text/csv\r\n\r\n");
        let tail = format!("\r\n--{BOUNDARY}--\r\n");
        let body = [head.as_bytes(), bytes, tail.as_bytes()].concat();
        self.post_bytes(path, &format!("multipart/form-data; boundary={BOUNDARY}"), &[], body).await
    }

    /// A form with fields, and one file after them.
    pub async fn upload_form(&self, path: &str, fields: &[(&str, &str)], file: &[u8]) -> Reply {
        let mut body = Vec::new();
        for (name, value) in fields {
            let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
            body.extend([head.as_bytes(), value.as_bytes(), b"\r\n"].concat());
        }
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"export.csv\"\r\n\r\n"
        );
        body.extend([head.as_bytes(), file, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat());
        self.post_bytes(path, &format!("multipart/form-data; boundary={BOUNDARY}"), &[], body).await
    }

    /// Any request; the cookie is added, and kept when the answer sets one.
    pub async fn send(&self, mut request: Builder, body: Body) -> Reply {
        if let Some(cookie) = self.cookie.lock().expect("held for a copy only").clone() {
            request = request.header(header::COOKIE, cookie);
        }
        let peer = ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 40_000)));
        let request = request.extension(peer).body(body).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("the router can't fail");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("the whole body");
        for value in parts.headers.get_all(header::SET_COOKIE).iter().filter_map(|v| v.to_str().ok()) {
            let pair = value.split(';').next().unwrap_or_default();
            let removed = value.contains("Max-Age=0") || pair.ends_with('=');
            *self.cookie.lock().expect("held for a copy only") = (!removed).then(|| pair.to_owned());
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        Reply { status: parts.status.as_u16(), headers: parts.headers, body }
    }
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Reply {
    /// Shows the body when the status is another one.
    #[track_caller]
    pub fn assert_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "to {}\n{}", self.header("location"), self.body);
        self
    }

    /// Where a redirect leads; empty when it is none.
    pub fn location(&self) -> &str {
        self.header("location")
    }

    /// Empty when the header is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("")
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {}", self.body))
    }

    /// The texts of the elements that match, with white space collapsed.
    #[track_caller]
    pub fn select(&self, css: &str) -> Vec<String> {
        let page = Html::parse_document(&self.body);
        let collapsed = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        page.select(&selector(css)).map(|element| collapsed(element.text().collect())).collect()
    }

    /// An attribute of the elements that match and have it.
    #[track_caller]
    pub fn attributes(&self, css: &str, name: &str) -> Vec<String> {
        let page = Html::parse_document(&self.body);
        page.select(&selector(css)).filter_map(|element| element.attr(name).map(str::to_owned)).collect()
    }
}

#[track_caller]
fn selector(css: &str) -> Selector {
    Selector::parse(css).unwrap_or_else(|e| panic!("{css} is no selector: {e}"))
}

/// As `application/x-www-form-urlencoded` wants it; also right in a query.
pub fn encode(text: &str) -> String {
    let byte = |b: u8| match b {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => (b as char).to_string(),
        _ => format!("%{b:02X}"),
    };
    text.bytes().map(byte).collect()
}
