//! Times as leaves write them.

/// Whether this is a time of RFC 3339 in UTC: `2026-12-01T00:00:00Z`, with or without a fraction.
pub fn is_utc(text: &str) -> bool {
    let Some((time, rest)) = text.split_at_checked("0000-00-00T00:00:00".len()) else { return false };
    let shaped = time.bytes().zip("0000-00-00T00:00:00".bytes()).all(|(is, wanted)| match wanted {
        b'0' => is.is_ascii_digit(),
        _ => is == wanted,
    });
    let fraction = rest.strip_suffix('Z').map(|rest| rest.strip_prefix('.').ok_or(rest));
    let ends = match fraction {
        Some(Ok(digits)) => !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()),
        Some(Err(nothing)) => nothing.is_empty(),
        None => false,
    };
    // A leap second is read as the one before it, and then it reads differently.
    let read = shaped.then(|| format!("{time}Z").parse::<jiff::Timestamp>().ok()).flatten();
    ends && read.is_some_and(|read| read.to_string() == format!("{time}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_is_a_time_in_utc() {
        for good in ["2026-12-01T00:00:00Z", "2028-02-29T23:59:59.5Z", "0000-02-29T00:00:00Z"] {
            assert!(is_utc(good), "{good}");
        }
        for bad in [
            "",
            "2026-12-01",
            "2026-12-01T00:00:00",
            "2026-12-01T00:00:00+00:00",
            "2026-12-01t00:00:00z",
            "2026-12-01 00:00:00Z",
            "2027-02-29T00:00:00Z",
            "2026-12-01T24:00:00Z",
            "2026-12-31T23:59:60Z",
            "2026-12-01T00:00:00.Z",
            "2026-12-01T00:00:00.5aZ",
            "+002026-12-01T00:00Z",
            "2026-12-01T00:00:00ZZ",
        ] {
            assert!(!is_utc(bad), "{bad}");
        }
    }
}
