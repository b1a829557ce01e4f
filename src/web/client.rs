//! The client's address, for limits only; it is never stored or logged.

use std::net::IpAddr;

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The address behind trusted proxies: the last entry of `X-Forwarded-For` that no trusted proxy wrote.
pub fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|net| net.contains(ip));
    if !is_trusted(&peer) {
        return peer;
    }
    headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .filter_map(|v| v.trim().parse().ok())
        .rfind(|ip| !is_trusted(ip))
        .unwrap_or(peer)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forwarded_address_is_believed_from_trusted_proxies_only() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.0.0.2".parse().unwrap());
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let from = |peer: &str| address(peer.parse().unwrap(), &headers, &trusted).to_string();
        assert_eq!(from("10.0.0.1"), "203.0.113.9", "what the client wrote itself is not believed");
        assert_eq!(from("198.51.100.1"), "198.51.100.1");
    }
}
