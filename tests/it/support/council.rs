//! A dashboard and a representative's own server, both served on ports of their own, and colleagues with wallets.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use daylight::credentials::holder::{Holder, Pack};
use daylight::credentials::seed::Seed;
use daylight::credentials::wire::{EpochInfo, PackResponse, WalletInfo};
use daylight::ledger::proof::petition::IssuerRole;
use daylight::representative::{Options, Representative};
use daylight::web::Role;
use reqwest::Method;
use scraper::{Html, Selector};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use uuid::Uuid;

use super::petition::{GROUP, OPERATOR, REPRESENTATIVE, token_keys};
use super::{Actor, Reply, TestApp, encode, fresh_folder};

/// The dashboard's issuer name: host and port of its address.
const HERE: &str = "127.0.0.1:8080";

/// A worker at the dashboard, with a wallet.
pub struct Colleague {
    pub actor: Actor,
    pub name: String,
    pub worker_ref: Uuid,
    pub holder: Holder,
    pub pack: Pack,
}

pub struct Council {
    pub app: TestApp,
    pub dashboard: String,
    pub url: String,
    pub folder: PathBuf,
    pub colleagues: Vec<Colleague>,
    /// Where it runs in this process.
    pub server: Option<Representative>,
    child: Option<Child>,
    log: PathBuf,
    cookie: Mutex<Option<String>>,
}

async fn bind() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, url)
}

fn serve(listener: TcpListener, router: Router) {
    tokio::spawn(async move { axum::serve(listener, router).await });
}

impl Council {
    /// The representative's server in this process, on the test's clock, with a session but not connected.
    pub async fn new(workers: usize) -> Self {
        let mut council = Self::dashboard(workers).await;
        let (listener, url) = bind().await;
        let options = Options {
            name: REPRESENTATIVE.into(),
            dashboard: council.dashboard.clone(),
            public_url: url.clone(),
            listen: listener.local_addr().expect("an address"),
            folder: council.folder.clone(),
            interval: Duration::from_secs(30),
        };
        let state = &council.app.state;
        let server = Representative::open(options, state.clock.clone(), state.random.clone());
        let server = server.expect("the representative's server");
        serve(listener, server.router());
        council.url = url;
        let link = server.make_link().expect("a link");
        council.server = Some(server);
        council.sign_in(&link).await;
        council
    }

    /// The same as a process of its own, as `daylight representative` runs it.
    pub async fn apart(workers: usize) -> Self {
        let mut council = Self::dashboard(workers).await;
        let (listener, url) = bind().await;
        drop(listener);
        council.url = url;
        council.start().await;
        council
    }

    /// Starts the process, and signs in by the link that it prints.
    pub async fn start(&mut self) {
        let listen = self.url.trim_start_matches("http://");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log).expect("a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_daylight"))
            .args(["representative", "--name", REPRESENTATIVE, "--interval", "1"])
            .args(["--dashboard", &self.dashboard, "--public-url", &self.url, "--listen", listen])
            .arg("--state")
            .arg(&self.folder)
            .env("LOG_LEVEL", "debug")
            .stdout(Stdio::piped())
            .stderr(Stdio::from(log))
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let link = loop {
            let line = lines.next_line().await.expect("text").expect("the link is printed");
            if line.contains("/link/") {
                break line.trim().to_owned();
            }
        };
        self.child = Some(child);
        self.sign_in(&link).await;
    }

    /// Ends the process without a warning.
    pub async fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().await.expect("it ends");
    }

    async fn dashboard(workers: usize) -> Self {
        let app = TestApp::new().await;
        app.state.ledger.settle().await.expect("the log opens");
        let (listener, dashboard) = bind().await;
        serve(listener, app.router.clone());
        let folder = fresh_folder().join("representative");
        let _ = token_keys(IssuerRole::Operator).write(app.state.petitions.folder(), "next");
        let _ = token_keys(IssuerRole::Representative).write(&folder.join("keys"), "next");
        assert_ne!(OPERATOR, REPRESENTATIVE);
        let mut council = Council {
            dashboard,
            url: String::new(),
            log: folder.with_extension("log"),
            folder,
            colleagues: Vec::new(),
            server: None,
            child: None,
            cookie: Mutex::default(),
            app,
        };
        for n in 0..workers {
            council.hire(n as u8).await;
        }
        council
    }

    /// A new worker whose key the dashboard knows.
    pub async fn hire(&mut self, n: u8) {
        let actor = self.app.actor(Role::Worker).await;
        let holder = Holder { seed: Seed([n + 1; 32]), origin: self.app.state.config.log_origin.clone() };
        let info: WalletInfo =
            serde_json::from_str(&actor.get("/api/v1/me/wallet").await.assert_status(200).body)
                .expect("JSON");
        let request = holder.enrol(HERE, info.worker_ref, None);
        actor.post_json("/api/v1/me/wallet", &json!(request), None).await.assert_status(200);
        let pack = Pack {
            epoch: String::new(),
            group: GROUP.into(),
            index: 0,
            operator: Vec::new(),
            representative: Vec::new(),
        };
        let (name, worker_ref) = (info.name, info.worker_ref);
        self.colleagues.push(Colleague { actor, name, worker_ref, holder, pack });
    }

    /// Everything that the process wrote.
    pub fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    async fn sign_in(&mut self, link: &str) {
        let path = link.strip_prefix(&self.url).expect("a link to this server").to_owned();
        *self.cookie.lock().expect("free") = None;
        self.get(&path).await.assert_status(200);
        self.post(&path, &[]).await.assert_status(303);
        assert!(self.cookie.lock().expect("free").is_some(), "a session");
    }

    pub fn forget_cookie(&self) -> Option<String> {
        self.cookie.lock().expect("free").take()
    }

    pub fn set_cookie(&self, cookie: Option<String>) {
        *self.cookie.lock().expect("free") = cookie;
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Reply {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let client = client.build().expect("a client");
        let mut request = client.request(method, format!("{}{path}", self.url)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookie = self.cookie.lock().expect("free").clone();
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        for value in headers.get_all("set-cookie").iter().filter_map(|v| v.to_str().ok()) {
            let pair = value.split(';').next().unwrap_or_default();
            *self.cookie.lock().expect("free") = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        Reply { status, headers, body: answer.text().await.expect("text") }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], String::new()).await
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let pairs = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        let kind = ("content-type", "application/x-www-form-urlencoded");
        self.send(Method::POST, path, &[kind, ("sec-fetch-site", "same-origin")], body).await
    }

    /// As a page of the dashboard sends it.
    pub async fn post_json(&self, path: &str, body: &Value) -> Reply {
        let headers = [("content-type", "application/json"), ("origin", self.dashboard.as_str())];
        self.send(Method::POST, path, &headers, body.to_string()).await
    }

    /// Connects both sides, as a representative does on both pages.
    pub async fn connect(&self) {
        let shown = self.get("/issuer").await.assert_status(200).json();
        let key = shown["public_key"].as_str().expect("a key").to_owned();
        let fields = [
            ("url", self.url.as_str()),
            ("run_by", "the works council"),
            ("public_key", key.as_str()),
            ("compared", "yes"),
        ];
        let actor = self.app.actor(Role::Representative).await;
        let reply = actor.post("/petitions/representative", &fields).await.assert_status(200);
        let token = reply.select("#token").into_iter().next().expect("the token is shown");
        self.post("/connect", &[("token", &token)]).await.assert_status(303);
    }

    /// A round with the dashboard, or time for one.
    pub async fn round(&self) {
        match &self.server {
            Some(server) => server.tick().await.expect("the round succeeds"),
            None => tokio::time::sleep(Duration::from_millis(1_500)).await,
        }
    }

    /// Codes by name, from the table that is saved.
    pub async fn codes(&self) -> Vec<(String, String)> {
        let table = self.post("/codes", &[("as", "csv")]).await.assert_status(200).body;
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        let rows = reader.records().map(|row| row.expect("a row"));
        rows.map(|row| (row[0].to_owned(), row[2].to_owned())).collect()
    }

    /// Makes the key of a colleague known with this code.
    pub async fn enrol(&self, n: usize, code: &str) -> Reply {
        let Colleague { holder, worker_ref, .. } = &self.colleagues[n];
        let request = holder.enrol(REPRESENTATIVE, *worker_ref, Some(code.into()));
        self.post_json("/enrol", &json!(request)).await
    }

    /// Looks at the roll and signs it.
    pub async fn countersign(&self) -> Reply {
        let page = self.get("/roll").await.assert_status(200).body;
        let root = Html::parse_document(&page)
            .select(&Selector::parse("input[name=seen]").expect("a selector"))
            .find_map(|input| input.attr("value").map(str::to_owned));
        self.post("/roll/countersign", &[("seen", &root.unwrap_or_default()), ("looked", "yes")]).await
    }

    /// From strangers to an epoch with codes used by everybody.
    pub async fn begin(&self) {
        self.connect().await;
        self.round().await;
        let codes = self.codes().await;
        for (n, colleague) in self.colleagues.iter().enumerate() {
            let code = codes.iter().find(|(name, _)| *name == colleague.name).map(|(_, code)| code.clone());
            self.enrol(n, &code.expect("a code")).await.assert_status(200);
        }
        self.round().await;
        self.countersign().await.assert_status(303);
        self.round().await;
    }

    pub async fn epoch(&self) -> EpochInfo {
        serde_json::from_str(&self.get("/epoch").await.assert_status(200).body).expect("an epoch")
    }

    /// Asks both issuers for a colleague's pack.
    pub async fn fetch_pack(&mut self, n: usize) {
        let epoch = self.epoch().await.epoch;
        let place = self.get(&format!("/places/{}", self.colleagues[n].holder.identity())).await;
        let index = place.assert_status(200).json()["index"].as_u64().expect("a place");
        let mut pack = self.colleagues[n].pack.clone();
        (pack.epoch, pack.index) = (epoch.epoch.clone(), index);
        for role in IssuerRole::BOTH {
            let asked = self.colleagues[n].holder.ask(&epoch, role, index).expect("a request");
            let reply = match role {
                IssuerRole::Representative => self.post_json("/packs", &json!(asked.request)).await,
                IssuerRole::Operator => {
                    let visitor = self.app.visitor();
                    visitor.post_json("/api/v1/petitions/packs", &json!(asked.request), None).await
                }
            };
            let answer: PackResponse = serde_json::from_str(&reply.assert_status(200).body).expect("JSON");
            let tokens = asked.finish(&answer).expect("the tokens verify");
            match role {
                IssuerRole::Operator => pack.operator = tokens,
                IssuerRole::Representative => pack.representative = tokens,
            }
        }
        self.colleagues[n].pack = pack;
    }

    /// Bytes of the store and of everything beside it.
    pub fn store(&self) -> Vec<u8> {
        std::fs::read(Path::new(&self.folder).join("representative.redb")).expect("the store")
    }
}
