//! The page of one file that checks an export in the browser.

pub fn verifier_sha256() -> String {
    String::new()
}
