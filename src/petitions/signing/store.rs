//! SQL of signatures.

use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::intake::Job;
use crate::clock::{Day, Time};
use crate::ledger::proof::petition::EpochLeaf;
use crate::ledger::proof::tree::Hash;

pub struct VersionRow {
    pub slot: i32,
    pub epoch: String,
    pub leaf: Json<EpochLeaf>,
}

/// A version by its leaf's hash, with its epoch's keys.
pub async fn find_version(db: &mut PgConnection, leaf: &Hash) -> sqlx::Result<Option<VersionRow>> {
    sqlx::query_as!(
        VersionRow,
        r#"select p.slot as "slot!", e.epoch, e.leaf as "leaf!: Json<EpochLeaf>"
           from petition_version v join petition p on p.id = v.petition_id join petition_epoch e on e.epoch = p.epoch
           where v.leaf_hash = $1 and e.leaf is not null"#,
        &leaf.0[..],
    )
    .fetch_optional(db)
    .await
}

pub struct PlaceRow {
    pub person_id: Uuid,
    pub worker_ref: Uuid,
    pub id_key: Hash,
}

/// Who stands at a place of a countersigned roll, with the key they made.
pub async fn find_place(db: &mut PgConnection, epoch: &str, place: i32) -> sqlx::Result<Option<PlaceRow>> {
    let row = sqlx::query!(
        r#"select person_id, worker_ref, id_key as "id_key!" from petition_roll_entry
           where epoch = $1 and place = $2 and id_key is not null and version <=
               (select max(version) from petition_roll where epoch = $1 and signature is not null)"#,
        epoch,
        place,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.and_then(|row| {
        let id_key = Hash::try_from(row.id_key.as_slice()).ok()?;
        Some(PlaceRow { person_id: row.person_id, worker_ref: row.worker_ref, id_key })
    }))
}

/// Keeps each key's newest action, where the version takes any. Two at once are one: `petition_waiting_once`.
///
/// A withdrawal proves no credential, so it counts only where something of its key is known: else anybody could fill a
/// batch with invented ones and single out the one signature among them.
pub async fn upsert_waiting(db: &mut PgConnection, jobs: &[&Job], now: Time) -> sqlx::Result<()> {
    let column = |value: fn(&Job) -> Vec<u8>| jobs.iter().map(|job| value(job)).collect::<Vec<_>>();
    let texts = |value: fn(&Job) -> Option<&'static str>| {
        jobs.iter().map(|job| value(job).map(str::to_owned)).collect::<Vec<Option<String>>>()
    };
    let numbers: Vec<i64> = jobs.iter().map(|job| job.number as i64).collect();
    let signers: Vec<Option<Uuid>> = jobs.iter().map(|job| job.signer.as_ref().map(|s| s.0)).collect();
    let salts: Vec<Option<Vec<u8>>> =
        jobs.iter().map(|job| job.signer.as_ref().map(|s| s.1.clone())).collect();
    sqlx::query!(
        "insert into petition_waiting
             (petition_leaf, key, number, kind, mode, disclosure, leaf, leaf_hash, signer_id, signer_salt)
         select g.petition_leaf, g.key, g.number, case when g.mode is null then 'withdraw' else 'sign' end, g.mode,
             g.disclosure, g.leaf, g.leaf_hash, g.signer_id, g.signer_salt
         from unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::text[], $5::text[], $6::bytea[], $7::bytea[],
             $8::uuid[], $9::bytea[])
             as g (petition_leaf, key, number, mode, disclosure, leaf, leaf_hash, signer_id, signer_salt)
         join petition_version v on v.leaf_hash = g.petition_leaf
         join petition p on p.id = v.petition_id and p.version = v.version
         where p.state in ('seeking', 'checking', 'open') and (p.closes_at is null or p.closes_at > $10)
             and not exists (select from petition_signature s
                 where s.petition_leaf = g.petition_leaf and s.key = g.key and s.number >= g.number)
             and not exists (select from petition_signer n
                where n.petition_leaf = g.petition_leaf and n.person_id = g.signer_id and n.key <> g.key)
             and (g.mode is not null
                 or exists (select from petition_waiting w where w.petition_leaf = g.petition_leaf and w.key = g.key)
                 or exists (select from petition_signature s
                     where s.petition_leaf = g.petition_leaf and s.key = g.key))
         on conflict on constraint petition_waiting_once do update set
             number = excluded.number, kind = excluded.kind, mode = excluded.mode, disclosure = excluded.disclosure,
             leaf = excluded.leaf, leaf_hash = excluded.leaf_hash, signer_id = excluded.signer_id,
             signer_salt = excluded.signer_salt
             where petition_waiting.number < excluded.number",
        &column(|j| j.petition.0.to_vec()),
        &column(|j| j.key.0.to_vec()),
        &numbers,
        &texts(|j| j.mode) as &[Option<String>],
        &texts(|j| j.disclosure) as &[Option<String>],
        &column(|j| j.leaf.clone()),
        &column(|j| j.leaf_hash.0.to_vec()),
        &signers as &[Option<Uuid>],
        &salts as &[Option<Vec<u8>>],
        now as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What is known of a key on a version.
pub struct StandingRow {
    pub petition_leaf: Vec<u8>,
    pub key: Vec<u8>,
    /// Whether the version takes actions.
    pub takes: bool,
    pub open_days: i32,
    pub closes_at: Option<Time>,
    pub seeking_until: Option<Time>,
    pub waiting_number: Option<i64>,
    pub waiting_hash: Option<Vec<u8>>,
    pub published_number: Option<i64>,
    pub published_hash: Option<Vec<u8>>,
}

pub async fn list_standing(
    db: &mut PgConnection,
    jobs: &[&Job],
    now: Time,
) -> sqlx::Result<Vec<StandingRow>> {
    let leaves: Vec<Vec<u8>> = jobs.iter().map(|job| job.petition.0.to_vec()).collect();
    let keys: Vec<Vec<u8>> = jobs.iter().map(|job| job.key.0.to_vec()).collect();
    sqlx::query_as!(
        StandingRow,
        r#"select g.petition_leaf as "petition_leaf!", g.key as "key!",
               (p.version = v.version and p.state in ('seeking', 'checking', 'open')
                   and (p.closes_at is null or p.closes_at > $3)) as "takes!",
               p.open_days, p.closes_at as "closes_at: Time", p.seeking_until as "seeking_until: Time",
               w.number as "waiting_number?", w.leaf_hash as "waiting_hash?",
               s.number as "published_number?", s.leaf_hash as "published_hash?"
           from unnest($1::bytea[], $2::bytea[]) as g (petition_leaf, key)
           join petition_version v on v.leaf_hash = g.petition_leaf
           join petition p on p.id = v.petition_id
           left join petition_waiting w on w.petition_leaf = g.petition_leaf and w.key = g.key
           left join petition_signature s on s.petition_leaf = g.petition_leaf and s.key = g.key"#,
        &leaves,
        &keys,
        now as _,
    )
    .fetch_all(db)
    .await
}

pub struct SignatureRow {
    pub number: i64,
    pub kind: String,
    pub leaf_hash: Vec<u8>,
    pub ledger_entry: i64,
}

pub async fn find_signature(
    db: &mut PgConnection,
    petition: &Hash,
    key: &Hash,
) -> sqlx::Result<Option<SignatureRow>> {
    sqlx::query_as!(
        SignatureRow,
        "select number, kind, leaf_hash, ledger_entry from petition_signature where petition_leaf = $1 and key = $2",
        &petition.0[..],
        &key.0[..],
    )
    .fetch_optional(db)
    .await
}

pub async fn find_entry_of_leaf(db: &mut PgConnection, leaf: &Hash) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!("select ledger_entry from petition_signature where leaf_hash = $1", &leaf.0[..])
        .fetch_optional(db)
        .await
}

pub async fn is_representative(db: &mut PgConnection, token_hash: &[u8]) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from representative_server where token_hash = $1 and ended_at is null) as "found!""#,
        token_hash,
    )
    .fetch_one(db)
    .await
}

/// Writes all that waits anew, in one transaction and in the order of the leaves' hashes: where a row lies on the
/// disk, and which transaction wrote it, would tell who came when.
pub async fn rewrite_waiting(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "with taken as (delete from petition_waiting returning *)
         insert into petition_waiting select * from taken order by leaf_hash"
    )
    .execute(db)
    .await?;
    Ok(())
}

/// One publisher at a time, whichever instance it is.
pub async fn lock_publisher(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('daylight petitions')::bigint)").execute(db).await?;
    Ok(())
}

/// Versions for which at least this many actions wait and that are open.
pub async fn list_due(db: &mut PgConnection, at_least: i64, now: Time) -> sqlx::Result<Vec<(Vec<u8>, i64)>> {
    let rows = sqlx::query!(
        r#"select w.petition_leaf, count(*) as "waiting!" from petition_waiting w
           join petition_version v on v.leaf_hash = w.petition_leaf
           join petition p on p.id = v.petition_id and p.version = v.version
           where p.state = 'open' and p.closes_at > $2
           group by w.petition_leaf having count(*) >= $1"#,
        at_least,
        now as _,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.petition_leaf, row.waiting)).collect())
}

pub async fn count_waiting(db: &mut PgConnection, petition: &[u8]) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "waiting!" from petition_waiting where petition_leaf = $1"#,
        petition
    )
    .fetch_one(db)
    .await
}

pub struct WaitingRow {
    pub key: Vec<u8>,
    pub number: i64,
    pub kind: String,
    pub mode: Option<String>,
    pub disclosure: Option<String>,
    pub leaf: Vec<u8>,
    pub leaf_hash: Vec<u8>,
    pub signer_id: Option<Uuid>,
    pub signer_salt: Option<Vec<u8>>,
    /// What stood for this key before.
    pub before: Option<String>,
}

/// Takes the first actions, in the order of their leaves' hashes, off the waiting list.
pub async fn take_waiting(
    db: &mut PgConnection,
    petition: &[u8],
    limit: i64,
) -> sqlx::Result<Vec<WaitingRow>> {
    let mut rows = sqlx::query_as!(
        WaitingRow,
        r#"delete from petition_waiting w
           using (select key from petition_waiting where petition_leaf = $1 order by leaf_hash limit $2) taken
           where w.petition_leaf = $1 and w.key = taken.key
           returning w.key, w.number, w.kind, w.mode, w.disclosure, w.leaf, w.leaf_hash, w.signer_id, w.signer_salt,
               (select s.kind from petition_signature s where s.petition_leaf = $1 and s.key = w.key) as before"#,
        petition,
        limit,
    )
    .fetch_all(db)
    .await?;
    rows.sort_by(|a, b| a.leaf_hash.cmp(&b.leaf_hash));
    Ok(rows)
}

/// Enters what stands in the log now. One row for each key: `petition_signature_once`.
pub async fn upsert_signatures(
    db: &mut PgConnection,
    petition: &[u8],
    rows: &[WaitingRow],
    entries: &[i64],
) -> sqlx::Result<()> {
    let column = |value: fn(&WaitingRow) -> Vec<u8>| rows.iter().map(value).collect::<Vec<_>>();
    let texts = |value: fn(&WaitingRow) -> Option<String>| rows.iter().map(value).collect::<Vec<_>>();
    let numbers: Vec<i64> = rows.iter().map(|row| row.number).collect();
    let kinds: Vec<String> = rows.iter().map(|row| row.kind.clone()).collect();
    sqlx::query!(
        "insert into petition_signature (petition_leaf, key, number, kind, mode, disclosure, leaf_hash, ledger_entry)
         select $1, g.* from unnest($2::bytea[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bytea[],
             $8::bigint[]) as g (key, number, kind, mode, disclosure, leaf_hash, entry)
         on conflict on constraint petition_signature_once do update set
             number = excluded.number, kind = excluded.kind, mode = excluded.mode, disclosure = excluded.disclosure,
             leaf_hash = excluded.leaf_hash, ledger_entry = excluded.ledger_entry",
        petition,
        &column(|r| r.key.clone()),
        &numbers,
        &kinds,
        &texts(|r| r.mode.clone()) as &[Option<String>],
        &texts(|r| r.disclosure.clone()) as &[Option<String>],
        &column(|r| r.leaf_hash.clone()),
        entries,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets the names beside these keys; answers departments that were counted.
pub async fn delete_signers(
    db: &mut PgConnection,
    petition: &[u8],
    keys: &[Vec<u8>],
) -> sqlx::Result<Vec<String>> {
    let rows = sqlx::query!(
        "delete from petition_signer where petition_leaf = $1 and key = any($2) returning department, for_everyone",
        petition,
        keys,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().filter(|row| row.for_everyone).filter_map(|row| row.department).collect())
}

/// Puts names beside keys; answers departments that count. A name that stands beside another key already stays there: no
/// name may hold up a batch.
pub async fn insert_signers(
    db: &mut PgConnection,
    petition: &[u8],
    rows: &[&WaitingRow],
) -> sqlx::Result<Vec<String>> {
    let keys: Vec<Vec<u8>> = rows.iter().map(|row| row.key.clone()).collect();
    let people: Vec<Uuid> = rows.iter().filter_map(|row| row.signer_id).collect();
    let salts: Vec<Vec<u8>> = rows.iter().filter_map(|row| row.signer_salt.clone()).collect();
    let disclosures: Vec<String> = rows.iter().filter_map(|row| row.disclosure.clone()).collect();
    let rows = sqlx::query!(
        r#"insert into petition_signer (petition_leaf, key, person_id, department, for_everyone, salt)
           select $1, g.key, g.person_id, case when g.disclosure like '%with_department' then d.name end,
               g.disclosure like 'everyone%', g.salt
           from unnest($2::bytea[], $3::uuid[], $4::bytea[], $5::text[]) as g (key, person_id, salt, disclosure)
           join person p on p.id = g.person_id left join department d on d.id = p.department_id
           order by g.key
           on conflict on constraint petition_signer_person_once do nothing
           returning department, for_everyone"#,
        petition,
        &keys,
        &people,
        &salts,
        &disclosures,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().filter(|row| row.for_everyone).filter_map(|row| row.department).collect())
}

pub async fn add_to_departments(
    db: &mut PgConnection,
    petition: &[u8],
    departments: &[String],
    change: &[i32],
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into petition_department_count (petition_leaf, department, total)
         select $1, department, sum(change)::integer from unnest($2::text[], $3::integer[]) as g (department, change)
         group by department
         on conflict (petition_leaf, department) do update set total = petition_department_count.total + excluded.total",
        petition,
        departments,
        change,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Signatures that stand, as the last batch left them.
pub async fn find_total(db: &mut PgConnection, petition: &[u8]) -> sqlx::Result<i32> {
    let total = sqlx::query_scalar!(
        "select total from petition_count where petition_leaf = $1 order by day desc limit 1",
        petition
    )
    .fetch_optional(db)
    .await?;
    Ok(total.unwrap_or_default())
}

pub async fn add_to_count(
    db: &mut PgConnection,
    petition: &[u8],
    day: Day,
    (signed, withdrawn, total): (i32, i32, i32),
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into petition_count (petition_leaf, day, signed, withdrawn, total) values ($1, $2, $3, $4, $5)
         on conflict (petition_leaf, day) do update set signed = petition_count.signed + excluded.signed,
             withdrawn = petition_count.withdrawn + excluded.withdrawn, total = excluded.total",
        petition,
        day as _,
        signed,
        withdrawn,
        total,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What never came to a batch: fewer than five, ever.
pub async fn delete_waiting(db: &mut PgConnection, petition: &[u8]) -> sqlx::Result<()> {
    sqlx::query!("delete from petition_waiting where petition_leaf = $1", petition).execute(db).await?;
    Ok(())
}

/// What waits for versions that take nothing any more.
pub async fn delete_left_over(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from petition_waiting w using petition_version v, petition p
         where v.leaf_hash = w.petition_leaf and p.id = v.petition_id
             and (p.version <> v.version or p.state not in ('seeking', 'checking', 'open'))"
    )
    .execute(db)
    .await?;
    Ok(())
}
