//! The catalogue of known monitoring products as pages: what each can collect, and how to find it on a computer.

use askama::Template;
use axum::extract::{Query, State as FromState};
use axum::response::Response;
use serde::Deserialize;

use super::life::Revision;
use super::list::may_see;
use super::store;
use super::taxonomy::Category;
use crate::app::AppState;
use crate::catalogue::{self, Product, Stealth};
use crate::clock::Day;
use crate::error::{Error, Result};
use crate::web::{Form, Page, Path, Submitted, Viewer, html};

/// What a product can collect, in the taxonomy's order.
fn can_collect(product: &Product) -> Vec<Category> {
    Category::all().filter(|c| product.categories.iter().any(|id| id == c.id())).collect()
}

fn read_on(product: &Product) -> Option<Day> {
    product.read.parse::<jiff::civil::Date>().ok().map(Day::from)
}

#[derive(Deserialize, Default)]
pub struct Filter {
    #[serde(default)]
    q: String,
    #[serde(default)]
    category: String,
    #[serde(default)]
    stealth: String,
}

impl Filter {
    fn is_empty(&self) -> bool {
        self.q.trim().is_empty() && self.category.is_empty() && self.stealth.is_empty()
    }

    /// Words are looked for in names and in what the product can collect.
    fn lets_pass(&self, product: &Product) -> bool {
        let kinds: Vec<&str> = can_collect(product).into_iter().map(Category::words).collect();
        let kinds = kinds.join(" ").to_lowercase();
        let finds = |word: &str| product.is_called(word) || kinds.contains(&word.to_lowercase());
        (self.category.is_empty() || product.categories.contains(&self.category))
            && (self.stealth != "yes" || product.stealth == Stealth::Yes)
            && self.q.split_whitespace().all(finds)
    }
}

#[derive(Template)]
#[template(path = "register/catalogue.html")]
struct CataloguePage {
    page: Page,
    form: Form,
    products: Vec<&'static Product>,
    categories: Vec<(String, String)>,
    stealth: [(String, String); 2],
    filtered: bool,
    all: usize,
}

pub async fn list(page: Page, Query(filter): Query<Filter>) -> Result<Response> {
    let products = catalogue::all().iter().filter(|p| filter.lets_pass(p)).collect();
    let mut categories = vec![(String::new(), "anything".to_owned())];
    categories.extend(Category::all().map(|c| (c.id().to_owned(), c.name().to_owned())));
    let stealth = [("", "all"), ("yes", "that can run unseen")].map(|(v, w)| (v.to_owned(), w.to_owned()));
    let filtered = !filter.is_empty();
    let values: Submitted = [("q", filter.q), ("category", filter.category), ("stealth", filter.stealth)]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let form = Form::new(values);
    html(&CataloguePage { page, form, products, categories, stealth, filtered, all: catalogue::all().len() })
}

#[derive(Template)]
#[template(path = "register/product.html")]
struct ProductPage {
    page: Page,
    product: &'static Product,
    can_collect: Vec<Category>,
    /// What the register says of it, as far as the reader may see it.
    declared: Vec<Revision>,
}

impl ProductPage {
    /// Whether some declaration of this kind of data is among them.
    fn is_declared(&self, category: &Category) -> bool {
        self.declared.iter().any(|r| r.content.category == *category)
    }
}

pub async fn show(
    FromState(state): FromState<AppState>,
    page: Page,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response> {
    let product = catalogue::find(&id).ok_or(Error::NotFound)?;
    let mut db = state.db.acquire().await?;
    let rows = store::list_newest(&mut db).await?;
    drop(db);
    let declared = rows
        .into_iter()
        .filter(|(r, was_active)| may_see(&viewer, r.state, *was_active))
        .map(|(r, _)| r)
        .filter(|r| r.content.source.matches(&product.id))
        .collect();
    html(&ProductPage { page, product, can_collect: can_collect(product), declared })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_product_collects_known_kinds_and_was_read_on_a_day() {
        for product in catalogue::all() {
            for id in &product.categories {
                assert!(
                    Category::parse(id).is_some_and(|c| c != Category::unknown()),
                    "{}: {id}",
                    product.id
                );
            }
            assert!(read_on(product).is_some(), "{}", product.id);
            assert_eq!(super::super::source_key(&product.id), product.id, "as the register compares names");
        }
    }

    #[test]
    fn a_search_looks_in_names_and_in_what_can_be_collected() {
        let found = |q: &str| {
            let filter = Filter { q: q.into(), ..Filter::default() };
            catalogue::all().iter().filter(|p| filter.lets_pass(p)).count()
        };
        assert_eq!(found("no-such-product"), 0);
        assert_eq!(found("TIME doctor"), 1);
        assert!(found("screenshots") > 3 && found("screenshots") < catalogue::all().len());
    }
}
