//! The transparency log as outsiders, features and a restored backup meet it.

use daylight::ledger::{self, Hash, Leaf, NoticeChange};
use uuid::Uuid;

use crate::support::TestApp;

fn leaf(number: u32) -> Leaf {
    Leaf::Notice {
        notice: Uuid::from_u128(number.into()),
        version: "1.0".into(),
        change: NoticeChange::Published,
        previous: None,
        content: Hash::of(&number.to_be_bytes()),
    }
}

async fn submit(app: &TestApp, number: u32) -> ledger::EntryId {
    let mut tx = app.state.db.begin().await.expect("a transaction");
    let entry = ledger::submit(&mut tx, &leaf(number)).await.expect("the leaf is valid");
    tx.commit().await.expect("a commit");
    entry
}

#[tokio::test]
async fn entries_get_places_in_the_order_they_were_handed_in() {
    let app = TestApp::new().await;
    let entries = [submit(&app, 1).await, submit(&app, 2).await];
    app.state.ledger.settle().await.expect("the log signs");
    let mut db = app.state.db.acquire().await.expect("a connection");
    let mut places = Vec::new();
    for entry in entries {
        places.push(ledger::position_of(&mut db, entry).await.expect("the entry"));
    }
    // The key announces itself first.
    assert_eq!(places, [Some(1), Some(2)]);
    let standing = app.state.ledger.standing(&mut db).await.expect("the log").expect("it is open");
    assert_eq!((standing.size, standing.refusal), (3, None));
}

#[tokio::test]
async fn many_who_wait_share_the_work() {
    let app = TestApp::new().await;
    let mut tasks = Vec::new();
    for number in 0..40 {
        submit(&app, number).await;
        let ledger = app.state.ledger.clone();
        tasks.push(tokio::spawn(async move { ledger.settle().await }));
    }
    for task in tasks {
        task.await.expect("no panic").expect("the log signs");
    }
    assert_eq!(app.count("ledger_entry where position is not null").await, 41);
    assert_eq!(app.count("ledger_entry").await, 41);
}

#[tokio::test]
async fn a_restored_database_makes_the_log_refuse_to_sign() {
    let app = TestApp::new().await;
    submit(&app, 1).await;
    app.state.ledger.settle().await.expect("the log signs");
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
    submit(&app, 2).await;
    assert!(app.state.ledger.check_signing().await.is_err());

    let origin = app.state.ledger.begin_again().await.expect("a new beginning");
    assert!(origin.ends_with("/log/2"), "{origin}");
    app.state.ledger.settle().await.expect("the new log signs");
    assert_eq!(app.count("ledger_entry where position is not null").await, 3);
    assert!(app.state.ledger.begin_again().await.is_err(), "a log that signs has no reason to");
}
