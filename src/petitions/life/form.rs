//! The form in which authors with a name write.

use sqlx::PgConnection;

use super::about;
use super::actions::parse_about;
use super::model::Document;
use crate::error::Result;
use crate::petitions::model::OPEN_DAYS;
use crate::web::{Form, Submitted};

/// What the form's lists offer.
pub struct Lists {
    pub things: Vec<(String, String)>,
    pub open_days: Vec<(String, String)>,
}

impl Lists {
    pub async fn load(db: &mut PgConnection) -> Result<Self> {
        let mut things = vec![(String::new(), "Nothing that stands here".to_owned())];
        things.extend(about::list(db).await?);
        let open_days = OPEN_DAYS.map(|n| (n.to_string(), format!("{n} days"))).into();
        Ok(Lists { things, open_days })
    }
}

/// What was typed.
pub fn read(submitted: &Submitted) -> Result<Document> {
    Ok(Document {
        title: submitted.text("title").into(),
        demand: submitted.text("demand").into(),
        background: submitted.text("background").into(),
        about: parse_about(submitted.text("about"))?,
        open_days: submitted.text("open_days").parse().unwrap_or(0),
    })
}

/// The form with a text in it.
pub fn filled(text: &Document) -> Form {
    Form::new(values(text))
}

/// A text as the form would send it.
pub fn values(text: &Document) -> Submitted {
    let mut values = Submitted::default();
    values.set("title", text.title.as_str());
    values.set("demand", text.demand.as_str());
    values.set("background", text.background.as_str());
    values.set("about", text.about.map(|a| a.query()).unwrap_or_default());
    values.set("open_days", text.open_days.to_string());
    values
}
