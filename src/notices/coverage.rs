//! What people were told, and when: of each processing, the periods in which a notice in force covered it.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::model::Number;
use super::store::coverage as store;
use crate::clock::Time;
use crate::error::Result;
use crate::ledger::EntryId;

/// A period in which one version told people of one processing: `[from, to)`.
#[derive(Debug, Clone)]
pub struct Coverage {
    pub processing: Uuid,
    /// Of the register's content that it told of.
    pub content_sha256: [u8; 32],
    pub notice: Uuid,
    pub version: Uuid,
    pub number: Number,
    pub jurisdictions: Vec<String>,
    /// Empty for everybody.
    pub departments: Vec<Uuid>,
    pub from: Time,
    /// `None` while nothing ends it.
    pub to: Option<Time>,
    /// Whether the version was taken back; that is so from the commit on, whatever a clock says.
    pub is_retracted: bool,
    pub entry: EntryId,
}

impl Coverage {
    pub fn in_force_at(&self, at: Time) -> bool {
        self.from <= at && self.to.is_none_or(|to| at < to)
    }

    /// As notices concern people: by law, and by department where it names some.
    pub fn applies_to(&self, department: Option<Uuid>, jurisdiction: &str) -> bool {
        let there = self.jurisdictions.iter().any(|j| j == jurisdiction);
        there && (self.departments.is_empty() || department.is_some_and(|d| self.departments.contains(&d)))
    }
}

/// Every period of every published version, and whether some publication still waits for its place in the log.
pub async fn list_coverage(db: &mut PgConnection) -> Result<(Vec<Coverage>, bool)> {
    let waiting = store::is_publication_waiting(db).await?;
    let mut notices: BTreeMap<Uuid, Vec<store::Row>> = BTreeMap::new();
    for row in store::list(db).await? {
        notices.entry(row.notice_id).or_default().push(row);
    }
    let periods = notices.values().flat_map(|rows| {
        rows.iter().filter_map(|row| {
            let to = end(row, rows);
            // A version that was replaced or taken back before its time came never told anybody anything.
            (to.is_none_or(|to| row.effective_at < to)).then(|| row.coverage(to))?
        })
    });
    Ok((periods.collect(), waiting))
}

/// When a version stops being what people are told: when it is taken back, or when a later one takes effect.
fn end(row: &store::Row, of_notice: &[store::Row]) -> Option<Time> {
    let later = of_notice
        .iter()
        .filter(|other| (other.major, other.minor) > (row.major, row.minor))
        .filter(|other| other.retracted_at.is_none_or(|at| at > other.effective_at))
        .map(|other| other.effective_at);
    later.chain(row.retracted_at).min()
}

impl store::Row {
    fn coverage(&self, to: Option<Time>) -> Option<Coverage> {
        let mut content_sha256 = [0; 32];
        for (i, byte) in content_sha256.iter_mut().enumerate() {
            *byte = u8::from_str_radix(self.content_sha256.get(2 * i..2 * i + 2)?, 16).ok()?;
        }
        Some(Coverage {
            processing: self.processing,
            content_sha256,
            notice: self.notice_id,
            version: self.version_id,
            number: Number { major: self.major, minor: self.minor },
            jurisdictions: self.jurisdictions.clone(),
            departments: self.departments.clone(),
            from: self.effective_at,
            to,
            is_retracted: self.retracted_at.is_some(),
            entry: EntryId(self.ledger_entry),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(major: i32, effective: &str, retracted: Option<&str>) -> store::Row {
        let at = |text: &str| -> Time { text.parse::<jiff::Timestamp>().unwrap().into() };
        store::Row {
            processing: Uuid::from_u128(9),
            content_sha256: "ab".repeat(32),
            notice_id: Uuid::from_u128(1),
            version_id: Uuid::from_u128(major as u128),
            major,
            minor: 0,
            jurisdictions: vec!["EU".into()],
            departments: Vec::new(),
            effective_at: at(effective),
            retracted_at: retracted.map(at),
            ledger_entry: 1,
        }
    }

    #[test]
    fn a_version_counts_until_the_next_takes_effect_or_it_is_taken_back() {
        let ends = |rows: &[store::Row]| -> Vec<Option<String>> {
            rows.iter().map(|r| end(r, rows).map(|t| t.to_string())).collect()
        };
        let first = "2026-01-01T00:00:00Z";
        let second = "2026-02-01T00:00:00Z";
        assert_eq!(ends(&[row(1, first, None), row(2, second, None)]), [Some(second.into()), None]);
        let early = "2026-01-15T00:00:00Z";
        let taken_back = [row(1, first, None), row(2, second, Some(early))];
        assert_eq!(ends(&taken_back), [None, Some(early.into())], "the second never took effect");
        assert_eq!(row(1, first, None).coverage(None).unwrap().content_sha256, [0xab; 32]);
    }
}
