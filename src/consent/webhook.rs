//! Messages to other systems, in the form of Standard Webhooks: what is said, how it is signed, where it may go.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Url;
use serde::Serialize;
use sha2::Sha256;
use uuid::Uuid;

use crate::clock::Time;
use crate::register::{Category, Purpose};

/// Characters of an address at most.
const ADDRESS_LENGTH: usize = 500;

/// A message's body.
#[derive(Serialize)]
pub struct Message<D> {
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Of two messages about the same, the later counts.
    pub timestamp: Time,
    pub data: D,
}

/// What somebody's decision changed. Nothing tells a refusal from an objection, or how often they decided.
#[derive(Serialize)]
pub struct Changed {
    /// The person, by the system's own pseudonym.
    pub subject: Uuid,
    pub category: Category,
    pub purpose: Purpose,
    /// The program that collects.
    pub source: String,
    /// `allow` or `deny`.
    pub decision: &'static str,
}

/// A test says nothing.
#[derive(Serialize)]
pub struct Nothing {}

/// The key that signs messages to a system: derived from the server's secret file, so that the database, which
/// would have to hold it in the clear for signing, doesn't.
pub fn key(server: &[u8; 32], system: Uuid, number: i32) -> [u8; 32] {
    let about = [b"daylight-webhook/v1\0", system.as_bytes().as_slice(), &number.to_be_bytes()].concat();
    mac(server, &about)
}

/// As the other system is given it.
pub fn secret(key: &[u8; 32]) -> String {
    format!("whsec_{}", STANDARD.encode(key))
}

/// The header `webhook-signature`, over `id.timestamp.body`; the timestamp is in seconds since 1970.
pub fn signature(key: &[u8; 32], id: &str, timestamp: i64, body: &str) -> String {
    format!("v1,{}", STANDARD.encode(mac(key, format!("{id}.{timestamp}.{body}").as_bytes())))
}

fn mac(key: &[u8; 32], bytes: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}

/// Where messages may go: over https, or to this machine. The words say why not.
pub fn address(text: &str) -> Result<Url, &'static str> {
    if text.chars().count() > ADDRESS_LENGTH {
        return Err("Use an address of at most 500 characters.");
    }
    let url: Url = text.parse().map_err(|_| "Enter an address such as https://planning.example/daylight.")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("Leave the name and password out of the address: messages are signed.");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_here(&url) => Ok(url),
        _ => Err("Use https: a message must not be readable on its way."),
    }
}

/// Whether it is this machine.
pub fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or("").trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_standards() {
        // The example of the Standard Webhooks libraries.
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let mut padded = [0; 32];
        padded[..key.len()].copy_from_slice(&key);
        let body = r#"{"test": 2432232314}"#;
        let signed = signature(&padded, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_system_and_each_number_has_another_key() {
        let keys = [key(&[1; 32], Uuid::from_u128(1), 1), key(&[1; 32], Uuid::from_u128(1), 2)];
        assert_ne!(keys[0], keys[1]);
        assert_ne!(keys[0], key(&[1; 32], Uuid::from_u128(2), 1));
        assert_ne!(keys[0], key(&[2; 32], Uuid::from_u128(1), 1));
        assert!(secret(&keys[0]).starts_with("whsec_") && secret(&keys[0]).len() == 50);
    }

    #[test]
    fn messages_go_over_https_or_stay_here() {
        for fine in
            ["https://hr.example/hook?k=1", "http://127.0.0.1:9/x", "http://[::1]/", "http://localhost/"]
        {
            assert!(address(fine).is_ok(), "{fine}");
        }
        let refused = [
            "",
            "hr.example",
            "http://hr.example/",
            "http://localhost.hr.example/",
            "ftp://hr.example/",
            "https://me:pw@hr.example/",
            "http://169.254.169.254/",
        ];
        for address in refused.iter().map(|text| super::address(text)) {
            assert!(address.is_err());
        }
    }
}
