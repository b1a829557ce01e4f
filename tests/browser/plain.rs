//! Without JavaScript: everything works all the same.

use chromiumoxide::cdp::browser_protocol::emulation::SetScriptExecutionDisabledParams;

use crate::site::{PASSWORD, PUBLISHER, WORKER, example};

#[tokio::test]
async fn a_worker_signs_in_and_reads_without_javascript() {
    let site = example().await;
    let tab = site.visitor().await;
    tab.run(SetScriptExecutionDisabledParams::new(true)).await;
    tab.open("/sign-in?next=/me/collection").await;
    tab.fill("#email", WORKER).await;
    tab.fill("#password", PASSWORD).await;
    tab.click("main form .button").await;
    tab.wait_for_path("/me/collection").await;
    assert_eq!(tab.text("h1").await, "What is collected about you");
    assert!(tab.text("main").await.contains("Declared by your employer"), "what matters is open already");

    let closed = "[...document.querySelectorAll('details')].findIndex((d) => !d.open)";
    let number: i64 = tab.eval(closed).await;
    assert!(number >= 0, "there is something to unfold");
    let mark = format!("document.querySelectorAll('details')[{number}].id = 'chosen'");
    let _: String = tab.eval(&mark).await;
    tab.click("#chosen > summary").await;
    tab.wait("document.querySelector('#chosen').open").await;
    assert!(!tab.text("#chosen .details__body").await.is_empty());

    tab.click(".site-header__user button").await;
    tab.wait_for_path("/sign-in").await;
    tab.close().await;
}

#[tokio::test]
async fn a_form_with_a_mistake_comes_back_with_what_was_typed() {
    let site = example().await;
    let tab = site.signed_in(PUBLISHER).await;
    tab.run(SetScriptExecutionDisabledParams::new(true)).await;
    tab.open("/register/new").await;
    tab.fill("#source_name", "acme-agent").await;
    tab.fill("#retention", "for ever & \"ever\"").await;
    tab.click("main form .form-actions .button").await;
    tab.wait("document.querySelector('.error-summary')").await;
    let value = "document.querySelector('#retention').value";
    assert_eq!(tab.eval::<String>(value).await, "for ever & \"ever\"");
    assert_eq!(tab.eval::<String>("document.querySelector('#source_name').value").await, "acme-agent");
    let status = "performance.getEntriesByType('navigation')[0].responseStatus";
    assert_eq!(tab.eval::<u16>(status).await, 422);

    // From the summary to the field, and its mistake is tied to it.
    tab.click(".error-summary a[href='#retention']").await;
    tab.wait("location.hash === '#retention'").await;
    let described =
        "document.querySelector('#retention').getAttribute('aria-describedby').includes('retention-error')";
    assert!(tab.eval::<bool>(described).await);
    tab.close().await;
}
