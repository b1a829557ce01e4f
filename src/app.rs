//! The application put together: state, every feature's routes, and the order of layers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, StatusCode, header};
use axum::middleware;
use axum::response::Response;
use sqlx::{PgConnection, PgPool};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use uuid::Uuid;

use crate::clock::{Clock, Day, Random, Time};
use crate::collection::Intake;
use crate::collection::model::Refusal;
use crate::config::Config;
use crate::consent::Consent;
use crate::error::Result;
pub use crate::imports::ImportedLine;
use crate::ledger::Ledger;
use crate::petitions::Petitions;
pub use crate::petitions::life::PetitionLink;
use crate::web::routes::RouteEntry;
use crate::web::{Routes, assets, headers, problems, routes};
use crate::{
    audit, canaries, collection, consent, identity, imports, ledger, notices, outbox, petitions, register,
    site,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What handlers share. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    pub config: Arc<Config>,
    pub db: PgPool,
    pub clock: Clock,
    pub random: Random,
    pub intake: Intake,
    pub ledger: Ledger,
    pub consent: Consent,
    pub petitions: Petitions,
    pub passwords: identity::Passwords,
}

impl AppState {
    pub fn new(config: Config, db: PgPool, clock: Clock, random: Random) -> Self {
        let intake = Intake::start(db.clone(), clock.clone(), random.clone(), config.time_zone.clone());
        let ledger = Ledger::new(db.clone(), &config, clock.clone(), random.clone());
        let consent = Consent::new(db.clone(), &config, clock.clone(), random.clone());
        let petitions = Petitions::new(db.clone(), &config, clock.clone(), random.clone());
        let passwords = identity::Passwords::new(random.clone());
        AppState {
            config: Arc::new(config),
            db,
            clock,
            random,
            intake,
            ledger,
            consent,
            petitions,
            passwords,
        }
    }
}

fn all_routes() -> Routes {
    Routes::new()
        .merge(identity::routes())
        .merge(audit::routes())
        .merge(ledger::routes())
        .merge(register::routes())
        .merge(collection::routes())
        .merge(notices::routes())
        .merge(consent::routes())
        .merge(petitions::routes())
        .merge(imports::routes())
        .merge(canaries::routes())
        .merge(outbox::routes())
        .merge(site::routes())
}

/// Routes without the layers: see [`Routes::bare_get`] and [`Routes::bare_post`].
fn bare_routes() -> Routes {
    Routes::new().merge(consent::busy_routes()).merge(petitions::silent_routes())
}

/// What the log's entries commit to, as each feature's own rows have it now.
pub async fn documents(db: &mut PgConnection) -> Result<Vec<ledger::Document>> {
    let mut documents = register::documents(db).await?;
    documents.extend(notices::documents(db).await?);
    documents.extend(petitions::life::documents(db).await?);
    Ok(documents)
}

/// From when people are told, by a published notice that covers this processing and came after `since`;
/// `None` without one.
pub async fn told_since(db: &mut PgConnection, processing: Uuid, since: Time) -> Result<Option<Time>> {
    Ok(notices::store::find_told_since(db, processing, since).await?)
}

/// Whether a notice in force tells anybody of this processing with this content.
pub async fn is_told(
    db: &mut PgConnection,
    processing: Uuid,
    content_sha256: &[u8],
    now: Time,
) -> Result<bool> {
    let (coverage, _) = notices::list_coverage(db).await?;
    Ok(coverage
        .iter()
        .any(|c| c.processing == processing && c.content_sha256[..] == *content_sha256 && c.in_force_at(now)))
}

/// When these people's own choices denied a processing; collection compares what is reported with it (R3, R4).
pub async fn refusals(db: &mut PgConnection, people: &[Uuid]) -> Result<Vec<Refusal>> {
    consent::refusals(db, people).await
}

/// Tells other systems what changed among findings on a day that is over; `day` is today.
pub async fn tell_of_findings(
    db: &mut PgConnection,
    state: &AppState,
    day: Day,
    data: serde_json::Value,
) -> Result<()> {
    consent::tell_of_findings(db, state, day, data).await
}

/// Newest policy revision of each of these agents.
pub async fn policy_revisions(db: &mut PgConnection, agents: &[Uuid]) -> Result<Vec<(Uuid, i64)>> {
    consent::newest_revisions(db, agents).await
}

/// The key that agents are given at enrolment, to know their policies by.
pub fn policy_key(state: &AppState) -> Result<consent::PolicyKey> {
    consent::policy_key(state)
}

/// What vendors' own exports hold about this person, for their own page.
pub async fn imported_about(db: &mut PgConnection, person: Uuid) -> Result<Vec<ImportedLine>> {
    imports::imported_about(db, person).await
}

/// The petitions about a processing or a notice, for its own page: `kind` is `processing` or `notice`.
pub async fn petitions_about(
    db: &mut PgConnection,
    state: &AppState,
    kind: &str,
    id: Uuid,
) -> Result<Vec<PetitionLink>> {
    petitions::life::petitions_about(db, state, kind, id).await
}

/// Every route with who may use it; the access test compares it with its own table.
pub fn route_table() -> Vec<RouteEntry> {
    all_routes().merge(bare_routes()).into_parts().1
}

/// The whole server as one service.
pub fn router(state: AppState) -> Router {
    let secured = state.clone();
    let (router, _) = all_routes().into_parts();
    router
        .fallback(routes::not_found)
        .merge(assets::router())
        .layer(
            // From the outside in.
            ServiceBuilder::new()
                .map_request(without_its_own_id)
                .layer(SetRequestIdLayer::new(REQUEST_ID, Ids(state.clone())))
                .layer(PropagateRequestIdLayer::new(REQUEST_ID))
                .layer(TraceLayer::new_for_http().make_span_with(span).on_request(()).on_response(log))
                .layer(middleware::from_fn(move |request, next| {
                    headers::secure(secured.clone(), request, next)
                }))
                .layer(middleware::from_fn_with_state(state.clone(), problems::finish))
                .layer(middleware::from_fn_with_state(state.clone(), identity::load_viewer))
                .layer(middleware::from_fn_with_state(state.clone(), notices::count_unread))
                .layer(middleware::from_fn_with_state(state.clone(), consent::count_undecided))
                .layer(CatchPanicLayer::custom(panicked))
                .layer(TimeoutLayer::with_status_code(
                    StatusCode::SERVICE_UNAVAILABLE,
                    Duration::from_secs(30),
                ))
                .layer(csrf(&state.config)),
        )
        // No log line, no session and no nonce for what programs ask at any rate they like, and for signatures.
        .merge(bare_routes().into_parts().0)
        .with_state(state)
}

/// Refuses what another site makes a browser send (Sec-Fetch-Site, Origin). Programs under `/api` carry
/// a token and no cookie; requests with neither header aren't from a browser that would add a cookie.
fn csrf(config: &Config) -> CsrfLayer {
    CsrfLayer::new().add_trusted_origin(&config.base_url).unwrap_or_else(|_| CsrfLayer::new())
}

/// A request's span holds its id, its method and the route's pattern: no address that a person typed.
fn span(request: &Request) -> tracing::Span {
    let id = request.extensions().get::<RequestId>().and_then(|id| id.header_value().to_str().ok());
    tracing::info_span!("request", id = id.unwrap_or("-"), method = %request.method())
}

fn log(response: &Response, latency: Duration, _: &tracing::Span) {
    let status = response.status().as_u16();
    let route = response.extensions().get::<routes::Pattern>().map_or("-", |pattern| pattern.0);
    // Who reads a petition a minute before a signature comes is nobody's business: no line says when.
    if route.starts_with("/petitions") || route.starts_with("/api/v1/petitions") {
        return;
    }
    let millis = latency.as_millis() as u64;
    tracing::info!(status, route, millis, "answered");
}

/// A request's id is ours: one that a client made up could stand for another request in the log.
fn without_its_own_id(mut request: Request) -> Request {
    request.headers_mut().remove(REQUEST_ID);
    request
}

#[derive(Clone)]
struct Ids(AppState);

impl MakeRequestId for Ids {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        let id = self.0.random.uuid(self.0.clock.now()).simple().to_string();
        id.parse().ok().map(RequestId::new)
    }
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain"));
    response
}
