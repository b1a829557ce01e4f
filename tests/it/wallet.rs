//! `daylight wallet`, as somebody at a terminal uses it, against servers that listen.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use daylight::app;
use daylight::credentials::wire::{ActionRequest, EpochInfo, fingerprint};
use daylight::ledger::proof::leaf::Leaf;
use daylight::ledger::proof::petition::Disclosure;
use daylight::ledger::proof::tree::leaf_hash;
use daylight::web::Role;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::petition;
use crate::support::representative::{CODE, Played, lend_keys};
use crate::support::{Actor, TestApp, fresh_folder};

struct Room {
    app: TestApp,
    played: Played,
    worker: Actor,
    server: String,
    folder: PathBuf,
}

/// What a command said, and how it ended.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    #[track_caller]
    fn fine(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    #[track_caller]
    fn refused(self, words: &str) {
        assert_eq!(self.code, 2, "{}{}", self.out, self.err);
        assert!(self.err.contains(words), "{}", self.err);
    }
}

impl Room {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = format!("http://{address}");
        let base = server.clone();
        let app = TestApp::with(|config| {
            config.base_url = base;
            config.listen = address;
            config.log_origin = format!("{address}/log");
        })
        .await;
        let router = app::router(app.state.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let played = Played::start(&app).await;
        played.pair(&app).await;
        let worker = app.actor(Role::Worker).await;
        let folder = fresh_folder();
        std::fs::create_dir_all(&folder).expect("a folder");
        Room { app, played, worker, server, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Runs the program, with `typed` on its standard input.
    async fn run_with(&self, file: &str, arguments: &[&str], typed: &str) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_daylight"));
        command.arg("wallet").args(arguments).env_clear().current_dir(&self.folder);
        command.arg("--file").arg(self.path(file));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let typed = typed.to_owned();
        let run = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().expect("it runs");
            // A program that reads nothing has closed it by now.
            let _ = child.stdin.take().expect("piped").write_all(typed.as_bytes());
            child.wait_with_output().expect("it ends")
        });
        let output = run.await.expect("it ends");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    async fn run(&self, arguments: &[&str]) -> Said {
        self.run_with("wallet.json", arguments, "").await
    }

    /// A wallet whose key is on the roll.
    async fn enrol(&self) {
        self.run(&["init"]).await.fine();
        let worker_ref = self.worker_ref().await;
        let enrolment =
            self.run(&["enrol", "--server", &self.server, "--worker-ref", &worker_ref]).await.fine();
        let pasted = [("enrolment", enrolment.as_str())];
        self.worker.post("/petitions/wallet/key", &pasted).await.assert_status(303);
        self.played.agree(&self.app).await.expect("an epoch");
    }

    async fn worker_ref(&self) -> String {
        let wallet = self.worker.get("/api/v1/me/wallet").await.assert_status(200).json();
        wallet["worker_ref"].as_str().expect("a number").to_owned()
    }

    /// An open petition, and the file that its page gives.
    async fn petition(&self, slot: u64, title: &str) -> petition::Open {
        let open = petition::open(&self.app, self.worker.id(), slot, title).await;
        let list = self.played.get(&self.app, "/api/v1/representative/petitions").await.json();
        let all = list.as_array().expect("a list");
        let one = all.iter().find(|p| p["slot"] == slot).expect("the petition");
        std::fs::write(self.path(&format!("{slot}.json")), one.to_string()).expect("a file");
        open
    }

    async fn epoch(&self) -> EpochInfo {
        let reply = self.app.visitor().get("/api/v1/petitions/epoch").await.assert_status(200);
        serde_json::from_str(&reply.body).expect("an epoch")
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).expect("a file")).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_signs_and_takes_it_back_without_a_browser() {
    let room = Room::new().await;
    room.run(&["fetch"]).await.refused("there is no wallet");
    room.enrol().await;
    let file = room.path("wallet.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    room.run(&["init"]).await.refused("is there already");
    room.run(&["fetch"]).await.fine();
    assert!(room.run(&["fetch"]).await.fine().contains("here already"));
    room.played.tell_issues(&room.app).await;
    assert_eq!(room.epoch().await.packs, 1);

    let open = room.petition(1, "More daylight").await;
    room.played.open(open.leaf_hash, 1);
    let sign = ["sign", "1.json", "--confidential", "--receipt", "receipt.json"];
    room.run(&["sign", "1.json"]).await.refused("--confidential");
    room.run(&sign).await.refused("only 1 people have credentials");
    sqlx::query("update petition_epoch set packs = 20").execute(&room.app.state.db).await.unwrap();
    assert!(room.run(&sign).await.fine().starts_with("Signed: More daylight"));
    let receipt = json(&room.path("receipt.json"));
    assert_eq!(receipt["promise"]["by"], "representative", "the employer hears of it with its batch");
    let conditions = receipt["conditions"].as_str().expect("what the promise depends on");
    assert!(conditions.contains("five or more") && conditions.contains("refused"), "{conditions}");
    assert_eq!(room.app.count("petition_waiting").await, 0);
    assert!(room.run(&["withdraw", "1.json"]).await.fine().starts_with("Withdrawn: More daylight"));
    match room.played.actions().as_slice() {
        [
            ActionRequest::Sign { number: 1, disclosure: Disclosure::Nobody, signer: None, .. },
            ActionRequest::Withdraw { number: 2, .. },
        ] => {}
        other => panic!("{other:?}"),
    }
    let status = room.run(&["status"]).await.fine();
    assert!(status.contains("2026-Q4") && status.contains("Withdrawn:"), "{status}");
    let code = json(&file)["code"].as_str().expect("a code").to_owned();
    assert!(!status.contains(&code));
    assert!(room.run(&["status", "--show-code"]).await.fine().contains(&code));
    room.run_with("wallet.json", &["burn"], "no\n").await.refused("nothing was deleted");
    assert!(file.exists());
    room.run(&["burn", "--yes"]).await.fine();
    assert!(!file.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_on_paper_brings_everything_back() {
    let room = Room::new().await;
    room.enrol().await;
    room.run(&["fetch"]).await.fine();
    // Their server doesn't know this petition, so that the dashboard takes the signature.
    room.petition(2, "Fewer meetings").await;
    room.run(&["sign", "2.json", "--name", "everyone", "--department"]).await.fine();
    assert_eq!(room.app.count("petition_waiting where number = 1 and mode = 'named'").await, 1);
    // The same key can't be hidden again; whoever knows that may go on.
    sqlx::query("update petition_epoch set packs = 20").execute(&room.app.state.db).await.unwrap();
    let kept = std::fs::read_to_string(room.path("wallet.json")).unwrap();
    let without = ["sign", "2.json", "--confidential"];
    room.run(&without).await.refused("whoever saw your name knows");
    room.run(&[&without[..], &["--anyway"]].concat()).await.fine();
    room.run(&without).await.refused("whoever saw your name knows");
    assert_eq!(room.app.count("petition_waiting where number = 2 and mode = 'confidential'").await, 1);
    std::fs::write(room.path("wallet.json"), kept).unwrap();

    let code = json(&room.path("wallet.json"))["code"].as_str().expect("a code").to_owned();
    let wrong = code.replacen(&code[..1], if code.starts_with('Z') { "Y" } else { "Z" }, 1);
    room.run_with("new.json", &["recover"], &wrong).await.refused("isn't a wallet's code");
    room.run_with("new.json", &["recover"], &code.to_lowercase()).await.fine();
    let worker_ref = room.worker_ref().await;
    // The representative learns of the key by a code of theirs.
    let with_code = ["enrol", "--server", &room.server, "--worker-ref", &worker_ref, "--code"];
    let bad = [&with_code[..], &["nothing"]].concat();
    room.run_with("new.json", &bad, "").await.refused("refuses");
    room.run_with("new.json", &[&with_code[..], &[CODE]].concat(), "").await.fine();
    assert_eq!(room.played.enrolled().len(), 1);
    room.run_with("new.json", &["fetch"], "").await.fine();
    let pack = |name| json(&room.path(name))["packs"].clone();
    assert_eq!(pack("wallet.json"), pack("new.json"), "the same request gets the same pack");
    // It doesn't know what the former one did, nor whether that was with a name.
    room.run_with("new.json", &["withdraw", "2.json"], "").await.refused("--anyway");
    assert_eq!(room.app.count("petition_waiting where kind = 'withdraw'").await, 0);
    // The server says from which number to go on.
    room.run_with("new.json", &["withdraw", "2.json", "--anyway"], "").await.fine();
    assert_eq!(room.app.count("petition_waiting where kind = 'withdraw'").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_name_the_dashboard_sees_nothing_unasked() {
    let room = Room::new().await;
    room.enrol().await;
    room.run(&["fetch"]).await.fine();
    sqlx::query("update petition_epoch set packs = 20").execute(&room.app.state.db).await.unwrap();
    // Their server doesn't take it: it doesn't know this petition.
    room.petition(3, "Longer breaks").await;
    let sign = ["sign", "3.json", "--confidential"];
    room.run(&sign).await.refused("Nothing was handed in");
    assert_eq!(room.app.count("petition_waiting").await, 0);
    assert!(json(&room.path("wallet.json"))["signed"].as_array().expect("a list").is_empty());
    room.run(&[&sign[..], &["--anyway"]].concat()).await.fine();
    assert_eq!(room.app.count("petition_waiting where mode = 'confidential'").await, 1);
    room.run(&["withdraw", "3.json"]).await.refused("--anyway");
    assert_eq!(room.app.count("petition_waiting where kind = 'sign'").await, 1);
    room.run(&["withdraw", "3.json", "--anyway"]).await.fine();
    // With a name there is nothing to hide.
    room.run(&["sign", "3.json", "--name", "everyone"]).await.fine();
    room.run(&["withdraw", "3.json"]).await.fine();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_on_paper_brings_former_epochs_back_while_their_petitions_run() {
    let room = Room::new().await;
    room.enrol().await;
    room.run(&["fetch"]).await.fine();
    let open = room.petition(1, "More daylight").await;
    room.played.open(open.leaf_hash, 1);
    room.run(&["sign", "1.json", "--name", "everyone"]).await.fine();
    let code = json(&room.path("wallet.json"))["code"].as_str().expect("a code").to_owned();

    // Over New Year; it is still open.
    let end = "update petition set closes_at = closes_at + interval '30 days'";
    sqlx::query(end).execute(&room.app.state.db).await.unwrap();
    lend_keys(&room.app);
    room.app.state.clock.advance(61 * 86_400);
    assert_eq!(room.played.agree(&room.app).await.expect("an epoch").epoch, "2027-Q1");
    room.run_with("new.json", &["recover"], &code).await.fine();
    let worker_ref = json(&room.path("wallet.json"))["pinned"]["worker_ref"].as_str().unwrap().to_owned();
    let enrol = ["enrol", "--server", &room.server, "--worker-ref", &worker_ref, "--code", CODE];
    room.run_with("new.json", &enrol, "").await.fine();
    let said = room.run_with("new.json", &["fetch"], "").await.fine();
    assert!(said.contains("2026-Q4") && said.contains("2027-Q1"), "{said}");
    let (old, new) = (json(&room.path("wallet.json")), json(&room.path("new.json")));
    let packs = new["packs"].as_array().expect("packs");
    let former = packs.iter().find(|kept| kept["leaf"]["epoch"] == "2026-Q4");
    assert_eq!(former, Some(&old["packs"][0]), "byte for byte");
    // It doesn't know its number, and goes on after the one that stands.
    room.run_with("new.json", &["sign", "1.json", "--name", "representatives"], "").await.fine();
    room.run_with("new.json", &["withdraw", "1.json"], "").await.fine();
    // Without fetching first, too.
    room.run_with("third.json", &["recover"], &code).await.fine();
    room.run_with("third.json", &enrol, "").await.fine();
    room.run_with("third.json", &["withdraw", "1.json"], "").await.fine();
    let packs = json(&room.path("third.json"))["packs"].clone();
    assert_eq!(packs, Value::Array(vec![old["packs"][0].clone()]));
    // Who came later was never on that roll.
    room.run_with("other.json", &["init"], "").await.fine();
    room.run_with("other.json", &enrol, "").await.fine();
    room.run_with("other.json", &["sign", "1.json", "--name", "everyone"], "")
        .await
        .refused("isn't on the roll of 2026-Q4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_not_everybody_is_shown_are_noticed() {
    let room = Room::new().await;
    room.enrol().await;
    let pool = &room.app.state.db;
    let good = room.epoch().await.epoch;
    let show = |leaf: &daylight::ledger::proof::petition::EpochLeaf| {
        let hash = leaf_hash(&Leaf::Epoch(leaf.clone()).to_bytes().expect("a leaf"));
        sqlx::query("update petition_epoch set leaf = $1, leaf_hash = $2")
            .bind(serde_json::to_value(leaf).expect("JSON"))
            .bind(hash.0.to_vec())
            .execute(pool)
    };
    // One issuer shows keys for this person alone.
    let mut tagged = good.clone();
    tagged.operator.keys.swap(1, 2);
    show(&tagged).await.unwrap();
    room.run(&["fetch"]).await.refused("show different keys");
    // Both do, and the representative even signs them: they still don't stand in the log.
    let tagged = room.played.show(tagged);
    show(&tagged).await.unwrap();
    room.run(&["fetch"]).await.refused("doesn't show that it stands in the log");
    show(&room.played.show(good)).await.unwrap();
    // A log that isn't the one it was.
    let file = room.path("wallet.json");
    let kept = std::fs::read_to_string(&file).unwrap();
    let mut wallet: Value = serde_json::from_str(&kept).unwrap();
    wallet["pinned"]["policy"] = "quorum none\n".into();
    std::fs::write(&file, wallet.to_string()).unwrap();
    room.run(&["fetch"]).await.refused("isn't signed by the key");
    // Another representative than at the first use.
    let mut wallet: Value = serde_json::from_str(&kept).unwrap();
    wallet["pinned"]["representative"]["name"] = "another.example".into();
    std::fs::write(&file, wallet.to_string()).unwrap();
    room.run(&["fetch"]).await.refused("is another than at this wallet's first use");
    assert_eq!(room.app.count("petition_pack").await, 0, "nothing was asked for");
    // They replaced it: only its new key's fingerprint, typed by whoever got it from them, lets it in.
    let mut wallet: Value = serde_json::from_str(&kept).unwrap();
    let key = daylight::ledger::proof::tree::Hash([7; 32]);
    wallet["pinned"]["representative"]["key"] = key.to_string().into();
    std::fs::write(&file, wallet.to_string()).unwrap();
    let now = fingerprint(&room.played.info().public_key);
    room.run(&["fetch"]).await.refused(&now);
    let enrol = ["enrol", "--code", CODE];
    room.run(&enrol).await.refused("use daylight wallet enrol --code CODE --other-key FINGERPRINT");
    let other = fingerprint(&key);
    room.run(&[&enrol[..], &["--other-key", &other]].concat())
        .await
        .refused("is another than at this wallet's first use");
    assert!(room.played.enrolled().is_empty());
    let typed = now.to_lowercase().replace(' ', "-");
    room.run(&[&enrol[..], &["--other-key", &typed]].concat()).await.fine();
    assert_eq!(
        json(&file)["pinned"]["representative"],
        serde_json::from_str::<Value>(&kept).unwrap()["pinned"]["representative"]
    );
    std::fs::write(&file, kept).unwrap();
    room.run(&["fetch"]).await.fine();
    let elsewhere = ["enrol", "--server", "http://council.example"];
    room.run(&elsewhere).await.refused("must begin with https://");
}
