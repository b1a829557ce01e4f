//! What is made as the name of something is, so that it can't be a sentence or an address in disguise.

/// Whether it is a host's name as browsers write it, perhaps with a port.
pub(super) fn is_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').unwrap_or((text, "80"));
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.len() <= 253
        && name.strip_suffix('.').unwrap_or(name).split('.').all(label)
        && (1..=5).contains(&port.len())
        && port.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_a_sentence_is_no_host() {
        for host in ["example.com", "localhost:8080", "xn--bcher-kva.example", "127.0.0.1", "my_host", "a.b."]
        {
            assert!(is_host(host), "{host}");
        }
        for odd in [
            "",
            ".",
            "a..b",
            "https://a.example/b",
            "a.example/b?id=7",
            "a.example?b",
            "user@a.example",
            "a.example:8a",
            "a.example:",
            "my salary",
            "gehälter.example",
        ] {
            assert!(!is_host(odd), "{odd}");
        }
        assert!(!is_host(&"x".repeat(64)) && !is_host(&["abc"; 80].join(".")));
    }
}
