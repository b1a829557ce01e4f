//! Published notices without the way there: rows and leaf as publishing leaves them.

use daylight::clock::Time;
use daylight::ledger::{self, Hash, Leaf, NoticeChange};
pub use daylight::notices::Version;
use daylight::notices::life::State;
use daylight::notices::{ChangeClass, Covered, CoveredField, Number, Text, model};
use sqlx::types::Json;
use uuid::Uuid;

use super::TestApp;

/// A version that is about to be published; change what matters.
pub fn version(app: &TestApp, by: Uuid) -> Version {
    let now = app.state.clock.now();
    Version {
        id: app.state.random.uuid(now),
        notice_id: app.state.random.uuid(now),
        kind: "gdpr-13".into(),
        number: Number::FIRST,
        class: ChangeClass::Material,
        state: State::Published,
        revision: 1,
        jurisdictions: vec!["EU".into()],
        departments: Vec::new(),
        processings: Vec::new(),
        field_table: Some(vec![covered("30 days")]),
        acknowledgement_wanted: true,
        reason: None,
        publish_at: Some(now),
        effective_at: Some(now),
        time_zone: "Europe/Berlin".into(),
        problem: None,
        supersedes: None,
        content_sha256: None,
        ledger_entry: None,
        leaf_position: None,
        published_at: Some(now),
        retracted_at: None,
        retraction_reason: None,
        retraction_entry: None,
        retraction_position: None,
        created_by: by,
        authors: vec![by],
        created_at: now,
        updated_at: now,
        texts: vec![text("en", "How we watch programs", "## Why\n\nWe keep it for 30 days to find faults.")],
    }
}

pub fn text(language: &str, title: &str, markdown: &str) -> Text {
    Text { language: language.into(), title: title.into(), markdown: markdown.into() }
}

pub fn covered(retention: &str) -> Covered {
    let field = |id: &str, label: &str, value: &str| CoveredField {
        id: id.into(),
        label: label.into(),
        value: value.into(),
    };
    Covered {
        processing: Uuid::from_u128(77),
        revision: 1,
        content_sha256: "00".into(),
        name: "Programs you use, to keep systems secure".into(),
        fields: vec![
            field("category", "Kind of data", "Programs you use"),
            field("retention", "Kept for", retention),
        ],
    }
}

/// A published notice that covers the processing at this path, in force at once.
pub async fn cover(app: &TestApp, by: Uuid, path: &str) {
    let id = path.rsplit('/').next().and_then(|id| id.parse().ok()).expect("a processing's path");
    write(app, &Version { processings: vec![id], ..version(app, by) }).await;
}

/// The version after this one, with the same text.
pub fn next(app: &TestApp, former: &Version, class: ChangeClass, reason: &str) -> Version {
    let now = app.state.clock.now();
    Version {
        id: app.state.random.uuid(now),
        number: former.number.after(class),
        class,
        reason: Some(reason.into()),
        supersedes: Some((former.id, former.number)),
        publish_at: Some(now),
        effective_at: Some(now),
        published_at: Some(now),
        ..former.clone()
    }
}

/// Writes it down in its state; a published one with its leaf in the log.
pub async fn write(app: &TestApp, v: &Version) {
    let mut tx = app.state.db.begin().await.unwrap();
    sqlx::query("insert into notice (id, created_at, created_by, kind) values ($1, $2, $3, $4) on conflict do nothing")
        .bind(v.notice_id)
        .bind(v.created_at)
        .bind(v.created_by)
        .bind(&v.kind)
        .execute(&mut *tx)
        .await
        .unwrap();
    if let Some((former, _)) = v.supersedes.filter(|_| v.state == State::Published) {
        sqlx::query("update notice_version set state = 'superseded' where id = $1")
            .bind(former)
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    sqlx::query(
        "insert into notice_version (id, notice_id, major, minor, change_class, state, revision, jurisdictions,
             departments, processings, acknowledgement_wanted, reason, time_zone, supersedes, created_by, authors,
             created_at, updated_at)
         values ($1, $2, $3, $4, $5, 'draft', 1, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15)",
    )
    .bind(v.id)
    .bind(v.notice_id)
    .bind(v.number.major)
    .bind(v.number.minor)
    .bind(v.class.id())
    .bind(&v.jurisdictions)
    .bind(&v.departments)
    .bind(&v.processings)
    .bind(v.acknowledgement_wanted)
    .bind(&v.reason)
    .bind(&v.time_zone)
    .bind(v.supersedes.map(|(id, _)| id))
    .bind(v.created_by)
    .bind(&v.authors)
    .bind(v.created_at)
    .execute(&mut *tx)
    .await
    .unwrap();
    for text in &v.texts {
        sqlx::query(
            "insert into notice_text (version_id, language, title, markdown) values ($1, $2, $3, $4)",
        )
        .bind(v.id)
        .bind(&text.language)
        .bind(&text.title)
        .bind(&text.markdown)
        .execute(&mut *tx)
        .await
        .unwrap();
    }
    let is_published = v.state == State::Published;
    let entry = match is_published {
        true => Some(submit(&mut tx, v, NoticeChange::Published, &v.document()).await),
        false => None,
    };
    sqlx::query(
        "update notice_version set state = $2, field_table = $3, content = $4, content_sha256 = $5,
             publish_at = $6, effective_at = $7, published_at = $8, ledger_entry = $9 where id = $1",
    )
    .bind(v.id)
    .bind(v.state.id())
    .bind(v.field_table.as_ref().map(Json))
    .bind(v.body())
    .bind(model::sha256(&v.body()).unwrap().to_vec())
    .bind(v.publish_at)
    .bind(v.effective_at)
    .bind(v.published_at.filter(|_| is_published))
    .bind(entry)
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    app.state.ledger.settle().await.unwrap();
}

/// Takes a published version back.
pub async fn retract(app: &TestApp, v: &Version, reason: &str) {
    let at: Time = app.state.clock.now();
    let retracted = Version {
        state: State::Retracted,
        retracted_at: Some(at),
        retraction_reason: Some(reason.into()),
        ..v.clone()
    };
    let mut tx = app.state.db.begin().await.unwrap();
    let entry = submit(&mut tx, v, NoticeChange::Retracted, &retracted.retraction()).await;
    sqlx::query(
        "update notice_version set state = 'retracted', retracted_at = $2, retraction_reason = $3,
             retraction_entry = $4 where id = $1",
    )
    .bind(v.id)
    .bind(at)
    .bind(reason)
    .bind(entry)
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    app.state.ledger.settle().await.unwrap();
}

async fn submit(
    db: &mut sqlx::PgConnection,
    v: &Version,
    change: NoticeChange,
    document: &serde_json::Value,
) -> i64 {
    let leaf = Leaf::Notice {
        notice: v.notice_id,
        version: v.number.to_string(),
        change,
        previous: None,
        content: Hash(model::sha256(document).unwrap()),
    };
    ledger::submit(db, &leaf).await.unwrap().0
}
