//! A wallet in the browser, from its making to its burning.

use daylight::credentials::seed::Seed;
use daylight::ledger::proof::petition::Disclosure;
use daylight::web::Role;
use serde_json::{Value, json};

use crate::representative::CODE;
use crate::support::council::{Colleague, Council};
use crate::support::petition;
use crate::tab::Tab;
use crate::workplace::{Workplace, session};

/// What the browser keeps of its one wallet.
async fn kept(tab: &Tab) -> Value {
    let script = "new Promise((resolve, reject) => {
        const opening = indexedDB.open('daylight-wallet');
        opening.onerror = reject;
        opening.onsuccess = () => {
          const asked = opening.result.transaction('wallets').objectStore('wallets').getAll();
          asked.onsuccess = () => { opening.result.close(); resolve(asked.result[0] ?? null); };
        };
      })";
    tab.eval(script).await
}

#[tokio::test]
async fn a_wallet_is_made_enrolled_filled_and_burnt() {
    let place = Workplace::start(2).await;
    let person = place.newcomer("nadia@example.com").await;
    let mut tab = place.tab_of(person).await;
    tab.open("/petitions/wallet").await;
    tab.wait("!document.querySelector('#begin').hidden").await;
    tab.click("#make").await;
    tab.wait("!document.querySelector('#enrolment').hidden").await;
    tab.wait("document.querySelector('#state').textContent.includes('type the code')").await;

    // A wrong code is said, and stays to be corrected.
    tab.fill("#code", "WRONG").await;
    tab.click("#enrol .button").await;
    tab.wait("!document.querySelector('#trouble').hidden").await;
    assert_eq!(tab.text("#trouble").await, "This code is not known, or was used.");
    let _: bool = tab.eval("(document.querySelector('#code').value = '', true)").await;
    tab.fill("#code", CODE).await;
    tab.click("#enrol .button").await;
    tab.wait("document.querySelector('#is').textContent === 'Waiting for the roll'").await;

    place.put_on_roll(person).await;
    // Any page does; nobody has to come back to this one.
    tab.open("/about").await;
    let packs =
        "new Promise((resolve) => { const o = indexedDB.open('daylight-wallet'); o.onsuccess = () => {
        const a = o.result.transaction('wallets').objectStore('wallets').getAll();
        a.onsuccess = () => { o.result.close(); resolve(Object.keys(a.result[0].packs).length); }; }; })";
    tab.wait(&format!("(async () => (window.packs = await {packs}))() && window.packs === 1")).await;
    tab.open("/petitions/wallet").await;
    place.ready(&tab).await;
    assert_eq!(place.representative.shared().packs, 1);
    assert_eq!(place.representative.shared().cookies, 0, "nobody is told who asks");

    // It signs, and asks nobody for its key: it knows that this is the first time.
    let petition = place.open(2, "A bench").await;
    tab.open(&format!("/petitions/{}/sign", petition.id)).await;
    tab.wait("document.querySelector('#how')?.disabled === false").await;
    tab.click("label[for='mode-named']").await;
    tab.click("#submit").await;
    tab.wait("!document.querySelector('#signed').hidden").await;
    let asked: Vec<String> = tab.eval("performance.getEntriesByType('resource').map((e) => e.name)").await;
    assert!(!asked.iter().any(|a| a.contains("/keys/")), "{asked:?}");
    assert!(
        asked.iter().any(|a| a.ends_with("/actions") && a.starts_with(&place.representative.url)),
        "{asked:?}"
    );
    tab.open("/petitions/wallet").await;
    place.ready(&tab).await;

    // On paper: the seed that the browser holds.
    tab.click("#show-code").await;
    tab.wait("document.querySelector('#recovery-code').textContent.length === 69").await;
    let seed = Seed::from_code(&tab.text("#recovery-code").await).expect("a code");
    let wallet = kept(&tab).await;
    let bytes: Vec<u8> =
        (0..32).map(|i| wallet["seed"][i.to_string()].as_u64().expect("a byte") as u8).collect();
    assert_eq!(seed.0.to_vec(), bytes);
    tab.media("print", false).await;
    let printed: Vec<String> = tab
        .eval("[...document.querySelectorAll('body *')].filter((e) => e.checkVisibility() && !e.children.length)
               .map((e) => e.textContent).filter((t) => t.trim())")
        .await;
    assert!(printed.iter().any(|t| t.contains('-') && t.len() == 69), "{printed:?}");
    assert!(!printed.iter().any(|t| t.contains("Burn") || t.contains("About me")), "{printed:?}");
    tab.media("", false).await;

    let _ = tab.complaints().await;
    tab.click("#burn").await;
    tab.wait("document.querySelector('#burn-dialog').open").await;
    tab.click("#burn-no").await;
    assert!(!kept(&tab).await.is_null(), "asked first");
    tab.click("#burn").await;
    tab.click("#burn-yes").await;
    tab.wait("document.querySelector('#state').textContent.startsWith('The wallet is burnt')").await;
    assert!(kept(&tab).await.is_null());
    assert_eq!(tab.complaints().await, Vec::<String>::new());
    tab.close().await;
}

#[tokio::test]
async fn the_same_pack_comes_back_from_paper() {
    let place = Workplace::start(2).await;
    let colleague = &place.epoch.colleagues[1];
    let tab = place.tab_of(colleague.person).await;
    tab.open("/petitions/wallet").await;
    tab.wait("!document.querySelector('#begin').hidden").await;
    assert!(tab.text("#begin").await.contains("known here already"));
    // Somebody else's code, and no code.
    let other = place.epoch.colleagues[0].holder.seed.to_code();
    for (code, words) in [(other.as_str(), "of another wallet"), ("ABCD", "isn’t a recovery code")] {
        let _: bool = tab.eval("(document.querySelector('#recovery').value = '', true)").await;
        tab.fill("#recovery", code).await;
        tab.click("#recover .button").await;
        tab.wait(&format!("document.querySelector('#trouble').textContent.includes({words:?})")).await;
        assert!(kept(&tab).await.is_null());
    }
    tab.close().await;
    let tab = place.recovered(colleague).await;
    let wallet = kept(&tab).await;
    let pack = serde_json::to_value(&colleague.pack).expect("JSON");
    assert_eq!(wallet["packs"]["2026-Q4"], pack, "byte for byte");
    tab.close().await;
}

#[tokio::test]
async fn nothing_is_blinded_for_keys_that_others_may_not_see() {
    let place = Workplace::start(2).await;
    let colleague = &place.epoch.colleagues[1];
    place.representative.shared().lies = true;
    let tab = place.tab_of(colleague.person).await;
    tab.open("/petitions/wallet").await;
    tab.wait("!document.querySelector('#begin').hidden").await;
    tab.fill("#recovery", &colleague.holder.seed.to_code()).await;
    tab.click("#recover .button").await;
    tab.wait("document.querySelector('#is').textContent === 'A problem'").await;
    assert!(tab.text("#state").await.contains("show different keys"), "{}", tab.text("#state").await);
    assert_eq!(place.representative.shared().packs, 0);
    place.representative.shared().lies = false;

    // Another key of the representative, of the log, and a leaf that isn't in the log.
    for (change, words) in [
        (
            "it.representative.key = 'AAAA' + it.representative.key.slice(4)",
            "another key than at your enrolment",
        ),
        ("it.logKeys = it.logKeys.map((key) => 'AQID' + key.slice(4))", "signed by another key"),
        ("it.origin = 'elsewhere.example/log'", "another log"),
    ] {
        let script = format!(
            "new Promise((resolve) => {{ const o = indexedDB.open('daylight-wallet'); o.onsuccess = () => {{
              const store = o.result.transaction('wallets', 'readwrite').objectStore('wallets');
              store.getAll().onsuccess = (event) => {{ const it = event.target.result[0];
                window.before ??= structuredClone(it); {change};
                store.put(it).onsuccess = () => {{ o.result.close(); resolve(true); }}; }}; }}; }})"
        );
        let _: bool = tab.eval(&script).await;
        tab.click("#again").await;
        tab.wait(&format!("document.querySelector('#state').textContent.includes({words:?})")).await;
        tab.wait("!document.querySelector('#again').disabled").await;
        let back = script.replace(change, "Object.assign(it, window.before)");
        let _: bool = tab.eval(&back).await;
    }
    assert_eq!(place.representative.shared().packs, 0);
    tab.click("#again").await;
    place.ready(&tab).await;
    assert_eq!(place.representative.shared().packs, 1);
    tab.close().await;
}

#[tokio::test]
async fn another_server_of_the_representatives_is_accepted_by_its_holder_alone() {
    let place = Workplace::start(2).await;
    let mut tab = place.recovered(&place.epoch.colleagues[1]).await;
    let right = kept(&tab).await["representative"]["key"].as_str().expect("a key").to_owned();
    // As if it had had another key, and this quarter's credentials weren't here.
    let script = "new Promise((resolve) => { const o = indexedDB.open('daylight-wallet'); o.onsuccess = () => {
          const store = o.result.transaction('wallets', 'readwrite').objectStore('wallets');
          store.getAll().onsuccess = (event) => { const it = event.target.result[0];
            Object.assign(it, { packs: {}, representative: { ...it.representative, key: 'AAAA' + it.representative.key.slice(4) } });
            store.put(it).onsuccess = () => { o.result.close(); resolve(true); }; }; }; })";
    let _: bool = tab.eval(script).await;
    let packs = place.representative.shared().packs;
    let enrolled = place.representative.shared().enrolled.len();
    tab.click("#again").await;
    tab.wait("!document.querySelector('#other-key').hidden && !document.querySelector('#again').disabled")
        .await;
    assert!(tab.text("#state").await.contains("another key than at your enrolment"));
    assert!(tab.eval::<bool>("document.querySelector('#enrolment').hidden").await);
    let fingerprint: String = tab.eval(&format!("WalletKeys.fingerprint({right:?})")).await;
    assert!(tab.text("#key-now").await.ends_with(&fingerprint));
    assert!(!tab.text("#key-before").await.ends_with(&fingerprint));
    let wrong = crate::petitions::faults(&mut tab, "wallet-other-key").await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Nobody has compared.
    tab.click("#replace .button").await;
    tab.wait("document.querySelector('#trouble').textContent.startsWith('Compare the new key')").await;
    assert!(tab.eval::<bool>("document.querySelector('#enrolment').hidden").await);
    assert_ne!(kept(&tab).await["representative"]["key"], right.as_str());
    tab.click("label[for='compared']").await;
    tab.click("#replace .button").await;
    tab.wait("!document.querySelector('#enrolment').hidden").await;
    assert_ne!(kept(&tab).await["representative"]["key"], right.as_str(), "not without a code");
    tab.fill("#code", CODE).await;
    tab.click("#enrol .button").await;
    place.ready(&tab).await;
    assert_eq!(kept(&tab).await["representative"]["key"], right.as_str());
    assert_eq!(place.representative.shared().packs, packs + 1);
    assert_eq!(place.representative.shared().enrolled.len(), enrolled + 1);
    assert!(tab.eval::<bool>("document.querySelector('#other-key').hidden").await);
    tab.close().await;
}

#[tokio::test]
async fn with_the_representatives_own_server() {
    let mut council = Council::new(4).await;
    let person = council.app.person("nadia@example.com", &[Role::Worker]).await;
    let tab = Tab::new(&council.dashboard, Some(("daylight", &session(&council.app, person).await))).await;
    tab.open("/petitions/wallet").await;
    tab.wait("!document.querySelector('#begin').hidden").await;
    tab.click("#make").await;
    tab.wait("document.querySelector('#is').textContent === 'Waiting for the first quarter'").await;

    council.connect().await;
    council.round().await;
    let codes = council.codes().await;
    let code_of = |name: &str| codes.iter().find(|(n, _)| n == name).expect("a code").1.clone();
    for n in 0..4 {
        let code = code_of(&council.colleagues[n].name);
        council.enrol(n, &code).await.assert_status(200);
    }
    tab.open("/petitions/wallet").await;
    tab.wait("!document.querySelector('#enrolment').hidden && !document.querySelector('#again').disabled")
        .await;
    tab.fill("#code", &code_of("Nadia").to_lowercase()).await;
    tab.click("#enrol .button").await;
    tab.wait("document.querySelector('#enrolment').hidden").await;
    council.round().await;
    council.countersign().await.assert_status(303);
    council.round().await;
    tab.open("/petitions/wallet").await;
    tab.wait("document.querySelector('#is').textContent === 'Ready'").await;

    let author = council.app.actor(Role::Worker).await.id();
    let it = petition::open(&council.app, author, 1, "Longer breaks").await;
    council.round().await;
    tab.open(&format!("/petitions/{}/sign", it.id)).await;
    tab.wait("document.querySelector('#how')?.disabled === false").await;
    tab.click("label[for='mode-named']").await;
    tab.click("#submit").await;
    tab.wait("!document.querySelector('#signed').hidden").await;
    assert!(!tab.text("#signed").await.contains("didn’t answer"));
    for n in 0..4 {
        council.fetch_pack(n).await;
        let Colleague { holder, pack, worker_ref, .. } = &council.colleagues[n];
        let signed =
            holder.sign(pack, (it.leaf_hash, 1), 1, Disclosure::Nobody, *worker_ref).expect("signed");
        council.post_json("/actions", &json!(signed)).await.assert_status(202);
    }
    council.round().await;
    let named = format!("petition_waiting where mode = 'named' and signer_id = '{person}'");
    assert_eq!(council.app.count("petition_waiting").await, 5, "the browser's went with the others");
    assert_eq!(council.app.count(named.leak()).await, 1);
    tab.close().await;
}
