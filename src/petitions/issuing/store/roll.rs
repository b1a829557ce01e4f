//! SQL of the roll and its versions.

use sqlx::{PgConnection, Result};
use uuid::Uuid;

/// A place on an epoch's roll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    pub place: i32,
    pub person_id: Uuid,
    pub worker_ref: Uuid,
    pub id_key: Option<Vec<u8>>,
    pub salt: Vec<u8>,
    pub version: i32,
}

/// Everybody on an epoch's roll, in its order.
pub async fn list(db: &mut PgConnection, epoch: &str) -> Result<Vec<EntryRow>> {
    sqlx::query_as!(
        EntryRow,
        "select place, person_id, worker_ref, id_key, salt, version from petition_roll_entry
         where epoch = $1 order by place",
        epoch,
    )
    .fetch_all(db)
    .await
}

/// Places whose person has made another key than the roll holds, with that key; not those that have a pack.
pub async fn list_new_keys(db: &mut PgConnection, epoch: &str) -> Result<Vec<(i32, Vec<u8>)>> {
    let rows = sqlx::query!(
        r#"select e.place, w.id_key as "id_key!" from petition_roll_entry e
           join wallet w on w.person_id = e.person_id
           where e.epoch = $1 and w.id_key is not null and w.id_key is distinct from e.id_key
             and not exists (select from petition_pack p where p.epoch = e.epoch and p.place = e.place)"#,
        epoch,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.place, row.id_key)).collect())
}

/// Puts people on the roll, or new values at their places.
pub async fn upsert(db: &mut PgConnection, epoch: &str, entries: &[EntryRow]) -> Result<()> {
    let places: Vec<i32> = entries.iter().map(|e| e.place).collect();
    let people: Vec<Uuid> = entries.iter().map(|e| e.person_id).collect();
    let refs: Vec<Uuid> = entries.iter().map(|e| e.worker_ref).collect();
    let keys: Vec<Option<Vec<u8>>> = entries.iter().map(|e| e.id_key.clone()).collect();
    let salts: Vec<Vec<u8>> = entries.iter().map(|e| e.salt.clone()).collect();
    let versions: Vec<i32> = entries.iter().map(|e| e.version).collect();
    sqlx::query!(
        "insert into petition_roll_entry (epoch, place, person_id, worker_ref, id_key, salt, version)
         select $1, * from unnest($2::integer[], $3::uuid[], $4::uuid[], $5::bytea[], $6::bytea[], $7::integer[])
         on conflict (epoch, place) do update set id_key = excluded.id_key, salt = excluded.salt,
             version = excluded.version",
        epoch,
        &places,
        &people,
        &refs,
        &keys as _,
        &salts,
        &versions,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes the first version back, while nobody has signed it.
pub async fn delete_proposed(db: &mut PgConnection, epoch: &str) -> Result<()> {
    sqlx::query!("delete from petition_roll where epoch = $1 and signature is null", epoch)
        .execute(&mut *db)
        .await?;
    sqlx::query!("delete from petition_roll_entry where epoch = $1", epoch).execute(db).await?;
    Ok(())
}

/// A version of the roll that waits for the representative.
#[derive(Debug, Clone)]
pub struct WaitingRoll {
    pub version: i32,
    pub size: i32,
    pub root: Vec<u8>,
}

pub async fn find_waiting(db: &mut PgConnection, epoch: &str) -> Result<Option<WaitingRoll>> {
    sqlx::query_as!(
        WaitingRoll,
        "select version, size, root from petition_roll where epoch = $1 and signature is null
         order by version desc limit 1",
        epoch,
    )
    .fetch_optional(db)
    .await
}

/// The newest version that both sides signed, with its size.
pub async fn find_signed(db: &mut PgConnection, epoch: &str) -> Result<Option<(i32, i32)>> {
    let row = sqlx::query!(
        "select version, size from petition_roll where epoch = $1 and signature is not null
         order by version desc limit 1",
        epoch,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| (row.version, row.size)))
}

/// Proposes a version; one of the same number that nobody has signed is replaced.
pub async fn propose(db: &mut PgConnection, epoch: &str, waiting: &WaitingRoll) -> Result<()> {
    sqlx::query!(
        "insert into petition_roll (epoch, version, size, root) values ($1, $2, $3, $4)
         on conflict (epoch, version) do update set size = excluded.size, root = excluded.root
             where petition_roll.signature is null",
        epoch,
        waiting.version,
        waiting.size,
        waiting.root,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn sign(
    db: &mut PgConnection,
    epoch: &str,
    version: i32,
    signature: &str,
    entry: i64,
) -> Result<()> {
    sqlx::query!(
        "update petition_roll set signature = $3, ledger_entry = $4 where epoch = $1 and version = $2",
        epoch,
        version,
        signature,
        entry,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A place as the representative reads it.
pub struct NamedEntry {
    pub worker_ref: Uuid,
    pub name: String,
    pub department: Option<String>,
    pub id_key: Option<Vec<u8>>,
    pub salt: Vec<u8>,
}

pub async fn list_named(db: &mut PgConnection, epoch: &str) -> Result<Vec<NamedEntry>> {
    sqlx::query_as!(
        NamedEntry,
        r#"select e.worker_ref, p.name, d.name as "department?", e.id_key, e.salt
           from petition_roll_entry e join person p on p.id = e.person_id
           left join department d on d.id = p.department_id where e.epoch = $1 order by e.place"#,
        epoch,
    )
    .fetch_all(db)
    .await
}

/// The identity key at a place of a version that both sides signed; the outer `None` where nobody stands there.
pub async fn find_placed(db: &mut PgConnection, epoch: &str, place: i32) -> Result<Option<Option<Vec<u8>>>> {
    sqlx::query_scalar!(
        "select id_key from petition_roll_entry e where epoch = $1 and place = $2
         and exists (select from petition_roll r where r.epoch = e.epoch and r.version = e.version
                     and r.signature is not null)",
        epoch,
        place,
    )
    .fetch_optional(db)
    .await
}

/// The place of an identity key, on a version that both sides signed.
pub async fn find_place(db: &mut PgConnection, epoch: &str, id_key: &[u8]) -> Result<Option<i32>> {
    sqlx::query_scalar!(
        "select place from petition_roll_entry e where epoch = $1 and id_key = $2
         and exists (select from petition_roll r where r.epoch = e.epoch and r.version = e.version
                     and r.signature is not null)",
        epoch,
        id_key,
    )
    .fetch_optional(db)
    .await
}

/// Whom a version changes: newcomers, and those with a new key.
pub async fn list_changed(db: &mut PgConnection, epoch: &str, version: i32) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select person_id from petition_roll_entry where epoch = $1 and version = $2 order by place",
        epoch,
        version,
    )
    .fetch_all(db)
    .await
}
