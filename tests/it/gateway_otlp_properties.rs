//! Random messages of OTLP, with a secret in every place that can hold one: in JSON and in protobuf, refused and allowed.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use daylight::clock::Clock;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, metric::Data,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span, Status,
    span::{Event, Link},
};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use prost::Message;
use tokio::runtime::Handle;

use crate::support::TestApp;
use crate::support::gate::{Collector, Desk, Gate, site};
use crate::support::wire::exchange;

/// No pattern of what may be a model's or a tool's name has room for its exclamation marks.
const SECRET: &str = "zq7!secret!zq7";
/// A model's name that is only in records of the time before anything was allowed.
const BEFORE: &str = "model-of-before";

const KEYS: &[&str] = &[
    "service.name",
    "service.version",
    "service.instance.id",
    "process.command_args",
    "process.pid",
    "host.name",
    "os.type",
    "telemetry.sdk.name",
    "user.email",
    "session.id",
    "event.name",
    "prompt",
    "prompt_length",
    "model",
    "function_args",
    "duration_ms",
    "error.message",
    "tool_parameters",
    "tool_name",
    "success",
    "reasoning",
    "gen_ai.request.model",
    "gen_ai.prompt",
    "gen_ai.input.messages",
    "gen_ai.usage.input_tokens",
    "gen_ai.response.finish_reasons",
    "exception.message",
    "phases",
    "finish_reasons",
    "made.up",
    SECRET,
];

const NAMES: &[&str] = &[
    "gemini-cli",
    "claude-code",
    "gemini_cli.user_prompt",
    "user_prompt",
    "gen_ai.user.message",
    "llm_call",
    "chat gpt-4o",
    "claude_code.interaction",
    "gemini_cli.token.usage",
    "gen_ai.client.token.usage",
    "claude_code.token.usage",
    "exception",
    "User prompt. Length: 30.",
    "opentelemetry.instrumentation.openai",
    "INFO",
    "1",
    "ms",
    "v1.2",
    SECRET,
    "zq7!secret!zq7 and more",
    "",
];

fn text() -> impl Strategy<Value = String> + Clone {
    select(NAMES).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = AnyValue> + Clone {
    let leaf = prop_oneof![
        4 => text().prop_map(|text| Some(Value::StringValue(text))),
        1 => Just(Some(Value::BytesValue(SECRET.into()))),
        1 => (-5i64..100).prop_map(|number| Some(Value::IntValue(number))),
        1 => (0.0f64..9.0).prop_map(|number| Some(Value::DoubleValue(number))),
        1 => any::<bool>().prop_map(|flag| Some(Value::BoolValue(flag))),
        1 => Just(None),
    ];
    let leaf = leaf.prop_map(|value| AnyValue { value });
    leaf.prop_recursive(3, 12, 3, |inner| {
        let pairs = prop::collection::vec((select(KEYS), inner.clone()), 0..3);
        prop_oneof![
            prop::collection::vec(inner, 0..3)
                .prop_map(|values| AnyValue { value: Some(Value::ArrayValue(ArrayValue { values })) }),
            pairs.prop_map(|pairs| {
                let values = pairs.into_iter().map(|(key, value)| pair(key, value)).collect();
                AnyValue { value: Some(Value::KvlistValue(KeyValueList { values })) }
            }),
        ]
    })
}

fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> + Clone {
    prop::collection::vec((select(KEYS), value()), 0..6)
        .prop_map(|pairs| pairs.into_iter().map(|(key, value)| pair(key, value)).collect())
}

fn resource() -> impl Strategy<Value = Option<Resource>> {
    prop::option::of(attributes().prop_map(|attributes| Resource { attributes, ..Resource::default() }))
}

fn scope() -> impl Strategy<Value = Option<InstrumentationScope>> {
    let scope = (text(), text(), attributes()).prop_map(|(name, version, attributes)| InstrumentationScope {
        name,
        version,
        attributes,
        dropped_attributes_count: 0,
    });
    prop::option::of(scope)
}

/// Now, long ago (then the model's name says so), and not known.
#[derive(Debug, Clone, Copy)]
enum When {
    Now,
    Before,
    Unknown,
}

fn when() -> impl Strategy<Value = When> + Clone {
    prop_oneof![3 => Just(When::Now), 1 => Just(When::Before), 1 => Just(When::Unknown)]
}

impl When {
    fn nanoseconds(self) -> u64 {
        let now = Clock::system().now().jiff();
        match self {
            When::Now => u64::try_from(now.as_nanosecond()).expect("after 1970"),
            When::Before => {
                u64::try_from((now - jiff::SignedDuration::from_hours(2)).as_nanosecond()).expect("too")
            }
            When::Unknown => 0,
        }
    }

    fn mark(self, attributes: &mut Vec<KeyValue>) {
        if matches!(self, When::Before) {
            let value = AnyValue { value: Some(Value::StringValue(BEFORE.into())) };
            attributes.push(pair("gen_ai.request.model", value));
        }
    }
}

fn log() -> impl Strategy<Value = LogRecord> {
    (when(), text(), text(), value(), attributes(), any::<[u8; 16]>()).prop_map(
        |(when, event_name, severity_text, body, mut attributes, id)| {
            when.mark(&mut attributes);
            let times = (when.nanoseconds(), SECRET.into());
            LogRecord {
                time_unix_nano: times.0,
                severity_number: i32::from(id[0]),
                severity_text,
                body: Some(body),
                attributes,
                trace_id: if id[1] % 2 == 0 { id.into() } else { times.1 },
                event_name,
                ..LogRecord::default()
            }
        },
    )
}

fn span() -> impl Strategy<Value = Span> {
    let events = prop::collection::vec((text(), attributes()), 0..3);
    (when(), text(), text(), attributes(), events).prop_map(|(when, name, other, mut attributes, events)| {
        when.mark(&mut attributes);
        let event = |(name, attributes)| Event {
            time_unix_nano: when.nanoseconds(),
            name,
            attributes,
            dropped_attributes_count: 0,
        };
        Span {
            trace_id: vec![7; 16],
            span_id: vec![8; 8],
            trace_state: format!("a={other}"),
            name,
            start_time_unix_nano: when.nanoseconds(),
            links: vec![Link {
                trace_state: other.clone(),
                trace_id: other.clone().into(),
                attributes: attributes.clone(),
                ..Link::default()
            }],
            attributes,
            events: events.into_iter().map(event).collect(),
            status: Some(Status { message: other, code: 2 }),
            ..Span::default()
        }
    })
}

fn metric() -> impl Strategy<Value = Metric> {
    (when(), 0..5, text(), text(), text(), attributes(), attributes()).prop_map(
        |(when, kind, name, description, unit, metadata, mut attributes)| {
            when.mark(&mut attributes);
            let time_unix_nano = Clock::system().now().jiff().as_nanosecond() as u64;
            let start_time_unix_nano = when.nanoseconds();
            let exemplars = vec![Exemplar {
                filtered_attributes: metadata.clone(),
                time_unix_nano,
                ..Exemplar::default()
            }];
            let value = Some(number_data_point::Value::AsInt(42));
            let number = NumberDataPoint {
                attributes: attributes.clone(),
                start_time_unix_nano,
                time_unix_nano,
                exemplars: exemplars.clone(),
                value,
                flags: 0,
            };
            let data = match kind {
                // A gauge is of the moment at which it was read.
                0 if matches!(when, When::Before) => Data::Gauge(Gauge {
                    data_points: vec![NumberDataPoint { time_unix_nano: start_time_unix_nano, ..number }],
                }),
                0 => Data::Gauge(Gauge { data_points: vec![number] }),
                1 => Data::Sum(Sum {
                    data_points: vec![number],
                    aggregation_temporality: 2,
                    is_monotonic: true,
                }),
                2 => Data::Histogram(Histogram {
                    data_points: vec![HistogramDataPoint {
                        attributes,
                        start_time_unix_nano,
                        time_unix_nano,
                        exemplars,
                        count: 1,
                        ..HistogramDataPoint::default()
                    }],
                    aggregation_temporality: 1,
                }),
                3 => Data::ExponentialHistogram(ExponentialHistogram {
                    data_points: vec![ExponentialHistogramDataPoint {
                        attributes,
                        start_time_unix_nano,
                        time_unix_nano,
                        exemplars,
                        ..ExponentialHistogramDataPoint::default()
                    }],
                    aggregation_temporality: 77,
                }),
                _ => Data::Summary(Summary {
                    data_points: vec![SummaryDataPoint {
                        attributes,
                        start_time_unix_nano,
                        time_unix_nano,
                        ..SummaryDataPoint::default()
                    }],
                }),
            };
            Metric { name, description, unit, metadata, data: Some(data) }
        },
    )
}

/// A message's path, and it in JSON and in protobuf.
type Written = (&'static str, Vec<u8>, Vec<u8>);

fn written<M: Message + serde::Serialize>(path: &'static str, message: &M) -> Written {
    (path, serde_json::to_vec(message).expect("JSON"), message.encode_to_vec())
}

fn messages() -> impl Strategy<Value = Written> {
    let logs = (resource(), scope(), text(), prop::collection::vec(log(), 1..4)).prop_map(
        |(resource, scope, schema_url, log_records)| {
            let scope_logs = vec![ScopeLogs { scope, log_records, schema_url: schema_url.clone() }];
            let resource_logs = vec![ResourceLogs { resource, scope_logs, schema_url }];
            written("/v1/logs", &ExportLogsServiceRequest { resource_logs })
        },
    );
    let traces = (resource(), scope(), text(), prop::collection::vec(span(), 1..3)).prop_map(
        |(resource, scope, schema_url, spans)| {
            let scope_spans = vec![ScopeSpans { scope, spans, schema_url: schema_url.clone() }];
            let resource_spans = vec![ResourceSpans { resource, scope_spans, schema_url }];
            written("/v1/traces", &ExportTraceServiceRequest { resource_spans })
        },
    );
    let metrics = (resource(), scope(), text(), prop::collection::vec(metric(), 1..3)).prop_map(
        |(resource, scope, schema_url, metrics)| {
            let scope_metrics = vec![ScopeMetrics { scope, metrics, schema_url: schema_url.clone() }];
            let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, schema_url }];
            written("/v1/metrics", &ExportMetricsServiceRequest { resource_metrics })
        },
    );
    prop_oneof![logs, traces, metrics]
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

/// Sends each message in both encodings, to a device each.
async fn send_all(desk: &Desk, gateways: &[SocketAddr], cases: u32) {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let run = tokio::task::block_in_place(|| {
        TestRunner::new(config).run(&messages(), |(path, json, protobuf)| {
            Handle::current().block_on(async {
                let first = format!("POST {path}");
                let (status, as_json) =
                    exchange(gateways[0], &first, "Content-Type: application/json\r\n", &json).await;
                let (other, as_protobuf) =
                    exchange(gateways[1], &first, "Content-Type: application/x-protobuf\r\n", &protobuf)
                        .await;
                prop_assert_eq!((status, other), (200, 200));
                for answer in [&as_json, &as_protobuf] {
                    prop_assert!(!holds(answer, SECRET));
                }
                Ok(())
            })
        })
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    desk.reported().await;
}

/// What the reports of the devices say, one line for each kind of item, without the times.
async fn counted(desk: &Desk) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for name in ["one", "two"] {
        let rows = sqlx::query_scalar(
            "select concat_ws(' ', item->>'category', item->>'granularity', item->>'source', item->>'field',
                 item->'dropped'->>'reason', sum((item->'collected'->>'count')::bigint),
                 sum((item->'collected'->>'bytes')::bigint), sum((item->'forwarded'->>'count')::bigint))
             from collection_report r join agent a on a.id = r.agent_id join device d on d.id = a.device_id,
                 jsonb_array_elements(items) item
             where d.label = $1
             group by item->>'category', item->>'granularity', item->>'source', item->>'field',
                 item->'dropped'->>'reason' order by 1",
        );
        all.push(rows.bind(name).fetch_all(&desk.test.state.db).await.expect("reports"));
    }
    all
}

/// Two devices of somebody for whom this is declared, before one collector.
async fn setting(declared: &[&[(&str, &str)]]) -> (Desk, Collector, Gate) {
    let desk = Desk::today(TestApp::new().await, declared).await;
    let collector = Collector::start(|_| (200, "{}".to_owned())).await;
    let upstream = format!("{}/v1", collector.address);
    let site = site("otlp", upstream, "recipient = 'org:acme'\ncountry = 'DE'");
    let devices = [desk.device("one").await, desk.device("two").await];
    let gate = desk.gate(&devices.map(|device| device + &site).concat()).await;
    (desk, collector, gate)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_any_message_passes_while_nothing_is_declared() {
    let (desk, collector, gate) = setting(&[]).await;
    send_all(&desk, &gate.addresses, 250).await;
    assert!(collector.got().is_empty(), "nothing goes on, not even what is technical");
    let counts = counted(&desk).await;
    assert_eq!(counts[0], counts[1], "JSON and protobuf count the same");
    assert!(counts[0].len() > 20, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_allowed_brings_nothing_else_along() {
    let of = |source| [("category", "ai.prompt_meta"), ("source_name", source)];
    let declared = [&of("gemini-cli")[..], &of("claude-code"), &of("opentelemetry")];
    let (desk, collector, gate) = setting(&declared).await;
    send_all(&desk, &gate.addresses, 250).await;
    let taken = collector.got();
    assert!(taken.len() > 20, "{} were passed on", taken.len());
    for request in &taken {
        for word in [SECRET, BEFORE, &STANDARD.encode(SECRET)] {
            let body = String::from_utf8_lossy(&request.body);
            assert!(!holds(&request.body, word), "{word} at {}: {body}", request.path);
        }
        assert!(request.path.starts_with("/v1/v1/"));
    }
    let counts = counted(&desk).await;
    assert_eq!(counts[0], counts[1], "JSON and protobuf count the same");
}
