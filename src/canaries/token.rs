//! The string itself: three words that no language has, and six digits.

use std::fmt;

use crate::clock::Random;

const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
const VOWELS: &[u8; 4] = b"aiou";

/// Letters of a word, and signs of the whole without what stands between.
const WORD: usize = 5;
pub const LENGTH: usize = 3 * WORD + DIGITS;
pub const DIGITS: usize = 6;

/// A canary without what stands between its parts: 48 bits of chance in the words, close to 20 in the digits. Its
/// debug output doesn't show it, so that no log can.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// Sixteen bits as a word that can be said and typed: consonant, vowel, consonant, vowel, consonant.
fn word(bits: u16) -> String {
    let consonant = |shift: u16| char::from(CONSONANTS[usize::from(bits >> shift & 15)]);
    let vowel = |shift: u16| char::from(VOWELS[usize::from(bits >> shift & 3)]);
    [consonant(12), vowel(10), consonant(6), vowel(4), consonant(0)].into_iter().collect()
}

/// Signs that may stand between or within the parts, wherever a program breaks or joins them.
pub fn is_between(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'_' | b'.' | b'+' | b'\t' | b'\r' | b'\n')
}

impl Token {
    pub fn make(random: &Random) -> Self {
        let bytes: [u8; 14] = random.bytes();
        let words = (0..3).map(|n| word(u16::from_be_bytes([bytes[2 * n], bytes[2 * n + 1]])));
        let number = bytes[6..].iter().fold(0u64, |n, b| n << 8 | u64::from(*b)) % 1_000_000;
        Token(format!("{}{number:06}", words.collect::<String>()))
    }

    /// As somebody types it, in either form.
    pub fn parse(text: &str) -> Option<Self> {
        let kept: String = text
            .trim()
            .bytes()
            .filter(|b| !is_between(*b))
            .map(|b| char::from(b.to_ascii_lowercase()))
            .collect();
        let (words, digits) = (kept.get(..3 * WORD)?, kept.get(3 * WORD..)?);
        let fine = words.bytes().all(|b| b.is_ascii_lowercase())
            && digits.len() == DIGITS
            && digits.bytes().all(|b| b.is_ascii_digit());
        fine.then_some(Token(kept))
    }

    fn parts(&self) -> [&str; 4] {
        let t = self.0.as_str();
        [&t[..WORD], &t[WORD..2 * WORD], &t[2 * WORD..3 * WORD], &t[3 * WORD..]]
    }

    /// To be typed: "lusab gutih tugad 482913".
    pub fn typed(&self) -> String {
        self.parts().join(" ")
    }

    /// For addresses and mail: "lusab-gutih-tugad-482913".
    pub fn joined(&self) -> String {
        self.parts().join("-")
    }

    /// As it is stored and compared.
    pub fn bare(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_bit_of_chance_is_in_it() {
        let words: HashSet<String> = (0..=u16::MAX).map(word).collect();
        // The bits between the shifts are read by one letter each.
        assert!(words.len() == 1 << 16, "{}", words.len());
    }

    #[test]
    fn it_is_read_in_either_form_and_shown_in_no_debug_output() {
        let token = Token::make(&Random::seeded(7));
        for form in [token.typed(), token.joined(), token.bare().to_uppercase()] {
            assert_eq!(Token::parse(&form).as_ref(), Some(&token));
        }
        assert!(!format!("{token:?}").contains(token.bare()));
        for wrong in
            ["", "lusab gutih tugad 48291", "lusab gutih tugad 4829133", "lus4b gutih tugad 482913", "äöü"]
        {
            assert_eq!(Token::parse(wrong), None, "{wrong}");
        }
    }
}
