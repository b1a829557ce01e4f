//! A notice from HR's first draft to a worker's acknowledgement of the second, material version.

use daylight::ledger::proof::policy::Policy;
use daylight::ledger::proof::tlog_proof::TlogProof;
use daylight::ledger::proof::verify::verify_proof;

use crate::site::{PUBLISHER, REPRESENTATIVE, Site, WORKER, example};
use crate::tab::Tab;

const TITLE: &str = "What the scanners record";

/// The template with everything in brackets replaced, and one sentence of its own.
fn text(kept: &str) -> String {
    format!(
        "This notice says what the scanners record. It is kept for {kept}.\n\n## Who is responsible\n\n\
         Nordlicht Logistik GmbH decides. Write to hr@demo.example.\n\n## Data protection officer\n\n\
         Imke Thoma, privacy@demo.example.\n\n## Why we do it\n\nTo find lost parcels.\n\n## Your rights\n\n\
         You can ask for a copy, have it corrected or deleted, have its use restricted, take it with you, and \
         object to it. Write to privacy@demo.example. We answer within one month.\n\n## Complaints\n\n\
         Complain to the commissioner in Hamburg.\n\n## Automated decisions\n\n\
         Nothing is decided by a machine alone.\n"
    )
}

/// Replaces what a field holds, as typing would.
async fn write(tab: &Tab, css: &str, text: &str) {
    let select = format!(
        "(() => {{ const e = document.querySelector({css:?}); e.focus(); e.select(); return true; }})()"
    );
    assert!(tab.eval::<bool>(&select).await);
    tab.type_text(text).await;
}

/// Clicks the button or link with exactly these words inside `main`, and waits for the page after it.
async fn press(tab: &Tab, words: &str) {
    let mark = format!(
        "(() => {{ const found = [...document.querySelectorAll('main a, main button, main summary')]
            .find(e => e.innerText.trim().startsWith({words:?}));
          if (!found) return false; found.id ||= 'press-here'; found.dataset.press = 'here'; return true; }})()"
    );
    assert!(tab.eval::<bool>(&mark).await, "{words:?} stands on the page: {}", tab.text("main").await);
    tab.eval::<bool>("(window.before = true)").await;
    tab.click("[data-press=here]").await;
    tab.wait("!window.before && document.readyState === 'complete'").await;
}

/// Ticks the box whose label begins with these words.
async fn tick(tab: &Tab, words: &str) {
    let tick = format!(
        "(() => {{ const label = [...document.querySelectorAll('main label')].find(l => l.innerText.trim().startsWith({words:?}));
          if (!label) return false; const box = document.getElementById(label.htmlFor);
          if (!box.checked) label.click(); return box.checked; }})()"
    );
    assert!(tab.eval::<bool>(&tick).await, "{words:?} can be ticked: {}", tab.text("main").await);
}

async fn path(tab: &Tab) -> String {
    tab.eval("location.pathname").await
}

/// From a draft to its publication: HR submits, the representative agrees, HR approves and publishes.
async fn bring_out(site: &Site, hr: &Tab) {
    press(hr, "Save and go to review").await;
    press(hr, "Submit for review").await;
    let version = path(hr).await;
    assert!(hr.text("main").await.contains("representatives must agree first"), "{}", hr.text("main").await);

    let council = site.signed_in(REPRESENTATIVE).await;
    council.open(&version).await;
    council.eval::<bool>("(document.querySelector('#answer').value = 'agree', true)").await;
    press(&council, "Put the answer on record").await;
    council.close().await;

    hr.open(&version).await;
    tick(hr, "Yes").await;
    press(hr, "Approve").await;
    press(hr, "Publish or schedule").await;
    tick(hr, "Yes, publish it now").await;
    press(hr, "Publish now").await;
    assert!(hr.text(".banner--success").await.contains("Published, and in the log."));
}

/// What the page at this path answers, with the tab's own session.
async fn fetched(tab: &Tab, path: &str) -> String {
    tab.eval(&format!("fetch({path:?}).then(r => r.text())")).await
}

#[tokio::test]
async fn from_the_first_draft_to_the_acknowledgement_of_a_material_change() {
    let site = example().await;
    let mut hr = site.signed_in(PUBLISHER).await;
    hr.open("/publishing/new").await;
    press(&hr, "Begin").await;

    // What the template leaves open is named, and saved by itself while one writes.
    assert!(
        hr.text("#preview").await.contains("[["),
        "the template's gaps show: {}",
        hr.text("#preview").await
    );
    write(&hr, "main input[name^=title]", TITLE).await;
    write(&hr, "main textarea[name^=markdown]", &text("thirty days")).await;
    hr.wait("document.querySelector('#save-status').innerText.startsWith('Saved')").await;
    hr.wait("document.querySelector('#preview').innerText.includes('find lost parcels')").await;
    tick(&hr, "Typing amounts").await;
    tick(&hr, "Germany").await;
    tick(&hr, "People are asked to acknowledge").await;
    bring_out(site, &hr).await;

    let mut worker = site.signed_in(WORKER).await;
    worker.open("/notices").await;
    assert!(worker.text("main").await.contains(TITLE));
    press(&worker, TITLE).await;
    let notice = path(&worker).await;
    assert!(worker.text("main").await.contains("It is not consent."));
    press(&worker, "I have read this").await;
    assert!(worker.text("main").await.contains("You have said that you read this"));

    // A material change: another sentence, and one more kind of data.
    hr.open(&notice.replace("/notices/", "/publishing/")).await;
    write(&hr, "#change_reason", "Parcels are searched for longer now.").await;
    press(&hr, "Write a new version").await;
    write(&hr, "main textarea[name^=markdown]", &text("ninety days")).await;
    tick(&hr, "Presence").await;
    bring_out(site, &hr).await;

    worker.open(&notice).await;
    let changed = worker.text("#changed").await;
    assert!(changed.contains("which you acknowledged"), "{changed}");
    let words: Vec<String> = worker
        .eval("[...document.querySelectorAll('#changed del, #changed ins')].map(e => e.textContent.trim())")
        .await;
    let has = |part: &str| words.iter().any(|w| w.contains(part));
    assert!(has("thirty") && has("ninety"), "{words:?}");
    assert!(changed.contains("Presence"), "what is newly covered is named: {changed}");
    press(&worker, "I have read this").await;
    assert!(worker.text("main").await.contains("You have said that you read this"));
    assert!(worker.text("main").await.contains("Version 1.0"), "the first version stays readable");

    // Its proof holds offline.
    let proof: String = worker
        .eval("[...document.querySelectorAll('main .timeline a')].find(a => a.innerText.startsWith('Proof')).getAttribute('href')")
        .await;
    let proof: TlogProof = fetched(&worker, &proof).await.parse().expect("a proof");
    let policy: Policy = fetched(&worker, "/log/policy.txt").await.parse().expect("a policy");
    let report = verify_proof(&proof, &policy, None).expect("it can be read");
    assert!(!report.is_violated(), "{report}");
    assert_eq!(worker.complaints().await, Vec::<String>::new());
    assert_eq!(hr.complaints().await, Vec::<String>::new());
    worker.close().await;
    hr.close().await;
}
