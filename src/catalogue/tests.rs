use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn is_https(address: &str) -> bool {
    address.strip_prefix("https://").is_some_and(|rest| rest.contains('.'))
        && address.chars().all(|c| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c))
}

fn is_day(day: &str) -> bool {
    day.parse::<jiff::civil::Date>().is_ok_and(|d| d.to_string() == day)
}

/// Such a name can be typed, and is as its system writes it.
fn is_sane(t: &Telltale) -> bool {
    let plain = |more: &str| t.name.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
    let long_enough = t.name.len() >= 5 && t.name.trim() == t.name;
    long_enough
        && match t.by {
            By::Process => plain("._- "),
            By::Package => plain("._-@/{}+ "),
            By::Extension => plain("._-@{}") && t.name == t.name.to_lowercase(),
            By::Certificate => plain(" ._,()&:-"),
            By::Socket => plain(".-") && t.name.contains('.') && t.name == t.name.to_lowercase(),
        }
}

#[test]
fn every_product_is_told_of_with_its_sources() {
    assert!(all().len() >= 20);
    for p in all() {
        let is_id = p.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        assert!(is_id && !p.id.is_empty() && p.id.len() <= 64, "{}", p.id);
        for text in [&p.name, &p.vendor] {
            assert!(!text.trim().is_empty() && text.trim() == text, "{}", p.id);
        }
        assert!(is_day(&p.read), "{}", p.id);
        assert!(!p.sources.is_empty() && p.sources.iter().all(|s| is_https(s)), "{}", p.id);
        let categories: BTreeSet<&String> = p.categories.iter().collect();
        assert_eq!(categories.len(), p.categories.len(), "{}", p.id);
        assert!(!p.categories.is_empty(), "{}: nothing that it collects", p.id);
        for t in &p.telltales {
            assert!(is_sane(t), "{}: {}", p.id, t.name);
            assert!(is_https(&t.source), "{}: {}", p.id, t.source);
        }
    }
}

#[test]
fn ids_stand_in_order_and_once() {
    let ids: Vec<&str> = all().iter().map(|p| p.id.as_str()).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    for id in ids {
        assert_eq!(ProductId::parse(id).map(ProductId::as_str), Some(id));
    }
    assert!(ProductId::parse("my-secret-program").is_none());
}

#[test]
fn a_name_gives_away_one_product_alone() {
    let mut owners: BTreeMap<(By, String), &str> = BTreeMap::new();
    for p in all() {
        for t in &p.telltales {
            let owner = owners.entry((t.by, t.name.to_lowercase())).or_insert(&p.id);
            assert_eq!(*owner, p.id, "{}", t.name);
            assert_eq!(identify(t.by, &t.name).map(ProductId::as_str), Some(p.id.as_str()), "{}", t.name);
        }
    }
}

#[test]
fn case_counts_where_the_system_says_so() {
    let is = |found: Option<ProductId>, id: &str| found.is_some_and(|p| p.as_str() == id);
    assert!(is(by_process("SCTHOST.EXE"), "activtrak"), "Windows");
    assert!(is(by_process("osqueryd"), "osquery"));
    assert!(by_process("Osqueryd").is_none(), "Linux and macOS");
    assert!(by_package("COM.NETSOFT.HUBSTAFF").is_none());
    assert!(is(by_package("com.netsoft.Hubstaff"), "hubstaff"));
    assert!(is(by_extension("nglaklhklhcoonedhgnpgddginnjdadi"), "activitywatch"));
    // The desktop program of the same maker is another program.
    assert!(by_process("Claude").is_none());
}

#[test]
fn what_only_looks_alike_is_not_accused() {
    for name in
        ["Hubstaffer.txt", "hubstaff", "svchost.exe", "myscthost.exe", "scthost.exe.txt", "aw-serverless", ""]
    {
        assert!(by_process(name).is_none() && by_package(name).is_none(), "{name}");
    }
    assert!(by_domain("example.com").is_none() && by_domain("").is_none() && by_certificate("").is_none());
}

#[test]
fn a_host_is_known_with_those_below_it_and_with_no_other() {
    let host = Telltale {
        by: By::Socket,
        system: System::Any,
        name: "collect.example".into(),
        source: String::new(),
        sure: Sureness::Seen,
    };
    for fine in ["collect.example", "eu.collect.example", "Collect.Example."] {
        assert!(host.is(fine), "{fine}");
    }
    for other in ["notcollect.example", "collect.example.evil.test", "example", ".", ""] {
        assert!(!host.is(other), "{other}");
    }
}

proptest! {
    #[test]
    fn a_name_with_anything_added_is_another_name(before in "[a-zA-Z0-9_.-]{0,6}", after in "[a-zA-Z0-9_.-]{0,6}") {
        prop_assume!(!before.is_empty() || !after.is_empty());
        let names: BTreeSet<String> =
            all().iter().flat_map(|p| &p.telltales).map(|t| t.name.to_lowercase()).collect();
        for t in all().iter().flat_map(|p| &p.telltales).filter(|t| t.by != By::Socket) {
            let changed = format!("{before}{}{after}", t.name);
            if !names.contains(&changed.to_lowercase()) {
                prop_assert!(identify(t.by, &changed).is_none(), "{changed}");
            }
        }
    }

    #[test]
    fn no_part_of_a_name_is_enough(cut in 1usize..8) {
        for t in all().iter().flat_map(|p| &p.telltales) {
            let short: String = t.name.chars().skip(cut).collect();
            let known = all().iter().flat_map(|p| &p.telltales).any(|o| o.name.eq_ignore_ascii_case(&short));
            if !known && !short.is_empty() {
                prop_assert!(identify(t.by, &short).is_none(), "{short}");
            }
        }
    }
}
