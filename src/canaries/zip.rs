//! Reads a ZIP archive as it streams by, and holds what it read against the archive's own list of its entries.

use flate2::{Decompress, FlushDecompress, Status};

use super::packings::Beginning;
use super::unpack::{Missed, STEP};

const ENTRY: [u8; 4] = *b"PK\x03\x04";
const LISTED: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";
/// Bytes of what follows each of these.
const HEADER: usize = 26;
const LISTED_HEADER: usize = 42;
const END_HEADER: usize = 18;
/// What may stand after a packed entry: its checksum and sizes, of 4 or 8 bytes, with or without a mark.
const DESCRIPTORS: [u64; 4] = [12, 16, 20, 24];
/// The size of what couldn't be read.
const UNKNOWN: u64 = u64::MAX;

enum State {
    /// Looks for the next entry, or the list; the last four bytes.
    Seek([u8; 4]),
    Header(Vec<u8>),
    Name {
        left: usize,
        extra: usize,
        then: Packed,
    },
    Extra {
        left: usize,
        then: Packed,
    },
    Stored {
        left: u64,
    },
    Deflated(Box<Decompress>),
    Listed(Vec<u8>),
    /// What an entry's line in the list ends with: so much to pass over, then a remark.
    Remark {
        skip: usize,
        left: usize,
    },
    /// The next of the list, or its end.
    Next(Vec<u8>),
    End(Vec<u8>),
    Over {
        remark: usize,
    },
}

#[derive(Clone, Copy)]
enum Packed {
    Stored(u64),
    Deflated,
    /// Encrypted, or packed in another way.
    Unreadable,
}

/// What may stand between an entry's end and the next.
#[derive(Clone, Copy)]
enum After {
    Nothing,
    Descriptor,
    /// The content of one that can't be read.
    Anything,
}

/// An entry as it was read, or as the list has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: u64,
    method: u16,
    bytes: u64,
}

pub struct Zip {
    state: State,
    /// Bytes read so far.
    at: u64,
    read: Vec<Entry>,
    listed: Vec<Entry>,
    /// Where the last mark stood, and where the list begins.
    mark_at: u64,
    list_at: u64,
    /// Bytes between the last entry's end and here, and which may be there.
    gap: u64,
    after: After,
    beginning: Beginning,
    missed: Vec<Missed>,
}

fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]).into()
}

/// Moves bytes until `to` has `size`; how many, and whether it has.
fn fill(to: &mut Vec<u8>, bytes: &[u8], size: usize) -> (usize, bool) {
    let used = bytes.len().min(size - to.len());
    to.extend_from_slice(&bytes[..used]);
    (used, to.len() == size)
}

impl Default for Zip {
    fn default() -> Self {
        Zip {
            state: State::Seek([0; 4]),
            at: 0,
            read: Vec::new(),
            listed: Vec::new(),
            mark_at: 0,
            list_at: 0,
            gap: 0,
            after: After::Nothing,
            beginning: Beginning::default(),
            missed: Vec::new(),
        }
    }
}

impl Zip {
    /// How many bytes were used; `None` once nothing more can be read. Adds at most one step's worth.
    pub fn step(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        let used = match &mut self.state {
            State::Stored { .. } | State::Deflated(_) => self.content(bytes, out)?,
            State::Seek(_) | State::Header(_) | State::Name { .. } | State::Extra { .. } => {
                self.head(bytes, out)
            }
            _ => self.list(bytes, out),
        };
        self.at += used as u64;
        Some(used)
    }

    /// What stands before an entry's content.
    fn head(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        match &mut self.state {
            State::Seek(last) => {
                *last = [last[1], last[2], last[3], bytes[0]];
                let mark = *last;
                self.gap += 1;
                if mark == ENTRY || mark == LISTED {
                    self.begin(mark);
                }
                1
            }
            State::Header(header) => {
                let (used, is_full) = fill(header, bytes, HEADER);
                if is_full {
                    let header = std::mem::take(header);
                    self.open(&header);
                }
                used
            }
            State::Name { left, extra, then } => {
                let used = bytes.len().min(*left);
                // An entry's name is searched like a line of text.
                out.extend_from_slice(&bytes[..used]);
                *left -= used;
                if *left == 0 {
                    out.push(b'\n');
                    let (left, then) = (*extra, *then);
                    self.state = State::Extra { left, then };
                    self.skip();
                }
                used
            }
            State::Extra { left, .. } => {
                let used = bytes.len().min(*left);
                *left -= used;
                self.skip();
                used
            }
            _ => 0,
        }
    }

    /// An entry or the list begins: nothing may have stood before it that wasn't read.
    fn begin(&mut self, mark: [u8; 4]) {
        let gap = std::mem::take(&mut self.gap) - 4;
        let fits = match self.after {
            After::Nothing => gap == 0,
            After::Descriptor => DESCRIPTORS.contains(&gap),
            After::Anything => true,
        };
        if !fits {
            self.miss(Missed::Unlisted);
        }
        // The mark's last byte isn't counted yet.
        self.mark_at = self.at - 3;
        self.state = match mark {
            ENTRY => State::Header(Vec::with_capacity(HEADER)),
            _ => {
                self.list_at = self.mark_at;
                State::Listed(Vec::with_capacity(LISTED_HEADER))
            }
        };
    }

    fn miss(&mut self, what: Missed) {
        if !self.missed.contains(&what) {
            self.missed.push(what);
        }
    }

    fn open(&mut self, header: &[u8]) {
        let (flags, method, size) = (short(header, 2), short(header, 4), long(header, 14));
        let has_descriptor = flags & 8 != 0;
        let then = match method {
            _ if flags & 1 != 0 => Packed::Unreadable,
            8 => Packed::Deflated,
            // Without its size nobody knows where it ends.
            0 if !has_descriptor && size != u64::from(u32::MAX) => Packed::Stored(size),
            _ => Packed::Unreadable,
        };
        self.after = match then {
            Packed::Unreadable => After::Anything,
            _ if has_descriptor => After::Descriptor,
            _ => After::Nothing,
        };
        let bytes = if matches!(then, Packed::Unreadable) { UNKNOWN } else { 0 };
        self.read.push(Entry { at: self.mark_at, method, bytes });
        let (left, extra) = (usize::from(short(header, 22)), usize::from(short(header, 24)));
        self.state = State::Name { left, extra, then };
        if left == 0 {
            self.state = State::Extra { left: extra, then };
            self.skip();
        }
    }

    /// Goes on to the content once nothing is left to pass over.
    fn skip(&mut self) {
        let State::Extra { left: 0, then } = self.state else { return };
        self.beginning = Beginning::default();
        self.state = match then {
            Packed::Stored(0) => State::Seek([0; 4]),
            Packed::Stored(left) => State::Stored { left },
            Packed::Deflated => State::Deflated(Box::new(Decompress::new(false))),
            Packed::Unreadable => {
                self.miss(Missed::Unreadable);
                State::Seek([0; 4])
            }
        };
    }

    /// An entry's content.
    fn content(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        let from = out.len();
        let (used, is_over) = match &mut self.state {
            State::Stored { left } => {
                let used = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len()).min(STEP);
                out.extend_from_slice(&bytes[..used]);
                *left -= used as u64;
                (used, *left == 0)
            }
            State::Deflated(decoder) => {
                let mut room = [0; STEP];
                let (read, made) = (decoder.total_in(), decoder.total_out());
                let status = decoder.decompress(bytes, &mut room, FlushDecompress::None).ok()?;
                let (used, made) =
                    ((decoder.total_in() - read) as usize, (decoder.total_out() - made) as usize);
                out.extend_from_slice(&room[..made]);
                if used == 0 && made == 0 && status != Status::StreamEnd {
                    return None;
                }
                (used, status == Status::StreamEnd)
            }
            _ => (0, false),
        };
        self.beginning.feed(&out[from..]);
        if let Some(entry) = self.read.last_mut() {
            entry.bytes += used as u64;
        }
        if is_over {
            if self.beginning.is_packed() {
                self.miss(Missed::Packed);
            }
            out.push(b'\n');
            self.state = State::Seek([0; 4]);
        }
        Some(used)
    }

    /// The archive's list of its entries.
    fn list(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        match &mut self.state {
            State::Listed(header) => {
                let (used, is_full) = fill(header, bytes, LISTED_HEADER);
                if is_full {
                    let h = std::mem::take(header);
                    self.listed.push(Entry { at: long(&h, 38), method: short(&h, 6), bytes: long(&h, 16) });
                    let skip = usize::from(short(&h, 24)) + usize::from(short(&h, 26));
                    self.remark(skip, short(&h, 28).into());
                }
                used
            }
            State::Remark { skip, left } => {
                let used = bytes.len().min(if *skip > 0 { *skip } else { *left });
                let (mut skip, mut left) = (*skip, *left);
                if skip > 0 {
                    skip -= used;
                } else {
                    out.extend_from_slice(&bytes[..used]);
                    left -= used;
                }
                self.remark(skip, left);
                used
            }
            State::Next(mark) => {
                let (used, is_full) = fill(mark, bytes, 4);
                if is_full {
                    let mark = std::mem::take(mark);
                    self.state = match <[u8; 4]>::try_from(mark.as_slice()) {
                        Ok(LISTED) => State::Listed(Vec::with_capacity(LISTED_HEADER)),
                        Ok(END) => State::End(Vec::with_capacity(END_HEADER)),
                        _ => self.over(0),
                    };
                }
                used
            }
            State::End(header) => {
                let (used, is_full) = fill(header, bytes, END_HEADER);
                if is_full {
                    let h = std::mem::take(header);
                    let fits = usize::from(short(&h, 6)) == self.listed.len() && long(&h, 12) == self.list_at;
                    if !fits {
                        self.miss(Missed::Unlisted);
                    }
                    self.state = State::Over { remark: short(&h, 16).into() };
                }
                used
            }
            State::Over { remark } if *remark > 0 => {
                let used = bytes.len().min(*remark);
                out.extend_from_slice(&bytes[..used]);
                *remark -= used;
                used
            }
            // Something stands behind the archive's end.
            _ => {
                self.miss(Missed::Unlisted);
                bytes.len()
            }
        }
    }

    fn remark(&mut self, skip: usize, left: usize) {
        self.state = match (skip, left) {
            (0, 0) => State::Next(Vec::with_capacity(4)),
            _ => State::Remark { skip, left },
        };
    }

    /// What follows isn't understood.
    fn over(&mut self, remark: usize) -> State {
        self.miss(Missed::Unlisted);
        State::Over { remark }
    }

    /// What could not be read.
    pub fn finish(mut self) -> Vec<Missed> {
        if !matches!(self.state, State::Over { remark: 0 }) {
            self.miss(Missed::Damaged);
            return self.missed;
        }
        self.read.sort_unstable();
        self.listed.sort_unstable();
        let same = |(r, l): (&Entry, &Entry)| {
            (r.at, r.method) == (l.at, l.method) && (r.bytes == UNKNOWN || r.bytes == l.bytes)
        };
        let fits = self.read.len() == self.listed.len() && self.read.iter().zip(&self.listed).all(same);
        if !fits {
            self.miss(Missed::Unlisted);
        }
        self.missed
    }
}
