//! Signs that nobody sees: with them a text reads otherwise than it is stored, and than it was answered.
//!
//! Marks of direction (U+200E, U+200F) and joiners (U+200C, U+200D) are let through: Arabic, Hebrew, Persian
//! and the scripts of India can't be written without them.

/// The name of a sign that is refused.
fn name(sign: char) -> Option<&'static str> {
    Some(match sign {
        '\u{200b}' => "zero width space",
        '\u{2060}' => "word joiner",
        '\u{feff}' => "zero width no-break space",
        '\u{202a}' => "left-to-right embedding",
        '\u{202b}' => "right-to-left embedding",
        '\u{202c}' => "pop directional formatting",
        '\u{202d}' => "left-to-right override",
        '\u{202e}' => "right-to-left override",
        '\u{2066}' => "left-to-right isolate",
        '\u{2067}' => "right-to-left isolate",
        '\u{2068}' => "first strong isolate",
        '\u{2069}' => "pop directional isolate",
        _ => return None,
    })
}

/// Every sign that is refused, where it stands and in words.
pub fn find(text: &str) -> impl Iterator<Item = (usize, String)> {
    text.char_indices().filter_map(|(at, sign)| {
        let words = format!(
            "There is an invisible sign, U+{:04X} ({}), that lets a text read otherwise than it is written. Take \
             it out.",
            u32::from(sign),
            name(sign)?
        );
        Some((at, words))
    })
}

/// The first one, with its line.
pub fn problem(text: &str) -> Option<String> {
    let (at, words) = find(text).next()?;
    let line = text[..at].matches('\n').count() + 1;
    Some(format!("Line {line}: {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_is_named_with_its_line() {
        for sign in
            "\u{200b}\u{2060}\u{feff}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}"
                .chars()
        {
            let words = problem(&format!("One\r\nt{sign}wo\nthree")).unwrap();
            assert!(
                words.starts_with(&format!("Line 2: There is an invisible sign, U+{:04X} (", sign as u32)),
                "{words}"
            );
        }
        assert_eq!(problem("می\u{200c}خواهم क\u{200d}ष\u{200f} and plain words"), None);
    }
}
