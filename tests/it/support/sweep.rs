//! Answers as they can be compared from one look to the next.

use super::Reply;

/// As it came, but for what is another at every request: its number and the page's nonce.
pub fn text(reply: &Reply) -> String {
    let policy = reply.header("content-security-policy");
    let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap_or("no nonce");
    let headers: String = reply
        .headers
        .iter()
        .filter(|(name, _)| *name != "x-request-id")
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap_or("")))
        .collect();
    let whole = format!("{}\n{headers}\n{}", reply.status, reply.body).replace(nonce, "NONCE");
    whole.replace(reply.header("x-request-id"), "REQUEST")
}

/// Their own access logs grow by these very looks, always the same: each line once, and no count of them.
pub fn without_looks(text: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for line in text.lines().filter(|l| !l.contains("<caption>") && !l.starts_with("content-length")) {
        if !kept.contains(&line) {
            kept.push(line);
        }
    }
    kept.sort_unstable();
    kept.join("\n")
}
