//! The Merkle tree of RFC 6962: hashes, roots, and proofs of inclusion and consistency.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::{Fault, base64url, from_base64url};

/// Hashes that a full tile holds (C2SP tlog-tiles).
pub const TILE: usize = 256;

/// A SHA-256. Shown, and written into leaves, as base64url without padding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// SHA-256 of the bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Hash(Sha256::digest(bytes).into())
    }

    /// As checkpoints and proofs write it: base64 with padding.
    pub fn base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    pub fn from_base64(text: &str) -> Result<Self, Fault> {
        let bytes = STANDARD.decode(text).map_err(|_| Fault::new("a hash is not base64"))?;
        Hash::try_from(bytes.as_slice())
    }
}

impl TryFrom<&[u8]> for Hash {
    type Error = Fault;

    fn try_from(bytes: &[u8]) -> Result<Self, Fault> {
        bytes.try_into().map(Hash).map_err(|_| Fault::new("a hash is not 32 bytes long"))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        Hash::try_from(from_base64url(text)?.as_slice())
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// `SHA-256(0x00 ‖ bytes)`
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0]).chain_update(bytes).finalize().into())
}

/// `SHA-256(0x01 ‖ left ‖ right)`
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    Hash(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// The root of the tree without leaves.
pub fn empty_root() -> Hash {
    Hash::of(b"")
}

/// The root of a complete subtree: `hashes` holds a power of two.
pub fn complete_root(hashes: &[Hash]) -> Hash {
    match hashes {
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(complete_root(left), complete_root(right))
        }
    }
}

/// A complete subtree: `index`-th of those with `2^level` leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    pub level: u32,
    pub index: u64,
}

impl Node {
    /// Level and number of the tile that holds it, and where in the tile its hashes stand.
    pub fn place(self) -> ((u32, u64), std::ops::Range<usize>) {
        let (tile, inside) = (self.level / 8, self.level % 8);
        let number = self.index >> (8 - inside);
        let start = ((self.index << inside) % TILE as u64) as usize;
        ((tile, number), start..start + (1 << inside))
    }
}

/// The leaves `[start, end)`, whose hash RFC 6962 calls `MTH(D[start:end])`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub start: u64,
    pub end: u64,
}

/// The largest power of two below `n`, for `n` > 1.
fn split(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

impl Span {
    pub fn whole(size: u64) -> Self {
        Span { start: 0, end: size }
    }

    /// The complete subtrees it is made of, from the left; they are folded from the right.
    pub fn nodes(self) -> Vec<Node> {
        let mut nodes = Vec::new();
        let mut start = self.start;
        while start < self.end {
            let level = (self.end - start).ilog2();
            nodes.push(Node { level, index: start >> level });
            start += 1 << level;
        }
        nodes
    }

    /// Its hash, from the hashes of its complete subtrees.
    pub fn hash<E>(self, get: &mut impl FnMut(Node) -> Result<Hash, E>) -> Result<Hash, E> {
        let hashes = self.nodes().into_iter().map(get).collect::<Result<Vec<_>, E>>()?;
        Ok(fold(hashes))
    }
}

/// Roots of ever smaller subtrees, folded from the right.
fn fold(hashes: Vec<Hash>) -> Hash {
    hashes.into_iter().rev().reduce(|right, left| node_hash(left, right)).unwrap_or_else(empty_root)
}

/// What proves that leaf `index` is in a tree of `size`: from the leaf's sibling up. `index < size`.
pub fn inclusion_path(index: u64, size: u64) -> Vec<Span> {
    let mut path = Vec::new();
    let mut span = Span::whole(size);
    while span.end - span.start > 1 {
        let middle = span.start + split(span.end - span.start);
        let (left, right) = (Span { end: middle, ..span }, Span { start: middle, ..span });
        let (inside, beside) = if index < middle { (left, right) } else { (right, left) };
        path.push(beside);
        span = inside;
    }
    path.reverse();
    path
}

/// What proves that a tree of `size` continues the one of `old`; empty when either says so by itself.
pub fn consistency_path(old: u64, size: u64) -> Vec<Span> {
    if old == 0 || old >= size {
        return Vec::new();
    }
    let mut path = Vec::new();
    let mut span = Span::whole(size);
    // Whether the old tree's own root is the subtree at hand.
    let mut known = true;
    while span.end != old {
        let middle = span.start + split(span.end - span.start);
        if old <= middle {
            path.push(Span { start: middle, ..span });
            span.end = middle;
        } else {
            path.push(Span { end: middle, ..span });
            span.start = middle;
            known = false;
        }
    }
    if !known {
        path.push(span);
    }
    path.reverse();
    path
}

/// The root that an inclusion proof leads to (RFC 9162 2.1.3.2); `None` when its length is wrong.
pub fn root_of_inclusion(index: u64, size: u64, leaf: Hash, proof: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut node, mut last, mut root) = (index, size - 1, leaf);
    for &hash in proof {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            root = node_hash(hash, root);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            root = node_hash(root, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(root)
}

/// Whether the proof shows that the tree `(size, root)` continues `(old, old_root)` (RFC 9162 2.1.4.2).
pub fn is_consistent(old: u64, old_root: Hash, size: u64, root: Hash, proof: &[Hash]) -> bool {
    match old {
        0 => return proof.is_empty() && old_root == empty_root(),
        _ if old > size => return false,
        _ if old == size => return proof.is_empty() && old_root == root,
        _ => {}
    }
    let (mut node, mut last) = (old - 1, size - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let mut rest = proof.iter();
    // The old tree is complete: its root isn't sent.
    let Some(seed) = (if old.is_power_of_two() { Some(old_root) } else { rest.next().copied() }) else {
        return false;
    };
    let (mut old_side, mut new_side) = (seed, seed);
    for &hash in rest {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old_side = node_hash(hash, old_side);
            new_side = node_hash(hash, new_side);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_side = node_hash(new_side, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && old_side == old_root && new_side == root
}

/// A tree that only grows: the partial tile of each level, from which the next leaf and the root follow.
#[derive(Debug, Clone, Default)]
pub struct Edge {
    pub size: u64,
    /// By level; shorter than [`TILE`] each.
    pub partial: Vec<Vec<Hash>>,
}

/// A tile that has just been filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Full {
    pub level: u32,
    pub number: u64,
    pub hashes: Vec<Hash>,
}

impl Edge {
    /// Adds a leaf; answers the tiles that it fills.
    pub fn push(&mut self, leaf: Hash) -> Vec<Full> {
        let mut full = Vec::new();
        let (mut level, mut hash) = (0, leaf);
        self.size += 1;
        loop {
            if self.partial.len() == level {
                self.partial.push(Vec::new());
            }
            self.partial[level].push(hash);
            if self.partial[level].len() < TILE {
                return full;
            }
            let hashes = std::mem::take(&mut self.partial[level]);
            hash = complete_root(&hashes);
            let number = (self.size >> (8 * (level + 1))) - 1;
            full.push(Full { level: level as u32, number, hashes });
            level += 1;
        }
    }

    /// The root of the tree so far.
    pub fn root(&self) -> Hash {
        let mut peaks = Vec::new();
        for hashes in self.partial.iter().rev() {
            let (mut start, mut left) = (0, hashes.len());
            while left > 0 {
                let width = 1 << left.ilog2();
                peaks.push(complete_root(&hashes[start..start + width]));
                start += width;
                left -= width;
            }
        }
        fold(peaks)
    }
}

/// The root of a tree with these leaf hashes.
pub fn root(leaves: &[Hash]) -> Hash {
    let mut edge = Edge::default();
    leaves.iter().for_each(|hash| drop(edge.push(*hash)));
    edge.root()
}

/// Hashes as a tile or a column holds them.
pub fn to_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

pub fn from_bytes(bytes: &[u8]) -> Result<Vec<Hash>, Fault> {
    if !bytes.len().is_multiple_of(32) {
        return Err(Fault::new("a tile is not made of whole hashes"));
    }
    bytes.chunks_exact(32).map(Hash::try_from).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leaves(n: u64) -> Vec<Hash> {
        (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    /// RFC 6962's own definition, word by word.
    fn mth(hashes: &[Hash]) -> Hash {
        match hashes {
            [] => empty_root(),
            [one] => *one,
            _ => {
                let (left, right) = hashes.split_at(split(hashes.len() as u64) as usize);
                node_hash(mth(left), mth(right))
            }
        }
    }

    fn span_hash(all: &[Hash], span: Span) -> Hash {
        mth(&all[span.start as usize..span.end as usize])
    }

    #[test]
    fn an_edge_has_the_root_of_the_definition_at_every_size() {
        let all = leaves(700);
        let mut edge = Edge::default();
        assert_eq!(edge.root(), empty_root());
        let mut tiles = Vec::new();
        for (i, leaf) in all.iter().enumerate() {
            tiles.extend(edge.push(*leaf));
            assert_eq!(edge.root(), mth(&all[..=i]), "size {}", i + 1);
        }
        assert_eq!(tiles.iter().map(|t| (t.level, t.number)).collect::<Vec<_>>(), [(0, 0), (0, 1)]);
        assert_eq!(edge.partial[1].len(), 2);
    }

    proptest! {
        #[test]
        fn proofs_hold_for_what_they_prove_and_nothing_else(size in 1u64..600, a in 0u64..600, b in 0u64..600) {
            let all = leaves(size);
            let root = mth(&all);
            let index = a % size;
            let proof: Vec<Hash> = inclusion_path(index, size).into_iter().map(|s| span_hash(&all, s)).collect();
            let leaf = all[index as usize];
            prop_assert_eq!(root_of_inclusion(index, size, leaf, &proof), Some(root));
            prop_assert_ne!(root_of_inclusion(index, size, leaf_hash(b"other"), &proof), Some(root));
            prop_assert_ne!(root_of_inclusion((index + 1) % size, size, leaf, &proof), if size > 1 { Some(root) } else { None });
            let mut longer = proof.clone();
            longer.push(root);
            prop_assert_eq!(root_of_inclusion(index, size, leaf, &longer), None);

            let old = b % (size + 1);
            let proof: Vec<Hash> = consistency_path(old, size).into_iter().map(|s| span_hash(&all, s)).collect();
            let old_root = mth(&all[..old as usize]);
            prop_assert!(is_consistent(old, old_root, size, root, &proof));
            prop_assert!(!is_consistent(old, leaf_hash(b"other"), size, root, &proof));
            if old > 0 {
                prop_assert!(!is_consistent(old, old_root, size, leaf_hash(b"other"), &proof));
            }
        }

        #[test]
        fn a_nodes_place_is_inside_its_tile(level in 0u32..30, index in 0u64..100_000) {
            let ((tile, number), range) = Node { level, index }.place();
            prop_assert!(range.end <= TILE);
            let per_hash = 1u64 << (8 * tile);
            let first = (number * TILE as u64 + range.start as u64) * per_hash;
            prop_assert_eq!(first, index << level);
        }
    }
}
