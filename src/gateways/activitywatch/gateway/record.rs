//! Buckets, heartbeats and events: judged, written anew and passed on.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::Adapter;
use super::answers::{self, Answer};
use super::collector::Taken;
use super::event::{self, Event};
use super::memory::Description;
use crate::gateways::gate::device::Turn;

impl Adapter {
    /// A bucket's description: three names, and nothing else that a watcher may put there.
    pub(super) async fn describe_bucket(&self, id: &str, method: &Method, value: Value) -> Answer {
        let collector = self.collector();
        let source = collector.source().await;
        let Value::Object(mut fields) = value else { return self.not_a_bucket().await };
        let Some(description) = Description::read(&mut fields) else { return self.not_a_bucket().await };
        let created = fields.remove("created").and_then(|created| event::time(&created));
        // Python's watchers say the name twice.
        fields.retain(|key, value| key != "id" || value.as_str() != Some(id));
        let strange = event::size(fields.into_iter());
        let mut turn = self.site.turn();
        if strange > 0 {
            turn.refuse(event::unknown(strange), &source);
        }
        let mut body = description.to_json();
        if let Some(created) = created {
            body["created"] = json!(created);
        }
        let puts = method == Method::PUT;
        if puts {
            // Python's server asks for it, and takes nothing for "as it is".
            body["data"] = Value::Null;
        }
        let taken = collector.write(method.clone(), &["buckets", id], &[], &body).await;
        if !puts || taken.is_ok() {
            self.memory.want(id, &description);
        }
        match taken {
            Err(Some(StatusCode::NOT_MODIFIED)) => {
                turn.done();
                answers::not_modified()
            }
            Err(status) if puts => close(turn, Err(status), &json!({})),
            // Also when ActivityWatch is away, which gets it with the first record: without its bucket, the client would
            // keep all that comes in a queue on the disk, whatever somebody says no to.
            taken => close(turn, taken.or(Ok(())), &json!({})),
        }
    }

    async fn not_a_bucket(&self) -> Answer {
        let address = super::Address::Import;
        self.refuse_unread(&address, StatusCode::BAD_REQUEST).await
    }

    pub(super) async fn heartbeat(&self, bucket: &str, query: &str, value: Value) -> Answer {
        let collector = self.collector();
        let (source, kind) = (collector.source().await, collector.kind(bucket).await);
        let mut turn = self.site.turn();
        let Some(event) = Event::read(value) else {
            turn.refuse(event::unknown(0), &source);
            turn.done();
            return answers::json(StatusCode::OK, &Value::Null);
        };
        let asked = pulsetime(query);
        let verdict = event.judge(&kind, &turn, &source);
        let (reach, window) = (event.reach(&verdict, asked), self.site.device.window());
        let span = (event.from, event.to);
        let passed = self.memory.continues(bucket, 0, &verdict.passes, span, reach, window);
        let refused = self.memory.continues(bucket, 1, &verdict.refused, span, asked, window);
        event.note(&verdict, [passed.1, refused.1], &mut turn, &source);
        let taken = match event.rest(&verdict, turn.now) {
            None => Ok(()),
            Some(rest) => {
                let pulse = [("pulsetime", reach.to_string())];
                let pulse = pulse.each_ref().map(|(name, value)| (*name, value.as_str()));
                collector.record(bucket, "heartbeat", &pulse, &rest).await
            }
        };
        if taken.is_ok() {
            if !verdict.passes.is_empty() {
                self.memory.remember(bucket, 0, passed.0);
            }
            if !verdict.refused.is_empty() {
                self.memory.remember(bucket, 1, refused.0);
            }
        }
        close(turn, taken, &event.echo())
    }

    /// One event, or a list of them.
    pub(super) async fn events(&self, bucket: &str, value: Value) -> Answer {
        let collector = self.collector();
        let (source, kind) = (collector.source().await, collector.kind(bucket).await);
        let list = match value {
            Value::Array(list) => list,
            single => vec![single],
        };
        let mut turn = self.site.turn();
        let rest: Vec<Value> =
            list.into_iter().filter_map(|event| judge(event, &kind, &mut turn, &source)).collect();
        let taken = match rest.is_empty() {
            true => Ok(()),
            false => collector.record(bucket, "events", &[], &Value::Array(rest)).await,
        };
        close(turn, taken, &Value::Null)
    }
}

/// Counts an event that stands for itself, and answers what of it goes on.
pub(super) fn judge(
    value: Value,
    kind: &str,
    turn: &mut Turn<'_>,
    source: &crate::collection::report::Source,
) -> Option<Value> {
    let Some(event) = Event::read(value) else {
        turn.refuse(event::unknown(0), source);
        return None;
    };
    let verdict = event.judge(kind, turn, source);
    event.note(&verdict, [false, false], turn, source);
    event.rest(&verdict, turn.now)
}

/// Ends the turn as the sender will hear of it: one whose event was refused in part hears of no failure, because it
/// would keep the event for later or write it into its log.
pub(super) fn close(turn: Turn<'_>, taken: Taken, success: &Value) -> Answer {
    match taken {
        Ok(()) => turn.done(),
        Err(_) if turn.has_refused() => turn.lost(),
        Err(status) => return answers::failed(status),
    }
    answers::json(StatusCode::OK, success)
}

/// Seconds within which equal heartbeats grow together; none at all when it isn't said clearly and once.
fn pulsetime(query: &str) -> f64 {
    let mut said =
        query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(name, _)| *name == "pulsetime");
    let seconds = said.next().and_then(|(_, value)| value.parse::<f64>().ok());
    let plain = said.next().is_none() && !query.contains(['%', '+', ';']);
    seconds.filter(|seconds| plain && (0.0..=86_400.0).contains(seconds)).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heartbeats_grow_together_only_when_it_is_said_clearly() {
        assert_eq!([pulsetime("pulsetime=5"), pulsetime("pulsetime=11.0&x=1")], [5.0, 11.0]);
        for odd in [
            "",
            "pulsetime",
            "pulsetime=",
            "pulsetime=-1",
            "pulsetime=nan",
            "pulsetime=inf",
            "pulsetime=1e300",
            "pulsetime=5&pulsetime=9",
            "pulsetime=5&%70ulsetime=9",
            "pulsetime=5;pulsetime=9",
        ] {
            assert_eq!(pulsetime(odd), 0.0, "{odd}");
        }
    }
}
