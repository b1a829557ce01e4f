//! A petition's life as its people live it, and signatures set straight into the database.

use daylight::petitions::life;
use daylight::web::Role;
use uuid::Uuid;

use super::{Actor, TestApp, petition};

pub const TITLE: &str = "More daylight in the hall";
pub const DEMAND: &str = "Open the blinds in the hall during working hours.";

pub struct Room {
    pub app: TestApp,
    pub epoch: petition::Epoch,
    /// Has a wallet, as everybody on the roll.
    pub author: Actor,
    pub worker: Actor,
    pub publisher: Actor,
    pub representative: Actor,
}

/// A complete form, with some fields changed.
pub fn form<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let complete = [
        ("title", TITLE),
        ("demand", DEMAND),
        ("background", "It is *dark* there."),
        ("about", ""),
        ("open_days", "60"),
    ];
    let kept = complete.into_iter().filter(|(name, _)| !changes.iter().any(|(n, _)| n == name));
    kept.chain(changes.iter().copied()).collect()
}

impl Room {
    /// With an epoch in which two have their packs.
    pub async fn new() -> Self {
        let app = TestApp::new().await;
        let epoch = petition::begin(&app, 2).await;
        Room {
            author: app.sign_in_as(epoch.colleagues[0].person).await,
            worker: app.sign_in_as(epoch.colleagues[1].person).await,
            publisher: app.actor(Role::Publisher).await,
            representative: app.actor(Role::Representative).await,
            epoch,
            app,
        }
    }

    /// The author's draft; its path.
    pub async fn draft(&self) -> String {
        let made = self.author.post("/petitions/start", &form(&[])).await.assert_status(303);
        made.location().split("/edit").next().expect("a path").to_owned()
    }

    /// Before everybody; its path.
    pub async fn seeking(&self) -> String {
        let path = self.draft().await;
        let fields = form(&[("action", "submit"), ("submit_confirm", "yes")]);
        self.author.post(&format!("{path}/edit"), &fields).await.assert_status(303);
        path
    }

    pub async fn checking(&self) -> String {
        let path = self.seeking().await;
        self.support(&path, 5).await;
        self.hours(1).await;
        assert_eq!(self.state(&path).await, "checking");
        path
    }

    pub async fn open(&self) -> String {
        let path = self.checking().await;
        let fields = [("outcome", "open"), ("open_confirm", "yes")];
        self.representative.post(&format!("{path}/check"), &fields).await.assert_status(303);
        path
    }

    /// Lets time pass and looks at what it brings.
    pub async fn hours(&self, hours: i64) {
        self.app.state.clock.advance(hours * 3600);
        let now = self.app.state.clock.now();
        sqlx::query("update session set last_seen_at = $1, expires_at = $2")
            .bind(now)
            .bind(now.plus_days(14))
            .execute(&self.app.state.db)
            .await
            .expect("everybody stays signed in");
        life::advance(&self.app.state).await.expect("petitions move on");
    }

    pub async fn state(&self, path: &str) -> String {
        sqlx::query_scalar("select state from petition where id = $1")
            .bind(id(path))
            .fetch_one(&self.app.state.db)
            .await
            .expect("the petition")
    }

    /// Leaf hash of the newest version.
    pub async fn leaf(&self, path: &str) -> Vec<u8> {
        sqlx::query_scalar(
            "select leaf_hash from petition_version where petition_id = $1 order by version desc limit 1",
        )
        .bind(id(path))
        .fetch_one(&self.app.state.db)
        .await
        .expect("its version")
    }

    /// Signatures that wait for their batch.
    pub async fn support(&self, path: &str, count: i64) {
        let leaf = self.leaf(path).await;
        for _ in 0..count {
            sqlx::query(
                "insert into petition_waiting (petition_leaf, key, number, kind, mode, disclosure, leaf, leaf_hash)
                 values ($1, $2, 1, 'sign', 'confidential', 'nobody', $3, $4)",
            )
            .bind(&leaf)
            .bind(self.app.state.random.bytes::<32>().to_vec())
            .bind(vec![0u8])
            .bind(self.app.state.random.bytes::<32>().to_vec())
            .execute(&self.app.state.db)
            .await
            .expect("a supporter");
        }
    }

    /// What a batch of this day would have left; nothing waits any more.
    pub async fn counted(&self, path: &str, signed: i32, withdrawn: i32, total: i32) {
        let state = &self.app.state;
        sqlx::query("delete from petition_waiting").execute(&state.db).await.expect("nothing waits");
        sqlx::query(
            "insert into petition_count (petition_leaf, day, signed, withdrawn, total) values ($1, $2, $3, $4, $5)",
        )
        .bind(self.leaf(path).await)
        .bind(state.clock.now().day(&state.config.time_zone))
        .bind(signed)
        .bind(withdrawn)
        .bind(total)
        .execute(&state.db)
        .await
        .expect("a count");
    }

    pub async fn department(&self, path: &str, department: &str, total: i32) {
        sqlx::query(
            "insert into petition_department_count (petition_leaf, department, total) values ($1, $2, $3)",
        )
        .bind(self.leaf(path).await)
        .bind(department)
        .bind(total)
        .execute(&self.app.state.db)
        .await
        .expect("a department");
    }

    /// Somebody whose signature stands in the log with their name.
    pub async fn named(&self, path: &str, email: &str, for_everyone: bool) -> Uuid {
        let (leaf, key) = (self.leaf(path).await, self.app.state.random.bytes::<32>().to_vec());
        let person = self.app.person(email, &[Role::Worker]).await;
        sqlx::query(
            "insert into petition_signature (petition_leaf, key, number, kind, mode, disclosure, leaf_hash, ledger_entry)
             values ($1, $2, 1, 'sign', 'named', 'everyone', $2, 1)",
        )
        .bind(&leaf)
        .bind(&key)
        .execute(&self.app.state.db)
        .await
        .expect("a signature");
        sqlx::query(
            "insert into petition_signer (petition_leaf, key, person_id, for_everyone, salt)
             values ($1, $2, $3, $4, $2)",
        )
        .bind(&leaf)
        .bind(&key)
        .bind(person)
        .bind(for_everyone)
        .execute(&self.app.state.db)
        .await
        .expect("a name");
        person
    }

    /// Runs SQL as somebody who has the database, and can switch its triggers off.
    pub async fn tamper(&self, sql: &'static str) {
        let mut tx = self.app.state.db.begin().await.expect("a transaction");
        let tables = ["petition", "petition_version", "petition_answer"];
        for switch in ["disable", "enable"] {
            for table in tables {
                let switch = format!("alter table {table} {switch} trigger user");
                sqlx::query(sqlx::AssertSqlSafe(switch)).execute(&mut *tx).await.expect("its owner");
            }
            if switch == "disable" {
                sqlx::query(sql).execute(&mut *tx).await.expect("the statement");
            }
        }
        tx.commit().await.expect("committed");
    }
}

pub fn id(path: &str) -> Uuid {
    path.rsplit('/').next().and_then(|id| id.parse().ok()).expect("a petition's path")
}
