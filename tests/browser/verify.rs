//! The page that checks an export: it judges every file as the independent verifier does, by keyboard, without
//! a network, from a disk, and says so when the browser can't.

use std::collections::BTreeMap;
use std::path::Path;

use chromiumoxide::cdp::browser_protocol::dom::SetFileInputFilesParams;
use chromiumoxide::cdp::browser_protocol::input::{
    DispatchDragEventParams, DispatchDragEventType, DragData, DragDataItem,
};
#[expect(deprecated, reason = "its successor is missing in Chromiums that distributions still ship")]
use chromiumoxide::cdp::browser_protocol::network::EmulateNetworkConditionsParams;
use chromiumoxide::cdp::browser_protocol::network::EnableParams;
use chromiumoxide::cdp::browser_protocol::page::AddScriptToEvaluateOnNewDocumentParams;
use serde::Deserialize;

use crate::axe;
use crate::site::example;
use crate::support::transparency::{Case, cases};
use crate::tab::{Key, NARROW, Tab, WIDE, within};

const PAGE: &str = "/log/verify";
const POLICY: &str = "two-of-three.policy";

/// What the page says after a check.
#[derive(Debug, Deserialize)]
struct Report {
    verdict: String,
    leaf: String,
    between: String,
    text: String,
}

impl Report {
    /// How it differs from what is expected.
    fn faults(&self, case: &Case) -> Vec<String> {
        let verdict = ["holds", "violated", "unreadable"][case.exit as usize];
        let leaf = case.leaf.map(|leaf| leaf.to_string()).unwrap_or_default();
        let between = case.between.map(|(first, last)| format!("{first}-{last}")).unwrap_or_default();
        let text = self.text.to_lowercase();
        let mut faults: Vec<_> =
            case.words.iter().filter(|word| !text.contains(&word.to_lowercase())).collect();
        let expected = [verdict.to_owned(), leaf, between];
        let found = [&self.verdict, &self.leaf, &self.between];
        faults
            .extend(expected.iter().zip(found).filter(|(expected, found)| expected != found).map(|(e, _)| e));
        faults.into_iter().map(|fault| format!("{fault:?} expected")).collect()
    }
}

#[tokio::test]
async fn every_file_is_judged_as_by_the_independent_verifier() {
    let site = example().await;
    let mut tab = site.visitor().await;
    tab.open(PAGE).await;
    let (folder, cases) = made().await;
    let mut wrong = Vec::new();
    for (name, case) in cases {
        choose_all(&tab, folder, name, case).await;
        let report = check(&tab).await;
        let faults = report.faults(case);
        if !faults.is_empty() {
            wrong.push(format!("{name} ({}): {faults:?}\n{report:?}", case.about));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert_eq!(tab.complaints().await, Vec::<String>::new());
    tab.close().await;
}

#[tokio::test]
async fn it_says_what_it_does_not_prove() {
    let site = example().await;
    let tab = site.visitor().await;
    tab.open(PAGE).await;
    let (folder, _) = made().await;
    choose(&tab, "export", &folder.join("holds-1.export")).await;
    let report = check(&tab).await;
    for words in ["real", "did not work together", "nobody was watched", "own word", "no witness"] {
        assert!(report.text.contains(words), "{words}: {report:?}");
    }
    choose(&tab, "export", &folder.join("holds-700.export")).await;
    choose(&tab, "policy", &folder.join("nested.policy")).await;
    let report = check(&tab).await;
    assert!(!report.text.contains("own word") && !report.text.contains("no witness"), "{report:?}");
    let hashes = report.text.split_whitespace().filter(|word| word.len() == 64).count();
    assert_eq!(hashes, 2, "the SHA-256 of each file: {report:?}");

    // A proof alone counts only under somebody's policy.
    reset(&tab).await;
    choose(&tab, "proof", &folder.join("holds-257-128.tlog-proof")).await;
    let report = check(&tab).await;
    assert!(report.verdict == "unknown" && report.text.contains("choose a policy"), "{report:?}");
    choose(&tab, "policy", &folder.join(POLICY)).await;
    assert_eq!(check(&tab).await.verdict, "holds");
    reset(&tab).await;
    assert_eq!(check(&tab).await.verdict, "unknown", "nothing was chosen");
    tab.close().await;
}

#[tokio::test]
async fn a_log_that_began_again_is_told_and_never_green() {
    let site = example().await;
    let tab = site.visitor().await;
    tab.open(PAGE).await;
    let (folder, cases) = made().await;
    choose_all(&tab, folder, "holds-again-lost.export", &cases["holds-again-lost.export"]).await;
    assert_eq!(check(&tab).await.verdict, "holds");
    let row = |name: &str| {
        format!(
            "[...document.querySelectorAll('#rows tr')].find((row) => row.innerText.includes('{name}')).innerText"
        )
    };
    let said: String = tab.eval(&row("New beginning")).await;
    for words in
        ["Not checked", "of the 20 entries of log.example.com/works-before, the last 4", "operator's word"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    let keys: String = tab.eval(&row("Keys")).await;
    assert!(keys.contains("2 logs") && !keys.contains("each signed by the one before"), "{keys}");
    tab.close().await;
}

#[tokio::test]
async fn it_is_accessible_in_every_state() {
    let site = example().await;
    let mut tab = site.visitor().await;
    let (folder, _) = made().await;
    let states = [None, Some("holds-257.export"), Some("row-bytes.export"), Some("cut-short.export")];
    let mut faults = Vec::new();
    for state in states {
        tab.open(PAGE).await;
        tab.wait("!document.querySelector('form').hidden").await;
        if let Some(export) = state {
            choose(&tab, "export", &folder.join(export)).await;
            check(&tab).await;
        }
        for (size, dark) in [(WIDE, false), (WIDE, true), (NARROW, false), (NARROW, true)] {
            tab.look(size, dark).await;
            let found = axe::violations(&tab).await.into_iter().chain(axe::frame_faults(&tab).await);
            faults.extend(found.map(|fault| format!("{state:?} {size:?} dark: {dark}: {fault}")));
        }
    }
    faults.extend(tab.complaints().await);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // On paper: the verdict and the rows, without the form; white, also for somebody whose screen is dark.
    choose(&tab, "export", &folder.join("row-bytes.export")).await;
    check(&tab).await;
    tab.media("print", true).await;
    let shown = |css: &str| format!("document.querySelector('{css}').getClientRects().length > 0");
    assert!(!tab.eval::<bool>(&shown("form")).await && tab.eval::<bool>(&shown("#rows")).await);
    let background = "getComputedStyle(document.body).backgroundColor";
    assert_eq!(tab.eval::<String>(background).await, "rgb(255, 255, 255)");
    tab.close().await;
}

#[tokio::test]
async fn it_works_by_keyboard_and_by_dropping() {
    let site = example().await;
    let tab = site.visitor().await;
    tab.open(PAGE).await;
    tab.wait("!document.querySelector('form').hidden").await;
    let (folder, _) = made().await;
    let mut stops = Vec::new();
    for _ in 0..7 {
        tab.press(Key::Tab).await;
        let visible = "parseFloat(getComputedStyle(document.activeElement).outlineWidth) > 0";
        assert!(tab.eval::<bool>(visible).await, "a visible focus after {stops:?}");
        stops.push(tab.eval::<String>("document.activeElement.id || document.activeElement.innerText").await);
    }
    assert_eq!(stops, ["Download this page", "export", "policy", "since", "proof", "petition", "Check"]);
    // The system's own dialog can't be reached from here; its outcome is set instead.
    choose(&tab, "export", &folder.join("swapped-40.export")).await;
    tab.press(Key::Enter).await;
    tab.wait("document.activeElement.id === 'verdict'").await;
    assert!(tab.text("#verdict").await.contains("VIOLATED at leaf 3"));
    assert!(tab.text("#why").await.contains("Leaf 3 says: {"));

    reset(&tab).await;
    let files = [
        ("export", "holds-since.export"),
        ("policy", POLICY),
        ("since", "at-200.checkpoint"),
        ("proof", "holds-old-proof.tlog-proof"),
    ];
    for (field, file) in files {
        drop_on(&tab, field, &folder.join(file)).await;
    }
    let report = check(&tab).await;
    assert!(
        report.verdict == "holds" && files.iter().all(|(_, file)| report.text.contains(file)),
        "{report:?}"
    );
    tab.close().await;
}

/// As from the system's own windows.
async fn drop_on(tab: &Tab, field: &str, file: &Path) {
    let script = format!(
        "(() => {{ const e = document.querySelector('#{field}'); e.scrollIntoView({{block: 'center'}});
           const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
    );
    let (x, y): (f64, f64) = tab.eval(&script).await;
    let address = format!("file://{}", file.display());
    let item = DragDataItem::builder().mime_type("text/uri-list").data(address).build().expect("an item");
    let data = DragData::builder().item(item).file(file.display().to_string()).drag_operations_mask(1);
    let data = data.build().expect("a file");
    for kind in
        [DispatchDragEventType::DragEnter, DispatchDragEventType::DragOver, DispatchDragEventType::Drop]
    {
        let event = DispatchDragEventParams::builder().r#type(kind).x(x).y(y).data(data.clone());
        tab.run(event.build().expect("an event")).await;
    }
    tab.wait(&format!("document.querySelector('#{field}').files.length === 1")).await;
}

#[tokio::test]
async fn a_copy_on_the_disk_works_without_a_network() {
    let (folder, cases) = made().await;
    let address = format!("file://{}/static", env!("CARGO_MANIFEST_DIR"));
    let mut tab = Tab::new(&address, None).await;
    tab.run(EnableParams::default()).await;
    #[expect(deprecated, reason = "as above")]
    tab.run(EmulateNetworkConditionsParams::new(true, 0.0, -1.0, -1.0)).await;
    tab.open("/verify.html").await;
    for name in ["holds-700.export", "fork-36.export", "proof-holds.tlog-proof"] {
        choose_all(&tab, folder, name, &cases[name]).await;
        let report = check(&tab).await;
        assert_eq!(report.faults(&cases[name]), Vec::<String>::new(), "{name}: {report:?}");
    }
    assert_eq!(tab.complaints().await, Vec::<String>::new());
    tab.close().await;
}

#[tokio::test]
async fn it_can_connect_to_nothing() {
    let site = example().await;
    let tab = site.visitor().await;
    tab.open(PAGE).await;
    let script = "new Promise((done) => {
        addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective));
        fetch('/about').then(() => done('fetched'), () => {}); })";
    assert_eq!(tab.eval::<String>(script).await, "connect-src");
    tab.close().await;
}

#[tokio::test]
async fn a_browser_that_can_not_check_says_unknown() {
    let site = example().await;
    let (folder, cases) = made().await;
    let tab = site.visitor().await;
    let old = "const real = crypto.subtle.importKey; SubtleCrypto.prototype.importKey = function (...given) {
        return given[2].name === 'Ed25519' ? Promise.reject(new DOMException('', 'NotSupportedError'))
          : real.apply(this, given); };";
    before_every_page(&tab, old).await;
    tab.open(PAGE).await;
    tab.wait("document.querySelector('#alive').innerText.includes('UNKNOWN, not passed')").await;
    for (name, verdict) in [("holds-257.export", "unknown"), ("row-bytes.export", "violated")] {
        choose_all(&tab, folder, name, &cases[name]).await;
        let report = check(&tab).await;
        assert!(report.verdict == verdict && report.text.contains("? UNKNOWN"), "{report:?}");
        let green = "[...document.querySelectorAll('.state')].filter((e) => e.innerText.includes('UNKNOWN'))
            .every((e) => !e.classList.contains('holds'))";
        assert!(tab.eval::<bool>(green).await, "UNKNOWN looks like something that holds");
    }
    tab.close().await;

    // Plain http: no cryptography at all.
    let tab = site.visitor().await;
    before_every_page(&tab, "Object.defineProperty(Crypto.prototype, 'subtle', {value: undefined})").await;
    tab.open(PAGE).await;
    tab.wait("document.querySelector('#alive').innerText.includes('plain http')").await;
    choose(&tab, "export", &folder.join("holds-257.export")).await;
    let report = check(&tab).await;
    assert!(report.verdict == "unknown" && report.text.contains("crypto.subtle"), "{report:?}");
    tab.close().await;
}

async fn before_every_page(tab: &Tab, script: &str) {
    tab.run(AddScriptToEvaluateOnNewDocumentParams::new(script)).await;
}

/// Making the files takes a moment, and other tabs wait on this thread.
async fn made() -> (&'static Path, &'static BTreeMap<String, Case>) {
    tokio::task::spawn_blocking(cases).await.expect("the files are made")
}

async fn reset(tab: &Tab) {
    let _: bool = tab.eval("(document.querySelector('form').reset(), true)").await;
}

/// Chooses the file and those that go with it.
async fn choose_all(tab: &Tab, folder: &Path, name: &str, case: &Case) {
    reset(tab).await;
    let (export, proof) = match &case.export {
        Some(export) => (export.as_str(), Some(name)),
        None => (name, None),
    };
    let (since, petition) = (case.since.as_deref(), case.petition.as_deref());
    let others =
        [("policy", case.policy.as_deref()), ("since", since), ("proof", proof), ("petition", petition)];
    choose(tab, "export", &folder.join(export)).await;
    for (field, file) in others {
        if let Some(file) = file {
            choose(tab, field, &folder.join(file)).await;
        }
    }
}

async fn choose(tab: &Tab, field: &str, file: &Path) {
    let input = within(field, tab.page.find_element(format!("#{field}"))).await.expect("the field");
    let files = SetFileInputFilesParams::builder().file(file.display().to_string());
    let files = files.backend_node_id(input.backend_node_id).build().expect("a file");
    tab.run(files).await;
}

/// Presses the button, waits for the verdict, and gives what the page says then.
async fn check(tab: &Tab) -> Report {
    let start = "(document.querySelector('#result').dataset.verdict = '',
        document.querySelector('form').requestSubmit(), true)";
    let _: bool = tab.eval(start).await;
    tab.wait("document.querySelector('#result').dataset.verdict && !busy").await;
    let script = "(() => { const result = document.querySelector('#result');
        return {...result.dataset, text: result.innerText}; })()";
    tab.eval(script).await
}
