//! One Chromium for all tests, which ends with this process however that ends.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use chromiumoxide::Browser;
use chromiumoxide::handler::HandlerConfig;
use futures_util::StreamExt;

/// Where Chromium may be; the environment's `CHROMIUM` is tried alone.
const NAMES: [&str; 5] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "/usr/bin/chromium"];

const FLAGS: [&str; 14] = [
    "--headless",
    // Root can't have Chromium's sandbox; the only pages it sees are ours.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-breakpad",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-port=0",
];

/// Waits for the end of its input, which is a pipe that this process holds: then ends Chromium and removes
/// its profile. Needs no system that tells a child of its parent's death, and outlives a kill -9.
const KEEPER: &str = r#"
dir=$1; shift
"$@" </dev/null >"$dir/log" 2>&1 &
browser=$!
read -r _
trap "" TERM
kill -TERM 0
(sleep 5; kill -KILL 0) &
wait $browser
rm -rf "$dir"
kill -KILL 0
"#;

static BROWSER: OnceLock<Browser> = OnceLock::new();

pub fn browser() -> &'static Browser {
    BROWSER.get_or_init(start)
}

fn start() -> Browser {
    let program = find();
    let number = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
    let name = format!("chromium-{}-{number}", std::process::id());
    let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&profile).expect("a folder for the profile");
    let mut keeper = Command::new("sh");
    keeper.args(["-c", KEEPER, "sh"]).arg(&profile).arg(&program).args(FLAGS);
    keeper.arg(format!("--user-data-dir={}", profile.display())).arg("about:blank");
    // Without our output: a pipe behind the tests would stay open until the keeper has ended.
    keeper.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let keeper = keeper.spawn().expect("sh runs");
    // Its input is this process's until the very end.
    std::mem::forget(keeper);
    let address = wait_for_address(&profile, &program);
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let config = HandlerConfig { viewport: None, ..HandlerConfig::default() };
            let (browser, mut handler) =
                Browser::connect_with_config(address, config).await.expect("Chromium's socket");
            let _ = sender.send(browser);
            // Events that this library doesn't know are errors here, and don't matter.
            while handler.next().await.is_some() {}
        });
    });
    receiver.recv_timeout(Duration::from_secs(30)).expect("a connection with Chromium")
}

/// Chromium writes its port and path into its profile.
fn wait_for_address(profile: &Path, program: &Path) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let text = fs::read_to_string(profile.join("DevToolsActivePort")).unwrap_or_default();
        if let Some((port, path)) = text.split_once('\n').filter(|(_, path)| !path.is_empty()) {
            return format!("ws://127.0.0.1:{port}{path}");
        }
        if Instant::now() > deadline {
            let log = fs::read_to_string(profile.join("log")).unwrap_or_default();
            panic!("{} doesn't start; it said:\n{log}", program.display());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn find() -> PathBuf {
    let chosen = std::env::var_os("CHROMIUM").filter(|path| !path.is_empty());
    let names = match &chosen {
        Some(path) => vec![PathBuf::from(path)],
        None => NAMES.map(PathBuf::from).into(),
    };
    // Asked for its version: Ubuntu's `chromium-browser` may only point at a snap that isn't there.
    let runs = |program: &PathBuf| {
        let mut command = Command::new(program);
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    names.into_iter().find(runs).unwrap_or_else(|| match chosen {
        Some(path) => panic!("CHROMIUM ({}) doesn't run: correct or unset it.", path.display()),
        None => panic!(
            "These tests need Chromium, and none of {} runs here. Start them with bin/test, which installs \
             it, or set CHROMIUM to its path.",
            NAMES.join(", ")
        ),
    })
}
