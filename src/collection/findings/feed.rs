//! Groups of findings as an Atom feed (RFC 4287), for publishers and representatives: signed in, or by an address of
//! one's own, since feed readers can't sign in. It knows whole days that are over, so that a reader that asks every
//! minute learns nothing finer.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use sqlx::PgConnection;

use super::group::{self, Group, people_words};
use super::{ListQuery, render, weekly};
use crate::app::AppState;
use crate::audit;
use crate::clock::{Day, Time};
use crate::collection::model::PeopleBand;
use crate::collection::store::{groups, organisation, telling};
use crate::error::{Error, FieldErrors, Result};
use crate::identity::token_hash;
use crate::register::Category;
use crate::web::{Form, Page, Path, Role, Submitted, Viewer, atom, see_other, times};

/// Entries at most; all groups stand on the page.
const ENTRIES: i64 = 50;

struct Entry {
    group: Group,
    title: String,
    published: Time,
    updated: Time,
    people: String,
    /// As paragraphs.
    answers: Vec<(Day, Vec<String>)>,
    first: String,
}

#[derive(Template)]
#[template(path = "collection/findings.xml", escape = "html")]
struct Feed {
    organisation: String,
    base_url: String,
    updated: Time,
    entries: Vec<Entry>,
}

async fn answer(state: &AppState) -> Result<Response> {
    let zone = &state.config.time_zone;
    let now = state.clock.now();
    let (mut all, _) = group::load_counted(state, now).await?;
    let mut db = state.db.acquire().await?;
    let counted = groups::find_counted(&mut db).await?.unwrap_or_else(|| now.day(zone)).start(zone);
    let changed = groups::list_changed(&mut db, ENTRIES).await?;
    let whole = organisation::count_covered_people(&mut db, now).await?;
    drop(db);
    let mut entries = Vec::new();
    for row in changed {
        let is_it = |g: &Group| {
            (g.kind.id(), g.category.map_or("", Category::id), g.key.as_str())
                == (row.kind.as_str(), row.category.as_str(), row.program.as_str())
        };
        // One whose program the register names otherwise now has another entry, or will have tomorrow.
        let Some(place) = all.iter().position(is_it) else { continue };
        let group = all.swap_remove(place);
        let told = group.answers.iter().filter(|a| a.at < counted);
        entries.push(Entry {
            // What changed on a day is known when it is over.
            updated: row.day.plus_days(1).start(zone),
            published: group.found.plus_days(1).start(zone),
            title: atom::text(&format!("{}: {}", group.kind.label(), group.heading())),
            people: people_words(PeopleBand::of(row.people.min(whole), whole)),
            answers: told.map(|a| (a.at.day(zone), a.lines().map(atom::text).collect())).collect(),
            first: times::day(group.first),
            group,
        });
    }
    let updated = entries.first().map_or_else(|| jiff::Timestamp::UNIX_EPOCH.into(), |e| e.updated);
    let feed = Feed {
        organisation: atom::text(&state.config.organisation),
        base_url: state.config.base_url.clone(),
        updated,
        entries,
    };
    atom::answer(&feed)
}

/// For those who are signed in.
pub async fn show(State(state): State<AppState>) -> Result<Response> {
    answer(&state).await
}

/// For a reader with somebody's own address; looks like a page that isn't there when it is nobody's any more.
pub async fn show_by_address(State(state): State<AppState>, Path(token): Path<String>) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let hour = state.clock.now().full_hour();
    let is_known = telling::use_feed(&mut db, &token_hash(&token), hour).await?;
    drop(db);
    if is_known { answer(&state).await } else { Err(Error::NotFound) }
}

/// The boxes that confirm what ends an address.
pub(super) const RENEW: &str = "feed-renew";
pub(super) const REVOKE: &str = "feed-revoke";

/// Makes an address and shows it this once; a former one ends, which is asked first. The form names the address that
/// it replaces, so that the same form sent again, as a reload does, ends nothing and makes none.
pub async fn make(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    form: Submitted,
) -> Result<Response> {
    let mut tx = state.db.begin().await?;
    telling::lock_feed(&mut tx, viewer.person_id).await?;
    let former = telling::find_feed(&mut tx, viewer.person_id).await?;
    if former.as_ref().map_or("", |feed| &feed.mark) != form.text("former") {
        return Ok(see_other("/findings?done=feed-shown#telling"));
    }
    if former.is_some() && form.text(RENEW) != "yes" {
        drop(tx);
        return refuse(&state, (page, &viewer), form, RENEW).await;
    }
    let token = state.random.token();
    let hour = state.clock.now().full_hour();
    telling::set_feed(&mut tx, viewer.person_id, &token_hash(&token), hour).await?;
    record(&mut tx, &state, &viewer, "feed.made").await?;
    tx.commit().await?;
    let made = format!("{}/feeds/findings/{token}", state.config.base_url);
    let query = ListQuery::default();
    render(&state, (page, &viewer), query, Form::default(), StatusCode::OK, Some(made)).await
}

pub async fn revoke(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    form: Submitted,
) -> Result<Response> {
    if form.text(REVOKE) != "yes" {
        return refuse(&state, (page, &viewer), form, REVOKE).await;
    }
    let mut tx = state.db.begin().await?;
    if telling::delete_feed(&mut tx, viewer.person_id).await? {
        record(&mut tx, &state, &viewer, "feed.ended").await?;
    }
    tx.commit().await?;
    Ok(see_other("/findings?done=feed-revoked"))
}

async fn refuse(
    state: &AppState,
    on: (Page, &Viewer),
    form: Submitted,
    field: &'static str,
) -> Result<Response> {
    let mut errors = FieldErrors::default();
    errors.add(field, "Tick the box to confirm.");
    let form = Form::with_errors(form, errors);
    render(state, on, ListQuery::default(), form, StatusCode::UNPROCESSABLE_ENTITY, None).await
}

async fn record(
    db: &mut PgConnection,
    state: &AppState,
    viewer: &Viewer,
    action: &'static str,
) -> Result<()> {
    let role = if viewer.roles.contains(&Role::Publisher) { Role::Publisher } else { Role::Representative };
    let subject = Some(viewer.person_id);
    audit::record(db, state, viewer, role, audit::Entry { action, subject, object: None, reason: None }).await
}

/// Whether one wants the weekly summary.
pub async fn choose_mail(
    State(state): State<AppState>,
    viewer: Viewer,
    submitted: Submitted,
) -> Result<Response> {
    weekly::choose(&state, &viewer, |choice| choice.groups = submitted.text("mail") == "yes").await?;
    Ok(see_other("/findings?done=saved"))
}
