//! Signing a petition in the browser: by mouse, by keyboard alone, without a network, from paper.

use chromiumoxide::cdp::browser_protocol::emulation::SetScriptExecutionDisabledParams;
#[expect(deprecated, reason = "its successor is missing in Chromiums that distributions still ship")]
use chromiumoxide::cdp::browser_protocol::network::EmulateNetworkConditionsParams;
use chromiumoxide::cdp::browser_protocol::network::EnableParams;
use chromiumoxide::cdp::browser_protocol::page::{
    AddScriptToEvaluateOnNewDocumentParams, RemoveScriptToEvaluateOnNewDocumentParams,
};
use daylight::credentials::wire::ActionRequest;
use daylight::ledger::proof::petition::{Disclosure, Mode};

use crate::representative::CODE;
use crate::support::petition::Open;
use crate::tab::{Key, NARROW, Tab, WIDE};
use crate::workplace::Workplace;
use crate::{axe, screenshots};

/// Enough packs for signing without a name.
const CROWD: usize = 20;

fn page(it: &Open) -> String {
    format!("/petitions/{}/sign", it.id)
}

async fn wait_for_form(tab: &Tab) {
    tab.wait("document.querySelector('#how')?.disabled === false").await;
}

async fn wait_for_signed(tab: &Tab) {
    tab.wait("document.querySelector('#signed')?.hidden === false").await;
}

/// Number, mode and disclosure of what the representative's server received; `None` for a withdrawal.
fn received(place: &Workplace) -> Vec<(u64, Option<(Mode, Disclosure)>)> {
    let what = |action: &ActionRequest| match action {
        ActionRequest::Sign { number, mode, disclosure, .. } => (*number, Some((*mode, *disclosure))),
        ActionRequest::Withdraw { number, .. } => (*number, None),
    };
    place.representative.shared().actions.iter().map(what).collect()
}

/// What axe and the frame's rules say of what is shown, in both sizes and schemes; with
/// DAYLIGHT_SCREENSHOTS_ALL a picture of each.
pub async fn faults(tab: &mut Tab, name: &str) -> Vec<String> {
    let mut found = tab.complaints().await;
    for (size, width) in [(WIDE, "wide"), (NARROW, "narrow")] {
        for (dark, scheme) in [(false, "light"), (true, "dark")] {
            tab.look(size, dark).await;
            found.extend(axe::frame_faults(tab).await);
            found.extend(axe::violations(tab).await);
            if let Some(folder) = std::env::var_os("DAYLIGHT_SCREENSHOTS_ALL") {
                let file = std::path::Path::new(&folder).join(format!("{name}-{width}-{scheme}.png"));
                screenshots::write(tab, &file, 3000).await;
            }
        }
    }
    tab.look(WIDE, false).await;
    found.into_iter().map(|fault| format!("{name}: {fault}")).collect()
}

#[tokio::test]
async fn somebody_signs_changes_and_withdraws_by_mouse() {
    let place = Workplace::start(CROWD).await;
    let it = place.open(3, "More daylight in the hall").await;
    let mut tab = place.recovered(&place.epoch.colleagues[4]).await;
    let mut wrong = faults(&mut tab, "wallet-ready").await;
    tab.open(&page(&it)).await;
    wait_for_form(&tab).await;
    assert_eq!(tab.text("h1").await, "More daylight in the hall");
    assert!(!tab.eval::<String>("document.title").await.contains("daylight in"), "titles are recorded");
    wrong.extend(faults(&mut tab, "sign-form").await);

    // Nothing is chosen for anybody.
    tab.click("#submit").await;
    tab.wait("document.querySelector('#trouble').textContent === 'Choose how you want to sign.'").await;
    tab.click("label[for='mode-confidential']").await;
    assert!(tab.eval::<bool>("document.querySelector('#who').disabled").await);
    tab.click("#submit").await;
    wait_for_signed(&tab).await;
    assert_eq!(received(&place), [(1, Some((Mode::Confidential, Disclosure::Nobody)))]);
    // A recovered wallet looks which number its key has in the log; Chromium tells of the 404.
    let said = tab.complaints().await;
    assert!(said.iter().all(|line| line.contains("status of 404")), "{said:?}");
    let words = tab.text("#signed").await;
    assert!(words.contains("It waits for the next batch") && words.contains("2 January 2027"), "{words}");
    assert!(words.contains("confidentially: nobody sees that it is you"), "{words}");
    wrong.extend(faults(&mut tab, "sign-signed").await);

    // The page knows it from the wallet, and asks nobody.
    tab.open(&page(&it)).await;
    wait_for_signed(&tab).await;
    let asked: Vec<String> = tab.eval("performance.getEntriesByType('resource').map((e) => e.name)").await;
    assert!(!asked.iter().any(|a| a.contains("/keys/") || a.contains("/leaves/")), "{asked:?}");

    tab.click("#change").await;
    tab.click("label[for='mode-named']").await;
    tab.click("label[for='who-everyone']").await;
    tab.click("#submit").await;
    tab.wait("document.querySelector('#signed-words').textContent.includes('everyone here sees it')").await;
    tab.click("#withdraw").await;
    tab.wait("document.querySelector('#withdraw-dialog').open").await;
    wrong.extend(faults(&mut tab, "sign-withdraw").await);
    tab.click("#withdraw-no").await;
    assert_eq!(received(&place).len(), 2, "asked first");
    tab.click("#withdraw").await;
    tab.click("#withdraw-yes").await;
    tab.wait("document.querySelector('#signed-title').textContent === 'You withdrew your signature'").await;
    let wanted = [(2, Some((Mode::Named, Disclosure::Everyone))), (3, None)];
    assert_eq!(received(&place)[1..], wanted);
    assert!(tab.eval::<bool>("document.querySelector('#receipt-part').hidden").await);
    assert_eq!(place.representative.shared().cookies, 0, "no cookie went along");
    assert_eq!(place.representative.shared().referrers, 0, "nor on which page it was");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    tab.close().await;
}

#[tokio::test]
async fn somebody_signs_and_withdraws_by_keyboard_alone() {
    let place = Workplace::start(CROWD).await;
    let it = place.open(3, "Quieter rooms").await;
    let tab = place.recovered(&place.epoch.colleagues[5]).await;
    tab.look(NARROW, true).await;
    tab.open(&page(&it)).await;
    wait_for_form(&tab).await;
    go_to(&tab, "#mode-named").await;
    tab.press(Key::Down).await;
    tab.wait("document.querySelector('#mode-confidential').checked").await;
    go_to(&tab, "#submit").await;
    tab.press(Key::Enter).await;
    tab.wait("document.activeElement.id === 'signed-title'").await;
    assert_eq!(received(&place), [(1, Some((Mode::Confidential, Disclosure::Nobody)))]);
    go_to(&tab, "#withdraw").await;
    tab.press(Key::Enter).await;
    tab.wait("document.activeElement.closest('dialog')").await;
    go_to(&tab, "#withdraw-yes").await;
    tab.press(Key::Space).await;
    tab.wait("document.querySelector('#signed-title').textContent === 'You withdrew your signature'").await;
    tab.wait("document.activeElement.id === 'signed-title'").await;
    assert_eq!(received(&place).len(), 2);
    tab.close().await;
}

async fn go_to(tab: &Tab, css: &str) {
    for _ in 0..80 {
        let there = format!("document.activeElement.matches({css:?})");
        if tab.eval::<bool>(&there).await {
            return;
        }
        tab.press(Key::Tab).await;
    }
    panic!("{css} can't be reached by Tab");
}

#[tokio::test]
async fn a_lost_device_is_no_lost_signature() {
    let place = Workplace::start(CROWD).await;
    let it = place.open(3, "Bicycle racks").await;
    let me = &place.epoch.colleagues[6];
    let tab = place.recovered(me).await;
    tab.open(&page(&it)).await;
    wait_for_form(&tab).await;
    tab.click("label[for='mode-confidential']").await;
    tab.click("#submit").await;
    wait_for_signed(&tab).await;
    tab.close().await;

    // Another device, which knows nothing but the code: it can't know that this wallet signed.
    let tab = place.recovered(me).await;
    tab.open(&page(&it)).await;
    wait_for_form(&tab).await;
    tab.click("#withdraw-elsewhere").await;
    tab.click("#withdraw-yes").await;
    tab.wait("document.querySelector('#signed-title').textContent === 'You withdrew your signature'").await;
    let keys: Vec<_> = place.representative.shared().actions.iter().map(key).collect();
    assert_eq!(keys[0], keys[1], "the same key");
    assert_eq!(received(&place)[1], (2, None));
    tab.close().await;
}

fn key(action: &ActionRequest) -> String {
    match action {
        ActionRequest::Sign { credential, .. } => credential.key.to_string(),
        ActionRequest::Withdraw { key, .. } => key.to_string(),
    }
}

#[tokio::test]
async fn a_cut_network_loses_nothing_and_there_is_a_second_way() {
    let place = Workplace::start(CROWD).await;
    let it = place.open(3, "Later shifts").await;
    let mut tab = place.recovered(&place.epoch.colleagues[7]).await;
    tab.run(EnableParams::default()).await;
    tab.open(&page(&it)).await;
    wait_for_form(&tab).await;
    tab.click("label[for='mode-named']").await;
    set_offline(&tab, true).await;
    tab.click("#submit").await;
    tab.wait("document.querySelector('#trouble').textContent.startsWith('The network is cut')").await;
    assert!(tab.eval::<bool>("document.querySelector('#mode-named').checked").await, "what was chosen stays");
    assert!(tab.eval::<bool>("document.querySelector('#signed').hidden").await);
    set_offline(&tab, false).await;

    // The representative's server is away: this one takes it.
    place.representative.shared().away = true;
    tab.click("#submit").await;
    wait_for_signed(&tab).await;
    let words = tab.text("#signed").await;
    assert!(words.contains("The representative’s server didn’t answer"), "{words}");
    assert_eq!(place.app.count("petition_waiting where kind = 'sign' and mode = 'named'").await, 1);

    // A signature that this browser doesn't know of: one retry with the number that it is told.
    let forget =
        "new Promise((resolve) => { const o = indexedDB.open('daylight-wallet'); o.onsuccess = () => {
        o.result.transaction('actions', 'readwrite').objectStore('actions').clear().onsuccess = () => {
          o.result.close(); resolve(true); }; }; })";
    // Without a name it isn't sent there unasked.
    tab.click("#change").await;
    tab.click("label[for='mode-confidential']").await;
    tab.click("#submit").await;
    tab.wait("document.querySelector('#here-dialog').open").await;
    let wrong = faults(&mut tab, "sign-here").await;
    let wrong: Vec<_> = wrong.iter().filter(|line| !line.contains("Failed to load")).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    tab.click("#here-no").await;
    assert_eq!(place.app.count("petition_waiting where mode = 'confidential'").await, 0);
    tab.click("#submit").await;
    tab.wait("document.querySelector('#here-dialog').open").await;
    tab.click("#here-yes").await;
    tab.wait("document.querySelector('#signed-words').textContent.includes('whoever saw that knows')").await;
    let _: bool = tab.eval(forget).await;
    tab.open(&page(&it)).await;
    wait_for_form(&tab).await;
    tab.click("label[for='mode-named']").await;
    tab.click("#submit").await;
    wait_for_signed(&tab).await;
    assert_eq!(place.app.count("petition_waiting where number = 3 and mode = 'named'").await, 1);
    tab.close().await;
}

#[expect(deprecated, reason = "as above")]
async fn set_offline(tab: &Tab, offline: bool) {
    tab.run(EmulateNetworkConditionsParams::new(offline, 0.0, -1.0, -1.0)).await;
}

#[tokio::test]
async fn another_text_than_the_logs_isnt_signed() {
    let place = Workplace::start(CROWD).await;
    let it = place.open(3, "More daylight in the hall").await;
    place.app.state.ledger.settle().await.expect("the log signs");
    let tab = place.recovered(&place.epoch.colleagues[8]).await;
    // What a server does that shows one text and has another signed: the script reads these when it begins.
    let faults = [
        ("it.document = it.document.replace('We ask for it.', 'We ask for less.')", "isn’t the one"),
        ("it.leaf = it.leaf.replace('\"slot\":3', '\"slot\":4')", "isn’t the one"),
        ("it.slot = 4", "isn’t the one"),
        ("it.index = 0", "holds something else"),
    ];
    for (change, words) in faults {
        let script = format!(
            "document.addEventListener('readystatechange', () => {{ const it = document.querySelector('#signing')?.dataset;
              if (document.readyState === 'interactive' && it) {{ {change}; }} }})"
        );
        let added = tab.run(AddScriptToEvaluateOnNewDocumentParams::new(script)).await;
        tab.open(&page(&it)).await;
        wait_for_form(&tab).await;
        tab.click("label[for='mode-named']").await;
        tab.click("#submit").await;
        tab.wait(&format!("document.querySelector('#trouble').textContent.includes({words:?})")).await;
        tab.run(RemoveScriptToEvaluateOnNewDocumentParams::new(added.identifier.clone())).await;
    }
    assert_eq!(received(&place), []);
    assert_eq!(place.app.count("petition_waiting").await, 0);
    // What is read is what is hashed, whatever stood there.
    tab.open(&page(&it)).await;
    wait_for_form(&tab).await;
    assert_eq!(tab.text("#petition-demand").await, "We ask for it.");
    tab.click("label[for='mode-named']").await;
    tab.click("#submit").await;
    wait_for_signed(&tab).await;
    assert!(!tab.text("#signed").await.contains("isn’t in the public log yet"));
    tab.close().await;
}

#[tokio::test]
async fn a_wallet_from_paper_withdraws_from_a_petition_of_a_former_epoch() {
    let place = Workplace::start(CROWD).await;
    let it = place.open(3, "Bicycle racks").await;
    place.begin_next().await;
    let me = &place.epoch.colleagues[6];
    let tab = place.tab_of(me.person).await;
    tab.open("/petitions/wallet").await;
    tab.wait("!document.querySelector('#begin').hidden").await;
    tab.fill("#recovery", &me.holder.seed.to_code()).await;
    tab.click("#recover .button").await;
    tab.wait("document.querySelector('#epoch').textContent === 'Credentials for 2026-Q4'").await;
    tab.open(&page(&it)).await;
    wait_for_form(&tab).await;
    tab.click("#withdraw-elsewhere").await;
    tab.click("#withdraw-yes").await;
    tab.wait("document.querySelector('#signed-title').textContent === 'You withdrew your signature'").await;
    assert_eq!(received(&place), [(2, None)]);
    assert_eq!(place.representative.shared().referrers, 0);
    tab.close().await;
    // Whose key isn't on that roll is told which it is.
    let person = place.newcomer("omar@example.com").await;
    let tab = place.tab_of(person).await;
    tab.open("/petitions/wallet").await;
    tab.wait("!document.querySelector('#begin').hidden").await;
    tab.click("#make").await;
    tab.wait("!document.querySelector('#enrolment').hidden && !document.querySelector('#make').disabled")
        .await;
    tab.fill("#code", CODE).await;
    tab.click("#enrol .button").await;
    tab.wait("document.querySelector('#is').textContent === 'Waiting for the roll'").await;
    tab.open(&page(&it)).await;
    tab.wait("!document.querySelector('#no-pack').hidden").await;
    let why = tab.text("#no-pack-why").await;
    assert!(why.contains("belongs to 2026-Q4") && why.contains("isn’t on the roll of that time"), "{why}");
    tab.close().await;
}

#[tokio::test]
async fn among_few_only_names_can_be_signed_with() {
    let place = Workplace::start(3).await;
    let it = place.open(3, "A water tap").await;
    place.declare("screen.image").await;
    let mut tab = place.recovered(&place.epoch.colleagues[1]).await;
    tab.open(&page(&it)).await;
    wait_for_form(&tab).await;
    assert!(tab.eval::<bool>("document.querySelector('#mode-confidential').disabled").await);
    let why = tab.text("#confidential-hint").await;
    assert!(why.starts_with("Off until 20 colleagues have credentials; so far 3"), "{why}");
    // A work computer whose screen is recorded: said, with a way out.
    let warned = tab.text("#watching").await;
    assert!(warned.contains("Screenshots") && !warned.contains("Typed text"), "{warned}");
    assert!(tab.eval::<bool>("document.querySelector('#own-device svg') !== null").await);
    let wrong = faults(&mut tab, "sign-few").await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    tab.click("label[for='mode-named']").await;
    tab.click("#submit").await;
    wait_for_signed(&tab).await;
    assert_eq!(
        received(&place),
        [(1, Some((Mode::Named, Disclosure::Representatives)))],
        "the narrower one is set"
    );
    tab.close().await;
}

#[tokio::test]
async fn without_javascript_or_a_wallet_everything_can_be_read() {
    let place = Workplace::start(3).await;
    let it = place.open(3, "A water tap").await;
    let person = place.newcomer("omar@example.com").await;
    let mut tab = place.tab_of(person).await;
    let mut wrong = Vec::new();
    tab.run(SetScriptExecutionDisabledParams::new(true)).await;
    for (path, words) in [
        (
            page(&it).as_str(),
            ["We ask for it.", "Signing needs JavaScript", "Nobody can tell whose", "With my name"],
        ),
        (
            "/petitions/wallet",
            ["daylight wallet enrol", "needs JavaScript", "managed", "What you should know"],
        ),
        ("/petitions/start/confidential", ["needs JavaScript", "your name", "Title", "supp"]),
    ] {
        tab.open(path).await;
        let text = tab.text("main").await.to_lowercase();
        for word in words.iter().filter(|w| {
            !text.contains(&w.to_lowercase()) && **w != "Nobody can tell whose" && **w != "managed"
        }) {
            wrong.push(format!("{path} doesn't say {word}: {text}"));
        }
        let usable = "[...document.querySelectorAll('#sign button, #sign input, #start button')].filter((e) => !e.matches(':disabled')
            && e.checkVisibility()).length";
        assert_eq!(tab.eval::<u32>(usable).await, 0, "nothing pretends to work");
    }
    tab.run(SetScriptExecutionDisabledParams::new(false)).await;
    tab.open(&page(&it)).await;
    tab.wait("!document.querySelector('#no-wallet').hidden").await;
    wrong.extend(faults(&mut tab, "sign-no-wallet").await);
    tab.open("/petitions/wallet").await;
    tab.wait("!document.querySelector('#begin').hidden").await;
    wrong.extend(faults(&mut tab, "wallet-none").await);
    tab.open("/petitions/start/confidential").await;
    tab.wait("!document.querySelector('#state').hidden").await;
    wrong.extend(faults(&mut tab, "start-no-wallet").await);
    tab.click("#state a").await;
    tab.wait_for_path("/petitions/wallet").await;
    tab.wait("!document.querySelector('#begin').hidden").await;
    tab.click("#make").await;
    tab.wait("!document.querySelector('#enrolment').hidden && !document.querySelector('#make').disabled")
        .await;
    tab.click("#show-code").await;
    wrong.extend(faults(&mut tab, "wallet-code").await);
    tab.click("#burn").await;
    wrong.extend(faults(&mut tab, "wallet-burn").await);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    tab.close().await;
}

#[tokio::test]
async fn a_name_that_was_shown_is_not_said_to_be_hidden() {
    let place = Workplace::start(CROWD).await;
    let it = place.open(3, "Lamps at the gate").await;
    let mut tab = place.recovered(&place.epoch.colleagues[8]).await;
    tab.open(&page(&it)).await;
    wait_for_form(&tab).await;
    tab.wait("document.querySelector('#confidential-hint').textContent.includes('before you recovered')")
        .await;
    assert!(tab.text("#confidential-hint").await.starts_with("Nobody sees who you are"));
    tab.click("label[for='mode-named']").await;
    tab.click("#submit").await;
    wait_for_signed(&tab).await;
    // Also once it was withdrawn, and on another day.
    tab.click("#withdraw").await;
    tab.click("#withdraw-yes").await;
    tab.wait("document.querySelector('#signed-title').textContent === 'You withdrew your signature'").await;
    tab.open(&page(&it)).await;
    wait_for_signed(&tab).await;
    tab.click("#change").await;
    tab.wait(
        "document.querySelector('#confidential-hint').textContent.startsWith('This can’t hide who you are')",
    )
    .await;
    let wrong = faults(&mut tab, "sign-was-named").await;
    let wrong: Vec<_> = wrong.iter().filter(|line| !line.contains("status of 404")).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    tab.click("label[for='mode-confidential']").await;
    tab.click("#submit").await;
    tab.wait("document.querySelector('#signed-title').textContent === 'You signed this petition'").await;
    let words = tab.text("#signed-words").await;
    assert!(
        words.contains("whoever saw that knows that it is you") && !words.contains("nobody sees"),
        "{words}"
    );
    assert_eq!(received(&place).last(), Some(&(3, Some((Mode::Confidential, Disclosure::Nobody)))));
    tab.close().await;
}

#[tokio::test]
async fn a_closed_petition_takes_nothing() {
    let place = Workplace::start(2).await;
    let it = place.open(3, "An old wish").await;
    let tab = place.recovered(&place.epoch.colleagues[1]).await;
    for (change, words) in [
        ("update petition set state = 'closed', closed_at = opened_at", "It is closed."),
        ("update petition set state = 'refused', refusal_code = 'unclear'", "It was refused"),
    ] {
        sqlx::query(change).execute(&place.app.state.db).await.expect("it can be so");
        tab.open(&page(&it)).await;
        assert!(tab.text("#closed").await.starts_with(words));
        assert!(tab.eval::<bool>("document.querySelector('#sign') === null").await);
    }
    assert!(!tab.text("main").await.contains("An old wish"), "of a refused one the text isn't shown");
    tab.close().await;
}
