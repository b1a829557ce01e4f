//! One-time links: mail programs and scanners open them, which must not use them up.

use crate::site::example;

#[tokio::test]
async fn opening_a_sign_in_link_uses_nothing_up_and_the_button_does() {
    let site = example().await;
    let link = site.link("kofi.mensah@demo.example").await;
    for _ in 0..2 {
        let scanner = site.visitor().await;
        scanner.open(&link).await;
        assert_eq!(scanner.text("h1").await, "Sign in");
        assert!(scanner.text("main").await.contains("kofi.mensah@demo.example"));
        scanner.close().await;
    }
    let tab = site.visitor().await;
    tab.open(&link).await;
    tab.click("main form .button").await;
    tab.wait_for_path("/me/collection").await;
    assert!(tab.text(".site-header__user").await.contains("Kofi Mensah"));
    tab.close().await;

    let late = site.visitor().await;
    late.open(&link).await;
    let status: u16 = late.eval("performance.getEntriesByType('navigation')[0].responseStatus").await;
    assert!(status >= 400, "the link is used up, and the answer was {status}");
    assert!(!late.eval::<bool>("Boolean(document.querySelector('main form'))").await);
    late.close().await;
}
