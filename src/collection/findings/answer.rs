//! What the employer answers to a group of findings.

use axum::extract::State;
use axum::response::Response;

use super::group::{self, Register};
use super::{Filter, ListQuery, render, render_group};
use crate::app::AppState;
use crate::collection::store::findings::{self as store, NewAnswer};
use crate::error::{Error, FieldErrors, Result};
use crate::register::Category;
use crate::web::{Form, Page, Role, Submitted, Viewer, forms, see_other};

/// Characters that an answer may have.
const LONGEST_ANSWER: usize = 2000;

/// Programs that one answer is about, those without an answer first; the rest of them waits for another answer.
const MOST_PROGRAMS: usize = 1000;

/// What the employer says to a group of findings.
pub struct Answer<'a> {
    /// See [`group_id`].
    pub group: &'a str,
    /// How many answers whoever writes this one has seen.
    pub seen: usize,
    pub reason: &'a str,
}

/// Adds an answer to a group. It concerns what has been found until now.
pub async fn answer_findings(state: &AppState, viewer: &Viewer, answer: Answer<'_>) -> Result<()> {
    let now = state.clock.now();
    let mut tx = state.db.begin().await?;
    store::lock_answers(&mut tx).await?;
    let register = Register::load(&mut tx).await?;
    let groups = group::load(&mut tx, &register, now, &state.config.time_zone).await?;
    let group = groups.into_iter().find(|g| g.id == answer.group).ok_or(Error::NotFound)?;
    if group.answers.len() != answer.seen {
        return Err(Error::conflict(
            "Somebody answered this in the meantime. Read their answer, then decide whether to add yours.",
        ));
    }
    let new = NewAnswer {
        id: state.random.uuid(now),
        kind: group.kind.id(),
        category: group.category.map_or("", Category::id),
        programs: &group.programs[..group.programs.len().min(MOST_PROGRAMS)],
        at: now,
        by_id: viewer.person_id,
        by_role: Role::Publisher.id(),
        reason: answer.reason,
    };
    store::insert_answer(&mut tx, &new).await?;
    tx.commit().await?;
    Ok(())
}

fn check(form: &Submitted) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    let field = |name: &str| format!("{name}-{}", form.text("group"));
    let reason = form.text(&field("reason"));
    if reason.is_empty() {
        errors.add(field("reason"), "Say what happened, and what you do about it.");
    } else if reason.chars().count() > LONGEST_ANSWER {
        errors.add(field("reason"), "Write at most 2,000 characters.");
    }
    if form.text(&field("confirm")) != "yes" {
        errors.add(field("confirm"), "Tick the box to confirm.");
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

pub async fn answer(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    form: Submitted,
) -> Result<Response> {
    let group = form.text("group").to_owned();
    if !group::is_group_id(&group) {
        return Err(Error::NotFound);
    }
    let query = ListQuery::of_form(&form);
    let is_on_group = form.text("on") == "group";
    let answered = match check(&form) {
        Err(errors) => Err(Error::Invalid(errors)),
        Ok(()) => {
            let reason = form.text(&format!("reason-{group}"));
            let seen = form.text("seen").parse().unwrap_or(usize::MAX);
            answer_findings(&state, &viewer, Answer { group: &group, seen, reason }).await
        }
    };
    match answered {
        Ok(()) if is_on_group => Ok(see_other(&format!("/findings/{group}?done=finding-answered"))),
        Ok(()) => {
            let number: i64 = form.text("page").parse().unwrap_or(1);
            let (_, base) = Filter::of(&query).values();
            Ok(see_other(&format!("{base}page={number}&done=finding-answered#group-{group}")))
        }
        Err(error) => {
            let mut errors = FieldErrors::default();
            let (refused, status) = forms::refused(error, "findings")?;
            // A conflict is said at the form that it is about.
            for e in refused.iter() {
                let field =
                    if e.field == "findings" { format!("reason-{group}").into() } else { e.field.clone() };
                errors.add(field, e.message.clone());
            }
            let form = Form::with_errors(form, errors);
            if is_on_group {
                return render_group(&state, page, &group, form, status).await;
            }
            render(&state, (page, &viewer), query, form, status, None).await
        }
    }
}
