//! Time and chance, injected, so that a test can hold both still.
//!
//! Everything that needs the present moment takes it from [`Clock`]; everything that needs a secret or
//! an id takes it from [`Random`]. Clippy refuses the ambient sources elsewhere (`clippy.toml`).

use std::fmt;
use std::sync::{Arc, Mutex};

use jiff::tz::TimeZone;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A moment in UTC, to the microsecond (Postgres `timestamptz`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct Time(jiff_sqlx::Timestamp);

impl Time {
    pub fn jiff(self) -> jiff::Timestamp {
        self.0.to_jiff()
    }

    /// The full hour (UTC) before, or this one: when more would tell too much.
    pub fn full_hour(self) -> Self {
        let second = self.jiff().as_second();
        jiff::Timestamp::from_second(second - second.rem_euclid(3600)).map_or(self, Time::from)
    }

    /// The full minute before, or this one: what people are told.
    pub fn full_minute(self) -> Self {
        let second = self.jiff().as_second();
        jiff::Timestamp::from_second(second - second.rem_euclid(60)).map_or(self, Time::from)
    }

    /// Moves by whole seconds; saturates at the ends of representable time.
    pub fn plus_seconds(self, seconds: i64) -> Self {
        let span = jiff::SignedDuration::from_secs(seconds);
        self.jiff()
            .checked_add(span)
            .unwrap_or(if seconds < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX })
            .into()
    }

    pub fn plus_days(self, days: i64) -> Self {
        self.plus_seconds(days * 86_400)
    }

    /// Whole seconds from `earlier` to `self`; negative when `earlier` is later.
    pub fn seconds_since(self, earlier: Time) -> i64 {
        self.jiff().as_second() - earlier.jiff().as_second()
    }

    /// The calendar day of this moment in `zone`.
    pub fn day(self, zone: &TimeZone) -> Day {
        self.jiff().to_zoned(zone.clone()).date().into()
    }
}

impl From<jiff::Timestamp> for Time {
    fn from(value: jiff::Timestamp) -> Self {
        // Postgres keeps microseconds; round here, so that a value equals itself after a round trip.
        let micros = value.as_microsecond();
        let value = jiff::Timestamp::from_microsecond(micros).unwrap_or(value);
        Time(value.into())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.jiff().fmt(f)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.jiff().fmt(f)
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.jiff().serialize(s)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(jiff::Timestamp::deserialize(d)?.into())
    }
}

/// A calendar day (Postgres `date`); which zone it is a day in is said where it is made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct Day(jiff_sqlx::Date);

impl Day {
    pub fn jiff(self) -> jiff::civil::Date {
        self.0.to_jiff()
    }

    pub fn plus_days(self, days: i64) -> Self {
        self.jiff().saturating_add(jiff::Span::new().days(days)).into()
    }

    /// The moment this day begins in `zone`.
    pub fn start(self, zone: &TimeZone) -> Time {
        zone.to_ambiguous_zoned(self.jiff().at(0, 0, 0, 0))
            .compatible()
            .map(|z| z.timestamp().into())
            .unwrap_or_else(|_| jiff::Timestamp::UNIX_EPOCH.into())
    }

    /// Days from `earlier` to `self`.
    pub fn days_since(self, earlier: Day) -> i64 {
        self.jiff().duration_since(earlier.jiff()).as_hours() / 24
    }
}

impl From<jiff::civil::Date> for Day {
    fn from(value: jiff::civil::Date) -> Self {
        Day(value.into())
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.jiff().fmt(f)
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.jiff().fmt(f)
    }
}

impl Serialize for Day {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.jiff().serialize(s)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(jiff::civil::Date::deserialize(d)?.into())
    }
}

/// The present moment: the system's, or one that a test sets and moves.
#[derive(Clone, Debug)]
pub struct Clock(Option<Arc<Mutex<Time>>>);

impl Clock {
    pub fn system() -> Self {
        Clock(None)
    }

    pub fn fixed(at: Time) -> Self {
        Clock(Some(Arc::new(Mutex::new(at))))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
    pub fn now(&self) -> Time {
        match &self.0 {
            None => jiff::Timestamp::now().into(),
            Some(at) => *at.lock().expect("the clock's lock is held for a copy only"),
        }
    }

    /// Moves a fixed clock; does nothing to the system's.
    pub fn advance(&self, seconds: i64) {
        if let Some(at) = &self.0 {
            let mut at = at.lock().expect("the clock's lock is held for a copy only");
            *at = at.plus_seconds(seconds);
        }
    }
}

/// Secrets and ids: from the operating system, or from a seed in tests.
#[derive(Clone)]
pub struct Random(Option<Arc<Mutex<StdRng>>>);

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Random(seeded)" } else { "Random(system)" })
    }
}

impl Random {
    pub fn system() -> Self {
        Random(None)
    }

    pub fn seeded(seed: u64) -> Self {
        Random(Some(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's randomness")]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0 {
            None => rand::rng().fill_bytes(&mut bytes),
            Some(rng) => rng.lock().expect("the lock is held for a fill only").fill_bytes(&mut bytes),
        }
        bytes
    }

    /// A UUID version 7 (RFC 9562) for the moment `at`.
    pub fn uuid(&self, at: Time) -> Uuid {
        let millis = u64::try_from(at.jiff().as_millisecond()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes::<10>()).into_uuid()
    }

    /// A UUID version 4: an id that tells nothing, not even when it was made.
    pub fn opaque_id(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    /// 256 bits as base64url without padding: one-time links, session and agent tokens.
    pub fn token(&self) -> String {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.bytes::<32>())
    }
}
