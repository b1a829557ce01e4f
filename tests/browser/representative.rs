//! The representative's server, played: what a browser sees of it, on an origin of its own. The real one is tested
//! as a process in tests/it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use daylight::clock::{Random, Time};
use daylight::credentials::action::{self, Known, Slot};
use daylight::credentials::holder::is_asked_by;
use daylight::credentials::wire::{
    ActionRequest, EnrolRequest, EpochInfo, IssuerInfo, PackRequest, PackResponse, Promise,
};
use daylight::ledger::proof::petition::{IssuerRole, enrol_message, is_signed, promise_message};
use daylight::ledger::proof::tree::Hash;
use daylight::ledger::proof::{base64url, from_base64url};
use ed25519_dalek::Signer;
use serde_json::json;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::support::petition::{self, REPRESENTATIVE};

/// The one enrolment code that it knows.
pub const CODE: &str = "KX7P-42MD";

pub struct Played {
    pub url: String,
    pub dashboard: String,
    pub origin: String,
    pub epoch: EpochInfo,
    pub shared: Mutex<Shared>,
}

#[derive(Default)]
pub struct Shared {
    /// Who stands where on the roll, by identity key.
    pub places: BTreeMap<String, (u64, Uuid)>,
    /// Who came with the code.
    pub enrolled: Vec<EnrolRequest>,
    pub packs: usize,
    pub actions: Vec<ActionRequest>,
    /// Petitions that take signatures, by leaf.
    pub slots: BTreeMap<String, u64>,
    /// Answers nothing but 503.
    pub away: bool,
    /// Shows another epoch than the dashboard.
    pub lies: bool,
    /// Headers of every request that a browser sent along.
    pub cookies: usize,
    /// Those that say on which page it was.
    pub referrers: usize,
    /// The epoch after the one whose packs it gives; nobody is on its roll yet.
    pub next: Option<EpochInfo>,
}

impl Played {
    pub fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().expect("no test has panicked with it")
    }

    /// Serves until the test's runtime ends.
    pub async fn serve(
        listener: TcpListener,
        dashboard: String,
        origin: String,
        epoch: EpochInfo,
    ) -> Arc<Self> {
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let played = Arc::new(Played { url, dashboard, origin, epoch, shared: Mutex::default() });
        let router = Router::new()
            .route("/issuer", get(issuer))
            .route("/epoch", get(epoch_info))
            .route("/places/{key}", get(place))
            .route("/enrol", post(enrol))
            .route("/packs", post(pack))
            .route("/actions", post(act))
            .layer(middleware::from_fn_with_state(played.clone(), for_the_dashboard))
            .with_state(played.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.expect("it runs") });
        played
    }
}

type Is = State<Arc<Played>>;

/// CORS for the dashboard's origin alone, without credentials.
async fn for_the_dashboard(State(it): Is, request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::COOKIE) {
        it.shared().cookies += 1;
    }
    if request.headers().contains_key(header::REFERER) {
        it.shared().referrers += 1;
    }
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else if it.shared().away {
        StatusCode::SERVICE_UNAVAILABLE.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    let dashboard = HeaderValue::from_str(&it.dashboard).expect("an origin");
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, dashboard);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    response
}

fn refused(status: StatusCode, detail: &str) -> Response {
    (status, Json(json!({"status": status.as_u16(), "title": "Refused", "detail": detail}))).into_response()
}

async fn issuer(State(it): Is) -> Json<IssuerInfo> {
    Json(IssuerInfo {
        role: IssuerRole::Representative,
        name: REPRESENTATIVE.into(),
        origin: it.origin.clone(),
        public_key: Hash(petition::representative_key().verifying_key().to_bytes()),
        other: Some(it.dashboard.clone()),
        announcement: None,
    })
}

type Named = Query<BTreeMap<String, String>>;

async fn epoch_info(State(it): Is, Query(query): Named) -> Json<EpochInfo> {
    let is_former = query.get("epoch") == Some(&it.epoch.epoch.epoch);
    let next = it.shared().next.clone().filter(|_| !is_former);
    let mut epoch = EpochInfo { proof: None, ..next.unwrap_or_else(|| it.epoch.clone()) };
    if it.shared().lies {
        epoch.leaf_hash = Hash([1; 32]);
    }
    Json(epoch)
}

async fn place(State(it): Is, Path(key): Path<String>, Query(query): Named) -> Response {
    let is_asked = query.get("epoch") == Some(&it.epoch.epoch.epoch);
    let place = it.shared().places.get(&key).map(|(index, _)| *index).filter(|_| is_asked);
    match place {
        Some(index) => Json(json!({"epoch": it.epoch.epoch.epoch, "index": index})).into_response(),
        None => refused(StatusCode::NOT_FOUND, "Not on a roll."),
    }
}

async fn enrol(State(it): Is, Json(request): Json<EnrolRequest>) -> Response {
    let message = enrol_message(&it.origin, REPRESENTATIVE, request.worker_ref, &request.id_key);
    if !is_signed(&request.id_key, &message, &request.signature) {
        return refused(StatusCode::FORBIDDEN, "It isn’t signed.");
    }
    if request.code.as_deref() != Some(CODE) {
        return refused(StatusCode::FORBIDDEN, "This code is not known, or was used.");
    }
    it.shared().enrolled.push(request);
    StatusCode::NO_CONTENT.into_response()
}

async fn pack(State(it): Is, Json(request): Json<PackRequest>) -> Response {
    let id_key = it.shared().places.iter().find(|(_, (i, _))| *i == request.index).map(|(k, _)| k.clone());
    let id_key: Option<Hash> = id_key.and_then(|k| k.parse().ok());
    let asked = id_key.map(|key| is_asked_by(&key, &it.origin, REPRESENTATIVE, &request));
    if !matches!(asked, Some(Ok(_))) {
        return refused(StatusCode::FORBIDDEN, "Nobody on the roll asks.");
    }
    let blinded: Vec<_> = request.blinded.iter().map(|b| from_base64url(b).expect("base64url")).collect();
    let keys = petition::token_keys(IssuerRole::Representative);
    let signed = keys.sign_pack(&blinded, &Random::seeded(5)).expect("signed");
    it.shared().packs += 1;
    Json(PackResponse { signed: signed.iter().map(|s| base64url(s)).collect() }).into_response()
}

async fn act(State(it): Is, Json(request): Json<ActionRequest>) -> Response {
    let petition = match &request {
        ActionRequest::Sign { petition, .. } | ActionRequest::Withdraw { petition, .. } => *petition,
    };
    let slot = it.shared().slots.get(&petition.to_string()).copied();
    let slot = slot.and_then(|slot| Slot::of(&it.origin, &it.epoch.epoch, slot, petition));
    let Some(slot) = slot else { return refused(StatusCode::NOT_FOUND, "No such petition.") };
    let places = it.shared().places.clone();
    let known = |index| {
        let (key, (_, worker_ref)) = places.iter().find(|(_, (i, _))| *i == index)?;
        Some(Known { worker_ref: *worker_ref, id_key: key.parse().ok()? })
    };
    match action::check(&it.origin, &slot, &request, known) {
        Err(why) => refused(StatusCode::FORBIDDEN, &why.to_string()),
        Ok(checked) => {
            it.shared().actions.push(request);
            (StatusCode::ACCEPTED, Json(promise(&it.origin, checked.leaf_hash))).into_response()
        }
    }
}

fn promise(origin: &str, leaf_hash: Hash) -> Promise {
    let include_by: jiff::Timestamp = "2027-01-02T00:00:00Z".parse().expect("a time");
    let include_by = Time::from(include_by);
    let message = promise_message(origin, &leaf_hash, &include_by.to_string());
    let signature = base64url(&petition::representative_key().sign(message.as_bytes()).to_bytes());
    Promise { by: IssuerRole::Representative, leaf_hash, include_by, signature }
}
