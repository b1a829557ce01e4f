//! Reads a CSV export row by row.

use std::collections::BTreeSet;

use csv::ByteRecord;

use super::formats::{Column, Format, Says};
use super::model::{Mapped, Problem};
use super::tally::{Place, Tally};
use crate::register::Category;

/// Why nothing of a file was counted; words for whoever uploaded it, without a word of the file.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    Words(String),
    /// Who or when was not found among the columns: they can be chosen. How many columns there are.
    Unmapped(usize),
}

impl Refusal {
    pub fn new(words: impl Into<String>) -> Self {
        Refusal::Words(words.into())
    }
}

/// Columns as chosen in the form, from 1; what isn't chosen is taken from the documentation's names.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    pub who: Option<usize>,
    pub when: Option<usize>,
    /// A column whose filled cells are records of this category.
    pub what: Option<(usize, Category)>,
}

/// The text of a file, without its mark; says in words what else it is.
pub fn text(bytes: &[u8]) -> Result<&str, Refusal> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || has_wide_characters(bytes) {
        return Err(Refusal::new(
            "This file is UTF-16, not UTF-8. In Excel, save it as “CSV UTF-8”; or open it in a text editor and save it as UTF-8.",
        ));
    }
    if bytes.starts_with(b"\x1f\x8b") || bytes.starts_with(b"PK\x03\x04") {
        return Err(Refusal::new(
            "This file is compressed, or a workbook. Unpack it, or save it as CSV, first.",
        ));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        Refusal::new(format!(
            "This file isn’t UTF-8: line {line} has a byte that is no character. Save it as UTF-8."
        ))
    })
}

/// UTF-16 without its mark: every second byte of what is mostly Latin letters is zero.
fn has_wide_characters(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(64)];
    head.len() >= 4 && head.iter().filter(|b| **b == 0).count() * 3 > head.len()
}

/// The sign between cells: the one that stands most often in the first line, outside quotes.
pub fn delimiter(text: &str) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for byte in text.bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            _ if quoted => {}
            _ => counts.iter_mut().filter(|(sign, _)| *sign == byte).for_each(|(_, n)| *n += 1),
        }
    }
    let mut best = counts[0];
    for count in counts {
        if count.1 > best.1 {
            best = count;
        }
    }
    best.0
}

/// Which columns, from 0, say what.
struct Mapping {
    known: Vec<Option<Column>>,
    who: Vec<usize>,
    when: Vec<usize>,
    what: Vec<(usize, Category)>,
}

impl Mapping {
    fn of(header: &ByteRecord, format: &Format, choice: &Choice) -> Result<Self, Refusal> {
        let name = |cell: &[u8]| std::str::from_utf8(cell).ok().and_then(|text| format.column(text));
        let known: Vec<Option<Column>> = header.iter().map(name).collect();
        let saying = |says: &dyn Fn(Says) -> bool| -> Vec<usize> {
            // In the documentation's order: an address before a name, a moment before a day.
            let columns = format.columns().into_iter().filter(|c| says(c.says));
            let place = |c: Column| known.iter().position(|k| k.is_some_and(|k| k.name == c.name));
            columns.filter_map(place).collect()
        };
        let chosen = |column: Option<usize>, found: Vec<usize>| match column {
            Some(number) if number <= known.len() => vec![number - 1],
            _ => found,
        };
        let who = chosen(choice.who, saying(&|s| s == Says::Who));
        let when = chosen(choice.when, saying(&|s| s == Says::When));
        let what = match choice.what {
            Some((number, category)) if number <= known.len() => vec![(number - 1, category)],
            _ => known
                .iter()
                .enumerate()
                .filter_map(|(place, column)| match column.map(|c| c.says) {
                    Some(Says::What(category)) => Some((place, category)),
                    _ => None,
                })
                .collect(),
        };
        if who.is_empty() || when.is_empty() || what.is_empty() {
            return Err(Refusal::Unmapped(known.len()));
        }
        Ok(Mapping { known, who, when, what })
    }

    fn name(&self, place: usize) -> &'static str {
        self.known.get(place).copied().flatten().map_or("", |c| c.name)
    }

    fn mapped(&self) -> Vec<Mapped> {
        let one = |place: usize, says: &str| Mapped {
            column: place + 1,
            name: self.name(place).into(),
            says: says.into(),
        };
        let who = self.who.iter().map(|place| one(*place, "who"));
        let when = self.when.iter().map(|place| one(*place, "when"));
        who.chain(when).chain(self.what.iter().map(|(place, c)| one(*place, c.name()))).collect()
    }
}

/// Whether a cell says that there is a record.
fn is_filled(cell: &str) -> bool {
    let cell = cell.trim();
    !cell.is_empty() && !["0", "0%", "-", "null", "false"].contains(&cell)
}

pub fn read(bytes: &[u8], format: &Format, choice: &Choice, tally: &mut Tally<'_>) -> Result<(), Refusal> {
    let text = text(bytes)?;
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(text))
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut record = ByteRecord::new();
    let broken = || Refusal::new("This file can’t be read as CSV.");
    if !reader.read_byte_record(&mut record).map_err(|_| broken())? {
        return Err(Refusal::new("This file is empty."));
    }
    let mapping = Mapping::of(&record, format, choice)?;
    tally.plan.mapped = mapping.mapped();
    tally.plan.columns = mapping.known.len();
    let month_first = tally.reading().month_first;
    let mut what: Vec<(Category, i64)> = Vec::new();
    while reader.read_byte_record(&mut record).map_err(|_| broken())? {
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != mapping.known.len() {
            tally.plan.rows += 1;
            tally.plan.fault(line, 0, "", Problem::OtherNumberOfColumns);
            continue;
        }
        let cell = |place: usize| record.get(place).and_then(|c| std::str::from_utf8(c).ok()).unwrap_or("");
        let filled = |places: &[usize]| places.iter().copied().find(|p| !cell(*p).trim().is_empty());
        let who = filled(&mapping.who).unwrap_or(mapping.who[0]);
        let parses = |p: &usize| super::when::When::parse(cell(*p), month_first).is_some();
        let when = mapping.when.iter().copied().find(|p| parses(p)).or_else(|| filled(&mapping.when));
        let when = when.unwrap_or(mapping.when[0]);
        what.clear();
        let mut seen = BTreeSet::new();
        for (place, category) in &mapping.what {
            if is_filled(cell(*place)) && seen.insert(*category) {
                what.push((*category, 1));
            }
        }
        let place = Place { line, who: (who + 1, mapping.name(who)), when: (when + 1, mapping.name(when)) };
        tally.row(place, cell(who), cell(when), &what);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_what_stands_between_cells() {
        assert_eq!(delimiter("a,b;c,d\n1;2;3;4;5"), b',');
        assert_eq!(delimiter("a;b;\"c,,,,,\nx\"\n"), b';');
        assert_eq!(delimiter("a\tb\tc"), b'\t');
        assert_eq!(delimiter("alone"), b',');
    }

    #[test]
    fn other_encodings_are_named() {
        let wide: Vec<u8> = "User,Date\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let said = |bytes: &[u8]| match text(bytes) {
            Err(Refusal::Words(words)) => words,
            other => panic!("{other:?}"),
        };
        assert!(said(&wide).contains("UTF-16"));
        assert!(said(&[b"\xff\xfe".as_slice(), &wide].concat()).contains("UTF-16"));
        assert!(said(b"\x1f\x8b\x08").contains("compressed"));
        assert!(said(b"User\nM\xfcller\n").contains("line 2"));
        assert_eq!(text(b"\xef\xbb\xbfUser"), Ok("User"));
    }
}
