//! A log whose database or folder isn't what it was: refusals, and new beginnings.

use daylight::ledger;
use daylight::ledger::proof::note::Note;
use daylight::ledger::proof::policy::Policy;
use daylight::ledger::proof::verify::{Against, Outcome};

use crate::ledger::{check, filled, sql, submit, text, violations};
use crate::support::TestApp;

#[tokio::test]
async fn a_restored_database_makes_the_log_refuse_to_sign() {
    let app = TestApp::new().await;
    app.state.ledger.settle().await.expect("the log opens");
    let first: Note = text(&app, "/log/checkpoint").await.parse().expect("a note");
    submit(&app, 1).await;
    app.state.ledger.settle().await.expect("the log signs");
    let last: Note = text(&app, "/log/checkpoint").await.parse().expect("a note");
    // What a backup from before the last entry would hold.
    sqlx::raw_sql(
        "alter table ledger_entry disable trigger user; alter table ledger_checkpoint disable trigger user;
         delete from ledger_checkpoint where size = 2; delete from ledger_entry where position = 1;
         update ledger_tile set hashes = substr(hashes, 1, 32);
         update ledger_log set size = 1, root = (select substr(hashes, 1, 32) from ledger_tile)",
    )
    .execute(&app.state.db)
    .await
    .expect("a restore");
    let refused = app.state.ledger.settle().await.expect_err("it has signed more than there is");
    assert!(refused.to_string().contains("restored"), "{refused}");
    let waits = submit(&app, 2).await;
    assert!(app.state.ledger.check_signing().await.is_err());
    assert!(app.state.ledger.settle().await.is_err());
    let mut db = app.state.db.acquire().await.expect("a connection");
    let place = ledger::position_of(&mut db, waits).await.expect("the entry");
    assert_eq!(place, None, "nothing takes the place of what was lost");
    drop(db);

    let origin = app.state.ledger.begin_again().await.expect("a new beginning");
    assert!(origin.ends_with("/log/2"), "{origin}");
    app.state.ledger.settle().await.expect("the new log signs");
    assert_eq!(app.count("ledger_entry where position is not null").await, 4);
    let policy: Policy = text(&app, "/log/policy.txt").await.parse().expect("a policy");
    let against = Against { policy: Some(policy), since: vec![first], ..Against::default() };
    let export = text(&app, "/log/export").await;
    let report = check(&export, &against);
    assert!(!report.is_violated(), "what was kept continues what was seen: {report}");
    assert!(report.to_string().contains("of the 2 entries"), "{report}");
    let report = check(&export, &Against { since: vec![last], ..Against::default() });
    assert!(violations(&report).iter().any(|f| f.words.contains("lost in a restore")), "{report}");
    assert!(app.state.ledger.begin_again().await.is_err(), "a log that signs has no reason to");
}

#[tokio::test]
async fn a_log_that_cant_be_trusted_says_so_and_doesnt_fail() {
    // A tile gone, the folder's record gone or unreadable, or another database: each is told on the page.
    for (broken, words) in
        [("tile", "can't be read"), ("forgotten", "lost its record"), ("garbage", "can't be read")]
    {
        let app = filled(3).await;
        let signed = app.state.config.data_dir.join("ledger/signed");
        match broken {
            "tile" => sql(&app, "delete from ledger_tile").await,
            "forgotten" => std::fs::remove_file(&signed).expect("the record"),
            _ => std::fs::write(&signed, "garbage").expect("the record"),
        }
        for path in ["/log", "/log/entries/1"] {
            let page = app.visitor().get(path).await.assert_status(200);
            assert!(
                path != "/log" || page.select("[role=alert]")[0].contains(words),
                "{broken}: {}",
                page.body
            );
        }
        submit(&app, 8).await;
        assert!(app.state.ledger.settle().await.is_err(), "{broken}");
    }
    for index in [i64::MAX, -1] {
        let app = filled(1).await;
        app.visitor().get(&format!("/log/entries/{index}")).await.assert_status(404);
        app.visitor().get(&format!("/log/entries/{index}/proof")).await.assert_status(404);
    }
}

#[tokio::test]
async fn an_empty_database_beside_a_log_s_folder_begins_again_openly() {
    let former = filled(3).await;
    let last: Note = text(&former, "/log/checkpoint").await.parse().expect("a note");
    let folder = former.state.config.data_dir.clone();
    let app = TestApp::with(|config| config.data_dir = folder).await;
    assert!(app.state.ledger.settle().await.is_err());
    let page = app.visitor().get("/log").await.assert_status(200);
    assert!(page.select("[role=alert]")[0].contains("it has signed 3 entries, and the database holds 0"));
    app.state.ledger.begin_again().await.expect("a new beginning");
    app.state.ledger.settle().await.expect("the new log signs");
    let export = text(&app, "/log/export").await;
    let report = check(&export, &Against::default());
    assert!(!report.is_violated() && report.to_string().contains("of the 3 entries"), "{report}");
    // Whoever saw the lost log gets no "holds": its key is lost with it.
    let report = check(&export, &Against { since: vec![last], ..Against::default() });
    let since = report.findings.iter().filter(|f| f.check == "since").map(|f| f.outcome);
    assert_eq!(since.collect::<Vec<_>>(), [Outcome::NotChecked], "{report}");
}

/// The database as it was when the log had this size, as a backup brings it back.
async fn restore(app: &TestApp, size: i64) {
    let statements = format!(
        "alter table ledger_entry disable trigger user; alter table ledger_checkpoint disable trigger user;
         delete from ledger_checkpoint where size > {size}; delete from ledger_key where ledger_entry in
             (select id from ledger_entry where position >= {size});
         delete from ledger_entry where position >= {size};
         update ledger_tile set hashes = substr(hashes, 1, {size} * 32) where level = 0;
         update ledger_log set size = {size}, public_key = (select public_key from ledger_key order by ledger_entry
             desc limit 1), root = decode(split_part((select body from ledger_checkpoint where size = {size}),
             E'\\n', 3), 'base64')",
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&app.state.db).await.expect("a restore");
}

#[tokio::test]
async fn a_restore_from_before_a_new_key_can_begin_again() {
    let app = filled(3).await;
    app.state.ledger.rotate_key().await.expect("a new key");
    submit(&app, 7).await;
    app.state.ledger.settle().await.expect("the log signs");
    restore(&app, 3).await;
    app.state.ledger.begin_again().await.expect("a new beginning");
    app.state.ledger.settle().await.expect("the new log signs");
    let report = check(&text(&app, "/log/export").await, &Against::default());
    assert!(!report.is_violated(), "{report}");
    assert!(report.to_string().contains("may have been announced among what was lost"), "{report}");
}

#[tokio::test]
async fn a_new_beginning_is_no_way_to_change_what_was_kept() {
    let app = filled(1).await;
    for number in 1..5 {
        submit(&app, number).await;
        app.state.ledger.settle().await.expect("the log signs");
    }
    restore(&app, 4).await;
    // The leaf and its hash alone: the tree tells.
    sql(
        &app,
        "update ledger_entry set bytes = replace(bytes::text, '32303236', '32303237')::bytea where position = 2;
         update ledger_entry set hash = sha256('\\x00'::bytea || bytes) where position = 2",
    )
    .await;
    let refused = app.state.ledger.begin_again().await.expect_err("it isn't what was signed");
    assert!(refused.to_string().contains("aren't those that the tree holds"), "{refused}");
    // The tree as well: the former log's own heads tell whoever checks the new one.
    sql(
        &app,
        "update ledger_tile set hashes = substr(hashes, 1, 64) || (select hash from ledger_entry where position = 2)
             || substr(hashes, 97) where level = 0",
    )
    .await;
    app.state.ledger.begin_again().await.expect("the program can't tell");
    app.state.ledger.settle().await.expect("the new log signs");
    let report = check(&text(&app, "/log/export").await, &Against::default());
    assert!(report.is_violated(), "{report}");
    sql(&app, "delete from ledger_checkpoint where origin not like '%/2'").await;
    let report = check(&text(&app, "/log/export").await, &Against::default());
    assert!(report.to_string().contains("is the operator's word"), "{report}");
}
