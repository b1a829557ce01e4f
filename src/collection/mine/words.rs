//! Why a category has its status, in a sentence.

use super::findings::FindingView;
use crate::collection::model::{Evidence, FindingKind, Status};

pub(super) fn because(status: Status, e: Evidence, declared: bool, findings: &[FindingView]) -> String {
    let worst = |kinds: &[FindingKind]| {
        findings.iter().find(|f| kinds.contains(&f.kind)).map_or(String::new(), |f| format!("{}.", f.words))
    };
    let gaps = match e.days - e.watched_days {
        _ if e.days == 0 => "no whole day was watched yet.".to_owned(),
        _ if e.watched_days == 0 => format!("none of the last {} days was watched all day.", e.days),
        1 => format!("1 of the last {} days was not watched completely.", e.days),
        n => format!("{n} of the last {} days were not watched completely.", e.days),
    };
    match (status, e.observed, declared) {
        (Status::Violated, ..) => {
            let also = match (e.undeclared, e.exceeds) {
                (true, _) => " There is also something that was not declared.",
                (_, true) => " There is also more than was declared.",
                _ => "",
            };
            worst(&[FindingKind::OptOutViolation, FindingKind::CollectedAfterOptOut]) + also
        }
        (Status::Undeclared, ..) => worst(&[FindingKind::Undeclared, FindingKind::Unrecognised]),
        (Status::Exceeds, ..) => worst(&[FindingKind::Exceeds]),
        (Status::Unknown, ..) if e.misreported => {
            format!("{} So nobody can say how much it was.", worst(&[FindingKind::Misreport]))
        }
        (Status::Unknown, true, _) => {
            format!("What was seen fits what was declared, but {gaps}")
        }
        (Status::Unknown, false, true) => {
            format!("Declared, and not seen so far; but {gaps}")
        }
        (Status::Unknown, false, false) => format!("Not declared, and not seen; but {gaps}"),
        (Status::AsDeclared, ..) => "What was seen fits what was declared.".into(),
        (Status::NotSeen, _, true) => {
            format!("Declared, and not seen in {} days, all of them watched.", e.days)
        }
        (Status::NotSeen, _, false) => {
            format!("Not declared, and not seen in {} days, all of them watched.", e.days)
        }
    }
}
