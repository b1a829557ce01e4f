//! The pictures in docs/screenshots; made by bin/screenshots.

use std::path::{Path, PathBuf};

use chromiumoxide::cdp::browser_protocol::page::{
    CaptureScreenshotFormat, CaptureScreenshotParams, Viewport,
};

use crate::site::{ADMINISTRATOR, PUBLISHER, WORKER, example};
use crate::tab::{NARROW, Tab, WIDE};

/// With DAYLIGHT_SCREENSHOTS, a folder; otherwise there is nothing to do.
#[tokio::test]
async fn pictures_for_the_documentation() {
    let Some(folder) = std::env::var_os("DAYLIGHT_SCREENSHOTS").map(PathBuf::from) else { return };
    let site = example().await;
    let mandatory = format!("/register/{}", site.processing("presence").await);
    let published = site.notice_version("published").await;
    let notice = format!("/notices/{}", site.notice_of(published).await);
    let editor = format!("/publishing/versions/{}/edit", site.notice_version("draft").await);
    let pictures = [
        ("worker-light", WORKER, "/me/collection", WIDE, false),
        ("worker-dark", WORKER, "/me/collection", WIDE, true),
        ("worker-phone", WORKER, "/me/collection", NARROW, false),
        ("choices", WORKER, "/me/choices", WIDE, false),
        ("category", WORKER, "/me/collection/window.titles", WIDE, false),
        ("register", WORKER, "/register", WIDE, false),
        ("processing", WORKER, &mandatory, WIDE, false),
        ("organisation", PUBLISHER, "/organisation", WIDE, false),
        ("notice", WORKER, &notice, WIDE, false),
        ("editor", PUBLISHER, &editor, WIDE, false),
        ("log", WORKER, "/log", WIDE, false),
        ("agents", ADMINISTRATOR, "/agents", WIDE, false),
    ];
    for (name, who, path, size, dark) in pictures {
        let tab = site.signed_in(who).await;
        tab.look(size, dark).await;
        tab.open(path).await;
        write(&tab, &folder.join(format!("{name}.png")), 1600).await;
        tab.close().await;
    }
}

/// The page from its top, at most so many pixels high.
pub async fn write(tab: &Tab, file: &Path, most: i64) {
    // Otherwise a font that still loads is missing.
    let _: bool = tab.eval("document.fonts.ready.then(() => true)").await;
    let (width, height): (f64, f64) =
        tab.eval("[document.documentElement.clientWidth, document.documentElement.scrollHeight]").await;
    let clip = Viewport { x: 0.0, y: 0.0, width, height: height.min(most as f64), scale: 1.0 };
    let capture = CaptureScreenshotParams::builder()
        .format(CaptureScreenshotFormat::Png)
        .clip(clip)
        .capture_beyond_viewport(true)
        .optimize_for_speed(false);
    let picture = tab.run(capture.build()).await.data;
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, picture);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("the folder can be made");
    std::fs::write(file, bytes.expect("a picture")).expect("the picture is written");
}
