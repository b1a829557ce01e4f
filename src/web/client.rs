//! What a client says of itself. Its address is never asked for: limits are per account and per agent, so
//! that colleagues behind one address don't lock each other out, and no proxy's header needs to be believed.

use axum::http::HeaderMap;

/// A browser in words a person recognises in a list of sessions ("Firefox on Linux"); no version, no raw
/// header.
pub fn browser(headers: &HeaderMap) -> String {
    let agent = headers.get("user-agent").and_then(|v| v.to_str().ok()).unwrap_or("");
    let find = |names: &[(&str, &'static str)]| {
        names.iter().find(|(needle, _)| agent.contains(needle)).map(|(_, name)| *name)
    };
    let browser = find(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = find(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(b), Some(s)) => format!("{b} on {s}"),
        (Some(b), None) => b.into(),
        (None, Some(s)) => format!("A browser on {s}"),
        (None, None) => "An unknown browser".into(),
    }
}
