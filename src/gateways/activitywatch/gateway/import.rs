//! Whole exports that are given back: as JSON, or as the files of a form.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use axum::http::{StatusCode, header};
use serde_json::{Map, Value, json};

use super::answers::{self, Answer};
use super::event;
use super::memory::Description;
use super::path::is_name;
use super::record::{close, judge};
use super::{Adapter, Address, IMPORT_LIMIT, Writing, json as strict};
use crate::collection::report::Source;
use crate::gateways::gate::device::Turn;

impl Adapter {
    /// Each file of a form is an export, whatever its field is called; ActivityWatch reads them all.
    pub(super) async fn import_form(&self, writing: Writing) -> Answer {
        let mut request = Request::new(Body::from(writing.body));
        if let Ok(kind) = writing.content_type.parse() {
            request.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        DefaultBodyLimit::max(IMPORT_LIMIT).apply(&mut request);
        match exports(request).await {
            Some(exports) => self.import(exports).await,
            None => self.refuse_unread(&Address::Import, StatusCode::BAD_REQUEST).await,
        }
    }

    pub(super) async fn import(&self, exports: Vec<Value>) -> Answer {
        let collector = self.collector();
        let source = collector.source().await;
        let mut turn = self.site.turn();
        let mut rest = BTreeMap::new();
        for export in exports {
            let known = match export {
                Value::Object(mut fields) if fields.len() == 1 => fields.remove("buckets"),
                _ => None,
            };
            let Some(Value::Object(buckets)) = known else {
                turn.refuse(event::unknown(0), &source);
                continue;
            };
            for (id, bucket) in buckets {
                match judge_bucket(&id, bucket, &mut turn, &source) {
                    // Two of one name: nobody knows which one counts behind the gateway.
                    Some(_) if rest.contains_key(&id) => turn.refuse(event::unknown(0), &source),
                    Some(bucket) => drop(rest.insert(id, bucket)),
                    None => {}
                }
            }
        }
        if rest.is_empty() {
            return close(turn, Ok(()), &Value::Null);
        }
        match collector.there().await {
            // ActivityWatch would empty it first, or fail halfway.
            Ok(there) if rest.keys().any(|id| there.contains_key(id)) => {
                return answers::said(
                    StatusCode::CONFLICT,
                    "A bucket of this name is there already; an import would overwrite it. Nothing was imported.",
                );
            }
            Ok(_) => {}
            Err(failure) => return close(turn, Err(failure), &Value::Null),
        }
        let taken = collector.post(&["import"], &[], &json!({ "buckets": rest })).await;
        close(turn, taken, &Value::Null)
    }
}

/// The bucket with what may go on; `None` when nothing of it may.
fn judge_bucket(id: &str, bucket: Value, turn: &mut Turn, source: &Source) -> Option<Value> {
    let whole = bucket.to_string().len() as u64;
    let Some((description, mut fields)) = read(id, bucket) else {
        turn.refuse(event::unknown(whole), source);
        return None;
    };
    let created = fields.remove("created").and_then(|created| event::time(&created)).unwrap_or(turn.now);
    let events = match fields.remove("events") {
        Some(Value::Array(events)) => events,
        None => Vec::new(),
        Some(_) => {
            turn.refuse(event::unknown(whole), source);
            return None;
        }
    };
    // ActivityWatch's own exports have these, and they say nothing that the events don't.
    let own = BTreeSet::from(["metadata", "last_updated"]);
    fields.retain(|key, value| !own.contains(key.as_str()) && (key != "name" || value.as_str() != Some(id)));
    let strange = event::size(fields.into_iter());
    if strange > 0 {
        turn.refuse(event::unknown(strange), source);
    }
    let events: Vec<Value> =
        events.into_iter().filter_map(|event| judge(event, &description.kind, turn, source)).collect();
    let mut rest = description.to_json();
    rest["id"] = id.into();
    rest["created"] = json!(created);
    rest["events"] = Value::Array(events);
    (!rest["events"].as_array()?.is_empty()).then_some(rest)
}

/// A bucket that is called the same inside as outside: ActivityWatch believes the inside.
fn read(id: &str, bucket: Value) -> Option<(Description, Map<String, Value>)> {
    let Value::Object(mut fields) = bucket else { return None };
    let same = match fields.remove("id") {
        None => true,
        Some(inside) => inside.as_str() == Some(id),
    };
    let description = Description::read(&mut fields)?;
    (same && is_name(id)).then_some((description, fields))
}

/// What a form's files hold; `None` when one of its parts can't be read.
async fn exports(request: Request) -> Option<Vec<Value>> {
    let mut form = Multipart::from_request(request, &()).await.ok()?;
    let mut exports = Vec::new();
    while let Some(part) = form.next_field().await.ok()? {
        exports.push(strict::read(&part.bytes().await.ok()?)?);
    }
    Some(exports)
}
