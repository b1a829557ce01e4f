//! What the browser's script derives, blinds and signs is, byte for byte, what the library does.

use daylight::clock::Random;
use daylight::credentials::action::{self, Known, Slot};
use daylight::credentials::holder::{Holder, Pack};
use daylight::credentials::seed::Seed;
use daylight::credentials::wire::{ActionRequest, PackRequest, PackResponse, fingerprint};
use daylight::ledger::document_hash;
use daylight::ledger::proof::petition::{Disclosure, EpochLeaf, IssuerRole};
use daylight::ledger::proof::tree::Hash;
use daylight::ledger::proof::{base64url, from_base64url};
use rsa::traits::PublicKeyParts;
use rsa::{BoxedUint, RsaPublicKey};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::site::{WORKER, example};
use crate::support::petition::{EPOCH, GROUP, OPERATOR, REPRESENTATIVE, token_keys};
use crate::tab::Tab;

const ORIGIN: &str = "daylight.example/log";
const VECTORS: &str = include_str!("../it/support/vectors/rfc9474.json");
const BLINDRSA: &str = include_str!("../../static/vendor/blindrsa.js");

/// A page that has the wallet's scripts, and the library, which pages load when they need it.
async fn tab() -> Tab {
    let tab = example().await.signed_in(WORKER).await;
    tab.open("/about").await;
    let _: bool = tab.eval(&format!("{BLINDRSA}\n; true")).await;
    tab
}

/// What a function makes of an argument.
async fn run(tab: &Tab, function: &str, argument: Value) -> Value {
    tab.eval(&format!("({function})({argument})")).await
}

fn holder() -> Holder {
    Holder { seed: Seed([0x5a; 32]), origin: ORIGIN.into() }
}

fn epoch() -> EpochLeaf {
    EpochLeaf {
        epoch: EPOCH.into(),
        group: GROUP.into(),
        operator: token_keys(IssuerRole::Operator).as_issuer(OPERATOR),
        representative: token_keys(IssuerRole::Representative).as_issuer(REPRESENTATIVE),
        previous: None,
        signature: String::new(),
    }
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("a text").trim_start_matches("0x");
    let text = if text.len() % 2 == 1 { format!("0{text}") } else { text.to_owned() };
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("hex")).collect()
}

#[tokio::test]
async fn blinding_gives_the_rfcs_bytes() {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).expect("the vectors");
    let v = vectors.iter().find(|v| v["name"] == "RSABSSA-SHA384-PSS-Deterministic").expect("the variant");
    // The vectors give the factor's inverse.
    let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, 4096).expect("a number");
    let key = RsaPublicKey::new(number(&hex(&v["n"])), number(&[1, 0, 1])).expect("the vectors' key");
    let factor = number(&hex(&v["inv"])).invert_mod(key.n()).expect("it has one").to_be_bytes();
    // A candidate that is too large is passed over.
    let stream = [hex(&v["salt"]), vec![0xff; 512], factor.to_vec()].concat();
    let argument = json!({
        "n": base64url(&hex(&v["n"])), "message": base64url(&hex(&v["input_msg"])), "stream": base64url(&stream),
        "answer": base64url(&hex(&v["blind_sig"])),
    });
    let script = "async ({n, message, stream, answer}) => {
        const {fromBase64Url: from, toBase64Url: to} = WalletKeys;
        const jwk = {kty: 'RSA', n, e: 'AQAB', alg: 'PS384', ext: true};
        const key = await crypto.subtle.importKey('jwk', jwk, {name: 'RSA-PSS', hash: 'SHA-384'}, true, ['verify']);
        const {blindedMsg, inv} = await BlindRsa.blind(key, from(message), from(stream));
        const short = await BlindRsa.blind(key, from(message), from(stream).slice(0, 560)).catch((e) => e.message);
        return [blindedMsg, inv, await BlindRsa.finalize(key, from(message), from(answer), inv)].map(to).concat(short);
      }";
    let tab = tab().await;
    let wanted = ["blinded_msg", "inv", "sig"].map(|name| base64url(&hex(&v[name])));
    let mut found: Vec<String> = serde_json::from_value(run(&tab, script, argument).await).expect("texts");
    assert_eq!(found.pop().as_deref(), Some("the stream is too short"), "it never takes other chance");
    assert_eq!(found, wanted);
    tab.close().await;
}

#[tokio::test]
async fn what_is_derived_is_the_same() {
    let tab = tab().await;
    let (holder, key) = (holder(), &token_keys(IssuerRole::Operator).public()[3]);
    let script = "async ({seed, key}) => {
        const {fromBase64Url: from, toBase64Url: to} = WalletKeys, bytes = from(seed);
        const slots = [];
        for (let slot = 0; slot < 16; slot += 1) slots.push((await WalletKeys.slotKey(bytes, '2026-Q4', 'all', slot)).public);
        const {id} = await WalletKeys.tokenKey(key), code = await WalletKeys.toCode(bytes);
        const wrong = code.replace(/^./, (c) => c === '0' ? '1' : '0');
        return {
          identity: (await WalletKeys.identityKey(bytes)).public, slots, fingerprint: await WalletKeys.fingerprint(slots[0]), code, id: to(id),
          stream: to(await WalletKeys.blindingStream(bytes, '2026-Q4', 'all', 3, to(id))),
          read: to(await WalletKeys.fromCode(code.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l'))),
          refused: [await WalletKeys.fromCode(wrong), await WalletKeys.fromCode(''), await WalletKeys.fromCode(code + 'A')],
        };
      }";
    let argument = json!({"seed": base64url(&holder.seed.0), "key": key.to_string()});
    let slots =
        (0..16).map(|slot| base64url(holder.seed.slot_key(EPOCH, GROUP, slot).verifying_key().as_bytes()));
    let slots: Vec<String> = slots.collect();
    let first: Hash = slots[0].parse().expect("a key");
    let wanted = json!({
        "identity": holder.identity(), "slots": slots, "fingerprint": fingerprint(&first), "code": holder.seed.to_code(), "id": key.id(),
        "stream": base64url(&holder.seed.blinding_stream(EPOCH, GROUP, 3, key)), "read": base64url(&holder.seed.0),
        "refused": [null, null, null],
    });
    assert_eq!(run(&tab, script, argument).await, wanted);
    tab.close().await;
}

#[tokio::test]
async fn a_pack_that_the_browser_blinds_is_signed_and_verifies_here() {
    let tab = tab().await;
    let (holder, epoch) = (holder(), epoch());
    let mut argument = json!({"seed": base64url(&holder.seed.0), "origin": ORIGIN, "epoch": epoch});
    let ask = "async ({seed, origin, epoch}) => {
        window.asked = await WalletKeys.ask(WalletKeys.fromBase64Url(seed), origin, epoch, 'operator', 7);
        return window.asked.request;
      }";
    let request = run(&tab, ask, argument.clone()).await;
    let request: PackRequest = serde_json::from_value(request).expect("a request");
    let asked = holder.ask(&epoch, IssuerRole::Operator, 7).expect("a request");
    assert_eq!(request, asked.request, "the same blinded messages, the same signature");

    let keys = token_keys(IssuerRole::Operator);
    let blinded: Vec<_> = request.blinded.iter().map(|b| from_base64url(b).expect("base64url")).collect();
    let signed = keys.sign_pack(&blinded, &Random::seeded(9)).expect("signed");
    let mut answer = PackResponse { signed: signed.iter().map(|s| base64url(s)).collect() };
    let finish = "(answer) => WalletKeys.finish(window.asked, answer).catch((fault) => fault.message)";
    let tokens = run(&tab, finish, json!(answer)).await;
    assert_eq!(tokens, json!(asked.finish(&answer).expect("the tokens verify")));
    answer.signed.swap(3, 4);
    let refused = run(&tab, finish, json!(answer)).await;
    assert_eq!(refused, "An issuer’s answer doesn’t verify, so it isn’t used.");
    answer.signed.truncate(15);
    assert_eq!(run(&tab, finish, json!(answer)).await, "An issuer’s answer is incomplete.");
    // A key of another length is no key.
    argument["epoch"]["operator"]["keys"][2] = json!(base64url(&[0xff; 512]));
    let refused = run(&tab, &format!("(it) => ({ask})(it).catch((fault) => fault.message)"), argument).await;
    assert_eq!(refused, "An issuer’s key isn’t one of 2048 bits.");
    tab.close().await;
}

#[tokio::test]
async fn what_is_signed_is_the_same_and_passes_the_check() {
    let tab = tab().await;
    let (holder, epoch, worker) = (holder(), epoch(), Uuid::from_u128(0xabc));
    let (leaf, slot) = (Hash([7; 32]), 4);
    let mut pack = Pack {
        epoch: EPOCH.into(),
        group: GROUP.into(),
        index: 7,
        operator: Vec::new(),
        representative: Vec::new(),
    };
    for role in IssuerRole::BOTH {
        let asked = holder.ask(&epoch, role, 7).expect("a request");
        let blinded: Vec<_> =
            asked.request.blinded.iter().map(|b| from_base64url(b).expect("base64url")).collect();
        let signed = token_keys(role).sign_pack(&blinded, &Random::seeded(9)).expect("signed");
        let answer = PackResponse { signed: signed.iter().map(|s| base64url(s)).collect() };
        let tokens = asked.finish(&answer).expect("the tokens verify");
        match role {
            IssuerRole::Operator => pack.operator = tokens,
            IssuerRole::Representative => pack.representative = tokens,
        }
    }
    let document = json!({"title": "Mehr Tageslicht für “alle” \u{1f33b}", "demand": "A\nB", "background": "",
        "about": null, "open_days": 60});
    let argument = json!({"seed": base64url(&holder.seed.0), "origin": ORIGIN, "worker": worker, "pack": pack,
        "leaf": leaf, "slot": slot, "document": document});
    let script = "async ({seed, origin, worker, pack, leaf, slot, document}) => {
        const wallet = {seed: WalletKeys.fromBase64Url(seed), origin, worker}, target = {petition: leaf, slot};
        return {
          confidential: await WalletKeys.sign(wallet, pack, target, 1, 'nobody'),
          named: await WalletKeys.sign(wallet, pack, target, 3, 'everyone_with_department'),
          withdraw: await WalletKeys.withdraw(wallet, pack, target, 2),
          author: await WalletKeys.author(wallet, pack, worker, 1, document),
          act: await WalletKeys.authorAct(wallet, pack, worker, 'update', leaf),
        };
      }";
    let found = run(&tab, script, argument).await;
    let of = Slot::of(ORIGIN, &epoch, slot, leaf).expect("a slot");
    let known = |_| Some(Known { worker_ref: worker, id_key: holder.identity() });
    let sign =
        |number, disclosure| holder.sign(&pack, (leaf, slot), number, disclosure, worker).expect("signed");
    for (name, wanted) in [
        ("confidential", sign(1, Disclosure::Nobody)),
        ("named", sign(3, Disclosure::EveryoneWithDepartment)),
        ("withdraw", holder.withdraw(&pack, (leaf, slot), 2)),
    ] {
        let request: ActionRequest = serde_json::from_value(found[name]["request"].clone()).expect(name);
        assert_eq!(request, wanted, "{name}");
        let checked = action::check(ORIGIN, &of, &request, known).expect(name);
        assert_eq!(found[name]["leafHash"], json!(checked.leaf_hash), "{name}");
    }
    let content = document_hash(&document).expect("a hash");
    let (credential, signature) = holder.author(&pack, worker, 1, &content).expect("signed");
    assert_eq!(found["author"], json!({"credential": credential, "signature": signature}));
    assert_eq!(found["act"], json!(holder.author_act(&pack, worker, "update", &leaf)));
    tab.close().await;
}
