//! Unpacks gzip and ZIP as they stream by.

use std::io::Write;

use flate2::write::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};

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

enum State {
    /// The first bytes, until they say what it is.
    Beginning(Vec<u8>),
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Zip(Zip),
    /// Damaged: nothing more can be read.
    Broken,
}

pub struct Unpacker {
    state: State,
    container: Container,
    /// Whether something could not be read.
    is_partial: bool,
}

impl Unpacker {
    pub fn new() -> Self {
        Unpacker { state: State::Beginning(Vec::new()), container: Container::Plain, is_partial: false }
    }

    /// Adds what `bytes` unpack to; a few of them at a time, since they may unpack to a thousand times as much.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if let State::Beginning(first) = &mut self.state {
            first.extend_from_slice(bytes);
            if first.len() < 4 {
                return;
            }
            let first = std::mem::take(first);
            self.begin(&first, out);
            return;
        }
        match &mut self.state {
            State::Beginning(_) | State::Broken => {}
            State::Plain => out.extend_from_slice(bytes),
            State::Gzip(decoder) => {
                let failed = decoder.write_all(bytes).is_err();
                out.append(decoder.get_mut());
                if failed {
                    self.is_partial = true;
                    self.state = State::Broken;
                }
            }
            State::Zip(zip) => {
                if !zip.feed(bytes, out) {
                    self.state = State::Broken;
                    self.is_partial = true;
                }
            }
        }
    }

    fn begin(&mut self, first: &[u8], out: &mut Vec<u8>) {
        (self.container, self.state) = match first {
            [0x1f, 0x8b, ..] => (Container::Gzip, State::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))),
            [b'P', b'K', 3, 4, ..] => (Container::Zip, State::Zip(Zip::default())),
            _ => (Container::Plain, State::Plain),
        };
        self.feed(first, out);
    }

    /// Ends it: adds what is left; answers whether something could not be read.
    pub fn finish(mut self, out: &mut Vec<u8>) -> (Container, bool) {
        match &mut self.state {
            State::Beginning(first) => out.append(first),
            State::Gzip(decoder) => {
                self.is_partial |= decoder.try_finish().is_err();
                out.append(decoder.get_mut());
            }
            State::Zip(zip) => self.is_partial |= zip.is_partial || !matches!(zip.state, ZipState::Over),
            State::Plain | State::Broken => {}
        }
        (self.container, self.is_partial)
    }
}

enum ZipState {
    /// Looks for the next entry; the last four bytes.
    Seek(u32),
    Header(Vec<u8>),
    Name {
        left: usize,
        extra: usize,
        then: Entry,
    },
    Extra {
        left: usize,
        then: Entry,
    },
    Stored {
        left: u64,
    },
    Deflated(Box<Decompress>),
    Over,
}

#[derive(Clone, Copy)]
enum Entry {
    Stored(u64),
    Deflated,
    /// Encrypted, or packed in another way.
    Unreadable,
}

struct Zip {
    state: ZipState,
    is_partial: bool,
}

impl Default for Zip {
    fn default() -> Self {
        Zip { state: ZipState::Seek(0), is_partial: false }
    }
}

const ENTRY: u32 = 0x504b_0304;
const DIRECTORY: u32 = 0x504b_0102;
const HEADER: usize = 26;

fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

impl Zip {
    /// `false` once nothing more can be read.
    fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> bool {
        while !bytes.is_empty() {
            match self.step(bytes, out) {
                Some(used) => bytes = &bytes[used..],
                None => return false,
            }
        }
        true
    }

    /// How many bytes were used.
    fn step(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        match &mut self.state {
            ZipState::Over => Some(bytes.len()),
            ZipState::Seek(last) => {
                *last = *last << 8 | u32::from(bytes[0]);
                match *last {
                    ENTRY => self.state = ZipState::Header(Vec::with_capacity(HEADER)),
                    DIRECTORY => self.state = ZipState::Over,
                    _ => {}
                }
                Some(1)
            }
            ZipState::Header(header) => {
                let used = bytes.len().min(HEADER - header.len());
                header.extend_from_slice(&bytes[..used]);
                if header.len() == HEADER {
                    let header = std::mem::take(header);
                    self.begin(&header);
                }
                Some(used)
            }
            ZipState::Name { left, extra, then } => {
                let used = bytes.len().min(*left);
                // An entry's name is searched like a line of text.
                out.extend_from_slice(&bytes[..used]);
                *left -= used;
                if *left == 0 {
                    out.push(b'\n');
                    let (extra, then) = (*extra, *then);
                    self.skip(extra, then);
                }
                Some(used)
            }
            ZipState::Extra { left, then } => {
                let used = bytes.len().min(*left);
                *left -= used;
                if *left == 0 {
                    let then = *then;
                    self.open(then);
                }
                Some(used)
            }
            ZipState::Stored { left } => {
                let used = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                out.extend_from_slice(&bytes[..used]);
                *left -= used as u64;
                if *left == 0 {
                    self.end(out);
                }
                Some(used)
            }
            ZipState::Deflated(_) => self.inflate(bytes, out),
        }
    }

    fn inflate(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        let ZipState::Deflated(decoder) = &mut self.state else { return Some(0) };
        let before = decoder.total_in();
        loop {
            out.reserve(64 * 1024);
            let used = (decoder.total_in() - before) as usize;
            let room = out.len();
            let status = decoder.decompress_vec(&bytes[used..], out, FlushDecompress::None).ok()?;
            let now = (decoder.total_in() - before) as usize;
            if status == Status::StreamEnd {
                self.end(out);
                return Some(now);
            }
            if now == bytes.len() && out.len() < out.capacity() || (now == used && out.len() == room) {
                return Some(bytes.len());
            }
        }
    }

    fn begin(&mut self, header: &[u8]) {
        let (flags, method) = (short(header, 2), short(header, 4));
        let size = u32::from_le_bytes([header[14], header[15], header[16], header[17]]);
        let then = match method {
            _ if flags & 1 != 0 => Entry::Unreadable,
            8 => Entry::Deflated,
            // Without its size nobody knows where it ends.
            0 if flags & 8 == 0 && size != u32::MAX => Entry::Stored(size.into()),
            _ => Entry::Unreadable,
        };
        let (left, extra) = (usize::from(short(header, 22)), usize::from(short(header, 24)));
        match left {
            0 => self.skip(extra, then),
            _ => self.state = ZipState::Name { left, extra, then },
        }
    }

    fn skip(&mut self, extra: usize, then: Entry) {
        match extra {
            0 => self.open(then),
            left => self.state = ZipState::Extra { left, then },
        }
    }

    fn open(&mut self, entry: Entry) {
        self.state = match entry {
            Entry::Stored(0) => ZipState::Seek(0),
            Entry::Stored(left) => ZipState::Stored { left },
            Entry::Deflated => ZipState::Deflated(Box::new(Decompress::new(false))),
            Entry::Unreadable => {
                self.is_partial = true;
                ZipState::Seek(0)
            }
        };
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        out.push(b'\n');
        self.state = ZipState::Seek(0);
    }
}
