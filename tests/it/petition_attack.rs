//! A curious operator with everything: the database with what it tells on the side (where rows lie, which
//! transaction wrote them), his keys, his logs, the staff list. Whose a confidential signature is, he guesses no
//! better than chance.

use daylight::credentials::wire::ActionRequest;
use daylight::ledger::proof::petition::Disclosure;
use daylight::ledger::proof::token::{self, challenge_digest};
use daylight::ledger::proof::{base64url, from_base64url, petition::IssuerRole};
use daylight::petitions::signing;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BoxedUint, RsaPrivateKey, pkcs8::DecodePrivateKey};
use serde_json::Value;
use sqlx::AssertSqlSafe;

use crate::support::petition::{self, Colleague, EPOCH, Epoch, GROUP, Open};
use crate::support::{TestApp, logs};

const PATH: &str = "/api/v1/petitions/actions";
const PEOPLE: usize = 40;

/// Everybody signs in and reads the petition, seven minutes apart; every other one signs.
struct Scene {
    app: TestApp,
    epoch: Epoch,
    open: Open,
    /// In the order of their visits.
    signed: Vec<usize>,
    log: String,
}

impl Scene {
    async fn play() -> Self {
        logs::capture();
        let app = TestApp::new().await;
        let epoch = petition::begin(&app, PEOPLE).await;
        let open = petition::open(&app, epoch.colleagues[0].person, 1, "More daylight").await;
        let mut signed = Vec::new();
        for (n, one) in epoch.colleagues.iter().enumerate() {
            app.state.clock.advance(7 * 60);
            let actor = app.sign_in_as(one.person).await;
            actor.get("/me/account").await;
            actor.get(&format!("/petitions/{}", open.id)).await.assert_status(200);
            if n % 2 == 0 {
                let reply = app.visitor().post_json(PATH, &action(one, &open), None).await;
                assert_eq!(reply.status, 202, "{}", reply.body);
                signed.push(n);
            }
        }
        Scene { app, epoch, open, signed, log: logs::captured() }
    }

    /// Each signer's key, in the order of their visits.
    fn keys(&self) -> Vec<Vec<u8>> {
        let key = |n: &usize| self.epoch.colleagues[*n].holder.seed.slot_key(EPOCH, GROUP, self.open.slot);
        self.signed.iter().map(|n| key(n).verifying_key().to_bytes().to_vec()).collect()
    }

    /// How well the order of these rows' places agrees with the order of visits: Spearman's rank correlation.
    async fn correlation(&self, table: &str, place: &str) -> f64 {
        let sql = format!("select key from {table} order by {place}");
        let rows: Vec<Vec<u8>> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&self.app.state.db).await.expect("rows");
        let ranks: Vec<f64> = self
            .keys()
            .iter()
            .filter_map(|key| rows.iter().position(|row| row == key))
            .map(|rank| rank as f64)
            .collect();
        spearman(&ranks)
    }
}

fn action(one: &Colleague, open: &Open) -> Value {
    let request =
        one.holder.sign(&one.pack, (open.leaf_hash, open.slot), 1, Disclosure::Nobody, one.worker_ref);
    serde_json::to_value(request.expect("signed")).expect("JSON")
}

/// Of ranks against 0, 1, 2, …
fn spearman(ranks: &[f64]) -> f64 {
    let mut sorted = ranks.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = |r: &f64| sorted.iter().position(|s| s == r).expect("one of them") as f64;
    let n = ranks.len() as f64;
    let squares: f64 = ranks.iter().enumerate().map(|(i, r)| (rank(r) - i as f64).powi(2)).sum();
    1.0 - 6.0 * squares / (n * (n * n - 1.0))
}

/// Above this, an order of twenty isn't chance: one in 10,000 is.
const CHANCE: f64 = 0.75;

#[tokio::test]
async fn no_order_tells_who_came_when() {
    let scene = Scene::play().await;
    let places = ["ctid", "xmin::text::bigint, ctid", "leaf_hash"];
    // The attack works where nothing protects: as long as rows lie as they came.
    assert!(scene.correlation("petition_waiting", places[1]).await > 0.99, "the attacker knows his trade");
    signing::forget_order(&scene.app.state).await.expect("forgotten");
    for place in places {
        let found = scene.correlation("petition_waiting", place).await;
        assert!(found.abs() < CHANCE, "waiting by {place}: {found}");
    }
    scene.app.state.clock.advance(3600);
    signing::publish_due(&scene.app.state).await.expect("published");
    assert_eq!(scene.app.count("petition_signature").await, 15);
    for place in ["ctid", "xmin::text::bigint, ctid", "ledger_entry"] {
        let found = scene.correlation("petition_signature", place).await;
        assert!(found.abs() < CHANCE, "published by {place}: {found}");
    }
    for place in ["ctid", "xmin::text::bigint, ctid"] {
        let found = scene.correlation("petition_waiting", place).await;
        assert!(found.abs() < 0.99, "left waiting by {place}: {found}");
    }
}

/// Tables that hold a slot's key or a signature's leaf hold these columns and no others. Before you add one: could it
/// be laid beside a session, an address, a clock?
#[tokio::test]
async fn nothing_stands_beside_a_key() {
    let scene = Scene::play().await;
    let app = &scene.app;
    app.state.clock.advance(3600);
    signing::publish_due(&app.state).await.expect("published");
    let known: &[(&str, &str)] = &[
        ("ledger_entry", "bytes hash id not_before position"),
        ("petition_signature", "disclosure key kind leaf_hash ledger_entry mode number petition_leaf"),
        (
            "petition_waiting",
            "disclosure key kind leaf leaf_hash mode number petition_leaf signer_id signer_salt",
        ),
    ];
    let tables: Vec<(String, String)> = sqlx::query_as(
        "select table_name::text, string_agg(column_name::text, ' ' order by column_name::text)
         from information_schema.columns where table_schema = 'public' group by table_name",
    )
    .fetch_all(&app.state.db)
    .await
    .expect("the catalogue");
    let mut found = 0;
    for (table, columns) in &tables {
        let sql = format!("select to_jsonb(t)::text from {table} t");
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&app.state.db).await.expect("rows");
        for (n, key) in scene.keys().iter().enumerate() {
            let one = &scene.epoch.colleagues[scene.signed[n]];
            let traces = traces(one, key, &scene.open);
            for row in rows.iter().filter(|row| traces.iter().any(|trace| row.contains(trace))) {
                found += 1;
                let allowed = known.iter().find(|(name, _)| name == table);
                let allowed = allowed.unwrap_or_else(|| panic!("{table} holds a key: {row}"));
                assert_eq!(columns, allowed.1, "{table}");
                for identity in identities(one) {
                    assert!(!row.contains(&identity), "{table} names {identity}: {row}");
                }
                let row: Value = serde_json::from_str(row).expect("JSON");
                assert!(row.get("signer_id").is_none_or(Value::is_null));
                assert!(row.get("not_before").is_none_or(Value::is_null));
            }
        }
    }
    assert!(found >= 2 * 15 + 5, "the search finds what is there: {found}");
}

/// A signature as it may appear: its key, tokens and hashes, in every spelling that the database uses.
fn traces(one: &Colleague, key: &[u8], open: &Open) -> Vec<String> {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let slot = open.slot as usize;
    let tokens = [&one.pack.operator[slot], &one.pack.representative[slot]];
    let mut traces = vec![hex(key), base64url(key), hex(base64url(key).as_bytes())];
    for token in tokens {
        let bytes = from_base64url(token).expect("base64url");
        traces.extend([hex(&bytes), token.clone(), hex(token.as_bytes())]);
    }
    traces
}

fn identities(one: &Colleague) -> Vec<String> {
    let id_key = one.holder.identity();
    let hex: String = id_key.0.iter().map(|b| format!("{b:02x}")).collect();
    vec![one.person.to_string(), one.worker_ref.to_string(), id_key.to_string(), hex, "colleague".into()]
}

#[tokio::test]
async fn no_log_line_tells_of_a_signature() {
    let scene = Scene::play().await;
    assert!(scene.log.contains("answered"), "the log was captured");
    assert!(!scene.log.contains("/petitions"), "not even that one came, or that somebody reads");
    for (n, key) in scene.keys().iter().enumerate() {
        let one = &scene.epoch.colleagues[scene.signed[n]];
        for trace in traces(one, key, &scene.open).iter().chain(&identities(one)[1..]) {
            assert!(!scene.log.contains(trace.as_str()), "{trace}");
        }
    }
}

/// With his private key and every blinded message that he ever saw, each token could come from each person: for
/// every pair there is exactly one blinding factor that explains it, and it looks like any other.
#[tokio::test]
async fn every_token_could_be_everybodys() {
    let app = TestApp::new().await;
    let epoch = petition::begin(&app, 8).await;
    let slot = 3usize;
    let pem =
        std::fs::read_to_string(app.state.petitions.folder().join(format!("{EPOCH}.pem"))).expect("his keys");
    let end = "-----END PRIVATE KEY-----";
    let key = pem.split_inclusive(end).nth(slot).expect("the slot's key").trim_start();
    let key = RsaPrivateKey::from_pkcs8_pem(key).expect("a key");
    let n = key.n().clone();
    let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, n.bits_precision()).expect("a number");
    let power = |base: &BoxedUint, exponent: &BoxedUint| {
        let form = rsa_montgomery(base, &key);
        form.pow(exponent).retrieve()
    };
    let issuer = &epoch.leaf.operator;
    let blinded: Vec<BoxedUint> = epoch
        .colleagues
        .iter()
        .map(|one| {
            let asked = one.holder.ask(&epoch.leaf, IssuerRole::Operator, one.pack.index).expect("asked");
            number(&from_base64url(&asked.request.blinded[slot]).expect("base64url"))
        })
        .collect();
    let tokens: Vec<BoxedUint> = epoch
        .colleagues
        .iter()
        .map(|one| number(&from_base64url(&one.pack.operator[slot]).expect("base64url")))
        .collect();
    // His best test: the factor that ties a blinded message to a token, and whether it looks special.
    let half = n.as_ref().shr(1);
    let (mut low_own, mut low_other, mut others) = (0, 0, 0);
    for (i, message) in blinded.iter().enumerate() {
        for (j, token) in tokens.iter().enumerate() {
            let encoded = power(token, key.e());
            let inverse = encoded.invert_mod(&n).expect("it has one");
            let factor = power(&message.mul_mod(&inverse, &n), key.d());
            let explains = power(&factor, key.e()).mul_mod(&encoded, &n);
            assert_eq!(&explains, message, "every pair has its factor");
            let low = i32::from(factor < half);
            if i == j {
                low_own += low;
            } else {
                low_other += low;
                others += 1;
            }
        }
    }
    // Over eight of one's own and 56 others' both are a coin's throw: none, or all, would be a sign.
    assert!((1..8).contains(&low_own), "{low_own} of 8");
    assert!((14..43).contains(&low_other), "{low_other} of {others}");
    // That the tokens are real ones.
    let nonce =
        epoch.colleagues[0].holder.seed.slot_key(EPOCH, GROUP, slot as u64).verifying_key().to_bytes();
    let challenge = challenge_digest(&issuer.name, EPOCH, GROUP, slot as u64, &app.state.config.log_origin);
    let public = token::TokenKey::parse(&issuer.keys[slot]).expect("a key");
    let bytes = from_base64url(&epoch.colleagues[0].pack.operator[slot]).expect("base64url");
    assert!(public.verifies(&nonce, &challenge, &bytes));
}

fn rsa_montgomery(base: &BoxedUint, key: &RsaPrivateKey) -> crypto_bigint::modular::BoxedMontyForm {
    crypto_bigint::modular::BoxedMontyForm::new(base.clone(), key.n_params())
}

#[tokio::test]
async fn the_operator_cant_take_an_action_for_somebody_else() {
    let scene = Scene::play().await;
    let (app, open) = (&scene.app, &scene.open);
    // With his own keys he makes a token, but not the representative's.
    let one = &scene.epoch.colleagues[1];
    let mut forged: ActionRequest = serde_json::from_value(action(one, open)).expect("an action");
    let stranger = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    if let ActionRequest::Sign { credential, .. } = &mut forged {
        credential.key = daylight::ledger::proof::tree::Hash(stranger.verifying_key().to_bytes());
    }
    let reply = app.visitor().post_json(PATH, &serde_json::to_value(forged).expect("JSON"), None).await;
    assert_eq!(reply.status, 403);
}
