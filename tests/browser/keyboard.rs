//! By keyboard alone.

use crate::site::{PASSWORD, WORKER, example};
use crate::tab::{Key, NARROW, Tab};

const FOCUSED: &str = "(() => { const e = document.activeElement;
    if (e === document.body) return 'BODY';
    return e.id || e.getAttribute('aria-label') || e.innerText || e.tagName; })()";

#[tokio::test]
async fn the_first_stop_leads_past_the_navigation() {
    let site = example().await;
    let tab = site.signed_in(WORKER).await;
    tab.open("/me/collection").await;
    tab.press(Key::Tab).await;
    assert_eq!(tab.eval::<String>(FOCUSED).await, "Skip to content");
    assert_visible_focus(&tab).await;
    let inside = "document.activeElement.getBoundingClientRect().top >= 0";
    assert!(tab.eval::<bool>(inside).await, "the link comes into view");
    tab.press(Key::Enter).await;
    tab.wait("document.activeElement.id === 'main'").await;

    // From there the next stop is in the content, not in the navigation.
    tab.press(Key::Tab).await;
    assert!(tab.eval::<bool>("document.querySelector('main').contains(document.activeElement)").await);
    assert_visible_focus(&tab).await;
    tab.close().await;
}

#[tokio::test]
async fn every_stop_of_a_page_is_visible_and_the_picture_scrolls() {
    let site = example().await;
    let tab = site.signed_in(WORKER).await;
    tab.look(NARROW, false).await;
    tab.open("/me/collection").await;
    let mut stops = Vec::new();
    // Far more than the page has; the end is where the first stop comes back.
    for _ in 0..300 {
        tab.press(Key::Tab).await;
        let stop: String = tab.eval(FOCUSED).await;
        if stop == "BODY" || stops.first() == Some(&stop) && stops.len() > 1 {
            break;
        }
        assert_visible_focus(&tab).await;
        if stop.starts_with("Picture by day") {
            let scrolls = "document.activeElement.scrollWidth > document.activeElement.clientWidth";
            assert!(tab.eval::<bool>(scrolls).await, "narrow: the picture is wider than the screen");
        }
        stops.push(stop);
    }
    let region = "Picture by day; scrolls sideways on a narrow screen";
    assert!(stops.iter().any(|stop| stop == region), "{stops:?}");
    assert!(stops.iter().any(|stop| stop.contains("Window titles")), "{stops:?}");
    assert!(stops.len() < 300, "the focus gets out again");
    tab.close().await;
}

#[tokio::test]
async fn a_whole_sign_in() {
    let site = example().await;
    let tab = site.visitor().await;
    tab.open("/sign-in").await;
    go_to(&tab, "email").await;
    tab.type_text("nobody-by-this-name").await;
    tab.press(Key::Enter).await;
    // The mistakes are read out first: the focus is on them.
    tab.wait("document.activeElement.classList.contains('error-summary')").await;
    let typed = "document.querySelector('#email').value";
    assert_eq!(tab.eval::<String>(typed).await, "nobody-by-this-name");

    tab.open("/sign-in").await;
    go_to(&tab, "email").await;
    tab.type_text(WORKER).await;
    tab.press(Key::Tab).await;
    assert_eq!(tab.eval::<String>(FOCUSED).await, "password");
    tab.type_text(PASSWORD).await;
    tab.press(Key::Tab).await;
    assert_eq!(tab.eval::<String>(FOCUSED).await, "Sign in");
    assert_visible_focus(&tab).await;
    tab.press(Key::Enter).await;
    tab.wait_for_path("/me/collection").await;
    tab.close().await;
}

async fn go_to(tab: &Tab, id: &str) {
    for _ in 0..30 {
        tab.press(Key::Tab).await;
        if tab.eval::<String>(FOCUSED).await == id {
            return;
        }
    }
    panic!("{id} can't be reached by Tab");
}

async fn assert_visible_focus(tab: &Tab) {
    let script = "(() => { const e = document.activeElement; const s = getComputedStyle(e);
        return [parseFloat(s.outlineWidth), s.outlineStyle, e.outerHTML.slice(0, 120)]; })()";
    let (width, style, element): (f64, String, String) = tab.eval(script).await;
    assert!(width > 0.0 && style != "none", "no visible focus ({width} {style}) on {element}");
}
