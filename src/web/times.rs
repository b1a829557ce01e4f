//! Times and amounts as people read them.

use jiff::tz::TimeZone;

use crate::clock::{Day, Time};

/// "20 Nov 2026, 14:05", in the reader's zone.
pub fn moment(at: Time, zone: &TimeZone) -> String {
    at.jiff().to_zoned(zone.clone()).strftime("%-d %b %Y, %H:%M").to_string()
}

/// "20 Nov 2026, 14:05:09", in the reader's zone.
pub fn second(at: Time, zone: &TimeZone) -> String {
    at.jiff().to_zoned(zone.clone()).strftime("%-d %b %Y, %H:%M:%S").to_string()
}

/// "14:05:09", in the reader's zone.
pub fn clock(at: Time, zone: &TimeZone) -> String {
    at.jiff().to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// "20 Nov 2026".
pub fn day(day: Day) -> String {
    day.jiff().strftime("%-d %b %Y").to_string()
}

/// "Fri 20 Nov".
pub fn short_day(day: Day) -> String {
    day.jiff().strftime("%a %-d %b").to_string()
}

/// "3 minutes ago", "in 2 days"; the exact time stands beside it in a `<time>`.
pub fn ago(at: Time, now: Time) -> String {
    let seconds = now.seconds_since(at);
    let (amount, unit) = match seconds.unsigned_abs() {
        0..=59 => return if seconds >= 0 { "just now".into() } else { "in a moment".into() },
        s @ 60..=3_599 => (s / 60, "minute"),
        s @ 3_600..=86_399 => (s / 3_600, "hour"),
        s => (s / 86_400, "day"),
    };
    let plural = if amount == 1 { "" } else { "s" };
    if seconds > 0 { format!("{amount} {unit}{plural} ago") } else { format!("in {amount} {unit}{plural}") }
}

/// "1,234,567".
pub fn number(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    if n < 0 { format!("-{out}") } else { out }
}

/// "5.3 kB"; powers of 1,000.
pub fn bytes(n: i64) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB"];
    let (mut value, mut unit) = (n as f64, 0);
    while value >= 1000.0 && unit < units.len() - 1 {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{n} bytes") } else { format!("{value:.1} {}", units[unit]) }
}

/// "0a1f…", two digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// An ISO 8601 duration in words ("P90D" is "90 days"); what isn't understood is shown as written.
pub fn duration(iso: &str) -> String {
    let Ok(span) = iso.parse::<jiff::Span>() else { return iso.into() };
    let parts: Vec<String> = [
        (i64::from(span.get_years()), "year"),
        (i64::from(span.get_months()), "month"),
        (i64::from(span.get_weeks()), "week"),
        (i64::from(span.get_days()), "day"),
        (i64::from(span.get_hours()), "hour"),
        (span.get_minutes(), "minute"),
        (span.get_seconds(), "second"),
    ]
    .into_iter()
    .filter(|(n, _)| *n != 0)
    .map(|(n, unit)| format!("{n} {unit}{}", if n == 1 { "" } else { "s" }))
    .collect();
    if parts.is_empty() { "not kept".into() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_well() {
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(number(-12), "-12");
        assert_eq!(bytes(5310), "5.3 kB");
        assert_eq!(duration("P90D"), "90 days");
        assert_eq!(duration("P1Y6M"), "1 year, 6 months");
        assert_eq!(duration("PT0S"), "not kept");
        assert_eq!(duration("nonsense"), "nonsense");
    }
}
