//! `daylight canary find`: looks for canaries on one's own machine, in what stands at the standard input.

use std::io::{Read, Write};

use anyhow::{Context, ensure};

use super::search::{ENCODINGS, Search};
use super::token::Token;

/// Looks for each of `tokens`; writes where they stood and answers whether any was found.
pub fn find(tokens: &[String], input: &mut impl Read, out: &mut impl Write) -> anyhow::Result<bool> {
    let parsed: Option<Vec<Token>> = tokens.iter().map(|t| Token::parse(t)).collect();
    let parsed =
        parsed.context("a canary is three words and six digits, such as lusab-gutih-tugad-482913")?;
    ensure!(!parsed.is_empty(), "name at least one canary");
    let mut search = Search::new(&parsed, Vec::new(), u64::MAX);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match input.read(&mut buffer).context("the input can’t be read")? {
            0 => break,
            n => {
                search.feed(&buffer[..n], || false);
            }
        }
    }
    let outcome = search.finish();
    for hit in &outcome.hits {
        let number = hit.canary + 1;
        writeln!(out, "canary {number}: byte {}, line {}, as {}", hit.at, hit.line, hit.encoding)?;
    }
    for (n, count) in outcome.counts.iter().enumerate() {
        match count {
            0 => writeln!(out, "canary {}: not found", n + 1)?,
            count => writeln!(out, "canary {}: {count} times", n + 1)?,
        }
    }
    writeln!(
        out,
        "searched {} bytes ({}) for: {}",
        outcome.searched,
        outcome.container.id(),
        ENCODINGS.join("; ")
    )?;
    for missed in &outcome.missed {
        writeln!(out, "not searched to its end: {}", missed.words())?;
    }
    Ok(outcome.counts.iter().any(|n| *n > 0))
}
