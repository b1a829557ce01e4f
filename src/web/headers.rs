//! Headers that every answer carries: a strict content security policy with a nonce, and no caching of
//! what is somebody's own.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::app::AppState;

/// The nonce of this request's scripts.
#[derive(Debug, Clone)]
pub struct Nonce(pub String);

/// Makes the nonce, and sets the headers on the way out.
pub async fn secure(state: AppState, mut request: Request, next: Next) -> Response {
    let nonce = STANDARD_NO_PAD.encode(state.random.bytes::<16>());
    // The second issuer of petitions' credentials, which wallets fetch theirs from.
    let issuer = state.petitions.representative_url().unwrap_or_default();
    let is_asset = request.uri().path().starts_with("/static/");
    request.extensions_mut().insert(Nonce(nonce.clone()));
    let mut response = next.run(request).await;
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         script-src 'nonce-{nonce}'; connect-src 'self' {issuer}; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    let headers = response.headers_mut();
    let fixed: [(HeaderName, &'static str); 5] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // An answer that brings its own policy knows better: the verifier's has no nonce.
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY)
        && let Ok(policy) = HeaderValue::from_str(&policy)
    {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if !is_asset && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
