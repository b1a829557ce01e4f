//! A workplace with petitions: the dashboard on a port of its own, a clock that stands still, colleagues who have
//! their credentials, and the representative's server (played) on another origin.

use std::net::SocketAddr;
use std::sync::Arc;

use daylight::app;
use daylight::clock::Time;
use daylight::credentials::wire::EpochInfo;
use daylight::ledger::proof::base64url;
use daylight::ledger::proof::leaf::Leaf;
use daylight::ledger::proof::petition::epoch_message;
use daylight::web::Role;
use ed25519_dalek::Signer;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::representative::Played;
use crate::support::TestApp;
use crate::support::declaration::but;
use crate::support::petition::{self, Colleague, EPOCH, Epoch, Open};
use crate::tab::Tab;

pub struct Workplace {
    pub app: TestApp,
    pub base: String,
    pub epoch: Epoch,
    pub representative: Arc<Played>,
}

impl Workplace {
    /// With so many colleagues who have their packs.
    pub async fn start(colleagues: usize) -> Self {
        let dashboard = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let theirs = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", dashboard.local_addr().expect("bound"));
        let app = TestApp::with(|config| config.base_url = base.clone()).await;
        let epoch = petition::begin(&app, colleagues).await;
        let service = app::router(app.state.clone()).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(dashboard, service).await.expect("the server runs") });
        let info = EpochInfo {
            epoch: epoch.leaf.clone(),
            leaf_hash: epoch.leaf_hash,
            proof: None,
            ends_at: Time::from("2027-01-01T00:00:00Z".parse::<jiff::Timestamp>().expect("a time")),
            packs: colleagues as u64,
            packs_needed: 20,
            former: Vec::new(),
        };
        let origin = app.state.config.log_origin.clone();
        let representative = Played::serve(theirs, base.clone(), origin, info).await;
        for colleague in &epoch.colleagues {
            let place = (colleague.pack.index, colleague.worker_ref);
            representative.shared().places.insert(colleague.holder.identity().to_string(), place);
        }
        let url = representative.url.clone();
        sqlx::query("update representative_server set url = $1")
            .bind(&url)
            .execute(&app.state.db)
            .await
            .expect("moved");
        app.state.petitions.set_representative_url(Some(&url));
        Workplace { app, base, epoch, representative }
    }

    /// A petition that takes signatures, known to both servers.
    pub async fn open(&self, slot: u64, title: &str) -> Open {
        let it = petition::open(&self.app, self.epoch.colleagues[0].person, slot, title).await;
        self.representative.shared().slots.insert(it.leaf_hash.to_string(), slot);
        it
    }

    /// The next epoch begins, with nobody on its roll; petitions of the one before stay open.
    pub async fn begin_next(&self) {
        let mut leaf = self.epoch.leaf.clone();
        (leaf.epoch, leaf.previous) = ("2027-Q1".into(), Some(self.epoch.leaf_hash));
        let origin = &self.app.state.config.log_origin;
        let signature = petition::representative_key().sign(epoch_message(origin, &leaf).as_bytes());
        leaf.signature = base64url(&signature.to_bytes());
        let (entry, leaf_hash) = petition::enter(&self.app, &Leaf::Epoch(leaf.clone())).await;
        self.app.state.ledger.settle().await.expect("the log signs");
        sqlx::query(
            "insert into petition_epoch (epoch, number, group_name, representative_id, ends_at, leaf, leaf_hash,
                 ledger_entry, began_at)
             select '2027-Q1', 2, group_name, representative_id, '2027-04-01T00:00:00Z', $1, $2, $3, began_at
             from petition_epoch",
        )
        .bind(serde_json::to_value(&leaf).expect("JSON"))
        .bind(leaf_hash.0.to_vec())
        .bind(entry)
        .execute(&self.app.state.db)
        .await
        .expect("the epoch");
        let next = EpochInfo { epoch: leaf, leaf_hash, ..self.representative.epoch.clone() };
        self.representative.shared().next = Some(next);
    }

    /// A new private window in which this person is signed in.
    pub async fn tab_of(&self, person: Uuid) -> Tab {
        Tab::new(&self.base, Some(("daylight", &session(&self.app, person).await))).await
    }

    /// Declares a collection, from HR's draft to its being in force.
    pub async fn declare(&self, category: &str) {
        let hr = self.app.actor(Role::Publisher).await;
        let fields = but(&[
            ("category", category),
            ("fields", "The screen"),
            ("dpia_url", "https://example.com/dpia"),
        ]);
        let path = hr.post("/register", &fields).await.assert_status(303).location().to_owned();
        let path = path.split('?').next().unwrap_or_default().to_owned();
        self.app.state.clock.advance(60);
        hr.post(&format!("{path}/propose"), &[("revision", "1")]).await.assert_status(303);
        let confirmed = [("revision", "2"), ("activate_confirm", "yes")];
        hr.post(&format!("{path}/activate"), &confirmed).await.assert_status(303);
    }

    pub async fn newcomer(&self, email: &str) -> Uuid {
        self.app.person(email, &[Role::Worker]).await
    }

    /// A colleague's wallet, brought back in a new window with its code from paper.
    pub async fn recovered(&self, colleague: &Colleague) -> Tab {
        let tab = self.tab_of(colleague.person).await;
        tab.open("/petitions/wallet").await;
        tab.wait("!document.querySelector('#begin').hidden").await;
        tab.fill("#recovery", &colleague.holder.seed.to_code().to_lowercase().replace('-', " ")).await;
        tab.click("#recover .button").await;
        self.ready(&tab).await;
        tab
    }

    /// Until the wallet's page says that credentials are there.
    pub async fn ready(&self, tab: &Tab) {
        tab.wait("document.querySelector('#is')?.textContent === 'Ready' && !document.querySelector('#again').disabled").await;
    }

    /// Puts a person's key on the roll, as the next signed version would.
    pub async fn put_on_roll(&self, person: Uuid) {
        let (worker_ref, id_key): (Uuid, Vec<u8>) = sqlx::query_as(
            "select worker_ref, id_key from wallet where person_id = $1 and id_key is not null",
        )
        .bind(person)
        .fetch_one(&self.app.state.db)
        .await
        .expect("a wallet whose key is known");
        let place = self.representative.shared().places.len();
        sqlx::query(
            "insert into petition_roll_entry (epoch, place, person_id, worker_ref, id_key, salt, version)
             values ($1, $2, $3, $4, $5, $6, 1)",
        )
        .bind(EPOCH)
        .bind(place as i32)
        .bind(person)
        .bind(worker_ref)
        .bind(&id_key)
        .bind(vec![3u8; 32])
        .execute(&self.app.state.db)
        .await
        .expect("a place on the roll");
        let key = daylight::ledger::proof::base64url(&id_key);
        self.representative.shared().places.insert(key, (place as u64, worker_ref));
    }
}

/// A session of this person: the cookie's value.
pub async fn session(app: &TestApp, person: Uuid) -> String {
    let state = &app.state;
    let (token, now) = (state.random.token(), state.clock.now());
    sqlx::query(
        "insert into session (id, token_hash, person_id, created_at, last_seen_at, expires_at, browser)
         values ($1, $2, $3, $4, $4, $5, 'Chromium on Linux')",
    )
    .bind(state.random.uuid(now))
    .bind(Sha256::digest(token.as_bytes()).to_vec())
    .bind(person)
    .bind(now)
    .bind(now.plus_days(60))
    .execute(&state.db)
    .await
    .expect("the session is valid");
    token
}
