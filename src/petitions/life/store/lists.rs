//! SQL of lists.

use serde_json::Value;
use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::{Day, Time};

/// A petition on a list.
#[derive(Debug, Clone)]
pub struct ListRow {
    pub id: Uuid,
    pub answered: bool,
    pub document: Option<Value>,
    pub total: i64,
    /// The reader follows it, and there is news since they looked.
    pub news: bool,
    pub follows: bool,
}

/// What a list shows. Empty or null means any.
#[derive(Debug, Clone, Copy)]
pub struct Filter<'a> {
    /// `open`, `answered`, `closed`, `seeking`, `mine`, `following` or `waiting`.
    pub tab: &'a str,
    pub about_kind: Option<&'a str>,
    pub about_id: Option<Uuid>,
    /// Words of the title, in small letters.
    pub words: &'a [String],
    pub viewer: Uuid,
    pub now: Time,
    /// Who may read what was refused.
    pub reads_refused: bool,
    /// `newest`, `closing` or `most`.
    pub sort: &'a str,
}

/// How many a list has.
pub async fn count(db: &mut PgConnection, filter: Filter<'_>) -> Result<i64> {
    Ok(list_counted(db, filter, 0, 1).await?.first().map_or(0, |(_, all)| *all))
}

/// A page of a list.
pub async fn list(
    db: &mut PgConnection,
    filter: Filter<'_>,
    offset: i64,
    limit: i64,
) -> Result<Vec<ListRow>> {
    Ok(list_counted(db, filter, offset, limit).await?.into_iter().map(|(row, _)| row).collect())
}

/// Rows, and how many there are without a limit. What isn't in the log yet is nobody's but its author's. Fewer than
/// five signatures sort as none.
async fn list_counted(
    db: &mut PgConnection,
    f: Filter<'_>,
    offset: i64,
    limit: i64,
) -> Result<Vec<(ListRow, i64)>> {
    let rows = sqlx::query!(
        r#"with found as (
               select p.id, p.state, p.opened_at, p.seeking_until, p.closes_at, v.document,
                      exists (select from petition_answer a where a.petition_id = p.id) as answered,
                      coalesce((select total from petition_count c where c.petition_leaf = v.leaf_hash
                          order by day desc limit 1), 0)::bigint as total,
                      f.seen_on,
                      p.answer_due_at
               from petition p
               left join petition_version v on v.petition_id = p.id and v.version = p.version
               left join ledger_entry e on e.id = v.ledger_entry
               left join petition_follow f on f.petition_id = p.id and f.person_id = $1
               where case when $2 = 'mine' then p.author_id = $1 else p.state <> 'draft' and e.position is not null end
                 and ($3::text is null or (p.about_kind = $3 and p.about_id = $4))
                 and (cardinality($5::text[]) = 0
                      or ((p.state <> 'refused' or p.author_id = $1 or $8) and not exists (
                          select from unnest($5::text[]) w
                          where position(w in lower(coalesce(v.document->>'title', ''))) = 0)))
           ), kept as (
               select * from found where case $2
                   when 'open' then state = 'open' and not answered
                   when 'answered' then answered
                   when 'closed' then state in ('closed', 'refused', 'lapsed', 'given_up') and not answered
                   when 'seeking' then state in ('seeking', 'checking')
                   when 'following' then seen_on is not null
                   when 'waiting' then answer_due_at is not null and not answered
                   else true end
           )
           select id, answered as "answered!", document as "document?", total as "total!",
                  seen_on is not null as "follows!",
                  (exists (select from petition_update u where u.petition_id = kept.id and u.on_day >= kept.seen_on)
                   or exists (select from petition_answer a where a.petition_id = kept.id
                       and a.at >= kept.seen_on)) as "news!",
                  count(*) over () as "all!"
           from kept
           order by case $6 when 'most' then case when total >= 5 then -total else 0 end end,
                    case when $6 = 'closing' then
                        coalesce(case when state = 'seeking' then seeking_until when state = 'open' then closes_at end,
                                 'infinity') end,
                    case when $2 = 'waiting' then answer_due_at end,
                    coalesce(opened_at, seeking_until, $7) desc, id
           offset $9 limit $10"#,
        f.viewer,
        f.tab,
        f.about_kind,
        f.about_id,
        f.words,
        f.sort,
        f.now as Time,
        f.reads_refused,
        offset,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| {
            let row = ListRow {
                id: r.id,
                answered: r.answered,
                document: r.document,
                total: r.total,
                news: r.news,
                follows: r.follows,
            };
            (row, r.all)
        })
        .collect())
}

/// Of a thing that petitions are about, those that others may see, the newest first.
pub async fn list_about(db: &mut PgConnection, kind: &str, id: Uuid) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select p.id from petition p
         join petition_version v on v.petition_id = p.id and v.version = p.version
         join ledger_entry e on e.id = v.ledger_entry and e.position is not null
         where p.about_kind = $1 and p.about_id = $2 and p.state in ('seeking', 'checking', 'open', 'closed')
         order by coalesce(p.opened_at, p.seeking_until) desc, p.id limit 20",
        kind,
        id,
    )
    .fetch_all(db)
    .await
}

/// What waits for the representatives' check, the oldest first.
pub async fn list_checking(db: &mut PgConnection) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!("select id from petition where state = 'checking' order by checking_since, id")
        .fetch_all(db)
        .await
}

/// Petitions for which a time may have come: those that seek support and weren't looked at since `hour`, checks that
/// nobody did since `checked_before`, and what closes. Each is looked at again under its lock.
pub async fn list_due(
    db: &mut PgConnection,
    hour: Time,
    checked_before: Time,
    now: Time,
) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select id from petition where (state = 'seeking' and (looked_at is null or looked_at < $1))
            or (state = 'checking' and checking_since <= $2) or (state = 'open' and closes_at <= $3) order by id",
        hour as Time,
        checked_before as Time,
        now as Time,
    )
    .fetch_all(db)
    .await
}

/// Petitions whose signatures have reached their threshold, and that isn't noted yet.
pub async fn list_reached(db: &mut PgConnection) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select p.id from petition p join petition_version v on v.petition_id = p.id and v.version = p.version
         where p.state = 'open' and p.reached_at is null and p.threshold <= (
             select total from petition_count c where c.petition_leaf = v.leaf_hash order by day desc limit 1)
         order by p.id",
    )
    .fetch_all(db)
    .await
}

/// Notes that somebody who follows a petition has seen it today.
pub async fn touch_follow(db: &mut PgConnection, petition: Uuid, person: Uuid, today: Day) -> Result<()> {
    sqlx::query!(
        "update petition_follow set seen_on = $3 where petition_id = $1 and person_id = $2 and seen_on < $3",
        petition,
        person,
        today as Day,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Follows from today on; stops without a day.
pub async fn set_follow(
    db: &mut PgConnection,
    petition: Uuid,
    person: Uuid,
    today: Option<Day>,
) -> Result<()> {
    match today {
        Some(today) => {
            sqlx::query!(
                "insert into petition_follow (petition_id, person_id, seen_on) values ($1, $2, $3)
                 on conflict (petition_id, person_id) do nothing",
                petition,
                person,
                today as Day,
            )
            .execute(db)
            .await?;
        }
        None => {
            sqlx::query!(
                "delete from petition_follow where petition_id = $1 and person_id = $2",
                petition,
                person,
            )
            .execute(db)
            .await?;
        }
    }
    Ok(())
}
