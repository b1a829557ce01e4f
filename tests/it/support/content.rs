//! Looks for what must be nowhere: the content of what people did.

use daylight::app::AppState;
use sqlx::AssertSqlSafe;

/// Every row of every table, as text.
pub async fn rows(state: &AppState) -> String {
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', schemaname, tablename) from pg_tables
         where schemaname not in ('pg_catalog', 'information_schema')",
    )
    .fetch_all(&state.db)
    .await
    .expect("a list of tables");
    let mut text = String::new();
    for table in tables {
        let sql = format!("select t::text from {table} t");
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&state.db).await.expect("a table's rows");
        text.extend(rows.iter().flat_map(|row| [row.as_str(), "\n"]));
    }
    text
}

/// Fails when `marker` stands in `bytes`, as it is or in hexadecimal digits.
#[track_caller]
pub fn assert_absent(marker: &str, bytes: &[u8], place: &str) {
    let hex: String = marker.bytes().map(|b| format!("{b:02x}")).collect();
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    for needle in [marker, &hex] {
        if let Some(at) = text.find(needle) {
            let from = text[..at].char_indices().rev().nth(200).map_or(0, |(i, _)| i);
            panic!("content in {place}: …{}", &text[from..at + needle.len()]);
        }
    }
}
