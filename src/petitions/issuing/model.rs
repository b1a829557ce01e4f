//! Rules of epochs and addresses; no I/O.

use jiff::tz::TimeZone;
use reqwest::Url;

use crate::clock::{Day, Time};

/// Everybody signs in one group.
pub const GROUP: &str = "all";

/// A quarter of a year: its name, and the moment at which it is over.
pub fn quarter(now: Time, zone: &TimeZone) -> (String, Time) {
    let today = now.day(zone).jiff();
    let number = (today.month() - 1) / 3 + 1;
    let (year, month) =
        if number == 4 { (today.year().saturating_add(1), 1) } else { (today.year(), number * 3 + 1) };
    let next: Day = jiff::civil::Date::new(year, month, 1).unwrap_or(jiff::civil::Date::MAX).into();
    (format!("{}-Q{number}", today.year()), next.start(zone))
}

/// The first free name of a quarter: `2026-Q4`, then `2026-Q4.2`.
pub fn free_name(quarter: &str, taken: &[String]) -> String {
    let names = std::iter::once(quarter.to_owned()).chain((2..).map(|n| format!("{quarter}.{n}")));
    names.into_iter().find(|name| !taken.contains(name)).unwrap_or_default()
}

/// The origin of the representative's server, `scheme://host[:port]`. It becomes part of every page's content
/// security policy, so nothing else may get in. The words say why not.
pub fn address(text: &str) -> Result<String, &'static str> {
    let example = "Enter an address such as https://daylight.works-council.example.";
    let url: Url = text.parse().map_err(|_| example)?;
    match url.scheme() {
        "https" => {}
        "http" if is_here(&url) => {}
        _ => return Err("Use https: what goes between both servers must not be readable on its way."),
    }
    let is_bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if !is_bare || !url.username().is_empty() || url.password().is_some() {
        return Err("Enter the address alone, without a path, a name or a password.");
    }
    let origin = url.origin().ascii_serialization();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
    let host = origin.split_once("://").map_or("", |(_, host)| host);
    match !host.is_empty() && host.bytes().all(plain) && origin.len() <= 200 {
        true => Ok(origin),
        false => Err(example),
    }
}

fn is_here(url: &Url) -> bool {
    let host = host(url);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or("").trim_matches(['[', ']']).to_owned()
}

/// Whether an address leads to another machine than this server's, as far as an address can tell.
pub fn is_elsewhere(address: &str, base_url: &str) -> bool {
    let (Ok(theirs), Ok(ours)) = (address.parse::<Url>(), base_url.parse::<Url>()) else { return false };
    !is_here(&theirs) && host(&theirs) != host(&ours)
}

/// An issuer's name: it stands in signed texts on a line of its own.
pub fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-:[]_/".contains(&b);
    (1..=100).contains(&name.len()) && name.bytes().all(plain)
}

/// The operator's issuer name: host and port of its address.
pub fn operator_name(base_url: &str) -> &str {
    base_url.split_once("://").map_or(base_url, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        text.parse::<jiff::Timestamp>().expect("a timestamp").into()
    }

    #[test]
    fn a_quarter_is_the_organisations() {
        let berlin = TimeZone::get("Europe/Berlin").expect("a zone");
        let (name, ends) = quarter(at("2026-12-31T22:30:00Z"), &berlin);
        assert_eq!((name.as_str(), ends), ("2026-Q4", at("2026-12-31T23:00:00Z")));
        assert_eq!(quarter(ends, &berlin).0, "2027-Q1");
        assert_eq!(quarter(at("2026-05-01T00:00:00Z"), &TimeZone::UTC).1, at("2026-07-01T00:00:00Z"));
    }

    #[test]
    fn names_count_on() {
        let taken = ["2026-Q4".to_owned(), "2026-Q4.2".to_owned()];
        assert_eq!(free_name("2026-Q4", &taken[..0]), "2026-Q4");
        assert_eq!(free_name("2026-Q4", &taken[..1]), "2026-Q4.2");
        assert_eq!(free_name("2026-Q4", &taken), "2026-Q4.3");
    }

    #[test]
    fn nothing_but_an_origin_gets_in() {
        for (text, origin) in [
            ("https://council.example/", "https://council.example"),
            ("https://council.example:8443", "https://council.example:8443"),
            ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
            ("http://[::1]:8081", "http://[::1]:8081"),
            ("HTTPS://Council.Example", "https://council.example"),
        ] {
            assert_eq!(address(text).as_deref(), Ok(origin));
        }
        for text in [
            "",
            "council.example",
            "http://council.example",
            "https://council.example/path",
            "https://council.example?x",
            "https://a:b@council.example",
            "https://council.example;script-src",
            "https://council.example,*",
            "https://*.example",
            "https://'unsafe-inline'",
            "https://a b",
            "javascript:alert(1)",
            "data:,x",
        ] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_same_machine_is_not_elsewhere() {
        assert!(is_elsewhere("https://council.example", "https://daylight.example"));
        assert!(!is_elsewhere("https://daylight.example:8443", "https://daylight.example"));
        assert!(!is_elsewhere("http://127.0.0.1:8081", "https://daylight.example"));
        assert!(!is_elsewhere("http://localhost:8081", "http://127.0.0.1:8080"));
    }
}
