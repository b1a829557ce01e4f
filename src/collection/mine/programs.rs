//! Known monitoring programs on a person's own computers, and where nobody looked.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::catalogue::{self, By, Product};
use crate::clock::Time;
use crate::collection::model::Audience;
use crate::collection::store::mine::DeviceRow;
use crate::collection::store::presence::{self as store, SeenRow};
use crate::error::Result;
use crate::identity::Moves;
use crate::register::{Category, Declaration};

/// A known program that was seen on one computer.
pub struct Program {
    pub product: &'static Product,
    pub device: String,
    pub first_seen: Time,
    pub last_seen: Time,
    /// What gave it away.
    pub by: Vec<By>,
    /// Whether a declaration in force for this person now names it.
    pub is_declared: bool,
    /// Whether it was seen on the last day that somebody looked.
    pub is_there: bool,
}

impl Program {
    /// What it can collect, in a sentence; not what it does here.
    pub fn can_collect(&self) -> String {
        let words: Vec<&str> = self
            .product
            .categories
            .iter()
            .filter_map(|id| Category::parse(id))
            .map(Category::words)
            .collect();
        words.join("; ")
    }

    /// Evidence, in a sentence.
    pub fn evidence(&self) -> String {
        self.by.iter().map(|by| by.words()).collect::<Vec<_>>().join(", ")
    }
}

/// A computer of the person's, and when it was looked at last.
pub struct Looked {
    pub device: String,
    /// `None` when nobody looked while it was theirs: nothing is known then.
    pub at: Option<Time>,
}

/// What the page shows of known programs.
#[derive(Default)]
pub struct Programs {
    pub seen: Vec<Program>,
    /// Computers that are the person's now.
    pub looked: Vec<Looked>,
    /// Names in the catalogue.
    pub known: usize,
}

impl Programs {
    /// Whether some computer of theirs was never looked at.
    pub fn is_unknown(&self) -> bool {
        self.looked.is_empty() || self.looked.iter().any(|l| l.at.is_none())
    }

    /// The computers that nobody looked at, for a sentence.
    pub fn unlooked(&self) -> String {
        let names: Vec<&str> =
            self.looked.iter().filter(|l| l.at.is_none()).map(|l| l.device.as_str()).collect();
        names.join(", ")
    }

    /// The computers that somebody looked at, and when.
    pub fn looks(&self) -> Vec<(&Looked, Time)> {
        self.looked.iter().filter_map(|l| Some((l, l.at?))).collect()
    }

    /// Whether nothing known was ever seen there.
    pub fn is_clear(&self, looked: &Looked) -> bool {
        !self.seen.iter().any(|p| p.device == looked.device)
    }
}

pub(super) async fn load(
    db: &mut PgConnection,
    person_id: Uuid,
    (now, zone): (Time, &TimeZone),
    devices: &[DeviceRow],
    audience: &Moves<Audience>,
    declarations: &[Declaration],
) -> Result<Programs> {
    let looks: BTreeMap<Uuid, Time> = store::list_looks(db, person_id).await?.into_iter().collect();
    let rows = store::list_seen(db, person_id).await?;
    let there = audience.at(now);
    let is_declared = |product: &str| {
        declarations.iter().any(|d| {
            d.content.source.matches(product)
                && d.in_force_at(now)
                && d.applies_to(there.department, &there.jurisdiction)
        })
    };
    let same = |a: &SeenRow, b: &SeenRow| (a.device_id, &a.product) == (b.device_id, &b.product);
    let mut seen = Vec::new();
    for rows in rows.chunk_by(same) {
        let (Some(first), Some(last)) =
            (rows.iter().map(|r| r.first_seen).min(), rows.iter().map(|r| r.last_seen).max())
        else {
            continue;
        };
        // A product that left the catalogue since isn't told of any more.
        let Some(product) = catalogue::find(&rows[0].product) else { continue };
        let looked = looks.get(&rows[0].device_id);
        seen.push(Program {
            product,
            device: rows[0].device.clone(),
            first_seen: first,
            last_seen: last,
            by: rows.iter().filter_map(|r| By::parse(&r.by)).collect(),
            is_declared: is_declared(&product.id),
            is_there: looked.is_some_and(|at| last.day(zone) >= at.day(zone)),
        });
    }
    seen.sort_by_key(|p| (p.is_declared, !p.is_there, std::cmp::Reverse(p.last_seen)));
    let mut looked: Vec<Looked> = Vec::new();
    let mut once: Vec<Uuid> = Vec::new();
    // A device stands here once for each of its agents.
    for device in devices.iter().filter(|d| d.to.is_none()) {
        if !once.contains(&device.device_id) {
            once.push(device.device_id);
            looked.push(Looked { device: device.label.clone(), at: looks.get(&device.device_id).copied() });
        }
    }
    Ok(Programs { seen, looked, known: catalogue::all().len() })
}
