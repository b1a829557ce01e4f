//! Signatures and withdrawals: each by a key with tokens of both issuers for the petition's slot, the last one counts.
//!
//! A key may stand under several petitions. Only its holder could bring that about, by deriving one key for two slots,
//! and it gains them nothing: each petition counts it once. As a rule it would let anybody spoil the log for ever.

use std::collections::HashMap;

use super::super::super::petition::{Mode, SignLeaf, WithdrawLeaf, sign_message, withdraw_message};
use super::super::super::tree::Hash;
use super::issuing::Epochs;
use super::life::{Life, Petition, tokens};
use super::work::{Test, Work};
use super::{Place, Report};

const SIGNATURES: &str = "signatures";

/// What a key did last on a petition.
struct Last {
    /// Numbers grow within a version.
    version: u64,
    number: u64,
    stands: bool,
    has_signed: bool,
}

#[derive(Default)]
pub struct Keys {
    last: HashMap<(usize, Hash), Last>,
    signed: u64,
    withdrawn: u64,
}

impl Keys {
    /// Takes up a key's next action; `Err` says why it can't be.
    fn act(
        &mut self,
        key: Hash,
        (number, petition): (usize, &mut Petition),
        action: u64,
        index: u64,
        signs: bool,
    ) -> Result<(), &'static str> {
        let version = petition.version;
        let begun = Last { version, number: 0, stands: false, has_signed: false };
        let last = self.last.entry((number, key)).or_insert(begun);
        if last.version != version {
            (last.version, last.number, last.stands) = (version, 0, false);
        }
        if action <= last.number {
            return Err("its key has done this or something later already: the number doesn't grow");
        }
        last.number = action;
        petition.stand = petition.stand + u64::from(signs) - u64::from(last.stands);
        petition.clock.counted(petition.stand);
        last.stands = signs;
        if signs && !last.has_signed {
            last.has_signed = true;
            petition.signers.push(index);
        }
        Ok(())
    }

    pub fn judge(&self, report: &mut Report) {
        let words = format!(
            "{} signatures and {} withdrawals, each by its own key with tokens of both issuers",
            self.signed, self.withdrawn
        );
        report.unless_violated(SIGNATURES, words);
    }
}

impl Life {
    pub fn sign(
        &mut self,
        at: Place,
        leaf: &SignLeaf,
        (origin, epochs): (&str, &Epochs),
        work: &mut Work,
        report: &mut Report,
    ) {
        let mut wrong = |words: &str| report.violated(SIGNATURES, Some(at.index), words);
        self.keys.signed += 1;
        let fits = leaf.disclosure.fits(leaf.mode) && leaf.signer.is_some() == (leaf.mode == Mode::Named);
        if !fits {
            wrong("its mode, what it discloses and its signer don't fit together");
        }
        let number = match self.newest(&leaf.petition) {
            Ok(number) => number,
            Err(words) => return wrong(words),
        };
        let petition = &mut self.all[number];
        let key = leaf.credential.key;
        let acted = match petition.ended() {
            Some(words) => Err(words),
            None => self.keys.act(key, (number, petition), leaf.number, at.index, true),
        };
        if let Err(words) = acted {
            wrong(words);
        }
        let (message, signature) = (sign_message(origin, leaf), leaf.signature.clone());
        work.add(at.index, SIGNATURES, UNSIGNED, Test::Signed { key, message, signature });
        let slot = (epochs, petition.epoch.as_str(), petition.slot);
        if !tokens(at.index, SIGNATURES, slot, &leaf.credential, work) {
            wrong("its epoch has no keys that can be checked");
        }
    }

    pub fn withdraw(
        &mut self,
        at: Place,
        leaf: &WithdrawLeaf,
        origin: &str,
        work: &mut Work,
        report: &mut Report,
    ) {
        let mut wrong = |words: &str| report.violated(SIGNATURES, Some(at.index), words);
        self.keys.withdrawn += 1;
        let number = match self.newest(&leaf.petition) {
            Ok(number) => number,
            Err(words) => return wrong(words),
        };
        let petition = &mut self.all[number];
        // A key that never signed may withdraw: what it did before waited, and was replaced.
        let acted = match petition.ended() {
            Some(words) => Err(words),
            None => self.keys.act(leaf.key, (number, petition), leaf.number, at.index, false),
        };
        if let Err(words) = acted {
            wrong(words);
        }
        let message = withdraw_message(origin, &leaf.petition, leaf.number);
        let signature = leaf.signature.clone();
        work.add(at.index, SIGNATURES, UNSIGNED, Test::Signed { key: leaf.key, message, signature });
    }
}

const UNSIGNED: &str = "it isn't signed by the key it names";
