//! SQL of petitions: one petition with all that belongs to it.

pub mod counts;
pub mod lists;
pub mod writing;

use serde_json::Value;
use sqlx::{PgConnection, Result};
use uuid::Uuid;

use super::model::State;
use crate::clock::{Day, Time};

#[derive(Debug, Clone)]
pub struct PetitionRow {
    pub id: Uuid,
    pub state: String,
    pub author_id: Option<Uuid>,
    pub author_key: Option<Vec<u8>>,
    pub epoch: Option<String>,
    pub slot: Option<i32>,
    pub about_kind: Option<String>,
    pub about_id: Option<Uuid>,
    pub open_days: i32,
    pub version: i32,
    pub seeking_until: Option<Time>,
    pub checking_since: Option<Time>,
    pub checked_by: Option<Uuid>,
    pub refusal_code: Option<String>,
    pub refusal_words: Option<String>,
    pub opened_at: Option<Time>,
    pub closes_at: Option<Time>,
    pub threshold: Option<i32>,
    pub reached_at: Option<Time>,
    pub answer_due_at: Option<Time>,
    pub closed_at: Option<Time>,
    pub check_entry: Option<i64>,
    pub check_position: Option<i64>,
    pub reached_entry: Option<i64>,
    pub reached_position: Option<i64>,
    pub close_position: Option<i64>,
}

impl PetitionRow {
    pub fn state(&self) -> State {
        State::parse(&self.state)
    }

    pub fn is_by(&self, person: Uuid) -> bool {
        self.author_id == Some(person)
    }
}

pub async fn find(db: &mut PgConnection, id: Uuid) -> Result<Option<PetitionRow>> {
    sqlx::query_as!(
        PetitionRow,
        r#"select p.id, p.state, p.author_id, p.author_key, p.epoch, p.slot, p.about_kind, p.about_id, p.open_days,
                  p.version, p.seeking_until, p.checking_since, p.checked_by, p.refusal_code, p.refusal_words,
                  p.opened_at, p.closes_at, p.threshold, p.reached_at, p.answer_due_at, p.closed_at, p.check_entry,
                  c.position as "check_position?", p.reached_entry, r.position as "reached_position?",
                  e.position as "close_position?"
           from petition p left join ledger_entry c on c.id = p.check_entry
           left join ledger_entry r on r.id = p.reached_entry
           left join ledger_entry e on e.id = p.close_entry where p.id = $1"#,
        id,
    )
    .fetch_optional(db)
    .await
}

/// Holds a petition until the transaction ends; false when there is none.
pub async fn lock(db: &mut PgConnection, id: Uuid) -> Result<bool> {
    let row = sqlx::query_scalar!("select id from petition where id = $1 for update", id);
    Ok(row.fetch_optional(db).await?.is_some())
}

/// A text as it is signed.
#[derive(Debug, Clone)]
pub struct VersionRow {
    pub version: i32,
    pub document: Value,
    pub leaf_hash: Vec<u8>,
    pub ledger_entry: i64,
    pub position: Option<i64>,
}

/// The newest first.
pub async fn list_versions(db: &mut PgConnection, petition: Uuid) -> Result<Vec<VersionRow>> {
    sqlx::query_as!(
        VersionRow,
        r#"select v.version, v.document, v.leaf_hash, v.ledger_entry, e.position
           from petition_version v join ledger_entry e on e.id = v.ledger_entry
           where v.petition_id = $1 order by v.version desc"#,
        petition,
    )
    .fetch_all(db)
    .await
}

pub struct DraftRow {
    pub title: String,
    pub demand: String,
    pub background: String,
}

pub async fn find_draft(db: &mut PgConnection, petition: Uuid) -> Result<Option<DraftRow>> {
    sqlx::query_as!(
        DraftRow,
        "select title, demand, background from petition_draft where petition_id = $1",
        petition,
    )
    .fetch_optional(db)
    .await
}

#[derive(Debug, Clone)]
pub struct UpdateRow {
    pub on_day: Day,
    pub author: String,
    pub text: String,
    /// By the key of an author without a name.
    pub signature: Option<String>,
}

/// The newest first; those of one day in no order of time.
pub async fn list_updates(db: &mut PgConnection, petition: Uuid) -> Result<Vec<UpdateRow>> {
    sqlx::query_as!(
        UpdateRow,
        "select on_day, author, text, signature from petition_update where petition_id = $1
         order by on_day desc, id",
        petition,
    )
    .fetch_all(db)
    .await
}

/// A version of the employer's answer.
#[derive(Debug, Clone)]
pub struct AnswerRow {
    pub number: i32,
    pub document: Value,
    pub leaf_hash: Vec<u8>,
    pub at: Time,
    pub ledger_entry: i64,
    pub position: Option<i64>,
}

impl AnswerRow {
    /// When it was given, as its hashed document says; the column beside it is for sorting.
    pub fn dated(&self) -> Option<Time> {
        let at = self.document["at"].as_str()?.parse::<jiff::Timestamp>().ok()?;
        Some(at.into())
    }
}

/// The newest first.
pub async fn list_answers(db: &mut PgConnection, petition: Uuid) -> Result<Vec<AnswerRow>> {
    sqlx::query_as!(
        AnswerRow,
        "select a.number, a.document, a.leaf_hash, a.at, a.ledger_entry, e.position
         from petition_answer a join ledger_entry e on e.id = a.ledger_entry
         where a.petition_id = $1 order by a.number desc",
        petition,
    )
    .fetch_all(db)
    .await
}

/// What the log's leaves about petitions hold the hashes of; `withheld` are texts that were refused.
pub struct DocumentRow {
    pub entry: i64,
    pub content: Value,
    pub withheld: bool,
}

pub async fn list_documents(db: &mut PgConnection) -> Result<Vec<DocumentRow>> {
    sqlx::query_as!(
        DocumentRow,
        r#"select v.ledger_entry as "entry!", v.document as "content!", p.state = 'refused' as "withheld!"
           from petition_version v join petition p on p.id = v.petition_id
           union all select ledger_entry, document, false from petition_answer
           union all select check_entry, jsonb_build_object('code', refusal_code, 'words', refusal_words), false
               from petition where state = 'refused' and check_entry is not null
           order by 1"#,
    )
    .fetch_all(db)
    .await
}

/// An epoch whose credentials are given out.
pub struct EpochRow {
    pub epoch: String,
    pub leaf: Value,
}

/// The newest one that has begun and not ended.
pub async fn find_epoch(db: &mut PgConnection, now: Time) -> Result<Option<EpochRow>> {
    sqlx::query_as!(
        EpochRow,
        r#"select epoch, leaf as "leaf!" from petition_epoch
           where leaf is not null and ends_at > $1 order by number desc limit 1"#,
        now as Time,
    )
    .fetch_optional(db)
    .await
}

/// An epoch's leaf, also when the epoch is over.
pub async fn find_epoch_leaf(db: &mut PgConnection, epoch: &str) -> Result<Option<Value>> {
    let leaf = sqlx::query_scalar!("select leaf from petition_epoch where epoch = $1", epoch);
    Ok(leaf.fetch_optional(db).await?.flatten())
}

/// How many stand on the newest roll that both sides signed.
pub async fn find_roll_size(db: &mut PgConnection, epoch: &str) -> Result<Option<i32>> {
    sqlx::query_scalar!(
        "select size from petition_roll where epoch = $1 and signature is not null order by version desc limit 1",
        epoch,
    )
    .fetch_optional(db)
    .await
}

/// Packs that both issuers gave out in an epoch: the smaller number of the two.
pub async fn count_packs(db: &mut PgConnection, epoch: &str) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select least(count(*) filter (where issuer = 'operator'), count(*) filter (where issuer = 'representative'))
           as "packs!" from petition_pack where epoch = $1"#,
        epoch,
    )
    .fetch_one(db)
    .await
}

/// The name under which a person starts a petition.
pub async fn find_name(db: &mut PgConnection, person: Uuid) -> Result<Option<String>> {
    sqlx::query_scalar!("select name from person where id = $1", person).fetch_optional(db).await
}
