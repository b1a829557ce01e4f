//! The real router over TCP: the example organisation, which all tests share, or an empty site.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{OnceLock, mpsc};

use daylight::app::{self, AppState};
use daylight::clock::{Clock, Random};
use daylight::collection::group_id;
use daylight::collection::model::FindingKind;
use daylight::config::Config;
use daylight::demo;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::support::{database, fresh_folder, logs};
use crate::tab::Tab;

/// The password of the example's accounts.
pub const PASSWORD: &str = "daylight-demo";

pub const WORKER: &str = "worker@demo.example";
pub const PUBLISHER: &str = "hr@demo.example";
pub const REPRESENTATIVE: &str = "rep@demo.example";
pub const ADMINISTRATOR: &str = "admin@demo.example";

pub struct Site {
    pub base: String,
    pub state: AppState,
    /// Where the server and its database connections live: a connection that a test's own runtime opened
    /// would die with that runtime, and stay in the pool.
    runtime: Handle,
}

static EXAMPLE: OnceLock<Site> = OnceLock::new();

/// The example organisation; filled at the first call.
pub async fn example() -> &'static Site {
    let site = tokio::task::spawn_blocking(|| EXAMPLE.get_or_init(start_example));
    site.await.expect("the example starts")
}

/// On a thread of its own, which serves until the process ends.
fn start_example() -> Site {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let site = Site::start(|config| {
                config.demo = true;
                demo::dress(config);
            });
            let site = site.await;
            demo::fill(&site.state).await.expect("the example is filled");
            let _ = sender.send(site);
            std::future::pending::<()>().await;
        });
    });
    receiver.recv().expect("the example starts; see above")
}

impl Site {
    /// An empty site that serves on a free port, by the real clock, as long as this runtime lives.
    pub async fn start(change: impl FnOnce(&mut Config)) -> Self {
        logs::install();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let variables = [
            ("LISTEN", address.to_string()),
            ("ORGANISATION", "Example Works".into()),
            ("DATABASE_POOL_SIZE", "6".into()),
        ];
        let variables: BTreeMap<_, _> = variables.map(|(name, value)| (name.to_owned(), value)).into();
        let mut config = Config::from_variables(variables).expect("the tests' configuration is valid");
        // Each site's database is new, and so is the folder of its log's keys.
        config.data_dir = fresh_folder();
        change(&mut config);
        let base = config.base_url.clone();
        assert_eq!(base, format!("http://{address}"), "links and redirects lead to this port");
        let pool = daylight::database::connect(database::fresh().await, &config).await;
        let pool = pool.expect("the clone can be reached");
        let state = AppState::new(config, pool, Clock::system(), Random::system());
        let service = app::router(state.clone()).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await.expect("the server runs") });
        Site { base, state, runtime: Handle::current() }
    }

    async fn there<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        self.runtime.spawn(work).await.expect("it doesn't panic")
    }

    /// A tab in which nobody is signed in.
    pub async fn visitor(&self) -> Tab {
        Tab::new(&self.base, None).await
    }

    /// A tab in which this account is signed in, by a session row: costs no password hash.
    pub async fn signed_in(&self, email: &'static str) -> Tab {
        let state = self.state.clone();
        let token = state.random.token();
        let hash = Sha256::digest(token.as_bytes()).to_vec();
        let insert = async move {
            let now = state.clock.now();
            sqlx::query(
                "insert into session (id, token_hash, person_id, created_at, last_seen_at, expires_at, browser)
                 select $1, $2, id, $4, $4, $5, 'Chromium on Linux' from person where email = $3",
            )
            .bind(state.random.uuid(now))
            .bind(hash)
            .bind(email)
            .bind(now)
            .bind(now.plus_days(1))
            .execute(&state.db)
            .await
            .expect("the session is valid")
            .rows_affected()
        };
        assert_eq!(self.there(insert).await, 1, "{email} is somebody");
        Tab::new(&self.base, Some(("daylight", &token))).await
    }

    /// The path of a fresh one-time link that signs this account in.
    pub async fn link(&self, email: &'static str) -> String {
        let state = self.state.clone();
        let link = async move { daylight::identity::issue_sign_in_link(&state, email, 1).await };
        let link = self.there(link).await.expect("a link").expect("an active account");
        link.strip_prefix(&self.base).expect("it leads to this server").to_owned()
    }

    /// The newest version of a notice in this state.
    pub async fn notice_version(&self, state: &'static str) -> Uuid {
        let db = self.state.db.clone();
        let id = async move {
            sqlx::query_scalar(
                "select id from notice_version where state = $1 order by created_at desc limit 1",
            )
            .bind(state)
            .fetch_one(&db)
            .await
        };
        self.there(id).await.expect("the example has one")
    }

    pub async fn notice_of(&self, version: Uuid) -> Uuid {
        let db = self.state.db.clone();
        let id = async move {
            sqlx::query_scalar("select notice_id from notice_version where id = $1")
                .bind(version)
                .fetch_one(&db)
                .await
        };
        self.there(id).await.expect("a version has its notice")
    }

    /// The id of some declaration whose newest revision has this state or category.
    pub async fn processing(&self, what: &'static str) -> Uuid {
        let db = self.state.db.clone();
        let id = async move {
            sqlx::query_scalar(
                "select processing_id from (select distinct on (processing_id) processing_id, state, category
                 from processing_revision order by processing_id, revision desc) newest
                 where $1 in (state, category) order by processing_id limit 1",
            )
            .bind(what)
            .fetch_one(&db)
            .await
        };
        self.there(id).await.expect("the example has one")
    }

    /// The page of an objection that waits.
    pub async fn objection(&self) -> String {
        let db = self.state.db.clone();
        let id = async move {
            sqlx::query_scalar::<_, Uuid>(
                "select d.id from consent_decision d where d.state in ('objected', 'contested')
                 and not exists (select from consent_decision l where l.person_id = d.person_id
                     and l.processing_id = d.processing_id and l.number > d.number) order by d.at limit 1",
            )
            .fetch_one(&db)
            .await
        };
        format!("/objections/{}", self.there(id).await.expect("the example has one"))
    }

    /// The page of a group of findings.
    pub async fn finding_group(&self) -> String {
        let db = self.state.db.clone();
        let group = async move {
            sqlx::query_as::<_, (String, String, String)>(
                "select kind, category, program from finding_group order by program, kind, category limit 1",
            )
            .fetch_one(&db)
            .await
        };
        let (kind, category, program) = self.there(group).await.expect("the example has one");
        let kind = FindingKind::parse(&kind).expect("a kind");
        format!("/findings/{}", group_id(kind, &category, &program))
    }

    pub async fn person(&self, email: &'static str) -> Uuid {
        let db = self.state.db.clone();
        let id = async move {
            sqlx::query_scalar("select id from person where email = $1").bind(email).fetch_one(&db).await
        };
        self.there(id).await.expect("somebody has this address")
    }
}
