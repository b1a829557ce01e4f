//! Style, script, fonts and pictures, inside the binary and cacheable for good: their addresses carry a
//! hash of their content.

use std::sync::LazyLock;

use axum::Router;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memory_serve::{CacheControl, MemoryServe};
use sha2::{Digest, Sha256};

/// Addresses of the assets that templates name, each with the hash of its content.
pub struct Assets {
    pub style: String,
    pub script: String,
    pub notice_editor: String,
    pub wallet_keys: Script,
    pub wallet: Script,
    pub wallet_page: Script,
    pub sign_page: Script,
    pub start_page: Script,
    pub blindrsa: Script,
}

/// A script that a browser runs only if it is this very one.
pub struct Script {
    pub address: String,
    /// For `integrity=`: SHA-256.
    pub integrity: String,
}

const BLINDRSA: &[u8] = include_bytes!("../../static/vendor/blindrsa.js");

pub static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: versioned("daylight.css", include_bytes!("../../static/daylight.css")),
    script: versioned("daylight.js", include_bytes!("../../static/daylight.js")),
    notice_editor: versioned("notice-editor.js", include_bytes!("../../static/notice-editor.js")),
    wallet_keys: script("wallet-keys.js", include_bytes!("../../static/wallet-keys.js")),
    wallet: script("wallet.js", include_bytes!("../../static/wallet.js")),
    wallet_page: script("wallet-page.js", include_bytes!("../../static/wallet-page.js")),
    sign_page: script("sign-page.js", include_bytes!("../../static/sign-page.js")),
    start_page: script("start-page.js", include_bytes!("../../static/start-page.js")),
    blindrsa: script("vendor/blindrsa.js", BLINDRSA),
});

fn versioned(name: &str, content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    format!("/static/{name}?v={:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3])
}

fn script(name: &str, content: &[u8]) -> Script {
    let integrity = format!("sha256-{}", STANDARD.encode(Sha256::digest(content)));
    Script { address: versioned(name, content), integrity }
}

pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let assets: MemoryServe = memory_serve::load!();
    Router::new().nest("/static", assets.index_file(None).cache_control(CacheControl::Long).into_router())
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::BLINDRSA;
    use crate::web::times::hex;

    #[test]
    fn the_vendored_library_is_the_one_that_its_readme_names() {
        let readme = include_str!("../../static/vendor/README.md");
        let wanted = format!("`blindrsa.js`: `{}`", hex(&Sha256::digest(BLINDRSA)));
        assert!(readme.contains(&wanted), "static/vendor/README.md doesn't say {wanted}");
    }
}
