//! Mail on Monday morning, once a week: a summary without persons for publishers and representatives, and for workers
//! who asked for it how many new findings of their own there are. Such a mail says nothing of what they are: mail lies
//! on servers of the employer's.

use std::fmt::Write;

use super::daily::{count_findings, monday};
use super::group::{self, Group, Register};
use crate::app::AppState;
use crate::clock::{Day, Time};
use crate::collection::model::FindingKind;
use crate::collection::store::telling as store;
use crate::error::Result;
use crate::outbox;
use crate::web::{Viewer, times};

/// Hour of the day, in the organisation's zone, from which mail goes out.
const MAIL_HOUR: i64 = 7;

/// Days from Monday on that the mail may be late, when no server was running.
const LATE_DAYS: i64 = 2;

/// Groups that a summary lists of each sort; the page has all.
const LISTED: usize = 20;

/// Changes which mails somebody wants.
pub(super) async fn choose(
    state: &AppState,
    viewer: &Viewer,
    change: impl FnOnce(&mut store::MailChoice),
) -> Result<()> {
    let mut tx = state.db.begin().await?;
    let mut choice = store::find_mail_choice(&mut tx, viewer.person_id).await?;
    change(&mut choice);
    store::set_mail_choice(&mut tx, viewer.person_id, choice).await?;
    tx.commit().await?;
    Ok(())
}

/// Puts this week's mails into the outbox, unless that is done or it is too early or too late.
pub async fn mail_week(state: &AppState) -> Result<()> {
    let now = state.clock.now();
    let zone = &state.config.time_zone;
    let today = now.day(zone);
    let week = monday(today);
    if now < week.start(zone).plus_seconds(MAIL_HOUR * 3600) || today.days_since(week) >= LATE_DAYS {
        return Ok(());
    }
    count_findings(state).await?;
    let mut tx = state.db.begin().await?;
    if !store::insert_mail_week(&mut tx, week).await? {
        return Ok(());
    }
    let (from, to) = (week.plus_days(-7).start(zone), week.start(zone));
    let readers = store::list_summary_readers(&mut tx).await?;
    if !readers.is_empty() {
        let register = Register::load(&mut tx).await?;
        let groups = group::load(&mut tx, &register, now, zone).await?;
        let body = Summary { groups: &groups, week, from, to }.write(state);
        for (person, email) in readers {
            outbox::enqueue(&mut tx, state, Some(person), &email, "Findings of the week", &body).await?;
        }
    }
    for worker in store::list_concerned(&mut tx, from, to).await? {
        let n = times::number(worker.findings);
        let findings =
            if worker.findings == 1 { "1 new finding".into() } else { format!("{n} new findings") };
        let subject = format!("You have {findings}");
        let body = format!(
            "Last week there came {findings} about you. What it is stands on your own page, and not in this mail:\n\n\
             {0}/me/findings\n\nYou get this mail because you asked for it; you can change that on the same page.\n",
            state.config.base_url
        );
        outbox::enqueue_confidential(&mut tx, state, worker.person_id, &worker.email, &subject, &body)
            .await?;
    }
    tx.commit().await?;
    Ok(())
}

struct Summary<'a> {
    groups: &'a [Group],
    week: Day,
    from: Time,
    to: Time,
}

impl Summary<'_> {
    /// No person, no number of people, and whole days that are over.
    fn write(&self, state: &AppState) -> String {
        let within = |at: Time| at >= self.from && at < self.to;
        let known: Vec<&Group> = self.groups.iter().filter(|g| g.found_at < self.to).collect();
        let of =
            |keep: &dyn Fn(&Group) -> bool| known.iter().copied().filter(|g| keep(g)).collect::<Vec<_>>();
        let new = of(&|g| within(g.found_at));
        let answered = of(&|g| g.answers.iter().any(|a| within(a.at)));
        let open = of(&|g| g.open_at.is_some_and(|at| at < self.to));
        let last = self.week.plus_days(-1);
        let mut body = format!(
            "Findings at {}, {} to {}\n",
            state.config.organisation,
            times::day(self.week.plus_days(-7)),
            times::day(last)
        );
        if new.is_empty() && answered.is_empty() {
            body.push_str("\nNothing new.\n");
        }
        list(&mut body, "New", &new, |g| format!("found on {}", times::day(g.found)));
        list(&mut body, "Answered", &answered, |_| "answered".into());
        list(&mut body, "Still without an answer", &open, |g| format!("open for {}", waits(g, self.week)));
        body.push_str("\nGroups of findings in all, by kind:\n");
        for kind in FindingKind::others() {
            let n = known.iter().filter(|g| g.kind == kind).count();
            if n > 0 {
                let _ = writeln!(body, "- {}: {n}", kind.label());
            }
        }
        if known.is_empty() {
            body.push_str("- none\n");
        }
        let base = &state.config.base_url;
        let _ = write!(
            body,
            "\nNothing here says whom a finding concerns. More, and how to end this mail:\n\n{base}/findings\n"
        );
        body
    }
}

fn waits(group: &Group, today: Day) -> String {
    let Some(since) = group.open_since else { return String::new() };
    match today.days_since(since) {
        ..=1 => "1 day".into(),
        n => format!("{n} days"),
    }
}

fn list(body: &mut String, title: &str, groups: &[&Group], note: impl Fn(&Group) -> String) {
    if groups.is_empty() {
        return;
    }
    let _ = writeln!(body, "\n{title}: {}", groups.len());
    for group in groups.iter().take(LISTED) {
        let _ = writeln!(body, "- {}: {} ({})", group.kind.label(), group.heading(), note(group));
    }
    if groups.len() > LISTED {
        let _ = writeln!(body, "- and {} more", groups.len() - LISTED);
    }
}
