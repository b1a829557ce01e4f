//! ActivityWatch's REST API as its watchers use it, and nothing else of it.
//!
//! Watchers describe their buckets and send heartbeats, events or whole exports. Each is read ([`json`], [`event`]),
//! judged key by key, and written anew from what was understood ([`record`], [`import`]). Nothing is ever read back but
//! what ActivityWatch is and which buckets it has ([`collector`]): recordings stay behind the gateway, and what was
//! recorded is neither deleted nor overwritten through it. An answer never holds more than the sender's own words.
//!
//! **Why a drop looks like a success:** ActivityWatch's client keeps what it can't deliver in a queue on the disk, and
//! writes whatever is refused into its log.

mod answers;
mod collector;
mod cors;
mod event;
mod import;
mod json;
mod memory;
mod path;
mod record;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use serde_json::Value;

use self::answers::Answer;
use self::collector::Collector;
use self::memory::Memory;
use self::path::Address;
use crate::clock::Random;
use crate::gateways::gate::body;
use crate::gateways::gate::device::Site;

/// Bytes of one request: ten thousand events and more.
const LIMIT: usize = 4 * 1024 * 1024;
/// Bytes of an import, which is a whole history. It is held in memory while it is read.
const IMPORT_LIMIT: usize = 32 * 1024 * 1024;

struct Adapter {
    site: Arc<Site>,
    memory: Memory,
}

/// One request to write, read whole.
struct Writing {
    address: Address,
    query: String,
    content_type: String,
    body: Vec<u8>,
}

pub(in crate::gateways) fn router(site: Arc<Site>, random: Random) -> Router {
    let adapter = Arc::new(Adapter { site, memory: Memory::new(&random) });
    Router::new().fallback(answer).with_state(adapter)
}

async fn answer(State(adapter): State<Arc<Adapter>>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let address = Address::find(parts.uri.path());
    let Ok(origin) = cors::origin(&parts.headers) else {
        return answers::said(StatusCode::FORBIDDEN, "The gateway is for watchers, not for web pages.");
    };
    let allowed = match address {
        Address::Info | Address::Buckets => "GET, HEAD, OPTIONS",
        Address::Bucket(_) => "GET, HEAD, POST, PUT, OPTIONS",
        Address::Events(_) | Address::Heartbeat(_) | Address::Import => "POST, OPTIONS",
        Address::Recordings => return cors::admit(origin, answers::no_recordings(StatusCode::NOT_FOUND)),
        Address::Unknown => return cors::admit(origin, answers::unknown_address()),
    };
    let method = parts.method.clone();
    let answer = match (allowed.split(", ").any(|known| known == method.as_str()), method) {
        (true, Method::OPTIONS) => cors::preflight(allowed),
        (true, Method::GET | Method::HEAD) => adapter.collector().describe(&address).await,
        (true, _) => {
            let query = parts.uri.query().unwrap_or_default().to_owned();
            adapter.write(address, query, &parts.headers, body).await
        }
        (false, method) => answers::not_so(allowed, method == Method::DELETE),
    };
    cors::admit(origin, answer)
}

impl Adapter {
    fn collector(&self) -> Collector<'_> {
        Collector::new(&self.site, &self.memory)
    }

    async fn write(
        self: Arc<Self>,
        address: Address,
        query: String,
        headers: &HeaderMap,
        body: axum::body::Body,
    ) -> Answer {
        let limit = if address == Address::Import { IMPORT_LIMIT } else { LIMIT };
        let content_type = single(headers).unwrap_or_default().to_owned();
        // The policy isn't held while a slow sender is waited for.
        let body = body::read(headers, body, limit).await;
        // What may be on its way to ActivityWatch is waited for and counted, whether or not its sender still listens.
        let site = self.site.clone();
        let work = site.device.run(async move {
            match body {
                Ok(body) => self.judge(Writing { address, query, content_type, body }).await,
                Err(body::Unread::Broken) => {
                    answers::said(StatusCode::BAD_REQUEST, "The body ended too early.")
                }
                Err(unread) => self.refuse_unread(&address, unread.status()).await,
            }
        });
        work.await.unwrap_or_else(|_| answers::said(StatusCode::INTERNAL_SERVER_ERROR, "The gateway failed."))
    }

    async fn judge(&self, writing: Writing) -> Answer {
        let kind = writing.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if writing.address == Address::Import && kind == "multipart/form-data" {
            return self.import_form(writing).await;
        }
        // ActivityWatch takes nothing else either.
        if kind != "application/json" {
            return self.refuse_unread(&writing.address, StatusCode::UNSUPPORTED_MEDIA_TYPE).await;
        }
        let value = json::read(&writing.body);
        match (&writing.address, value) {
            (address, None) => self.refuse_unread(address, StatusCode::BAD_REQUEST).await,
            (Address::Bucket(id), Some(value)) => self.describe_bucket(id, value).await,
            (Address::Heartbeat(id), Some(value)) => self.heartbeat(id, &writing.query, value).await,
            (Address::Events(id), Some(value)) => self.events(id, value).await,
            (Address::Import, Some(value)) => self.import(vec![value]).await,
            _ => answers::unknown_address(),
        }
    }

    /// Counts what can't be read, and drops it. Heartbeats and events are acknowledged: their senders would keep them.
    async fn refuse_unread(&self, address: &Address, status: StatusCode) -> Answer {
        let source = self.collector().source().await;
        let mut turn = self.site.turn();
        turn.refuse(event::unknown(0), &source);
        turn.done();
        match address {
            Address::Heartbeat(_) | Address::Events(_) => answers::json(StatusCode::OK, &Value::Null),
            _ => answers::said(
                status,
                "The gateway can't read this, and passes nothing on that it can't read.",
            ),
        }
    }
}

impl Collector<'_> {
    /// What may be read: what ActivityWatch is, and which buckets it has.
    async fn describe(&self, address: &Address) -> Answer {
        let described = match address {
            Address::Info => self.info().await.map(Some),
            Address::Buckets => self.buckets().await.map(|list| Some(list.into())),
            Address::Bucket(id) => self.buckets().await.map(|mut list| list.remove(id)),
            _ => return answers::unknown_address(),
        };
        match described {
            Ok(Some(value)) => answers::json(StatusCode::OK, &value),
            Ok(None) => answers::failed(Some(StatusCode::NOT_FOUND)),
            Err(failure) => answers::failed(failure.status),
        }
    }
}

/// The body's kind, when it is said once.
fn single(headers: &HeaderMap) -> Option<&str> {
    let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
    let kind = kinds.next()?.to_str().ok()?;
    kinds.next().is_none().then_some(kind)
}
