//! Pseudonyms by which other systems speak of people: another one for each system, and none of them in the
//! database. The key is a file beside it, so that a copy of the database maps nobody.
//!
//! A pseudonym is the person's id under AES-128 with the system's key: one block is a permutation, so that no two
//! people share one and nothing need be stored to find somebody again.

use std::fmt;

use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// One system's pseudonyms.
#[derive(Clone)]
pub struct Pseudonyms(Aes128);

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms")
    }
}

impl Pseudonyms {
    /// `secret` is this server's; `whose` the id of the system, or of another use.
    pub fn new(secret: &[u8; 32], whose: Uuid) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"daylight-pseudonym/v1\0");
        hash.update(secret);
        hash.update(whose.as_bytes());
        let key: [u8; 32] = hash.finalize().into();
        let mut half = [0; 16];
        half.copy_from_slice(&key[..16]);
        Pseudonyms(Aes128::new(&half.into()))
    }

    pub fn of(&self, person: Uuid) -> Uuid {
        let mut block = (*person.as_bytes()).into();
        self.0.encrypt_block(&mut block);
        Uuid::from_bytes(block.into())
    }

    /// Whose pseudonym it would be; any other value is nobody's.
    pub fn person(&self, pseudonym: Uuid) -> Uuid {
        let mut block = (*pseudonym.as_bytes()).into();
        self.0.decrypt_block(&mut block);
        Uuid::from_bytes(block.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_knows_people_by_other_names() {
        let person = Uuid::from_u128(42);
        let (one, two) =
            (Pseudonyms::new(&[7; 32], Uuid::from_u128(1)), Pseudonyms::new(&[7; 32], Uuid::from_u128(2)));
        assert_eq!(one.person(one.of(person)), person);
        assert_ne!(one.of(person), two.of(person));
        assert_ne!(one.of(person), person);
        let elsewhere = Pseudonyms::new(&[8; 32], Uuid::from_u128(1));
        assert_ne!(one.of(person), elsewhere.of(person));
    }
}
