//! When a version is published: now, or at a time; the rule and its first date stand there before one tries.

use askama::Template;
use axum::extract::State as FromState;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::civil::{Date, Time as Clock};
use jiff::tz::TimeZone;
use uuid::Uuid;

use super::actions::{self, Times, whole_minute};
use super::laws::first_effect;
use super::life::Step;
use super::model::{ChangeClass, Version};
use super::store;
use crate::app::AppState;
use crate::clock::Time;
use crate::error::{Error, FieldErrors, Result};
use crate::identity;
use crate::register::Jurisdiction;
use crate::web::forms::{confirmed, refused, seen};
use crate::web::page::html_with;
use crate::web::{Form, Page, Path, Submitted, Viewer, see_other, times};

#[derive(Template)]
#[template(path = "notices/schedule.html")]
struct SchedulePage {
    page: Page,
    form: Form,
    version: Version,
    /// The rule about the time between publication and effect.
    rule: Option<&'static Jurisdiction>,
    /// The first moment of effect if it were published now.
    first: Time,
    zone: TimeZone,
    zones: &'static [String],
    now_confirm: Vec<(String, String)>,
    later_confirm: Vec<(String, String)>,
}

impl SchedulePage {
    fn is_editorial(&self) -> bool {
        self.version.class == ChangeClass::Editorial
    }

    fn moment(&self, at: &Time) -> String {
        times::moment(*at, &self.zone)
    }

    fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }
}

async fn page_of(state: &AppState, page: Page, id: Uuid, form: Form, status: StatusCode) -> Result<Response> {
    let version = store::find_version(&mut *state.db.acquire().await?, id).await?.ok_or(Error::NotFound)?;
    if version.state.after(Step::Publish).is_none() {
        return Err(Error::conflict(
            "Only what is approved can be published. Look at its page for what is next.",
        ));
    }
    let kind = actions::kind_of(&version)?;
    let rule = kind.minimum(version.class, &version.jurisdictions);
    let zone = TimeZone::get(form.value("time_zone")).unwrap_or_else(|_| page.zone.clone());
    let now = state.clock.now();
    let pair = |words: &str| vec![("yes".to_owned(), words.to_owned())];
    let shown = SchedulePage {
        first: whole_minute(rule.map_or(now, |place| first_effect(now, place, &zone))),
        rule,
        zones: &identity::TIME_ZONES,
        now_confirm: pair("Yes, publish it now. It can’t be changed or deleted afterwards"),
        later_confirm: pair("Yes, publish it by itself at that time"),
        page,
        form,
        version,
        zone,
    };
    html_with(status, &shown)
}

pub async fn show(
    FromState(state): FromState<AppState>,
    page: Page,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    let mut filled = Submitted::default();
    filled.set("time_zone", page.zone_name());
    page_of(&state, page, id, Form::new(filled), StatusCode::OK).await
}

/// The moment that a date and a time name in a zone; none when both are empty.
fn moment(form: &Submitted, date: &'static str, time: &'static str, zone: &TimeZone) -> Result<Option<Time>> {
    let (Some(day), hour) = (form.optional(date), form.optional(time)) else {
        return match form.optional(time) {
            None => Ok(None),
            Some(_) => Err(Error::invalid(date, "Choose the day, too.")),
        };
    };
    let mut errors = FieldErrors::default();
    let day: Option<Date> = day.parse().ok();
    if day.is_none() {
        errors.add(date, "Write the day as 2027-01-31.");
    }
    let hour: Option<Clock> = hour.map_or(Some(Clock::midnight()), |text| text.parse().ok());
    if hour.is_none() {
        errors.add(time, "Write the time as 09:30.");
    }
    errors.into_result()?;
    let at = day.zip(hour).map(|(day, hour)| zone.to_ambiguous_zoned(day.to_datetime(hour)).compatible());
    let at = at.transpose().map_err(|_| Error::invalid(date, "There is no such day in the calendar."))?;
    Ok(at.map(|z| z.timestamp().into()))
}

fn zone(form: &Submitted) -> Result<TimeZone> {
    let known = identity::TIME_ZONES.iter().any(|name| name == form.text("time_zone"));
    let zone = TimeZone::get(form.text("time_zone")).ok().filter(|_| known);
    zone.ok_or_else(|| Error::invalid("time_zone", "Choose a time zone from the list."))
}

async fn publish(state: &AppState, viewer: &Viewer, id: Uuid, form: &Submitted) -> Result<&'static str> {
    confirmed(form, "now_confirm")?;
    let effective = moment(form, "now_effective_date", "now_effective_time", &zone(form)?)?;
    let refused = |error| match error {
        Error::Invalid(errors) => Error::Invalid(renamed(&errors)),
        other => other,
    };
    let zone = form.text("time_zone");
    actions::publish_now(state, viewer, id, seen(form), effective, zone).await.map_err(refused)?;
    Ok("notice-published")
}

/// The page has two forms; the action knows of one.
fn renamed(errors: &FieldErrors) -> FieldErrors {
    let mut out = FieldErrors::default();
    for error in errors.iter() {
        let field =
            if error.field == "effective_date" { "now_effective_date".into() } else { error.field.clone() };
        out.add(field, error.message.clone());
    }
    out
}

async fn schedule(state: &AppState, viewer: &Viewer, id: Uuid, form: &Submitted) -> Result<&'static str> {
    let zone = zone(form)?;
    let publish = moment(form, "publish_date", "publish_time", &zone)?
        .ok_or_else(|| Error::invalid("publish_date", "Choose the day on which it is published."))?;
    let effective = moment(form, "effective_date", "effective_time", &zone)?;
    confirmed(form, "later_confirm")?;
    let times = Times { publish, effective, zone: form.text("time_zone").into() };
    actions::schedule(state, viewer, id, seen(form), &times).await?;
    Ok("notice-scheduled")
}

async fn finish(
    state: AppState,
    page: Page,
    id: Uuid,
    submitted: Submitted,
    result: Result<&'static str>,
) -> Result<Response> {
    match result {
        Ok(done) => Ok(see_other(&format!("/publishing/versions/{id}?done={done}"))),
        Err(error) => {
            let (errors, status) = refused(error, "next-steps")?;
            page_of(&state, page, id, Form::with_errors(submitted, errors), status).await
        }
    }
}

pub async fn submit_now(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    let result = publish(&state, &viewer, id, &submitted).await;
    finish(state, page, id, submitted, result).await
}

pub async fn submit_schedule(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    submitted: Submitted,
) -> Result<Response> {
    let result = schedule(&state, &viewer, id, &submitted).await;
    finish(state, page, id, submitted, result).await
}
