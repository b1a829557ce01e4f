//! OpenTelemetry's protocol over HTTP, as Gemini CLI, Claude Code and any OpenTelemetry SDK speak it.
//!
//! A message is read whole ([`routes`]), its records are classified by a table ([`rules`], `rules.csv`), counted and
//! judged ([`scan`], [`strip`]), and what may go on is written anew from what was understood: fields that OTLP doesn't
//! have, and keys that the table doesn't have, end here. [`records`] lists where in a message somebody's words may stand.
//! The answer is OTLP's own success ([`answer`]).

mod answer;
mod count;
mod records;
mod routes;
mod rules;
mod scan;
mod strip;

pub(in crate::gateways) use self::routes::router;
pub(in crate::gateways) use self::rules::check;
