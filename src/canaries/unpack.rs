//! Unpacks gzip and ZIP as they stream by, a little at a time.

use std::io::Write;

use flate2::write::MultiGzDecoder;

use super::packings::{Beginning, Behind};
use super::zip::Zip;

/// Bytes that one step unpacks, at most a few of them: a small file may unpack to a thousand times as much.
pub const STEP: usize = 16 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    Plain,
    Gzip,
    Zip,
}

impl Container {
    pub fn id(self) -> &'static str {
        match self {
            Container::Plain => "plain",
            Container::Gzip => "gzip",
            Container::Zip => "zip",
        }
    }
}

/// Why something was not searched to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// There is more, once unpacked, than is searched.
    Limit,
    Time,
    Damaged,
    Unreadable,
    Packed,
    Unlisted,
}

impl Missed {
    const ALL: [Missed; 6] =
        [Missed::Limit, Missed::Time, Missed::Damaged, Missed::Unreadable, Missed::Packed, Missed::Unlisted];

    pub fn id(self) -> &'static str {
        match self {
            Missed::Limit => "limit",
            Missed::Time => "time",
            Missed::Damaged => "damaged",
            Missed::Unreadable => "unreadable",
            Missed::Packed => "packed",
            Missed::Unlisted => "unlisted",
        }
    }

    pub fn parse(id: &str) -> Option<Self> {
        Missed::ALL.into_iter().find(|m| m.id() == id)
    }

    pub fn words(self) -> &'static str {
        match self {
            Missed::Limit => "There is more, once unpacked, than the server searches (1 GiB).",
            Missed::Time => "It took longer than 25 seconds, and the rest was left.",
            Missed::Damaged => "A part is damaged, or cut off.",
            Missed::Unreadable => "A part is encrypted, or packed in a way that isn’t understood.",
            Missed::Packed => {
                "Something in it is packed itself, or a PDF: what begins as an archive (also as .docx and .xlsx do) is unpacked only where it is the file itself."
            }
            Missed::Unlisted => {
                "The archive’s own list of its entries isn’t what was read: something may be hidden in it."
            }
        }
    }
}

enum State {
    /// The first bytes, until they say what it is.
    Beginning(Vec<u8>),
    Plain(Beginning, Behind),
    Gzip(Box<MultiGzDecoder<Vec<u8>>>, Beginning),
    Zip(Box<Zip>),
    /// Damaged: nothing more can be read.
    Broken,
}

pub struct Unpacker {
    state: State,
    container: Container,
    missed: Vec<Missed>,
}

/// Bytes that say what something is.
const FIRST: usize = 4;

impl Unpacker {
    pub fn new() -> Self {
        Unpacker { state: State::Beginning(Vec::new()), container: Container::Plain, missed: Vec::new() }
    }

    /// Adds what a few of `bytes` unpack to, at most some steps' worth; answers how many were used.
    pub fn step(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        match &mut self.state {
            State::Beginning(first) => {
                let used = bytes.len().min(FIRST - first.len());
                first.extend_from_slice(&bytes[..used]);
                if first.len() == FIRST {
                    let first = std::mem::take(first);
                    self.begin(&first, out);
                }
                used
            }
            State::Broken => bytes.len(),
            State::Plain(beginning, behind) => {
                let used = bytes.len().min(STEP);
                beginning.feed(&bytes[..used]);
                behind.feed(&bytes[..used]);
                out.extend_from_slice(&bytes[..used]);
                used
            }
            State::Gzip(decoder, beginning) => {
                let used = decoder.write(&bytes[..bytes.len().min(1024)]);
                beginning.feed(decoder.get_ref());
                out.append(decoder.get_mut());
                match used {
                    Ok(used @ 1..) => used,
                    _ => self.break_off(bytes),
                }
            }
            State::Zip(zip) => match zip.step(bytes, out) {
                Some(used) => used,
                None => self.break_off(bytes),
            },
        }
    }

    fn break_off(&mut self, bytes: &[u8]) -> usize {
        if let State::Zip(zip) = std::mem::replace(&mut self.state, State::Broken) {
            self.missed = zip.finish();
        }
        if !self.missed.contains(&Missed::Damaged) {
            self.missed.push(Missed::Damaged);
        }
        bytes.len()
    }

    fn begin(&mut self, first: &[u8], out: &mut Vec<u8>) {
        (self.container, self.state) = match first {
            [0x1f, 0x8b, ..] => {
                let decoder = Box::new(MultiGzDecoder::new(Vec::new()));
                (Container::Gzip, State::Gzip(decoder, Beginning::default()))
            }
            [b'P', b'K', 3, 4] => (Container::Zip, State::Zip(Box::default())),
            _ => (Container::Plain, State::Plain(Beginning::default(), Behind::default())),
        };
        let mut rest = first;
        while !rest.is_empty() {
            let used = self.step(rest, out);
            rest = &rest[used..];
        }
    }

    /// Ends it: adds what is left; answers what could not be read.
    pub fn finish(mut self, out: &mut Vec<u8>) -> (Container, Vec<Missed>) {
        match self.state {
            State::Beginning(mut first) => out.append(&mut first),
            State::Gzip(mut decoder, mut beginning) => {
                if decoder.try_finish().is_err() {
                    self.missed.push(Missed::Damaged);
                }
                beginning.feed(decoder.get_ref());
                out.append(decoder.get_mut());
                if beginning.is_packed() {
                    self.missed.push(Missed::Packed);
                }
            }
            State::Zip(zip) => self.missed = zip.finish(),
            State::Plain(beginning, behind) if beginning.is_packed() || behind.found => {
                self.missed.push(Missed::Packed);
            }
            State::Plain(..) | State::Broken => {}
        }
        (self.container, self.missed)
    }
}
