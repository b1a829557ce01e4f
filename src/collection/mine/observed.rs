//! What was observed of one category, summed by program, manner and place.

use std::collections::BTreeMap;

use crate::clock::Time;
use crate::collection::store::mine::DailyRow;
use crate::register::{Granularity, Purpose};

/// What one program collected of a category, in one manner, to one place.
#[derive(Debug, Clone)]
pub struct Observed {
    pub source: String,
    pub granularity: &'static str,
    pub purpose: Option<Purpose>,
    /// Host, recipient and country as the agent gave them; `None` when nothing was forwarded.
    pub destination: Option<(String, String, String)>,
    pub collected: i64,
    pub bytes: i64,
    pub forwarded: i64,
    pub dropped: i64,
    pub last: Option<Time>,
}

/// Daily rows summed by program, manner and place; most first.
pub(super) fn fold(rows: &[DailyRow]) -> Vec<Observed> {
    let mut sums: BTreeMap<(&str, &str, &str, &str, &str, &str), Observed> = BTreeMap::new();
    for row in rows {
        let key = (
            row.source.as_str(),
            row.granularity.as_str(),
            row.purpose.as_str(),
            row.destination_host.as_str(),
            row.recipient.as_str(),
            row.country.as_str(),
        );
        let sum = sums.entry(key).or_insert_with(|| Observed {
            source: row.source.clone(),
            granularity: Granularity::parse(&row.granularity).map_or("", Granularity::words),
            purpose: Purpose::parse(&row.purpose),
            destination: (!row.destination_host.is_empty())
                .then(|| (row.destination_host.clone(), row.recipient.clone(), row.country.clone())),
            collected: 0,
            bytes: 0,
            forwarded: 0,
            dropped: 0,
            last: None,
        });
        sum.collected += row.collected;
        sum.bytes += row.collected_bytes;
        sum.forwarded += row.forwarded;
        sum.dropped += row.dropped;
        sum.last = sum.last.max(row.last_observed);
    }
    let mut list: Vec<Observed> =
        sums.into_values().filter(|o| o.collected + o.forwarded + o.dropped > 0).collect();
    list.sort_by_key(|o| std::cmp::Reverse(o.collected.max(o.forwarded)));
    list
}
