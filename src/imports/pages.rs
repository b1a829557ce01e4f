//! Imports as whoever uploads them sees them: totals without persons, and nothing at all about fewer than five.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::actions;
use super::formats::{Format, vendor};
use super::mine::role_words;
use super::model::{Mapped, Plan};
use super::store::imports::{self as store, ImportRow};
use crate::app::AppState;
use crate::clock::Day;
use crate::error::{Error, Result};
use crate::identity;
use crate::register::Category;
use crate::web::bands::{PeopleBand, SMALLEST_GROUP};
use crate::web::page::html_with;
use crate::web::{Form, Page, Pager, Path, Submitted, Viewer, forms, html, see_other, times};

const A_PAGE: i64 = 20;

/// Values and words of a form's list.
type Options = Vec<(String, String)>;

/// The exports there are, as a form's options.
pub fn format_options() -> Vec<(String, String)> {
    let none = (String::new(), "Choose …".to_owned());
    [none].into_iter().chain(Format::all().map(|f| (f.id(), f.title()))).collect()
}

/// Columns by their number, and categories: names of columns are the file's own, and could be anything.
pub fn column_options(columns: usize, mapped: &[Mapped]) -> (Options, Options) {
    let none = |words: &str| (String::new(), words.to_owned());
    let words = |n: usize| match mapped.iter().find(|m| m.column == n && !m.name.is_empty()) {
        Some(known) => format!("Column {n} ({})", known.name),
        None => format!("Column {n}"),
    };
    let numbers = (1..=columns.min(200)).map(|n| (n.to_string(), words(n)));
    let categories = Category::all().map(|c| (c.id().to_owned(), c.name().to_owned()));
    let columns = [none("By its name in the first line")].into_iter().chain(numbers).collect();
    (columns, [none("Choose …")].into_iter().chain(categories).collect())
}

/// How many workers there are: the whole that bands are cut from.
async fn count_workers(db: &mut PgConnection) -> Result<i64> {
    Ok(i64::try_from(identity::active_people(db).await?.len()).unwrap_or(i64::MAX))
}

/// An import without persons.
struct Summary {
    row: ImportRow,
    people: Option<PeopleBand>,
}

impl Summary {
    fn of(row: ImportRow, whole: i64) -> Self {
        // Leavers are among those matched: never more than the whole.
        let people = PeopleBand::of(row.people.min(whole), whole);
        Summary { row, people }
    }

    fn title(&self) -> String {
        let known = Format::find(&self.row.program, &self.row.format);
        known.map_or_else(|| self.row.program.clone(), Format::title)
    }

    fn vendor(&self) -> &str {
        vendor(&self.row.program)
    }

    fn by(&self) -> &'static str {
        role_words(&self.row.by_role)
    }

    /// Whether numbers may be shown at all: not of few people, and not where everybody are few.
    fn speaks(&self) -> bool {
        self.people.is_some() && self.row.people >= SMALLEST_GROUP
    }

    /// First and last; of few people they could say when one of them was at work.
    fn days(&self) -> Option<(Day, Day)> {
        self.row.first_day.zip(self.row.last_day).filter(|_| self.speaks())
    }

    /// Rows about nobody on the roll, as a band: an exact number would say of one name at a time whether it is there.
    fn unmatched(plan: &Plan) -> String {
        PeopleBand::of_messages(i64::try_from(plan.unmatched).unwrap_or(i64::MAX))
    }

    fn people(&self) -> String {
        match self.people {
            None => "not shown, since fewer than ten people work here".into(),
            Some(PeopleBand::FewerThanFive) => "nobody, or fewer than 5 people".into(),
            Some(band) => band.to_string(),
        }
    }

    fn records(&self) -> String {
        match self.speaks() {
            true => PeopleBand::of_messages(self.row.records),
            false => "not shown: it would speak of fewer than 5 people".into(),
        }
    }
}

#[derive(Template)]
#[template(path = "imports/list.html")]
struct ListPage {
    page: Page,
    form: Form,
    formats: Vec<(String, String)>,
    sources: Vec<&'static Format>,
    imports: Vec<Summary>,
    pager: Pager,
    zone: String,
}

#[derive(Deserialize, Default)]
pub struct ListQuery {
    page: Option<String>,
}

pub async fn list(
    State(state): State<AppState>,
    page: Page,
    Query(query): Query<ListQuery>,
) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let total = store::count_imports(&mut db).await?;
    let pager = Pager::new(query.page.as_deref(), A_PAGE, total, "/imports?");
    let rows = store::list_imports(&mut db, pager.offset(), pager.limit()).await?;
    let whole = count_workers(&mut db).await?;
    drop(db);
    let imports = rows.into_iter().map(|row| Summary::of(row, whole)).collect();
    let zone = state.config.time_zone.iana_name().unwrap_or("UTC").to_owned();
    let sources = Format::all().collect();
    let formats = format_options();
    html(&ListPage { page, form: Form::default(), formats, sources, imports, pager, zone })
}

#[derive(Template)]
#[template(path = "imports/show.html")]
struct ShowPage {
    page: Page,
    form: Form,
    import: Summary,
    /// Of a dry run.
    plan: Option<Plan>,
    format: Option<&'static Format>,
    columns: Vec<(String, String)>,
    categories: Vec<(String, String)>,
    zone: String,
    confirm: [(String, String); 1],
}

impl ShowPage {
    fn category(id: &str) -> &'static str {
        Category::parse(id).map_or("", Category::name)
    }

    fn number(n: &u64) -> String {
        times::number(i64::try_from(*n).unwrap_or(i64::MAX))
    }

    fn records(n: &i64) -> String {
        times::number(*n)
    }
}

/// A confirmed import, or one's own dry run.
pub async fn show(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    html(&show_page(&state, page, &viewer, id, Form::default()).await?)
}

async fn show_page(state: &AppState, page: Page, viewer: &Viewer, id: Uuid, form: Form) -> Result<ShowPage> {
    let mut db = state.db.acquire().await?;
    let row = store::find_import(&mut db, id).await?.ok_or(Error::NotFound)?;
    let waits = row.by_id == viewer.person_id && row.expires_at > page.now;
    if row.confirmed_at.is_none() && !waits {
        return Err(Error::NotFound);
    }
    let whole = count_workers(&mut db).await?;
    drop(db);
    let plan = row.plan.clone().and_then(|plan| serde_json::from_value::<Plan>(plan).ok());
    let (columns, categories) =
        plan.as_ref().map_or_else(Default::default, |p| column_options(p.columns, &p.mapped));
    let format = Format::find(&row.program, &row.format);
    let zone = state.config.time_zone.iana_name().unwrap_or("UTC").to_owned();
    let import = Summary::of(row, whole);
    let words = "These counts are right. What is taken stays, and can’t be made smaller.";
    let confirm = [("yes".to_owned(), words.to_owned())];
    Ok(ShowPage { page, form, import, plan, format, columns, categories, zone, confirm })
}

/// Takes the counts, once its box is ticked: there is no way back.
pub async fn confirm(
    State(state): State<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    form: Submitted,
) -> Result<Response> {
    actions::check_own(&state, &viewer, id).await?;
    match forms::confirmed(&form, "take_confirm") {
        Ok(()) => {
            actions::confirm(&state, &viewer, id).await?;
            Ok(see_other(&format!("/imports/{id}?done=import-confirmed")))
        }
        Err(error) => {
            let (errors, status) = forms::refused(error, "take_confirm")?;
            let form = Form::with_errors(form, errors);
            html_with(status, &show_page(&state, page, &viewer, id, form).await?)
        }
    }
}

pub async fn discard(
    State(state): State<AppState>,
    viewer: Viewer,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    actions::discard(&state, &viewer, id).await?;
    Ok(see_other("/imports?done=import-discarded"))
}
