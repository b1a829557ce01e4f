//! SQL of groups of findings: what pages read, and what is counted of them once a day.

use sqlx::{PgConnection, Result};

use super::findings::UNNAMED;
use crate::clock::{Day, Time};

/// All findings of one kind about one category and one program.
pub struct GroupRow {
    pub kind: String,
    /// Empty for findings about none.
    pub category: String,
    /// As the register names it, [`UNNAMED`], or empty for findings about none.
    pub program: String,
    /// The programs in it, those without an answer first; not to be shown.
    pub programs: Vec<String>,
    pub fields: Vec<String>,
    pub found_at: Time,
    pub first_at: Time,
    /// Up to the last day that is over, unless the group is new today.
    pub last_at: Time,
    /// As last counted; `None` before the first time.
    pub people: Option<i64>,
    pub records: Option<i64>,
    /// Since when something in it has had no answer.
    pub open_since: Option<Time>,
}

/// Every group. `named` are the programs that the register names. Reads a row for each program, never a finding.
pub async fn list_groups(db: &mut PgConnection, named: &[String]) -> Result<Vec<GroupRow>> {
    sqlx::query_as!(
        GroupRow,
        r#"with each as (
               select g.*, case when program = '' or program = any($1) then program else $2 end as shown
               from finding_group g
           ), named as (
               select kind, category, shown, array_agg(distinct f.field) as fields
               from each, unnest(each.fields) as f(field) group by kind, category, shown
           ), told as (
               -- Of a group that is new today, as it was when it came; else as it was when the day began.
               select kind, category, shown, array_agg(program order by open_since is null, program) as programs,
                      min(found_at) as found_at,
                      coalesce(min(shown_first_at) filter (where shown_through is not null),
                               (array_agg(shown_first_at order by found_at, program))[1]) as first_at,
                      coalesce(max(shown_last_at) filter (where shown_through is not null),
                               (array_agg(shown_last_at order by found_at, program))[1]) as last_at,
                      case when bool_or(shown_through is not null)
                           then min(shown_open_since) filter (where shown_through is not null)
                           else (array_agg(shown_open_since order by found_at, program))[1] end as open_since
               from each group by kind, category, shown
           )
           select t.kind as "kind!", t.category as "category!", t.shown as "program!", t.programs as "programs!",
                  coalesce(n.fields, '{}') as "fields!", t.found_at as "found_at!", t.first_at as "first_at!",
                  t.last_at as "last_at!", t.open_since, d.people as "people?", r.records as "records?"
           from told t left join named n using (kind, category, shown)
           left join lateral (select people from finding_group_day d
               where (d.kind, d.category, d.program) = (t.kind, t.category, t.shown) order by d.day desc limit 1) d on true
           left join finding_records r on (r.kind, r.category, r.program) = (t.kind, t.category, t.shown)"#,
        named,
        UNNAMED,
    )
    .fetch_all(db)
    .await
}

/// What became known of a group on a day.
pub struct DayRow {
    pub day: Day,
    pub people: i64,
    pub changes: Vec<String>,
}

/// The days of one group, oldest first; the newest 200.
pub async fn list_days(
    db: &mut PgConnection,
    kind: &str,
    category: &str,
    program: &str,
) -> Result<Vec<DayRow>> {
    let mut days = sqlx::query_as!(
        DayRow,
        "select day, people, changes from finding_group_day
         where (kind, category, program) = ($1, $2, $3) and changes <> '{}' order by day desc limit 200",
        kind,
        category,
        program,
    )
    .fetch_all(db)
    .await?;
    days.reverse();
    Ok(days)
}

/// The last day of each group on which something changed, newest first.
pub struct ChangedRow {
    pub kind: String,
    pub category: String,
    pub program: String,
    pub day: Day,
    pub people: i64,
}

pub async fn list_changed(db: &mut PgConnection, limit: i64) -> Result<Vec<ChangedRow>> {
    sqlx::query_as!(
        ChangedRow,
        r#"select kind as "kind!", category as "category!", program as "program!", day as "day!", people as "people!"
           from (select distinct on (kind, category, program) kind, category, program, day, people
                 from finding_group_day where changes <> '{}' order by kind, category, program, day desc) newest
           order by day desc, kind, category, program limit $1"#,
        limit,
    )
    .fetch_all(db)
    .await
}

/// What was told of a group: when last that something was found after an answer, and whether that is answered since.
pub struct ToldRow {
    pub kind: String,
    pub category: String,
    /// As shown.
    pub program: String,
    pub open_on: Day,
    pub is_open: bool,
}

pub async fn list_told_open(db: &mut PgConnection) -> Result<Vec<ToldRow>> {
    sqlx::query_as!(
        ToldRow,
        r#"select kind as "kind!", category as "category!", program as "program!",
                  max(day) filter (where 'open' = any(changes)) as "open_on!",
                  max(day) filter (where 'open' = any(changes))
                      >= coalesce(max(day) filter (where 'answered' = any(changes)), '-infinity') as "is_open!"
           from finding_group_day where changes && '{open,answered}'
           group by kind, category, program having bool_or('open' = any(changes))"#
    )
    .fetch_all(db)
    .await
}

/// Up to which day findings have been counted.
pub async fn find_counted(db: &mut PgConnection) -> Result<Option<Day>> {
    sqlx::query_scalar!("select day from finding_counted").fetch_optional(db).await
}

/// Holds other counts off until the transaction ends.
pub async fn lock_counted(db: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('finding_counted'))").execute(db).await?;
    Ok(())
}

pub async fn set_counted(db: &mut PgConnection, day: Day, now: Time) -> Result<()> {
    sqlx::query!(
        "insert into finding_counted (day, at) values ($1, $2)
         on conflict (one) do update set day = excluded.day, at = excluded.at",
        day as _,
        now as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Shows others what became of groups before this moment, a day's beginning. What came since stays unseen until the next
/// day, so that no two looks on one day tell when somebody's report came.
pub async fn show_groups(db: &mut PgConnection, until: Time) -> Result<()> {
    sqlx::query!("select lock_finding_groups() as \"locked!: ()\"").execute(&mut *db).await?;
    sqlx::query!(
        "with late as (
             -- Observed since, too: the last time before is among its findings.
             select g.kind, g.category, g.program,
                    max(case when f.last_at < $1 then f.last_at
                             else greatest(case when f.first_at < $1 then f.first_at end, s.at) end) as last_at
             from finding_group g
             join finding_for_others f on (f.kind, coalesce(f.category, ''), f.program) = (g.kind, g.category, g.program)
             left join lateral (select max(at) as at from finding_seen where finding_id = f.id and at < $1) s on true
             where g.last_at >= $1 and g.found_at < $1 group by g.kind, g.category, g.program
         ), due as (
             select g.kind, g.category, g.program, least(g.first_at, g.shown_first_at) as first_at,
                    case when g.last_at < $1 then g.last_at
                         else coalesce(date_bin('15 minutes', l.last_at, 'epoch'), g.shown_last_at) end as last_at,
                    -- What happens again counts as open since the answer: only if it did before that moment.
                    case when g.open_since = g.answered_at and g.last_at >= $1
                              and coalesce(l.last_at <= g.answered_at, true) then null
                         when g.open_since < $1 then g.open_since
                         when g.answered_at is null then g.found_at end as open_since
             from finding_group g left join late l using (kind, category, program)
             where g.found_at < $1
         )
         update finding_group g set shown_first_at = d.first_at, shown_last_at = greatest(d.last_at, d.first_at),
                shown_open_since = d.open_since, shown_through = $1
         from due d where (g.kind, g.category, g.program) = (d.kind, d.category, d.program)
           and (g.shown_through is null
                or (g.shown_first_at, g.shown_last_at, g.shown_open_since)
                   is distinct from (d.first_at, greatest(d.last_at, d.first_at), d.open_since))",
        until as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// How many people a group concerned when the day began.
pub struct PeopleRow {
    pub kind: String,
    pub category: String,
    pub program: String,
    pub people: i64,
}

/// Counts every group's people. Reads all findings: once a day.
pub async fn count_people(db: &mut PgConnection, named: &[String], today: Time) -> Result<Vec<PeopleRow>> {
    sqlx::query_as!(
        PeopleRow,
        r#"select kind as "kind!", category as "category!", shown as "program!", count(person_id) as "people!"
           from (select distinct kind, coalesce(category, '') as category,
                        case when program = '' or program = any($1) then program else $3 end as shown, person_id
                 from finding_for_others where found_at < $2) each
           group by kind, category, shown"#,
        named,
        today as _,
        UNNAMED,
    )
    .fetch_all(db)
    .await
}

pub struct NewDay<'a> {
    pub day: Day,
    pub kind: &'a str,
    pub category: &'a str,
    pub program: &'a str,
    pub people: i64,
    pub changes: &'a [String],
}

pub async fn insert_day(db: &mut PgConnection, d: &NewDay<'_>) -> Result<()> {
    sqlx::query!(
        "insert into finding_group_day (day, kind, category, program, people, changes)
         values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
        d.day as _,
        d.kind,
        d.category,
        d.program,
        d.people,
        d.changes,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Counts a week's groups and people by kind, of what was found in `[from, to)`. A group of fewer than `fewest` people
/// counts in the week of its first finding alone: else gaps would say when the one it may be about was away.
pub async fn count_week(
    db: &mut PgConnection,
    week: Day,
    (from, to): (Time, Time),
    named: &[String],
    whole: i64,
    fewest: i64,
) -> Result<()> {
    sqlx::query!(
        "with each as (
             select distinct kind, coalesce(category, '') as category,
                    case when program = '' or program = any($4) then program else $5 end as shown, person_id
             from finding_for_others where found_at >= $2 and found_at < $3
         ), told as (
             select kind, category, shown from each e group by kind, category, shown
             having count(person_id) >= $7 or $2 <=
                 (select min(g.found_at) from finding_group g
                  where g.kind = e.kind and g.category = e.category and e.shown =
                        case when g.program = '' or g.program = any($4) then g.program else $5 end)
         )
         insert into finding_week (week, kind, groups, people, whole)
         select $1, kind, count(distinct (category, shown)), count(distinct person_id), $6
         from each join told using (kind, category, shown) group by kind
         on conflict (week, kind) do update
             set groups = excluded.groups, people = excluded.people, whole = excluded.whole",
        week as _,
        from as _,
        to as _,
        named,
        UNNAMED,
        whole,
        fewest,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A week of one kind.
pub struct WeekRow {
    pub week: Day,
    pub kind: String,
    pub groups: i64,
    pub people: i64,
    pub whole: i64,
}

pub async fn list_weeks(db: &mut PgConnection, since: Day) -> Result<Vec<WeekRow>> {
    sqlx::query_as!(
        WeekRow,
        "select week, kind, groups, people, whole from finding_week where week >= $1 order by week, kind",
        since as _,
    )
    .fetch_all(db)
    .await
}

/// Adds to each group's records what at least `fewest` people's findings hold since it was added to last. A group that
/// wasn't there begins at `since`: what was found before is in another's.
pub async fn add_records(
    db: &mut PgConnection,
    named: &[String],
    (since, today): (Time, Time),
    fewest: i64,
) -> Result<()> {
    sqlx::query!(
        "insert into finding_records (kind, category, program, records, since)
         select distinct kind, category, case when program = '' or program = any($1) then program else $2 end, 0, $3::timestamptz
         from finding_group on conflict do nothing",
        named,
        UNNAMED,
        since as _,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "with waiting as (
             select r.kind, r.category, r.program, count(distinct f.person_id) as people, sum(f.collected) as records
             from finding_records r join finding_for_others f on f.kind = r.kind and coalesce(f.category, '') = r.category
                  and case when f.program = '' or f.program = any($1) then f.program else $2 end = r.program
             where f.found_at >= r.since and f.found_at < $3 and f.collected > 0
             group by r.kind, r.category, r.program
         )
         update finding_records r set records = r.records + w.records, since = $3
         from waiting w where (r.kind, r.category, r.program) = (w.kind, w.category, w.program) and w.people >= $4",
        named,
        UNNAMED,
        today as _,
        fewest,
    )
    .execute(db)
    .await?;
    Ok(())
}
