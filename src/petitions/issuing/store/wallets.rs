//! SQL of wallets: a person's number between the issuers, and the key they ask with.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Day;

#[derive(Debug, Clone)]
pub struct WalletRow {
    pub worker_ref: Uuid,
    pub id_key: Option<Vec<u8>>,
}

/// Makes a wallet where there is none.
pub async fn ensure(db: &mut PgConnection, person: Uuid, worker_ref: Uuid) -> Result<()> {
    sqlx::query!(
        "insert into wallet (person_id, worker_ref) values ($1, $2) on conflict (person_id) do nothing",
        person,
        worker_ref,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn find(db: &mut PgConnection, person: Uuid) -> Result<Option<WalletRow>> {
    sqlx::query_as!(WalletRow, "select worker_ref, id_key from wallet where person_id = $1", person)
        .fetch_optional(db)
        .await
}

pub async fn set_key(db: &mut PgConnection, person: Uuid, id_key: &[u8], today: Day) -> Result<()> {
    sqlx::query!(
        "update wallet set id_key = $2, enrolled_on = $3 where person_id = $1
         and id_key is distinct from $2",
        person,
        id_key,
        today as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Workers who have no wallet yet.
pub async fn list_without(db: &mut PgConnection) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select id from person p where deactivated_at is null
         and exists (select from person_role r where r.person_id = p.id and r.role = 'worker')
         and not exists (select from wallet w where w.person_id = p.id)"
    )
    .fetch_all(db)
    .await
}

/// A worker who may stand on a roll.
#[derive(Debug, Clone)]
pub struct WorkerRow {
    pub person_id: Uuid,
    pub worker_ref: Uuid,
    pub id_key: Option<Vec<u8>>,
}

/// Every worker, by the number that says nothing.
pub async fn list_workers(db: &mut PgConnection) -> Result<Vec<WorkerRow>> {
    sqlx::query_as!(
        WorkerRow,
        "select w.person_id, w.worker_ref, w.id_key from wallet w join person p on p.id = w.person_id
         where p.deactivated_at is null
         and exists (select from person_role r where r.person_id = p.id and r.role = 'worker')
         order by w.worker_ref"
    )
    .fetch_all(db)
    .await
}

/// Name and department of a person, as they are now.
pub async fn find_name(db: &mut PgConnection, person: Uuid) -> Result<(String, Option<String>)> {
    let row = sqlx::query!(
        r#"select p.name, d.name as "department?" from person p left join department d on d.id = p.department_id
           where p.id = $1"#,
        person,
    )
    .fetch_one(db)
    .await?;
    Ok((row.name, row.department))
}

/// Whether the person has a pack of this epoch that was asked for with another key.
pub async fn has_pack_of_another_key(
    db: &mut PgConnection,
    epoch: &str,
    person: Uuid,
    id_key: &[u8],
) -> Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from petition_roll_entry e
               join petition_pack p on p.epoch = e.epoch and p.place = e.place
               where e.epoch = $1 and e.person_id = $2 and e.id_key is distinct from $3) as "has!""#,
        epoch,
        person,
        id_key,
    )
    .fetch_one(db)
    .await
}
