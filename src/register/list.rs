//! The taxonomy and the list of what is declared.

use askama::Template;
use axum::extract::{Query, State as FromState};
use axum::response::Response;
use serde::Deserialize;

use super::life::{Revision, State};
use super::store;
use super::taxonomy::Category;
use crate::app::AppState;
use crate::error::Result;
use crate::web::{Form, Page, Role, Submitted, Viewer, html, times};

#[derive(Template)]
#[template(path = "register/categories.html")]
struct CategoriesPage {
    page: Page,
    categories: Vec<Category>,
}

pub async fn categories(page: Page) -> Result<Response> {
    html(&CategoriesPage { page, categories: Category::all().collect() })
}

/// Whether this person may know of a processing: drafts are the publishers', proposals also the
/// representatives', and what was ever in force is everybody's.
pub fn may_see(viewer: &Viewer, state: State, was_active: bool) -> bool {
    was_active || viewer.has(Role::Publisher) || (viewer.has(Role::Representative) && state != State::Draft)
}

#[derive(Deserialize, Default)]
pub struct Filter {
    #[serde(default)]
    state: String,
    #[serde(default)]
    category: String,
    #[serde(default)]
    q: String,
}

impl Filter {
    fn is_empty(&self) -> bool {
        self.state.is_empty() && self.category.is_empty() && self.q.trim().is_empty()
    }

    fn lets_pass(&self, r: &Revision) -> bool {
        (self.state.is_empty() || self.state == r.state.id())
            && (self.category.is_empty() || self.category == r.content.category.id())
            && self.finds(r)
    }

    /// Every word of the search stands somewhere in the declaration.
    fn finds(&self, r: &Revision) -> bool {
        let c = &r.content;
        let mut text = [
            c.category.id(),
            c.category.name(),
            c.category.words(),
            c.purpose.name(),
            c.purpose.words(),
            &c.source.name,
            &c.source.vendor,
            &c.fields,
            &c.necessity,
        ]
        .join(" ");
        c.recipients
            .iter()
            .for_each(|to| text.extend([" ", to.name.as_str(), " ", to.host.as_deref().unwrap_or("")]));
        let text = text.to_lowercase();
        self.q.to_lowercase().split_whitespace().all(|word| text.contains(word))
    }
}

struct StateGroup {
    state: State,
    rows: Vec<Revision>,
}

impl StateGroup {
    fn about(&self) -> &'static str {
        match self.state {
            State::Active => "In force now.",
            State::Paused => "Not in force: collecting it now would be undeclared.",
            State::Proposed => "Not in force yet. Publishers and representatives see these.",
            State::Draft => "Publishers alone see these.",
            State::Ended => "No longer in force.",
        }
    }
}

#[derive(Template)]
#[template(path = "register/list.html")]
struct ListPage {
    page: Page,
    form: Form,
    states: Vec<(String, String)>,
    categories: Vec<(String, String)>,
    groups: Vec<StateGroup>,
    filtered: bool,
    found: usize,
}

pub async fn list(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Query(filter): Query<Filter>,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let rows = store::list_newest(&mut db).await?;
    drop(db);
    let mut seen: Vec<Revision> = rows
        .into_iter()
        .filter(|(r, was_active)| may_see(&viewer, r.state, *was_active))
        .map(|(r, _)| r)
        .collect();
    let offered = |id: &str| seen.iter().any(|r| r.state.id() == id);
    let mut states = vec![(String::new(), "every state".to_owned())];
    let own = State::ALL.iter().filter(|s| offered(s.id()) || filter.state == s.id());
    states.extend(own.map(|s| (s.id().to_owned(), s.words().to_owned())));
    let mut categories = vec![(String::new(), "every kind".to_owned())];
    categories.extend(Category::all().map(|c| (c.id().to_owned(), c.name().to_owned())));
    seen.retain(|r| filter.lets_pass(r));
    let found = seen.len();
    let groups = State::ALL
        .into_iter()
        .map(|state| StateGroup { state, rows: seen.extract_if(.., |r| r.state == state).collect() })
        .filter(|g| !g.rows.is_empty())
        .collect();
    let filtered = !filter.is_empty();
    let form = Form::new(filled(filter));
    html(&ListPage { page, form, states, categories, groups, filtered, found })
}

fn filled(filter: Filter) -> Submitted {
    [("state", filter.state), ("category", filter.category), ("q", filter.q)]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn kept_for(r: &Revision) -> String {
    if r.content.retention.is_empty() { "not said yet".into() } else { times::duration(&r.content.retention) }
}

fn choice(r: &Revision) -> &'static str {
    r.content.choice_mode.map_or("not said yet", |m| m.words())
}
