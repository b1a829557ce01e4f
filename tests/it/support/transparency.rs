//! Logs that hold and logs that don't, made by the independent verifier, which shares no code with Daylight.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde::Deserialize;

use super::python;

/// What a verifier must say of a file.
#[derive(Debug, Deserialize)]
pub struct Case {
    pub about: String,
    /// 0 holds, 1 violated, 2 unreadable.
    pub exit: i32,
    /// The leaf that the first violation names.
    pub leaf: Option<u64>,
    /// The first and the last leaf between which the fault lies, where no single one can be named.
    pub between: Option<(u64, u64)>,
    /// What must occur in the report, in upper or lower case.
    pub words: Vec<String>,
    /// Files to give beside it; without a policy, the export's own is used.
    pub policy: Option<String>,
    pub since: Option<String>,
    /// What a petition's page displayed.
    pub petition: Option<String>,
    /// The file is a proof, to be checked with this export.
    pub export: Option<String>,
}

/// The folder with the files, and what is expected of each. Made anew when the sources have changed.
pub fn cases() -> (&'static Path, &'static BTreeMap<String, Case>) {
    static CASES: OnceLock<(PathBuf, BTreeMap<String, Case>)> = OnceLock::new();
    let (folder, cases) = CASES.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = target.join("logs");
        let lock = File::create(target.join("logs.lock")).expect("a lock file");
        lock.lock().expect("another run makes them");
        let ready = target.join("logs.ready");
        let sources = concat!(
            include_str!("verify.py"),
            include_str!("petitions.py"),
            include_str!("forge.py"),
            include_str!("forge_petitions.py"),
            include_str!("spoil.py")
        );
        if !fs::read_to_string(&ready).is_ok_and(|made| made == sources) {
            let _ = fs::remove_dir_all(&folder);
            succeed(python::verifier().arg("generate").arg(&folder));
            fs::write(&ready, sources).expect("the mark that they are complete");
        }
        let expected = fs::read_to_string(folder.join("expected.json")).expect("expected.json");
        (folder, serde_json::from_str(&expected).expect("what is expected"))
    });
    (folder, cases)
}

/// Runs it to its end and gives what it said.
#[track_caller]
pub fn succeed(command: &mut Command) -> String {
    let output = command.output().expect("python runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}
