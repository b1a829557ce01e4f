//! The page that checks an export in the reader's own browser: one file that connects to nothing, and the same
//! bytes for everybody, so that people can compare its SHA-256.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::web::times;

const PAGE: &str = include_str!("../../static/verify.html");

/// No nonce, which would differ from answer to answer: the script and the style are named by their hashes.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        hash_of("script"),
        hash_of("style")
    )
});

/// The page's SHA-256 in hexadecimal, to be published where people can compare it.
pub fn verifier_sha256() -> String {
    times::hex(&Sha256::digest(PAGE))
}

pub(super) async fn page() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
        // Shown, and saved under a name that says what it is.
        (header::CONTENT_DISPOSITION, "inline; filename=\"daylight-verify.html\""),
    ];
    (headers, PAGE).into_response()
}

/// A source expression for the content of the page's one element of this kind.
fn hash_of(element: &str) -> String {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let content = PAGE.split_once(&open).and_then(|(_, rest)| rest.split_once(&close));
    let content = content.map(|(content, _)| content).unwrap_or_default();
    format!("sha256-{}", STANDARD.encode(Sha256::digest(content)))
}

#[cfg(test)]
mod tests {
    use super::{PAGE, hash_of};

    /// The file says its policy itself too, so that a copy on a disk is bound by it.
    #[test]
    fn the_file_names_its_own_script_and_style() {
        for element in ["script", "style"] {
            assert_eq!(PAGE.matches(&format!("<{element}>")).count(), 1, "one {element}");
            let wanted = format!("{element}-src '{}'", hash_of(element));
            assert!(PAGE.contains(&wanted), "put this into static/verify.html: {wanted}");
        }
    }

    #[test]
    fn the_file_is_short_and_names_no_address() {
        // Longer than other files may be: the rules about petitions must stand in the one file that readers save.
        assert!(PAGE.lines().count() < 750, "{} lines", PAGE.lines().count());
        let words =
            ["http:", "https:", "src=", "url(", "import(", "@import", "fetch(", "XMLHttp", "WebSocket"];
        // Nor does it make code or elements out of what stands in a file.
        for word in words.into_iter().chain(["eval(", "Function(", "innerHTML", "document.write"]) {
            assert!(!PAGE.contains(word), "{word}");
        }
    }
}
