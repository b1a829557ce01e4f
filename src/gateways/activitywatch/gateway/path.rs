//! Which addresses are known. A path is decoded before it is looked at, as ActivityWatch does, and nothing of it goes on
//! but a bucket's name: `//api` and `%61pi` would reach the same place behind the gateway.

/// Where a request wants to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Info,
    Buckets,
    Bucket(String),
    Events(String),
    Heartbeat(String),
    Import,
    /// Known to hold recordings, or to lead to them.
    Recordings,
    Unknown,
}

/// Characters of a bucket's name.
const LONGEST_NAME: usize = 128;

/// A name that a watcher gives itself, its machine or its bucket: too short and too plain for a title or an address.
pub(super) fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let dots = text.chars().all(|c| c == '.');
    text.len() <= LONGEST_NAME && text.chars().all(fits) && !dots
}

impl Address {
    pub fn find(path: &str) -> Address {
        let Some(path) = decode(path) else { return Address::Unknown };
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let ["api", "0", rest @ ..] = segments.as_slice() else { return Address::Unknown };
        let owned = |name: &str| name.to_owned();
        match rest {
            ["info"] => Address::Info,
            ["import"] => Address::Import,
            ["buckets"] => Address::Buckets,
            ["buckets", id, ..] if !is_name(id) => Address::Unknown,
            ["buckets", id] => Address::Bucket(owned(id)),
            ["buckets", id, "events"] => Address::Events(owned(id)),
            ["buckets", id, "heartbeat"] => Address::Heartbeat(owned(id)),
            ["buckets", _, "events" | "export", ..] | ["export" | "query" | "settings" | "log", ..] => {
                Address::Recordings
            }
            _ => Address::Unknown,
        }
    }
}

/// The path as ActivityWatch would read it; `None` for what somebody else may read in another way: decoded twice, with
/// a coded slash, with steps upwards.
fn decode(path: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let meant = match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let meant = u8::try_from(digit()? * 16 + digit()?).ok()?;
                if matches!(meant, b'/' | b'%') {
                    return None;
                }
                meant
            }
            byte => byte,
        };
        let fits = meant.is_ascii_alphanumeric() || b"-_./".contains(&meant);
        decoded.push(fits.then_some(meant)?);
    }
    let text = String::from_utf8(decoded).ok()?;
    let steps = text.split('/').any(|segment| matches!(segment, "." | ".."));
    (text.starts_with('/') && !steps).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_it_is_written_it_is_the_same_place() {
        let heartbeat = Address::Heartbeat("aw-watcher-window_pc1".into());
        for path in [
            "/api/0/buckets/aw-watcher-window_pc1/heartbeat",
            "//api//0/buckets/aw-watcher-window_pc1/heartbeat/",
            "/%61pi/%30/b%75ckets/aw%2Dwatcher%2dwindow_pc1/heartbeat",
        ] {
            assert_eq!(Address::find(path), heartbeat, "{path}");
        }
        assert_eq!(Address::find("/api/0/buckets/"), Address::Buckets);
        assert_eq!(Address::find("/api/0/buckets/x"), Address::Bucket("x".into()));
    }

    #[test]
    fn what_could_be_read_in_two_ways_leads_nowhere() {
        for path in [
            "",
            "*",
            "/",
            "/api",
            "/API/0/info",
            "/api/0/Info",
            "/api/1/info",
            "/api/0",
            "api/0/info",
            "/api/0/buckets/a%2fb",
            "/api/0/buckets/a%2Fb/heartbeat",
            "/api/0/buckets/a%5cb",
            "/api/0/buckets/a\\b",
            "/api/0/x/../info",
            "/api/0/./info",
            "/api/0/%2e%2e/0/info",
            "/api/0/buckets/..",
            "/api/0/buckets/...",
            "/%2561pi/0/info",
            "/api/0/buckets/a%00",
            "/api/0/buckets/a%0d%0ab",
            "/api/0/buckets/a%",
            "/api/0/buckets/a%4",
            "/api/0/buckets/a%+1",
            "/api/0/buckets/a;b",
            "/api/0/buckets/a b",
            "/api/0/buckets/a%20b",
            "/api/0/buckets/é",
            "/api/0/buckets/x/heartbeat/x",
            "/api/0/import/x",
            "/api/0/info/x",
            "/web/",
            "/api/swagger.json",
        ] {
            assert_eq!(Address::find(path), Address::Unknown, "{path}");
        }
        assert_eq!(Address::find(&format!("/api/0/buckets/{}", "x".repeat(129))), Address::Unknown);
    }

    #[test]
    fn where_recordings_are_read_is_known_as_such() {
        for path in [
            "/api/0/export",
            "/api/0/%65xport",
            "//api/0/query/",
            "/api/0/settings/privacy_filters",
            "/api/0/log",
            "/api/0/buckets/x/events/count",
            "/api/0/buckets/x/events/1",
            "/api/0/buckets/x/export",
            "/api/0/buckets/x/export/csv",
        ] {
            assert_eq!(Address::find(path), Address::Recordings, "{path}");
        }
    }
}
