//! The threshold, the employer's clock, answers and the close.

use daylight::ledger::proof::verify::{Against, verify_export};

use crate::support::petition_life::{Room, id};

const ANSWER: &str = "We will **open** the blinds from Monday on, and look at it again in March.";

fn fields<'a>(seen: &'a str, text: &'a str) -> [(&'a str, &'a str); 3] {
    [("seen", seen), ("text", text), ("answer_confirm", "yes")]
}

#[tokio::test]
async fn from_the_threshold_on_a_clock_runs_that_nobody_resets() {
    let room = Room::new().await;
    let path = room.open().await;
    room.counted(&path, 9, 0, 9).await;
    room.hours(24).await;
    assert!(room.worker.get(&path).await.select("#clock").is_empty());
    room.counted(&path, 5, 0, 14).await;
    room.hours(1).await;
    let page = room.worker.get(&path).await;
    assert!(page.select("#clock")[0].starts_with("The employer’s answer is due by 1 Dec 2026"));
    let waiting = room.publisher.get("/petitions?waiting=answer").await.assert_status(200);
    assert_eq!(waiting.select(".notices__title").len(), 1);
    assert!(
        room.publisher
            .get("/publishing")
            .await
            .attributes("a", "href")
            .contains(&"/petitions?waiting=answer".into())
    );
    // Some withdraw: the number falls, the clock runs on.
    room.hours(24).await;
    room.counted(&path, 0, 6, 8).await;
    room.hours(1).await;
    let page = room.worker.get(&path).await;
    assert_eq!(page.select("#signatures ~ .lead"), ["8 of 10 signatures"]);
    assert!(page.body.contains("By now fewer stand") && page.select("#clock").len() == 1);
    for sql in [
        "update petition set answer_due_at = answer_due_at + interval '1 day'",
        "update petition set reached_at = null, answer_due_at = null",
        "update petition set threshold = 500",
        "update petition set opened_at = now()",
    ] {
        let error = sqlx::query(sql).execute(&room.app.state.db).await.expect_err(sql);
        assert!(error.to_string().contains("stay"), "{sql}: {error}");
    }
    room.hours(24 * 28).await;
    let late = room.worker.get(&path).await;
    assert!(late.select("#clock")[0].starts_with("Unanswered since 1 Dec 2026"));
    assert!(late.select(".chip").contains(&"Unanswered".to_owned()));
    let answer = format!("{path}/answer");
    room.publisher.post(&answer, &fields("0", ANSWER)).await.assert_status(303);
    let page = room.worker.get(&path).await;
    assert!(page.select("#clock").is_empty());
    assert!(page.select(".question__answer .chip--bad")[0].ends_with("late"));
    assert!(page.select(".chip").contains(&"Answered".to_owned()));
}

#[tokio::test]
async fn the_clock_stands_in_the_log_and_nobody_moves_it_unseen() {
    let room = Room::new().await;
    let path = room.open().await;
    room.counted(&path, 12, 0, 12).await;
    room.hours(1).await;
    room.app.state.ledger.settle().await.unwrap();
    let leaf: Vec<u8> = sqlx::query_scalar(
        "select e.bytes from petition p join ledger_entry e on e.id = p.reached_entry where p.id = $1",
    )
    .bind(id(&path))
    .fetch_one(&room.app.state.db)
    .await
    .unwrap();
    let leaf: serde_json::Value = serde_json::from_slice(&leaf).unwrap();
    assert_eq!((leaf["t"].as_str(), leaf["signatures"].as_u64()), (Some("reached"), Some(12)));
    let due = leaf["answer_due_at"].as_str().unwrap().to_owned();
    assert!(due.ends_with(":00Z"), "to the minute: {due}");
    let page = room.worker.get(&path).await;
    assert!(page.select("#broken-clock").is_empty());
    assert!(page.select("#clock")[0].contains("without everybody seeing that in the log"));
    assert!(page.select("#verify ~ p")[0].starts_with("Checked"), "{:?}", page.select("#verify ~ p"));
    assert!(
        page.select("#verify ~ p")[0].contains("It hasn’t compared the counts, the names, or the updates.")
    );
    let shown = page.select("#clock");
    room.tamper("update petition set answer_due_at = answer_due_at + interval '1 year'").await;
    let page = room.worker.get(&path).await;
    assert_eq!(page.select("#broken-clock").len(), 1);
    assert_eq!(page.select("#clock"), shown, "the log's date is what counts");
    assert!(page.select("#verify ~ p")[0].starts_with("Doesn’t fit"));
    let list = room.worker.get("/petitions").await;
    assert!(list.select(".chip--bad").contains(&"Doesn’t fit the log".to_owned()));
    let file = room.worker.get(&format!("{path}/export.json")).await.body;
    let file: serde_json::Value = serde_json::from_str(&file).unwrap();
    assert_eq!(file["answer_due_at"], due.as_str());
    assert_eq!(file["answer_due_is"], "not what is in the log");
    room.hours(24 * 29).await;
    let page = room.worker.get(&path).await;
    assert!(page.select(".chip").contains(&"Unanswered".to_owned()));
    assert!(room.worker.get("/petitions").await.select(".chip").contains(&"Unanswered".to_owned()));
    room.tamper("update petition set answer_due_at = null, reached_at = null, reached_entry = null").await;
    room.hours(1).await;
    room.app.state.ledger.settle().await.unwrap();
    let export = room.worker.get("/log/export").await.body;
    let report = verify_export(export.as_bytes(), &Against::default()).unwrap();
    assert!(report.to_string().contains("runs already"), "a second start: {report}");
}

#[tokio::test]
async fn an_answer_keeps_its_date_and_answers_what_was_signed() {
    let room = Room::new().await;
    let path = room.open().await;
    let answer = format!("{path}/answer");
    room.counted(&path, 12, 0, 12).await;
    room.hours(1).await;
    room.hours(24 * 30).await;
    room.publisher.post(&answer, &fields("0", ANSWER)).await.assert_status(303);
    let late = |page: &crate::support::Reply| page.select(".question__answer .chip--bad");
    let page = room.worker.get(&path).await;
    assert_eq!(
        (late(&page), page.select(".question__answer .banner--error").len()),
        (vec!["2 days late".into()], 0)
    );
    room.tamper("update petition_answer set at = at - interval '9 days'").await;
    let page = room.worker.get(&path).await;
    assert_eq!(
        (late(&page), page.select(".question__answer .banner--error").len()),
        (vec!["2 days late".into()], 1)
    );
    room.tamper("update petition_answer set at = at + interval '9 days'").await;
    assert!(room.worker.get(&path).await.select(".question__answer .banner--error").is_empty());
    room.tamper(
        "update petition_answer set at = at - interval '9 days', document = jsonb_set(document, '{at}',
         to_jsonb(to_char((at - interval '9 days') at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')))",
    )
    .await;
    assert_eq!(room.worker.get(&path).await.select(".question__answer .banner--error").len(), 1);
    room.tamper("update petition_version set document = jsonb_set(document, '{demand}', '\"Close the blinds, all of them.\"')").await;
    let page = room.publisher.get(&answer).await.assert_status(200);
    assert_eq!((page.select("#broken").len(), page.select("#text").len()), (1, 0));
    room.publisher.post(&answer, &fields("1", ANSWER)).await.assert_status(409);
}

#[tokio::test]
async fn answers_are_dated_versioned_and_in_the_log() {
    let room = Room::new().await;
    let path = room.open().await;
    let answer = format!("{path}/answer");
    room.worker.post(&answer, &fields("0", ANSWER)).await.assert_status(403);
    room.representative.get(&answer).await.assert_status(403);
    let short = room.publisher.post(&answer, &fields("0", "Maybe.")).await.assert_status(422);
    assert_eq!(short.select("#text"), ["Maybe."]);
    let unconfirmed = [("seen", "0"), ("text", ANSWER)];
    let page = room.publisher.post(&answer, &unconfirmed).await.assert_status(422);
    assert_eq!(page.select("#text"), [ANSWER]);
    let preview = [("seen", "0"), ("text", ANSWER), ("action", "preview")];
    assert_eq!(
        room.publisher.post(&answer, &preview).await.assert_status(200).select("#preview ~ div strong"),
        ["open"]
    );
    room.publisher.post(&answer, &fields("0", ANSWER)).await.assert_status(303);
    // A colleague in HR, who hasn't seen the first.
    room.publisher.post(&answer, &fields("0", "We won’t open the blinds at all.")).await.assert_status(409);
    let second = ANSWER.replace("Monday", "Friday");
    room.publisher.post(&answer, &fields("1", &second)).await.assert_status(303);
    let page = room.worker.get(&path).await;
    assert_eq!(page.select(".question__answer").len(), 2);
    assert!(page.select(".question__answer")[1].contains("Superseded by a newer one"));
    let changes = room.worker.get(&format!("{path}/changes?of=answer")).await.assert_status(200);
    assert!(
        changes.select(".diff ins")[0].contains("Friday")
            && changes.select(".diff del")[0].contains("Monday")
    );
    assert_eq!(room.app.count("outbox").await, 0);
    let export = room.worker.get("/log/export").await.body;
    assert!(
        export.contains("Friday") && !room.app.visitor().get("/log/export").await.body.contains("Friday")
    );
    assert!(!verify_export(export.as_bytes(), &Against::default()).unwrap().is_violated());
    let answered = room.worker.get("/petitions?show=answered").await;
    assert_eq!(answered.select(".notices__title").len(), 1);
    room.tamper("update petition_answer set document = jsonb_set(document, '{text}', '\"We promise nothing at all.\"')").await;
    let page = room.worker.get(&path).await;
    assert_eq!(page.select(".question__answer .banner--error").len(), 2);
    let export = room.worker.get("/log/export").await.body;
    assert!(verify_export(export.as_bytes(), &Against::default()).unwrap().is_violated());
}

#[tokio::test]
async fn it_closes_at_its_time_with_its_number_in_the_log() {
    let room = Room::new().await;
    let path = room.open().await;
    room.counted(&path, 12, 0, 12).await;
    room.hours(24 * 59).await;
    assert_eq!(room.state(&path).await, "open");
    room.hours(25).await;
    assert_eq!(room.state(&path).await, "closed");
    let leaf: Vec<u8> = sqlx::query_scalar(
        "select e.bytes from petition p join ledger_entry e on e.id = p.close_entry where p.id = $1",
    )
    .bind(id(&path))
    .fetch_one(&room.app.state.db)
    .await
    .unwrap();
    let leaf: serde_json::Value = serde_json::from_slice(&leaf).unwrap();
    assert_eq!((leaf["t"].as_str(), leaf["signatures"].as_u64()), (Some("close"), Some(12)));
    let page = room.worker.get(&path).await;
    assert!(page.attributes("a", "href").iter().all(|h| !h.ends_with("/sign")));
    assert!(page.select(".timeline__title").contains(&"Closed".to_owned()));
    room.publisher.post(&format!("{path}/answer"), &fields("0", ANSWER)).await.assert_status(303);
    room.hours(24 * 366).await;
    let author = room.app.sign_in_as(room.worker.id()).await;
    assert!(author.get(&path).await.select(".chip").contains(&"Archived".to_owned()));
}

#[tokio::test]
async fn fewer_than_five_close_as_none() {
    let room = Room::new().await;
    let path = room.open().await;
    room.counted(&path, 5, 2, 3).await;
    room.hours(24 * 61).await;
    let leaf: Vec<u8> = sqlx::query_scalar(
        "select e.bytes from petition p join ledger_entry e on e.id = p.close_entry where p.id = $1",
    )
    .bind(id(&path))
    .fetch_one(&room.app.state.db)
    .await
    .unwrap();
    let leaf: serde_json::Value = serde_json::from_slice(&leaf).unwrap();
    assert_eq!(leaf["signatures"], 0);
}
