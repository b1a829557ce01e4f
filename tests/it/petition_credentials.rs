//! Credentials as both issuers give them out, used as a petition's signature.

use daylight::credentials::action::{self, Known, Refused, Slot};
use daylight::credentials::wire::ActionRequest;
use daylight::ledger::proof::petition::Disclosure;

use crate::support::TestApp;
use crate::support::petition;

#[tokio::test]
async fn a_credential_signs_its_own_petition_and_no_other() {
    let app = TestApp::new().await;
    let epoch = petition::begin(&app, 2).await;
    let author = epoch.colleagues[0].person;
    let one = petition::open(&app, author, 1, "More daylight").await;
    let origin = &app.state.config.log_origin;
    let slot = |n| Slot::of(origin, &epoch.leaf, n, one.leaf_hash).expect("a slot");
    let nobody = |_| None;
    let them = &epoch.colleagues[1];
    let sign = |slot, disclosure| {
        them.holder.sign(&them.pack, (one.leaf_hash, slot), 1, disclosure, them.worker_ref).expect("signed")
    };
    assert!(action::check(origin, &slot(1), &sign(1, Disclosure::Nobody), nobody).is_ok());
    // A token of another slot.
    let other = action::check(origin, &slot(1), &sign(2, Disclosure::Nobody), nobody);
    assert_eq!(other.err(), Some(Refused::Credential));
    // One issuer's token alone.
    let mut alone = sign(1, Disclosure::Nobody);
    if let ActionRequest::Sign { credential, .. } = &mut alone {
        credential.representative = credential.operator.clone();
    }
    assert_eq!(action::check(origin, &slot(1), &alone, nobody).err(), Some(Refused::Credential));
    // A name that somebody else put there.
    let named = sign(1, Disclosure::Everyone);
    let known = |person: &petition::Colleague| {
        let (worker_ref, id_key) = (person.worker_ref, person.holder.identity());
        move |_| Some(Known { worker_ref, id_key })
    };
    assert!(action::check(origin, &slot(1), &named, known(them)).is_ok());
    let other = action::check(origin, &slot(1), &named, known(&epoch.colleagues[0]));
    assert_eq!(other.err(), Some(Refused::Signature), "the name is part of what is signed");
    let withdrawn = them.holder.withdraw(&them.pack, (one.leaf_hash, 1), 2);
    assert!(action::check(origin, &slot(1), &withdrawn, nobody).is_ok());
}
