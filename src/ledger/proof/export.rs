//! `daylight-log/v1`: the whole log in one text file, one item a line.
//!
//! A header, then each leaf's bytes, the level-0 tiles, older checkpoints, and the documents that leaves
//! commit to. The hashes stand beside the leaves, so that a changed leaf can be named and not only noticed.

use std::io::{BufRead, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Fault;
use super::tree::{Hash, TILE, from_bytes, to_bytes};

pub const FORMAT: &str = "daylight-log/v1";

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub format: String,
    pub origin: String,
    /// tlog-policy
    pub policy: String,
    /// The newest signed checkpoint with its cosignatures.
    pub checkpoint: String,
    pub leaves: u64,
    pub tiles: u64,
    pub checkpoints: u64,
    pub documents: u64,
    /// Documents that only signed-in people get.
    pub withheld: u64,
}

/// What a leaf's `content` is the hash of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentLine {
    pub leaf: u64,
    pub content: Value,
}

/// Writes the parts in their order. Each function writes one line or several.
pub struct Writer<W: Write>(pub W);

impl<W: Write> Writer<W> {
    fn line(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes)?;
        self.0.write_all(b"\n")
    }

    pub fn header(&mut self, header: &Header) -> std::io::Result<()> {
        self.line(&serde_json::to_vec(header)?)
    }

    pub fn leaf(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.line(bytes)
    }

    pub fn tile(&mut self, hashes: &[Hash]) -> std::io::Result<()> {
        self.line(STANDARD.encode(to_bytes(hashes)).as_bytes())
    }

    pub fn checkpoint(&mut self, note: &str) -> std::io::Result<()> {
        self.line(&serde_json::to_vec(note)?)
    }

    pub fn document(&mut self, document: &DocumentLine) -> std::io::Result<()> {
        self.line(&serde_json::to_vec(document)?)
    }
}

/// One line after the header; told apart by how it begins.
pub enum Item {
    /// A leaf, or a document when tiles came before.
    Object(Vec<u8>),
    Tile(Vec<Hash>),
    Checkpoint(String),
}

/// Reads an export line by line.
pub struct Reader<R: BufRead> {
    source: R,
    number: u64,
}

impl<R: BufRead> Reader<R> {
    pub fn new(source: R) -> Self {
        Reader { source, number: 0 }
    }

    fn fault(&self, why: &str) -> Fault {
        Fault::new(format!("line {}: {why}", self.number))
    }

    fn next_line(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let mut line = Vec::new();
        self.number += 1;
        let read = self.source.read_until(b'\n', &mut line);
        match read.map_err(|e| self.fault(&format!("can't be read: {e}")))? {
            0 => Ok(None),
            _ if line.pop() != Some(b'\n') => Err(self.fault("the file ends in the middle of it")),
            _ => Ok(Some(line)),
        }
    }

    pub fn header(&mut self) -> Result<Header, Fault> {
        let line = self.next_line()?.ok_or_else(|| self.fault("the file is empty"))?;
        let header: Header = serde_json::from_slice(&line)
            .map_err(|_| self.fault("this is not the header of an export of the log"))?;
        if header.format != FORMAT {
            return Err(
                self.fault(&format!("the format is {:?}; this program reads {FORMAT}", header.format))
            );
        }
        Ok(header)
    }

    pub fn item(&mut self) -> Result<Option<Item>, Fault> {
        let Some(line) = self.next_line()? else { return Ok(None) };
        let item = match line.first() {
            Some(b'{') => Item::Object(line),
            Some(b'"') => {
                let note = serde_json::from_slice(&line);
                Item::Checkpoint(note.map_err(|_| self.fault("a checkpoint can't be read"))?)
            }
            _ => {
                let bytes = STANDARD.decode(&line).map_err(|_| self.fault("this is no part of an export"))?;
                let hashes = from_bytes(&bytes).map_err(|e| self.fault(&e.to_string()))?;
                if hashes.is_empty() || hashes.len() > TILE {
                    return Err(self.fault("a tile holds 1 to 256 hashes"));
                }
                Item::Tile(hashes)
            }
        };
        Ok(Some(item))
    }
}
