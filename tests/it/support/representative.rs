//! A representative's server as tests need it: holds keys, checks and signs what it is given, gives out packs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use daylight::clock::Random;
use daylight::credentials::action::{self, Slot};
use daylight::credentials::holder::is_asked_by;
use daylight::credentials::wire::{
    ActionRequest, Countersignature, EnrolRequest, EpochInfo, IssueNotice, IssuerInfo, PackRequest,
    PackResponse, Promise, RollProposal,
};
use daylight::ledger::proof::leaf::{KeyLeaf, Leaf};
use daylight::ledger::proof::petition::{
    EpochLeaf, IssuerRole, enrol_message, epoch_message, is_signed, issue_message, promise_message,
    roll_commitment, roll_message, roll_root,
};
use daylight::ledger::proof::tree::{Hash, leaf_hash};
use daylight::ledger::proof::{base64url, from_base64url};
use daylight::web::Role;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::json;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::petition::{REPRESENTATIVE, next_token_keys, representative_key, token_keys};
use super::{Actor, Reply, TestApp};

/// The code that the played representative gives everybody on paper.
pub const CODE: &str = "PAPER-CODE";

#[derive(Clone)]
pub struct Played {
    pub url: String,
    /// The log's origin.
    pub origin: String,
    pub key: SigningKey,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    token: String,
    epoch: Option<EpochLeaf>,
    ends_at: Option<daylight::clock::Time>,
    /// By place.
    roll: Vec<(Uuid, Option<Hash>)>,
    /// Keys that workers brought with a code.
    enrolled: BTreeMap<Uuid, Hash>,
    /// Epochs before this one, each with its roll.
    former: Vec<Running>,
    /// By epoch and place.
    given: BTreeMap<(String, u64), Hash>,
    notices: Vec<IssueNotice>,
    /// By leaf hash of the version: its epoch and slot.
    petitions: BTreeMap<Hash, (String, u64)>,
    actions: Vec<ActionRequest>,
    used: BTreeSet<(Hash, Hash)>,
}

/// An epoch, its end and its roll.
type Running = (EpochLeaf, daylight::clock::Time, Vec<(Uuid, Option<Hash>)>);

impl Kept {
    /// The epoch with this name; the newest where none is given.
    fn running(&self, name: Option<&str>) -> Option<Running> {
        let newest = (self.epoch.clone()?, self.ends_at?, self.roll.clone());
        let Some(name) = name else { return Some(newest) };
        self.former.iter().chain([&newest]).find(|(leaf, ..)| leaf.epoch == name).cloned()
    }
}

fn signed(key: &SigningKey, message: &str) -> String {
    base64url(&key.sign(message.as_bytes()).to_bytes())
}

/// Token keys for the operator's next epoch: making them takes seconds.
pub fn lend_keys(app: &TestApp) {
    let _ = token_keys(IssuerRole::Operator).write(app.state.petitions.folder(), "next");
}

impl Played {
    /// Listens on a port of its own, for the log of this server.
    pub async fn start(app: &TestApp) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let origin = app.state.config.log_origin.clone();
        let played = Played { url, origin, key: representative_key(), kept: Arc::default() };
        let router = Router::new()
            .route("/issuer", get(issuer))
            .route("/epoch", get(epoch))
            .route("/places/{id_key}", get(place))
            .route("/enrol", post(enrol))
            .route("/packs", post(packs))
            .route("/actions", post(actions))
            .with_state(played.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        lend_keys(app);
        played
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("held for a moment only")
    }

    pub fn info(&self) -> IssuerInfo {
        let public = self.key.verifying_key();
        let from = "2026-11-01T00:00:00Z";
        IssuerInfo {
            role: IssuerRole::Representative,
            name: REPRESENTATIVE.into(),
            origin: self.origin.clone(),
            public_key: Hash(public.to_bytes()),
            other: None,
            announcement: Some(KeyLeaf::announce_as(
                "representative",
                &self.origin,
                &public,
                from,
                &self.key,
            )),
        }
    }

    /// Fills in the pairing page, both steps, and keeps the token.
    pub async fn pair(&self, app: &TestApp) -> Actor {
        let actor = app.actor(Role::Representative).await;
        let reply = self.connect(&actor).await.assert_status(200);
        let token = reply.select("#token").into_iter().next().expect("the token is shown");
        self.kept().token = token;
        actor
    }

    pub async fn connect(&self, actor: &Actor) -> Reply {
        let key = self.info().public_key.to_string();
        let fields = [
            ("url", self.url.as_str()),
            ("run_by", "the works council"),
            ("public_key", key.as_str()),
            ("compared", "yes"),
        ];
        actor.post("/petitions/representative", &fields).await
    }

    pub fn token(&self) -> String {
        self.kept().token.clone()
    }

    pub async fn get(&self, app: &TestApp, path: &str) -> Reply {
        let request = Request::get(path).header("authorization", format!("Bearer {}", self.token()));
        app.visitor().send(request, Body::empty()).await
    }

    pub async fn post<T: serde::Serialize + ?Sized>(&self, app: &TestApp, path: &str, body: &T) -> Reply {
        let body = serde_json::to_value(body).expect("JSON");
        app.visitor().post_json(path, &body, Some(&self.token())).await
    }

    /// What waits for a signature.
    pub async fn proposal(&self, app: &TestApp) -> Option<RollProposal> {
        let reply = self.get(app, "/api/v1/representative/roll").await;
        match reply.status {
            204 => None,
            _ => Some(serde_json::from_str(&reply.assert_status(200).body).expect("a proposal")),
        }
    }

    /// The signature under a proposal, as one who agrees gives it.
    pub fn countersign(&self, proposal: &RollProposal) -> Countersignature {
        let commitments: Vec<Hash> = proposal
            .entries
            .iter()
            .map(|e| {
                let salt = from_base64url(&e.salt).expect("base64url").try_into().expect("32 bytes");
                roll_commitment(&salt, e.worker_ref, e.id_key.as_ref())
            })
            .collect();
        let root = roll_root(&commitments);
        let (epoch, version) = (proposal.epoch.clone(), proposal.version);
        let message = roll_message(&self.origin, &epoch, version, proposal.entries.len() as u64, &root);
        let begins = proposal.operator.clone().map(|operator| {
            let mut leaf = EpochLeaf {
                epoch: epoch.clone(),
                group: proposal.group.clone(),
                operator,
                representative: match proposal.previous {
                    None => token_keys(IssuerRole::Representative).as_issuer(REPRESENTATIVE),
                    Some(_) => next_token_keys().as_issuer(REPRESENTATIVE),
                },
                previous: proposal.previous,
                signature: String::new(),
            };
            self.sign_epoch(&mut leaf);
            leaf
        });
        Countersignature { epoch, version, root, signature: signed(&self.key, &message), begins }
    }

    /// Signs an epoch anew, whatever it says.
    pub fn sign_epoch(&self, leaf: &mut EpochLeaf) {
        leaf.signature = signed(&self.key, &epoch_message(&self.origin, leaf));
    }

    /// Signs what waits, if anything does.
    pub async fn agree(&self, app: &TestApp) -> Option<RollProposal> {
        let proposal = self.proposal(app).await?;
        let signature = self.countersign(&proposal);
        self.post(app, "/api/v1/representative/roll", &signature).await.assert_status(204);
        let mut kept = self.kept();
        if let Some(leaf) = signature.begins {
            let former = kept.running(None);
            kept.former.extend(former);
            kept.epoch = Some(leaf);
        }
        kept.ends_at = Some(proposal.ends_at);
        kept.roll = proposal.entries.iter().map(|e| (e.worker_ref, e.id_key)).collect();
        Some(proposal)
    }

    pub fn notice(&self, epoch: &str, index: u64, request: Hash) -> IssueNotice {
        let message = issue_message(&self.origin, epoch, REPRESENTATIVE, index, &request);
        IssueNotice { epoch: epoch.into(), index, request, signature: signed(&self.key, &message) }
    }

    /// Tells the dashboard of the packs it gave out.
    pub async fn tell_issues(&self, app: &TestApp) {
        let notices = std::mem::take(&mut self.kept().notices);
        self.post(app, "/api/v1/representative/issues", &notices).await.assert_status(200);
    }

    /// Signs and shows an epoch that nobody else is shown.
    pub fn show(&self, mut leaf: EpochLeaf) -> EpochLeaf {
        leaf.signature = signed(&self.key, &epoch_message(&self.origin, &leaf));
        self.kept().epoch = Some(leaf.clone());
        leaf
    }

    /// Takes signatures for a version of a petition of the newest epoch.
    pub fn open(&self, version: Hash, slot: u64) {
        let mut kept = self.kept();
        let epoch = kept.epoch.as_ref().expect("an epoch").epoch.clone();
        kept.petitions.insert(version, (epoch, slot));
    }

    /// Who enrolled with a code.
    pub fn enrolled(&self) -> BTreeMap<Uuid, Hash> {
        self.kept().enrolled.clone()
    }

    pub fn actions(&self) -> Vec<ActionRequest> {
        self.kept().actions.clone()
    }

    fn give(&self, request: &PackRequest) -> Option<PackResponse> {
        let mut kept = self.kept();
        let (epoch, _, roll) = kept.running(Some(&request.epoch))?;
        let id_key = roll.get(usize::try_from(request.index).ok()?)?.1?;
        let hash = is_asked_by(&id_key, &self.origin, REPRESENTATIVE, request).ok()?;
        let place = (epoch.epoch.clone(), request.index);
        if *kept.given.entry(place).or_insert(hash) != hash {
            return None;
        }
        let notice = self.notice(&epoch.epoch, request.index, hash);
        kept.notices.push(notice);
        drop(kept);
        let blinded: Vec<Vec<u8>> = request.blinded.iter().flat_map(|b| from_base64url(b)).collect();
        let first = token_keys(IssuerRole::Representative);
        let is_first = first.as_issuer(REPRESENTATIVE) == epoch.representative;
        let keys = if is_first { first } else { next_token_keys() };
        let signed = keys.sign_pack(&blinded, &Random::seeded(4)).ok()?;
        Some(PackResponse { signed: signed.iter().map(|s| base64url(s)).collect() })
    }

    fn take(&self, request: &ActionRequest) -> Option<Promise> {
        let mut kept = self.kept();
        let (ActionRequest::Sign { petition, .. } | ActionRequest::Withdraw { petition, .. }) = request;
        let (epoch, slot) = kept.petitions.get(petition)?;
        let (leaf, _, roll) = kept.running(Some(epoch))?;
        let slot = Slot::of(&self.origin, &leaf, *slot, *petition)?;
        let known = |index: u64| {
            let (worker_ref, id_key) = *roll.get(index as usize)?;
            Some(action::Known { worker_ref, id_key: id_key? })
        };
        let action = action::check(&self.origin, &slot, request, known).ok()?;
        kept.used.insert((*petition, action.key));
        kept.actions.push(request.clone());
        let include_by = kept.ends_at?;
        let message = promise_message(&self.origin, &action.leaf_hash, &include_by.to_string());
        let signature = signed(&self.key, &message);
        Some(Promise { by: IssuerRole::Representative, leaf_hash: action.leaf_hash, include_by, signature })
    }
}

async fn issuer(State(played): State<Played>) -> Response {
    Json(played.info()).into_response()
}

type Named = Query<BTreeMap<String, String>>;

async fn epoch(State(played): State<Played>, Query(query): Named) -> Response {
    let running = played.kept().running(query.get("epoch").map(String::as_str));
    let Some((epoch, ends_at, _)) = running else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let leaf_hash = leaf_hash(&Leaf::Epoch(epoch.clone()).to_bytes().expect("a leaf"));
    let info =
        EpochInfo { epoch, leaf_hash, proof: None, ends_at, packs: 0, packs_needed: 20, former: Vec::new() };
    Json(info).into_response()
}

async fn place(State(played): State<Played>, Path(id_key): Path<String>, Query(query): Named) -> Response {
    let Some((epoch, _, roll)) = played.kept().running(query.get("epoch").map(String::as_str)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match roll.iter().position(|(_, key)| key.is_some_and(|key| key.to_string() == id_key)) {
        Some(index) => Json(json!({"epoch": epoch.epoch, "index": index})).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn enrol(State(played): State<Played>, Json(request): Json<EnrolRequest>) -> Response {
    let message = enrol_message(&played.origin, REPRESENTATIVE, request.worker_ref, &request.id_key);
    let may =
        request.code.as_deref() == Some(CODE) && is_signed(&request.id_key, &message, &request.signature);
    if may {
        played.kept().enrolled.insert(request.worker_ref, request.id_key);
    }
    if may { StatusCode::NO_CONTENT } else { StatusCode::FORBIDDEN }.into_response()
}

async fn packs(State(played): State<Played>, Json(request): Json<PackRequest>) -> Response {
    match played.give(&request) {
        Some(response) => Json(response).into_response(),
        None => StatusCode::FORBIDDEN.into_response(),
    }
}

async fn actions(State(played): State<Played>, Json(request): Json<ActionRequest>) -> Response {
    match played.take(&request) {
        Some(promise) => (StatusCode::ACCEPTED, Json(promise)).into_response(),
        None => StatusCode::FORBIDDEN.into_response(),
    }
}
