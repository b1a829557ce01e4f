//! Forms that come back with what was typed.
//!
//! [`Submitted`] is what a browser sent, [`Form`] is what the page shows: values, and messages by field.
//! A template asks the form for a field and gets label, hint, control and message in one accessible piece.

use std::borrow::Cow;

use askama::Template;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;

use crate::app::AppState;
use crate::error::{Error, FieldErrors};

/// Name and value pairs, in the order of the form; a name may occur several times.
#[derive(Debug, Default, Clone)]
pub struct Submitted(Vec<(String, String)>);

impl Submitted {
    /// The value without white space around it; empty when the field is absent.
    pub fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.trim())
    }

    pub fn optional(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|v| !v.is_empty())
    }

    /// As typed: passwords keep their spaces.
    pub fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.trim()).filter(|v| !v.is_empty())
    }

    /// Names and values, as they were sent.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.trim()))
    }

    /// The values of a text area, one a line.
    pub fn lines(&self, name: &str) -> Vec<String> {
        self.text(name).lines().map(str::trim).filter(|l| !l.is_empty()).map(Into::into).collect()
    }

    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }
}

impl FromIterator<(String, String)> for Submitted {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Submitted(pairs.into_iter().collect())
    }
}

impl FromRequest<AppState> for Submitted {
    type Rejection = Error;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Error> {
        let unreadable = || Error::Rejected(StatusCode::BAD_REQUEST, "This form could not be read.".into());
        let axum::Form(mut pairs) = axum::Form::<Vec<(String, String)>>::from_request(request, state)
            .await
            .map_err(|_| unreadable())?;
        for (_, value) in &mut pairs {
            // Postgres stores no NUL; no keyboard types one.
            if value.contains('\0') {
                return Err(unreadable());
            }
            // Browsers send text areas with CRLF: a text that wasn't touched must come back as it was.
            if value.contains('\r') {
                *value = value.replace("\r\n", "\n");
            }
        }
        Ok(Submitted(pairs))
    }
}

/// The revision that the form was made from; none matches when it is missing.
pub fn seen(submitted: &Submitted) -> i32 {
    submitted.text("revision").parse().unwrap_or(0)
}

pub fn confirmed(submitted: &Submitted, field: &'static str) -> Result<(), Error> {
    match submitted.text(field) {
        "yes" => Ok(()),
        _ => Err(Error::invalid(field, "Tick the box to confirm.")),
    }
}

/// What was refused, as messages of a form and their status; other errors pass.
pub fn refused(error: Error, conflicts_at: &'static str) -> Result<(FieldErrors, StatusCode), Error> {
    match error {
        Error::Conflict(words) => {
            let mut errors = FieldErrors::default();
            errors.add(conflicts_at, words);
            Ok((errors, StatusCode::CONFLICT))
        }
        Error::Invalid(errors) => Ok((errors, StatusCode::UNPROCESSABLE_ENTITY)),
        other => Err(other),
    }
}

/// A form as a page shows it.
#[derive(Debug, Default)]
pub struct Form {
    values: Submitted,
    errors: FieldErrors,
}

impl Form {
    pub fn new(values: Submitted) -> Self {
        Form { values, errors: FieldErrors::default() }
    }

    pub fn with_errors(values: Submitted, errors: FieldErrors) -> Self {
        Form { values, errors }
    }

    pub fn errors(&self) -> &FieldErrors {
        &self.errors
    }

    pub fn value(&self, name: &str) -> &str {
        self.values.text(name)
    }

    pub fn text<'a>(&'a self, name: &'a str, label: &'a str, hint: &'a str) -> Field<'a> {
        self.field(name, label, hint, Control::Input("text", ""))
    }

    pub fn email<'a>(&'a self, name: &'a str, label: &'a str, hint: &'a str) -> Field<'a> {
        self.field(name, label, hint, Control::Input("email", "username"))
    }

    pub fn date<'a>(&'a self, name: &'a str, label: &'a str, hint: &'a str) -> Field<'a> {
        self.field(name, label, hint, Control::Input("date", ""))
    }

    pub fn time<'a>(&'a self, name: &'a str, label: &'a str, hint: &'a str) -> Field<'a> {
        self.field(name, label, hint, Control::Input("time", ""))
    }

    /// `autocomplete` is `current-password` or `new-password`; a password never comes back in the page.
    pub fn password<'a>(
        &'a self,
        name: &'a str,
        label: &'a str,
        hint: &'a str,
        autocomplete: &'a str,
    ) -> Field<'a> {
        let mut field = self.field(name, label, hint, Control::Input("password", autocomplete));
        field.value = "";
        field
    }

    pub fn area<'a>(&'a self, name: &'a str, label: &'a str, hint: &'a str) -> Field<'a> {
        self.field(name, label, hint, Control::Area)
    }

    /// Options are (value, words).
    pub fn select<'a>(
        &'a self,
        name: &'a str,
        label: &'a str,
        hint: &'a str,
        options: &'a [(String, String)],
    ) -> Field<'a> {
        self.field(name, label, hint, Control::Select(options))
    }

    /// A text with suggestions (`<datalist>`); anything else may be typed too.
    pub fn suggest<'a>(
        &'a self,
        name: &'a str,
        label: &'a str,
        hint: &'a str,
        suggestions: &'a [String],
    ) -> Field<'a> {
        self.field(name, label, hint, Control::Suggest(suggestions))
    }

    /// One box for each option; several may be ticked.
    pub fn boxes<'a>(
        &'a self,
        name: &'a str,
        label: &'a str,
        hint: &'a str,
        options: &'a [(String, String)],
    ) -> Field<'a> {
        self.field(name, label, hint, Control::Boxes(options))
    }

    fn field<'a>(&'a self, name: &'a str, label: &'a str, hint: &'a str, control: Control<'a>) -> Field<'a> {
        Field {
            name,
            label: label.into(),
            hint,
            control,
            value: self.values.text(name),
            chosen: self.values.all(name).collect(),
            error: self.errors.of(name),
        }
    }
}

#[derive(Debug)]
pub enum Control<'a> {
    /// The input's type and its `autocomplete`.
    Input(&'a str, &'a str),
    Area,
    Suggest(&'a [String]),
    Select(&'a [(String, String)]),
    Boxes(&'a [(String, String)]),
}

/// Label, hint, control and message of one field.
#[derive(Debug, Template)]
#[template(path = "parts/field.html")]
pub struct Field<'a> {
    name: &'a str,
    label: Cow<'a, str>,
    hint: &'a str,
    control: Control<'a>,
    value: &'a str,
    chosen: Vec<&'a str>,
    error: Option<&'a str>,
}

impl Field<'_> {
    /// Hint and message, as `aria-describedby` names them.
    fn described_by(&self) -> String {
        let mut ids = Vec::new();
        if !self.hint.is_empty() {
            ids.push(format!("{}-hint", self.name));
        }
        if self.error.is_some() {
            ids.push(format!("{}-error", self.name));
        }
        ids.join(" ")
    }
}

impl askama::filters::HtmlSafe for Field<'_> {}
