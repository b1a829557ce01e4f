//! How many messages a request is made of, before memory is given to them: two bytes are an empty span, which takes some
//! hundred when it is read.

use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// Records, measurements, events, links, examples, attributes, elements of lists: what an SDK sends at once, 512 records
/// by default, has room for some fifty attributes each.
const MOST: usize = 30_000;
/// As deep as they may stand in each other; readers don't go deeper.
const DEEPEST: u8 = 100;

/// Whether it is made of no more than may be. `None`: it isn't written as it should be.
pub(super) fn is_bearable(signal: &str, bytes: &[u8]) -> Option<bool> {
    let mut count = 0;
    read(Kind::Request(of(signal)), bytes, &mut count, 0)?;
    Some(count <= MOST)
}

/// As [`is_bearable`] of a message in JSON, where an attribute is two objects, and a number as small as two bytes.
pub(super) fn is_bearable_json(bytes: &[u8]) -> bool {
    let (mut objects, mut values) = (0, 0);
    let (mut is_text, mut is_escaped) = (false, false);
    for byte in bytes {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'{' if !is_text => objects += 1,
            b',' | b'[' if !is_text => values += 1,
            _ => {}
        }
    }
    objects <= 2 * MOST && values <= 10 * MOST
}

/// A message of OTLP, as far as others stand in it.
#[derive(Clone, Copy)]
enum Kind {
    Request(Signal),
    Group(Signal),
    Scopes(Signal),
    Resource,
    Scope,
    Log,
    Span,
    Event,
    Link,
    Metric,
    /// A metric's measurements, by the number of their field.
    Points(u32),
    Point(u32),
    Exemplar,
    Pair,
    Value,
    List,
    Pairs,
    Plain,
}

#[derive(Clone, Copy)]
enum Signal {
    Logs,
    Metrics,
    Traces,
}

fn of(signal: &str) -> Signal {
    match signal {
        "logs" => Signal::Logs,
        "metrics" => Signal::Metrics,
        _ => Signal::Traces,
    }
}

/// What stands in a field with this number, when it takes memory of its own.
fn inner(kind: Kind, tag: u32) -> Option<Kind> {
    Some(match (kind, tag) {
        (Kind::Request(signal), 1) => Kind::Group(signal),
        (Kind::Group(signal), 2) => Kind::Scopes(signal),
        (Kind::Group(_), 1) => Kind::Resource,
        (Kind::Scopes(_), 1) => Kind::Scope,
        (Kind::Scopes(Signal::Logs), 2) => Kind::Log,
        (Kind::Scopes(Signal::Traces), 2) => Kind::Span,
        (Kind::Scopes(Signal::Metrics), 2) => Kind::Metric,
        // References to entities; their keys are small.
        (Kind::Resource, 3) | (Kind::Span, 15) => Kind::Plain,
        (Kind::Resource, 1)
        | (Kind::Scope | Kind::Event, 3)
        | (Kind::Link, 4)
        | (Kind::Log, 6)
        | (Kind::Span, 9)
        | (Kind::Metric, 12)
        | (Kind::Point(5 | 7 | 11) | Kind::Exemplar, 7)
        | (Kind::Point(9), 9)
        | (Kind::Point(10) | Kind::Pairs, 1) => Kind::Pair,
        (Kind::Span, 11) => Kind::Event,
        (Kind::Span, 13) => Kind::Link,
        (Kind::Metric, 5 | 7 | 9 | 10 | 11) => Kind::Points(tag),
        (Kind::Points(kind), 1) => Kind::Point(kind),
        (Kind::Point(5 | 7), 5) | (Kind::Point(9), 8) | (Kind::Point(10), 11) => Kind::Exemplar,
        (Kind::Point(11), 6) | (Kind::Point(10), 8 | 9) => Kind::Plain,
        (Kind::Log, 5) | (Kind::Pair, 2) | (Kind::List, 1) => Kind::Value,
        (Kind::Value, 5) => Kind::List,
        (Kind::Value, 6) => Kind::Pairs,
        _ => return None,
    })
}

fn read(kind: Kind, mut bytes: &[u8], count: &mut usize, depth: u8) -> Option<()> {
    while bytes.has_remaining() && *count <= MOST {
        let (tag, wire) = decode_key(&mut bytes).ok()?;
        let found = inner(kind, tag).filter(|_| wire == WireType::LengthDelimited);
        let Some(found) = found else {
            skip_field(wire, tag, &mut bytes, DecodeContext::default()).ok()?;
            continue;
        };
        // An attribute has one value.
        *count += usize::from(!matches!((kind, found), (Kind::Pair, Kind::Value)));
        let length = usize::try_from(decode_varint(&mut bytes).ok()?).ok()?;
        let (inside, after) = bytes.split_at_checked(length)?;
        if depth == DEEPEST {
            return None;
        }
        read(found, inside, count, depth + 1)?;
        bytes = after;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value};
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, span::Link};
    use prost::Message;

    use super::*;

    fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }
    }

    fn list(length: usize) -> KeyValue {
        let values = vec![AnyValue { value: None }; length];
        let value = Some(AnyValue { value: Some(Value::ArrayValue(ArrayValue { values })) });
        KeyValue { value, ..KeyValue::default() }
    }

    #[test]
    fn empty_messages_are_counted_wherever_they_stand() {
        let fits = |spans: Vec<Span>| {
            let request = request(spans);
            let json = serde_json::to_vec(&request).expect("JSON");
            let as_protobuf = is_bearable("traces", &request.encode_to_vec());
            assert_eq!(as_protobuf, Some(as_protobuf == Some(true)));
            (as_protobuf == Some(true), is_bearable_json(&json))
        };
        let usual = Span { attributes: vec![list(3); 10], ..Span::default() };
        assert_eq!(fits(vec![usual; 512]), (true, true));
        assert_eq!(fits(vec![Span::default(); 80_000]), (false, false));
        let links = Span { links: vec![Link::default(); 80_000], ..Span::default() };
        assert_eq!(fits(vec![links]), (false, false));
        assert_eq!(fits(vec![Span { attributes: vec![list(80_000)], ..Span::default() }]), (false, false));
        assert!(is_bearable("traces", b"\x0a\xff\x01").is_none());
        assert!(is_bearable_json(format!("{{\"a\":\"{}\"}}", "{,\\\"".repeat(500_000)).as_bytes()));
    }
}
