//! From the publisher's first draft to a worker's acknowledgement of the second, material version.

use daylight::clock::Time;
use daylight::identity::{self, NewPerson};
use daylight::ledger::proof::policy::Policy;
use daylight::ledger::proof::tlog_proof::TlogProof;
use daylight::ledger::proof::verify::verify_proof;
use daylight::register::{self, Category, ProcessingContent, Purpose};
use daylight::web::{Role, Viewer};
use jiff::tz::TimeZone;

use crate::site::Site;
use crate::tab::Tab;

const PUBLISHER: &str = "hr@example.com";
const WORKER: &str = "worker@example.com";

const TEXT: &str = "## Who is responsible\n\nExample Works, 1 Harbour Street.\n\n\
    ## Data protection officer\n\nDana Officer, privacy@example.com.\n\n\
    ## How long\n\nWe keep it for thirty days and then delete it.\n\n\
    ## Your rights\n\nYou can ask for a copy of what is held about you.\n\n\
    ## Complaints\n\nYou can complain to the supervisory authority.\n\n\
    ## Automated decisions\n\nNothing is decided by a machine alone.\n";

/// Two people, and a declaration that a notice can cover.
async fn prepare(site: &Site) -> (Viewer, uuid::Uuid, ProcessingContent) {
    let state = &site.state;
    let mut db = state.db.acquire().await.expect("a connection");
    let person = |email, name, roles| NewPerson { email, name, roles, ..NewPerson::default() };
    let hr = person(PUBLISHER, "Hanna", &[Role::Publisher]);
    let person_id = identity::add_person(&mut db, state, &hr).await.expect("an account");
    let worker = person(WORKER, "Willem", &[Role::Worker]);
    identity::add_person(&mut db, state, &worker).await.expect("an account");
    let publisher = Viewer {
        person_id,
        session_id: uuid::Uuid::nil(),
        name: "Hanna".into(),
        roles: vec![Role::Publisher],
        time_zone: TimeZone::UTC,
        signed_in_at: Time::from(jiff::Timestamp::UNIX_EPOCH),
    };
    let purpose = Purpose::parse("dpv:EnforceSecurity").expect("a purpose");
    let category = Category::parse("app.usage").expect("a category");
    let mut content = ProcessingContent::new(category, purpose, "acme-agent");
    content.legal_basis = Some(register::LegalBasis::LegitimateInterests);
    content.necessity = "To notice harmful software".into();
    content.recipients = vec![register::Recipient {
        name: "Acme Cloud".into(),
        kind: register::RecipientKind::Processor,
        country: "IE".into(),
        host: None,
    }];
    content.storage_location = "IE".into();
    content.retention = "P30D".into();
    content.choice_mode = Some(register::ChoiceMode::Objection);
    content.jurisdictions = vec!["EU".into()];
    let id = register::actions::create_draft(state, &publisher, &content).await.expect("a draft");
    register::actions::propose(state, &publisher, id, 1).await.expect("a proposal");
    (publisher, id, content)
}

async fn set(tab: &Tab, css: &str, value: &str) {
    let script = format!(
        "(() => {{ const e = document.querySelector({css:?}); e.value = {value:?};
         e.dispatchEvent(new Event('input', {{ bubbles: true }})); return true; }})()"
    );
    tab.eval::<bool>(&script).await;
}

/// Clicks, and waits for the page that says what was done.
async fn press(tab: &Tab, css: &str, done: &str) {
    tab.click(css).await;
    tab.wait(&format!("location.search.includes('done={done}') && document.readyState === 'complete'")).await;
}

/// Submits, approves and publishes the draft whose page is open.
async fn bring_out(tab: &Tab) {
    press(tab, "form[action$='/submit'] button", "notice-submitted").await;
    tab.click("#approve_confirm input").await;
    press(tab, "form[action$='/approve'] button", "notice-approved").await;
    tab.click("a[href$='/schedule']").await;
    tab.wait("location.pathname.endsWith('/schedule') && document.readyState === 'complete'").await;
    tab.click("#now_confirm input").await;
    press(tab, "form[action$='/publish'] button", "notice-published").await;
}

async fn save_and_go(tab: &Tab) {
    tab.click("button[value=continue]").await;
    tab.wait("document.querySelector('#next-steps') && document.readyState === 'complete'").await;
}

async fn acknowledge(worker: &Tab) {
    worker.click("form[action$='/acknowledge'] button").await;
    let told = "document.querySelector('#answer-title')?.innerText === 'You have said that you read this'";
    worker.wait(told).await;
}

/// What an address answers to the tab's session.
async fn fetched(tab: &Tab, path: &str) -> String {
    tab.eval(&format!("fetch({path:?}).then((r) => r.text())")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_acknowledges_the_second_version_with_its_changes_before_them() {
    let site = Site::start(|_| {}).await;
    let (publisher, processing, mut content) = prepare(&site).await;
    let hr = site.signed_in(PUBLISHER).await;
    hr.open("/publishing/new").await;
    hr.click("input[value=gdpr-13] + button").await;
    hr.wait("location.pathname.endsWith('/edit') && document.readyState === 'complete'").await;
    set(&hr, "#title-en", "What we record").await;
    set(&hr, "#markdown-en", TEXT).await;
    hr.click("#processings input").await;
    hr.click("#jurisdictions input[value=EU]").await;
    hr.wait("document.querySelector('#preview').innerText.includes('Nothing is missing.')").await;
    save_and_go(&hr).await;
    bring_out(&hr).await;

    let worker = site.signed_in(WORKER).await;
    worker.open("/notices").await;
    worker.click("main a[href^='/notices/']").await;
    worker.wait("document.querySelector('#answer-title') && document.readyState === 'complete'").await;
    acknowledge(&worker).await;

    content.retention = "P90D".into();
    let why = "Disputes take longer.";
    register::actions::revise(&site.state, &publisher, processing, 2, &content, why)
        .await
        .expect("a revision");
    hr.click("nav.breadcrumbs li:last-child a").await;
    hr.wait("document.querySelector('#drifted') && document.readyState === 'complete'").await;
    assert!(hr.text("#drifted").await.contains("Kept for: 30 days → 90 days"));
    set(&hr, "#change_reason", why).await;
    press(&hr, "form[action$='/change'] button", "notice-copied").await;
    set(&hr, "#markdown-en", &TEXT.replace("thirty days", "ninety days")).await;
    save_and_go(&hr).await;
    bring_out(&hr).await;

    worker.open("/notices").await;
    worker.click("main a[href^='/notices/']").await;
    worker.wait("document.querySelector('#answer-title') && document.readyState === 'complete'").await;
    let changed = worker.text("#changed").await;
    assert!(changed.contains("which you acknowledged") && changed.contains(why), "{changed}");
    let words: Vec<String> = worker
        .eval("[...document.querySelectorAll('#changed del, #changed ins')].map((e) => e.innerText)")
        .await;
    for part in ["30 days", "90 days", "thirty", "ninety"] {
        assert!(words.iter().any(|w| w.contains(part)), "{part} isn't in {words:?}");
    }
    acknowledge(&worker).await;
    assert!(worker.text("main").await.contains("Version 2.0"));

    // What they keep proves it offline.
    let proof: String =
        worker.eval("document.querySelector('.timeline a[href$=\"/proof\"]').getAttribute('href')").await;
    let proof: TlogProof = fetched(&worker, &proof).await.parse().expect("a proof");
    let policy: Policy = fetched(&worker, "/log/policy.txt").await.parse().expect("a policy");
    let report = verify_proof(&proof, &policy, None).expect("it can be read");
    assert!(!report.is_violated(), "{report}");
    hr.close().await;
    worker.close().await;
}
