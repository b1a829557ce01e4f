//! Stories that chance makes up, through the real actions: whatever happens, everybody who is asked says the same,
//! and nothing is allowed without the decision that says so.

use axum::body::Body;
use axum::http::Request;
use daylight::consent::actions::{Reply, answer, enter_lapsed};
use daylight::consent::cases;
use daylight::consent::model::{Choice, Why};
use daylight::consent::pseudonym::Pseudonyms;
use daylight::identity::token_hash;
use daylight::notices::{ChangeClass, Version};
use daylight::register;
use daylight::web::Role;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

use crate::support::agent::Agent;
use crate::support::consent::{choose, declare, tell, tell_again, viewer};
use crate::support::{Actor, TestApp, notice};

const STEPS: usize = 40;
const PURPOSE: &str = "ai:ModelTraining";
const TOKEN: &str = "a system's token";

struct Story {
    app: TestApp,
    publisher: Actor,
    worker: Actor,
    agent: Agent,
    processing: Uuid,
    told: Option<Version>,
    revisions: u32,
    system: Uuid,
}

impl Story {
    async fn begin(mode: &'static str) -> Self {
        let app = TestApp::new().await;
        let publisher = app.actor(Role::Publisher).await;
        let worker = app.actor(Role::Worker).await;
        let agent = Agent::of(&app, worker.id()).await;
        let processing = declare(&app, &publisher, &fields(mode)).await;
        let system = app.state.random.opaque_id();
        sqlx::query(
            "insert into system (id, name, purpose, processings, token_hash, created_at, created_by, approved_at, approved_by)
             values ($1, 'Warehouse', 'Stores it', array[$2], $3, $4, $5, $4, $6)",
        )
        .bind(system)
        .bind(processing)
        .bind(token_hash(TOKEN))
        .bind(app.state.clock.now())
        .bind(publisher.id())
        .bind(worker.id())
        .execute(&app.state.db)
        .await
        .unwrap();
        app.state.consent.reload().await.unwrap();
        Story { app, publisher, worker, agent, processing, told: None, revisions: 0, system }
    }

    async fn step(&mut self, step: u32) -> &'static str {
        let (app, by) = (&self.app, self.publisher.id());
        let reason = "Because of my situation.";
        let wish = |choice| choose(app, &self.worker, self.processing, choice);
        match step {
            0..=3 => drop(wish(Choice::Yes).await),
            4..=6 => drop(wish(Choice::No).await),
            7 => drop(wish(Choice::Later).await),
            8..=9 => drop(wish(Choice::Object { reason, named: false }).await),
            10 => drop(wish(Choice::Contest { reason }).await),
            11..=12 => self.answer(step == 11).await,
            13..=15 => {
                let class = if step == 13 { ChangeClass::Editorial } else { ChangeClass::Material };
                self.told = Some(match &self.told {
                    None => tell(app, by, &[self.processing]).await,
                    Some(former) => tell_again(app, former, class).await,
                });
            }
            16 => {
                app.state.clock.advance(1);
                if let Some(version) = self.told.take() {
                    notice::retract(app, &version, "It was wrong.").await;
                }
            }
            17 => self.revise().await,
            18 => {
                app.state.clock.advance(20 * 86_400);
                enter_lapsed(&app.state).await.unwrap();
            }
            _ => app.state.clock.advance(12 * 86_400),
        }
        ["yes", "no", "later", "object", "contest", "answer", "tell", "retract", "revise", "lapse", "wait"]
            [[0, 0, 0, 0, 1, 1, 1, 2, 3, 3, 4, 5, 5, 6, 6, 6, 7, 8, 9, 10][step.min(19) as usize]]
    }

    async fn answer(&self, upheld: bool) {
        let hr = viewer(&self.app, self.publisher.id(), Role::Publisher);
        let open: Option<Uuid> = sqlx::query_scalar(
            "select id from consent_decision where state in ('objected', 'contested') order by number desc limit 1",
        )
        .fetch_optional(&self.app.state.db)
        .await
        .unwrap();
        let reply = if upheld { Reply::Upheld } else { Reply::Overridden };
        if let Some(id) = open {
            drop(answer(&self.app.state, &hr, id, reply, "We have looked at it.").await);
        }
    }

    /// The register says something else, so that what people were told isn't so any more.
    async fn revise(&mut self) {
        self.revisions += 1;
        let mut db = self.app.state.db.acquire().await.unwrap();
        let history = register::store::list_history(&mut db, self.processing).await.unwrap();
        drop(db);
        let newest = history.last().unwrap();
        let mut content = newest.content.clone();
        content.fields = format!("Name of the program in front, {}", self.revisions);
        // Every second time for another purpose.
        let purpose = if self.revisions.is_multiple_of(2) { PURPOSE } else { "dpv:PersonnelMonitoring" };
        content.purpose = register::Purpose::parse(purpose).unwrap();
        let hr = viewer(&self.app, self.publisher.id(), Role::Publisher);
        let state = &self.app.state;
        register::actions::revise(state, &hr, self.processing, newest.revision, &content, "Another.")
            .await
            .unwrap();
    }

    /// Everybody who can be asked, asked.
    async fn everybody_says_the_same(&self) -> Why {
        let state = &self.app.state;
        state.consent.reload_rules(true).await.unwrap();
        state.consent.reload_people(&[self.worker.id()]).await.unwrap();
        let now = state.clock.now();
        let mut db = state.db.acquire().await.unwrap();
        let (_, case) = cases::find(&mut db, self.worker.id(), self.processing, now).await.unwrap();
        drop(db);
        let memory = state.consent.read(|s| {
            let rule = s.rules.rules.iter().find(|r| r.processing() == self.processing).unwrap();
            s.people.ask(rule, self.worker.id(), now)
        });
        assert_eq!(memory, case.why, "what is in memory, and what the database says");
        let secret = state.consent.secrets().unwrap().pseudonyms;
        let subject = Pseudonyms::new(&secret, self.system).of(self.worker.id());
        let purpose = &case.rule.content().purpose;
        let path = format!("/api/v1/decision?subject={subject}&category=app.usage&purpose={}", purpose.id());
        let request = Request::get(path).header("authorization", format!("Bearer {TOKEN}"));
        let said = self.app.visitor().send(request, Body::empty()).await.assert_status(200).json();
        assert_eq!(said["decision"], if case.why.allows() { "allow" } else { "deny" }, "{:?}", case.why);
        let request = Request::get(format!("/api/v1/policy/{}", self.agent.id))
            .header("authorization", format!("Bearer {}", self.agent.token));
        let bundle = self.app.visitor().send(request, Body::empty()).await.assert_status(200).json();
        assert_eq!(bundle["rules"][0]["collect"], case.why.allows(), "{:?}", case.why);
        case.why
    }

    /// The decision that allows an opt-in, found without any of the rules.
    async fn there_is_a_yes_to_exactly_this(&self) -> bool {
        sqlx::query_scalar(
            "select exists (
                 select from consent_decision d
                 join processing p on p.id = d.processing_id
                 join processing_revision r on r.processing_id = p.id and r.revision = p.revision
                 join notice_version v on v.notice_id = d.notice_id and v.major = d.major and v.state = 'published'
                 where d.person_id = $1 and d.state in ('given', 'renewed') and (d.until is null or d.until > $2)
                   and d.content_sha256 = r.content_sha256 and d.purpose = r.content ->> 'purpose'
                   and v.field_table @> jsonb_build_array(jsonb_build_object(
                       'content_sha256', encode(r.content_sha256, 'hex')))
                   and not exists (select from consent_decision l where l.person_id = d.person_id
                       and l.processing_id = d.processing_id and l.number > d.number and l.state <> 'deferred'))",
        )
        .bind(self.worker.id())
        .bind(self.app.state.clock.now())
        .fetch_one(&self.app.state.db)
        .await
        .unwrap()
    }
}

fn fields(mode: &'static str) -> Vec<(&'static str, &'static str)> {
    let basis = if mode == "opt_in" { "eu-gdpr:A6-1-a" } else { "eu-gdpr:A6-1-f" };
    vec![("choice_mode", mode), ("legal_basis", basis), ("purpose", PURPOSE), ("consent_validity", "P30D")]
}

async fn tell_stories(mode: &'static str, seeds: std::ops::Range<u64>) {
    let mut allowed = 0;
    for seed in seeds {
        let mut chance = StdRng::seed_from_u64(seed);
        let mut story = Story::begin(mode).await;
        let mut told = Vec::new();
        for _ in 0..STEPS {
            told.push(story.step(chance.random_range(0..20)).await);
            let why = story.everybody_says_the_same().await;
            if why.allows() && mode == "opt_in" {
                allowed += 1;
                assert!(story.there_is_a_yes_to_exactly_this().await, "seed {seed}: {told:?} gave {why:?}");
            }
        }
    }
    assert!(mode != "opt_in" || allowed > 5, "stories in which nothing is ever allowed show nothing");
}

#[tokio::test]
async fn stories_of_an_opt_in() {
    tell_stories("opt_in", 0..4).await;
}

#[tokio::test]
async fn stories_of_an_opt_out() {
    tell_stories("opt_out", 10..12).await;
}

#[tokio::test]
async fn stories_of_objections() {
    tell_stories("objection", 20..22).await;
}
