//! The network goes away while a form is sent: nothing typed is lost.

#[expect(deprecated, reason = "its successor is missing in Chromiums that distributions still ship")]
use chromiumoxide::cdp::browser_protocol::network::EmulateNetworkConditionsParams;
use chromiumoxide::cdp::browser_protocol::network::EnableParams;

use crate::site::{PUBLISHER, example};
use crate::tab::Tab;

#[tokio::test]
async fn a_form_that_could_not_be_sent_is_still_there_on_the_way_back() {
    let site = example().await;
    let tab = site.signed_in(PUBLISHER).await;
    tab.run(EnableParams::default()).await;
    tab.open("/register/new").await;
    tab.fill("#source_name", "acme-agent").await;
    tab.fill("#necessity", "Typed on a train,\nline by line.").await;

    set_offline(&tab, true).await;
    tab.click("main form .form-actions .button").await;
    // Chromium's own page about the lost network takes the form's place.
    tab.wait("location.protocol === 'chrome-error:'").await;
    set_offline(&tab, false).await;
    let _: bool = tab.eval("(history.back(), true)").await;
    tab.wait_for_path("/register/new").await;
    tab.wait("document.querySelector('#source_name')?.value === 'acme-agent'").await;
    let value = "document.querySelector('#necessity').value";
    assert_eq!(tab.eval::<String>(value).await, "Typed on a train,\nline by line.");
    assert!(tab.eval::<bool>("!document.querySelector('main form .form-actions .button').disabled").await);

    // And the button works: the form is incomplete, so the server answers with it.
    tab.click("main form .form-actions .button").await;
    tab.wait("document.querySelector('.error-summary')").await;
    assert_eq!(tab.eval::<String>(value).await, "Typed on a train,\nline by line.");
    tab.close().await;
}

#[expect(deprecated, reason = "as above")]
async fn set_offline(tab: &Tab, offline: bool) {
    tab.run(EmulateNetworkConditionsParams::new(offline, 0.0, -1.0, -1.0)).await;
}
