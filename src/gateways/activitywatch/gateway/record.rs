//! Buckets, heartbeats and events: judged, written anew and passed on.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Adapter;
use super::answers::{self, Answer};
use super::collector::Taken;
use super::event::{self, Event};
use super::memory::Description;
use crate::gateways::gate::device::Turn;

impl Adapter {
    /// A bucket's description: three names, and nothing else that a watcher may put there. They are kept here until
    /// something of the bucket may pass: they say that somebody is watched, and by what. Acknowledged in any case:
    /// without its bucket, the client would keep all that comes in a queue on the disk.
    pub(super) async fn describe_bucket(&self, id: &str, value: Value) -> Answer {
        let Value::Object(mut fields) = value else { return self.not_a_bucket().await };
        let Some(description) = Description::read(&mut fields) else { return self.not_a_bucket().await };
        // ActivityWatch writes the time when it makes the bucket. Python's watchers say the name twice.
        fields.retain(|key, value| key != "created" && (key != "id" || value.as_str() != Some(id)));
        let strange = event::size(fields.into_iter());
        if strange > 0 {
            let source = self.collector().source().await;
            let mut turn = self.site.turn();
            turn.refuse(event::unknown(strange), &source);
            turn.done();
        }
        self.memory.want(id, &description);
        answers::json(StatusCode::OK, &json!({}))
    }

    async fn not_a_bucket(&self) -> Answer {
        let address = super::Address::Import;
        self.refuse_unread(&address, StatusCode::BAD_REQUEST).await
    }

    pub(super) async fn heartbeat(&self, bucket: &str, query: &str, value: Value) -> Answer {
        let collector = self.collector();
        let source = collector.source().await;
        let Some(event) = Event::read(value) else {
            let mut turn = self.site.turn();
            turn.refuse(event::unknown(0), &source);
            turn.done();
            return answers::json(StatusCode::OK, &Value::Null);
        };
        let kind = collector.kind(bucket, std::iter::once(&event.data)).await;
        let mut turn = self.site.turn();
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
        if taken.is_ok() || taken.is_err_and(|failure| failure.may_have_arrived) {
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
        let source = collector.source().await;
        let list = match value {
            Value::Array(list) => list,
            single => vec![single],
        };
        let data = list.iter().filter_map(|event| event["data"].as_object());
        let kind = collector.kind(bucket, data).await;
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
    turn: &mut Turn,
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
pub(super) fn close(turn: Turn, taken: Taken, success: &Value) -> Answer {
    let Err(failure) = taken else {
        turn.done();
        return answers::json(StatusCode::OK, success);
    };
    let hears_of_it = !turn.has_refused();
    if failure.may_have_arrived {
        turn.done();
    } else if failure.is_too_late || !hears_of_it {
        // Too late for its sender, too, which has given up waiting.
        turn.lost();
    }
    match hears_of_it {
        true => answers::failed(failure.status),
        false => answers::json(StatusCode::OK, success),
    }
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
