//! Where in OTLP's messages something may stand that somebody wrote. One list for reading and for stripping.

use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{Span, span, status};

use super::rules::Place;
use crate::clock::Time;

/// A place in a record.
pub(super) enum Slot<'a> {
    /// Attributes, and how many were left out.
    Attributes(&'a mut Vec<KeyValue>, &'a mut u32),
    Text(Place, &'a mut String),
    Body(&'a mut Option<AnyValue>),
    /// Free text that nobody needs.
    Never(&'a mut String),
    /// Made by chance, with as many bytes; of another length it could be anything.
    Id(&'a mut Vec<u8>, usize),
    /// The attributes of a link or of an example, with the numbers that it names. It goes on when one of them may, and
    /// only as one of the first few.
    Aside {
        attributes: &'a mut Vec<KeyValue>,
        dropped: &'a mut u32,
        ids: [&'a mut Vec<u8>; 2],
        fits: bool,
    },
}

/// Links of a span, and examples of a measurement.
const MOST_ASIDES: usize = 8;
/// Borders of a histogram, and steps of one that has none.
const MOST_BUCKETS: usize = 400;

/// Something that is judged as a whole.
pub(super) trait Record {
    fn slots(&mut self, visit: &mut dyn FnMut(Slot<'_>));

    /// Brings numbers into the ranges that they can mean something in.
    fn tidy(&mut self) {}
}

/// The flags that trace contexts have.
const SPAN_FLAGS: u32 = 0x3ff;

impl Record for LogRecord {
    fn slots(&mut self, visit: &mut dyn FnMut(Slot<'_>)) {
        visit(Slot::Text(Place::Log, &mut self.event_name));
        visit(Slot::Text(Place::Severity, &mut self.severity_text));
        visit(Slot::Body(&mut self.body));
        visit(Slot::Attributes(&mut self.attributes, &mut self.dropped_attributes_count));
        visit(Slot::Id(&mut self.trace_id, 16));
        visit(Slot::Id(&mut self.span_id, 8));
    }

    fn tidy(&mut self) {
        if SeverityNumber::try_from(self.severity_number).is_err() {
            self.severity_number = 0;
        }
        self.flags &= 0xff;
    }
}

impl Record for Span {
    fn slots(&mut self, visit: &mut dyn FnMut(Slot<'_>)) {
        visit(Slot::Text(Place::Span, &mut self.name));
        visit(Slot::Never(&mut self.trace_state));
        visit(Slot::Attributes(&mut self.attributes, &mut self.dropped_attributes_count));
        for event in &mut self.events {
            visit(Slot::Text(Place::Event, &mut event.name));
            visit(Slot::Attributes(&mut event.attributes, &mut event.dropped_attributes_count));
        }
        for (number, link) in self.links.iter_mut().enumerate() {
            visit(Slot::Never(&mut link.trace_state));
            visit(Slot::Aside {
                attributes: &mut link.attributes,
                dropped: &mut link.dropped_attributes_count,
                ids: [&mut link.trace_id, &mut link.span_id],
                fits: number < MOST_ASIDES,
            });
        }
        if let Some(status) = &mut self.status {
            visit(Slot::Text(Place::Status, &mut status.message));
        }
        visit(Slot::Id(&mut self.trace_id, 16));
        visit(Slot::Id(&mut self.span_id, 8));
        visit(Slot::Id(&mut self.parent_span_id, 8));
    }

    fn tidy(&mut self) {
        if span::SpanKind::try_from(self.kind).is_err() {
            self.kind = 0;
        }
        if let Some(status) = &mut self.status
            && status::StatusCode::try_from(status.code).is_err()
        {
            status.code = 0;
        }
        self.flags &= SPAN_FLAGS;
        self.links.retain(|link| !link.attributes.is_empty());
        for link in &mut self.links {
            link.flags &= SPAN_FLAGS;
        }
        self.events.retain(|event| !event.name.is_empty() || !event.attributes.is_empty());
    }
}

/// One measurement of a metric.
pub(super) trait Point: Record {
    /// When its counting began and when it was read; 0 is unknown.
    fn times(&self) -> (u64, u64);
    fn exemplar_times(&self) -> Vec<u64>;
}

fn visit_exemplars(exemplars: &mut [Exemplar], visit: &mut dyn FnMut(Slot<'_>)) {
    for (number, exemplar) in exemplars.iter_mut().enumerate() {
        visit(Slot::Aside {
            attributes: &mut exemplar.filtered_attributes,
            dropped: &mut 0,
            ids: [&mut exemplar.trace_id, &mut exemplar.span_id],
            fits: number < MOST_ASIDES,
        });
    }
}

macro_rules! point {
    ($point:ty $(, $exemplars:ident)? ; $tidy:expr) => {
        impl Record for $point {
            fn slots(&mut self, visit: &mut dyn FnMut(Slot<'_>)) {
                visit(Slot::Attributes(&mut self.attributes, &mut 0));
                $(visit_exemplars(&mut self.$exemplars, visit);)?
            }

            fn tidy(&mut self) {
                // Whether there is a value at all.
                self.flags &= 1;
                $(self.$exemplars.retain(|exemplar| !exemplar.filtered_attributes.is_empty());)?
                let tidy: fn(&mut Self) = $tidy;
                tidy(self);
            }
        }

        impl Point for $point {
            fn times(&self) -> (u64, u64) {
                (self.start_time_unix_nano, self.time_unix_nano)
            }

            fn exemplar_times(&self) -> Vec<u64> {
                let times = std::iter::empty();
                $(let times = times.chain(self.$exemplars.iter().map(|exemplar| exemplar.time_unix_nano));)?
                times.collect()
            }
        }
    };
}

point!(NumberDataPoint, exemplars; |_| ());
point!(HistogramDataPoint, exemplars; |point| {
    // Without both it is still a sum.
    if point.explicit_bounds.len().max(point.bucket_counts.len()) > MOST_BUCKETS {
        point.explicit_bounds.clear();
        point.bucket_counts.clear();
    }
});
point!(ExponentialHistogramDataPoint, exemplars; |point| {
    for buckets in [&mut point.positive, &mut point.negative] {
        if buckets.as_ref().is_some_and(|buckets| buckets.bucket_counts.len() > MOST_BUCKETS) {
            *buckets = None;
        }
    }
});
point!(SummaryDataPoint; |point| point.quantile_values.truncate(MOST_ASIDES));

impl Record for Metric {
    fn slots(&mut self, visit: &mut dyn FnMut(Slot<'_>)) {
        visit(Slot::Text(Place::Description, &mut self.description));
        visit(Slot::Text(Place::Unit, &mut self.unit));
        visit(Slot::Attributes(&mut self.metadata, &mut 0));
    }
}

/// What programs send once for many records, with the address of its schema.
pub(super) struct Around<'a, T>(pub &'a mut Option<T>, pub &'a mut String);

impl Record for Around<'_, InstrumentationScope> {
    fn slots(&mut self, visit: &mut dyn FnMut(Slot<'_>)) {
        visit(Slot::Text(Place::Schema, self.1));
        if let Some(scope) = self.0 {
            visit(Slot::Text(Place::Scope, &mut scope.name));
            visit(Slot::Text(Place::Version, &mut scope.version));
            visit(Slot::Attributes(&mut scope.attributes, &mut scope.dropped_attributes_count));
        }
    }
}

impl Record for Around<'_, Resource> {
    fn slots(&mut self, visit: &mut dyn FnMut(Slot<'_>)) {
        visit(Slot::Text(Place::Schema, self.1));
        if let Some(resource) = self.0 {
            visit(Slot::Attributes(&mut resource.attributes, &mut resource.dropped_attributes_count));
            for entity in &mut resource.entity_refs {
                visit(Slot::Never(&mut entity.schema_url));
                visit(Slot::Never(&mut entity.r#type));
                for key in entity.id_keys.iter_mut().chain(&mut entity.description_keys) {
                    visit(Slot::Never(key));
                }
            }
        }
    }

    fn tidy(&mut self) {
        if let Some(resource) = self.0 {
            resource.entity_refs.clear();
        }
    }
}

/// The time of a number of nanoseconds; `None` for 0, which stands for not known.
pub(super) fn at(nanoseconds: u64) -> Option<Time> {
    if nanoseconds == 0 {
        return None;
    }
    jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)).ok().map(Time::from)
}

/// The earliest and the latest of these, leaving out those that aren't known; `None` when none is.
pub(super) fn between(times: impl Iterator<Item = u64>) -> Option<(Time, Time)> {
    let known: Vec<Time> = times.filter_map(at).collect();
    Some((*known.iter().min()?, *known.iter().max()?))
}
