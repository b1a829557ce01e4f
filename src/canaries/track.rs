//! Where the stream stands: byte, line, and the column or key where its name is one that a vendor documents.

/// A place in what was searched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pos {
    /// From 0.
    pub at: u64,
    /// From 1.
    pub line: u64,
    /// One more than the index of a documented name; 0 for none. Any other name could be content.
    pub field: u16,
}

/// Bytes of a first line, and of a key; what is longer has no documented name.
const LONGEST_HEADER: usize = 16 * 1024;
const LONGEST_KEY: usize = 64;

enum Shape {
    Unknown,
    Plain,
    Header(Vec<u8>, bool),
    Csv { delimiter: u8, fields: Vec<u16>, quoted: bool, column: usize },
    Json { quoted: bool, escaped: bool, last: Vec<u8>, key: u16 },
}

pub struct Tracker {
    names: Vec<&'static str>,
    shape: Shape,
    next: Pos,
}

impl Tracker {
    /// `names` are lower case; without any nothing but bytes and lines are told.
    pub fn new(names: Vec<&'static str>) -> Self {
        let shape = if names.is_empty() { Shape::Plain } else { Shape::Unknown };
        Tracker { names, shape, next: Pos { at: 0, line: 1, field: 0 } }
    }

    pub fn name(&self, field: u16) -> &'static str {
        usize::from(field).checked_sub(1).and_then(|n| self.names.get(n)).copied().unwrap_or("")
    }

    fn field(&self, name: &[u8]) -> u16 {
        let name = String::from_utf8_lossy(name).trim().to_lowercase();
        let place = self.names.iter().position(|n| *n == name);
        place.and_then(|n| u16::try_from(n + 1).ok()).unwrap_or(0)
    }

    /// Where this byte stands.
    pub fn step(&mut self, byte: u8) -> Pos {
        // The zeros of wide characters are no text; the mark at a file's beginning neither.
        if byte != 0 && !(self.next.at < 3 && byte >= 0x80) {
            self.read(byte);
        }
        let here = self.next;
        self.next.at += 1;
        self.next.line += u64::from(byte == b'\n');
        here
    }

    fn read(&mut self, byte: u8) {
        let mut shape = std::mem::replace(&mut self.shape, Shape::Plain);
        shape = match (shape, byte) {
            (Shape::Unknown, b' ' | b'\t' | b'\r' | b'\n') => Shape::Unknown,
            (Shape::Unknown, b'{' | b'[') => {
                Shape::Json { quoted: false, escaped: false, last: Vec::new(), key: 0 }
            }
            (Shape::Unknown, _) => Shape::Header(vec![byte], byte == b'"'),
            (Shape::Header(header, false), b'\n') => self.csv(&header),
            (Shape::Header(header, _), _) if header.len() >= LONGEST_HEADER => Shape::Plain,
            (Shape::Header(mut header, quoted), _) => {
                header.push(byte);
                Shape::Header(header, quoted ^ (byte == b'"'))
            }
            (Shape::Csv { delimiter, fields, quoted, column }, _) => {
                let (quoted, column) = match byte {
                    b'"' => (!quoted, column),
                    b'\n' if !quoted => (false, 0),
                    sign if sign == delimiter && !quoted => (false, column + 1),
                    _ => (quoted, column),
                };
                self.next.field = fields.get(column).copied().unwrap_or(0);
                Shape::Csv { delimiter, fields, quoted, column }
            }
            (Shape::Json { quoted, escaped, last, key }, _) => self.json(byte, quoted, escaped, last, key),
            (Shape::Plain, _) => Shape::Plain,
        };
        self.shape = shape;
    }

    fn csv(&mut self, header: &[u8]) -> Shape {
        let delimiter = crate::imports::delimiter(&String::from_utf8_lossy(header));
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).from_reader(header);
        let first = reader.byte_records().next().and_then(Result::ok).unwrap_or_default();
        let fields: Vec<u16> = first.iter().map(|name| self.field(name)).collect();
        self.next.field = 0;
        Shape::Csv { delimiter, fields, quoted: false, column: 0 }
    }

    fn json(&mut self, byte: u8, quoted: bool, escaped: bool, mut last: Vec<u8>, mut key: u16) -> Shape {
        let mut is = (quoted, false);
        match (quoted, escaped, byte) {
            (true, true, _) => {}
            (true, false, b'\\') => is.1 = true,
            (true, false, b'"') => is.0 = false,
            (true, false, _) if last.len() <= LONGEST_KEY => last.push(byte),
            (true, false, _) => {}
            (false, _, b'"') => {
                is.0 = true;
                last.clear();
            }
            (false, _, b':') => key = self.field(&last),
            (false, _, b',' | b'{' | b'}') => key = 0,
            _ => {}
        }
        self.next.field = key;
        Shape::Json { quoted: is.0, escaped: is.1, last, key }
    }
}
