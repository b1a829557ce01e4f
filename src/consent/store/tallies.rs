//! SQL of counting choices for others.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use super::people::HeldRow;
use crate::clock::Time;
use crate::consent::tally::Tally;

/// A worker, as far as counting asks.
pub struct MemberRow {
    pub id: Uuid,
    pub department_id: Option<Uuid>,
    pub jurisdiction: String,
    pub created_at: Time,
    pub deactivated_at: Option<Time>,
}

/// Everybody who was a worker at `until`, or at `since` before.
pub async fn list_members(db: &mut PgConnection, since: Time, until: Time) -> Result<Vec<MemberRow>> {
    sqlx::query_as!(
        MemberRow,
        "select p.id, p.department_id, p.jurisdiction, p.created_at, p.deactivated_at
         from person p join person_role r on r.person_id = p.id and r.role = 'worker'
         where p.created_at < $2 and (p.deactivated_at is null or p.deactivated_at >= $1)",
        since as _,
        until as _,
    )
    .fetch_all(db)
    .await
}

/// What counted of everybody's decisions about this processing at `until`.
pub async fn list_held(db: &mut PgConnection, processing: Uuid, until: Time) -> Result<Vec<HeldRow>> {
    sqlx::query_as!(
        HeldRow,
        "select distinct on (person_id) person_id, processing_id, state, notice_id, major, content_sha256, until
         from consent_decision where processing_id = $1 and state <> 'deferred' and at < $2
         order by person_id, number desc",
        processing,
        until as _,
    )
    .fetch_all(db)
    .await
}

/// As last counted.
pub struct TallyRow {
    pub processing_id: Uuid,
    pub until: Time,
    pub people: i64,
    pub yes: i64,
    pub no: i64,
}

impl TallyRow {
    pub fn tally(&self) -> Tally {
        Tally { people: self.people, yes: self.yes, no: self.no }
    }
}

pub async fn list(db: &mut PgConnection) -> Result<Vec<TallyRow>> {
    sqlx::query_as!(TallyRow, "select processing_id, until, people, yes, no from choice_tally")
        .fetch_all(db)
        .await
}

/// Keeps a count in place of the last one; another instance's of the same moment is the same.
pub async fn upsert(db: &mut PgConnection, processing: Uuid, until: Time, tally: Tally) -> Result<()> {
    sqlx::query!(
        "insert into choice_tally (processing_id, until, people, yes, no) values ($1, $2, $3, $4, $5)
         on conflict (processing_id) do update set until = $2, people = $3, yes = $4, no = $5
         where choice_tally.until < $2",
        processing,
        until as _,
        tally.people,
        tally.yes,
        tally.no,
    )
    .execute(db)
    .await?;
    Ok(())
}
