//! Whatever one worker of twelve decides, no page, file, header or log line of HR's, the representatives' or the
//! administrators' changes by it: every route that they can open is opened before and after.
//!
//! What does change, for everybody and on purpose, is the public log: each decision adds a commitment that only its
//! author can open. Its number tells that somebody decided something, and is all that anybody learns.

use std::collections::BTreeMap;

use daylight::app::route_table;
use daylight::consent::actions::tally::count_choices;
use daylight::consent::actions::{self, Reply as Answer};
use daylight::consent::deliver_due;
use daylight::consent::model::Choice;
use daylight::consent::pseudonym::Pseudonyms;
use daylight::identity::{self, NewPerson};
use daylight::web::routes::Access;
use daylight::web::{Role, Viewer};
use uuid::Uuid;

use crate::support::agent::Agent;
use crate::support::consent::{OPT_IN, OPT_OUT, choose, declare, tell, viewer};
use crate::support::receiver::{Receiver, System, register};
use crate::support::sweep::{text, without_looks};
use crate::support::{Actor, TestApp, logs};

/// Reasons as nobody else would write them.
const UNNAMED: &str = "zz-unnamed-reason-zz";
const NAMED: &str = "zz-named-reason-zz";

/// The public log's own pages and files: they hold one commitment more.
const PUBLIC_LOG: &str = "/log";

const ROLES: [Role; 3] = [Role::Publisher, Role::Representative, Role::Administrator];

struct Room {
    app: TestApp,
    actors: Vec<(Role, Actor)>,
    /// One of twelve.
    worker: Actor,
    agent: Agent,
    opt_in: Uuid,
    opt_out: Uuid,
    objections: [Uuid; 3],
    system: System,
    notice: Uuid,
    version: Uuid,
    /// Of a colleague, of the day before.
    open: Uuid,
}

impl Room {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let mut actors = Vec::new();
        for role in ROLES {
            actors.push((role, app.actor(role).await));
        }
        let publisher = &actors[0].1;
        let mut workers = Vec::new();
        for n in 0..12 {
            let (email, name) = (format!("worker{n}@dock.example"), format!("Worker {n}"));
            let person = NewPerson {
                email: if n == 0 { "quirina@dock.example" } else { &email },
                name: if n == 0 { "Quirina Quandt" } else { &name },
                department: Some("Dock"),
                roles: &[Role::Worker],
                ..NewPerson::default()
            };
            let mut db = app.state.db.acquire().await.unwrap();
            workers.push(identity::add_person(&mut db, &app.state, &person).await.unwrap());
        }
        let opt_in = declare(&app, publisher, OPT_IN).await;
        let opt_out = declare(&app, publisher, OPT_OUT).await;
        let of = async |category| declare(&app, publisher, &[("category", category)]).await;
        let objections = [of("presence").await, of("input.pointer").await, of("web.domains").await];
        let all = [opt_in, opt_out, objections[0], objections[1], objections[2]];
        let version = tell(&app, publisher.id(), &all).await;
        app.state.consent.reload().await.unwrap();
        let receiver = Receiver::start();
        receiver.answer(&[500; 100]);
        let system = register(&app, &actors[2].1, "Planner", &all, &receiver.url).await;
        let worker = app.sign_in_as(workers[0]).await;
        let agent = Agent::of(&app, worker.id()).await;
        let colleague = app.sign_in_as(workers[1]).await;
        let object = |reason| Choice::Object { reason, named: false };
        let open = choose(&app, &colleague, objections[0], object("Of a colleague.")).await.unwrap();
        // One that was overridden, for her to contest.
        let own = choose(&app, &worker, objections[2], object("The first one.")).await.unwrap();
        let hr: Viewer = viewer(&app, publisher.id(), Role::Publisher);
        actions::answer(&app.state, &hr, own, Answer::Overridden, "It has to be.").await.unwrap();
        let (notice, version) = (version.notice_id, version.id);
        let mut room =
            Room { app, actors, worker, agent, opt_in, opt_out, objections, system, notice, version, open };
        room.next_day().await;
        room
    }

    async fn next_day(&mut self) {
        self.app.state.clock.advance(86_400);
        count_choices(&self.app.state).await.unwrap();
        deliver_due(&self.app.state).await.unwrap();
        for (_, actor) in &mut self.actors {
            *actor = self.app.sign_in_as(actor.id()).await;
        }
        self.worker = self.app.sign_in_as(self.worker.id()).await;
    }

    /// Every kind of choice, and all that happens because of them.
    async fn decide(&self) {
        let make =
            async |processing, choice| choose(&self.app, &self.worker, processing, choice).await.unwrap();
        make(self.opt_in, Choice::Later).await;
        make(self.opt_in, Choice::No).await;
        make(self.opt_in, Choice::Yes).await;
        make(self.opt_in, Choice::No).await;
        make(self.opt_out, Choice::No).await;
        make(self.objections[0], Choice::Object { reason: UNNAMED, named: false }).await;
        make(self.objections[1], Choice::Object { reason: NAMED, named: true }).await;
        make(self.objections[1], Choice::Yes).await;
        make(self.objections[1], Choice::Object { reason: NAMED, named: true }).await;
        make(self.objections[2], Choice::Contest { reason: UNNAMED }).await;
        deliver_due(&self.app.state).await.unwrap();
        self.ask_as_others_do().await;
    }

    /// Her agent and the other system ask and are told.
    async fn ask_as_others_do(&self) {
        // On a busy machine more than ten seconds may have passed, after which the memory is no longer believed.
        self.app.state.consent.reload().await.expect("read again");
        let request = axum::http::Request::get(format!("/api/v1/policy/{}", self.agent.id))
            .header("authorization", format!("Bearer {}", self.agent.token));
        self.app.visitor().send(request, axum::body::Body::empty()).await.assert_status(200);
        let query = [("category", "app.usage"), ("purpose", "dpv:EnforceSecurity")];
        self.system.ask(&self.app.visitor(), self.known_as(), &query).await.assert_status(200);
    }

    fn known_as(&self) -> Uuid {
        let secret = self.app.state.consent.secrets().unwrap().pseudonyms;
        Pseudonyms::new(&secret, self.system.id).of(self.worker.id())
    }

    /// The addresses that a route has, with real ids where it wants some.
    fn addresses(&self, path: &str) -> Vec<String> {
        let all = |ids: &[Uuid]| ids.iter().map(|id| path.replace("{id}", &id.to_string())).collect();
        match path {
            "/people/{id}" => all(&[self.worker.id()]),
            "/people/import/{id}" | "/imports/{id}" | "/canaries/{id}" | "/canaries/searches/{id}" => {
                all(&[Uuid::nil()])
            }
            "/register/{id}" | "/register/{id}/edit" => all(&[self.opt_in, self.opt_out, self.objections[0]]),
            "/objections/{id}" => all(&[self.open]),
            "/objections" => [self.opt_in, self.objections[0], self.objections[1]]
                .iter()
                .map(|id| format!("/objections?processing={id}"))
                .chain(["/objections".into()])
                .collect(),
            "/notices/{id}"
            | "/notices/{id}/changes"
            | "/notices/{id}/reach"
            | "/board/{id}"
            | "/publishing/{id}" => all(&[self.notice]),
            "/publishing/versions/{id}"
            | "/publishing/versions/{id}/edit"
            | "/publishing/versions/{id}/schedule" => all(&[self.version]),
            "/log/entries/{index}" | "/log/entries/{index}/proof" => vec![path.replace("{index}", "3")],
            "/log/tile/{*path}" => vec!["/log/tile/0/000.p/1".into(), "/log/tile/entries/000.p/1".into()],
            "/findings/{group}" => vec!["/findings/000000000000".into()],
            "/link/{token}" => vec!["/link/nothing".into()],
            "/catalogue/{id}" => vec!["/catalogue/time-doctor".into()],
            // There are none here; tests/it/petition_isolation.rs sweeps them.
            petitions if petitions.contains("/petitions/") && petitions.contains('{') => {
                let parts = petitions.split('/').map(|part| match part.starts_with('{') {
                    true => Uuid::nil().to_string(),
                    false => part.to_owned(),
                });
                vec![parts.collect::<Vec<_>>().join("/")]
            }
            other => {
                assert!(!other.contains('{'), "{other} is new: say here with which ids it is to be opened");
                vec![other.to_owned()]
            }
        }
    }

    /// Everything that the three can open, and what the server logged meanwhile.
    async fn look(&self) -> Sight {
        let mut pages = BTreeMap::new();
        logs::capture();
        for route in route_table().iter().filter(|r| r.method == "GET") {
            for (role, actor) in &self.actors {
                let may = match route.access {
                    Access::Public | Access::SignedIn => true,
                    Access::Roles(roles) => roles.contains(role),
                    Access::Token => false,
                };
                if may {
                    for address in self.addresses(route.path) {
                        let reply = actor.get(&address).await;
                        assert!(reply.status < 500, "{address}: {}", reply.status);
                        let own_log = address == "/me/access-log";
                        let text = if own_log { without_looks(&text(&reply)) } else { text(&reply) };
                        pages.insert(format!("{role} {address}"), text);
                    }
                }
            }
        }
        let log = logs::captured();
        let lines = log.lines().filter(|l| !l.contains("DEBUG")).map(line).collect();
        Sight { pages, lines }
    }
}

struct Sight {
    /// Status, headers and body, by who looked and where.
    pages: BTreeMap<String, String>,
    lines: Vec<String>,
}

impl Sight {
    fn body(&self, of: &str) -> &str {
        self.pages.get(of).map_or("", String::as_str)
    }
}

/// A log line without when it was written, the request's number, and how long it took.
fn line(line: &str) -> String {
    let kept = line.split_whitespace().skip(1).filter(|w| !w.starts_with("millis=") && !w.contains("id="));
    kept.collect::<Vec<_>>().join(" ")
}

/// Where two sights differ, the public log apart.
fn differences(before: &Sight, after: &Sight) -> Vec<String> {
    let is_log = |place: &str| place.split_once(' ').is_some_and(|(_, path)| path.starts_with(PUBLIC_LOG));
    let mut found = Vec::new();
    for (place, was) in before.pages.iter().filter(|(place, _)| !is_log(place)) {
        let is = after.body(place);
        if was != is {
            let lines = is.lines().filter(|line| !was.contains(*line)).take(3).collect::<Vec<_>>();
            found.push(format!("{place}: {lines:?}"));
        }
    }
    if before.lines != after.lines {
        found.push("the server's log".into());
    }
    assert_eq!(before.pages.len(), after.pages.len());
    found
}

#[tokio::test]
async fn one_persons_choices_change_nothing_that_others_see() {
    let mut room = Room::new().await;
    room.ask_as_others_do().await;
    room.look().await;
    let before = room.look().await;
    assert!(before.pages.len() > 60, "{}", before.pages.len());
    let again = room.look().await;
    assert!(differences(&before, &again).is_empty(), "{:#?}", differences(&before, &again));
    logs::capture();
    room.decide().await;
    let log = logs::captured();
    let after = room.look().await;
    let found = differences(&before, &after);
    assert!(found.is_empty(), "{found:#?}");

    // Nothing that names her or what she decided is anywhere near: not on the day, not the day after.
    let mut ids: Vec<String> =
        sqlx::query_scalar("select id::text from consent_decision where person_id = $1")
            .bind(room.worker.id())
            .fetch_all(&room.app.state.db)
            .await
            .unwrap();
    assert_eq!(ids.len(), 12);
    let pseudonyms =
        [room.known_as().to_string(), room.app.state.consent.person_ref(room.worker.id()).unwrap()];
    ids.extend(pseudonyms.clone());
    for (place, page) in &after.pages {
        for id in ids.iter().map(String::as_str).chain([UNNAMED, NAMED]) {
            assert!(!page.contains(id), "{id} in {place}");
        }
    }
    for word in ids.iter().map(String::as_str).chain([UNNAMED, NAMED, "Quirina", "quirina@"]) {
        assert!(!log.contains(word), "{word} in the log");
    }
    assert!(!log.contains(&room.worker.id().to_string()));

    room.next_day().await;
    let day_after = room.look().await;
    let mut opened = 0;
    for (place, page) in &day_after.pages {
        for pseudonym in &pseudonyms {
            assert!(!page.contains(pseudonym), "{pseudonym} in {place}");
        }
        let decisions = ids.iter().filter(|id| page.contains(*id)).count();
        assert!(decisions == 0 || place.contains(" /objections"), "{place}");
        if page.contains(UNNAMED) {
            opened += 1;
            let named = place.starts_with("publisher ") && page.contains(NAMED);
            assert_eq!(page.contains("Quirina"), named, "beside an objection without a name: {place}");
        }
        for word in [room.worker.id().to_string().as_str(), "quirina@"] {
            let account = place.contains(" /people") || place.contains(" /agents");
            assert!(account || !page.contains(word), "{word} in {place}");
        }
    }
    assert!(opened > 0, "the day after, objections are there to be answered");
    // With a name only what she put her name to: the cards are apart.
    let publisher = &room.actors[0].1;
    for card in publisher.get("/objections").await.select(".card") {
        assert_eq!(card.contains("Quirina"), card.contains(NAMED), "{card}");
    }
}

#[tokio::test]
async fn the_log_grows_by_commitments_that_say_nothing() {
    let room = Room::new().await;
    let before = room.app.count("ledger_entry").await;
    room.decide().await;
    let added: Vec<Vec<u8>> = sqlx::query_scalar("select bytes from ledger_entry order by id offset $1")
        .bind(before)
        .fetch_all(&room.app.state.db)
        .await
        .unwrap();
    assert_eq!(added.len(), 10, "one for each decision, whatever it was");
    for leaf in added {
        let leaf: serde_json::Value = serde_json::from_slice(&leaf).unwrap();
        let fields: Vec<&String> = leaf.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["commitment", "t", "v"]);
        assert_eq!(leaf["t"], "consent");
        assert_eq!(leaf["commitment"].as_str().map(str::len), Some(43));
    }
}

/// A sweep that can't fail checks nothing: here each refusal shows on a page, in a number and in an order.
#[tokio::test]
async fn a_page_that_tells_is_found() {
    for leak in [
        "update department set name = name || ' (somebody said no)'",
        "update person set name = name || '.' where id = new.person_id",
        "update webhook_test set failed = 'it answered 500', at = now()",
    ] {
        let room = Room::new().await;
        room.look().await;
        let before = room.look().await;
        let plant = format!(
            "create function plant() returns trigger language plpgsql as $$ begin {leak}; return null; end $$;
             create trigger planted after insert on consent_decision for each row when (new.state = 'refused')
             execute function plant();"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(plant)).execute(&room.app.state.db).await.unwrap();
        room.decide().await;
        let after = room.look().await;
        assert!(!differences(&before, &after).is_empty(), "{leak} goes unseen");
    }
}

/// The sweep opens what is there: the pages that show choices to others in some form are among them.
#[tokio::test]
async fn the_sweep_reaches_every_door_of_the_three() {
    let room = Room::new().await;
    let sight = room.look().await;
    for place in [
        "publisher /objections",
        "representative /objections",
        "publisher /organisation/choices",
        "administrator /systems",
        "administrator /agents",
        "publisher /systems",
        "administrator /outbox",
        "representative /findings",
    ] {
        assert!(sight.body(place).starts_with("200"), "{place}");
    }
    let open = format!("publisher /objections/{}", room.open);
    assert!(sight.body(&open).contains("Of a colleague."));
}
