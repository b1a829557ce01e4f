//! The list of petitions. Numbers under five aren't shown, and nothing is sorted by them.

use askama::Template;
use axum::extract::{Query, State as FromState};
use axum::response::Response;
use serde::Deserialize;
use sqlx::PgConnection;

use super::integrity::{Fit, Leaves};
use super::model::{About, Document, Standing, State, standing};
use super::store::lists::{self, Filter, ListRow};
use super::store::{self, PetitionRow};
use super::{about, counts};
use crate::app::AppState;
use crate::error::Result;
use crate::petitions::model::CHECKING_DAYS;
use crate::web::problems::encode;
use crate::web::{Form, Page, Pager, Role, Submitted, Viewer, html};

const A_PAGE: i64 = 20;

/// Words of a search that are looked at.
const WORDS_AT_MOST: usize = 8;

const TABS: [(&str, &str); 6] = [
    ("open", "Open"),
    ("answered", "Answered"),
    ("closed", "Closed"),
    ("seeking", "Seeking support"),
    ("following", "Following"),
    ("mine", "Mine"),
];

const SORTS: [(&str, &str); 3] =
    [("newest", "Newest"), ("closing", "Closing soon"), ("most", "Most signatures")];

#[derive(Debug, Default, Deserialize)]
pub struct ListQuery {
    show: Option<String>,
    /// `answer`: those that wait for the employer.
    waiting: Option<String>,
    about: Option<String>,
    q: Option<String>,
    sort: Option<String>,
    page: Option<String>,
}

/// A petition on the list.
struct Item {
    row: PetitionRow,
    title: String,
    standing: Standing,
    count: Option<String>,
    fit: Fit,
    /// The date by which an answer is due.
    clock: Fit,
    answered: bool,
    news: bool,
    follows: bool,
}

impl Item {
    fn is_draft(&self) -> bool {
        self.row.state() == State::Draft
    }

    /// When support is sought until, the check ends, or it closes; in words before it.
    fn next(&self) -> Option<(&'static str, crate::clock::Time)> {
        match self.row.state() {
            State::Seeking => self.row.seeking_until.map(|at| ("seeks support until", at)),
            State::Checking => {
                self.row.checking_since.map(|at| ("is checked until", at.plus_days(CHECKING_DAYS)))
            }
            State::Open => self.row.closes_at.map(|at| ("closes", at)),
            _ => self.row.closed_at.map(|at| ("closed", at)),
        }
    }
}

#[derive(Template)]
#[template(path = "petitions/list.html")]
struct ListPage {
    page: Page,
    form: Form,
    tab: &'static str,
    /// Name of what they are all about.
    about: Option<String>,
    items: Vec<Item>,
    pager: Pager,
    sorts: Vec<(String, String)>,
    things: Vec<(String, String)>,
    filtered: bool,
}

impl ListPage {
    fn tabs(&self) -> Vec<(&'static str, &'static str)> {
        TABS.into_iter().filter(|(id, _)| *id != "mine" || self.page.is_worker()).collect()
    }

    fn tab_name(&self) -> &'static str {
        TABS.iter().find(|(id, _)| *id == self.tab).map_or("Waiting for an answer", |(_, name)| name)
    }
}

fn tab(query: &ListQuery, viewer: &Viewer) -> &'static str {
    if query.waiting.as_deref() == Some("answer") {
        return "waiting";
    }
    let asked = query.show.as_deref().unwrap_or("open");
    let found = TABS.iter().map(|(id, _)| *id).find(|id| *id == asked).unwrap_or("open");
    if found == "mine" && !viewer.has(Role::Worker) { "open" } else { found }
}

/// The address of this list up to its page.
fn base(tab: &str, query: &ListQuery) -> String {
    let mut pairs = vec![match tab {
        "waiting" => "waiting=answer".to_owned(),
        tab => format!("show={tab}"),
    }];
    for (name, value) in [("about", &query.about), ("q", &query.q), ("sort", &query.sort)] {
        if let Some(value) = value.as_deref().filter(|v| !v.is_empty()) {
            pairs.push(format!("{name}={}", encode(value)));
        }
    }
    format!("/petitions?{}&", pairs.join("&"))
}

async fn item(
    db: &mut PgConnection,
    state: &AppState,
    viewer: &Viewer,
    row: ListRow,
) -> Result<Option<Item>> {
    let Some(petition) = store::find(db, row.id).await? else { return Ok(None) };
    let readable = petition.state() != State::Refused
        || petition.is_by(viewer.person_id)
        || viewer.has(Role::Representative);
    let title = match (&row.document, readable) {
        (Some(document), true) => Document::read(document).title,
        (None, true) => store::find_draft(db, row.id).await?.map(|d| d.title).unwrap_or_default(),
        (_, false) => String::new(),
    };
    Ok(Some(Item {
        title,
        standing: standing(&petition, row.answered, state.clock.now()),
        count: petition.state().was_opened().then(|| counts::words(counts::shown(row.total))),
        fit: Fit::Whole,
        clock: Fit::Whole,
        answered: row.answered,
        news: row.news,
        follows: row.follows,
        row: petition,
    }))
}

/// Compares what is on this page with the log, in one go.
async fn compare(db: &mut PgConnection, state: &AppState, items: &mut [Item]) -> Result<()> {
    let mut newest = Vec::new();
    for item in items.iter() {
        newest.push(store::list_versions(db, item.row.id).await?.into_iter().next());
    }
    let clocks = items.iter().filter_map(|item| item.row.reached_entry);
    let entries: Vec<i64> = newest.iter().flatten().map(|v| v.ledger_entry).chain(clocks).collect();
    let leaves = Leaves::load(db, &state.ledger, &entries).await?;
    for (item, version) in items.iter_mut().zip(newest) {
        if let Some(version) = version {
            item.fit = leaves.version(&item.row, &version);
            let (clock, due) = leaves.clock(&item.row, &version.leaf_hash);
            item.row.answer_due_at = due;
            if clock.is_broken() {
                item.clock = clock;
                item.standing = standing(&item.row, item.answered, state.clock.now());
            }
        }
    }
    Ok(())
}

pub async fn list(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Response> {
    let tab = tab(&query, &viewer);
    let about = query.about.as_deref().and_then(About::parse);
    let words: Vec<String> = query
        .q
        .as_deref()
        .unwrap_or_default()
        .to_lowercase()
        .split_whitespace()
        .take(WORDS_AT_MOST)
        .map(|w| w.replace('\0', ""))
        .collect();
    let sort = SORTS.iter().map(|(id, _)| *id).find(|id| query.sort.as_deref() == Some(id));
    let filter = Filter {
        tab,
        about_kind: about.map(|a| a.kind.id()),
        about_id: about.map(|a| a.id),
        words: &words,
        viewer: viewer.person_id,
        now: state.clock.now(),
        reads_refused: viewer.has(Role::Representative),
        sort: sort.unwrap_or("newest"),
    };
    let mut db = state.db.acquire().await?;
    let total = lists::count(&mut db, filter).await?;
    let pager = Pager::new(query.page.as_deref(), A_PAGE, total, base(tab, &query));
    let mut items = Vec::new();
    for row in lists::list(&mut db, filter, pager.offset(), pager.limit()).await? {
        items.extend(item(&mut db, &state, &viewer, row).await?);
    }
    compare(&mut db, &state, &mut items).await?;
    let name = match about {
        Some(about) => about::find(&mut db, about).await?,
        None => None,
    };
    let mut things = vec![(String::new(), "Anything".to_owned())];
    things.extend(about::list(&mut db).await?);
    drop(db);
    let pair = |(id, words): &(&str, &str)| ((*id).to_owned(), (*words).to_owned());
    let values = [("q", &query.q), ("sort", &query.sort), ("about", &query.about)];
    let form: Submitted =
        values.into_iter().map(|(n, v)| (n.to_owned(), v.clone().unwrap_or_default())).collect();
    html(&ListPage {
        page,
        form: Form::new(form),
        tab,
        about: name,
        items,
        pager,
        sorts: SORTS.iter().map(pair).collect(),
        things,
        filtered: !words.is_empty() || about.is_some(),
    })
}
