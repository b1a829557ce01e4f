//! What is decided, and what is allowed because of it: through the actions, on a real database.

use daylight::consent::actions::{Reply, answer, enter_lapsed};
use daylight::consent::cases;
use daylight::consent::model::{Choice, State, Why};
use daylight::consent::store::decisions;
use daylight::notices::ChangeClass;
use daylight::web::Role;
use uuid::Uuid;

use crate::support::consent::{OPT_IN, OPT_OUT, choose, declare, into_the_log, tell, tell_again, viewer};
use crate::support::{Actor, TestApp, notice};

struct Room {
    app: TestApp,
    publisher: Actor,
    worker: Actor,
}

impl Room {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let publisher = app.actor(Role::Publisher).await;
        let worker = app.actor(Role::Worker).await;
        Room { app, publisher, worker }
    }

    async fn why(&self, processing: Uuid) -> Why {
        let mut db = self.app.state.db.acquire().await.unwrap();
        let now = self.app.state.clock.now();
        cases::find(&mut db, self.worker.id(), processing, now).await.unwrap().1.why
    }

    async fn choose(&self, processing: Uuid, choice: Choice<'_>) -> daylight::error::Result<Uuid> {
        choose(&self.app, &self.worker, processing, choice).await
    }

    async fn states(&self, processing: Uuid) -> Vec<State> {
        let mut db = self.app.state.db.acquire().await.unwrap();
        let list = decisions::list(&mut db, &[self.worker.id()], Some(processing)).await.unwrap();
        list.iter().map(|d| d.state).collect()
    }
}

#[tokio::test]
async fn a_yes_counts_for_what_was_asked_and_is_asked_anew_when_that_changes() {
    let room = Room::new().await;
    let id = declare(&room.app, &room.publisher, OPT_IN).await;
    assert_eq!(room.why(id).await, Why::NotTold);
    assert!(room.choose(id, Choice::Yes).await.is_err(), "nothing says what a yes would be to");
    let first = tell(&room.app, room.publisher.id(), &[id]).await;
    assert_eq!(room.why(id).await, Why::NotAsked);
    room.choose(id, Choice::Yes).await.unwrap();
    assert_eq!(room.why(id).await, Why::Given);
    let corrected = tell_again(&room.app, &first, ChangeClass::Editorial).await;
    assert_eq!(room.why(id).await, Why::Given, "a correction of words asks nothing");
    let changed = tell_again(&room.app, &corrected, ChangeClass::Material).await;
    assert_eq!(room.why(id).await, Why::Changed);
    room.choose(id, Choice::Yes).await.unwrap();
    assert_eq!(room.why(id).await, Why::Given);
    room.app.state.clock.advance(1);
    notice::retract(&room.app, &changed, "It was wrong.").await;
    assert_eq!(room.why(id).await, Why::NotTold);
    room.choose(id, Choice::No).await.unwrap();
    assert_eq!(room.states(id).await, [State::Given, State::Given, State::Withdrawn]);
}

#[tokio::test]
async fn an_acknowledgement_is_no_yes() {
    let room = Room::new().await;
    let id = declare(&room.app, &room.publisher, OPT_IN).await;
    let version = tell(&room.app, room.publisher.id(), &[id]).await;
    let path = format!("/notices/{}", version.notice_id);
    let page = room.worker.get(&path).await.assert_status(200);
    let form = format!("form[action='{path}/acknowledge'] input[type=hidden]");
    let (names, values) = (page.attributes(&form, "name"), page.attributes(&form, "value"));
    let fields: Vec<(&str, &str)> =
        names.iter().map(String::as_str).zip(values.iter().map(String::as_str)).collect();
    room.worker.post(&format!("{path}/acknowledge"), &fields).await.assert_status(303);
    assert_eq!(room.app.count("notice_acknowledgement where acknowledged_at is not null").await, 1);
    assert_eq!(room.why(id).await, Why::NotAsked);
    assert_eq!(room.app.count("consent_decision").await, 0);
}

#[tokio::test]
async fn a_no_lasts_through_material_changes() {
    let room = Room::new().await;
    let id = declare(&room.app, &room.publisher, OPT_OUT).await;
    let first = tell(&room.app, room.publisher.id(), &[id]).await;
    assert_eq!(room.why(id).await, Why::OnByDefault);
    room.choose(id, Choice::Later).await.unwrap();
    assert_eq!(room.why(id).await, Why::OnByDefault);
    room.choose(id, Choice::No).await.unwrap();
    assert_eq!(room.why(id).await, Why::Refused);
    tell_again(&room.app, &first, ChangeClass::Material).await;
    assert_eq!(room.why(id).await, Why::Refused);
    room.choose(id, Choice::Yes).await.unwrap();
    assert_eq!(room.why(id).await, Why::Given);
    assert_eq!(room.states(id).await, [State::Deferred, State::Refused, State::Given]);
}

#[tokio::test]
async fn a_yes_runs_out_when_the_declaration_says_so() {
    let room = Room::new().await;
    let changes: Vec<_> = OPT_IN.iter().copied().chain([("consent_validity", "P30D")]).collect();
    let id = declare(&room.app, &room.publisher, &changes).await;
    tell(&room.app, room.publisher.id(), &[id]).await;
    room.choose(id, Choice::Yes).await.unwrap();
    room.app.state.clock.advance(29 * 86_400);
    assert_eq!(room.why(id).await, Why::Given);
    room.app.state.clock.advance(86_400);
    assert_eq!(room.why(id).await, Why::Expired, "it ends by itself, whether or not anything runs");
    assert_eq!(enter_lapsed(&room.app.state).await.unwrap(), 1);
    assert_eq!(enter_lapsed(&room.app.state).await.unwrap(), 0);
    assert_eq!(room.states(id).await, [State::Given, State::Expired]);
    assert_eq!(room.why(id).await, Why::Expired);
}

#[tokio::test]
async fn an_objection_stops_it_until_it_is_answered() {
    let room = Room::new().await;
    let id = declare(&room.app, &room.publisher, &[]).await;
    let first = tell(&room.app, room.publisher.id(), &[id]).await;
    assert_eq!(room.why(id).await, Why::OnByDefault);
    let objection = Choice::Object { reason: "I care for my mother from home.", named: false };
    let case = room.choose(id, objection).await.unwrap();
    assert_eq!(room.why(id).await, Why::Objected);
    let hr = viewer(&room.app, room.publisher.id(), Role::Publisher);
    let state = &room.app.state;
    assert!(
        answer(state, &hr, case, Reply::Overridden, " ").await.is_err(),
        "without a reason there is no answer"
    );
    answer(state, &hr, case, Reply::Overridden, "Fraud was found twice this year.").await.unwrap();
    assert_eq!(room.why(id).await, Why::Overridden);
    assert!(answer(state, &hr, case, Reply::Upheld, "After all.").await.is_err(), "it was answered already");
    let contest = room.choose(id, Choice::Contest { reason: "That was another office." }).await.unwrap();
    assert_eq!(room.why(id).await, Why::Overridden, "until the employer looks again");
    answer(state, &hr, contest, Reply::Overridden, "Also there.").await.unwrap();
    tell_again(&room.app, &first, ChangeClass::Material).await;
    assert_eq!(room.why(id).await, Why::Objected, "an override carries nothing over");
    room.choose(id, Choice::Yes).await.unwrap();
    assert_eq!(room.why(id).await, Why::OnByDefault);
    let worker = viewer(&room.app, room.worker.id(), Role::Worker);
    assert!(answer(state, &worker, case, Reply::Upheld, "Mine.").await.is_err());
}

#[tokio::test]
async fn an_old_page_can_say_no_and_not_yes() {
    use daylight::consent::actions::{Seen, Wish, choose};
    let room = Room::new().await;
    let id = declare(&room.app, &room.publisher, OPT_IN).await;
    tell(&room.app, room.publisher.id(), &[id]).await;
    let worker = viewer(&room.app, room.worker.id(), Role::Worker);
    let seen = Seen { text: "00", language: "en" };
    let wish = |choice| Wish { processing: id, choice, seen };
    assert!(choose(&room.app.state, &worker, wish(Choice::Yes)).await.is_err());
    choose(&room.app.state, &worker, wish(Choice::No)).await.unwrap();
    assert_eq!(room.why(id).await, Why::Refused);
}

#[tokio::test]
async fn decisions_are_append_only_by_privilege_and_by_trigger() {
    let room = Room::new().await;
    let id = declare(&room.app, &room.publisher, OPT_OUT).await;
    tell(&room.app, room.publisher.id(), &[id]).await;
    room.choose(id, Choice::No).await.unwrap();
    let refused = |sql: &'static str| {
        let db = room.app.state.db.clone();
        async move {
            let error = sqlx::query(sql).execute(&db).await.expect_err(sql);
            error.as_database_error().and_then(|e| e.code().map(|c| c.into_owned())).unwrap_or_default()
        }
    };
    let attempts = [
        "update consent_decision set state = 'given'",
        "delete from consent_decision",
        "truncate consent_decision",
    ];
    for sql in attempts {
        assert_eq!(refused(sql).await, "42501", "insufficient privilege: {sql}");
    }
    // Whoever grants the right back still meets the trigger.
    sqlx::query("grant update, delete, truncate on consent_decision to current_user")
        .execute(&room.app.state.db)
        .await
        .unwrap();
    for sql in attempts {
        assert_eq!(refused(sql).await, "23001", "restrict violation: {sql}");
    }
    assert_eq!(room.states(id).await, [State::Refused]);
}

#[tokio::test]
async fn each_decision_is_in_the_log_as_a_commitment_that_says_nothing() {
    let room = Room::new().await;
    let id = declare(&room.app, &room.publisher, OPT_OUT).await;
    tell(&room.app, room.publisher.id(), &[id]).await;
    let decision = room.choose(id, Choice::No).await.unwrap();
    let mut db = room.app.state.db.acquire().await.unwrap();
    let found = decisions::find(&mut db, decision).await.unwrap().unwrap();
    assert_eq!(found.leaf_position, None, "an entry at once would tell when somebody decided");
    into_the_log(&room.app).await;
    let found = decisions::find(&mut db, decision).await.unwrap().unwrap();
    let position = found.leaf_position.expect("a place in the log");
    let leaf: Vec<u8> = sqlx::query_scalar("select bytes from ledger_entry where position = $1")
        .bind(position)
        .fetch_one(&mut *db)
        .await
        .unwrap();
    let leaf = String::from_utf8(leaf).unwrap();
    let salt: [u8; 32] = found.salt.clone().try_into().unwrap();
    let commitment = daylight::ledger::proof::consent::commitment(&salt, &found.opening);
    assert_eq!(leaf, format!(r#"{{"commitment":"{commitment}","t":"consent","v":1}}"#));
    let person = room.worker.id().to_string();
    assert!(!found.record.to_string().contains(&person) && !found.opening.to_string().contains(&person));
}

#[tokio::test]
async fn no_answer_of_the_employer_lifts_a_no() {
    let room = Room::new().await;
    let id = declare(&room.app, &room.publisher, OPT_OUT).await;
    tell(&room.app, room.publisher.id(), &[id]).await;
    room.choose(id, Choice::No).await.unwrap();
    let objection = Choice::Object { reason: "And I mean it.", named: false };
    assert!(
        room.choose(id, objection).await.is_err(),
        "a no needs no reasons, so there are none to override"
    );
    assert!(room.choose(id, Choice::Later).await.is_err(), "nothing is asked");
    assert_eq!(room.states(id).await, [State::Refused]);
}

#[tokio::test]
async fn a_yes_can_be_taken_back_while_it_is_paused_and_stays_taken_back() {
    let room = Room::new().await;
    let id = declare(&room.app, &room.publisher, OPT_IN).await;
    tell(&room.app, room.publisher.id(), &[id]).await;
    room.choose(id, Choice::Yes).await.unwrap();
    let hr = viewer(&room.app, room.publisher.id(), Role::Publisher);
    let state = &room.app.state;
    let seen = crate::support::consent::revision(&room.app, id).await;
    let seen =
        daylight::register::actions::pause(state, &hr, id, seen, "We look at it again.").await.unwrap();
    assert_eq!(room.why(id).await, Why::NotDeclared);
    let page = room.worker.get("/me/choices").await.assert_status(200);
    assert_eq!(
        page.select("#former ~ ul button"),
        ["Take my yes back: which programs you use, to train or evaluate AI models"]
    );
    let path = format!("/me/choices/{id}");
    room.worker.post(&path, &[("choice", "yes"), ("language", "en")]).await.assert_status(409);
    room.worker.post(&path, &[("choice", "no"), ("language", "en")]).await.assert_status(303);
    room.app.state.clock.advance(60);
    tell(&room.app, room.publisher.id(), &[id]).await;
    daylight::register::actions::resume(state, &hr, id, seen, "It is fine.").await.unwrap();
    assert_eq!(room.why(id).await, Why::Refused);
}

#[tokio::test]
async fn saying_the_same_twice_is_no_error_and_no_second_row() {
    let room = Room::new().await;
    let id = declare(&room.app, &room.publisher, OPT_OUT).await;
    tell(&room.app, room.publisher.id(), &[id]).await;
    let first = room.choose(id, Choice::No).await.unwrap();
    assert_eq!(room.choose(id, Choice::No).await.unwrap(), first);
    assert_eq!(room.states(id).await, [State::Refused]);
}

#[tokio::test]
async fn many_changes_within_an_hour_are_slowed_and_a_no_never_is() {
    let room = Room::new().await;
    let id = declare(&room.app, &room.publisher, OPT_OUT).await;
    tell(&room.app, room.publisher.id(), &[id]).await;
    let mut refused = 0;
    for _ in 0..62 {
        room.choose(id, Choice::No).await.unwrap();
        refused += i32::from(room.choose(id, Choice::Yes).await.is_err());
    }
    assert_eq!(refused, 2);
    assert_eq!(room.why(id).await, Why::Refused);
}

#[tokio::test]
async fn other_keys_than_the_databases_hand_out_nothing() {
    use daylight::app::AppState;
    use daylight::config::Config;
    let room = Room::new().await;
    let state = &room.app.state;
    daylight::identity::mark_installation(state).await.unwrap();
    state.consent.reload().await.unwrap();
    assert!(daylight::consent::check_keys(state).await.unwrap() && state.consent.is_fresh());
    let config = Config { data_dir: crate::support::fresh_folder(), ..(*state.config).clone() };
    let other = AppState::new(config, state.db.clone(), state.clock.clone(), state.random.clone());
    other.consent.reload().await.unwrap();
    assert!(!daylight::consent::check_keys(&other).await.unwrap() && !other.consent.is_fresh());
    daylight::consent::begin_again(&other).await.unwrap();
    assert!(!daylight::consent::check_keys(state).await.unwrap(), "now these are the wrong ones");
}
