//! SQL of the log.

use sqlx::{PgConnection, Result};

use super::EntryId;
use super::proof::tree::{Full, Hash};
use crate::clock::Time;

/// The log's head.
#[derive(Debug, Clone)]
pub struct Head {
    pub origin: String,
    pub public_key: Vec<u8>,
    pub size: i64,
    pub root: Vec<u8>,
}

pub async fn find_head(db: &mut PgConnection) -> Result<Option<Head>> {
    sqlx::query_as!(Head, "select origin, public_key, size, root from ledger_log").fetch_optional(db).await
}

/// Any number; whoever writes the log holds it until their transaction ends.
const WRITER: i64 = 0x6461_796c_6c6f_6731;

/// Waits until nobody else writes the log.
pub async fn lock_writer(db: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock($1)", WRITER).execute(db).await?;
    Ok(())
}

pub async fn insert_head(
    db: &mut PgConnection,
    origin: &str,
    public_key: &[u8],
    root: Hash,
    now: Time,
) -> Result<()> {
    sqlx::query!(
        "insert into ledger_log (origin, public_key, size, root, began_at) values ($1, $2, 0, $3, $4)",
        origin,
        public_key,
        &root.0[..],
        now as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn update_head(db: &mut PgConnection, size: i64, root: Hash, public_key: &[u8]) -> Result<()> {
    sqlx::query!(
        "update ledger_log set size = $1, root = $2, public_key = $3",
        size,
        &root.0[..],
        public_key,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn insert_entry(
    db: &mut PgConnection,
    bytes: &[u8],
    hash: Hash,
    not_before: Option<Time>,
) -> Result<EntryId> {
    let id = sqlx::query_scalar!(
        "insert into ledger_entry (bytes, hash, not_before) values ($1, $2, $3) returning id",
        bytes,
        &hash.0[..],
        not_before as _,
    )
    .fetch_one(db)
    .await?;
    Ok(EntryId(id))
}

/// Inserts entries in the order given; their ids grow in it.
pub async fn insert_entries(
    db: &mut PgConnection,
    bytes: &[Vec<u8>],
    hashes: &[Vec<u8>],
) -> sqlx::Result<Vec<EntryId>> {
    let mut ids = sqlx::query_scalar!(
        "insert into ledger_entry (bytes, hash)
         select bytes, hash from unnest($1::bytea[], $2::bytea[]) with ordinality as given (bytes, hash, n) order by n
         returning id",
        bytes,
        hashes,
    )
    .fetch_all(db)
    .await?;
    ids.sort_unstable();
    Ok(ids.into_iter().map(EntryId).collect())
}

pub async fn insert_key(db: &mut PgConnection, public_key: &[u8], origin: &str, entry: i64) -> Result<()> {
    sqlx::query!(
        "insert into ledger_key (public_key, origin, ledger_entry) values ($1, $2, $3)
         on conflict (public_key) do nothing",
        public_key,
        origin,
        entry,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Every key that was announced for a log, newest first.
pub async fn list_keys(db: &mut PgConnection, origin: &str) -> Result<Vec<Vec<u8>>> {
    sqlx::query_scalar!(
        "select public_key from ledger_key where origin = $1 order by ledger_entry desc",
        origin
    )
    .fetch_all(db)
    .await
}

/// Lets entries that wait for their hour have their place now.
pub async fn release_entries(db: &mut PgConnection, ids: &[i64]) -> Result<()> {
    sqlx::query!("update ledger_entry set not_before = null where id = any($1) and position is null", ids)
        .execute(db)
        .await?;
    Ok(())
}

pub struct Waiting {
    pub id: i64,
    pub bytes: Vec<u8>,
    pub hash: Vec<u8>,
}

/// What waits for its place and may have it, in the order in which it was handed in.
pub async fn list_waiting(db: &mut PgConnection, now: Time, limit: i64) -> Result<Vec<Waiting>> {
    sqlx::query_as!(
        Waiting,
        "select id, bytes, hash from ledger_entry
         where position is null and (not_before is null or not_before <= $1) order by id limit $2",
        now as _,
        limit,
    )
    .fetch_all(db)
    .await
}

/// Gives entries the places from `first` on.
pub async fn place_entries(db: &mut PgConnection, ids: &[i64], first: i64) -> Result<()> {
    sqlx::query!(
        "update ledger_entry e set position = $2 + w.n - 1
         from unnest($1::bigint[]) with ordinality as w (id, n) where e.id = w.id",
        ids,
        first,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn upsert_tiles(db: &mut PgConnection, tiles: &[Full]) -> Result<()> {
    let levels: Vec<i16> = tiles.iter().map(|t| t.level as i16).collect();
    let numbers: Vec<i64> = tiles.iter().map(|t| t.number as i64).collect();
    let hashes: Vec<Vec<u8>> = tiles.iter().map(|t| super::proof::tree::to_bytes(&t.hashes)).collect();
    sqlx::query!(
        "insert into ledger_tile (level, number, hashes)
         select * from unnest($1::smallint[], $2::bigint[], $3::bytea[])
         on conflict (level, number) do update set hashes = excluded.hashes",
        &levels,
        &numbers,
        &hashes,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub struct TileRow {
    pub level: i16,
    pub number: i64,
    pub hashes: Vec<u8>,
}

pub async fn list_tiles(db: &mut PgConnection, places: &[(u32, u64)]) -> Result<Vec<TileRow>> {
    let levels: Vec<i16> = places.iter().map(|p| p.0 as i16).collect();
    let numbers: Vec<i64> = places.iter().map(|p| p.1 as i64).collect();
    sqlx::query_as!(
        TileRow,
        "select t.level, t.number, t.hashes from ledger_tile t
         join unnest($1::smallint[], $2::bigint[]) as w (level, number)
             on w.level = t.level and w.number = t.number",
        &levels,
        &numbers,
    )
    .fetch_all(db)
    .await
}

pub struct EntryRow {
    pub position: i64,
    pub bytes: Vec<u8>,
    pub hash: Vec<u8>,
}

/// Entries at `[first, first + count)`.
pub async fn list_entries(db: &mut PgConnection, first: i64, count: i64) -> Result<Vec<EntryRow>> {
    sqlx::query_as!(
        EntryRow,
        r#"select position as "position!", bytes, hash from ledger_entry
           where position >= $1 and position < $2 order by position"#,
        first,
        first.saturating_add(count),
    )
    .fetch_all(db)
    .await
}

/// Where an entry stands; `None` while it waits.
pub async fn find_position(db: &mut PgConnection, id: EntryId) -> Result<Option<i64>> {
    sqlx::query_scalar!("select position from ledger_entry where id = $1", id.0).fetch_one(db).await
}

/// Where each of these entries stands; those that wait are left out.
pub async fn list_positions(db: &mut PgConnection, ids: &[i64]) -> Result<Vec<(i64, i64)>> {
    let rows = sqlx::query!(
        r#"select id, position as "position!" from ledger_entry where id = any($1) and position is not null"#,
        ids,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.position)).collect())
}

pub async fn find_hash(db: &mut PgConnection, id: EntryId) -> Result<Vec<u8>> {
    sqlx::query_scalar!("select hash from ledger_entry where id = $1", id.0).fetch_one(db).await
}

/// These entries, with where they stand; those that wait are left out.
pub async fn list_placed(db: &mut PgConnection, ids: &[i64]) -> Result<Vec<(i64, i64, Vec<u8>)>> {
    let rows = sqlx::query!(
        r#"select id, position as "position!", bytes from ledger_entry
           where id = any($1) and position is not null"#,
        ids,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.position, row.bytes)).collect())
}

/// A signed tree head with what witnesses said of it.
#[derive(Debug, Clone)]
pub struct CheckpointRow {
    pub size: i64,
    pub signed_at: Time,
    pub body: String,
    pub signature: String,
    /// The witnesses' lines, in the order of their names.
    pub cosignatures: Vec<String>,
}

pub async fn insert_checkpoint(
    db: &mut PgConnection,
    origin: &str,
    size: i64,
    now: Time,
    body: &str,
    signature: &str,
) -> Result<()> {
    sqlx::query!(
        "insert into ledger_checkpoint (origin, size, signed_at, body, signature) values ($1, $2, $3, $4, $5)",
        origin,
        size,
        now as _,
        body,
        signature,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The last checkpoints of the logs that this one continues, oldest first.
pub async fn list_former_checkpoints(db: &mut PgConnection, limit: i64) -> Result<Vec<CheckpointRow>> {
    let mut rows = sqlx::query_as!(
        CheckpointRow,
        r#"select c.size, c.signed_at, c.body, c.signature,
                  array(select w.line from ledger_cosignature w where w.origin = c.origin and w.size = c.size
                        order by w.witness) as "cosignatures!: Vec<String>"
           from ledger_checkpoint c where not exists (select from ledger_log l where l.origin = c.origin)
           order by c.signed_at desc, c.size desc limit $1"#,
        limit,
    )
    .fetch_all(db)
    .await?;
    rows.reverse();
    Ok(rows)
}

/// The newest checkpoints of at least `size` entries, newest first; those before `before`, if given.
pub async fn list_checkpoints(
    db: &mut PgConnection,
    size: i64,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<CheckpointRow>> {
    sqlx::query_as!(
        CheckpointRow,
        r#"select c.size, c.signed_at, c.body, c.signature,
                  array(select w.line from ledger_cosignature w where w.origin = c.origin and w.size = c.size
                        order by w.witness) as "cosignatures!: Vec<String>"
           from ledger_checkpoint c
           -- Not a join: the index then gives the newest first, however many there are.
           where c.origin = (select l.origin from ledger_log l)
             and c.size >= $1 and c.size < coalesce($2::bigint, 9223372036854775807)
           order by c.size desc limit $3"#,
        size,
        before,
        limit,
    )
    .fetch_all(db)
    .await
}

/// What this witness cosigned last, and when by its own clock.
pub async fn find_cosigned_by(db: &mut PgConnection, witness: &str) -> Result<Option<(i64, Time)>> {
    let row = sqlx::query!(
        r#"select w.size, w.cosigned_at as "cosigned_at: Time" from ledger_cosignature w
           where w.origin = (select l.origin from ledger_log l) and w.witness = $1
           order by w.size desc limit 1"#,
        witness,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| (row.size, row.cosigned_at)))
}

pub async fn insert_cosignature(
    db: &mut PgConnection,
    origin: &str,
    size: i64,
    witness: &str,
    at: Time,
    line: &str,
) -> Result<()> {
    sqlx::query!(
        "insert into ledger_cosignature (origin, size, witness, cosigned_at, line) values ($1, $2, $3, $4, $5)
         on conflict (origin, size, witness) do nothing",
        origin,
        size,
        witness,
        at as _,
        line,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Makes room for a new beginning: nothing has a place any more.
pub async fn begin_again(db: &mut PgConnection, origin: &str, now: Time) -> Result<()> {
    sqlx::query!("delete from ledger_tile").execute(&mut *db).await?;
    sqlx::query!("update ledger_entry set position = null where position is not null")
        .execute(&mut *db)
        .await?;
    sqlx::query!("update ledger_log set origin = $1, began_at = $2", origin, now as _).execute(db).await?;
    Ok(())
}

/// Entries in the order of a new beginning: the former log's head, those that had a place, the new key, and
/// those that waited.
pub async fn list_for_new_beginning(
    db: &mut PgConnection,
    log: EntryId,
    key: EntryId,
) -> Result<Vec<Waiting>> {
    sqlx::query_as!(
        Waiting,
        "select id, bytes, hash from ledger_entry
         order by id <> $1, position nulls last, id <> $2, id",
        log.0,
        key.0,
    )
    .fetch_all(db)
    .await
}
