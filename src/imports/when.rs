//! Moments as exports write them.

use jiff::civil::{Date, DateTime, Time as Clock};
use jiff::tz::TimeZone;

use crate::clock::{Day, Time};

/// As much as the text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    At(Time),
    /// Without a zone.
    Local(DateTime),
    OnDay(Date),
}

/// How a file's times are read.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The zone of times that name none.
    pub zone: TimeZone,
    /// Whether 3/4/2026 is in March.
    pub month_first: bool,
}

/// Seconds, or milliseconds, since 1970: only numbers of this length can be meant.
fn epoch(text: &str) -> Option<When> {
    let number: i64 = text.parse().ok()?;
    let at = match text.len() {
        9 | 10 => jiff::Timestamp::from_second(number),
        12 | 13 => jiff::Timestamp::from_millisecond(number),
        _ => return None,
    };
    at.ok().map(|at| When::At(at.into()))
}

/// 2/11/2026 9:10:05 PM and the like; with dots the day always stands first.
fn with_slashes(text: &str, month_first: bool) -> Option<When> {
    let (date, rest) = text.split_once([' ', ',']).unwrap_or((text, ""));
    let sign = if date.contains('.') { '.' } else { '/' };
    let mut numbers = date.split(sign).map(|n| n.parse::<i16>());
    let (a, b, year) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    if numbers.next().is_some() {
        return None;
    }
    let (month, day) = if month_first && sign == '/' { (a, b) } else { (b, a) };
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    match rest.trim() {
        "" => Some(When::OnDay(date)),
        clock => Some(When::Local(date.to_datetime(of_day(clock)?))),
    }
}

fn of_day(text: &str) -> Option<Clock> {
    let upper = text.to_uppercase();
    let (digits, half) = match (upper.strip_suffix("AM"), upper.strip_suffix("PM")) {
        (Some(digits), _) => (digits.trim(), Some(0)),
        (_, Some(digits)) => (digits.trim(), Some(12)),
        _ => (upper.as_str(), None),
    };
    let mut parts = digits.split(':').map(|n| n.parse::<i8>());
    let (hour, minute) = (parts.next()?.ok()?, parts.next()?.ok()?);
    let second = parts.next().transpose().ok()?.unwrap_or(0);
    let hour = match half {
        Some(half) if (1..=12).contains(&hour) => hour % 12 + half,
        Some(_) => return None,
        None => hour,
    };
    Clock::new(hour, minute, second, 0).ok()
}

impl When {
    pub fn parse(text: &str, month_first: bool) -> Option<Self> {
        let text = text.trim();
        if text.len() > 40 {
            return None;
        }
        if let Some(utc) = text.strip_suffix("UTC") {
            let at = utc.trim().parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?;
            return Some(When::At(at.timestamp().into()));
        }
        if text.len() == 10
            && let Ok(date) = text.parse::<Date>()
        {
            return Some(When::OnDay(date));
        }
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            return Some(When::At(at.into()));
        }
        if let Ok(local) = text.parse::<DateTime>() {
            return Some(When::Local(local));
        }
        epoch(text).or_else(|| with_slashes(text, month_first))
    }

    /// The moment, where the text says one.
    pub fn moment(self, reading: &Reading) -> Option<Time> {
        match self {
            When::At(at) => Some(at),
            When::Local(local) => {
                let at = reading.zone.to_ambiguous_zoned(local).compatible().ok()?;
                Some(at.timestamp().into())
            }
            When::OnDay(_) => None,
        }
    }

    /// The day of somebody who lives in `zone`.
    pub fn day(self, reading: &Reading, zone: &TimeZone) -> Option<Day> {
        match self {
            When::OnDay(date) => Some(date.into()),
            _ => self.moment(reading).map(|at| at.day(zone)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str, month_first: bool) -> String {
        let reading = Reading { zone: TimeZone::UTC, month_first };
        match When::parse(text, month_first) {
            Some(When::OnDay(date)) => date.to_string(),
            Some(when) => when.moment(&reading).expect("a moment").to_string(),
            None => "none".into(),
        }
    }

    #[test]
    fn moments_are_read_as_exports_write_them() {
        for (text, month_first, expected) in [
            ("2026-11-02T09:10:05Z", true, "2026-11-02T09:10:05Z"),
            ("2026-11-02T09:10:05.123+01:00", true, "2026-11-02T08:10:05.123Z"),
            ("2026-11-02 09:10:05 UTC", true, "2026-11-02T09:10:05Z"),
            ("2026-11-02 09:10", true, "2026-11-02T09:10:00Z"),
            ("2026-11-02", true, "2026-11-02"),
            ("1793610605", true, "2026-11-02T09:10:05Z"),
            ("11/2/2026 9:10:05 PM", true, "2026-11-02T21:10:05Z"),
            ("11/2/2026 12:10 AM", true, "2026-11-02T00:10:00Z"),
            ("2/11/2026", false, "2026-11-02"),
            ("02.11.2026 09:10", true, "2026-11-02T09:10:00Z"),
            ("13/2/2026", true, "none"),
            ("", true, "none"),
            ("=cmd()", true, "none"),
            ("2026-13-02", true, "none"),
            ("9", true, "none"),
        ] {
            assert_eq!(utc(text, month_first), expected, "{text}");
        }
    }
}
