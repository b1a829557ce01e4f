//! Canaries are found however a program writes them and wherever the stream is cut.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use proptest::prelude::*;

use super::search::{Outcome, Search};
use super::token::Token;
use super::unpack::{Container, Missed, Unpacker};
use crate::clock::Random;

fn search(token: &Token, bytes: &[u8], cuts: &[usize]) -> Outcome {
    let mut search = Search::new(std::slice::from_ref(token), vec!["name", "url"], u64::MAX);
    let mut cuts: Vec<usize> = cuts.iter().map(|c| c % (bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let mut from = 0;
    for cut in cuts.into_iter().chain([bytes.len()]) {
        search.feed(&bytes[from..cut], || false);
        from = cut;
    }
    search.finish()
}

fn wide(text: &str, big: bool) -> Vec<u8> {
    text.encode_utf16().flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
}

fn escaped(text: &str) -> String {
    text.bytes().map(|b| format!("\\u{:04x}", b)).collect()
}

fn percent(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

fn in_lines(text: &str, width: usize, end: &str) -> String {
    let signs: Vec<char> = text.chars().collect();
    signs.chunks(width).map(|line| line.iter().collect::<String>() + end).collect()
}

fn printable(text: &str) -> String {
    let encoded: String = text.bytes().map(|b| format!("={b:02X}")).collect();
    let parts: Vec<String> =
        encoded.as_bytes().chunks(9).map(|c| String::from_utf8_lossy(c).into_owned()).collect();
    parts.join("=\r\n")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("written");
    encoder.finish().expect("packed")
}

/// A ZIP archive of entries, with what stands between each and the next; the list of those that `is_listed` says.
fn archive(entries: &[(&str, &[u8], &[u8])], is_listed: impl Fn(usize) -> bool) -> Vec<u8> {
    let (mut out, mut list, mut number) = (Vec::new(), Vec::new(), 0u16);
    for (n, (name, bytes, after)) in entries.iter().enumerate() {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("written");
        let packed = encoder.finish().expect("packed");
        let (at, size) = ((out.len() as u32).to_le_bytes(), (packed.len() as u32).to_le_bytes());
        let length = (name.len() as u16).to_le_bytes();
        // With its sizes after it, as programs that stream write it.
        out.extend(b"PK\x03\x04\x14\x00\x08\x00\x08\x00");
        out.extend([0; 16]);
        out.extend([&length[..], &[0, 0], name.as_bytes(), &packed].concat());
        out.extend([b"PK\x07\x08\0\0\0\0", &size[..], &[0; 4], after].concat());
        if is_listed(n) {
            number += 1;
            list.extend(b"PK\x01\x02\x14\x00\x14\x00\x08\x00\x08\x00\0\0\0\0\0\0\0\0");
            list.extend([&size[..], &[0; 4], &length, &[0; 12], &at, name.as_bytes()].concat());
        }
    }
    let (at, size) = ((out.len() as u32).to_le_bytes(), (list.len() as u32).to_le_bytes());
    let number = number.to_le_bytes();
    [out, list, [b"PK\x05\x06\0\0\0\0", &number[..], &number, &size, &at, &[0, 0]].concat()].concat()
}

fn zip(name: &str, bytes: &[u8]) -> Vec<u8> {
    archive(&[("first.csv", b"a,b\n", b""), (name, bytes, b"")], |_| true)
}

/// The same text as programs store it: how, and the bytes.
fn forms(token: &Token, before: &str) -> Vec<(&'static str, Vec<u8>)> {
    let (typed, joined) = (token.typed(), token.joined());
    let around = |middle: &str| format!("{before}{middle} after").into_bytes();
    let encode = |text: &str| STANDARD.encode(text);
    vec![
        ("plain text", around(&typed)),
        ("plain text", around(&joined.to_uppercase())),
        ("plain text", around(&joined.replace('-', "\r\n"))),
        ("UTF-16", wide(&format!("{before}{typed} after"), false)),
        ("UTF-16", wide(&format!("{before}{joined} after"), true)),
        ("JSON escapes", around(&format!("{{\"name\":\"{}\"}}", escaped(&typed)))),
        ("JSON escapes", around(&format!("{{\"name\":\"{}\"}}", typed.replace(' ', "\\u0020")))),
        ("URL encoding", around(&percent(&joined))),
        ("URL encoding", around(&typed.replace(' ', "%20"))),
        ("quoted-printable", around(&printable(&typed))),
        ("base64", around(&format!("\"{}\"", encode(&typed)))),
        ("base64", around(&format!("\"{}\"", encode(&format!("x{joined}"))))),
        ("base64", around(&format!("\"{}\"", in_lines(&encode(&format!("xy {joined} z")), 8, "\r\n")))),
        ("base64", around(&format!("={}=", URL_SAFE_NO_PAD.encode(&typed)))),
        ("base64, UTF-16", around(&format!("\"{}\"", STANDARD.encode(wide(&typed, false))))),
        ("base64 within JSON escapes", around(&format!("\"{}\"", in_lines(&encode(&typed), 12, "\\n")))),
        ("base64 within URL encoding", around(&format!("={}%3D", percent(&encode(&joined))))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_canary_is_found_in_every_form_wherever_the_stream_is_cut(
        seed in any::<u64>(),
        before in "[ -~\n]{0,40}",
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let token = Token::make(&Random::seeded(seed));
        // What opens an escape, or a run, just before would make it part of another text.
        let before = before.trim_end_matches(['\\', '%', '=', '+', '/']).to_owned() + "\n| ";
        for (how, bytes) in forms(&token, &before) {
            let found = search(&token, &bytes, &cuts);
            prop_assert_eq!(found.counts[0], 1, "{}", how);
            prop_assert!(found.hits[0].at <= bytes.len() as u64);
            let other = Token::make(&Random::seeded(seed.wrapping_add(1)));
            prop_assert_eq!(search(&other, &bytes, &cuts).counts[0], 0);
        }
    }

    #[test]
    fn a_packed_canary_is_found_too(seed in any::<u64>(), cuts in prop::collection::vec(any::<usize>(), 0..12)) {
        let token = Token::make(&Random::seeded(seed));
        let text = format!("{}{}{}", "filler ".repeat(2000), token.typed(), " more".repeat(500));
        for (bytes, container) in [
            (gzip(text.as_bytes()), Container::Gzip),
            ([gzip(b"first member\n"), gzip(text.as_bytes())].concat(), Container::Gzip),
            (zip("export.csv", text.as_bytes()), Container::Zip),
        ] {
            let found = search(&token, &bytes, &cuts);
            prop_assert_eq!(found.container, container);
            prop_assert_eq!(&found.missed, &[]);
            prop_assert_eq!(found.counts[0], 1);
        }
    }

    #[test]
    fn anything_can_be_searched(bytes in prop::collection::vec(any::<u8>(), 0..600), head in 0usize..3) {
        let heads: [&[u8]; 3] = [b"", b"\x1f\x8b\x08\x00", b"PK\x03\x04"];
        let token = Token::make(&Random::seeded(1));
        let bytes = [heads[head], &bytes].concat();
        prop_assert_eq!(search(&token, &bytes, &[7, 9]).counts[0], 0);
    }
}

#[test]
fn it_is_told_how_it_was_written_and_where() {
    let token = Token::make(&Random::seeded(3));
    for (how, bytes) in forms(&token, "first line\nsecond ") {
        let found = search(&token, &bytes, &[3]);
        assert_eq!(found.hits.len(), 1, "{how}");
        assert_eq!(found.hits[0].encoding, how);
        assert_eq!(found.hits[0].line, 2, "{how}");
    }
}

#[test]
fn only_documented_names_are_told() {
    let token = Token::make(&Random::seeded(4));
    let typed = token.typed();
    for (text, field) in [
        (format!("id,Name,secret title\n1,{typed},x\n"), "name"),
        (format!("id,Name,secret title\n1,x,{typed}\n"), ""),
        (format!("id;\"Name\";URL\n1;\"a\nb;c\";{typed}\n"), "url"),
        (format!("{{\"items\":[{{\"id\":1,\"name\":\"a {typed}\"}}]}}"), "name"),
        (format!("{{\"items\":[{{\"name\":1,\"of somebody\":\"a {typed}\"}}]}}"), ""),
    ] {
        let found = search(&token, text.as_bytes(), &[]);
        assert_eq!(found.hits[0].field, field, "{text}");
    }
}

#[test]
fn what_lies_beyond_the_limit_is_not_searched_and_said() {
    let token = Token::make(&Random::seeded(5));
    let text = format!("{}{}", "x".repeat(5000), token.typed());
    let mut search = Search::new(std::slice::from_ref(&token), Vec::new(), 4000);
    search.feed(text.as_bytes(), || false);
    let found = search.finish();
    assert_eq!((found.counts[0], found.searched, found.missed), (0, 4000, vec![Missed::Limit]));
    let cut = &gzip(text.as_bytes())[..20];
    let mut search = Search::new(std::slice::from_ref(&token), Vec::new(), u64::MAX);
    search.feed(cut, || false);
    assert_eq!(search.finish().missed, [Missed::Damaged]);
}

#[test]
fn what_hides_in_an_archive_is_said() {
    let token = Token::make(&Random::seeded(6));
    let typed = token.typed();
    let missed = |bytes: &[u8]| search(&token, bytes, &[11]).missed;
    let (a, b) = (("a.csv", &b"x"[..], &b""[..]), ("b.csv", typed.as_bytes(), &b""[..]));
    let whole = archive(&[a, b], |_| true);
    let found = search(&token, &whole, &[]);
    assert_eq!((found.counts[0], found.missed), (1, vec![]));
    // What looks like the list, and another entry behind it.
    let hidden = archive(&[("a.csv", b"x", b"PK\x01\x02twelve by"), b], |_| true);
    assert!(missed(&hidden).contains(&Missed::Unlisted) || missed(&hidden).contains(&Missed::Damaged));
    assert_eq!(missed(&archive(&[a, b], |n| n == 0)), [Missed::Unlisted], "one that isn't listed");
    let between = archive(&[("a.csv", b"x", typed.as_bytes()), b], |_| true);
    assert_eq!(missed(&between), [Missed::Unlisted], "what stands between entries");
    let behind = [whole.as_slice(), typed.as_bytes()].concat();
    assert_eq!(missed(&behind), [Missed::Unlisted], "what stands behind the end");
    assert_eq!(missed(&whole[..whole.len() - 30]), [Missed::Damaged]);
}

#[test]
fn what_is_packed_within_is_said() {
    let token = Token::make(&Random::seeded(8));
    let inner = zip("b.csv", token.typed().as_bytes());
    for begin in [
        &inner[..],
        &gzip(b"x"),
        b"BZh9",
        b"7z\xbc\xaf\x27\x1c",
        b"\xfd7zXZ\x00",
        b"\x28\xb5\x2f\xfd",
        b"%PDF-1",
    ] {
        let found = search(&token, &zip("inner", begin), &[3, 40]);
        assert_eq!(found.missed, [Missed::Packed], "{begin:?}");
        assert_eq!(search(&token, &gzip(begin), &[3]).missed, [Missed::Packed], "{begin:?} in gzip");
    }
    assert_eq!(search(&token, b"BZh91AY", &[]).missed, [Missed::Packed]);
    let behind = [b"MZ a program that unpacks itself", &inner[..]].concat();
    assert_eq!(search(&token, &behind, &[]).missed, [Missed::Packed]);
}

#[test]
fn a_step_unpacks_a_little_only() {
    let zeros = vec![0; 8 << 20];
    for packed in [gzip(&zeros), zip("zeros", &zeros)] {
        let (mut unpacker, mut rest, mut all) = (Unpacker::new(), packed.as_slice(), 0);
        while !rest.is_empty() {
            let mut out = Vec::new();
            let used = unpacker.step(rest, &mut out);
            assert!(out.len() <= 64 * 1024, "{}", out.len());
            all += out.len();
            rest = &rest[used..];
        }
        // What the last bytes held back comes at the end.
        let mut out = Vec::new();
        unpacker.finish(&mut out);
        assert!(all + out.len() >= zeros.len());
    }
}
