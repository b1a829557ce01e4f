//! The rule behind each kind of finding, in words for those whom it concerns.

use super::finding::FindingKind;

/// What a finding rests on.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// R1 to R11; `None` where reports are held against each other alone.
    pub number: Option<&'static str>,
    /// What is compared with what.
    pub compares: &'static str,
    /// When there is a finding.
    pub found_when: &'static str,
    /// What can't be concluded from it.
    pub does_not_say: &'static str,
}

impl Rule {
    /// "Rule R3".
    pub fn name(&self) -> String {
        self.number.map_or("A rule of the reports themselves".into(), |number| format!("Rule {number}"))
    }
}

const fn rule(
    number: &'static str,
    compares: &'static str,
    found_when: &'static str,
    does_not_say: &'static str,
) -> Rule {
    let number = if number.is_empty() { None } else { Some(number) };
    Rule { number, compares, found_when, does_not_say }
}

const AFTER_A_NO: &str = "When a record was observed is compared with the person’s choice at that moment.";

impl FindingKind {
    /// In plain words: what is compared, when it is found, and what it doesn't say.
    pub fn rule(self) -> Rule {
        match self {
            FindingKind::Undeclared => rule(
                "R1",
                "What an agent reported is compared with what was declared when it was observed: the kind of data, and \
                 the program.",
                "No declaration in force at that moment, for these people, covered it.",
                "It doesn’t say that somebody meant to hide it, nor what the records held.",
            ),
            FindingKind::Exceeds => rule(
                "R2",
                "How much detail, how often, for what purpose and to which place is compared with the declaration that \
                 was in force.",
                "At least one of them goes beyond it, or no notice in force told of it any more.",
                "It doesn’t say how long the records are kept: nobody can observe that from here.",
            ),
            FindingKind::CollectedAfterOptOut => rule(
                "R3",
                AFTER_A_NO,
                "Records were kept although the choice had been no for more than 90 seconds, which agents have to learn \
                 of it.",
                "It doesn’t say that the records left the computer.",
            ),
            FindingKind::OptOutViolation => rule(
                "R3",
                AFTER_A_NO,
                "Records were passed on although the choice had been no for more than 90 seconds, which agents have to \
                 learn of it.",
                "It doesn’t say who read them where they went.",
            ),
            FindingKind::HonouredAtGateway => rule(
                "R4",
                AFTER_A_NO,
                "Records were taken, all of them were dropped on the way, and none was passed on.",
                "It doesn’t say that nothing was taken: it was taken, and then dropped.",
            ),
            FindingKind::UndeclaredAgent => rule(
                "R7",
                "The programs that report, or that are found on computers, are compared with those that declarations \
                 name.",
                "A program that records, or can record, is there, and no declaration names it.",
                "It doesn’t say that the program recorded anything.",
            ),
            FindingKind::SilentAgent => rule(
                "R7",
                "Declared programs that are found on computers are compared with those that anybody reports on.",
                "Such a program has been there for days, and no agent said what it records.",
                "It doesn’t say that it records anything, nor that it doesn’t: nobody knows.",
            ),
            FindingKind::Misreport => rule(
                "R8",
                "The counts of two agents that watched the same program on one computer for the whole time are compared, \
                 once a day is over and late reports have had their time. So is a vendor’s own export with what agents reported.",
                "They differ by more than such programs differ anyway.",
                "It doesn’t say which of the two is wrong.",
            ),
            FindingKind::Unrecognised => rule(
                "R11",
                "What an agent reported is compared with the list of kinds of data.",
                "The agent said itself that it doesn’t know what it collected. It is then treated as the most sensitive \
                 kind.",
                "It doesn’t say what was collected.",
            ),
            FindingKind::Equivocation => rule(
                "",
                "Each report names the one before it, and has its own number.",
                "Two different reports carry the same number.",
                "It doesn’t say which of them is true, or whether a mistake or an intention is behind it.",
            ),
            FindingKind::ClockSkew => rule(
                "",
                "The time that a report gives is compared with the time at which it arrived.",
                "It lies more than five minutes in the future.",
                "It doesn’t say that the counts are wrong, only that their times may be.",
            ),
        }
    }

    /// Whether a declaration could have made it right, had it been there in time.
    pub fn is_about_declarations(self) -> bool {
        matches!(
            self,
            FindingKind::Undeclared
                | FindingKind::Exceeds
                | FindingKind::UndeclaredAgent
                | FindingKind::SilentAgent
                | FindingKind::Unrecognised
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_rule_in_sentences() {
        for kind in FindingKind::ALL {
            let rule = kind.rule();
            for text in [rule.compares, rule.found_when, rule.does_not_say] {
                assert!(text.ends_with('.') && text.len() > 30, "{kind}: {text}");
            }
            assert!(rule.does_not_say.contains("doesn’t say"), "{kind}");
        }
    }

    #[test]
    fn the_grace_is_the_one_that_is_given() {
        let grace = format!("{} seconds", super::super::GRACE_SECONDS);
        assert!(FindingKind::OptOutViolation.rule().found_when.contains(&grace));
        assert!(FindingKind::CollectedAfterOptOut.rule().found_when.contains(&grace));
    }
}
