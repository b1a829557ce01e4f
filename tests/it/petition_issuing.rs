//! How everybody comes by credentials: the representative's server, epochs, rolls and packs, all through HTTP.

use axum::body::Body;
use axum::http::Request;
use daylight::credentials::holder::{Asked, Holder};
use daylight::credentials::seed::Seed;
use daylight::credentials::wire::{EpochInfo, PackResponse, WalletInfo};
use daylight::ledger::proof::leaf::Leaf;
use daylight::ledger::proof::petition::{IssuerRole, request_hash};
use daylight::ledger::proof::tlog_proof::TlogProof;
use daylight::ledger::proof::tree::Hash;
use daylight::ledger::proof::verify::{Against, verify_export};
use daylight::ledger::proof::{base64url, from_base64url};
use daylight::petitions::issuing;
use daylight::web::Role;
use serde_json::{Value, json};

use crate::support::petition::OPERATOR;
use crate::support::representative::{Played, lend_keys};
use crate::support::{Actor, Reply, TestApp, logs};

/// Where the tests' server is, which is its issuer name too.
const HERE: &str = "127.0.0.1:8080";

struct Room {
    app: TestApp,
    played: Played,
    workers: Vec<Actor>,
}

impl Room {
    /// A paired representative, and workers without wallets.
    async fn new(workers: usize) -> Self {
        let app = TestApp::new().await;
        let played = Played::start(&app).await;
        played.pair(&app).await;
        let mut room = Room { app, played, workers: Vec::new() };
        for _ in 0..workers {
            room.workers.push(room.app.actor(Role::Worker).await);
        }
        room
    }

    fn holder(&self, n: u8) -> Holder {
        Holder { seed: Seed([n; 32]), origin: self.app.state.config.log_origin.clone() }
    }

    async fn wallet(&self, n: usize) -> WalletInfo {
        let reply = self.workers[n].get("/api/v1/me/wallet").await.assert_status(200);
        serde_json::from_str(&reply.body).expect("a wallet")
    }

    async fn enrol(&self, n: usize, holder: &Holder) -> Reply {
        let request = holder.enrol(HERE, self.wallet(n).await.worker_ref, None);
        self.workers[n].post_json("/api/v1/me/wallet", &json!(request), None).await
    }

    async fn epoch(&self) -> EpochInfo {
        let reply = self.app.visitor().get("/api/v1/petitions/epoch").await.assert_status(200);
        serde_json::from_str(&reply.body).expect("an epoch")
    }

    async fn ask(&self, asked: &Asked) -> Reply {
        self.app.visitor().post_json("/api/v1/petitions/packs", &json!(asked.request), None).await
    }

    async fn place(&self, holder: &Holder) -> Option<u64> {
        let address = format!("/api/v1/petitions/places/{}", holder.identity());
        let reply = self.app.visitor().get(&address).await;
        if reply.status == 404 { None } else { reply.json()["index"].as_u64() }
    }

    /// Everybody's key, and the first epoch.
    async fn begin(&self) -> Vec<Holder> {
        let mut holders = Vec::new();
        for n in 0..self.workers.len() {
            let holder = self.holder(n as u8 + 1);
            self.enrol(n, &holder).await.assert_status(200);
            holders.push(holder);
        }
        self.played.agree(&self.app).await.expect("an epoch is proposed");
        holders
    }
}

fn hash_of(asked: &Asked) -> Hash {
    let blinded: Vec<Vec<u8>> =
        asked.request.blinded.iter().map(|b| from_base64url(b).expect("base64url")).collect();
    request_hash(blinded.iter().map(Vec::as_slice))
}

#[tokio::test]
async fn a_representative_connects_their_server_after_comparing_its_key() {
    logs::capture();
    let app = TestApp::new().await;
    let played = Played::start(&app).await;
    let rep = app.actor(Role::Representative).await;
    let page = "/petitions/representative";
    for url in [
        "http://council.example",
        "https://council.example/path",
        "https://council.example;script-src",
        "https://a:b@council.example",
        "https://council.example https://evil.example",
        "javascript:alert(1)",
        "",
    ] {
        let reply = rep.post(page, &[("url", url), ("run_by", "us")]).await.assert_status(422);
        assert_eq!(reply.attributes("#url", "value"), [url]);
    }
    // Nobody listens there; another one that isn't a representative's looks the same.
    rep.post(page, &[("url", "http://127.0.0.1:9"), ("run_by", "us")]).await.assert_status(422);
    let fields = [("url", played.url.as_str()), ("run_by", "us")];
    let looked = rep.post(page, &fields).await.assert_status(200);
    let key = played.info().public_key.to_string();
    assert_eq!(looked.attributes("input[name=public_key]", "value"), [key.as_str()]);
    assert!(looked.body.contains("Not independently verified"), "it is on this machine");
    assert_eq!(app.count("representative_server").await, 0, "looking connects nothing");
    // Another key than was shown, and no comparison.
    let other = Hash([7; 32]).to_string();
    for (shown, compared) in [(other.as_str(), "yes"), (key.as_str(), "")] {
        let fields = [fields[0], fields[1], ("public_key", shown), ("compared", compared)];
        rep.post(page, &fields).await.assert_status(422);
    }
    assert!(!rep.get("/notices").await.header("content-security-policy").contains(&played.url));
    let connected = played.connect(&rep).await.assert_status(200);
    let token = connected.select("#token").remove(0);
    assert!(!rep.get(page).await.body.contains(&token), "it is shown once");
    let policy = rep.get("/notices").await;
    assert!(
        policy.header("content-security-policy").contains(&format!("connect-src 'self' {};", played.url))
    );
    assert_eq!(app.count("ledger_entry where bytes like '%\"role\":\"representative\"%'").await, 1);
    assert_eq!(app.count("ledger_entry where bytes like '%\"role\":\"operator\"%'").await, 1);
    // Connecting it anew ends the former token, and announces nothing twice.
    played.pair(&app).await;
    let roll = |token: String| {
        let request =
            Request::get("/api/v1/representative/roll").header("authorization", format!("Bearer {token}"));
        let visitor = app.visitor();
        async move { visitor.send(request, Body::empty()).await.status }
    };
    assert_eq!(roll(token.clone()).await, 401);
    assert_eq!(roll(played.token()).await, 204, "nobody is a worker yet");
    assert_eq!(app.count("ledger_entry where bytes like '%\"role\":\"representative\"%'").await, 1);
    assert_eq!(app.count("ledger_entry where bytes like '%\"role\":\"operator\"%'").await, 1);
    assert_eq!(app.count("representative_server where ended_at is null").await, 1);
    let worker = app.actor(Role::Worker).await;
    assert!(worker.get("/me/access-log").await.body.contains("representative’s server was connected"));
    for reader in [Role::Publisher, Role::Administrator] {
        app.actor(reader).await.get(page).await.assert_status(200);
    }
    let mut db = app.state.db.acquire().await.unwrap();
    let row = issuing::representative(&mut db).await.unwrap().expect("it is connected");
    assert!(!issuing::is_independent(&row, &app.state.config));
    let log = logs::captured();
    assert!(!log.contains(&token) && !log.contains(&played.url));
}

#[tokio::test]
async fn an_impostor_cant_be_connected() {
    let app = TestApp::new().await;
    let played = Played::start(&app).await;
    let rep = app.actor(Role::Representative).await;
    let viewer = crate::support::consent::viewer(&app, rep.id(), Role::Representative);
    let pair = |change: &dyn Fn(&mut daylight::credentials::wire::IssuerInfo)| {
        let mut info = played.info();
        change(&mut info);
        let (state, viewer, url) = (&app.state, &viewer, played.url.clone());
        async move { issuing::pair(state, viewer, &info, &url, "us", false).await.is_ok() }
    };
    assert!(!pair(&|i| i.role = IssuerRole::Operator).await);
    assert!(!pair(&|i| i.origin = "another/log".into()).await);
    assert!(!pair(&|i| i.name = HERE.into()).await);
    assert!(!pair(&|i| i.name = "two\nlines".into()).await);
    assert!(!pair(&|i| i.announcement = None).await);
    assert!(!pair(&|i| i.announcement.as_mut().unwrap().from = "earlier".into()).await);
    assert!(!pair(&|i| i.public_key = Hash([9; 32])).await);
    assert!(pair(&|_| {}).await);
}

#[tokio::test]
async fn an_epoch_begins_when_both_sides_have_signed_it() {
    let room = Room::new(2).await;
    let (app, played) = (&room.app, &room.played);
    app.visitor().get("/api/v1/petitions/epoch").await.assert_status(404);
    let holder = room.holder(1);
    let enrolled = room.enrol(0, &holder).await.assert_status(200).json();
    assert_eq!((&enrolled["index"], &enrolled["epoch"]), (&Value::Null, &Value::Null));
    let proposal = played.proposal(app).await.expect("an epoch is proposed");
    assert_eq!((proposal.epoch.as_str(), proposal.version, proposal.entries.len()), ("2026-Q4", 1, 2));
    assert_eq!(proposal.ends_at.to_string(), "2027-01-01T00:00:00Z");
    assert_eq!(proposal.entries.iter().filter(|e| e.id_key == Some(holder.identity())).count(), 1);
    assert!(proposal.entries.iter().all(|e| e.name.starts_with("Worker-")));
    let address = "/api/v1/representative/roll";
    // Signed, but not this.
    let good = played.countersign(&proposal);
    let mut altered = good.clone();
    altered.root = Hash([3; 32]);
    played.post(app, address, &altered).await.assert_status(409);
    let mut altered = proposal.clone();
    altered.entries.pop();
    played.post(app, address, &played.countersign(&altered)).await.assert_status(409);
    let mut wrong = good.clone();
    wrong.signature = base64url(&[1; 64]);
    played.post(app, address, &wrong).await.assert_status(403);
    let mut wrong = good.clone();
    wrong.begins.as_mut().unwrap().signature = base64url(&[1; 64]);
    played.post(app, address, &wrong).await.assert_status(403);
    let mut wrong = good.clone();
    wrong.begins.as_mut().unwrap().representative = wrong.begins.as_ref().unwrap().operator.clone();
    played.post(app, address, &wrong).await.assert_status(422);
    let mut wrong = good.clone();
    let keys = &mut wrong.begins.as_mut().unwrap().operator.keys;
    keys.swap(1, 2);
    played.post(app, address, &wrong).await.assert_status(409);
    let mut wrong = good.clone();
    wrong.begins = None;
    played.post(app, address, &wrong).await.assert_status(422);
    app.visitor().post_json(address, &json!(good), Some("another token")).await.assert_status(401);
    app.visitor().get("/api/v1/petitions/epoch").await.assert_status(404);
    assert_eq!(
        app.count("ledger_entry where bytes like '%\"t\":\"epoch\"%'").await,
        0,
        "nothing is half done"
    );
    // What has changed meanwhile has to be signed anew.
    room.enrol(1, &room.holder(2)).await.assert_status(200);
    played.proposal(app).await.expect("another proposal");
    played.post(app, address, &good).await.assert_status(409);
    played.agree(app).await.expect("it is signed");
    assert!(played.proposal(app).await.is_none(), "nothing waits any more");
    let epoch = room.epoch().await;
    let proof: TlogProof = epoch.proof.expect("it is in the log").parse().expect("a proof");
    let entry = Leaf::from_bytes(&proof.extra.expect("the entry")).expect("a leaf");
    assert_eq!(entry, Some(Leaf::Epoch(epoch.epoch.clone())));
    assert_eq!((epoch.packs, epoch.packs_needed, epoch.epoch.operator.name.as_str()), (0, 20, HERE));
    let wallet = room.wallet(0).await;
    assert_eq!(wallet.index, room.place(&holder).await);
    assert!(wallet.index.is_some() && wallet.epoch.as_deref() == Some("2026-Q4"));
    // The roll in the log names nobody.
    let bytes: Vec<Vec<u8>> =
        sqlx::query_scalar("select bytes from ledger_entry").fetch_all(&app.state.db).await.unwrap();
    let log: String = bytes.iter().map(|b| String::from_utf8_lossy(b)).collect();
    for n in 0..2 {
        let wallet = room.wallet(n).await;
        assert!(!log.contains(&wallet.name) && !log.contains(&wallet.worker_ref.to_string()));
    }
    assert!(room.workers[0].get("/me/access-log").await.body.contains("was given the roll"));
}

#[tokio::test]
async fn a_key_is_its_holders() {
    let room = Room::new(2).await;
    let theirs = room.wallet(1).await.worker_ref;
    let holder = room.holder(1);
    let post = |body: Value| {
        let worker = &room.workers[0];
        async move { worker.post_json("/api/v1/me/wallet", &body, None).await }
    };
    post(json!(holder.enrol(HERE, theirs, None))).await.assert_status(422);
    let own = room.wallet(0).await.worker_ref;
    post(json!(holder.enrol(OPERATOR, own, None))).await.assert_status(403);
    post(json!({"worker_ref": own})).await.assert_status(422);
    room.enrol(0, &holder).await.assert_status(200);
    room.enrol(0, &holder).await.assert_status(200);
    room.enrol(1, &holder).await.assert_status(409);
    // The same by a form, for the command line.
    let form = "/petitions/wallet/key";
    let bad = room.workers[1].post(form, &[("enrolment", "{\"a\":1}")]).await.assert_status(422);
    assert_eq!(bad.select("#enrolment"), ["{\"a\":1}"]);
    let enrolment = json!(room.holder(2).enrol(HERE, theirs, None)).to_string();
    let done = room.workers[1].post(form, &[("enrolment", &enrolment)]).await.assert_status(303);
    assert_eq!(done.location(), "/petitions/wallet?done=wallet-key");
    assert_eq!(room.wallet(1).await.id_key, Some(room.holder(2).identity()));
}

#[tokio::test]
async fn a_place_has_one_pack_and_the_same_request_gets_the_same_answer() {
    logs::capture();
    let room = Room::new(2).await;
    let holders = room.begin().await;
    let epoch = room.epoch().await.epoch;
    let place = room.place(&holders[0]).await.expect("a place");
    let asked = holders[0].ask(&epoch, IssuerRole::Operator, place).expect("a request");
    let first = room.ask(&asked).await.assert_status(200);
    assert_eq!(room.ask(&asked).await.assert_status(200).body, first.body);
    let answer: PackResponse = serde_json::from_str(&first.body).expect("a pack");
    assert_eq!(asked.finish(&answer).expect("the tokens verify").len(), 16);
    // Somebody else at this place, this one at another, another epoch, another request.
    let other = holders[1].ask(&epoch, IssuerRole::Operator, place).expect("a request");
    room.ask(&other).await.assert_status(403);
    let elsewhere = holders[0].ask(&epoch, IssuerRole::Operator, 99).expect("a request");
    room.ask(&elsewhere).await.assert_status(403);
    let mut altered = epoch.clone();
    altered.epoch = "2027-Q1".into();
    room.ask(&holders[0].ask(&altered, IssuerRole::Operator, place).expect("a request"))
        .await
        .assert_status(404);
    // Its holder's key signs, but another request.
    altered = epoch.clone();
    altered.group = "another".into();
    let again = holders[0].ask(&altered, IssuerRole::Operator, place).expect("a request");
    room.ask(&again).await.assert_status(409);
    assert_eq!(room.app.count("petition_pack").await, 1);
    assert_eq!(
        room.app.count("ledger_entry where bytes like '%\"t\":\"issue\"%' and position is not null").await,
        0
    );
    room.app.state.clock.advance(3600);
    room.app.state.ledger.settle().await.unwrap();
    assert_eq!(
        room.app.count("ledger_entry where bytes like '%\"t\":\"issue\"%' and position is not null").await,
        1
    );
    // No log line says whose request it was.
    let (log, wallet) = (logs::captured(), room.wallet(0).await);
    for told in [wallet.name, wallet.worker_ref.to_string(), holders[0].identity().to_string()] {
        assert!(!log.contains(&told), "{told}");
    }
    assert!(!log.contains("/petitions/packs") && !log.contains(&first.body));
}

/// Two different requests for one place at one moment: how they end, and how many packs are noted.
async fn race(room: &Room) -> ([u16; 2], i64) {
    let holders = room.begin().await;
    let epoch = room.epoch().await.epoch;
    let mut altered = epoch.clone();
    altered.group = "another".into();
    let ask = |leaf| holders[0].ask(leaf, IssuerRole::Operator, 0).expect("a request");
    let (one, two) = (ask(&epoch), ask(&altered));
    let (one, two) = tokio::join!(room.ask(&one), room.ask(&two));
    let mut both = [one.status, two.status];
    both.sort();
    (both, room.app.count("petition_pack").await)
}

#[tokio::test]
async fn of_two_requests_at_one_moment_one_wins() {
    let room = Room::new(1).await;
    assert_eq!(race(&room).await, ([200, 409], 1));
}

#[tokio::test]
async fn it_is_the_constraint_that_lets_one_win() {
    let room = Room::new(1).await;
    let drop = "alter table petition_pack drop constraint petition_pack_once";
    sqlx::query(drop).execute(&room.app.state.db).await.unwrap();
    assert_eq!(race(&room).await, ([200, 200], 2));
}

#[tokio::test]
async fn the_representative_tells_of_its_packs_and_packs_of_both_are_counted() {
    let room = Room::new(2).await;
    let holders = room.begin().await;
    let (app, played) = (&room.app, &room.played);
    let epoch = room.epoch().await.epoch;
    let address = "/api/v1/representative/issues";
    for (n, holder) in holders.iter().enumerate() {
        let place = room.place(holder).await.expect("a place");
        let asked = holder.ask(&epoch, IssuerRole::Representative, place).expect("a request");
        let notice = played.notice(&epoch.epoch, place, hash_of(&asked));
        if n == 0 {
            let own = holder.ask(&epoch, IssuerRole::Operator, place).expect("a request");
            room.ask(&own).await.assert_status(200);
        }
        let mut forged = notice.clone();
        forged.signature = base64url(&[1; 64]);
        played.post(app, address, &[forged]).await.assert_status(403);
        app.visitor().post_json(address, &json!([notice]), Some("another")).await.assert_status(401);
        played.post(app, address, std::slice::from_ref(&notice)).await.assert_status(200);
        played.post(app, address, &[notice]).await.assert_status(200);
        let other = played.notice(&epoch.epoch, place, Hash([4; 32]));
        played.post(app, address, &[other]).await.assert_status(409);
    }
    let nowhere = played.notice(&epoch.epoch, 2, Hash([4; 32]));
    played.post(app, address, &[nowhere]).await.assert_status(403);
    assert_eq!(app.count("petition_pack").await, 3);
    assert_eq!(room.epoch().await.packs, 1, "of both issuers");
    let mut db = app.state.db.acquire().await.unwrap();
    assert_eq!(issuing::packs_of(&mut db, "2026-Q4").await.unwrap(), 1);
}

#[tokio::test]
async fn the_roll_grows_for_newcomers_and_new_keys() {
    let mut room = Room::new(2).await;
    let holder = room.holder(1);
    room.enrol(0, &holder).await.assert_status(200);
    room.played.agree(&room.app).await.expect("an epoch");
    // A newcomer, and a key of somebody who was there.
    room.workers.push(room.app.actor(Role::Worker).await);
    room.enrol(2, &room.holder(3)).await.assert_status(200);
    room.enrol(1, &room.holder(2)).await.assert_status(200);
    assert_eq!(room.place(&room.holder(3)).await, None, "until it is signed");
    let grown = room.played.agree(&room.app).await.expect("a version");
    assert_eq!((grown.version, grown.entries.len(), grown.operator), (2, 3, None));
    assert_eq!(room.place(&room.holder(3)).await, Some(2), "newcomers come last");
    assert!(room.place(&room.holder(2)).await.is_some());
    assert!(room.played.proposal(&room.app).await.is_none());
    // A lost wallet before the pack: the new key counts once it is signed.
    room.enrol(1, &room.holder(4)).await.assert_status(200);
    let proposed = room.played.agree(&room.app).await.expect("a version");
    assert_eq!(proposed.version, 3);
    assert!(room.place(&room.holder(4)).await.is_some());
    assert_eq!(room.place(&room.holder(2)).await, None);
    // After the pack: from the next epoch on.
    let epoch = room.epoch().await.epoch;
    let place = room.place(&holder).await.expect("a place");
    let asked = holder.ask(&epoch, IssuerRole::Operator, place).expect("a request");
    room.ask(&asked).await.assert_status(200);
    let late = room.enrol(0, &room.holder(5)).await.assert_status(200).json();
    assert_eq!((&late["from_next_epoch"], &late["index"]), (&json!(true), &Value::Null));
    assert!(room.played.proposal(&room.app).await.is_none());
    assert_eq!(room.place(&holder).await, Some(place));
}

#[tokio::test]
async fn a_leaver_stays_in_the_epoch_and_gets_nothing_in_the_next() {
    let room = Room::new(3).await;
    let holders = room.begin().await;
    let (app, played) = (&room.app, &room.played);
    let former = room.epoch().await;
    for holder in &holders {
        let place = room.place(holder).await.expect("a place");
        let asked = holder.ask(&former.epoch, IssuerRole::Operator, place).expect("a request");
        room.ask(&asked).await.assert_status(200);
    }
    sqlx::query("update person set deactivated_at = $2 where id = $1")
        .bind(room.workers[0].id())
        .bind(app.state.clock.now())
        .execute(&app.state.db)
        .await
        .unwrap();
    assert!(played.proposal(app).await.is_none(), "nobody is removed");
    assert!(room.place(&holders[0]).await.is_some());
    // Over the quarter.
    lend_keys(app);
    app.state.clock.advance(61 * 86_400);
    let proposal = played.agree(app).await.expect("the next epoch");
    assert_eq!((proposal.epoch.as_str(), proposal.version, proposal.entries.len()), ("2027-Q1", 1, 2));
    assert_eq!(proposal.previous, Some(former.leaf_hash));
    let next = room.epoch().await;
    assert_eq!(next.epoch.previous, Some(former.leaf_hash));
    assert_eq!(room.place(&holders[0]).await, None);
    assert!(room.place(&holders[1]).await.is_some());
    for place in 0..3 {
        let asked = holders[0].ask(&next.epoch, IssuerRole::Operator, place).expect("a request");
        room.ask(&asked).await.assert_status(403);
    }
    assert_eq!(app.count("petition_pack where epoch = '2026-Q4'").await, 3, "what was given stays");
    assert_eq!(app.count("petition_roll_entry where epoch = '2026-Q4'").await, 3);
    // A year after its end who was on the roll is forgotten.
    issuing::forget(&app.state).await.unwrap();
    assert_eq!(app.count("petition_roll_entry where epoch = '2026-Q4'").await, 3);
    app.state.clock.advance(366 * 86_400);
    issuing::forget(&app.state).await.unwrap();
    assert_eq!(app.count("petition_roll_entry where epoch = '2026-Q4'").await, 0);
    assert_eq!(app.count("petition_pack where epoch = '2026-Q4'").await, 0);
    assert_eq!(app.count("petition_roll_entry where epoch = '2027-Q1'").await, 2);
}

#[tokio::test]
async fn packs_of_a_former_epoch_are_given_while_a_petition_of_it_runs() {
    let mut room = Room::new(2).await;
    let holders = room.begin().await;
    let former = room.epoch().await;
    assert!(former.former.is_empty());
    let name = former.epoch.epoch.clone();
    let ask =
        |n: usize, place| holders[n].ask(&former.epoch, IssuerRole::Operator, place).expect("a request");
    let places = [room.place(&holders[0]).await.expect("one"), room.place(&holders[1]).await.expect("one")];
    let first = room.ask(&ask(0, places[0])).await.assert_status(200).body;
    crate::support::petition::open(&room.app, room.workers[0].id(), 1, "More daylight").await;
    // Over New Year, with a newcomer.
    lend_keys(&room.app);
    room.app.state.clock.advance(61 * 86_400);
    let newcomer = room.app.actor(Role::Worker).await;
    room.workers.push(newcomer);
    room.enrol(2, &room.holder(3)).await.assert_status(200);
    room.played.agree(&room.app).await.expect("the next epoch");
    let next = room.epoch().await;
    assert_eq!((next.epoch.epoch.as_str(), &next.former), ("2027-Q1", &vec![name.clone()]));
    let visitor = room.app.visitor();
    let look = |path: String| {
        let visitor = &visitor;
        async move { visitor.get(&format!("/api/v1/petitions/{path}?epoch=2026-Q4")).await }
    };
    let again: EpochInfo =
        serde_json::from_str(&look("epoch".into()).await.assert_status(200).body).expect("an epoch");
    assert_eq!((again.leaf_hash, again.epoch), (former.leaf_hash, former.epoch.clone()));
    assert!(again.proof.is_some() && again.former.is_empty());
    for n in 0..2 {
        let place = look(format!("places/{}", holders[n].identity())).await.assert_status(200).json();
        assert_eq!((place["epoch"].as_str(), place["index"].as_u64()), (Some("2026-Q4"), Some(places[n])));
    }
    look(format!("places/{}", room.holder(3).identity())).await.assert_status(404);
    assert_eq!(room.ask(&ask(0, places[0])).await.assert_status(200).body, first, "byte for byte");
    room.ask(&ask(1, places[1])).await.assert_status(200);
    room.ask(&ask(1, places[0])).await.assert_status(403);
    // Once nothing of it runs any more, it is over.
    sqlx::query("update petition set state = 'closed', closed_at = closes_at")
        .execute(&room.app.state.db)
        .await
        .unwrap();
    look("epoch".into()).await.assert_status(404);
    look(format!("places/{}", holders[0].identity())).await.assert_status(404);
    room.ask(&ask(0, places[0])).await.assert_status(404);
    assert!(room.epoch().await.former.is_empty());
}

#[tokio::test]
async fn an_early_epoch_begins_when_slots_or_servers_change() {
    let room = Room::new(1).await;
    room.begin().await;
    let (app, played) = (&room.app, &room.played);
    for slot in 1..16 {
        let id = app.state.random.opaque_id();
        sqlx::query(
            "insert into petition (id, state, author_key, epoch, slot, open_days)
             values ($1, 'closed', sha256($2::text::bytea), '2026-Q4', $3, 30)",
        )
        .bind(id)
        .bind(slot.to_string())
        .bind(slot)
        .execute(&app.state.db)
        .await
        .unwrap();
    }
    lend_keys(app);
    let proposal = played.agree(app).await.expect("an early epoch");
    assert_eq!((proposal.epoch.as_str(), proposal.version), ("2026-Q4.2", 1));
    assert_eq!(proposal.ends_at.to_string(), "2027-01-01T00:00:00Z");
    // A proposal that nobody signs in its quarter gives way.
    lend_keys(app);
    app.state.clock.advance(61 * 86_400);
    assert_eq!(played.proposal(app).await.expect("the next").epoch, "2027-Q1");
    lend_keys(app);
    app.state.clock.advance(90 * 86_400);
    assert_eq!(played.proposal(app).await.expect("the next").epoch, "2027-Q2");
    assert_eq!(app.count("petition_epoch").await, 3);
}

#[tokio::test]
async fn the_representative_reads_which_petitions_take_signatures() {
    let room = Room::new(1).await;
    room.begin().await;
    let (app, played) = (&room.app, &room.played);
    let open = crate::support::petition::open(app, room.workers[0].id(), 1, "More daylight").await;
    let list = played.get(app, "/api/v1/representative/petitions").await.assert_status(200).json();
    assert_eq!(list[0]["leaf_hash"], open.leaf_hash.to_string());
    assert_eq!((&list[0]["title"], &list[0]["slot"]), (&json!("More daylight"), &json!(1)));
    assert!(!list.to_string().contains(&room.workers[0].id().to_string()), "nor who began it");
    let visitor = app.visitor();
    visitor.get("/api/v1/representative/petitions").await.assert_status(401);
}

/// A token key that some people had before would mark them, and the log that holds it would be violated for ever.
#[tokio::test]
async fn token_keys_of_a_former_epoch_are_refused() {
    let room = Room::new(1).await;
    room.begin().await;
    let (app, played) = (&room.app, &room.played);
    lend_keys(app);
    app.state.clock.advance(61 * 86_400);
    let proposal = played.proposal(app).await.expect("the next epoch");
    let good = played.countersign(&proposal);
    let former = room.epoch().await.epoch;
    let address = "/api/v1/representative/roll";
    for (slot, key) in [
        (5, former.representative.keys[5].clone()),
        (6, former.representative.keys[5].clone()),
        (7, former.operator.keys[2].clone()),
        (8, good.begins.as_ref().unwrap().operator.keys[8].clone()),
    ] {
        let mut wrong = good.clone();
        let leaf = wrong.begins.as_mut().unwrap();
        leaf.representative.keys[slot] = key;
        played.sign_epoch(leaf);
        let reply = played.post(app, address, &wrong).await.assert_status(422);
        assert_eq!(reply.json()["errors"][0]["field"], "/begins", "{}", reply.body);
    }
    assert_eq!(app.count("ledger_entry where bytes like '%\"t\":\"epoch\"%'").await, 1);
    played.post(app, address, &good).await.assert_status(204);
}

/// A pack's leaf waits for its hour; whoever replaces the server meanwhile has another key.
#[tokio::test]
async fn packs_of_a_replaced_server_stand_before_the_next_ones_key() {
    let room = Room::new(1).await;
    let holders = room.begin().await;
    let (app, played) = (&room.app, &room.played);
    let epoch = room.epoch().await.epoch;
    let asked = holders[0].ask(&epoch, IssuerRole::Representative, 0).expect("a request");
    let notice = played.notice(&epoch.epoch, 0, hash_of(&asked));
    played.post(app, "/api/v1/representative/issues", &[notice]).await.assert_status(200);
    let mut second = Played::start(app).await;
    second.key = ed25519_dalek::SigningKey::from_bytes(&[0x53; 32]);
    let rep = app.actor(Role::Representative).await;
    let viewer = crate::support::consent::viewer(app, rep.id(), Role::Representative);
    issuing::pair(&app.state, &viewer, &second.info(), &second.url, "us", false).await.expect("connected");
    app.state.clock.advance(3600);
    app.state.ledger.settle().await.unwrap();
    let export = app.visitor().get("/log/export").await.assert_status(200).body;
    let report = verify_export(export.as_bytes(), &Against::default()).expect("it can be read");
    assert!(!report.is_violated(), "{report}");
    assert!(report.to_string().contains("1 by the representative"), "{report}");
}

/// Another representative's server, and then the former one again: the log says each time whose key it is now.
#[tokio::test]
async fn a_former_server_is_announced_anew() {
    let app = TestApp::new().await;
    let first = Played::start(&app).await;
    let mut second = Played::start(&app).await;
    second.key = ed25519_dalek::SigningKey::from_bytes(&[0x53; 32]);
    let rep = app.actor(Role::Representative).await;
    let viewer = crate::support::consent::viewer(&app, rep.id(), Role::Representative);
    for (played, announced) in [(&first, 1), (&first, 1), (&second, 2), (&first, 3), (&first, 3)] {
        issuing::pair(&app.state, &viewer, &played.info(), &played.url, "us", false)
            .await
            .expect("connected");
        let count = "ledger_entry where bytes like '%\"role\":\"representative\"%'";
        assert_eq!(app.count(count).await, announced);
        app.state.clock.advance(60);
    }
    let export = app.visitor().get("/log/export").await.assert_status(200).body;
    let report = verify_export(export.as_bytes(), &Against::default()).expect("it can be read");
    assert!(!report.is_violated(), "{report}");
    assert_eq!(report.to_string().matches("another representative's key was announced here").count(), 2);
}

/// The folder with the operator's key was lost: what the log announces isn't what signs promises.
#[tokio::test]
async fn a_new_key_of_the_operator_is_announced_before_it_promises() {
    let app = TestApp::new().await;
    let played = Played::start(&app).await;
    played.pair(&app).await;
    let announced = "ledger_entry where bytes like '%\"role\":\"operator\"%'";
    assert_eq!(app.count(announced).await, 1);
    sqlx::query("update operator_key set public_key = decode(repeat('ab', 32), 'hex')")
        .execute(&app.state.db)
        .await
        .expect("as if another had been announced");
    for _ in 0..2 {
        issuing::announce_again(&app.state).await.expect("announced");
        assert_eq!(app.count(announced).await, 2);
    }
    let export = app.visitor().get("/log/export").await.assert_status(200).body;
    let report = verify_export(export.as_bytes(), &Against::default()).expect("it can be read");
    assert!(!report.is_violated(), "{report}");
}
