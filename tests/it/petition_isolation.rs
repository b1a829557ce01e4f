//! Whether one colleague of thirty signs, starts, changes or withdraws without a name, no page, file, header or log line
//! of HR's, the representatives', the administrators' or another colleague's changes by it: every route is opened
//! before and after. With a name, it changes for those whom they chose, and not before the batch.

use std::collections::BTreeMap;

use daylight::app::route_table;
use daylight::ledger::proof::petition::Disclosure;
use daylight::petitions::signing;
use daylight::web::Role;
use daylight::web::routes::Access;
use serde_json::Value;

use crate::support::petition::{self, Colleague, Epoch, Open};
use crate::support::sweep::{text, without_looks};
use crate::support::{Actor, TestApp, logs};

const PATH: &str = "/api/v1/petitions/actions";

struct Room {
    app: TestApp,
    epoch: Epoch,
    open: Open,
    actors: Vec<(&'static str, Vec<Role>, Actor)>,
}

impl Room {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let epoch = petition::begin(&app, 30).await;
        let open = petition::open(&app, epoch.colleagues[0].person, 1, "More daylight").await;
        let mut actors = Vec::new();
        for (name, role) in [
            ("publisher", Role::Publisher),
            ("representative", Role::Representative),
            ("administrator", Role::Administrator),
        ] {
            actors.push((name, vec![role], app.actor(role).await));
        }
        let colleague = app.sign_in_as(epoch.colleagues[29].person).await;
        actors.push(("colleague", vec![Role::Worker], colleague));
        Room { app, epoch, open, actors }
    }

    async fn act(&self, action: Value) {
        self.app.visitor().post_json(PATH, &action, None).await.assert_status(202);
    }

    fn sign(&self, n: usize, number: u64, disclosure: Disclosure) -> Value {
        let one = &self.epoch.colleagues[n];
        let slot = (self.open.leaf_hash, self.open.slot);
        let request = one.holder.sign(&one.pack, slot, number, disclosure, one.worker_ref).expect("signed");
        serde_json::to_value(request).expect("JSON")
    }

    fn withdraw(&self, n: usize, number: u64) -> Value {
        let one = &self.epoch.colleagues[n];
        let request = one.holder.withdraw(&one.pack, (self.open.leaf_hash, self.open.slot), number);
        serde_json::to_value(request).expect("JSON")
    }

    async fn next_hour(&self) {
        self.app.state.clock.advance(3600);
        signing::publish_due(&self.app.state).await.expect("published");
    }

    fn addresses(&self, path: &str) -> Vec<String> {
        if !path.contains('{') {
            return vec![path.to_owned()];
        }
        if path.starts_with("/petitions/{id}") {
            return vec![path.replace("{id}", &self.open.id.to_string())];
        }
        if path.contains("{key}") {
            let key = |n: usize| {
                self.sign(n, 1, Disclosure::Nobody)["credential"]["key"].as_str().map(str::to_owned)
            };
            let leaf = self.open.leaf_hash;
            return (0..3)
                .filter_map(key)
                .map(|key| format!("/api/v1/petitions/keys/{leaf}/{key}"))
                .collect();
        }
        match path {
            "/people/{id}" => vec![format!("/people/{}", self.epoch.colleagues[0].person)],
            "/log/tile/{*path}" => vec!["/log/tile/0/000.p/1".into()],
            "/log/entries/{index}" => vec!["/log/entries/3".into()],
            _ => Vec::new(),
        }
    }

    /// Everything that they can open, and what the server logged meanwhile.
    async fn look(&self) -> BTreeMap<String, String> {
        let mut pages = BTreeMap::new();
        logs::capture();
        for route in route_table().iter().filter(|r| r.method == "GET") {
            for (name, roles, actor) in &self.actors {
                let may = match route.access {
                    Access::Public | Access::SignedIn => true,
                    Access::Roles(allowed) => allowed.iter().any(|r| roles.contains(r)),
                    Access::Token => false,
                };
                for address in self.addresses(route.path).into_iter().filter(|_| may) {
                    let reply = actor.get(&address).await;
                    assert!(reply.status < 500, "{address}: {}", reply.status);
                    let own_log = address == "/me/access-log";
                    let text = if own_log { without_looks(&text(&reply)) } else { text(&reply) };
                    pages.insert(format!("{name} {address}"), text);
                }
            }
        }
        logs::captured();
        pages
    }
}

fn differences(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    assert!(before.keys().eq(after.keys()));
    before.iter().filter(|(place, text)| after[*place] != **text).map(|(place, _)| place.clone()).collect()
}

#[tokio::test]
async fn one_colleagues_signature_changes_nothing_that_others_see() {
    let room = Room::new().await;
    // Others' signatures stand, and some wait.
    for n in 3..20 {
        room.act(room.sign(n, 1, Disclosure::Nobody)).await;
    }
    room.next_hour().await;
    room.look().await;
    let before = room.look().await;
    assert!(before.len() > 120, "{} places were opened", before.len());
    let page = format!("publisher /petitions/{}", room.open.id);
    assert!(before[&page].contains("12 signatures"), "the page shows what stands: {}", before[&page]);
    room.act(room.sign(0, 1, Disclosure::Nobody)).await;
    room.act(room.sign(1, 1, Disclosure::EveryoneWithDepartment)).await;
    room.act(room.withdraw(1, 2)).await;
    room.act(room.sign(2, 1, Disclosure::Representatives)).await;
    assert_eq!(differences(&before, &room.look().await), Vec::<String>::new());
}

#[tokio::test]
async fn a_name_shows_to_those_it_was_given_to() {
    let room = Room::new().await;
    for n in 0..20 {
        let disclosure = match n {
            0..6 => Disclosure::Representatives,
            6..12 => Disclosure::Everyone,
            _ => Disclosure::Nobody,
        };
        room.act(room.sign(n, 1, disclosure)).await;
    }
    let hidden: Vec<&Colleague> = room.epoch.colleagues[12..20].iter().collect();
    room.next_hour().await;
    let mut tx = room.app.state.db.begin().await.expect("a transaction");
    signing::close_out(&mut tx, &room.app.state, &room.open.leaf_hash).await.expect("published");
    tx.commit().await.expect("committed");
    room.app.state.ledger.settle().await.expect("signed");
    let sight = room.look().await;
    let names = |of: &str| {
        let place = format!("{of} /petitions/{}/names", room.open.id);
        let page = &sight[&place];
        let words: Vec<&str> = page.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        (0..30).filter(|n| words.contains(&format!("Colleague{n}").as_str())).collect::<Vec<usize>>()
    };
    assert!((0..6).all(|n| names("representative").contains(&n)), "{:?}", names("representative"));
    for (of, ..) in &room.actors {
        let seen = names(of);
        assert!((6..12).all(|n| seen.contains(&n)), "{of} sees {seen:?}");
        assert!(*of == "representative" || !(1..6).any(|n| seen.contains(&n)), "{of} sees {seen:?}");
        assert!(!(12..20).any(|n| seen.contains(&n)), "{of} sees {seen:?}");
    }
    for (place, page) in &sight {
        let roll = place.contains(" /people") || place.contains(" /agents") || place.contains("devices");
        for one in &hidden {
            assert!(roll || !page.contains(&one.person.to_string()), "{place}");
        }
    }
}
