//! The example's credentials: everybody has theirs but the worker of the public account, who can fetch them.

use anyhow::{anyhow, ensure};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::ServiceExt;
use uuid::Uuid;

use super::people::{Staff, Worker};
use crate::app::{self, AppState};
use crate::credentials::holder::{Holder, Pack};
use crate::credentials::seed::Seed;
use crate::credentials::wire::{EpochInfo, PackResponse};
use crate::error::Result;
use crate::ledger::proof::petition::{Disclosure, IssuerRole};
use crate::ledger::proof::tree::Hash;
use crate::petitions::issuing;
use crate::representative::Representative;

/// Somebody with credentials.
pub struct Member {
    pub person: Uuid,
    worker_ref: Uuid,
    holder: Holder,
    pack: Pack,
}

/// The two servers, as requests reach them.
pub struct Servers<'a> {
    pub state: &'a AppState,
    pub dashboard: Router,
    pub representative: &'a Representative,
}

impl<'a> Servers<'a> {
    pub fn of(state: &'a AppState, representative: &'a Representative) -> Self {
        Servers { state, dashboard: app::router(state.clone()), representative }
    }

    /// Brings the roll to where everybody on it stands, as the representative's server signs it.
    async fn sign_roll(&self) -> Result<()> {
        issuing::propose(self.state).await?;
        self.representative.tick().await?;
        if self.representative.has_proposal()? {
            self.representative.countersign().await?;
        }
        self.representative.tick().await
    }

    /// Gives everybody a wallet and the packs of the epoch that runs, but the first: that is for whoever tries it.
    pub async fn enrol(&self, staff: &Staff) -> Result<Vec<Member>> {
        self.sign_roll().await?;
        let strips = self.representative.issue_codes()?;
        let mut members = Vec::new();
        for Worker { id, .. } in &staff.workers[1..] {
            let info = issuing::wallet_info(self.state, *id).await?;
            let Some(strip) = strips.iter().find(|strip| strip.worker_ref == info.worker_ref) else {
                continue;
            };
            let seed = Seed(self.state.random.bytes());
            let holder = Holder { seed, origin: self.state.config.log_origin.clone() };
            let operator = issuing::operator_name(&self.state.config.base_url);
            issuing::enrol(self.state, *id, &holder.enrol(operator, info.worker_ref, None)).await?;
            let theirs = self.representative.name();
            let request = holder.enrol(theirs, info.worker_ref, Some(strip.code.clone()));
            let _: Value = post(&self.representative.router(), "/enrol", &request).await?;
            members.push((*id, info.worker_ref, holder));
        }
        self.sign_roll().await?;
        self.fetch(members).await
    }

    /// The packs of those on the roll.
    async fn fetch(&self, people: Vec<(Uuid, Uuid, Holder)>) -> Result<Vec<Member>> {
        let epoch: EpochInfo = get(&self.dashboard, "/api/v1/petitions/epoch").await?;
        let mut members = Vec::new();
        for (person, worker_ref, holder) in people {
            let info = issuing::wallet_info(self.state, person).await?;
            let index = info.index.ok_or_else(|| anyhow!("somebody isn't on the roll"))?;
            let mut tokens = Vec::new();
            for role in IssuerRole::BOTH {
                let asked = holder.ask(&epoch.epoch, role, index)?;
                let answer: PackResponse = match role {
                    IssuerRole::Operator => {
                        post(&self.dashboard, "/api/v1/petitions/packs", &asked.request).await?
                    }
                    IssuerRole::Representative => {
                        post(&self.representative.router(), "/packs", &asked.request).await?
                    }
                };
                tokens.push(asked.finish(&answer)?);
            }
            let [operator, representative] =
                <[Vec<String>; 2]>::try_from(tokens).map_err(|_| anyhow!("there are two issuers"))?;
            let (epoch, group) = (epoch.epoch.epoch.clone(), epoch.epoch.group.clone());
            let pack = Pack { epoch, group, index, operator, representative };
            members.push(Member { person, worker_ref, holder, pack });
        }
        self.representative.tick().await?;
        Ok(members)
    }

    /// One signature, by the dashboard's path.
    pub async fn sign(&self, member: &Member, petition: (Hash, u64), disclosure: Disclosure) -> Result<()> {
        let request = member.holder.sign(&member.pack, petition, 1, disclosure, member.worker_ref)?;
        let _: Value = post(&self.dashboard, "/api/v1/petitions/actions", &request).await?;
        Ok(())
    }
}

async fn post<T: DeserializeOwned>(router: &Router, path: &str, body: &impl Serialize) -> Result<T> {
    let body = serde_json::to_vec(body).map_err(anyhow::Error::new)?;
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/json").body(Body::from(body));
    Ok(send(router, request.map_err(anyhow::Error::new)?).await?)
}

async fn get<T: DeserializeOwned>(router: &Router, path: &str) -> Result<T> {
    let request = Request::get(path).body(Body::empty()).map_err(anyhow::Error::new)?;
    Ok(send(router, request).await?)
}

async fn send<T: DeserializeOwned>(router: &Router, request: Request<Body>) -> anyhow::Result<T> {
    let path = request.uri().path().to_owned();
    let response = router.clone().oneshot(request).await?;
    let status = response.status();
    let bytes = to_bytes(response.into_body(), 1 << 20).await?;
    ensure!(status.is_success(), "{path} answered {status}: {}", String::from_utf8_lossy(&bytes));
    Ok(serde_json::from_slice(if bytes.is_empty() { b"null" } else { &bytes })?)
}
