//! What a notice is to the one who reads it: whom it concerns, what is still open, in which language; no I/O.

use uuid::Uuid;

use super::laws::Kind;
use super::model::Number;
use super::store::reading::{HeadRow, ReceiptRow};
use crate::clock::Time;
use crate::identity::PersonSummary;
use crate::web::Role;

/// A person as a notice's audience needs them.
#[derive(Debug, Clone)]
pub struct Reader {
    pub id: Uuid,
    pub is_worker: bool,
    pub department: Option<Uuid>,
    pub jurisdiction: String,
}

impl Reader {
    pub fn of(person: &PersonSummary) -> Self {
        Reader {
            id: person.id,
            is_worker: person.roles.iter().any(|r| r == Role::Worker.id()),
            department: person.department_id,
            jurisdiction: person.jurisdiction.clone(),
        }
    }

    /// As the register's declarations apply: by law, and by department where it names some.
    pub fn is_concerned(&self, head: &HeadRow) -> bool {
        self.is_worker
            && head.jurisdictions.contains(&self.jurisdiction)
            && (head.departments.is_empty() || self.department.is_some_and(|d| head.departments.contains(&d)))
    }
}

impl HeadRow {
    pub fn number(&self) -> Number {
        Number { major: self.major, minor: self.minor }
    }

    pub fn is_editorial(&self) -> bool {
        self.change_class == "editorial"
    }

    /// Places of this version whose law makes the employer prove acknowledgements.
    pub fn proof_jurisdictions(&self) -> Vec<String> {
        let places = Kind::find(&self.kind).map(|k| k.acknowledgement_in.as_slice()).unwrap_or_default();
        places.iter().filter(|place| self.jurisdictions.contains(place)).cloned().collect()
    }

    /// The law that has this person's acknowledgement shown to HR, in words.
    pub fn proof_demanded(&self, reader: &Reader) -> Option<&'static str> {
        let demanded = self.is_concerned_by_proof(&reader.jurisdiction);
        Kind::find(&self.kind).filter(|_| demanded).map(|k| k.citation.as_str())
    }

    fn is_concerned_by_proof(&self, jurisdiction: &str) -> bool {
        self.proof_jurisdictions().iter().any(|place| place == jurisdiction)
    }
}

/// Where a person stands with the newest version of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// To be acknowledged; `since` is the version last acknowledged.
    Asked {
        since: Option<Number>,
    },
    /// Nothing is asked, and it wasn't opened yet.
    Unopened,
    Acknowledged(Time),
    Declined(Time),
    /// Opened, and nothing is asked.
    Opened,
    /// For other people; it can be read all the same.
    NotConcerned,
    Retracted,
}

impl Standing {
    pub fn is_open(&self) -> bool {
        matches!(self, Standing::Asked { .. } | Standing::Unopened)
    }
}

/// `receipts` are the person's of this notice. What was done about a version counts for its corrections too.
pub fn standing(reader: &Reader, newest: &HeadRow, receipts: &[ReceiptRow]) -> Standing {
    let same = || receipts.iter().filter(|r| r.notice_id == newest.notice_id && r.major == newest.major);
    if newest.retracted {
        Standing::Retracted
    } else if !reader.is_concerned(newest) {
        Standing::NotConcerned
    } else if let Some(at) = same().filter_map(|r| r.acknowledged_at).min() {
        Standing::Acknowledged(at)
    } else if let Some(at) = same().filter_map(|r| r.declined_at).max() {
        Standing::Declined(at)
    } else if newest.acknowledgement_wanted {
        Standing::Asked { since: last_acknowledged(newest.notice_id, receipts) }
    } else if same().any(|r| r.viewed_at.is_some()) {
        Standing::Opened
    } else {
        Standing::Unopened
    }
}

/// The newest version of a notice that the person has acknowledged.
pub fn last_acknowledged(notice: Uuid, receipts: &[ReceiptRow]) -> Option<Number> {
    let acknowledged = receipts.iter().filter(|r| r.notice_id == notice && r.acknowledged_at.is_some());
    acknowledged.map(ReceiptRow::number).max()
}

/// The language to read in.
#[derive(Debug, PartialEq, Eq)]
pub struct Chosen {
    pub language: String,
    /// Whether it is one the reader chose or their browser asks for.
    pub wished: bool,
}

/// What was chosen, else what the browser asks for (`Accept-Language`), else English, else the first there is.
pub fn choose_language(there_are: &[&str], chosen: Option<&str>, accept: &str) -> Chosen {
    let find = |wish: &str| {
        let wish = wish.trim().to_ascii_lowercase();
        let base = wish.split('-').next().unwrap_or_default().to_owned();
        let exact = there_are.iter().find(|l| l.to_ascii_lowercase() == wish);
        let near = || there_are.iter().find(|l| l.to_ascii_lowercase().split('-').next() == Some(&base));
        exact.or_else(near).map(|l| (*l).to_owned())
    };
    let mut wishes: Vec<(&str, f32)> = accept
        .split(',')
        .filter_map(|part| {
            let mut pieces = part.split(';');
            let language = pieces.next()?.trim();
            let weight =
                pieces.find_map(|p| p.trim().strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok())?;
            Some((language, weight)).filter(|(l, w)| !l.is_empty() && *w > 0.0)
        })
        .collect();
    wishes.sort_by(|a, b| b.1.total_cmp(&a.1));
    let wished = chosen.into_iter().chain(wishes.into_iter().map(|(l, _)| l)).find_map(find);
    match wished {
        Some(language) => Chosen { language, wished: true },
        None => {
            let language =
                find("en").or_else(|| there_are.first().map(|l| (*l).to_owned())).unwrap_or_default();
            // Without a wish there is none that couldn't be met.
            Chosen { language, wished: chosen.is_none() && accept.trim().is_empty() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        text.parse::<jiff::Timestamp>().unwrap().into()
    }

    fn head(major: i32, minor: i32) -> HeadRow {
        HeadRow {
            version_id: Uuid::from_u128(1),
            notice_id: Uuid::from_u128(2),
            kind: "ny-52-c".into(),
            major,
            minor,
            change_class: if minor > 0 { "editorial" } else { "material" }.into(),
            retracted: false,
            jurisdictions: vec!["US-NY".into(), "DE".into()],
            departments: Vec::new(),
            acknowledgement_wanted: true,
            reason: None,
            published_at: time("2026-11-02T09:00:00Z"),
            effective_at: time("2026-11-02T09:00:00Z"),
            retracted_at: None,
            retraction_reason: None,
            leaf_position: 0,
            retraction_position: None,
        }
    }

    fn reader(jurisdiction: &str) -> Reader {
        Reader { id: Uuid::nil(), is_worker: true, department: None, jurisdiction: jurisdiction.into() }
    }

    fn receipt(major: i32, minor: i32, acknowledged: bool, declined: bool) -> ReceiptRow {
        let at = time("2026-11-03T09:00:00Z");
        ReceiptRow {
            notice_id: Uuid::from_u128(2),
            major,
            minor,
            viewed_at: Some(at),
            acknowledged_at: acknowledged.then_some(at),
            declined_at: declined.then_some(at),
            decline_reason: None,
        }
    }

    #[test]
    fn a_correction_asks_nothing_and_a_material_version_asks_anew() {
        let acknowledged = [receipt(1, 0, true, false)];
        let at = time("2026-11-03T09:00:00Z");
        let of = |head: &HeadRow, receipts: &[ReceiptRow]| standing(&reader("DE"), head, receipts);
        assert_eq!(of(&head(1, 0), &[]), Standing::Asked { since: None });
        assert_eq!(of(&head(1, 2), &acknowledged), Standing::Acknowledged(at));
        let since = Some(Number { major: 1, minor: 0 });
        assert_eq!(of(&head(2, 0), &acknowledged), Standing::Asked { since });
        assert_eq!(of(&head(1, 1), &[receipt(1, 0, false, true)]), Standing::Declined(at));
        let both = [receipt(1, 0, false, true), receipt(1, 1, true, false)];
        assert_eq!(of(&head(1, 1), &both), Standing::Acknowledged(at));
        let mut quiet = head(1, 0);
        quiet.acknowledgement_wanted = false;
        assert_eq!(of(&quiet, &[]), Standing::Unopened);
        assert_eq!(of(&quiet, &[receipt(1, 0, false, false)]), Standing::Opened);
    }

    #[test]
    fn only_those_are_asked_whom_it_concerns() {
        let mut there = head(1, 0);
        assert_eq!(standing(&reader("AT"), &there, &[]), Standing::NotConcerned);
        there.departments = vec![Uuid::from_u128(9)];
        assert_eq!(standing(&reader("DE"), &there, &[]), Standing::NotConcerned);
        let inside = Reader { department: Some(Uuid::from_u128(9)), ..reader("DE") };
        assert!(standing(&inside, &there, &[]).is_open());
        assert!(!standing(&Reader { is_worker: false, ..inside }, &there, &[]).is_open());
    }

    #[test]
    fn proof_is_demanded_of_those_under_that_law_alone() {
        let there = head(1, 0);
        assert_eq!(there.proof_jurisdictions(), ["US-NY"]);
        assert!(there.proof_demanded(&reader("US-NY")).is_some_and(|law| law.contains("52-c")));
        assert_eq!(there.proof_demanded(&reader("DE")), None);
    }

    #[test]
    fn the_language_is_the_chosen_then_the_wished_then_english() {
        let there = ["de", "en", "pt"];
        let choose = |chosen, accept| {
            let c = choose_language(&there, chosen, accept);
            (c.language, c.wished)
        };
        assert_eq!(choose(Some("de"), "en"), ("de".into(), true));
        assert_eq!(choose(None, "fr;q=0.9, pt-BR;q=0.8, en;q=0.5"), ("pt".into(), true));
        assert_eq!(choose(None, "en;q=0.1,de"), ("de".into(), true));
        assert_eq!(choose(None, "fr"), ("en".into(), false));
        assert_eq!(choose(Some("xx"), ""), ("en".into(), false));
        assert_eq!(choose(None, ""), ("en".into(), true));
        assert_eq!(choose_language(&["de"], None, "q=;,;;"), Chosen { language: "de".into(), wished: false });
    }
}
