//! The representatives' check: what it fixes, what a refusal leaves, and what silence does.

use daylight::ledger::document_hash;
use daylight::ledger::proof::verify::{Against, verify_export};

use crate::support::petition_life::{DEMAND, Room, TITLE, id};

async fn leaf(room: &Room, kind: &str) -> serde_json::Value {
    let leaves: Vec<Vec<u8>> = sqlx::query_scalar("select bytes from ledger_entry order by id desc")
        .fetch_all(&room.app.state.db)
        .await
        .unwrap();
    let leaves = leaves.iter().map(|bytes| serde_json::from_slice::<serde_json::Value>(bytes).unwrap());
    leaves.into_iter().find(|l| l["t"] == kind).expect("a leaf of this kind")
}

#[tokio::test]
async fn opening_fixes_the_threshold_and_the_close_in_the_log() {
    let room = Room::new().await;
    let path = room.checking().await;
    let desk = room.representative.get("/petitions/desk").await.assert_status(200);
    assert_eq!(desk.select(".notices__title"), [TITLE]);
    let check = format!("{path}/check");
    let page = room.representative.get(&check).await.assert_status(200);
    assert!(page.select("#open ~ p")[0].contains("10 signatures"));
    room.representative.post(&check, &[("outcome", "open")]).await.assert_status(422);
    room.publisher.post(&check, &[("outcome", "open"), ("open_confirm", "yes")]).await.assert_status(403);
    room.representative
        .post(&check, &[("outcome", "open"), ("open_confirm", "yes")])
        .await
        .assert_status(303);
    let leaf = leaf(&room, "check").await;
    assert_eq!(leaf["threshold"], 10);
    assert_eq!(leaf["outcome"], "opened");
    assert_eq!(leaf["closes_at"], "2027-01-01T10:00:00Z");
    // It was opened by somebody else meanwhile.
    let again = room.representative.post(&check, &[("outcome", "open"), ("open_confirm", "yes")]).await;
    assert_eq!(again.assert_status(303).location(), path);
    let page = room.worker.get(&path).await;
    assert!(page.select(".chip").contains(&"Open".to_owned()));
    assert!(page.select("#broken-terms").is_empty());
    assert!(page.body.contains("A representative checked it"));
}

#[tokio::test]
async fn a_refusal_leaves_a_tombstone_without_the_text() {
    let room = Room::new().await;
    let path = room.checking().await;
    let check = format!("{path}/check");
    for fields in [
        &[
            ("outcome", "refuse"),
            ("code", "too_loud"),
            ("words", "We don’t like it."),
            ("refuse_confirm", "yes"),
        ][..],
        &[("outcome", "refuse"), ("code", "unclear"), ("words", "No."), ("refuse_confirm", "yes")],
        &[("outcome", "refuse"), ("code", "unclear"), ("words", "What is a blind?")],
    ] {
        let page = room.representative.post(&check, fields).await.assert_status(422);
        assert_eq!(page.select("#words"), [fields[2].1]);
    }
    let why = "Nobody can say which hall is meant.";
    let fields = [("outcome", "refuse"), ("code", "unclear"), ("words", why), ("refuse_confirm", "yes")];
    room.representative.post(&check, &fields).await.assert_status(303);
    let leaf = leaf(&room, "check").await;
    assert_eq!((leaf["outcome"].as_str(), leaf["code"].as_str()), (Some("refused"), Some("unclear")));
    for other in [&room.worker, &room.publisher] {
        let page = other.get(&path).await.assert_status(200);
        assert!(page.body.contains(why) && page.body.contains("It isn’t clear what it asks for."));
        assert!(!page.body.contains(DEMAND) && !page.body.contains(TITLE));
        let list = other.get("/petitions?show=closed").await;
        assert_eq!(list.select(".notices__title"), ["A refused petition"]);
        assert!(other.get("/petitions?show=closed&q=daylight").await.select(".notices__title").is_empty());
        for page in ["/print", "/export.json", "/export.csv", "/petition.json", "/names", "/changes"] {
            let status = other.get(&format!("{path}{page}")).await.status;
            assert!(status == 404 || status == 409, "{page}: {status}");
        }
        let export = other.get("/log/export").await.assert_status(200).body;
        assert!(!export.contains(DEMAND));
        let report = verify_export(export.as_bytes(), &Against::default()).unwrap();
        assert!(!report.is_violated(), "{:?}", report.findings);
    }
    let content = document_hash(&serde_json::json!({"code": "unclear", "words": why})).unwrap();
    assert_eq!(leaf["content"], content.to_string());
    assert!(room.worker.get("/log/export").await.body.contains(why), "so that it can be checked");
    assert!(!room.app.visitor().get("/log/export").await.body.contains(why));
    let page = room.worker.get(&path).await;
    assert!(page.select("#broken-refusal").is_empty() && page.body.contains("has just compared them"));
    for (sql, back) in [
        ("update petition set refusal_words = 'Its author should be ashamed.'", "words"),
        ("update petition set refusal_code = 'unlawful'", "code"),
    ] {
        room.tamper(sql).await;
        let page = room.worker.get(&path).await;
        assert_eq!(page.select("#broken-refusal").len(), 1, "{sql}");
        let export = room.worker.get("/log/export").await.body;
        assert!(verify_export(export.as_bytes(), &Against::default()).unwrap().is_violated(), "{sql}");
        room.tamper(match back {
            "words" => "update petition set refusal_words = 'Nobody can say which hall is meant.'",
            _ => "update petition set refusal_code = 'unclear'",
        })
        .await;
    }
    assert!(room.worker.get(&path).await.select("#broken-refusal").is_empty());
    for reader in [&room.author, &room.representative] {
        let page = reader.get(&path).await.assert_status(200);
        assert!(page.body.contains(DEMAND) && page.body.contains(why));
    }
    let over = room.author.post(&format!("{path}/updates"), &[("update", "It was clear.")]).await;
    over.assert_status(409);
}

#[tokio::test]
async fn silence_opens_after_a_fortnight() {
    let room = Room::new().await;
    let path = room.checking().await;
    room.hours(24 * 13).await;
    assert_eq!(room.state(&path).await, "checking");
    room.hours(24).await;
    assert_eq!(room.state(&path).await, "open");
    assert!(room.worker.get(&path).await.body.contains("so it opened by itself"));
    let by: Option<uuid::Uuid> = sqlx::query_scalar("select checked_by from petition where id = $1")
        .bind(id(&path))
        .fetch_one(&room.app.state.db)
        .await
        .unwrap();
    assert_eq!(by, None);
}

#[tokio::test]
async fn words_stand_still_once_it_is_checked() {
    let room = Room::new().await;
    let path = room.checking().await;
    assert_eq!(room.author.get(&format!("{path}/edit")).await.assert_status(303).location(), path);
    let fields = crate::support::petition_life::form(&[("revise_confirm", "yes"), ("version", "1")]);
    room.author.post(&format!("{path}/edit"), &fields).await.assert_status(409);
    room.tamper("update petition_version set document = jsonb_set(document, '{demand}', '\"Close the blinds, all of them.\"')").await;
    let check = format!("{path}/check");
    let opened = room.representative.post(&check, &[("outcome", "open"), ("open_confirm", "yes")]).await;
    opened.assert_status(409);
}
