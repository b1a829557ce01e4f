//! What was decided, what proves it, and the way it took; and that it is nobody else's business.

use axum::body::Body;
use axum::http::Request;
use daylight::clock::Time;
use daylight::consent::bundle::{Bundle, Confirmation, PolicyKey};
use daylight::consent::model::Choice;
use daylight::ledger::proof::policy::Policy;
use daylight::ledger::proof::verify::verify_receipt;
use daylight::web::Role;
use serde_json::Value;
use uuid::Uuid;

use crate::choices::{CONSENT, Room, press};
use crate::support::agent::Agent;
use crate::support::consent::{OPT_IN, OPT_OUT, choose, into_the_log};
use crate::support::{Actor, Reply};

/// Asks what is allowed, as an agent.
async fn ask(room: &Room, agent: &Agent) -> Bundle {
    let request = Request::get(format!("/api/v1/policy/{}", agent.id))
        .header("authorization", format!("Bearer {}", agent.token));
    let reply = room.app.visitor().send(request, Body::empty()).await.assert_status(200);
    let key = room.app.visitor().get("/api/v1/policy-key").await.json();
    let key: PolicyKey = serde_json::from_value(key).unwrap();
    Bundle::read(reply.body.as_bytes(), &key.key().unwrap()).expect("signed by the server")
}

async fn confirm(room: &Room, agent: &Agent, bundle: &Bundle) {
    confirm_at(room, agent, bundle, room.app.state.clock.now()).await;
}

async fn confirm_at(room: &Room, agent: &Agent, bundle: &Bundle, applied_at: Time) {
    let confirmation = Confirmation::of(&bundle.reference(), agent.id, applied_at);
    let body = serde_json::to_value(confirmation.sign(&agent.key).unwrap()).unwrap();
    let path = format!("/api/v1/policy/{}/confirmations", agent.id);
    room.app.visitor().post_json(&path, &body, Some(&agent.token)).await.assert_status(201);
}

async fn decisions(room: &Room) -> Vec<Uuid> {
    let sql = "select id from consent_decision where person_id = $1 order by at, number";
    sqlx::query_scalar(sql).bind(room.worker.id()).fetch_all(&room.app.state.db).await.unwrap()
}

#[tokio::test]
async fn a_decisions_way_is_shown_agent_by_agent() {
    let room = Room::new().await;
    let id = room.told(OPT_OUT).await;
    let agent = Agent::of(&room.app, room.worker.id()).await;
    let clock = &room.app.state.clock;
    let first = ask(&room, &agent).await;
    confirm(&room, &agent, &first).await;
    clock.advance(10);
    room.press(id, "no").await.assert_status(303);
    let path = format!("/me/choices/{id}");
    let ways = async || room.worker.get(&path).await.assert_status(200).select(".ways li").remove(0);
    assert!(ways().await.ends_with("has not asked yet, so it has not yet confirmed."), "{}", ways().await);
    clock.advance(12);
    let bundle = ask(&room, &agent).await;
    assert!(ways().await.ends_with("was told at 09:00:22 and has not yet confirmed."), "{}", ways().await);
    clock.advance(289);
    let overdue = ways().await;
    assert!(overdue.contains("Overdue") && overdue.contains("within 5 minutes"), "{overdue}");
    confirm(&room, &agent, &bundle).await;
    let applied = ways().await;
    assert!(
        applied.starts_with("You said no at 09:00:10; told 09:00:22, applied 09:05:11 on laptop"),
        "{applied}"
    );
    let card = room.worker.get("/me/choices").await.select(&format!("[id='c-{id}'] .ways li"));
    assert_eq!(card, [applied]);
    // A change of mind before the agent asked needs nothing of it.
    room.press(id, "yes").await.assert_status(303);
    clock.advance(1);
    room.press(id, "no").await.assert_status(303);
    let page = room.worker.get(&path).await.assert_status(200);
    let ways = page.select(".ways li");
    assert!(ways[0].starts_with("Nothing had to change on laptop"), "{ways:?}");
    assert!(ways[1].ends_with("had not asked before you changed it again."), "{ways:?}");
}

#[tokio::test]
async fn a_no_is_applied_by_nothing_that_says_yes() {
    let room = Room::new().await;
    let id = room.told(OPT_OUT).await;
    let agent = Agent::of(&room.app, room.worker.id()).await;
    let clock = &room.app.state.clock;
    let first = ask(&room, &agent).await;
    confirm(&room, &agent, &first).await;
    // A no that is told and not confirmed, a yes that is.
    for (choice, confirms) in [("no", false), ("yes", true)] {
        clock.advance(10);
        room.press(id, choice).await.assert_status(303);
        clock.advance(1);
        let bundle = ask(&room, &agent).await;
        clock.advance(3);
        if confirms {
            confirm(&room, &agent, &bundle).await;
        }
    }
    let path = format!("/me/choices/{id}");
    let ways = async || room.worker.get(&path).await.assert_status(200).select(".ways li");
    let said = ways().await;
    assert!(said[0].contains("applied 09:00:28 on laptop"), "{said:?}");
    assert!(
        said[1].ends_with("was told at 09:00:11; it was changed again before it was applied."),
        "{said:?}"
    );
    // A no that is changed after ten minutes only: the agent had its time.
    room.press(id, "no").await.assert_status(303);
    ask(&room, &agent).await;
    clock.advance(600);
    room.press(id, "yes").await.assert_status(303);
    let bundle = ask(&room, &agent).await;
    confirm(&room, &agent, &bundle).await;
    let said = ways().await;
    assert!(said[1].contains("changed again before it was applied. Overdue"), "{said:?}");
}

#[tokio::test]
async fn a_way_of_more_than_a_day_names_its_days() {
    let room = Room::new().await;
    let id = room.told(OPT_OUT).await;
    let agent = Agent::of(&room.app, room.worker.id()).await;
    let clock = &room.app.state.clock;
    ask(&room, &agent).await;
    clock.advance(10);
    room.press(id, "no").await.assert_status(303);
    clock.advance(86_400);
    let bundle = ask(&room, &agent).await;
    let applied_at = clock.now().plus_seconds(5);
    clock.advance(7_200);
    confirm_at(&room, &agent, &bundle, applied_at).await;
    let worker = room.app.sign_in_as(room.worker.id()).await;
    let way = worker.get(&format!("/me/choices/{id}")).await.assert_status(200).select(".ways li").remove(0);
    let before = "You said no at 09:00:10; told 3 Nov 2026, 09:00:10, applied 3 Nov 2026, 09:00:15 on laptop";
    let after = " by its own clock, which the server heard 3 Nov 2026, 11:00:10.";
    assert!(way.starts_with(before) && way.ends_with(after), "{way}");
}

#[tokio::test]
async fn each_decision_stands_in_the_log_with_the_words_it_was_made_on() {
    let room = Room::new().await;
    let id = room.told(CONSENT).await;
    for choice in ["later", "yes", "no"] {
        room.press(id, choice).await.assert_status(303);
        room.app.state.clock.advance(60);
    }
    let waiting = room.worker.get(&format!("/me/choices/{id}")).await.assert_status(200);
    assert!(waiting.select(".timeline .chip--good").is_empty(), "nothing is checked before it is in the log");
    into_the_log(&room.app).await;
    let page = room.worker.get(&format!("/me/choices/{id}")).await.assert_status(200);
    assert_eq!(
        page.select(".timeline__title"),
        ["You took your yes back", "You said yes", "You asked to be reminded"]
    );
    assert_eq!(page.select(".timeline .chip--good"), ["Checked"; 3]);
    assert!(page.select(".timeline__item")[2].contains("Nothing had to change: it was off before."));
    let words = page.select(".timeline details").remove(0);
    assert!(words.contains("May your employer record office or remote, IP address (acme-agent)"), "{words}");

    let all = room.worker.get("/me/choices/history").await.assert_status(200);
    assert_eq!(all.select(".timeline__title"), page.select(".timeline__title"));
    for n in 0..19 {
        room.press(id, if n % 2 == 0 { "yes" } else { "no" }).await.assert_status(303);
    }
    let second = room.worker.get("/me/choices/history?page=2").await.assert_status(200);
    assert_eq!(second.select(".timeline__title"), ["You said yes", "You asked to be reminded"]);
}

#[tokio::test]
async fn a_row_changed_by_sql_is_told() {
    let room = Room::new().await;
    let id = room.told(CONSENT).await;
    let db = &room.app.state.db;
    for choice in ["yes", "no", "yes"] {
        room.press(id, choice).await.assert_status(303);
        room.app.state.clock.advance(60);
    }
    into_the_log(&room.app).await;
    let path = format!("/me/choices/{id}");
    let broken =
        async || room.worker.get(&path).await.assert_status(200).select(".timeline .banner--error").len();
    assert_eq!(broken().await, 0);
    let update = "update consent_decision set state = 'given' where state = 'withdrawn'";
    assert!(sqlx::query(update).execute(db).await.is_err(), "nobody rewrites a choice");
    for sql in [
        "alter table consent_decision disable trigger user",
        "grant update, delete on consent_decision to current_user",
    ] {
        sqlx::query(sql).execute(db).await.unwrap();
    }
    let changes = [
        ("state = 'given'", "state = 'withdrawn'"),
        ("at = at - interval '1 hour'", "at = at + interval '1 hour'"),
        ("until = now()", "until = null"),
        ("text_sha256 = text_sha256, language = 'de'", "language = 'en'"),
        (
            "record = jsonb_set(record, '{event,0,state}', '\"given\"'), state = 'given'",
            "record = jsonb_set(record, '{event,0,state}', '\"withdrawn\"'), state = 'withdrawn'",
        ),
        ("salt = decode(repeat('00', 32), 'hex')", ""),
    ];
    for (change, back) in changes {
        for (set, found) in [(change, 1), (back, 0)].into_iter().filter(|(set, _)| !set.is_empty()) {
            let sql = format!("update consent_decision set {set} where number = 2");
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(db).await.unwrap();
            assert_eq!(broken().await, found, "{set}");
        }
    }
    sqlx::query("delete from consent_decision where number = 2").execute(db).await.unwrap();
    let page = room.worker.get(&path).await.assert_status(200);
    assert!(page.select(".banner--error")[0].contains("number 2 isn’t here"), "{}", page.body);
    let all = room.worker.get("/me/choices/history").await.assert_status(200);
    assert!(all.select(".timeline__title").len() == 2);
    sqlx::query("alter table consent_text disable trigger user").execute(db).await.unwrap();
    let sql = "update consent_text set document = jsonb_set(document, '{question}', '\"?\"')";
    sqlx::query(sql).execute(db).await.unwrap();
    let page = room.worker.get(&path).await.assert_status(200);
    assert_eq!(page.select(".timeline .chip--bad"), ["Words missing", "Words missing"]);
}

#[tokio::test]
async fn receipts_and_everything_can_be_taken_along() {
    let room = Room::new().await;
    let (id, other) = (room.told(OPT_IN).await, room.told(OPT_OUT).await);
    room.press(id, "yes").await.assert_status(303);
    room.app.state.clock.advance(1);
    room.press(other, "no").await.assert_status(303);
    into_the_log(&room.app).await;
    let made = decisions(&room).await;
    let receipt = async |decision: &Uuid| -> Reply {
        room.worker.get(&format!("/me/choices/receipts/{decision}")).await.assert_status(200)
    };
    let reply = receipt(&made[0]).await;
    assert!(reply.header("content-disposition").contains("given-2026-11-02.receipt.json"));
    let given = reply.json();
    assert_eq!(given["type"], "consent receipt");
    let policy: Policy = room.app.visitor().get("/log/policy.txt").await.body.parse().expect("a policy");
    let report = verify_receipt(reply.body.as_bytes(), Some(&policy)).expect("a receipt");
    assert!(!report.is_violated(), "{report:?}");
    assert!(given["proof"].as_str().is_some_and(|p| p.contains("c2sp.org/tlog-proof")), "{given}");
    assert_eq!(receipt(&made[0]).await.json(), given, "the same file each time");
    assert_eq!(receipt(&made[1]).await.json()["type"], "record of a choice");

    let export = room.worker.get("/me/choices/export.json").await.assert_status(200).json();
    assert_eq!(export["schema"], "daylight-choices/1");
    let list = export["decisions"].as_array().unwrap();
    assert_eq!(list.len(), 2);
    for decision in list {
        let text = decision["text"].as_str().unwrap();
        assert!(export["texts"][text]["question"].is_string(), "{text}");
        assert!(decision["receipt"]["opening"].is_object());
    }

    let choices = room.worker.get("/api/v1/me/choices").await.assert_status(200).json();
    let of = |id: Uuid| -> Value {
        let list = choices["choices"].as_array().unwrap();
        list.iter().find(|c| c["processing"] == id.to_string()).unwrap().clone()
    };
    assert_eq!((&of(id)["allowed"], &of(id)["why"]), (&true.into(), &"given".into()));
    assert_eq!((&of(other)["allowed"], &of(other)["decided"]), (&false.into(), &"refused".into()));
    assert_eq!((&of(other)["mode"], &of(other)["waiting"]), (&"opt_out".into(), &false.into()));
}

#[tokio::test]
async fn nobody_elses_choices_are_there() {
    let room = Room::new().await;
    let (id, objection) = (room.told(CONSENT).await, room.told(&[]).await);
    room.press(id, "yes").await.assert_status(303);
    room.object(objection, &[("reason", "Only I know why.")]).await.assert_status(303);
    let made = decisions(&room).await;
    let everybody: &[Role] = &Role::ALL;
    let all = room.app.person("all@example.com", everybody).await;
    let mut others: Vec<Actor> = vec![room.app.sign_in_as(all).await];
    for role in Role::ALL {
        others.push(room.app.actor(role).await);
    }
    let mut paths = vec![
        "/me/choices".to_owned(),
        "/me/choices/several".into(),
        "/me/choices/history".into(),
        "/me/choices/export.json".into(),
        "/api/v1/me/choices".into(),
        format!("/me/choices/{id}"),
        format!("/me/choices/{objection}"),
        format!("/me/choices/{objection}/object"),
    ];
    paths.extend(made.iter().map(|d| format!("/me/choices/receipts/{d}")));
    for other in &others {
        for path in &paths {
            let reply = other.get(path).await;
            assert!([200, 403, 404].contains(&reply.status), "{path}: {}", reply.status);
            assert!(!path.contains("receipts") || reply.status != 200, "{path}");
            for secret in ["Only I know why.", "You said yes on", "You objected", &made[0].to_string()] {
                assert!(!reply.body.contains(secret), "{secret} at {path}");
            }
        }
    }
    // What another worker does there is their own.
    let other = room.app.actor(Role::Worker).await;
    press(&other, id, "no").await.assert_status(303);
    let own = room.worker.get(&format!("/me/choices/{id}")).await.assert_status(200);
    assert_eq!(own.select(".timeline__title"), ["You said yes"]);
    choose(&room.app, &room.worker, id, Choice::No).await.unwrap();
    assert_eq!(decisions(&room).await.len(), 3);
}
