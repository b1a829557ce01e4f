//! The house rules, read off the source: who may name whom, and where SQL may stand.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms from the outside in; a room may name those of its own line and below.
const LEVELS: &[&[&str]] = &[
    &["server"],
    &["demo", "site"],
    &[
        "register",
        "collection",
        "gateways",
        "imports",
        "canaries",
        "notices",
        "consent",
        "petitions",
        "representative",
        "wallet",
    ],
    &["catalogue"],
    &["identity"],
    &["outbox"],
    &["audit"],
    &["credentials"],
    &["ledger"],
    &["web"],
    &["database"],
    &["config", "error", "clock"],
];

/// The levels whose rooms may name each other: features without circles, and the ground.
const FEATURES: usize = 2;
const GROUND: usize = 11;

/// Everybody may name the application's state, which is what handlers share; only it names everybody.
const FREE: &str = "app";

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, out: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                out.push((path, text));
            }
        }
    }
    let mut out = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut out);
    out
}

fn room(path: &Path) -> String {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).expect("under src");
    let first = inside.components().next().expect("a component").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn level(room: &str) -> Option<usize> {
    LEVELS.iter().position(|rooms| rooms.contains(&room))
}

/// The rooms that a source names after `crate::`, also inside braces.
fn named(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for part in text.split("crate::").skip(1) {
        let part = part
            .strip_prefix('{')
            .map_or(part.split(';').next().unwrap_or(""), |list| list.split('}').next().unwrap_or(""));
        let list = if text.contains(&format!("crate::{{{part}")) {
            part
        } else {
            part.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or("")
        };
        for name in list.split(',') {
            let name: String =
                name.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if !name.is_empty() {
                rooms.push(name);
            }
        }
    }
    rooms
}

#[test]
fn rooms_name_only_those_below_them() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let from = room(&path);
        if ["main", "lib", FREE].contains(&from.as_str()) {
            continue;
        }
        let from_level = level(&from).unwrap_or_else(|| panic!("{from} has no place in the table"));
        for to in named(&text) {
            if to == FREE || to == from {
                continue;
            }
            // Names of items at the crate's root and words in comments are no rooms.
            let Some(to_level) = level(&to) else { continue };
            if to_level < from_level || (to_level == from_level && ![FEATURES, GROUND].contains(&from_level))
            {
                wrong.push(format!("{} names {to}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn features_dont_name_each_other_in_circles() {
    let names = |from: &str, to: &str| {
        sources().iter().any(|(path, text)| room(path) == from && named(text).contains(&to.to_owned()))
    };
    assert!(!names("register", "collection") && !names("register", "gateways"));
    assert!(!names("collection", "gateways"));
    assert!(!names("collection", "imports") && !names("imports", "canaries"));
    assert!(["register", "collection", "gateways"].iter().all(|room| !names(room, "notices")));
    assert!(["register", "collection", "notices"].iter().all(|room| !names(room, "consent")));
    assert!(!names("consent", "gateways"));
}

#[test]
fn agents_read_policies_without_a_server() {
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/consent/bundle.rs");
    let text = fs::read_to_string(bundle).expect("the policy bundle");
    for name in ["axum", "sqlx", "tokio", "crate::app", "crate::database", "crate::web"] {
        assert!(!text.contains(name), "it names {name}");
    }
}

#[test]
fn what_checks_proofs_needs_no_server() {
    let inside = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ledger/proof");
    let proofs: Vec<_> = sources().into_iter().filter(|(path, _)| path.starts_with(&inside)).collect();
    assert!(proofs.len() > 8);
    for (path, text) in proofs {
        for crate_name in ["axum", "sqlx", "tokio", "crate::clock", "crate::database", "crate::web"] {
            assert!(!text.contains(crate_name), "{} names {crate_name}", path.display());
        }
    }
}

#[test]
fn sql_stands_in_stores() {
    let inside = |path: &Path| {
        let text = path.to_string_lossy();
        text.ends_with("/store.rs") || text.contains("/store/") || text.contains("/src/database/")
    };
    let wrong: Vec<_> = sources()
        .into_iter()
        .filter(|(path, text)| !inside(path) && (text.contains("sqlx::query") || text.contains("query!(")))
        .map(|(path, _)| path)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn files_stay_short() {
    let long: Vec<_> =
        sources().into_iter().filter(|(_, text)| text.lines().count() > 500).map(|(path, _)| path).collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn every_table_says_what_it_is_for_and_how_long() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let text: String = fs::read_dir(folder)
        .expect("migrations")
        .map(|e| fs::read_to_string(e.expect("an entry").path()).expect("a migration"))
        .collect();
    for line in text.lines().filter_map(|l| l.strip_prefix("create table ")) {
        let name = line.split([' ', '(']).next().expect("a name");
        let comment = text
            .lines()
            .find(|l| l.starts_with(&format!("comment on table {name} is ")))
            .unwrap_or_else(|| panic!("{name} has no comment"));
        assert!(comment.contains("Purpose: ") && comment.contains("Retention: "), "{name}");
    }
}
