//! Whoever changes a decision in the database, whichever part of it, is seen on its person's own page.

use std::fs;

use daylight::consent::actions::Reply as Answer;
use daylight::web::Role;
use uuid::Uuid;

use crate::choices::{CONSENT, Room};
use crate::support::consent::into_the_log;

/// Runs a statement as whoever owns the database would.
async fn sql(room: &Room, statement: &str) {
    let done = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&room.app.state.db).await;
    if let Err(error) = done {
        panic!("{statement}: {error}");
    }
}

/// Takes away all that keeps decisions from being rewritten, and keeps a copy of them.
async fn unlock(room: &Room) {
    sql(room, "alter table consent_decision disable trigger user").await;
    sql(room, "grant update, delete on consent_decision to current_user").await;
    let constraints: Vec<String> = sqlx::query_scalar(
        "select conname::text from pg_constraint where conrelid = 'consent_decision'::regclass and contype <> 'n'",
    )
    .fetch_all(&room.app.state.db)
    .await
    .unwrap();
    for name in constraints {
        sql(room, &format!("alter table consent_decision drop constraint {name}")).await;
    }
    sql(room, "create table kept as select * from consent_decision").await;
}

async fn restore(room: &Room) {
    sql(room, "delete from consent_decision").await;
    sql(room, "insert into consent_decision select * from kept").await;
}

/// Banners of the choice's own page, and of the page of everything.
async fn alarms(room: &Room, processing: Uuid) -> [usize; 2] {
    let one = room.worker.get(&format!("/me/choices/{processing}")).await.assert_status(200);
    let all = room.worker.get("/me/choices/history").await.assert_status(200);
    [one, all].map(|page| page.select(".banner--error").len())
}

/// A yes, its withdrawal, a yes again; and an objection, its answer, and the contest of that.
async fn decided() -> (Room, Uuid, Uuid) {
    let room = Room::new().await;
    let (consent, objection) = (room.told(CONSENT).await, room.told(&[]).await);
    for choice in ["yes", "no", "yes"] {
        room.press(consent, choice).await.assert_status(303);
        room.app.state.clock.advance(60);
    }
    room.object(objection, &[("reason", "I work beside my family.")]).await.assert_status(303);
    room.app.state.clock.advance(60);
    room.answer(objection, Answer::Overridden, "It is needed.").await;
    room.app.state.clock.advance(60);
    let path = format!("/me/choices/{objection}/object");
    let page = room.worker.get(&path).await.assert_status(200);
    let contest = format!("/me/choices/{objection}/contest");
    crate::choices::send(&room.worker, &page, &contest, &[("reason", "It isn’t.")]).await.assert_status(303);
    into_the_log(&room.app).await;
    assert_eq!((alarms(&room, consent).await, alarms(&room, objection).await), ([0, 0], [0, 0]));
    (room, consent, objection)
}

/// Another value of a column's kind; of what may be empty also none, or one where there is none.
fn changes(column: &str, kind: &str, is_nullable: bool) -> Vec<String> {
    let other = match (column, kind) {
        ("state", _) => "case state when 'given' then 'renewed' else 'given' end".into(),
        (_, "uuid") => "gen_random_uuid()".into(),
        (_, "text") => format!("coalesce({column}, '') || 'x'"),
        (_, "integer" | "bigint") => format!("{column} + 1"),
        (_, "boolean") => format!("not {column}"),
        (_, "timestamp with time zone") => format!("coalesce({column}, at) + interval '1 second'"),
        (_, "bytea") => format!("sha256({column})"),
        (_, "jsonb") => format!("{column} || '{{\"x\": 1}}'"),
        other => panic!("{other:?} needs a line here"),
    };
    let other = format!("{column} = {other}");
    if is_nullable { vec![other, format!("{column} = null")] } else { vec![other] }
}

#[tokio::test]
async fn every_column_of_a_decision_counts() {
    let (room, consent, objection) = decided().await;
    unlock(&room).await;
    let columns: Vec<(String, String, bool)> = sqlx::query_as(
        "select column_name::text, data_type::text, is_nullable = 'YES' from information_schema.columns
         where table_schema = current_schema() and table_name = 'consent_decision' order by ordinal_position",
    )
    .fetch_all(&room.app.state.db)
    .await
    .unwrap();
    assert!(columns.len() >= 25, "{columns:?}");
    for processing in [consent, objection] {
        for (column, kind, is_nullable) in &columns {
            for change in changes(column, kind, *is_nullable) {
                let update = format!("update consent_decision set {change} where number = 2");
                let there = format!("{update} and processing_id = '{processing}'");
                // Nothing is changed by emptying what is empty.
                let empties = change.ends_with("= null");
                let there = if empties { format!("{there} and {column} is not null") } else { there };
                let changed = sqlx::query(sqlx::AssertSqlSafe(there)).execute(&room.app.state.db).await;
                if changed.unwrap().rows_affected() == 1 {
                    let [one, all] = alarms(&room, processing).await;
                    assert!(one > 0 && all > 0, "nobody sees {change}: {one} {all}");
                    restore(&room).await;
                } else {
                    assert!(empties, "{change}");
                }
            }
        }
    }
    assert_eq!((alarms(&room, consent).await, alarms(&room, objection).await), ([0, 0], [0, 0]));
}

#[tokio::test]
async fn rows_that_are_swapped_repeated_or_taken_out_are_seen() {
    let (room, consent, objection) = decided().await;
    unlock(&room).await;
    let of = format!("processing_id = '{consent}'");
    let changes = [
        format!("update consent_decision set number = 5 - number where {of} and number in (2, 3)"),
        format!("update consent_decision set number = number + 1 where {of}"),
        format!("delete from consent_decision where {of} and number = 1"),
        format!("delete from consent_decision where {of} and number in (1, 2)"),
        // An old yes once more, as the newest.
        format!(
            "insert into consent_decision select (jsonb_populate_record(k, '{{\"number\": 4}}')).* from kept k
             where {of} and number = 1"
        ),
        format!(
            "insert into consent_decision
             select (jsonb_populate_record(k, jsonb_build_object('id', gen_random_uuid(), 'number', 4))).* from kept k
             where {of} and number = 1"
        ),
        // Another's decision, or another choice's, in place of this one.
        format!("update consent_decision set processing_id = '{consent}' where processing_id = '{objection}'"),
    ];
    for change in changes {
        sql(&room, &change).await;
        let [one, all] = alarms(&room, consent).await;
        assert!(one > 0 && all > 0, "nobody sees {change}: {one} {all}");
        restore(&room).await;
    }
    // What somebody else decided, given to this person under their own numbers.
    let other = room.app.actor(Role::Worker).await;
    crate::choices::press(&other, consent, "no").await.assert_status(303);
    into_the_log(&room.app).await;
    let theirs = format!("where person_id = '{}'", other.id());
    sql(
        &room,
        &format!("update consent_decision set person_id = '{}', number = 4 {theirs}", room.worker.id()),
    )
    .await;
    assert_eq!(alarms(&room, consent).await, [1, 2]);
}

#[tokio::test]
async fn a_lost_key_for_names_accuses_nobody() {
    let (mut room, consent, objection) = decided().await;
    fs::remove_dir_all(room.app.state.config.data_dir.join("policy")).unwrap();
    room.app = room.app.restarted();
    room.worker = room.app.sign_in_as(room.worker.id()).await;
    for processing in [consent, objection] {
        let page = room.worker.get(&format!("/me/choices/{processing}")).await.assert_status(200);
        assert_eq!(page.select(".timeline .chip--unknown"), ["Can’t be compared"; 3]);
        assert!(
            page.select(".banner--error").is_empty() && page.body.contains("key for names is another one")
        );
    }
    // Everything else is compared all the same.
    unlock(&room).await;
    for change in ["reason = 'x'", "allowed_after = not allowed_after", "salt = sha256(salt)"] {
        let update = format!("update consent_decision set {change} where number = 2");
        sql(&room, &format!("{update} and processing_id = '{objection}'")).await;
        assert_eq!(alarms(&room, objection).await[0], 1, "{change}");
        restore(&room).await;
    }
    // From the first decision under the new key on, another name is somebody else's.
    room.app.state.consent.reload().await.unwrap();
    room.app.state.clock.advance(60);
    room.press(consent, "no").await.assert_status(303);
    room.app.state.clock.advance(60);
    room.press(consent, "yes").await.assert_status(303);
    let chips = async || {
        let page = room.worker.get(&format!("/me/choices/{consent}")).await.assert_status(200);
        page.select(".timeline .chip--unknown").len()
    };
    assert_eq!((chips().await, alarms(&room, consent).await[0]), (5, 0), "two wait for the log");
}
