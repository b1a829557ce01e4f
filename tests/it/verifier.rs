//! The independent verifier: it judges its own logs as it says it would, makes the same files at every run,
//! and agrees with what others published.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use daylight::ledger;
use daylight::web::Role;
use sha2::{Digest, Sha256};

use crate::support::TestApp;
use crate::support::python;
use crate::support::transparency::{cases, succeed};

const VECTORS: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/vectors/transparency.json"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/vectors/rfc9474.json"),
];

#[test]
fn the_independent_verifier_agrees_with_public_vectors() {
    for vectors in VECTORS {
        let said = succeed(python::verifier().args(["vectors", vectors]));
        assert_eq!(said.trim(), "all vectors hold");
    }
}

#[test]
fn the_independent_verifier_judges_every_log_as_expected() {
    let (folder, cases) = cases();
    let said = succeed(python::verifier().arg("judge").arg(folder));
    assert_eq!(said.trim(), format!("{} files, 0 disagreements", cases.len()));
    for exit in [0, 1, 2] {
        assert!(cases.values().filter(|case| case.exit == exit).count() >= 10, "cases that end with {exit}");
    }
}

#[test]
fn the_same_logs_are_made_at_every_run() {
    let (folder, _) = cases();
    let again = folder.with_extension(format!("again-{}", std::process::id()));
    succeed(python::verifier().arg("generate").arg(&again));
    let same = contents(folder) == contents(&again);
    fs::remove_dir_all(&again).expect("the second folder");
    assert!(same);
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entry = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, fs::read(&path).expect("a file"))
    };
    fs::read_dir(folder).expect("the folder").map(entry).collect()
}

#[test]
fn its_command_line_says_what_it_found() {
    let (folder, _) = cases();
    let run = |arguments: &[&str]| {
        let output = python::verifier().current_dir(folder).args(arguments).output().expect("python runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let policy = fs::read_to_string(folder.join("union.policy")).expect("a policy");
    let keys: Vec<&str> = policy.split_whitespace().filter(|word| word.matches('+').count() >= 2).collect();
    let [first, second, union, press, _] = keys[..] else { panic!("two logs, three witnesses: {keys:?}") };

    let (code, said) = run(&["proof", "holds-255-0.tlog-proof", "--vkey", second, "--witness", union]);
    assert!(code == Some(0) && said.ends_with("HOLDS\n"), "{code:?}: {said}");
    let (code, said) = run(&["proof", "holds-2-0.tlog-proof", "--vkey", first, "--witness", press]);
    assert!(code == Some(1) && said.contains("quorum"), "{code:?}: {said}");
    let (code, said) = run(&["proof", "holds-255-0.tlog-proof", "--vkey", first]);
    assert!(code == Some(1) && said.contains("signature"), "{code:?}: {said}");
    let (code, said) = run(&["export", "bit-report-root.export", "--policy", "two-of-three.policy"]);
    assert!(code == Some(1) && said.ends_with("VIOLATED at leaf 3\n"), "{code:?}: {said}");
    let (code, said) = run(&["export", "no-such-file.export"]);
    assert!(code == Some(2) && said.starts_with("UNREADABLE"), "{code:?}: {said}");
}

/// Its script has no nonce, so that everybody gets the same bytes and can compare their hash.
#[tokio::test]
async fn the_page_is_the_same_for_everybody_and_has_a_policy_of_its_own() {
    let test = TestApp::new().await;
    let (visitor, worker) = (test.visitor(), test.actor(Role::Worker).await);
    let mut pages = Vec::new();
    for actor in [visitor, worker] {
        let page = actor.get("/log/verify").await.assert_status(200);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(page.header("content-disposition"), "inline; filename=\"daylight-verify.html\"");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        let policy = page.header("content-security-policy");
        let sources: Vec<&str> = policy.split("; ").collect();
        assert_eq!(sources[0], "default-src 'none'");
        assert!(
            sources[1].starts_with("script-src 'sha256-") && sources[2].starts_with("style-src 'sha256-")
        );
        let rest = ["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"];
        assert_eq!(sources[3..], rest, "nothing else is allowed");
        // What the file says of itself is what the server says of it.
        assert!(page.body.contains(&format!("content=\"{}\"", sources[..5].join("; "))), "{policy}");
        pages.push(page.body);
    }
    assert_eq!(pages[0], pages[1]);
    let hash: String = Sha256::digest(&pages[0]).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, ledger::verifier_sha256());
    // Every other page keeps its nonce.
    let other = test.visitor().get("/about").await;
    assert!(other.header("content-security-policy").contains("'nonce-"));
}
