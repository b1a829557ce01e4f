//! On paper.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chromiumoxide::cdp::browser_protocol::page::PrintToPdfParams;

use crate::site::{WORKER, example};

#[tokio::test]
async fn the_workers_page_prints_without_its_navigation() {
    let site = example().await;
    let tab = site.signed_in(WORKER).await;
    // Paper is white, also for somebody whose screen is dark.
    tab.media("", true).await;
    tab.open("/me/collection").await;
    let shown = |css: &str| format!("document.querySelector('{css}').getClientRects().length > 0");
    assert!(tab.eval::<bool>(&shown(".site-nav")).await, "on the screen it is there");
    tab.media("print", true).await;
    for css in [".site-nav", ".site-header__user", ".skip-link"] {
        assert!(!tab.eval::<bool>(&shown(css)).await, "{css} is printed");
    }
    for css in ["h1", ".site-logo", ".chart svg", "details .details__body"] {
        assert!(tab.eval::<bool>(&shown(css)).await, "{css} isn't printed");
    }
    let background = "getComputedStyle(document.body).backgroundColor";
    assert_eq!(tab.eval::<String>(background).await, "rgb(255, 255, 255)");

    let pdf = tab.run(PrintToPdfParams::default()).await.data;
    let pdf = STANDARD.decode(pdf).expect("base64");
    assert!(pdf.starts_with(b"%PDF-"), "a PDF");
    assert!(pdf.len() > 20_000, "with something in it: {} bytes", pdf.len());
    tab.close().await;
}
