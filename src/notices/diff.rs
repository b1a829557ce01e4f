//! What changed between two versions, so that a person can read it.
//!
//! Texts are compared block by block (a paragraph, a heading, an item, a row), and blocks that belong together
//! word by word, in what the Markdown says rather than in its signs. Field tables are compared field by field.

use std::collections::HashMap;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::model::{Covered, CoveredField};

/// Blocks from this share of common words on are one block that was changed.
const ALIKE: f64 = 0.4;

/// More pairs than this aren't looked at one by one: old blocks go, new ones come.
const PAIRS: usize = 10_000;

/// Unchanged blocks kept in sight beside a change.
const CONTEXT: usize = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Heading,
    Paragraph,
    Item,
    Row,
    Code,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Same,
    Removed,
    Added,
}

/// Words that stayed, went or came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub change: Change,
    pub text: String,
}

/// A paragraph, heading, item or row, with what changed inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub kind: Kind,
    pub runs: Vec<Run>,
}

impl Block {
    pub fn is_changed(&self) -> bool {
        self.runs.iter().any(|r| r.change != Change::Same)
    }

    /// The style sheet's name of its kind.
    pub fn class(&self) -> &'static str {
        match self.kind {
            Kind::Heading => "heading",
            Kind::Paragraph => "paragraph",
            Kind::Item => "item",
            Kind::Row => "row",
            Kind::Code => "code",
        }
    }

    fn whole(plain: &Plain, change: Change) -> Self {
        Block { kind: plain.kind, runs: vec![Run { change, text: plain.text.clone() }] }
    }
}

/// Blocks to be read together.
#[derive(Debug, PartialEq, Eq)]
pub struct Passage {
    /// Far from any change: it can be folded away.
    pub same: bool,
    pub blocks: Vec<Block>,
}

/// What became of a text.
#[derive(Debug, PartialEq, Eq)]
pub struct TextChange {
    pub passages: Vec<Passage>,
    /// The words are the same, and yet the Markdown isn't: emphasis, or how a list is written.
    pub only_form: bool,
}

impl TextChange {
    pub fn is_empty(&self) -> bool {
        !self.only_form && self.passages.iter().all(|p| p.same)
    }

    /// How much of both texts' words went or came, of a hundred.
    pub fn percent(&self) -> usize {
        let (mut all, mut changed) = (0, 0);
        for run in self.passages.iter().flat_map(|p| &p.blocks).flat_map(|b| &b.runs) {
            let words = run.text.split_whitespace().count();
            let same = run.change == Change::Same;
            all += if same { 2 * words } else { words };
            changed += if same { 0 } else { words };
        }
        changed * 100 / all.max(1)
    }
}

/// One block of a text, without its signs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Plain {
    kind: Kind,
    text: String,
}

/// What a Markdown text says, block by block. A link's address is part of it: it can be what changed.
fn plain(markdown: &str) -> Vec<Plain> {
    let mut blocks = Vec::new();
    let mut kind = Kind::Paragraph;
    let mut items = 0;
    let mut text = String::new();
    let mut addresses = Vec::new();
    let mut finish = |kind: Kind, text: &mut String| {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if !words.is_empty() {
            blocks.push(Plain { kind, text: words });
        }
        text.clear();
    };
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Text(words) | Event::Code(words) | Event::Html(words) | Event::InlineHtml(words) => {
                text.push_str(&words);
            }
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                addresses.push((dest_url, text.len()));
            }
            Event::End(TagEnd::Link | TagEnd::Image) => {
                if let Some((address, from)) = addresses.pop()
                    && text.get(from..).is_some_and(|shown| shown != address.as_ref())
                {
                    text.push_str(&format!(" ({address})"));
                }
            }
            Event::Start(Tag::Item) => {
                finish(kind, &mut text);
                items += 1;
                kind = Kind::Item;
            }
            Event::End(TagEnd::Item) => {
                finish(kind, &mut text);
                items -= 1;
                kind = if items > 0 { Kind::Item } else { Kind::Paragraph };
            }
            Event::Start(Tag::Heading { .. }) => kind = Kind::Heading,
            Event::Start(Tag::CodeBlock(_)) => kind = Kind::Code,
            Event::Start(Tag::TableHead | Tag::TableRow) => kind = Kind::Row,
            Event::End(TagEnd::TableCell) => text.push_str(" · "),
            Event::End(TagEnd::TableHead | TagEnd::TableRow) => {
                text.truncate(text.trim_end_matches(" · ").len());
                finish(kind, &mut text);
                kind = Kind::Paragraph;
            }
            Event::End(TagEnd::Paragraph | TagEnd::HtmlBlock | TagEnd::Heading(_) | TagEnd::CodeBlock) => {
                finish(kind, &mut text);
                kind = if items > 0 { Kind::Item } else { Kind::Paragraph };
            }
            _ => {}
        }
    }
    finish(kind, &mut text);
    blocks
}

/// What changed from one Markdown text to another.
pub fn texts(before: &str, after: &str) -> TextChange {
    let (old, new) = (plain(before), plain(after));
    let mut blocks = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &old, &new) {
        match op {
            DiffOp::Equal { old_index, len, .. } => {
                blocks.extend(old[old_index..old_index + len].iter().map(|b| Block::whole(b, Change::Same)));
            }
            DiffOp::Delete { old_index, old_len, .. } => {
                let gone = &old[old_index..old_index + old_len];
                blocks.extend(gone.iter().map(|b| Block::whole(b, Change::Removed)));
            }
            DiffOp::Insert { new_index, new_len, .. } => {
                let come = &new[new_index..new_index + new_len];
                blocks.extend(come.iter().map(|b| Block::whole(b, Change::Added)));
            }
            DiffOp::Replace { old_index, old_len, new_index, new_len } => blocks
                .extend(paired(&old[old_index..old_index + old_len], &new[new_index..new_index + new_len])),
        }
    }
    let only_form = before.trim() != after.trim() && !blocks.iter().any(Block::is_changed);
    TextChange { passages: passages(blocks), only_form }
}

/// Blocks in the place of others: those that resemble each other are compared word by word, in an order that
/// keeps as much as possible together.
fn paired(old: &[Plain], new: &[Plain]) -> Vec<Block> {
    let (n, m) = (old.len(), new.len());
    // best[i][j]: how much old[i..] and new[j..] have in common when paired in order.
    let mut best = vec![vec![0.0f64; m + 1]; n + 1];
    let mut like = vec![vec![0.0f64; m]; n];
    if n * m <= PAIRS {
        for i in (0..n).rev() {
            for j in (0..m).rev() {
                like[i][j] = alike(&old[i], &new[j]);
                let together = if like[i][j] >= ALIKE { like[i][j] + best[i + 1][j + 1] } else { 0.0 };
                best[i][j] = together.max(best[i + 1][j]).max(best[i][j + 1]);
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut blocks = Vec::new();
    while i < n && j < m {
        if like[i][j] >= ALIKE && best[i][j] <= like[i][j] + best[i + 1][j + 1] {
            blocks.push(Block { kind: new[j].kind, runs: words(&old[i].text, &new[j].text) });
            (i, j) = (i + 1, j + 1);
        } else if best[i + 1][j] >= best[i][j + 1] {
            blocks.push(Block::whole(&old[i], Change::Removed));
            i += 1;
        } else {
            blocks.push(Block::whole(&new[j], Change::Added));
            j += 1;
        }
    }
    blocks.extend(old[i..].iter().map(|b| Block::whole(b, Change::Removed)));
    blocks.extend(new[j..].iter().map(|b| Block::whole(b, Change::Added)));
    blocks
}

/// The share of words that two blocks have in common, however they are ordered.
fn alike(a: &Plain, b: &Plain) -> f64 {
    if (a.kind == Kind::Heading) != (b.kind == Kind::Heading) {
        return 0.0;
    }
    let is_word = |t: &&str| t.chars().any(char::is_alphanumeric);
    let mut counts: HashMap<&str, i32> = HashMap::new();
    let (mut total, mut common) = (0, 0);
    for word in tokens(&a.text).into_iter().filter(is_word) {
        *counts.entry(word).or_default() += 1;
        total += 1;
    }
    for word in tokens(&b.text).into_iter().filter(is_word) {
        total += 1;
        if let Some(count) = counts.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            common += 2;
        }
    }
    if total == 0 { 0.0 } else { f64::from(common) / f64::from(total) }
}

/// Words, single signs, and the spaces between. Where a script has no spaces each character is a word.
fn tokens(text: &str) -> Vec<&str> {
    let class = |c: char| match c {
        '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{0e00}'..='\u{0eff}' => 0,
        c if c.is_alphanumeric() || c == '\u{ad}' || ('\u{300}'..='\u{36f}').contains(&c) => 1,
        c if c.is_whitespace() => 2,
        _ => 0,
    };
    let mut tokens = Vec::new();
    let (mut from, mut previous) = (0, None);
    for (at, c) in text.char_indices() {
        let class = class(c);
        if previous.is_some_and(|p| p != class || class == 0) {
            tokens.push(&text[from..at]);
            from = at;
        }
        previous = Some(class);
    }
    if from < text.len() {
        tokens.push(&text[from..]);
    }
    tokens
}

/// Two texts word by word. What stands between two changes and is no word of its own goes with them, so that
/// "thirty days" → "ninety weeks" reads as one change.
pub fn words(before: &str, after: &str) -> Vec<Run> {
    let (old, new) = (tokens(before), tokens(after));
    let mut pairs: Vec<(String, String, bool)> = Vec::new();
    let mut push = |removed: String, added: String, same: bool| match pairs.last_mut() {
        Some(last) if last.2 == same => {
            last.0 += &removed;
            last.1 += &added;
        }
        _ => pairs.push((removed, added, same)),
    };
    let ops = capture_diff_slices(Algorithm::Myers, &old, &new);
    for (at, op) in ops.iter().enumerate() {
        let removed = old[op.old_range()].concat();
        let added = new[op.new_range()].concat();
        let inside = at > 0 && at + 1 < ops.len();
        let same = matches!(op, DiffOp::Equal { .. })
            && !(inside && !removed.chars().any(char::is_alphanumeric) && removed.chars().count() <= 2);
        push(removed, added, same);
    }
    let mut runs = Vec::new();
    for (removed, added, same) in pairs {
        if same {
            runs.push(Run { change: Change::Same, text: removed });
            continue;
        }
        for (change, text) in [(Change::Removed, removed), (Change::Added, added)] {
            if !text.is_empty() {
                runs.push(Run { change, text });
            }
        }
    }
    runs
}

/// Changes with a block on each side for orientation; what lies between them apart.
fn passages(blocks: Vec<Block>) -> Vec<Passage> {
    let changed: Vec<usize> = (0..blocks.len()).filter(|i| blocks[*i].is_changed()).collect();
    let near = |i: usize| {
        let at = changed.partition_point(|c| *c < i);
        let before = at.checked_sub(1).and_then(|p| changed.get(p)).is_some_and(|c| i - c <= CONTEXT);
        before || changed.get(at).is_some_and(|c| c - i <= CONTEXT)
    };
    let mut passages: Vec<Passage> = Vec::new();
    for (i, block) in blocks.into_iter().enumerate() {
        let same = !near(i);
        match passages.last_mut() {
            Some(last) if last.same == same => last.blocks.push(block),
            _ => passages.push(Passage { same, blocks: vec![block] }),
        }
    }
    passages
}

/// "Kept for: 30 days → 90 days"; empty for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    pub label: String,
    pub before: String,
    pub after: String,
}

/// What became of one processing from one field table to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowChange {
    pub name: String,
    /// Whether the processing came, went, or stayed.
    pub change: Change,
    /// All fields of one that came or went; otherwise those that differ.
    pub fields: Vec<FieldChange>,
}

/// Processings that changed, came, or went; in the order of the newer table, those that went at the end.
pub fn rows(before: &[Covered], after: &[Covered]) -> Vec<RowChange> {
    let find = |rows: &'_ [Covered], id| rows.iter().position(|r| r.processing == id);
    let mut changes = Vec::new();
    for row in after {
        let (change, fields) = match find(before, row.processing) {
            Some(at) => (Change::Same, fields(&before[at].fields, &row.fields)),
            None => (Change::Added, fields(&[], &row.fields)),
        };
        if change == Change::Added || !fields.is_empty() {
            changes.push(RowChange { name: row.name.clone(), change, fields });
        }
    }
    for row in before.iter().filter(|r| find(after, r.processing).is_none()) {
        let fields = fields(&row.fields, &[]);
        changes.push(RowChange { name: row.name.clone(), change: Change::Removed, fields });
    }
    changes
}

fn fields(before: &[CoveredField], after: &[CoveredField]) -> Vec<FieldChange> {
    let value = |fields: &[CoveredField], id: &str| {
        fields.iter().find(|f| f.id == id).map_or_else(String::new, |f| f.value.clone())
    };
    let gone = before.iter().filter(|f| !after.iter().any(|a| a.id == f.id));
    after
        .iter()
        .chain(gone)
        .map(|f| FieldChange {
            label: f.label.clone(),
            before: value(before, &f.id),
            after: value(after, &f.id),
        })
        .filter(|c| c.before != c.after)
        .collect()
}
