//! Petitions, proved from the leaves alone: who may speak for the representative, which keys sign tokens, who is on
//! the roll, how many packs were given out, and that each signature rests on tokens of both issuers.
//!
//! Of a signature only its key, its number and its place are kept, so that a million of them fit into memory.

mod clock;
mod issuing;
mod life;
mod shown;
mod signatures;
mod speakers;
mod time;
mod work;

use super::super::leaf::Leaf;
use super::super::tree::Hash;
use super::Report;
use issuing::Epochs;
use life::Life;
pub use shown::Shown;
use speakers::Speakers;
use work::Work;

/// What nobody can see from the leaves, once there are petitions.
const NOT_PROVEN: [&str; 2] = [
    "that a petition's two issuers didn't work together: both at once could make up to as many signatures as packs \
     were given out and not used",
    "that the operator and the representative are independent of each other: a file can't tell who runs a machine",
];

/// Where a leaf stands, and what it hashes to.
#[derive(Clone, Copy)]
pub struct Place {
    pub index: u64,
    pub hash: Hash,
}

/// What is kept of petitions while the leaves are read.
pub struct Petitions {
    /// This log's name and those of the logs that it continues: an issuer goes on under the first one's.
    names: Vec<String>,
    speakers: Speakers,
    epochs: Epochs,
    life: Life,
    work: Work,
    any: bool,
}

impl Petitions {
    pub fn new(origin: &str) -> Self {
        Petitions {
            names: vec![origin.into()],
            speakers: Speakers::default(),
            epochs: Epochs::default(),
            life: Life::default(),
            work: Work::default(),
            any: false,
        }
    }

    /// A log that this one continues.
    pub fn continues(&mut self, origin: &str) {
        self.names.push(origin.into());
    }

    /// Takes up a leaf; others than those of petitions are passed over.
    pub fn add(&mut self, place: Place, leaf: &Leaf, report: &mut Report) {
        let origin = self.speakers.origin(&self.names);
        let (speakers, epochs, life, work) =
            (&mut self.speakers, &mut self.epochs, &mut self.life, &mut self.work);
        match leaf {
            Leaf::Key(key) if key.role != "log" => speakers.add(place.index, key, &self.names, report),
            Leaf::Epoch(leaf) => {
                epochs.epoch(place, leaf, (&origin, speakers.representative()), work, report)
            }
            Leaf::Roll(leaf) => epochs.roll(place, leaf, (&origin, speakers.representative()), work, report),
            Leaf::Issue(leaf) => {
                epochs.issue(place, leaf, (&origin, speakers.representative()), work, report)
            }
            Leaf::Petition(leaf) => life.petition(place, leaf, (&origin, epochs), work, report),
            Leaf::Check(leaf) => life.check(place, leaf, epochs, report),
            Leaf::Sign(leaf) => life.sign(place, leaf, (&origin, epochs), work, report),
            Leaf::Withdraw(leaf) => life.withdraw(place, leaf, &origin, work, report),
            Leaf::Reached(leaf) => life.reached(place, leaf, report),
            Leaf::Answer(leaf) => life.answer(place, leaf, report),
            Leaf::Close(leaf) => life.close(place, leaf, report),
            _ => return,
        }
        self.any = true;
        self.work.some(report);
    }

    /// After the last leaf; `shown` are the counts that pages displayed.
    pub fn judge(&mut self, shown: &[Shown], report: &mut Report) {
        self.work.all(report);
        if self.any {
            self.speakers.judge(report);
            self.epochs.judge(report);
            self.life.judge(&self.epochs, report);
            report.not_proven.extend(NOT_PROVEN);
        }
        for shown in shown {
            self.life.judge_shown(shown, report);
        }
    }
}

/// Whether a name can't be mistaken for something else in a text of lines.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c <= '\u{1f}' || c == '\u{7f}')
}

/// Enough of a leaf hash to find it.
fn short(hash: &Hash) -> String {
    let mut text = hash.to_string();
    text.truncate(12);
    text
}
