//! SQL of where people were, and since when.

use std::collections::HashMap;

use sqlx::{PgConnection, Result};
use uuid::Uuid;

use crate::clock::Time;
use crate::identity::model::Moves;

/// Where these people were, as `place` makes it of a department and a jurisdiction.
pub async fn list_moves<A>(
    db: &mut PgConnection,
    people: &[Uuid],
    place: impl Fn(Option<Uuid>, String) -> A,
) -> Result<HashMap<Uuid, Moves<A>>> {
    let rows = sqlx::query!(
        r#"select person_id, since as "since: Time", department_id, jurisdiction from person_audience
           where person_id = any ($1) order by person_id, since, number"#,
        people,
    )
    .fetch_all(db)
    .await?;
    let mut all: HashMap<Uuid, Moves<A>> = HashMap::new();
    for row in rows {
        let there = place(row.department_id, row.jurisdiction);
        match all.get_mut(&row.person_id) {
            Some(moves) => moves.add(row.since, there),
            None => drop(all.insert(row.person_id, Moves::none(there))),
        }
    }
    Ok(all)
}
