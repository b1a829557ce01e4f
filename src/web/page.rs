//! The shell around every page: who is signed in, where they can go, and what just happened.

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;

use super::assets::{ASSETS, Assets};
use super::headers::Nonce;
use super::times;
use super::viewer::{Role, Viewer};
use crate::app::AppState;
use crate::clock::{Day, Time};
use crate::error::{Error, Result};

/// What every page's template needs, as its field `page`.
#[derive(Debug, Clone)]
pub struct Page {
    pub nonce: String,
    pub viewer: Option<Viewer>,
    pub path: String,
    pub organisation: String,
    pub demo: bool,
    pub now: Time,
    pub zone: TimeZone,
    /// What the action that led here did, in words.
    pub done: Option<&'static str>,
    pub done_code: Option<&'static str>,
    /// Notices that wait for the viewer.
    pub unread: i64,
    /// Choices that wait for the viewer.
    pub undecided: i64,
}

/// Notices that wait for whoever asks for this page; counted by `notices`, shown in the navigation.
#[derive(Debug, Clone, Copy)]
pub struct Unread(pub i64);

/// Choices that wait for whoever asks for this page; counted by `consent`, shown in the navigation.
#[derive(Debug, Clone, Copy)]
pub struct Undecided(pub i64);

pub struct NavLink {
    pub href: &'static str,
    pub label: &'static str,
    pub current: bool,
    /// What waits there; zero isn't shown.
    pub count: i64,
    /// What the number counts: "3 to read".
    pub counted: &'static str,
}

/// What an action says after its redirect: `?done=CODE`. Codes, so that an address can't put words here.
const DONE: &[(&str, &str)] = &[
    ("signed-out", "You are signed out."),
    ("password-set", "Your password is set. Every other session was signed out."),
    ("reset-requested", "If that address has an account, a link is on its way."),
    ("session-ended", "That session is signed out."),
    ("zone-saved", "Your time zone is saved."),
    ("saved", "Saved."),
    ("draft-saved", "The draft is saved. Nobody but publishers sees it until you propose it."),
    ("draft-deleted", "The draft is deleted."),
    ("proposed", "Proposed. Representatives can now see it and answer."),
    ("answered", "Your answer is on record."),
    ("activated", "Active. Everybody it concerns now sees it."),
    ("paused", "Paused. Collection under it after now will show as undeclared."),
    ("resumed", "Resumed."),
    ("ended", "Ended. Its history stays."),
    ("revised", "Changed. The history shows what was changed."),
    ("notice-saved", "The draft is saved. Nobody but publishers sees it until you submit it."),
    ("notice-submitted", "Submitted. Its words stand still now; representatives can see it and answer."),
    ("notice-returned", "It is a draft again."),
    ("notice-approved", "Approved. Its content is fixed for good."),
    ("notice-scheduled", "Scheduled. It is published by itself at its time."),
    ("notice-unscheduled", "Taken off the schedule. It isn't published until you say so."),
    ("notice-published", "Published, and in the log."),
    ("notice-discarded", "Set aside. This draft begins with its words."),
    ("notice-copied", "This draft begins with the words of the published version."),
    ("notice-retracted", "Retracted. It stays readable, with the reason."),
    ("notice-deleted", "The draft is deleted."),
    ("invited", "The account is made and the invitation is on its way."),
    ("invited-again", "A new invitation is on its way."),
    ("person-saved", "The account is saved."),
    ("test-mail", "A test mail to your address is in the outbox."),
    ("deactivated", "The account is deactivated and signed out everywhere."),
    ("reactivated", "The account is active again."),
    ("roll-applied", "The roll is applied."),
    ("acknowledged", "On record: you have read it. That isn’t consent, and it changes none of your choices."),
    ("declined", "On record: you don’t want to acknowledge it. You can still do so at any time."),
    ("asked", "Your question is asked. You find it, and the answer, on this page."),
    ("question-withdrawn", "Your question is withdrawn and its text deleted."),
    ("question-answered", "The answer is on record, and the one who asked can read it."),
    ("reminded", "The reminder is on its way. There is only one for each version."),
    ("choice-yes", "On record: you said yes. You can take it back here at any time, in one step."),
    ("choice-no", "On record: you said no. You can change your mind here at any time."),
    ("choice-later", "Nothing has changed. You are asked again in a week; you can answer earlier here."),
    ("choice-taken-back", "On record: your objection is taken back."),
    ("choices-saved", "On record. Nothing else was changed."),
    ("objected", "On record: you object. It is off for you until you have an answer."),
    ("contested", "On record: you contest the answer. Somebody has to look at it again."),
    ("agent-revoked", "The agent is revoked. Its reports are refused from now on."),
    ("device-assigned", "The device is assigned from now on."),
    (
        "device-confirmed",
        "On record: this is your computer. Its programs are told of your choices from now on.",
    ),
    ("agent-denied", "Revoked. From now on nothing that this program reports is taken."),
    ("device-denied", "On record: it isn’t yours. From now on nothing that it reports is about you."),
    ("finding-answered", "Your answer is on record. Everybody concerned can read it beside the findings."),
    ("feed-revoked", "The address is ended. Whoever still asks there is told that nothing is there."),
    (
        "feed-shown",
        "Nothing was changed: this form was sent before, and the address it made was shown then. If you don’t have it, make a new one.",
    ),
    ("import-confirmed", "Taken. Everybody concerned sees their own counts."),
    ("import-discarded", "Thrown away. Nothing of it is left."),
    ("canary-used", "On record: it is in use."),
    ("canary-deleted", "Deleted. That there was one, and when, is all that stays."),
    ("system-approved", "It may ask from now on. Everybody finds that in their access log."),
    ("system-revoked", "Revoked. It can’t ask any more, and it is told of nothing."),
    ("system-tested", "A test message is on its way. Open this page again to see what was answered."),
    ("objection-answered", "Your answer is on record. The one who objected reads it on their own page."),
    ("wallet-key", "Your key is on record. It counts once your representative has signed the roll with it."),
    (
        "wallet-key-next",
        "Your key is on record. Your credentials until the end of the quarter were given to your former key; this one counts from the next quarter on.",
    ),
    (
        "petition-draft-saved",
        "The draft is saved. Nobody but you sees it until you put it before your colleagues.",
    ),
    ("petition-draft-deleted", "The draft is deleted."),
    (
        "petition-submitted",
        "It is before your colleagues now, and in the log. Tell them: five must support it.",
    ),
    ("petition-revised", "The new version is in the log. It begins without signatures."),
    ("petition-given-up", "You have given it up. Nobody can sign it any more."),
    ("petition-opened", "Open. The threshold and the close are in the log and can’t be changed any more."),
    (
        "petition-refused",
        "Refused. The rule and your words stay in its place; its text is shown to nobody else.",
    ),
    ("petition-updated", "Posted."),
    ("petition-answered", "The answer is on record and in the log."),
    ("petition-followed", "You follow it. No mail is sent; news stands on the list of petitions."),
    ("petition-unfollowed", "You don’t follow it any more."),
    ("device-released", "The device is no longer assigned."),
];

impl Page {
    pub fn assets(&self) -> &'static Assets {
        &ASSETS
    }

    pub fn has(&self, role: Role) -> bool {
        self.viewer.as_ref().is_some_and(|v| v.has(role))
    }

    pub fn is_worker(&self) -> bool {
        self.has(Role::Worker)
    }

    pub fn is_publisher(&self) -> bool {
        self.has(Role::Publisher)
    }

    pub fn is_representative(&self) -> bool {
        self.has(Role::Representative)
    }

    pub fn is_administrator(&self) -> bool {
        self.has(Role::Administrator)
    }

    pub fn nav(&self) -> Vec<NavLink> {
        let mut links: Vec<(&'static str, &'static str)> = Vec::new();
        let Some(viewer) = &self.viewer else { return Vec::new() };
        if viewer.has(Role::Worker) {
            links.push(("/me/collection", "About me"));
            links.push(("/me/choices", "Choices"));
        }
        links.push(("/notices", "Notices"));
        links.push(("/petitions", "Petitions"));
        links.push(("/register", "Declared"));
        if viewer.has(Role::Publisher) || viewer.has(Role::Representative) {
            links.push(("/publishing", "Publishing"));
        }
        if viewer.roles.iter().any(|r| *r != Role::Worker) {
            links.push(("/organisation", "Organisation"));
        }
        if viewer.has(Role::Administrator) {
            links.push(("/people", "People"));
            links.push(("/agents", "Agents"));
            links.push(("/outbox", "Outbox"));
        }
        links.push(("/categories", "Categories"));
        links
            .into_iter()
            .map(|(href, label)| NavLink {
                href,
                label,
                current: self.path.starts_with(href),
                count: match href {
                    "/notices" => self.unread,
                    "/me/choices" => self.undecided,
                    _ => 0,
                },
                counted: if href == "/notices" { "to read" } else { "to answer" },
            })
            .collect()
    }

    pub fn moment(&self, at: &Time) -> String {
        times::moment(*at, &self.zone)
    }

    /// To the second, where it matters which came first.
    pub fn second(&self, at: &Time) -> String {
        times::second(*at, &self.zone)
    }

    /// The time of day alone, to the second.
    pub fn clock(&self, at: &Time) -> String {
        times::clock(*at, &self.zone)
    }

    /// The clock's time, with the day where that isn't the one of what it stands beside.
    pub fn clock_beside(&self, at: &Time, other: &Time) -> String {
        match at.day(&self.zone) == other.day(&self.zone) {
            true => self.clock(at),
            false => self.second(at),
        }
    }

    pub fn ago(&self, at: &Time) -> String {
        times::ago(*at, self.now)
    }

    pub fn day(&self, day: &Day) -> String {
        times::day(*day)
    }

    pub fn today(&self) -> Day {
        self.now.day(&self.zone)
    }

    /// "Europe/Berlin", for saying which days and hours a page means.
    pub fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }
}

impl FromRequestParts<AppState> for Page {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        Ok(Page::of(parts, state))
    }
}

impl Page {
    pub fn of(parts: &Parts, state: &AppState) -> Self {
        let done = parts
            .uri
            .query()
            .and_then(|q| q.split('&').find_map(|pair| pair.strip_prefix("done=")))
            .and_then(|code| DONE.iter().find(|(c, _)| *c == code));
        let mut page = Page {
            nonce: parts.extensions.get::<Nonce>().map(|n| n.0.clone()).unwrap_or_default(),
            zone: state.config.time_zone.clone(),
            viewer: None,
            path: parts.uri.path().to_owned(),
            organisation: state.config.organisation.clone(),
            demo: state.config.demo,
            now: state.clock.now(),
            done: done.map(|(_, words)| *words),
            done_code: done.map(|(code, _)| *code),
            unread: parts.extensions.get::<Unread>().map_or(0, |n| n.0),
            undecided: parts.extensions.get::<Undecided>().map_or(0, |n| n.0),
        };
        page.set_viewer(parts.extensions.get::<Viewer>().cloned(), state);
        page
    }

    pub fn set_viewer(&mut self, viewer: Option<Viewer>, state: &AppState) {
        self.zone = viewer.as_ref().map_or_else(|| state.config.time_zone.clone(), |v| v.time_zone.clone());
        self.viewer = viewer;
    }
}

impl FromRequestParts<AppState> for Viewer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        parts.extensions.get::<Viewer>().cloned().ok_or(Error::Unauthenticated)
    }
}

/// A rendered template, status 200.
pub fn html(template: &impl Template) -> Result<Response> {
    html_with(StatusCode::OK, template)
}

pub fn html_with(status: StatusCode, template: &impl Template) -> Result<Response> {
    let body = template.render()?;
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Ok((status, [kind], body).into_response())
}

/// A form that comes back with what was typed, status 422.
pub fn html_invalid(template: &impl Template) -> Result<Response> {
    html_with(StatusCode::UNPROCESSABLE_ENTITY, template)
}

/// After a successful form: 303 to `path`.
pub fn see_other(path: &str) -> Response {
    axum::response::Redirect::to(path).into_response()
}
