//! SQL of decisions: append-only, so there are inserts and reads and nothing else.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use anyhow::Context;

use crate::clock::Time;
use crate::consent::model::{Held, State, Terms};
use crate::error::{Error, OnConstraint, Result};

/// One decision, as kept.
#[derive(Debug, Clone)]
pub struct Decision {
    pub id: Uuid,
    pub person_id: Uuid,
    pub processing_id: Uuid,
    pub number: i32,
    pub state: State,
    pub at: Time,
    /// The role in which it was made; `system` for what runs by itself.
    pub by_role: String,
    pub by_id: Option<Uuid>,
    pub text_sha256: Vec<u8>,
    pub version_id: Uuid,
    pub terms: Terms,
    pub language: String,
    pub purpose: String,
    pub allowed_before: bool,
    pub allowed_after: bool,
    pub until: Option<Time>,
    pub reason: Option<String>,
    pub named: bool,
    pub due_at: Option<Time>,
    pub record: Value,
    pub opening: Value,
    pub salt: Vec<u8>,
    pub ledger_entry: i64,
    /// Of its entry in the log; null while it waits.
    pub leaf_position: Option<i64>,
}

impl Decision {
    /// What it makes of the standing; `None` for "later".
    pub fn held(&self) -> Option<Held> {
        Some(Held { answer: self.state.answer()?, terms: self.terms, until: self.until })
    }
}

/// What counts of these decisions about one processing, oldest first.
pub fn standing(decisions: &[Decision]) -> Option<Held> {
    decisions.iter().rev().find_map(Decision::held)
}

struct Row {
    id: Uuid,
    person_id: Uuid,
    processing_id: Uuid,
    number: i32,
    state: String,
    at: Time,
    by_role: String,
    by_id: Option<Uuid>,
    text_sha256: Vec<u8>,
    notice_id: Uuid,
    version_id: Uuid,
    major: i32,
    language: String,
    content_sha256: Vec<u8>,
    purpose: String,
    allowed_before: bool,
    allowed_after: bool,
    until: Option<Time>,
    reason: Option<String>,
    named: bool,
    due_at: Option<Time>,
    record: Value,
    opening: Value,
    salt: Vec<u8>,
    ledger_entry: i64,
    leaf_position: Option<i64>,
}

impl TryFrom<Row> for Decision {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let content = row.content_sha256.try_into().ok().context("a hash of another length")?;
        Ok(Decision {
            id: row.id,
            person_id: row.person_id,
            processing_id: row.processing_id,
            number: row.number,
            state: State::parse(&row.state).context("an unknown state of a decision")?,
            at: row.at,
            by_role: row.by_role,
            by_id: row.by_id,
            text_sha256: row.text_sha256,
            version_id: row.version_id,
            terms: Terms { notice: row.notice_id, major: row.major, content },
            language: row.language,
            purpose: row.purpose,
            allowed_before: row.allowed_before,
            allowed_after: row.allowed_after,
            until: row.until,
            reason: row.reason,
            named: row.named,
            due_at: row.due_at,
            record: row.record,
            opening: row.opening,
            salt: row.salt,
            ledger_entry: row.ledger_entry,
            leaf_position: row.leaf_position,
        })
    }
}

/// Decisions of these people, of all processings or one, by person, processing and number.
pub async fn list(db: &mut PgConnection, people: &[Uuid], processing: Option<Uuid>) -> Result<Vec<Decision>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select d.id, d.person_id, d.processing_id, d.number, d.state, d.at, d.by_role, d.by_id, d.text_sha256,
                  d.notice_id, d.version_id, d.major, d.language, d.content_sha256, d.purpose, d.allowed_before,
                  d.allowed_after, d.until, d.reason, d.named, d.due_at, d.record, d.opening, d.salt,
                  d.ledger_entry, e.position as "leaf_position?"
           from consent_decision d join ledger_entry e on e.id = d.ledger_entry
           where d.person_id = any ($1) and ($2::uuid is null or d.processing_id = $2)
           order by d.person_id, d.processing_id, d.number"#,
        people,
        processing,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Decision::try_from).collect()
}

/// One decision by its id, whoever made it: the caller checks whose it is.
pub async fn find(db: &mut PgConnection, id: Uuid) -> Result<Option<Decision>> {
    let row = sqlx::query_as!(
        Row,
        r#"select d.id, d.person_id, d.processing_id, d.number, d.state, d.at, d.by_role, d.by_id, d.text_sha256,
                  d.notice_id, d.version_id, d.major, d.language, d.content_sha256, d.purpose, d.allowed_before,
                  d.allowed_after, d.until, d.reason, d.named, d.due_at, d.record, d.opening, d.salt,
                  d.ledger_entry, e.position as "leaf_position?"
           from consent_decision d join ledger_entry e on e.id = d.ledger_entry where d.id = $1"#,
        id
    )
    .fetch_optional(db)
    .await?;
    row.map(Decision::try_from).transpose()
}

/// Of these processings, those about which somebody asked to be reminded later than now.
pub async fn list_put_off(
    db: &mut PgConnection,
    person: Uuid,
    processings: &[Uuid],
    now: Time,
) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "select d.processing_id from consent_decision d
         where d.person_id = $1 and d.processing_id = any ($2) and d.state = 'deferred' and d.until > $3
           and not exists (select from consent_decision l where l.person_id = d.person_id
                           and l.processing_id = d.processing_id and l.number > d.number)",
        person,
        processings,
        now as _,
    )
    .fetch_all(db)
    .await?)
}

/// Texts by their hashes.
pub async fn list_texts(db: &mut PgConnection, hashes: &[Vec<u8>]) -> Result<Vec<(Vec<u8>, Value)>> {
    let rows = sqlx::query!("select sha256, document from consent_text where sha256 = any ($1)", hashes);
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.sha256, row.document)).collect())
}

/// Keeps the words of a choice, once.
pub async fn insert_text(db: &mut PgConnection, sha256: &[u8], document: &Value) -> Result<()> {
    sqlx::query!(
        "insert into consent_text (sha256, document) values ($1, $2) on conflict do nothing",
        sha256,
        document
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Adds a decision. Two at once about the same processing: the second is a conflict.
pub async fn insert(db: &mut PgConnection, d: &Decision) -> Result<()> {
    sqlx::query!(
        "insert into consent_decision (id, person_id, processing_id, number, state, at, by_role, by_id, text_sha256,
             notice_id, version_id, major, language, content_sha256, purpose, allowed_before, allowed_after, until,
             reason, named, due_at, record, opening, salt, ledger_entry)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
             $22, $23, $24, $25)",
        d.id,
        d.person_id,
        d.processing_id,
        d.number,
        d.state.id(),
        d.at as _,
        d.by_role,
        d.by_id,
        d.text_sha256,
        d.terms.notice,
        d.version_id,
        d.terms.major,
        d.language,
        &d.terms.content[..],
        d.purpose,
        d.allowed_before,
        d.allowed_after,
        d.until as _,
        d.reason,
        d.named,
        d.due_at as _,
        d.record,
        d.opening,
        d.salt,
        d.ledger_entry,
    )
    .execute(db)
    .await
    .on_constraint("consent_decision_number_once", || {
        Error::conflict("This choice was changed a moment ago. Look at it again.")
    })?;
    Ok(())
}

/// How many decisions but a no somebody has made since then.
pub async fn count_since(db: &mut PgConnection, person: Uuid, since: Time) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"select count(*) as "count!" from consent_decision
           where person_id = $1 and at >= $2 and by_role = 'worker' and state not in ('refused', 'withdrawn')"#,
        person,
        since as _,
    )
    .fetch_one(db)
    .await?)
}

/// A yes that has run out and has no row that says so.
pub async fn list_lapsed(db: &mut PgConnection, now: Time, limit: i64) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "select d.id from consent_decision d
         where d.state in ('given', 'renewed') and d.until <= $1
           and not exists (select from consent_decision l
                           where l.person_id = d.person_id and l.processing_id = d.processing_id
                             and l.number > d.number and l.state <> 'deferred')
         order by d.until limit $2",
        now as _,
        limit,
    )
    .fetch_all(db)
    .await?)
}
