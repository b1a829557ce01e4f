//! Python programs from PyPI in virtual environments, each made once and kept beside the build.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The independent verifier's only need.
const CRYPTOGRAPHY: &str = "cryptography==50.0.2";

/// The independent verifier with these arguments, in an environment with what it needs.
pub fn verifier() -> Command {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/verify.py");
    let mut command = Command::new(environment("cryptography", &[CRYPTOGRAPHY]).join("bin/python"));
    // Without compiled copies beside the sources.
    command.arg("-B").arg(script);
    command
}

/// Makes `ca.pem`, `tls.pem` and `tls.key` for 127.0.0.1 in this folder.
pub fn certificate(folder: &Path) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/certificate.py");
    let mut command = Command::new(environment("cryptography", &[CRYPTOGRAPHY]).join("bin/python"));
    let made = command.arg("-B").arg(script).arg(folder).status().expect("python runs");
    assert!(made.success(), "certificate.py failed");
}

/// The folder of a virtual environment that holds these packages. Runs that need the same one wait for each
/// other; another list of packages makes it anew.
pub fn environment(name: &str, packages: &[&str]) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder").to_owned();
    let venv = target.join(format!("{name}-venv"));
    let lock = File::create(target.join(format!("{name}-venv.lock"))).expect("a lock file");
    lock.lock().expect("another run makes it");
    let ready = venv.join("ready");
    let wanted = packages.join(" ");
    if fs::read_to_string(&ready).is_ok_and(|made| made == wanted) {
        return venv;
    }
    let made = Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv).status();
    let made = made.expect("this test needs python3 (with its venv module) in PATH");
    assert!(made.success(), "python3 -m venv failed: is the package python3-venv installed?");
    let installed = Command::new(venv.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check"])
        .args(packages)
        .output()
        .expect("pip runs");
    let said = String::from_utf8_lossy(&installed.stderr);
    assert!(installed.status.success(), "pip can't install {wanted}; is PyPI within reach? It said:\n{said}");
    fs::write(&ready, wanted).expect("the mark that it is complete");
    venv
}
