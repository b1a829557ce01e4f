//! Enrolment codes: 80 random bits on paper, which prove to this server, and to nobody else, who makes a key known.

use sha2::{Digest, Sha256};

use crate::clock::Random;

/// Crockford's base 32, without I, L, O and U.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 16;

/// A new code in groups of four: `7QK3-0AZM-…`.
pub fn make(random: &Random) -> String {
    let bytes: [u8; LENGTH] = random.bytes();
    let letters = bytes.map(|b| char::from(LETTERS[usize::from(b % 32)]));
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join("-")
}

/// A code as it was typed: spaces, hyphens and small letters don't matter, nor O for 0 and I or L for 1.
fn plain(typed: &str) -> String {
    let letters = typed.chars().filter(|c| !c.is_whitespace() && *c != '-');
    letters
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}

/// What is kept of a code. Eighty random bits need no salt and no slow hash.
pub fn digest(typed: &str) -> [u8; 32] {
    Sha256::digest(plain(typed).as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_survives_how_people_type() {
        let code = make(&Random::seeded(4));
        assert_eq!((code.len(), code.matches('-').count()), (19, 3));
        let typed = code.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        assert_eq!(digest(&typed), digest(&code));
        assert_ne!(digest(&code), digest(&make(&Random::seeded(5))));
    }
}
