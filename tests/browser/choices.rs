//! Choosing, in the browser: by keyboard, several at once, without JavaScript. Each test is another of the
//! example's people, so that none sees what another has chosen.

use chromiumoxide::cdp::browser_protocol::emulation::SetScriptExecutionDisabledParams;

use crate::site::example;
use crate::tab::{Key, NARROW, Tab};

/// Tab until the focus is on what matches.
async fn go_to(tab: &Tab, css: &str) {
    let there = format!("document.activeElement.matches({css:?})");
    for _ in 0..200 {
        tab.press(Key::Tab).await;
        if tab.eval::<bool>(&there).await {
            return;
        }
    }
    panic!("{css} can't be reached by Tab");
}

async fn chips(tab: &Tab, card: &str) -> String {
    tab.text(&format!("[id='{card}'] > .cluster .cluster")).await.replace('\n', " ")
}

#[tokio::test]
async fn a_no_by_keyboard_is_one_key_and_the_focus_is_on_its_card() {
    let site = example().await;
    let id = site.processing("device.inventory").await;
    let (card, form) = (format!("c-{id}"), format!("form[action='/me/choices/{id}']"));
    let tab = site.signed_in("freya.lund@demo.example").await;
    tab.look(NARROW, false).await;
    tab.open("/me/choices").await;
    assert_eq!(chips(&tab, &card).await, "Waiting for you On");
    go_to(&tab, &format!("{form} button[value='no']")).await;
    tab.press(Key::Enter).await;
    tab.wait(&format!("location.hash === '#{card}' && document.activeElement.id === '{card}'")).await;
    assert_eq!(chips(&tab, &card).await, "Off");
    assert!(tab.text(".banner--success").await.contains("you said no"));
    let in_sight = "(() => { const r = document.activeElement.getBoundingClientRect();
        return r.top >= 0 && r.top < innerHeight; })()";
    assert!(tab.eval::<bool>(in_sight).await, "the card is in sight");

    // And back, with as many.
    go_to(&tab, &format!("{form} button[value='yes']")).await;
    tab.press(Key::Enter).await;
    tab.wait(&format!(
        "document.querySelector('[id=\"{card}\"] .pick__standing')?.innerText.startsWith('On.')"
    ))
    .await;
    tab.close().await;
}

#[tokio::test]
async fn several_at_once_without_javascript() {
    let site = example().await;
    let (office, programs) =
        (site.processing("location.network").await, site.processing("device.inventory").await);
    let tab = site.signed_in("hanna.seidel@demo.example").await;
    tab.run(SetScriptExecutionDisabledParams::new(true)).await;
    tab.open("/me/choices/several").await;
    tab.click("button[value='save']").await;
    tab.wait("document.querySelector('.error-summary')").await;
    tab.click(&format!("label[for='yes-{programs}']")).await;
    tab.click(&format!("label[for='no-{office}']")).await;
    tab.click("button[value='save']").await;
    tab.wait_for_path("/me/choices").await;
    assert_eq!(chips(&tab, &format!("c-{office}")).await, "Off");
    assert_eq!(chips(&tab, &format!("c-{programs}")).await, "On");
    tab.open("/me/choices/several").await;
    tab.click("button[value='no-to-all']").await;
    tab.wait_for_path("/me/choices").await;
    assert_eq!(chips(&tab, &format!("c-{programs}")).await, "Off");
    tab.close().await;
}

#[tokio::test]
async fn an_objection_that_is_too_long_comes_back_as_it_was_typed() {
    let site = example().await;
    let id = site.processing("web.domains").await;
    let tab = site.signed_in("nora.berg@demo.example").await;
    tab.open("/me/choices").await;
    tab.click(&format!("[id='c-{id}'] a[href$='/object']")).await;
    tab.wait_for_path(&format!("/me/choices/{id}/object")).await;
    let long = "A reason of mine. ".repeat(120);
    tab.fill("#reason", &long).await;
    tab.click("label[for='named-1']").await;
    tab.click("main form .button").await;
    tab.wait("document.activeElement.classList.contains('error-summary')").await;
    let typed: String = tab.eval("document.querySelector('#reason').value").await;
    assert_eq!(typed.trim(), long.trim());
    assert!(tab.eval::<bool>("document.querySelector('#named-1').checked").await);
    tab.click(".error-summary a[href='#reason']").await;
    tab.wait("document.activeElement.id === 'reason'").await;
    let _: bool = tab.eval("(document.querySelector('#reason').value = '', true)").await;
    tab.fill("#reason", "A short one.").await;
    tab.click("main form .button").await;
    tab.wait_for_path("/me/choices").await;
    assert_eq!(chips(&tab, &format!("c-{id}")).await, "Off, objection open");
    let standing = tab.text(&format!("[id='c-{id}'] .pick__standing")).await;
    assert!(standing.contains("You objected on") && standing.contains("Answer due by"), "{standing}");
    tab.close().await;
}
