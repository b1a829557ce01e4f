//! Starting a petition without a name, and acting as its author afterwards.

use daylight::credentials::action::Slot;
use daylight::ledger::document_hash;
use daylight::ledger::proof::petition::{Credential, is_signed, petition_message};
use serde_json::Value;
use uuid::Uuid;

use crate::petitions::faults;
use crate::workplace::Workplace;

#[tokio::test]
async fn a_petition_is_started_without_a_name() {
    let place = Workplace::start(20).await;
    let mut tab = place.recovered(&place.epoch.colleagues[8]).await;
    place.declare("app.usage").await;
    let about: Uuid =
        sqlx::query_scalar("select id from processing").fetch_one(&place.app.state.db).await.expect("one");
    let path = format!("/petitions/start/confidential?about=processing:{about}");
    tab.open(&path).await;
    tab.wait("!document.querySelector('#submit').disabled").await;
    tab.fill("#title", "Fewer “alerts” at night").await;
    tab.fill("#demand", "Please make them fewer.\nThanks.").await;
    tab.wait("document.querySelector('#save-status').textContent.includes('saved in this browser')").await;
    // The draft outlives the page.
    tab.open(&path).await;
    tab.wait("document.querySelector('#title').value === 'Fewer “alerts” at night' && !document.querySelector('#submit').disabled").await;
    let wrong = faults(&mut tab, "start-form").await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let catch = "(window.real = fetch, window.fetch = (url, options) => url.endsWith('/petitions/start')
        ? (window.sent = [options.credentials, JSON.parse(options.body)], Promise.reject(new TypeError())) : real(url, options), true)";
    let _: bool = tab.eval(catch).await;
    tab.click("#submit").await;
    tab.wait("document.querySelector('#trouble').textContent.includes('the draft is in this browser')").await;
    let (credentials, body): (String, Value) = tab.eval("window.sent").await;
    assert_eq!(credentials, "omit");
    let document = &body["document"];
    let wanted = serde_json::json!({"title": "Fewer “alerts” at night", "demand": "Please make them fewer.\nThanks.", "background": "",
        "about": {"kind": "processing", "id": about}, "open_days": 60});
    assert_eq!(*document, wanted);
    assert_eq!(
        (&body["open_days"], &body["about_kind"], &body["about_id"]),
        (&60.into(), &"processing".into(), &about.to_string().into())
    );
    let credential: Credential = serde_json::from_value(body["credential"].clone()).expect("a credential");
    let origin = &place.app.state.config.log_origin;
    let slot = Slot::of(origin, &place.epoch.leaf, 0, place.epoch.leaf_hash).expect("a slot");
    assert!(slot.holds(&credential));
    let id = body["petition"].as_str().and_then(|id| id.parse().ok()).expect("an id");
    let message = petition_message(origin, id, 1, &document_hash(document).expect("a hash"));
    assert!(is_signed(&credential.key, &message, body["signature"].as_str().expect("a text")));

    let _: bool = tab.eval("(window.fetch = window.real, true)").await;
    tab.click("#submit").await;
    tab.wait("document.querySelector('#state').textContent.startsWith('Submitted.')").await;
    assert_eq!(place.app.count("petition where state = 'seeking' and author_key is not null").await, 1);
    tab.open("/petitions/wallet").await;
    place.ready(&tab).await;
    assert_eq!(tab.text("#started-list").await, "Fewer “alerts” at night");
    let wrong = faults(&mut tab, "wallet-started").await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    tab.fill("#news", "Two colleagues asked about the weekend: it is meant, too.").await;
    tab.click("#post").await;
    tab.wait("document.querySelector('#state').textContent.startsWith('Your news')").await;
    tab.click("#give-up").await;
    tab.click("#give-up-yes").await;
    tab.wait("document.querySelector('#state').textContent === 'The petition is given up.'").await;
    assert_eq!(place.app.count("petition where state = 'given_up'").await, 1);
    tab.close().await;
}
