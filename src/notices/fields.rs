//! The field table: what the register says of the processings that a notice covers, and what has changed.

use uuid::Uuid;

use super::model::{Covered, CoveredField};
use crate::register::{self, Revision};
use crate::web::times;

/// When workers were told is said by the notice itself.
const NOT_SHOWN: &str = "notice_given_on";

/// Whether a notice can cover it: drafts are nobody's business yet, and what has ended is over.
pub fn can_be_covered(revision: &Revision) -> bool {
    !matches!(revision.state, register::State::Draft | register::State::Ended)
}

/// "Programs you use, to keep systems and data secure"
pub fn name(revision: &Revision) -> String {
    format!("{}, {}", revision.content.category.name(), revision.content.purpose.words())
}

pub fn covered(revision: &Revision, departments: &[(Uuid, String)]) -> Covered {
    let facts = register::facts(&revision.content, departments);
    let fields = facts.into_iter().filter(|f| f.id != NOT_SHOWN).map(|f| CoveredField {
        id: f.id.into(),
        label: f.label.into(),
        value: f.values.join("; "),
    });
    Covered {
        processing: revision.processing_id,
        revision: revision.revision,
        content_sha256: times::hex(&revision.content_sha256),
        name: name(revision),
        fields: fields.collect(),
    }
}

/// The table of these processings, in their order. What isn't in the register any more, or has ended, is
/// left out: [`changes`] tells it.
pub fn table(newest: &[Revision], processings: &[Uuid], departments: &[(Uuid, String)]) -> Vec<Covered> {
    let find = |id: &Uuid| newest.iter().find(|r| r.processing_id == *id && can_be_covered(r));
    processings.iter().filter_map(find).map(|r| covered(r, departments)).collect()
}

/// One field that says something else now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub processing: Uuid,
    pub name: String,
    pub label: String,
    /// Empty for nothing.
    pub from: String,
    pub to: String,
}

impl Change {
    /// "Kept for: 30 days → 90 days"
    pub fn words(&self) -> String {
        let or_nothing = |text: &str| if text.is_empty() { "not said".into() } else { text.to_owned() };
        format!("{}: {} → {}", self.label, or_nothing(&self.from), or_nothing(&self.to))
    }
}

/// What `new` says differently, field by field; a processing that is gone or new is one change.
pub fn changes(old: &[Covered], new: &[Covered]) -> Vec<Change> {
    let mut changes = Vec::new();
    let whole = |c: &Covered, from: &str, to: &str| Change {
        processing: c.processing,
        name: c.name.clone(),
        label: c.name.clone(),
        from: from.into(),
        to: to.into(),
    };
    for before in old {
        let Some(after) = new.iter().find(|c| c.processing == before.processing) else {
            changes.push(whole(before, "covered", "no longer declared or covered"));
            continue;
        };
        let ids = before.fields.iter().chain(&after.fields);
        let mut seen: Vec<&str> = Vec::new();
        for field in ids {
            if seen.contains(&field.id.as_str()) {
                continue;
            }
            seen.push(&field.id);
            let (from, to) = (before.field(&field.id).unwrap_or(""), after.field(&field.id).unwrap_or(""));
            if from != to {
                changes.push(Change {
                    processing: before.processing,
                    name: after.name.clone(),
                    label: field.label.clone(),
                    from: from.into(),
                    to: to.into(),
                });
            }
        }
    }
    let added = new.iter().filter(|c| !old.iter().any(|o| o.processing == c.processing));
    changes.extend(added.map(|c| whole(c, "not covered", "covered")));
    changes
}

/// "Kept for: 30 days → 90 days; Stored in: Ireland → Germany"
pub fn changes_words(changes: &[Change]) -> String {
    changes.iter().map(Change::words).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn one(fields: &[(&str, &str)]) -> Covered {
        let field = |(id, value): &(&str, &str)| CoveredField {
            id: (*id).into(),
            label: (*id).to_uppercase(),
            value: (*value).into(),
        };
        Covered {
            processing: Uuid::from_u128(9),
            revision: 1,
            content_sha256: String::new(),
            name: "Programs you use".into(),
            fields: fields.iter().map(field).collect(),
        }
    }

    #[test]
    fn changes_are_told_field_by_field() {
        let old = [one(&[("retention", "30 days"), ("purpose", "Security"), ("dpia", "a link")])];
        let new = [Covered { revision: 7, ..one(&[("retention", "90 days"), ("purpose", "Security")]) }];
        let told: Vec<String> = changes(&old, &new).iter().map(Change::words).collect();
        assert_eq!(told, ["RETENTION: 30 days → 90 days", "DPIA: a link → not said"]);
        assert!(changes(&old, &old).is_empty(), "a revision alone is no change");
        assert_eq!(changes(&old, &[])[0].to, "no longer declared or covered");
        assert_eq!(changes(&[], &new)[0].to, "covered");
    }
}
