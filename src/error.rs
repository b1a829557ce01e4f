//! One error type with two faces: a page for people, RFC 9457 for programs.
//!
//! [`Error`] writes its status and leaves a [`Problem`] in the response's extensions; the layers in
//! `web::problems` turn that into `error.html` or `application/problem+json`. An internal error is logged
//! once, with the request's id, and its text never leaves the server.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong while a request is answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Sign in first.")]
    Unauthenticated,
    #[error("Your role doesn't allow this.")]
    Forbidden,
    #[error("There is nothing here.")]
    NotFound,
    #[error("Some fields need a change.")]
    Invalid(FieldErrors),
    /// The request is well formed, but the state of things doesn't allow it; the text is for the person.
    #[error("{0}")]
    Conflict(Cow<'static, str>),
    /// Any other refusal, with its status and a text for the person.
    #[error("{1}")]
    Rejected(StatusCode, Cow<'static, str>),
    #[error("Something went wrong on our side. Nothing was changed.")]
    Internal(#[from] anyhow::Error),
}

impl Error {
    pub fn conflict(text: impl Into<Cow<'static, str>>) -> Self {
        Error::Conflict(text.into())
    }

    pub fn invalid(field: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        let mut errors = FieldErrors::default();
        errors.add(field, message);
        Error::Invalid(errors)
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Error::Unauthenticated => StatusCode::UNAUTHORIZED,
            Error::Forbidden => StatusCode::FORBIDDEN,
            Error::NotFound => StatusCode::NOT_FOUND,
            Error::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Error::Conflict(_) => StatusCode::CONFLICT,
            Error::Rejected(status, _) => *status,
            Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::RowNotFound => Error::NotFound,
            sqlx::Error::PoolTimedOut => Error::Rejected(
                StatusCode::SERVICE_UNAVAILABLE,
                "The database is busy. Please try again in a moment.".into(),
            ),
            gone if is_gone(&gone) => {
                // Its text names a host or a socket at most.
                tracing::error!(error = ?InternalCause(&anyhow::Error::new(gone)), "the database can't be reached");
                let text = "The database can't be reached. Please try again in a moment.";
                Error::Rejected(StatusCode::SERVICE_UNAVAILABLE, text.into())
            }
            other => Error::Internal(anyhow::Error::new(other).context("database")),
        }
    }
}

/// Whether there is no talking to the database: it is stopping, starting, full, or not there.
fn is_gone(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolClosed => true,
        sqlx::Error::Database(db) => {
            db.code().is_some_and(|code| ["08", "53", "57P"].iter().any(|class| code.starts_with(class)))
        }
        _ => false,
    }
}

impl From<askama::Error> for Error {
    fn from(error: askama::Error) -> Self {
        Error::Internal(anyhow::Error::new(error).context("template"))
    }
}

/// Messages by form field or JSON pointer, in the order they were found.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct FieldErrors(Vec<FieldError>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// A form field's name, or an RFC 6901 JSON pointer.
    pub field: Cow<'static, str>,
    pub message: Cow<'static, str>,
}

impl FieldErrors {
    pub fn add(&mut self, field: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) {
        self.0.push(FieldError { field: field.into(), message: message.into() });
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, FieldError> {
        self.0.iter()
    }

    pub fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|e| e.field == field).map(|e| e.message.as_ref())
    }

    /// `Ok` when nothing was found.
    pub fn into_result(self) -> Result<()> {
        if self.is_empty() { Ok(()) } else { Err(Error::Invalid(self)) }
    }
}

/// What a response says of its error (RFC 9457 names); finished by the layers in `web::problems`.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the status says what kind it is.
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[schema(value_type = u16)]
    #[serde(serialize_with = "status_number")]
    pub status: StatusCode,
    pub title: Cow<'static, str>,
    pub detail: Cow<'static, str>,
    /// The request's id, to quote to an administrator; it stands in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

fn status_number<S: serde::Serializer>(status: &StatusCode, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_u16(status.as_u16())
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Problem {
            kind: "about:blank",
            status,
            title: status.canonical_reason().unwrap_or("Error").into(),
            detail: detail.into(),
            instance: None,
            errors: Vec::new(),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut problem = Problem::new(status, self.to_string());
        match self {
            Error::Internal(cause) => {
                // The span of the request carries its id; the chain may name tables, never values.
                tracing::error!(error = ?InternalCause(&cause), "internal error");
                problem.detail = "Something went wrong on our side. Nothing was changed.".into();
            }
            Error::Invalid(errors) => problem.errors = errors.0,
            _ => {}
        }
        let mut response = status.into_response();
        response.extensions_mut().insert(problem);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

/// Prints a chain of causes without what a database error quotes: its detail can hold people's data.
struct InternalCause<'a>(&'a anyhow::Error);

impl std::fmt::Debug for InternalCause<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (depth, cause) in self.0.chain().enumerate() {
            if depth > 0 {
                f.write_str(": ")?;
            }
            match cause.downcast_ref::<sqlx::Error>() {
                Some(sqlx::Error::Database(db)) => {
                    write!(f, "sqlstate {:?} constraint {:?}", db.code(), db.constraint())?;
                    return Ok(());
                }
                Some(other) => {
                    let name = format!("{other:?}");
                    f.write_str(name.split(['(', '{']).next().unwrap_or("sqlx error"))?;
                    return Ok(());
                }
                None => write!(f, "{cause}")?,
            }
        }
        Ok(())
    }
}

/// Turns the violation of a named constraint into an answer for the person.
pub trait OnConstraint<T> {
    /// When the error is the violation of the constraint `name`, answers with `f()` instead.
    fn on_constraint(self, name: &str, f: impl FnOnce() -> Error) -> Result<T>;
}

impl<T> OnConstraint<T> for Result<T, sqlx::Error> {
    fn on_constraint(self, name: &str, f: impl FnOnce() -> Error) -> Result<T> {
        self.map_err(|error| match &error {
            sqlx::Error::Database(db) if db.constraint() == Some(name) => f(),
            _ => error.into(),
        })
    }
}
