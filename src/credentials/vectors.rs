//! The vectors of RFC 9474, appendix A.3, for the variant that is used: blinding, signing and checking give the
//! RFC's own bytes.

use blind_rsa_signatures::{Deterministic, PSS, PublicKey, SecretKey, Sha384};
use ring::signature::{RSA_PSS_2048_8192_SHA384, RsaPublicKeyComponents};
use rsa::traits::PublicKeyParts;
use rsa::{BoxedUint, RsaPrivateKey, RsaPublicKey};
use serde_json::Value;

use super::blinding;
use super::issuer::IssuerKeys;
use super::seed::Seed;
use crate::clock::Random;
use crate::ledger::proof::petition::SLOTS;
use crate::ledger::proof::token::{self, TokenKey, challenge_digest};

const VECTORS: &str = include_str!("../../tests/it/support/vectors/rfc9474.json");

fn vector(name: &str) -> Value {
    let all: Vec<Value> = serde_json::from_str(VECTORS).expect("the vectors");
    all.into_iter().find(|v| v["name"] == name).expect("the variant")
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("a text").trim_start_matches("0x");
    let text = if text.len() % 2 == 1 { format!("0{text}") } else { text.to_owned() };
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("hex")).collect()
}

fn number(value: &Value) -> BoxedUint {
    let bytes = bytes(value);
    BoxedUint::from_be_slice(&bytes, bytes.len() as u32 * 8).expect("a number")
}

#[test]
fn signing_gives_the_rfcs_bytes() {
    let v = vector("RSABSSA-SHA384-PSS-Deterministic");
    let primes = vec![number(&v["p"]), number(&v["q"])];
    let key = RsaPrivateKey::from_components(number(&v["n"]), number(&v["e"]), number(&v["d"]), primes);
    let key = SecretKey::<Sha384, PSS, Deterministic>::new(key.expect("the vectors' key"));
    let answer = key.blind_sign(bytes(&v["blinded_msg"])).expect("signed");
    assert_eq!(answer.0, bytes(&v["blind_sig"]));
    // The check of tokens is another crate's.
    let public = RsaPublicKeyComponents { n: bytes(&v["n"]), e: bytes(&v["e"]) };
    let message = bytes(&v["input_msg"]);
    assert!(public.verify(&RSA_PSS_2048_8192_SHA384, &message, &bytes(&v["sig"])).is_ok());
    assert!(public.verify(&RSA_PSS_2048_8192_SHA384, b"other", &bytes(&v["sig"])).is_err());
}

#[test]
fn blinding_gives_the_rfcs_bytes() {
    let v = vector("RSABSSA-SHA384-PSS-Deterministic");
    let modulus = bytes(&v["n"]);
    let key = RsaPublicKey::new(number(&v["n"]), number(&v["e"])).expect("the vectors' key");
    // The vectors give the factor's inverse.
    let inverse = BoxedUint::from_be_slice(&bytes(&v["inv"]), key.n().bits_precision()).expect("a number");
    let factor = inverse.invert_mod(key.n()).expect("it has one").to_be_bytes();
    let key = PublicKey::<Sha384, PSS, Deterministic>::new(key);
    let too_large = vec![0xff; modulus.len()];
    let stream = [bytes(&v["salt"]), too_large, factor.to_vec()].concat();
    let message = bytes(&v["input_msg"]);
    let blinded = blinding::blind_for(&key, &modulus, &message, &stream).expect("blinded");
    assert_eq!(blinded.message, bytes(&v["blinded_msg"]));
    let token = blinding::finalize_for(&key, &message, &blinded, &bytes(&v["blind_sig"]));
    assert_eq!(token.expect("it verifies"), bytes(&v["sig"]));
}

#[test]
fn a_pack_goes_round_and_the_same_seed_asks_the_same_again() {
    let random = Random::seeded(7);
    let keys = IssuerKeys::generate(&random).expect("keys");
    let seed = Seed([9; 32]);
    let pack = || -> Vec<(blinding::Blinded, Vec<u8>)> {
        let slots = (0..SLOTS).zip(keys.public());
        let one = slots.map(|(slot, key): (u64, &TokenKey)| {
            let challenge = challenge_digest("issuer.example", "2026-Q4", "all", slot, "example.org/log");
            let nonce = seed.slot_key("2026-Q4", "all", slot).verifying_key().to_bytes();
            let input = token::input(&nonce, &challenge, &key.id()).to_vec();
            let stream = seed.blinding_stream("2026-Q4", "all", slot, key);
            (blinding::blind(key, &input, &stream).expect("blinded"), input)
        });
        one.collect()
    };
    let first = pack();
    let messages: Vec<Vec<u8>> = first.iter().map(|(b, _)| b.message.clone()).collect();
    let answers = keys.sign_pack(&messages, &random).expect("signed");
    assert_eq!(answers, keys.sign_pack(&messages, &Random::seeded(8)).expect("signed"));
    for (slot, (((blinded, input), answer), again)) in first.iter().zip(&answers).zip(pack()).enumerate() {
        assert_eq!(blinded.message, again.0.message);
        let key = &keys.public()[slot];
        let token = blinding::finalize(key, input, blinded, answer).expect("the answer verifies");
        let nonce = seed.slot_key("2026-Q4", "all", slot as u64).verifying_key().to_bytes();
        let challenge = |slot| challenge_digest("issuer.example", "2026-Q4", "all", slot, "example.org/log");
        assert!(key.verifies(&nonce, &challenge(slot as u64), &token));
        assert!(!key.verifies(&nonce, &challenge(slot as u64 + 1), &token), "another slot's token");
        assert!(blinding::finalize(key, input, blinded, &answers[(slot + 1) % 16]).is_err());
    }
}

#[test]
fn the_key_id_is_of_the_spki_that_rfc_9578_wants() {
    let keys = IssuerKeys::generate(&Random::seeded(3)).expect("keys");
    let spki =
        blind_rsa_signatures::PublicKey::<Sha384, PSS, Deterministic>::from_spki(&keys.public()[0].spki());
    assert_eq!(spki.expect("an SPKI").to_spki().expect("an SPKI"), keys.public()[0].spki());
}
