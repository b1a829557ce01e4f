//! An agent as the API sees it: a key, a token, and reports it signs.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daylight::collection::{self, report};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Actor, Reply, TestApp};

pub struct Agent {
    pub id: Uuid,
    pub device_id: Uuid,
    pub token: String,
    pub key: SigningKey,
    pub boot_id: Uuid,
    sender: Actor,
}

impl Agent {
    /// An agent on a new device; through the API, as a real one.
    pub async fn enrol(app: &TestApp, device: &str) -> Self {
        let secret = collection::create_enrolment(&app.state, None, device).await.expect("a secret");
        Self::enrol_with(app, &secret, "acme-agent/4.2").await
    }

    /// An agent of this software, which uses up this secret.
    pub async fn enrol_with(app: &TestApp, secret: &str, software: &str) -> Self {
        let key = SigningKey::from_bytes(&app.state.random.bytes());
        let body = json!({
            "enrolment_secret": secret,
            "public_key": URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes()),
            "software": software,
        });
        let sender = app.visitor();
        let answer = sender.post_json("/api/v1/agents", &body, None).await.assert_status(201).json();
        let id = |name: &str| answer[name].as_str().and_then(|t| t.parse().ok()).expect("an id");
        Agent {
            id: id("agent_id"),
            device_id: id("device_id"),
            token: answer["token"].as_str().expect("a token").into(),
            key,
            boot_id: app.state.random.uuid(app.state.clock.now()),
            sender,
        }
    }

    /// An agent whose device is this person's from now on, as they say themselves.
    pub async fn of(app: &TestApp, person: Uuid) -> Self {
        let number = u32::from_be_bytes(app.state.random.bytes());
        let agent = Self::enrol(app, &format!("laptop {number:08x} of {person}")).await;
        let assignment =
            collection::assign(&app.state, None, agent.device_id, person).await.expect("assigned");
        collection::confirm_device(&app.state, person, assignment).await.expect("confirmed");
        agent
    }

    /// A report's fields: `seq`, the window in minutes after the tests' start, and items.
    pub fn fields(&self, seq: u64, prev: Option<&str>, minutes: (i64, i64), items: Value) -> Value {
        json!({
            "schema": "collection-report/1",
            "report_id": Uuid::from_u128(u128::from(seq) + 1),
            "agent_id": self.id, "boot_id": self.boot_id, "seq": seq, "prev_hash": prev,
            "device_id": self.device_id,
            "window": { "start": minute(minutes.0), "end": minute(minutes.1) },
            "produced_at": minute(minutes.1),
            "items": items,
        })
    }

    pub fn sign(&self, fields: &Value) -> Value {
        report::sign(fields.as_object().expect("an object").clone(), &self.key).expect("signed").0
    }

    pub async fn post(&self, report: &Value) -> Reply {
        self.sender.post_json("/api/v1/collection-reports", report, Some(&self.token)).await
    }

    /// Signs and sends.
    pub async fn send(&self, fields: &Value) -> Reply {
        self.post(&self.sign(fields)).await
    }
}

/// A moment so many minutes after the tests' start.
pub fn minute(n: i64) -> String {
    let start: jiff::Timestamp = super::START.parse().expect("a timestamp");
    (start + jiff::SignedDuration::from_mins(n)).to_string()
}

/// Records of a category in a window of the same minutes.
pub fn item(category: &str, granularity: &str, count: u32, minutes: (i64, i64)) -> Value {
    let mut item = json!({
        "category": category, "granularity": granularity, "source": "acme-agent/4.2",
        "collected": { "count": count, "bytes": u64::from(count) * 10 },
    });
    if count > 0 {
        item["first_observed"] = json!(minute(minutes.0));
        item["last_observed"] = json!(minute(minutes.1));
    }
    item
}
