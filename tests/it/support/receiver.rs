//! Another system: registers here, and receives messages, which it checks with code of its own.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Actor, Reply, TestApp, encode};

/// A system as its keeper knows it.
pub struct System {
    pub id: Uuid,
    pub token: String,
    pub secret: String,
}

/// Registers a system through the administrator's page.
pub async fn register(
    app: &TestApp,
    admin: &Actor,
    name: &str,
    processings: &[Uuid],
    webhook: &str,
) -> System {
    let reply = fill_in(admin, name, processings, webhook).await.assert_status(200);
    let id = sqlx::query_scalar("select id from system where name = $1").bind(name);
    let id: Uuid = id.fetch_one(&app.state.db).await.expect("the system");
    let rep = app.actor(daylight::web::Role::Representative).await;
    rep.post(&format!("/systems/{id}/approve"), &[]).await.assert_status(303);
    let shown = |css: &str| reply.select(css).into_iter().next().unwrap_or_default();
    System { id, token: shown("#token"), secret: shown("#secret") }
}

pub async fn fill_in(admin: &Actor, name: &str, processings: &[Uuid], webhook: &str) -> Reply {
    let ids: Vec<String> = processings.iter().map(Uuid::to_string).collect();
    let mut fields = vec![("name", name), ("purpose", "Plans the shifts"), ("webhook", webhook)];
    fields.extend(ids.iter().map(|id| ("processings", id.as_str())));
    admin.post("/systems", &fields).await
}

impl System {
    /// What it is answered about somebody.
    pub async fn ask(&self, at: &Actor, subject: Uuid, query: &[(&str, &str)]) -> Reply {
        let query: String = query.iter().map(|(n, v)| format!("&{}={}", encode(n), encode(v))).collect();
        let request = axum::http::Request::get(format!("/api/v1/decision?subject={subject}{query}"))
            .header("authorization", format!("Bearer {}", self.token));
        at.send(request, axum::body::Body::empty()).await
    }
}

/// A message that came.
#[derive(Debug, Clone)]
pub struct Received {
    pub id: String,
    pub timestamp: i64,
    pub signature: String,
    pub body: String,
}

impl Received {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    /// HMAC as RFC 2104 writes it, over what Standard Webhooks says.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("whsec_")).expect("base64");
        let pad =
            |byte: u8| -> Vec<u8> { (0..64).map(|i| key.get(i).copied().unwrap_or(0) ^ byte).collect() };
        let said = format!("{}.{}.{}", self.id, self.timestamp, self.body);
        let inner = Sha256::digest([pad(0x36), said.into_bytes()].concat());
        let outer = Sha256::digest([pad(0x5c), inner.to_vec()].concat());
        self.signature == format!("v1,{}", STANDARD.encode(outer))
    }
}

/// An HTTP server that keeps what it gets, tests apart.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    pub port: u16,
    got: Arc<Mutex<Vec<Received>>>,
    /// What is answered next; when empty, 204.
    pub answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Receiver {
    /// Listens on a free port until the process ends.
    pub fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").expect("a free port"))
    }

    pub fn on(listener: TcpListener) -> Self {
        let port = listener.local_addr().expect("an address").port();
        let url = format!("http://127.0.0.1:{port}/hook?key=zz-secret-query-zz");
        let receiver = Receiver { url, port, got: Arc::default(), answers: Arc::default() };
        let server = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(stream));
            }
        });
        receiver
    }

    pub fn answer(&self, statuses: &[u16]) {
        self.answers.lock().expect("held for a moment only").extend(statuses);
    }

    pub fn got(&self) -> Vec<Received> {
        let all = self.got.lock().expect("held for a moment only").clone();
        all.into_iter().filter(|m| m.json()["type"] != "webhook.test").collect()
    }

    pub fn tests(&self) -> Vec<Received> {
        let all = self.got.lock().expect("held for a moment only").clone();
        all.into_iter().filter(|m| m.json()["type"] == "webhook.test").collect()
    }

    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream.try_clone().ok()?);
        loop {
            let mut headers = std::collections::HashMap::new();
            let mut first = String::new();
            if lines.read_line(&mut first).ok()? == 0 {
                return None;
            }
            loop {
                let mut line = String::new();
                lines.read_line(&mut line).ok()?;
                let Some((name, value)) = line.trim().split_once(':') else { break };
                headers.insert(name.to_lowercase(), value.trim().to_owned());
            }
            let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
            lines.read_exact(&mut body).ok()?;
            let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
            let message = Received {
                id: header("webhook-id"),
                timestamp: header("webhook-timestamp").parse().unwrap_or(0),
                signature: header("webhook-signature"),
                body: String::from_utf8(body).ok()?,
            };
            let is_test = message.json()["type"] == "webhook.test";
            self.got.lock().expect("held for a moment only").push(message);
            let next = if is_test { None } else { self.answers.lock().expect("held").pop_front() };
            let more = if next == Some(302) { "Location: /elsewhere\r\n" } else { "" };
            let answer = format!("HTTP/1.1 {} Fine\r\n{more}Content-Length: 0\r\n\r\n", next.unwrap_or(204));
            stream.write_all(answer.as_bytes()).ok()?;
        }
    }
}
