//! Signatures and tokens, checked in batches by as many threads as there are processors. What they find is told in
//! the order of the leaves.

use std::sync::Arc;
use std::thread;

use super::super::super::from_base64url;
use super::super::super::petition::is_signed;
use super::super::super::token::TokenKey;
use super::super::super::tree::Hash;
use super::Report;

/// Leaves that are checked at once: their tokens are in memory meanwhile.
const BATCH: usize = 4096;

/// An issuer's key for a slot, and the digest of the slot's challenge.
pub struct SlotKey {
    pub key: TokenKey,
    pub challenge: Hash,
}

pub enum Test {
    /// An Ed25519 signature.
    Signed { key: Hash, message: String, signature: String },
    /// A token for the key that is its nonce.
    Token { slot: Arc<SlotKey>, nonce: Hash, token: String },
}

impl Test {
    fn holds(&self) -> bool {
        match self {
            Test::Signed { key, message, signature } => is_signed(key, message, signature),
            Test::Token { slot, nonce, token } => {
                from_base64url(token).is_ok_and(|bytes| slot.key.verifies(&nonce.0, &slot.challenge, &bytes))
            }
        }
    }
}

struct Item {
    leaf: u64,
    check: &'static str,
    /// What it says when it doesn't hold.
    words: &'static str,
    test: Test,
}

/// What waits to be checked.
#[derive(Default)]
pub struct Work {
    items: Vec<Item>,
    leaves: usize,
}

impl Work {
    pub fn add(&mut self, leaf: u64, check: &'static str, words: &'static str, test: Test) {
        self.leaves += usize::from(self.items.last().is_none_or(|last| last.leaf != leaf));
        self.items.push(Item { leaf, check, words, test });
    }

    /// Checks a batch, when there is one.
    pub fn some(&mut self, report: &mut Report) {
        if self.leaves >= BATCH {
            self.all(report);
        }
    }

    pub fn all(&mut self, report: &mut Report) {
        let items = std::mem::take(&mut self.items);
        self.leaves = 0;
        if items.is_empty() {
            return;
        }
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let broken = |part: &[Item]| -> Vec<(u64, &'static str, &'static str)> {
            let wrong = part.iter().filter(|item| !item.test.holds());
            wrong.map(|item| (item.leaf, item.check, item.words)).collect()
        };
        thread::scope(|scope| {
            let parts = items.chunks(items.len().div_ceil(threads));
            let running: Vec<_> = parts.map(|part| (part, scope.spawn(move || broken(part)))).collect();
            for (part, thread) in running {
                // A thread that broke down hasn't said that anything holds.
                for (leaf, check, words) in thread.join().unwrap_or_else(|_| broken(part)) {
                    report.violated(check, Some(leaf), words);
                }
            }
        });
    }
}
