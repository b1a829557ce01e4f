//! `daylight verify`: what anybody can check about an export, offline.
//!
//! The outcome names the check and, where there is one, the leaf. A file that can't be read is a [`Fault`];
//! a file that can be read and doesn't hold is a [`Report`] with violations.

mod entries;
mod keys;
mod petitions;
mod receipt;
mod report;
mod single;

use std::collections::{BTreeMap, HashSet};
use std::io::BufRead;

pub use petitions::Shown;
pub use receipt::verify_receipt;
pub use report::{Finding, Outcome, Report, Statement};
pub use single::verify_proof;

use self::entries::Entries;
use self::keys::judge_witnesses;
use super::Fault;
use super::checkpoint::Checkpoint;
use super::export::{DocumentLine, Header, Item, Reader};
use super::leaf::document_hash;
use super::note::Note;
use super::policy::Policy;
use super::tlog_proof::TlogProof;
use super::tree::{Edge, Hash};

/// What is checked against, besides the export itself.
#[derive(Default)]
pub struct Against {
    /// The keys and witnesses to believe; the export's own word without one.
    pub policy: Option<Policy>,
    /// Checkpoints seen before.
    pub since: Vec<Note>,
    pub proofs: Vec<TlogProof>,
    /// Counts of signatures that petitions' pages displayed.
    pub shown: Vec<Shown>,
}

const NOT_PROVEN: [&str; 4] = [
    "that a notice is true, or that nobody was watched beyond what is declared",
    "that the people on the roll are real",
    "that nobody was shown another log, unless witnesses you trust cosigned this one",
    "when something was entered, beyond the times at which witnesses cosigned",
];

/// An export as read; the leaves' bytes are not kept.
struct Read {
    header: Header,
    entries: Entries,
    hashes: Vec<Hash>,
    older: Vec<Note>,
    documents: Vec<DocumentLine>,
}

/// Checks an export of the log.
pub fn verify_export(source: impl BufRead, against: &Against) -> Result<Report, Fault> {
    let mut report = Report { not_proven: NOT_PROVEN.to_vec(), ..Report::default() };
    let mut read = read(source, &mut report)?;
    report.origin.clone_from(&read.header.origin);
    report.size = read.header.leaves;
    let own_policy: Policy = read.header.policy.parse()?;
    let policy = against.policy.as_ref().unwrap_or(&own_policy);
    let note: Note = read.header.checkpoint.parse()?;

    let (origin, kept) = (&read.header.origin, read.entries.kept());
    read.entries.petitions.judge(&against.shown, &mut report);
    read.entries.judge(origin, &read.hashes, &read.older, &mut report);
    read.entries.keys.judge(origin, kept, policy, against.policy.is_none(), &mut report);
    read.entries.compare(&read.hashes, read.header.leaves, &mut report);
    let newest = judge_head(&read, &note, &mut report);
    judge_witnesses(policy, against.policy.is_none(), &note, &mut report);
    judge_tree(&read, newest, &against.since, &mut report);
    judge_documents(&read, &mut report);
    for proof in &against.proofs {
        let known = (&read.entries.keys, &read.hashes[..]);
        single::judge(
            proof,
            &read.header.origin,
            (policy, against.policy.is_none()),
            Some(known),
            &mut report,
        );
    }
    Ok(report)
}

fn read(source: impl BufRead, report: &mut Report) -> Result<Read, Fault> {
    let mut reader = Reader::new(source);
    let header = reader.header()?;
    let entries = Entries::of(&header.origin);
    let mut read = Read { header, entries, hashes: Vec::new(), older: Vec::new(), documents: Vec::new() };
    let mut tiles = 0;
    while let Some(item) = reader.item()? {
        match item {
            Item::Object(bytes) if tiles == 0 => read.entries.add(&bytes, report),
            Item::Object(bytes) => {
                let line = serde_json::from_slice(&bytes);
                read.documents.push(line.map_err(|_| Fault::new("a document's line can't be read"))?);
            }
            Item::Tile(hashes) => {
                tiles += 1;
                read.hashes.extend(hashes);
            }
            Item::Checkpoint(note) => read.older.push(note.parse()?),
        }
    }
    let header = &read.header;
    let counts = [
        ("leaves", header.leaves, read.entries.len()),
        ("hashes", header.leaves, read.hashes.len() as u64),
        ("tiles", header.tiles, tiles),
        ("checkpoints", header.checkpoints, read.older.len() as u64),
        ("documents", header.documents, read.documents.len() as u64),
    ];
    for (what, said, found) in counts {
        if said != found {
            report.violated("file", None, format!("the header says {said} {what}, the file holds {found}"));
        }
    }
    report.unless_violated("file", "complete by its own header");
    Ok(read)
}

/// The newest checkpoint: signed, and of this size.
fn judge_head(read: &Read, note: &Note, report: &mut Report) -> Option<Checkpoint> {
    const SIGNATURE: &str = "signature";
    match read.entries.keys.read(&read.header.origin, note) {
        Err(words) => report.violated(SIGNATURE, None, format!("the newest checkpoint: {words}")),
        Ok(head) if head.size != read.header.leaves => report.violated(
            SIGNATURE,
            None,
            format!("the checkpoint is of {} entries, the export of {}", head.size, read.header.leaves),
        ),
        Ok(_) => report.holds(SIGNATURE, "the newest checkpoint is signed by the log's key"),
    }
    note.text.parse().ok()
}

/// The tree rebuilt: its root, and every older checkpoint's.
fn judge_tree(read: &Read, newest: Option<Checkpoint>, since: &[Note], report: &mut Report) {
    let mut wanted: BTreeMap<u64, Vec<(&'static str, Checkpoint)>> = BTreeMap::new();
    let mut want = |check: &'static str, what: &str, note: &Note, report: &mut Report| match read
        .entries
        .keys
        .read(&read.header.origin, note)
    {
        Ok(checkpoint) => wanted.entry(checkpoint.size).or_default().push((check, checkpoint)),
        Err(words) => report.violated(check, None, format!("{what}: {words}")),
    };
    let former = (&read.hashes[..], &read.older[..]);
    for note in &read.older {
        if !read.entries.judge_former("older checkpoints", note, former, report) {
            want("older checkpoints", "an older checkpoint", note, report);
        }
    }
    for note in since {
        if !read.entries.judge_former("since", note, former, report) {
            want("since", "the checkpoint you gave", note, report);
        }
    }
    if let Some(head) = newest {
        wanted.entry(head.size).or_default().push(("tree", head));
    }
    let mut edge = Edge::default();
    let mut good = 0;
    for (size, checkpoints) in &wanted {
        while edge.size < *size && (edge.size as usize) < read.hashes.len() {
            edge.push(read.hashes[edge.size as usize]);
        }
        let root = edge.root();
        let mut differs = checkpoints.iter().filter(|(_, c)| edge.size != *size || c.root != root).peekable();
        if differs.peek().is_none() {
            good = *size;
            continue;
        }
        let one_root = checkpoints.iter().all(|(_, c)| c.root == checkpoints[0].1.root);
        for (check, _) in differs {
            let (leaf, words) = match () {
                () if edge.size < *size => {
                    let words = format!("it is missing: {size} entries were signed. The log was rolled back");
                    (Some(edge.size), words)
                }
                () if !one_root => {
                    (None, format!("two different roots were signed for {size} entries: the log was forked"))
                }
                () if good + 1 == *size => (Some(good), "it was changed after the log had signed it".into()),
                () => (
                    Some(good),
                    format!(
                        "one of the leaves {good} to {} was changed after the log had signed them",
                        size - 1
                    ),
                ),
            };
            report.violated(check, leaf, words);
        }
    }
    report.unless_violated("tree", "the entries' hashes have the root that was signed");
    let older = read.older.len();
    report
        .unless_violated("older checkpoints", format!("{older} of the log's earlier heads lie on this tree"));
    if since.is_empty() {
        report.not_checked("since", "no earlier checkpoint was given (--since)");
    } else {
        report.unless_said("since", "this log continues the one you saw earlier");
    }
}

fn judge_documents(read: &Read, report: &mut Report) {
    const DOCUMENTS: &str = "documents";
    let mut seen = HashSet::new();
    for line in &read.documents {
        let leaf = Some(line.leaf);
        let Some(expected) = read.entries.content(line.leaf) else {
            report.violated(DOCUMENTS, leaf, "the file has a document for it, but it commits to none");
            continue;
        };
        if document_hash(&line.content).as_ref() != Ok(&expected.hash) {
            report.violated(
                DOCUMENTS,
                leaf,
                "its document isn't what was entered: it was changed afterwards",
            );
        }
        if !seen.insert(line.leaf) {
            report.violated(DOCUMENTS, leaf, "the file has two documents for it");
        }
    }
    let missing = read.entries.contents.iter().filter(|(leaf, _)| !seen.contains(leaf));
    let (public, others): (Vec<_>, Vec<_>) = missing.partition(|(_, content)| content.is_public);
    for (leaf, _) in public {
        report.violated(DOCUMENTS, Some(*leaf), "its document, which everybody may read, is missing");
    }
    let withheld = read.header.withheld;
    if others.len() as u64 != withheld {
        let words = format!("{} documents are missing and {withheld} are said to be withheld", others.len());
        report.violated(DOCUMENTS, others.first().map(|(leaf, _)| *leaf), words);
    } else if withheld > 0 {
        let words = format!("{withheld} documents are for signed-in people only and not in this file");
        report.not_checked(DOCUMENTS, words);
    }
    let count = seen.len();
    if count > 0 || withheld == 0 {
        report.unless_violated(DOCUMENTS, format!("{count} documents are what was entered"));
    }
}
