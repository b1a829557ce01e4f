//! Petitions without their pages' history: an epoch, and as many true signatures as a measurement sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use daylight::app::AppState;
use daylight::credentials::issuer::IssuerKeys;
use daylight::credentials::wire::ActionRequest;
use daylight::identity::{self, NewPerson};
use daylight::ledger::proof::base64url;
use daylight::ledger::proof::leaf::Leaf;
use daylight::ledger::proof::petition::{
    CheckLeaf, Credential, Disclosure, EpochLeaf, IssuerRole, Mode, Outcome, PetitionLeaf, SignLeaf,
    sign_message,
};
use daylight::ledger::proof::token::{TokenKey, challenge_digest, input};
use daylight::ledger::proof::tree::Hash;
use daylight::ledger::{self, document_hash};
use daylight::web::Role;
use ed25519_dalek::{Signer, SigningKey};
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PSS_SHA384;
use serde_json::json;
use uuid::Uuid;

use crate::subject;

const EPOCH: &str = "2026-Q4";
const GROUP: &str = "all";

/// Both issuers' private keys of an epoch, for making tokens faster than blinding them would.
pub struct Issuers {
    pub leaf: EpochLeaf,
    keys: [Vec<KeyPair>; 2],
    origin: String,
    made: AtomicU64,
}

#[derive(Clone, Copy)]
pub struct Petition {
    pub id: Uuid,
    pub leaf: Hash,
    pub slot: u64,
}

fn daylight<T>(result: daylight::error::Result<T>) -> anyhow::Result<T> {
    result.map_err(|e| anyhow::anyhow!("{e}"))
}

/// Keys from their file, as ring reads them.
fn read_keys(folder: &std::path::Path) -> anyhow::Result<Vec<KeyPair>> {
    let text = std::fs::read_to_string(folder.join(format!("{EPOCH}.pem")))?;
    let parts = text.split("-----END PRIVATE KEY-----").filter(|part| part.contains("BEGIN"));
    let keys = parts.map(|part| {
        let lines = part.lines().filter(|line| !line.starts_with("-----")).collect::<String>();
        let der = STANDARD.decode(lines).context("a key isn't PEM")?;
        KeyPair::from_pkcs8(&der).map_err(|e| anyhow::anyhow!("{e}"))
    });
    keys.collect()
}

/// Begins an epoch with fresh keys of both issuers.
pub async fn begin(state: &AppState) -> anyhow::Result<Issuers> {
    let base = subject::folder().join("issuers");
    let folders = [base.join("operator"), base.join("representative")];
    let [operator, representative] = [0, 1].map(|n| IssuerKeys::open(&folders[n], EPOCH, &state.random));
    let leaf = EpochLeaf {
        epoch: EPOCH.into(),
        group: GROUP.into(),
        operator: operator?.as_issuer("operator.example"),
        representative: representative?.as_issuer("works-council.example"),
        previous: None,
        signature: String::new(),
    };
    let mut db = state.db.acquire().await?;
    let person = NewPerson {
        email: "council@bench.example",
        name: "Council",
        roles: &[Role::Representative],
        ..NewPerson::default()
    };
    let person = daylight(identity::add_person(&mut db, state, &person).await)?;
    let entry = daylight(ledger::submit(&mut db, &Leaf::Epoch(leaf.clone())).await)?;
    sqlx::query(
        "insert into representative_server
             (id, name, url, public_key, token_hash, run_by, same_operator, connected_by, connected_at)
         values ($1, 'works-council.example', 'http://127.0.0.1:9', sha256('k'), sha256('t'), 'council', false, $2, now())",
    )
    .bind(Uuid::from_u128(1))
    .bind(person)
    .execute(&mut *db)
    .await?;
    sqlx::query(
        "insert into petition_epoch
             (epoch, number, group_name, representative_id, ends_at, leaf, leaf_hash, ledger_entry, began_at)
         values ($1, 1, $2, $3, now() + interval '90 days', $4, sha256('e'), $5, now())",
    )
    .bind(EPOCH)
    .bind(GROUP)
    .bind(Uuid::from_u128(1))
    .bind(serde_json::to_value(&leaf)?)
    .bind(entry.0)
    .execute(&mut *db)
    .await?;
    let keys = [read_keys(&folders[0])?, read_keys(&folders[1])?];
    Ok(Issuers { leaf, keys, origin: state.config.log_origin.clone(), made: AtomicU64::new(0) })
}

/// A petition that takes signatures.
pub async fn open(state: &AppState, slot: u64) -> anyhow::Result<Petition> {
    let id = state.random.opaque_id();
    let demand = "We ask for windows that open, and for desks that stand where daylight falls.";
    let background = "The hall was planned for machines. ".repeat(60);
    let document = json!({"title": "Daylight at every desk", "demand": demand, "background": background, "about": null,
        "open_days": 60});
    let content = document_hash(&document)?;
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
    let mut db = state.db.acquire().await?;
    let entry = daylight(ledger::submit(&mut db, &leaf).await)?;
    let leaf = daylight(ledger::leaf_hash_of(&mut db, entry).await)?;
    sqlx::query(
        "insert into petition (id, state, author_key, epoch, slot, open_days, version, opened_at, closes_at, threshold)
         values ($1, 'open', sha256($1::text::bytea), $2, $3, 60, 1, now(), now() + interval '60 days', 100)",
    )
    .bind(id)
    .bind(EPOCH)
    .bind(slot as i32)
    .execute(&mut *db)
    .await?;
    sqlx::query(
        "insert into petition_version (petition_id, version, document, content_sha256, leaf_hash, ledger_entry)
         values ($1, 1, $2, $3, $4, $5)",
    )
    .bind(id)
    .bind(document)
    .bind(content.0.to_vec())
    .bind(leaf.0.to_vec())
    .bind(entry.0)
    .execute(&mut *db)
    .await?;
    let closes_at: String = sqlx::query_scalar(
        "update petition set closes_at = date_trunc('hour', closes_at) where id = $1
         returning to_char(closes_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
    )
    .bind(id)
    .fetch_one(&mut *db)
    .await?;
    let check = CheckLeaf {
        petition: leaf,
        outcome: Outcome::Opened,
        code: None,
        content: None,
        threshold: 100,
        closes_at,
    };
    let entry = daylight(ledger::submit(&mut db, &Leaf::Check(check)).await)?;
    sqlx::query("update petition set check_entry = $2 where id = $1")
        .bind(id)
        .bind(entry.0)
        .execute(&mut *db)
        .await?;
    drop(db);
    daylight(state.ledger.settle().await)?;
    Ok(Petition { id, leaf, slot })
}

impl Issuers {
    fn token(&self, role: IssuerRole, slot: u64, nonce: &[u8; 32]) -> anyhow::Result<String> {
        let (issuer, keys) = match role {
            IssuerRole::Operator => (&self.leaf.operator, &self.keys[0]),
            IssuerRole::Representative => (&self.leaf.representative, &self.keys[1]),
        };
        let key = TokenKey::parse(&issuer.keys[slot as usize])?;
        let challenge = challenge_digest(&issuer.name, EPOCH, GROUP, slot, &self.origin);
        let mut token = vec![0; 256];
        let message = input(nonce, &challenge, &key.id());
        let signed = keys[slot as usize].sign(&RSA_PSS_SHA384, &SystemRandom::new(), &message, &mut token);
        signed.map_err(|_| anyhow::anyhow!("a token can't be signed"))?;
        Ok(base64url(&token))
    }

    /// A confidential signature by somebody new, and its leaf.
    fn sign(&self, petition: Petition) -> anyhow::Result<(ActionRequest, SignLeaf)> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let seed = daylight::ledger::proof::tree::Hash::of(&number.to_be_bytes());
        let key = SigningKey::from_bytes(&seed.0);
        let nonce = key.verifying_key().to_bytes();
        let credential = Credential {
            key: Hash(nonce),
            operator: self.token(IssuerRole::Operator, petition.slot, &nonce)?,
            representative: self.token(IssuerRole::Representative, petition.slot, &nonce)?,
        };
        let mut leaf = SignLeaf {
            petition: petition.leaf,
            number: 1,
            mode: Mode::Confidential,
            disclosure: Disclosure::Nobody,
            signer: None,
            credential: credential.clone(),
            signature: String::new(),
        };
        leaf.signature = base64url(&key.sign(sign_message(&self.origin, &leaf).as_bytes()).to_bytes());
        let request = ActionRequest::Sign {
            petition: petition.leaf,
            number: 1,
            mode: Mode::Confidential,
            disclosure: Disclosure::Nobody,
            credential,
            signature: leaf.signature.clone(),
            signer: None,
        };
        Ok((request, leaf))
    }

    /// So many signatures by different people, as whole requests; made on all cores.
    pub fn requests(self: &Arc<Self>, petition: Petition, count: usize) -> anyhow::Result<Vec<Vec<u8>>> {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let share = count.div_ceil(threads);
        let made: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|n| {
                    let issuers = self.clone();
                    scope.spawn(move || -> anyhow::Result<Vec<Vec<u8>>> {
                        let mine = share.min(count.saturating_sub(n * share));
                        (0..mine)
                            .map(|_| Ok(post(&serde_json::to_vec(&issuers.sign(petition)?.0)?)))
                            .collect()
                    })
                })
                .collect();
            workers.into_iter().map(|w| w.join().map_err(|_| anyhow::anyhow!("a worker panicked"))?).collect()
        });
        let lists: anyhow::Result<Vec<Vec<Vec<u8>>>> = made.into_iter().collect();
        Ok(lists?.concat())
    }
}

fn post(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /api/v1/petitions/actions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
