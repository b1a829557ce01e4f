//! What a finding says, and in which words.

use std::fmt;

use crate::catalogue;

/// The kinds of findings (agents.md, rules R1 to R11). None is ever cleared (R9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// R3: left the machine after the person had said no.
    OptOutViolation,
    /// R3: kept after the person had said no.
    CollectedAfterOptOut,
    /// R1: observed, and no declaration covers it.
    Undeclared,
    /// R2: observed beyond the declaration.
    Exceeds,
    /// R11: the agent could not say what it is.
    Unrecognised,
    /// R7: no declaration names the program.
    UndeclaredAgent,
    /// R7: present on a device, declared, and no agent reports what it records.
    SilentAgent,
    /// R8: two agents on one device count differently.
    Misreport,
    /// Two reports that can't both be true.
    Equivocation,
    /// An agent's clock is off by more than five minutes.
    ClockSkew,
    /// R4: taken after the person had said no, and dropped before it went anywhere.
    HonouredAtGateway,
}

impl FindingKind {
    /// Worst first.
    pub const ALL: [FindingKind; 11] = [
        FindingKind::OptOutViolation,
        FindingKind::CollectedAfterOptOut,
        FindingKind::Undeclared,
        FindingKind::Exceeds,
        FindingKind::Unrecognised,
        FindingKind::UndeclaredAgent,
        FindingKind::SilentAgent,
        FindingKind::Misreport,
        FindingKind::Equivocation,
        FindingKind::ClockSkew,
        FindingKind::HonouredAtGateway,
    ];

    /// Those that others than the person see: what was stopped on the way would tell of a choice and of no wrong.
    pub fn others() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kind| kind.needs_answer())
    }

    pub fn id(self) -> &'static str {
        match self {
            FindingKind::OptOutViolation => "OPT_OUT_VIOLATION",
            FindingKind::CollectedAfterOptOut => "COLLECTED_AFTER_OPT_OUT",
            FindingKind::Undeclared => "UNDECLARED",
            FindingKind::Exceeds => "EXCEEDS",
            FindingKind::Unrecognised => "UNRECOGNISED",
            FindingKind::UndeclaredAgent => "UNDECLARED_AGENT",
            FindingKind::SilentAgent => "SILENT_AGENT",
            FindingKind::Misreport => "MISREPORT",
            FindingKind::Equivocation => "EQUIVOCATION",
            FindingKind::ClockSkew => "CLOCK_SKEW",
            FindingKind::HonouredAtGateway => "HONOURED_AT_GATEWAY",
        }
    }

    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.id() == id)
    }

    /// Whether a person's no wasn't obeyed.
    pub fn is_violation(self) -> bool {
        matches!(self, FindingKind::OptOutViolation | FindingKind::CollectedAfterOptOut)
    }

    /// Whether something is wrong that the employer must answer for.
    pub fn needs_answer(self) -> bool {
        self != FindingKind::HonouredAtGateway
    }

    /// In a few words, without saying about whom or what exactly.
    pub fn label(self) -> &'static str {
        match self {
            FindingKind::OptOutViolation => "Passed on after a no",
            FindingKind::CollectedAfterOptOut => "Collected after a no",
            FindingKind::Undeclared => "Collected, not declared",
            FindingKind::Exceeds => "More than declared",
            FindingKind::Unrecognised => "Something the agent couldn’t name",
            FindingKind::UndeclaredAgent => "A program that isn’t declared",
            FindingKind::SilentAgent => "A program that is there and says nothing",
            FindingKind::Misreport => "Counts that contradict each other",
            FindingKind::Equivocation => "An agent that contradicts itself",
            FindingKind::ClockSkew => "An agent whose clock is wrong",
            FindingKind::HonouredAtGateway => "Stopped on the way",
        }
    }

    /// What such findings have in common, for those who see no single one.
    pub fn meaning(self) -> &'static str {
        match self {
            FindingKind::OptOutViolation => {
                "Agents reported that records left a computer although its person’s choice was no."
            }
            FindingKind::CollectedAfterOptOut => {
                "Agents reported that records were collected and kept although the person’s choice was no."
            }
            FindingKind::Undeclared => "Agents reported it, and nothing declared at that time covered it.",
            FindingKind::Exceeds => {
                "In more detail, more often, for another purpose or to another place than declared, or although no \
                 notice in force told of it any more."
            }
            FindingKind::Unrecognised => "Something was collected that the agent could not name.",
            FindingKind::UndeclaredAgent => {
                "A program records, or is installed and can record, and no declaration names it."
            }
            FindingKind::SilentAgent => {
                "A declared program is on a computer, and no agent has reported what it records for days. So \
                 nobody can see what it does there."
            }
            FindingKind::Misreport => {
                "Two agents on one computer watched the same program all the time and counted differently."
            }
            FindingKind::Equivocation => "An agent sent two reports that can’t both be true.",
            FindingKind::ClockSkew => {
                "An agent’s clock is more than five minutes ahead, so its times may be wrong."
            }
            FindingKind::HonouredAtGateway => "Records were taken and dropped, never passed on.",
        }
    }

    /// The chip's class in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            k if k.is_violation() => "violation",
            FindingKind::Undeclared | FindingKind::Unrecognised | FindingKind::UndeclaredAgent => {
                "undeclared"
            }
            FindingKind::Exceeds | FindingKind::Misreport | FindingKind::SilentAgent => "exceeds",
            _ => "unknown",
        }
    }

    /// For the person concerned, of a finding in this field; empty where none is known.
    pub fn words_in(self, about: &str, field: &str) -> String {
        let program = about.strip_prefix("program:").unwrap_or(about);
        let name = catalogue::find(program).map_or(program, |p| p.name.as_str());
        match (self, field) {
            (FindingKind::UndeclaredAgent, "installed") => {
                format!("{name} is on your computer, and no declaration names it")
            }
            (FindingKind::SilentAgent, _) => self.words(&format!("program:{name}")),
            _ => self.words(about),
        }
    }

    /// For the person concerned; `about` as [`super::assess`] or [`super::refusal::judge`] made it.
    pub fn words(self, about: &str) -> String {
        let (what, value) = about.split_once(':').unwrap_or((about, ""));
        match (self, what) {
            (_, "more") => {
                format!("{}: more programs in one day than can be listed", self.label())
            }
            (FindingKind::OptOutViolation, _) => format!("Passed on by {value} after you said no"),
            (FindingKind::CollectedAfterOptOut, _) => {
                format!("Collected and kept by {value} after you said no")
            }
            (FindingKind::HonouredAtGateway, _) => {
                format!("Stopped on the way: taken by {value} and dropped, never passed on")
            }
            (FindingKind::Undeclared, "program") => {
                format!("Collected by {value}, which was not declared for it at that time")
            }
            (FindingKind::Undeclared, _) => "Collected, and not declared at that time".into(),
            (FindingKind::Exceeds, "purpose") => {
                format!("Collected for a purpose that was not declared: {value}")
            }
            (FindingKind::Exceeds, "granularity") => {
                format!("Collected in more detail than declared: {value}")
            }
            (FindingKind::Exceeds, "destination") => {
                format!("Sent to a place that was not declared: {value}")
            }
            (FindingKind::Exceeds, "country") => format!("Sent to a country that was not declared: {value}"),
            // Found before people could say yes or no here; a finding stays.
            (FindingKind::Exceeds, "consent") => {
                "Collected although it is off until you say yes, and nobody could say yes here yet".into()
            }
            (FindingKind::Exceeds, "notice") => "Collected although no notice in force told you of it".into(),
            (FindingKind::Exceeds, "amount") => {
                format!("Collected more often than declared: over {value} a day")
            }
            (FindingKind::Exceeds, _) => "Beyond what was declared".into(),
            (FindingKind::Unrecognised, _) => "Something was collected that the agent could not name".into(),
            (FindingKind::SilentAgent, _) => {
                format!("{value} is on your computer, and nobody reports what it records")
            }
            (FindingKind::UndeclaredAgent, _) => {
                format!("The program {value} records, and no declaration names it")
            }
            (FindingKind::Misreport, _) => {
                format!("Two agents on your computer count differently what {value} collects")
            }
            (FindingKind::Equivocation, _) => "An agent sent two reports that can't both be true".into(),
            (FindingKind::ClockSkew, _) => "An agent's clock is wrong, so its times may be too".into(),
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_read_as_it_is_written() {
        for kind in FindingKind::ALL {
            assert_eq!(FindingKind::parse(kind.id()), Some(kind));
        }
        assert_eq!(FindingKind::parse("NOT_COLLECTED"), None);
    }

    #[test]
    fn what_is_only_there_is_not_said_to_record() {
        let kind = FindingKind::UndeclaredAgent;
        let there = kind.words_in("program:time-doctor", "installed");
        assert_eq!(there, "Time Doctor is on your computer, and no declaration names it");
        assert!(kind.words_in("program:time-doctor", "").contains("records"));
    }

    #[test]
    fn what_was_stopped_is_never_said_not_to_have_been_collected() {
        let kind = FindingKind::HonouredAtGateway;
        let texts = [kind.words("program:acme"), kind.label().into(), kind.meaning().into()];
        assert!(texts.iter().all(|t| !t.to_lowercase().contains("not collected")), "{texts:?}");
        assert!(texts[0].contains("taken by acme"));
    }
}
