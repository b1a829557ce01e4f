//! The employer's clock: it starts once, at the threshold, and whoever reads the log sees until when it runs.

use super::super::super::petition::ReachedLeaf;
use super::life::{Life, PETITIONS};
use super::time::is_utc;
use super::{Place, Report};

const CLOCKS: &str = "employer's clock";

/// What the leaves say of one petition's threshold.
#[derive(Default)]
pub struct Clock {
    /// As the check fixed it.
    threshold: Option<u64>,
    /// Whether so many signatures ever stood since it opened.
    was_reached: bool,
    is_running: bool,
    /// The close, where the threshold was reached and the clock stood still.
    missed: Option<u64>,
}

impl Clock {
    pub fn opened(&mut self, threshold: u64) {
        self.threshold = self.threshold.or(Some(threshold));
    }

    fn is_reached(&self, stand: u64) -> bool {
        self.threshold.is_some_and(|threshold| stand >= threshold)
    }

    /// After each leaf that changes how many stand.
    pub fn counted(&mut self, stand: u64) {
        self.was_reached |= self.is_reached(stand);
    }

    pub fn closed(&mut self, index: u64, stand: u64) {
        if !self.is_running && self.is_reached(stand) {
            self.missed = Some(index);
        }
    }

    /// Why the clock can't start with this leaf.
    fn refuses(&self, leaf: &ReachedLeaf, stand: u64) -> Option<String> {
        if self.is_running {
            return Some("the employer's clock runs already: it starts once".into());
        }
        let Some(threshold) = self.threshold else {
            return Some("the petition wasn't opened, so that it has no threshold".into());
        };
        if stand < threshold {
            return Some(format!("{stand} signatures stand here, and the threshold is {threshold}"));
        }
        (leaf.signatures != stand).then(|| {
            format!("it says that {} signatures stand, and by the leaves it is {stand}", leaf.signatures)
        })
    }

    /// After the last leaf. Between two leaves of one batch more may stand than after it, so that only the count at
    /// the close tells for sure that the clock was held back.
    pub fn judge(&self, name: &str, report: &mut Report) {
        if let Some(close) = self.missed {
            let words =
                "the petition was closed with its threshold reached, and the employer's clock never started";
            report.violated(PETITIONS, Some(close), words);
        } else if self.was_reached && !self.is_running {
            let words = format!(
                "petition {name}: its threshold was reached, and the clock hasn't started by the end of this log"
            );
            report.not_checked(CLOCKS, words);
        }
    }
}

impl Life {
    pub fn reached(&mut self, at: Place, leaf: &ReachedLeaf, report: &mut Report) {
        let mut wrong = |words: &str| report.violated(PETITIONS, Some(at.index), words);
        let petition = match self.newest(&leaf.petition) {
            Ok(number) => &mut self.all[number],
            Err(words) => return wrong(words),
        };
        if let Some(words) = petition.ended() {
            wrong(words);
        }
        if let Some(words) = petition.clock.refuses(leaf, petition.stand) {
            wrong(&words);
        }
        if !is_utc(&leaf.answer_due_at) {
            wrong("the day of the answer isn't a time of RFC 3339 in UTC");
        }
        petition.clock.is_running = true;
    }
}
