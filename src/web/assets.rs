//! Style, script, fonts and pictures, inside the binary and cacheable for good: their addresses carry a
//! hash of their content.

use std::sync::LazyLock;

use axum::Router;
use memory_serve::{CacheControl, MemoryServe};
use sha2::{Digest, Sha256};

/// Addresses of the assets that templates name, each with the hash of its content.
pub struct Assets {
    pub style: String,
    pub script: String,
    pub notice_editor: String,
}

pub static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: versioned("daylight.css", include_bytes!("../../static/daylight.css")),
    script: versioned("daylight.js", include_bytes!("../../static/daylight.js")),
    notice_editor: versioned("notice-editor.js", include_bytes!("../../static/notice-editor.js")),
});

fn versioned(name: &str, content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    format!("/static/{name}?v={:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3])
}

pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let assets: MemoryServe = memory_serve::load!();
    Router::new().nest("/static", assets.index_file(None).cache_control(CacheControl::Long).into_router())
}
