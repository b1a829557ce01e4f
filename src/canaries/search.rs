//! Looks for canaries in a stream, in all encodings at once; of the stream nothing is kept.

use std::collections::{HashMap, HashSet};

use super::decode::{Decoder, Escape, Pending, Placed};
use super::token::{DIGITS, LENGTH, Token, is_between};
use super::track::{Pos, Tracker};
use super::unpack::{Container, Missed, Unpacker};

/// Places that are told of one canary; more are only counted.
pub const HITS_TOLD: usize = 20;

/// What is searched for, in words; the page says so beside "not found".
pub const ENCODINGS: &[&str] = &[
    "plain text",
    "UTF-16",
    "JSON escapes",
    "URL encoding",
    "quoted-printable",
    "base64 (also within JSON and URL encoding)",
    "in capitals or small letters",
    "with spaces, hyphens, underscores, dots or nothing between its parts",
];

/// Where a canary stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Which of the canaries that were searched for.
    pub canary: usize,
    pub at: u64,
    pub line: u64,
    /// A documented name of a column or key; empty for any other.
    pub field: &'static str,
    pub encoding: String,
}

/// The last signs of a stream without what may stand between them.
struct Matcher {
    /// A ring: sign, its place, and whether zeros stood before it.
    ring: [(u8, Pos, bool); LENGTH],
    next: usize,
    seen: usize,
    digits: usize,
    zeros: bool,
}

impl Matcher {
    fn new() -> Self {
        Matcher { ring: [(0, Pos::default(), false); LENGTH], next: 0, seen: 0, digits: 0, zeros: false }
    }

    /// Adds a byte; answers the last signs when they could be a canary: they end in enough digits.
    fn push(&mut self, (byte, pos): Placed) -> Option<([u8; LENGTH], Pos, bool)> {
        if byte == 0 {
            self.zeros = true;
            return None;
        }
        if is_between(byte) {
            return None;
        }
        let byte = byte.to_ascii_lowercase();
        self.ring[self.next] = (byte, pos, std::mem::take(&mut self.zeros));
        self.next = (self.next + 1) % LENGTH;
        self.seen += 1;
        self.digits = if byte.is_ascii_digit() { self.digits + 1 } else { 0 };
        if self.digits < DIGITS || self.seen < LENGTH {
            return None;
        }
        let ordered = |n: usize| self.ring[(self.next + n) % LENGTH];
        let is_wide = (0..LENGTH).filter(|n| ordered(*n).2).count() > LENGTH / 2;
        Some((std::array::from_fn(|n| ordered(n).0), ordered(0).1, is_wide))
    }
}

/// One way of reading the stream.
struct View {
    name: &'static str,
    chain: Vec<Decoder>,
    matcher: Matcher,
}

fn views() -> Vec<View> {
    let json = || Decoder::Json(Escape::default());
    let percent = || Decoder::Percent(Pending::default());
    let view = |name, chain| View { name, chain, matcher: Matcher::new() };
    // The plainest first: what it finds, the others find as well.
    let mut views = vec![
        view("plain text", vec![]),
        view("JSON escapes", vec![json()]),
        view("URL encoding", vec![percent()]),
        view("quoted-printable", vec![Decoder::QuotedPrintable(Pending::default())]),
        view("URL encoding within JSON escapes", vec![json(), percent()]),
    ];
    for phase in 0..4 {
        views.push(view("base64", vec![Decoder::base64(phase)]));
    }
    for phase in 0..4 {
        views.push(view("base64 within JSON escapes", vec![json(), Decoder::base64(phase)]));
    }
    for phase in 0..4 {
        views.push(view("base64 within URL encoding", vec![percent(), Decoder::base64(phase)]));
    }
    views
}

/// Looks for canaries in unpacked bytes.
struct Searcher {
    known: HashMap<[u8; LENGTH], usize>,
    views: Vec<View>,
    tracker: Tracker,
    hits: Vec<Hit>,
    told: HashSet<(usize, u64)>,
    counts: Vec<u32>,
    /// Room for the bytes at hand.
    placed: Vec<Placed>,
}

impl Searcher {
    fn feed(&mut self, bytes: &[u8]) {
        let mut placed = std::mem::take(&mut self.placed);
        placed.clear();
        placed.extend(bytes.iter().map(|b| (*b, self.tracker.step(*b))));
        let mut views = std::mem::take(&mut self.views);
        // What one byte comes to on its way through a view; there again for the next.
        let (mut read, mut undone) = (Vec::new(), Vec::new());
        for view in &mut views {
            for one in &placed {
                read.clear();
                read.push(*one);
                for decoder in &mut view.chain {
                    undone.clear();
                    read.iter().for_each(|one| decoder.push(*one, &mut undone));
                    std::mem::swap(&mut read, &mut undone);
                }
                for one in &read {
                    if let Some((signs, from, is_wide)) = view.matcher.push(*one) {
                        self.check(signs, from, view.name, is_wide);
                    }
                }
            }
        }
        self.views = views;
        self.placed = placed;
    }

    fn check(&mut self, signs: [u8; LENGTH], from: Pos, name: &'static str, is_wide: bool) {
        let Some(&canary) = self.known.get(&signs) else { return };
        if !self.told.insert((canary, from.at)) {
            return;
        }
        self.counts[canary] += 1;
        if self.counts[canary] as usize <= HITS_TOLD {
            let encoding = match (is_wide, name) {
                (false, name) => name.to_owned(),
                (true, "plain text") => "UTF-16".into(),
                (true, name) => format!("{name}, UTF-16"),
            };
            let field = self.tracker.name(from.field);
            self.hits.push(Hit { canary, at: from.at, line: from.line, field, encoding });
        }
    }
}

/// What a search came to.
#[derive(Debug)]
pub struct Outcome {
    pub container: Container,
    /// As fed, and once unpacked.
    pub bytes: u64,
    pub searched: u64,
    /// Why it wasn't searched to its end; empty when it was.
    pub missed: Vec<Missed>,
    pub hits: Vec<Hit>,
    /// By canary, in the order of the tokens.
    pub counts: Vec<u32>,
}

/// A search under way: feed it what arrives.
pub struct Search {
    unpacker: Unpacker,
    searcher: Searcher,
    bytes: u64,
    searched: u64,
    limit: u64,
    is_stopped: bool,
    /// Room for what a step unpacks.
    out: Vec<u8>,
}

impl Search {
    /// `names` are the documented names that may be told; at most `limit` unpacked bytes are searched.
    pub fn new(tokens: &[Token], names: Vec<&'static str>, limit: u64) -> Self {
        let key = |t: &Token| <[u8; LENGTH]>::try_from(t.bare().as_bytes()).ok();
        let known = tokens.iter().enumerate().filter_map(|(n, t)| Some((key(t)?, n))).collect();
        let searcher = Searcher {
            known,
            views: views(),
            tracker: Tracker::new(names),
            hits: Vec::new(),
            told: HashSet::new(),
            counts: vec![0; tokens.len()],
            placed: Vec::new(),
        };
        Search {
            unpacker: Unpacker::new(),
            searcher,
            bytes: 0,
            searched: 0,
            limit,
            is_stopped: false,
            out: Vec::new(),
        }
    }

    /// Takes what arrives. `false` once it is told to stop: the rest isn't looked at, and the outcome says so.
    pub fn feed(&mut self, bytes: &[u8], is_stopped: impl Fn() -> bool) -> bool {
        self.bytes += bytes.len() as u64;
        let (mut rest, mut out) = (bytes, std::mem::take(&mut self.out));
        while !rest.is_empty() && self.searched <= self.limit {
            if is_stopped() {
                self.is_stopped = true;
                break;
            }
            out.clear();
            let used = self.unpacker.step(rest, &mut out);
            self.look(&out);
            rest = &rest[used..];
        }
        self.out = out;
        !self.is_stopped
    }

    fn look(&mut self, bytes: &[u8]) {
        let room = usize::try_from(self.limit.saturating_sub(self.searched)).unwrap_or(usize::MAX);
        self.searcher.feed(&bytes[..bytes.len().min(room)]);
        self.searched += bytes.len() as u64;
    }

    /// Says that more was to come than was searched within the time.
    pub fn stop(&mut self) {
        self.is_stopped = true;
    }

    pub fn finish(mut self) -> Outcome {
        let mut rest = Vec::new();
        let unpacker = std::mem::replace(&mut self.unpacker, Unpacker::new());
        let (container, mut missed) = unpacker.finish(&mut rest);
        self.look(&rest);
        let is_beyond = self.searched > self.limit;
        if self.is_stopped || is_beyond {
            // What is cut off here isn't damaged.
            missed.retain(|m| *m != Missed::Damaged);
            missed.push(if self.is_stopped { Missed::Time } else { Missed::Limit });
        }
        Outcome {
            container,
            bytes: self.bytes,
            searched: self.searched.min(self.limit),
            missed,
            hits: self.searcher.hits,
            counts: self.searcher.counts,
        }
    }
}
