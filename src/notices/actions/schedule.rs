//! When: schedule, take off the schedule, set aside.

use jiff::tz::TimeZone;
use uuid::Uuid;

use super::{allow, check_register, kind_of, lock, publisher, reasoned};
use crate::app::AppState;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::notices::laws::first_effect;
use crate::notices::life::Step;
use crate::notices::model::{ChangeClass, Version};
use crate::notices::store;
use crate::web::{Viewer, times};

/// When a version is published and takes effect, in the zone in which that was chosen.
#[derive(Debug, Clone)]
pub struct Times {
    pub publish: Time,
    /// `None` for the first possible moment.
    pub effective: Option<Time>,
    /// IANA name.
    pub zone: String,
}

impl Times {
    pub fn zone(&self) -> Result<TimeZone> {
        TimeZone::get(&self.zone)
            .map_err(|_| Error::invalid("time_zone", "Choose a time zone from the list."))
    }
}

/// When the version takes effect, or which rule its times break and what is the first possible moment.
pub fn check_times(version: &Version, chosen: &Times) -> Result<Time> {
    if version.class == ChangeClass::Editorial {
        // A correction takes effect together with what it corrects.
        return Ok(version.effective_at.unwrap_or(chosen.publish));
    }
    let zone = chosen.zone()?;
    let place = kind_of(version)?.minimum(version.class, &version.jurisdictions);
    let first = place.map_or(chosen.publish, |place| first_effect(chosen.publish, place, &zone));
    let Some(effective) = chosen.effective else { return Ok(first) };
    if let Some(place) = place
        && effective < first
    {
        return Err(Error::invalid(
            "effective_date",
            format!(
                "In {} people are told {} days before ({}). Published on {}, it can take effect on {} at the \
                 earliest ({}).",
                place.name,
                place.minimum_notice_days,
                place.citation,
                times::moment(chosen.publish, &zone),
                times::moment(whole_minute(first), &zone),
                chosen.zone,
            ),
        ));
    }
    if effective < chosen.publish {
        return Err(Error::invalid("effective_date", "It can't take effect before it is published."));
    }
    Ok(effective)
}

/// The next whole minute: what can be typed.
pub fn whole_minute(at: Time) -> Time {
    const MINUTE: i64 = 60_000_000;
    let minutes = at.jiff().as_microsecond().div_euclid(MINUTE);
    let begun = i64::from(at.jiff().as_microsecond().rem_euclid(MINUTE) != 0);
    jiff::Timestamp::from_microsecond((minutes + begun) * MINUTE).map_or(at, Time::from)
}

/// Sets an approved version's time of publication.
pub async fn schedule(state: &AppState, viewer: &Viewer, id: Uuid, seen: i32, chosen: &Times) -> Result<()> {
    publisher(viewer)?;
    let mut tx = state.db.begin().await?;
    let version = lock(&mut tx, id, seen).await?;
    allow(&version, Step::Schedule)?;
    let now = super::now_for(state, &version);
    if chosen.publish < now {
        return Err(Error::invalid(
            "publish_date",
            format!("This lies in the past: it is {} now.", times::moment(now, &chosen.zone()?)),
        ));
    }
    let effective = check_times(&version, chosen)?;
    check_register(&mut tx, &version).await?;
    store::schedule(&mut tx, id, chosen.publish, effective, &chosen.zone, now).await?;
    tx.commit().await?;
    Ok(())
}

pub async fn unschedule(state: &AppState, viewer: &Viewer, id: Uuid, seen: i32) -> Result<()> {
    publisher(viewer)?;
    let mut tx = state.db.begin().await?;
    let version = lock(&mut tx, id, seen).await?;
    allow(&version, Step::Unschedule)?;
    store::unschedule(&mut tx, id, None, super::now_for(state, &version)).await?;
    tx.commit().await?;
    Ok(())
}

/// Sets aside what was approved and never published, and begins a draft with its words; answers its id.
pub async fn discard(state: &AppState, viewer: &Viewer, id: Uuid, seen: i32, reason: &str) -> Result<Uuid> {
    publisher(viewer)?;
    let reason = reasoned(reason, "discard_reason")?;
    let mut tx = state.db.begin().await?;
    let version = lock(&mut tx, id, seen).await?;
    allow(&version, Step::Discard)?;
    store::retract(&mut tx, id, reason, None, super::now_for(state, &version)).await?;
    let mut draft = super::drafts::copy(state, viewer, &version);
    // Their words go on in the copy: they don't review it.
    draft.authors.extend(version.authors.iter().filter(|id| **id != viewer.person_id));
    store::insert_draft(&mut tx, &draft).await?;
    tx.commit().await?;
    Ok(draft.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notices::model::tests::version;

    fn at(text: &str) -> Time {
        text.parse::<jiff::Timestamp>().unwrap().into()
    }

    fn chosen(publish: &str, effective: Option<&str>) -> Times {
        Times { publish: at(publish), effective: effective.map(at), zone: "Australia/Sydney".into() }
    }

    #[test]
    fn the_message_names_the_rule_and_the_first_possible_moment() {
        let mut v = version();
        v.jurisdictions = vec!["AU-NSW".into()];
        let refused =
            check_times(&v, &chosen("2026-11-02T09:00:30Z", Some("2026-11-09T09:00:00Z"))).unwrap_err();
        let Error::Invalid(errors) = refused else { panic!("{refused}") };
        let words = errors.of("effective_date").unwrap();
        for part in ["New South Wales", "14 days", "s 10", "16 Nov 2026, 20:01", "Australia/Sydney"] {
            assert!(words.contains(part), "{part} isn't in {words}");
        }
        let first = at("2026-11-16T09:00:30Z");
        assert_eq!(check_times(&v, &chosen("2026-11-02T09:00:30Z", None)).unwrap(), first);
        v.jurisdictions = vec!["EU".into()];
        let published = "2026-11-02T09:00:00Z";
        assert_eq!(check_times(&v, &chosen(published, Some(published))).unwrap(), at(published));
        assert!(check_times(&v, &chosen(published, Some("2026-11-01T09:00:00Z"))).is_err());
    }

    #[test]
    fn a_correction_takes_effect_with_what_it_corrects() {
        let mut v = version();
        v.class = ChangeClass::Editorial;
        v.effective_at = Some(at("2026-12-01T00:00:00Z"));
        let effective = check_times(&v, &chosen("2026-11-02T09:00:00Z", None)).unwrap();
        assert_eq!(Some(effective), v.effective_at);
    }

    #[test]
    fn minutes_are_rounded_up() {
        assert_eq!(whole_minute(at("2026-11-02T09:00:00Z")), at("2026-11-02T09:00:00Z"));
        assert_eq!(whole_minute(at("2026-11-02T09:00:00.5Z")), at("2026-11-02T09:01:00Z"));
        assert_eq!(whole_minute(at("2026-11-02T09:00:59Z")), at("2026-11-02T09:01:00Z"));
    }
}
