//! An epoch that has begun, colleagues with packs of both issuers, and petitions that take signatures, set up
//! straight in the database; how they come about through the pages is tested where it belongs.

use std::sync::LazyLock;

use daylight::clock::Random;
use daylight::credentials::holder::{Holder, Pack};
use daylight::credentials::issuer::IssuerKeys;
use daylight::credentials::seed::Seed;
use daylight::credentials::wire::PackResponse;
use daylight::ledger::proof::leaf::{KeyLeaf, Leaf};
use daylight::ledger::proof::petition::{
    CheckLeaf, EpochLeaf, IssueLeaf, IssuerRole, Outcome, PetitionLeaf, RollLeaf, epoch_message,
    issue_message, roll_commitment, roll_message, roll_root,
};
use daylight::ledger::proof::tree::Hash;
use daylight::ledger::proof::{base64url, from_base64url};
use daylight::ledger::{self, document_hash};
use daylight::web::Role;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::json;
use uuid::Uuid;

use super::TestApp;

pub const EPOCH: &str = "2026-Q4";
pub const GROUP: &str = "all";
pub const OPERATOR: &str = "operator.example";
pub const REPRESENTATIVE: &str = "works-council.example";

/// Making token keys takes seconds: all tests of a run share these.
static KEYS: LazyLock<[IssuerKeys; 2]> =
    LazyLock::new(|| [11, 12].map(|seed| IssuerKeys::generate(&Random::seeded(seed)).expect("token keys")));

/// Of the representative's next epochs: a key is never used again.
static NEXT_KEYS: LazyLock<IssuerKeys> =
    LazyLock::new(|| IssuerKeys::generate(&Random::seeded(13)).expect("token keys"));

pub fn next_token_keys() -> &'static IssuerKeys {
    &NEXT_KEYS
}

/// The representative's Ed25519 key.
pub fn representative_key() -> SigningKey {
    SigningKey::from_bytes(&[0x52; 32])
}

pub fn token_keys(role: IssuerRole) -> &'static IssuerKeys {
    match role {
        IssuerRole::Operator => &KEYS[0],
        IssuerRole::Representative => &KEYS[1],
    }
}

/// A colleague with a wallet.
pub struct Colleague {
    pub person: Uuid,
    pub worker_ref: Uuid,
    pub holder: Holder,
    pub pack: Pack,
}

/// An epoch with everybody on its roll.
pub struct Epoch {
    pub leaf: EpochLeaf,
    pub leaf_hash: Hash,
    pub colleagues: Vec<Colleague>,
}

/// A petition that takes signatures.
#[derive(Debug, Clone, Copy)]
pub struct Open {
    pub id: Uuid,
    /// Of its only version.
    pub leaf_hash: Hash,
    pub slot: u64,
}

fn signed(key: &SigningKey, message: &str) -> String {
    base64url(&key.sign(message.as_bytes()).to_bytes())
}

/// Hands in a leaf and answers its entry's id and its hash.
pub async fn enter(app: &TestApp, leaf: &Leaf) -> (i64, Hash) {
    let mut db = app.state.db.acquire().await.expect("a connection");
    let entry = ledger::submit(&mut db, leaf).await.expect("the leaf is taken");
    let hash = ledger::leaf_hash_of(&mut db, entry).await.expect("its hash");
    drop(db);
    app.state.ledger.settle().await.expect("the log signs");
    (entry.0, hash)
}

/// Begins an epoch with `count` colleagues, made for it, who all have their packs.
pub async fn begin(app: &TestApp, count: usize) -> Epoch {
    let mut people = Vec::new();
    for n in 0..count {
        people.push(app.person(&format!("colleague{n}@example.com"), &[Role::Worker]).await);
    }
    begin_with(app, &people).await
}

/// Begins an epoch with these people on its roll.
pub async fn begin_with(app: &TestApp, people: &[Uuid]) -> Epoch {
    let origin = app.state.config.log_origin.clone();
    let now = app.state.clock.now();
    let key = representative_key();
    let announced =
        KeyLeaf::announce_as("representative", &origin, &key.verifying_key(), &now.to_string(), &key);
    enter(app, &Leaf::Key(announced)).await;
    let connector = app.person("council@example.com", &[Role::Representative]).await;
    sqlx::query(
        "insert into representative_server (id, name, url, public_key, token_hash, run_by, same_operator,
             connected_by, connected_at)
         values ($1, $2, 'http://127.0.0.1:9', $3, $4, 'the works council', false, $5, $6)",
    )
    .bind(Uuid::from_u128(77))
    .bind(REPRESENTATIVE)
    .bind(key.verifying_key().as_bytes().to_vec())
    .bind(vec![1u8; 32])
    .bind(connector)
    .bind(now)
    .execute(&app.state.db)
    .await
    .expect("the representative's server");

    let _ = token_keys(IssuerRole::Operator).write(app.state.petitions.folder(), EPOCH);
    let mut leaf = EpochLeaf {
        epoch: EPOCH.into(),
        group: GROUP.into(),
        operator: token_keys(IssuerRole::Operator).as_issuer(OPERATOR),
        representative: token_keys(IssuerRole::Representative).as_issuer(REPRESENTATIVE),
        previous: None,
        signature: String::new(),
    };
    leaf.signature = signed(&key, &epoch_message(&origin, &leaf));
    let (entry, leaf_hash) = enter(app, &Leaf::Epoch(leaf.clone())).await;
    sqlx::query(
        "insert into petition_epoch (epoch, number, group_name, representative_id, ends_at, leaf, leaf_hash,
             ledger_entry, began_at) values ($1, 1, $2, $3, '2027-01-01T00:00:00Z', $4, $5, $6, $7)",
    )
    .bind(EPOCH)
    .bind(GROUP)
    .bind(Uuid::from_u128(77))
    .bind(serde_json::to_value(&leaf).expect("JSON"))
    .bind(leaf_hash.0.to_vec())
    .bind(entry)
    .bind(now)
    .execute(&app.state.db)
    .await
    .expect("the epoch");
    let mut epoch = Epoch { leaf, leaf_hash, colleagues: Vec::new() };
    enrol(app, &mut epoch, people).await;
    epoch
}

/// Puts people on the roll and gives them their packs.
async fn enrol(app: &TestApp, epoch: &mut Epoch, people: &[Uuid]) {
    let state = &app.state;
    let origin = state.config.log_origin.clone();
    let mut commitments = Vec::new();
    for (place, person) in people.iter().enumerate() {
        let holder = Holder { seed: Seed(state.random.bytes()), origin: origin.clone() };
        let worker_ref = state.random.opaque_id();
        let salt: [u8; 32] = state.random.bytes();
        let id_key = holder.identity();
        commitments.push(roll_commitment(&salt, worker_ref, Some(&id_key)));
        sqlx::query("insert into wallet (person_id, worker_ref, id_key, enrolled_on) values ($1, $2, $3, '2026-11-02')")
            .bind(person)
            .bind(worker_ref)
            .bind(id_key.0.to_vec())
            .execute(&state.db)
            .await
            .expect("a wallet");
        sqlx::query(
            "insert into petition_roll_entry (epoch, place, person_id, worker_ref, id_key, salt, version)
             values ($1, $2, $3, $4, $5, $6, 1)",
        )
        .bind(EPOCH)
        .bind(place as i32)
        .bind(person)
        .bind(worker_ref)
        .bind(id_key.0.to_vec())
        .bind(salt.to_vec())
        .execute(&state.db)
        .await
        .expect("a place on the roll");
        let pack = Pack {
            epoch: EPOCH.into(),
            group: GROUP.into(),
            index: place as u64,
            operator: Vec::new(),
            representative: Vec::new(),
        };
        epoch.colleagues.push(Colleague { person: *person, worker_ref, holder, pack });
    }
    let root = roll_root(&commitments);
    let size = people.len() as u64;
    let key = representative_key();
    let signature = signed(&key, &roll_message(&origin, EPOCH, 1, size, &root));
    let roll = RollLeaf { epoch: EPOCH.into(), version: 1, size, root, signature: signature.clone() };
    let (entry, _) = enter(app, &Leaf::Roll(roll)).await;
    sqlx::query(
        "insert into petition_roll (epoch, version, size, root, signature, ledger_entry) values ($1, 1, $2, $3, $4, $5)",
    )
    .bind(EPOCH)
    .bind(size as i32)
    .bind(root.0.to_vec())
    .bind(signature)
    .bind(entry)
    .execute(&state.db)
    .await
    .expect("the roll");
    for n in 0..epoch.colleagues.len() {
        for role in IssuerRole::BOTH {
            give_pack(app, epoch, n, role).await;
        }
    }
    state.ledger.settle().await.expect("the log signs");
}

async fn give_pack(app: &TestApp, epoch: &mut Epoch, n: usize, role: IssuerRole) {
    let origin = app.state.config.log_origin.clone();
    let colleague = &mut epoch.colleagues[n];
    let asked = colleague.holder.ask(&epoch.leaf, role, n as u64).expect("a request");
    let blinded: Vec<Vec<u8>> =
        asked.request.blinded.iter().map(|b| from_base64url(b).expect("base64url")).collect();
    let answer = token_keys(role).sign_pack(&blinded, &app.state.random).expect("a pack");
    let answer = PackResponse { signed: answer.iter().map(|s| base64url(s)).collect() };
    let tokens = asked.finish(&answer).expect("the tokens verify");
    match role {
        IssuerRole::Operator => colleague.pack.operator = tokens,
        IssuerRole::Representative => colleague.pack.representative = tokens,
    }
    let request = daylight::ledger::proof::petition::request_hash(blinded.iter().map(Vec::as_slice));
    let signature = (role == IssuerRole::Representative).then(|| {
        signed(&representative_key(), &issue_message(&origin, EPOCH, REPRESENTATIVE, n as u64, &request))
    });
    let leaf =
        Leaf::Issue(IssueLeaf { epoch: EPOCH.into(), issuer: role, index: n as u64, request, signature });
    let mut db = app.state.db.acquire().await.expect("a connection");
    let entry = ledger::submit(&mut db, &leaf).await.expect("the leaf is taken");
    sqlx::query(
        "insert into petition_pack (epoch, issuer, place, request, ledger_entry) values ($1, $2, $3, $4, $5)",
    )
    .bind(EPOCH)
    .bind(role.id())
    .bind(n as i32)
    .bind(request.0.to_vec())
    .bind(entry.0)
    .execute(&mut *db)
    .await
    .expect("the pack is noted");
}

/// A petition that has been open since now, for 60 days.
pub async fn open(app: &TestApp, author: Uuid, slot: u64, title: &str) -> Open {
    let state = &app.state;
    let id = state.random.opaque_id();
    let document = json!({"title": title, "demand": "We ask for it.", "background": ""});
    let content = document_hash(&document).expect("a hash");
    let leaf = Leaf::Petition(PetitionLeaf {
        petition: id,
        version: 1,
        previous: None,
        content,
        epoch: EPOCH.into(),
        slot,
        author: None,
        signature: None,
    });
    let (entry, leaf_hash) = enter(app, &leaf).await;
    let now = state.clock.now();
    let check = CheckLeaf {
        petition: leaf_hash,
        outcome: Outcome::Opened,
        code: None,
        content: None,
        threshold: 10,
        closes_at: now.plus_days(60).to_string(),
    };
    let (check_entry, _) = enter(app, &Leaf::Check(check)).await;
    sqlx::query(
        "insert into petition (id, state, author_id, epoch, slot, open_days, version, opened_at, closes_at, threshold,
             check_entry)
         values ($1, 'open', $2, $3, $4, 60, 1, $5, $6, 10, $7)",
    )
    .bind(id)
    .bind(author)
    .bind(EPOCH)
    .bind(slot as i32)
    .bind(now)
    .bind(now.plus_days(60))
    .bind(check_entry)
    .execute(&state.db)
    .await
    .expect("the petition");
    sqlx::query(
        "insert into petition_version (petition_id, version, document, content_sha256, leaf_hash, ledger_entry)
         values ($1, 1, $2, $3, $4, $5)",
    )
    .bind(id)
    .bind(document)
    .bind(content.0.to_vec())
    .bind(leaf_hash.0.to_vec())
    .bind(entry)
    .execute(&state.db)
    .await
    .expect("its version");
    Open { id, leaf_hash, slot }
}
