//! Rules about people, passwords and the roll; no I/O.

mod moves;
mod plan;
mod roll;

use std::collections::HashSet;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::web::Role;

pub use moves::Moves;
pub use plan::{OnFile, RollPlan};
pub use roll::{RollError, RollRow, read_roll};

/// Days a session lasts at most, and hours it may lie idle.
pub const SESSION_DAYS: i64 = 14;
pub const SESSION_IDLE_HOURS: i64 = 12;

/// Failed tries an account may have within [`FAILURE_MINUTES`] before it must wait.
pub const FAILURES_ALLOWED: i64 = 10;
pub const FAILURE_MINUTES: i64 = 15;

/// Mails with a link that one account gets within an hour.
pub const LINKS_AN_HOUR: i64 = 3;

/// Characters at most; what is longer is a mistake, and an index can't hold it.
pub const NAME_LENGTH: usize = 200;
pub const DEPARTMENT_LENGTH: usize = 100;
pub const NUMBER_LENGTH: usize = 64;

/// Laws the rules know, by ISO 3166 code; EU stands for the GDPR alone.
pub const JURISDICTIONS: &[(&str, &str)] = &[
    ("EU", "European Union"),
    ("DE", "Germany"),
    ("AT", "Austria"),
    ("FR", "France"),
    ("GB", "United Kingdom"),
    ("US-NY", "New York"),
    ("US-CA", "California"),
    ("US-CT", "Connecticut"),
    ("US-DE", "Delaware"),
    ("US-IL", "Illinois"),
    ("CA-ON", "Ontario"),
    ("AU-NSW", "New South Wales"),
    ("XX", "Elsewhere"),
];

/// What a role means, for whoever gives or holds it.
pub fn role_meaning(role: Role) -> &'static str {
    match role {
        Role::Worker => "sees what is collected about themselves",
        Role::Publisher => "declares what is collected, for the employer",
        Role::Representative => "works council or union: is consulted before it begins",
        Role::Administrator => "runs the server and the roll; sees nothing that is collected",
    }
}

/// The code's country or state in words.
pub fn jurisdiction_words(code: &str) -> &str {
    JURISDICTIONS.iter().find(|(c, _)| *c == code).map_or(code, |(_, words)| words)
}

/// IANA names to choose from: places, without the aliases of old systems.
pub static TIME_ZONES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let known = jiff::tz::db().available().map(|name| name.as_str().to_owned());
    let places = known.filter(|n| n == "UTC" || (n.contains('/') && !n.starts_with("Etc/")));
    let mut names: Vec<String> = places.filter(|n| !n.starts_with("SystemV/")).collect();
    names.sort();
    names.dedup();
    names
});

/// Lower case, trimmed; `None` unless it has the shape of an address.
pub fn normalise_email(text: &str) -> Option<String> {
    let email = text.trim().to_lowercase();
    let (local, domain) = email.split_once('@')?;
    let fine = !local.is_empty()
        && domain.contains('.')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && !domain.contains('@')
        && email.len() <= 254
        && !email.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\",;".contains(c));
    fine.then_some(email)
}

/// Whether a text typed into one line is no longer than `limit`, without line breaks and the like.
pub fn fits(text: &str, limit: usize) -> bool {
    text.chars().count() <= limit && !text.contains(char::is_control)
}

/// SHA-256 of a token: what the database keeps of it.
pub fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Why a new password won't do, or `None`. NIST SP 800-63B: length over composition.
pub fn password_problem(password: &str, email: &str) -> Option<&'static str> {
    let lower = password.to_lowercase();
    let name = email.split('@').next().unwrap_or("");
    let distinct = password.chars().collect::<HashSet<_>>().len();
    if password.chars().count() < 12 {
        Some("Use at least 12 characters; several words are easier to remember than signs.")
    } else if password.len() > 256 {
        Some("Use at most 256 characters.")
    } else if distinct < 5 || (name.len() >= 4 && lower.contains(name)) || lower.contains("password1") {
        Some("That one is too easy to guess: it repeats itself, or holds your name or a common password.")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords() {
        assert!(password_problem("short", "a@b.c").is_some());
        assert!(password_problem("aaaaaaaaaaaaaaaa", "a@b.c").is_some());
        assert!(password_problem("margaret-2026!", "margaret@b.c").is_some());
        assert!(password_problem("three boats at noon", "a@b.c").is_none());
    }
}
