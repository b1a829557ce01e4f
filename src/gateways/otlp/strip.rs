//! Judges a message record by record, and leaves in it what may go on.
//!
//! A log record or a span goes on when anything in it may: its time and what is technical in it go along, the rest is
//! stripped. A measurement goes on when its metric's category may. Resource and scope are judged for the time of
//! everything that is left under them, and go with the last of it.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde::{Serialize, de::DeserializeOwned};

use super::records::{Around, Point, Record, at, between};
use super::rules::{self, Place, Program, Says};
use super::scan::{Context, Holds};
use crate::clock::Time;
use crate::collection::report::Source;
use crate::gateways::gate::device::{self, Turn};
use crate::register::Category;

/// A request of one of the three signals.
pub(super) trait Message: prost::Message + Default + Serialize + DeserializeOwned + 'static {
    /// The last part of its path.
    const SIGNAL: &'static str;
    /// What its answer calls the number of records that weren't taken.
    const REJECTED: &'static str;

    /// Counts everything in it and leaves what may go on; answers how many records may not.
    fn strip(&mut self, turn: &mut Turn) -> i64;
    fn is_empty(&self) -> bool;
}

macro_rules! message {
    ($message:ty, $signal:literal, $rejected:literal, $resources:ident, $scopes:ident, $records:ident, $judge:ident) => {
        impl Message for $message {
            const SIGNAL: &'static str = $signal;
            const REJECTED: &'static str = $rejected;

            fn strip(&mut self, turn: &mut Turn) -> i64 {
                let mut rejected = 0;
                self.$resources.retain_mut(|group| {
                    let scopes = group.$scopes.iter().map(|scope| scope.scope.as_ref());
                    let from = Senders::read(group.resource.as_ref(), scopes);
                    let mut programs = from.scopes.iter();
                    let mut all = Kept::default();
                    group.$scopes.retain_mut(|scope| {
                        let program = programs.next().copied().unwrap_or(Program::Any);
                        let mut judge = Judge::new(turn, program, &from);
                        let mut kept = Kept::default();
                        scope.$records.retain_mut(|record| judge.$judge(record, &mut kept));
                        judge.around(&mut Around(&mut scope.scope, &mut scope.schema_url), &kept);
                        all.join(&kept);
                        !scope.$records.is_empty()
                    });
                    let mut judge = Judge::new(turn, from.all, &from);
                    judge.around(&mut Around(&mut group.resource, &mut group.schema_url), &all);
                    rejected += all.rejected;
                    !group.$scopes.is_empty()
                });
                rejected
            }

            fn is_empty(&self) -> bool {
                self.$resources.is_empty()
            }
        }
    };
}

message!(ExportLogsServiceRequest, "logs", "rejectedLogRecords", resource_logs, scope_logs, log_records, log);
message!(ExportTraceServiceRequest, "traces", "rejectedSpans", resource_spans, scope_spans, spans, span);
message!(
    ExportMetricsServiceRequest,
    "metrics",
    "rejectedDataPoints",
    resource_metrics,
    scope_metrics,
    metrics,
    metric
);

/// What is left, and what isn't.
#[derive(Default)]
struct Kept {
    /// The first and the last moment of what goes on; `None` when nothing does.
    time: Option<(Time, Time)>,
    rejected: i64,
}

impl Kept {
    fn count(&mut self, time: (Time, Time), goes: bool) {
        if goes {
            self.join(&Kept { time: Some(time), rejected: 0 });
        } else {
            self.rejected += 1;
        }
    }

    fn join(&mut self, other: &Kept) {
        self.time = match (self.time, other.time) {
            (Some(one), Some(two)) => Some((one.0.min(two.0), one.1.max(two.1))),
            (one, two) => one.or(two),
        };
        self.rejected += other.rejected;
    }
}

/// Which programs a resource's records are from.
struct Senders {
    /// Each of its scopes'.
    scopes: Vec<Program>,
    /// The one that they have in common.
    all: Program,
    version: Option<String>,
}

impl Senders {
    /// By its name, and by each scope's own; of two that differ neither is believed.
    fn read<'s>(
        resource: Option<&Resource>,
        scopes: impl Iterator<Item = Option<&'s InstrumentationScope>>,
    ) -> Self {
        let attribute = |key| resource.and_then(|resource| text(&resource.attributes, key));
        let named = attribute("service.name").and_then(Program::named);
        let program = |scope: Option<&InstrumentationScope>| {
            let own = scope.and_then(|scope| Program::named(&scope.name));
            match (named, own) {
                (Some(one), Some(other)) if one != other => Program::Any,
                (one, other) => one.or(other).unwrap_or(Program::Any),
            }
        };
        let scopes: Vec<Program> = scopes.map(program).collect();
        let first = scopes.first().copied().or(named).unwrap_or(Program::Any);
        let all = if scopes.iter().all(|program| *program == first) { first } else { Program::Any };
        Senders { scopes, all, version: attribute("service.version").map(str::to_owned) }
    }
}

/// Decides for what one program sent.
struct Judge<'j> {
    turn: &'j mut Turn,
    program: Program,
    source: Source,
}

impl<'j> Judge<'j> {
    fn new(turn: &'j mut Turn, program: Program, from: &Senders) -> Self {
        Judge { turn, program, source: device::source(program.source(), from.version.as_deref()) }
    }

    /// Before anything was ever allowed: what is judged for this time is refused, for the reason that holds now.
    fn never() -> (Time, Time) {
        let start = Time::from(jiff::Timestamp::UNIX_EPOCH);
        (start, start)
    }

    fn log(&mut self, record: &mut LogRecord, kept: &mut Kept) -> bool {
        let name = Some(record.event_name.as_str()).filter(|name| !name.is_empty());
        let base = self.base(Place::Log, name.or_else(|| text(&record.attributes, "event.name")));
        let times = [record.time_unix_nano, record.observed_time_unix_nano];
        let time = between(times.into_iter()).unwrap_or_else(Self::never);
        let goes = self.record(record, base, time);
        kept.count(time, goes);
        goes
    }

    fn span(&mut self, span: &mut Span, kept: &mut Kept) -> bool {
        let base = self.base(Place::Span, Some(&span.name));
        let events = span.events.iter().map(|event| event.time_unix_nano);
        let ends = [span.start_time_unix_nano, span.end_time_unix_nano];
        // It may have begun whenever, unless it says so.
        let known =
            between(ends.into_iter().chain(events)).filter(|_| at(span.start_time_unix_nano).is_some());
        let time = known.unwrap_or_else(Self::never);
        let goes = self.record(span, base, time);
        kept.count(time, goes);
        goes
    }

    fn metric(&mut self, metric: &mut Metric, kept: &mut Kept) -> bool {
        let says = rules::find(self.program, Place::Metric, "", |pattern| pattern.is_match(&metric.name));
        let mut own = Kept::default();
        let left = match &mut metric.data {
            None => 0,
            Some(Data::Gauge(gauge)) => self.points(&mut gauge.data_points, says, true, &mut own),
            Some(Data::Sum(sum)) => self.points(&mut sum.data_points, says, false, &mut own),
            Some(Data::Histogram(histogram)) => {
                self.points(&mut histogram.data_points, says, false, &mut own)
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                self.points(&mut histogram.data_points, says, false, &mut own)
            }
            Some(Data::Summary(summary)) => self.points(&mut summary.data_points, says, false, &mut own),
        };
        let mut holds = Holds::default();
        if says.is_none() {
            holds.add(None, metric.name.len() as u64);
        }
        self.rest(metric, holds, &own);
        tidy_temporality(metric);
        kept.join(&own);
        left > 0
    }

    /// The measurements of a metric that says `says`; answers how many are left.
    fn points<P: Point>(
        &mut self,
        points: &mut Vec<P>,
        says: Option<Says>,
        is_gauge: bool,
        kept: &mut Kept,
    ) -> usize {
        points.retain_mut(|point| {
            let time = Self::point_time(point, is_gauge);
            let mut base = Holds::default();
            base.add(says, 8);
            // Without the number, what else the point says goes nowhere.
            let goes = !base.settle(self.turn, &self.source, time).is_empty();
            let context = self.context(says);
            let mut holds = Holds::default();
            point.slots(&mut |slot| holds.read(context, slot));
            let allowed = holds.settle(self.turn, &self.source, if goes { time } else { Self::never() });
            point.slots(&mut |slot| allowed.strip(context, slot));
            point.tidy();
            kept.count(time, goes);
            goes
        });
        points.len()
    }

    /// A gauge is of one moment. Everything else sums up the time since its start, and tells of all of it: with a start
    /// before the yes, or none, it goes nowhere until the program counts anew.
    fn point_time(point: &impl Point, is_gauge: bool) -> (Time, Time) {
        let (start, read) = point.times();
        let is_known = at(read).is_some() && (is_gauge || at(start).is_some());
        let exemplars = point.exemplar_times().into_iter();
        between(exemplars.chain([start, read])).filter(|_| is_known).unwrap_or_else(Self::never)
    }

    fn base(&self, place: Place, name: Option<&str>) -> Option<Says> {
        rules::find(self.program, place, "", |pattern| name.is_some_and(|name| pattern.is_match(name)))
    }

    fn context(&self, base: Option<Says>) -> Context {
        let base: Option<Category> = match base {
            Some(Says::Something(class)) => Some(class.category),
            Some(Says::Technical) | None => None,
        };
        Context { program: self.program, base }
    }

    fn record(&mut self, record: &mut impl Record, base: Option<Says>, time: (Time, Time)) -> bool {
        let context = self.context(base);
        let mut holds = Holds::default();
        record.slots(&mut |slot| holds.read(context, slot));
        let allowed = holds.settle(self.turn, &self.source, time);
        record.slots(&mut |slot| allowed.strip(context, slot));
        record.tidy();
        !allowed.is_empty()
    }

    fn around(&mut self, record: &mut impl Record, kept: &Kept) {
        self.rest(record, Holds::default(), kept);
    }

    /// What stands beside records that are judged already.
    fn rest(&mut self, record: &mut impl Record, mut holds: Holds, kept: &Kept) {
        let context = self.context(None);
        record.slots(&mut |slot| holds.read(context, slot));
        let allowed = holds.settle(self.turn, &self.source, kept.time.unwrap_or_else(Self::never));
        record.slots(&mut |slot| allowed.strip(context, slot));
        record.tidy();
    }
}

fn tidy_temporality(metric: &mut Metric) {
    let temporality = match &mut metric.data {
        Some(Data::Sum(sum)) => &mut sum.aggregation_temporality,
        Some(Data::Histogram(histogram)) => &mut histogram.aggregation_temporality,
        Some(Data::ExponentialHistogram(histogram)) => &mut histogram.aggregation_temporality,
        Some(Data::Gauge(_) | Data::Summary(_)) | None => return,
    };
    if !(0..=2).contains(temporality) {
        *temporality = 0;
    }
}

/// The one value of this name; of several nobody knows which is meant.
fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let mut named = attributes.iter().filter(|attribute| attribute.key == key);
    let (attribute, None) = (named.next()?, named.next()) else { return None };
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}
