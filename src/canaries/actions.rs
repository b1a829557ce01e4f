//! Making, using, searching and deleting; each function is one transaction.

use axum::body::Bytes;
use tokio::time::Instant;
use uuid::Uuid;

use super::search::{Outcome, Search};
use super::store::{self, HitRow, NewSearch, Use};
use super::token::Token;
use super::work::{Turn, Work};
use crate::app::AppState;
use crate::error::{Error, Result};
use crate::imports;

/// Unpacked bytes that the server searches; more is for one's own machine.
pub const SEARCH_LIMIT: u64 = 1024 * 1024 * 1024;

pub async fn make(state: &AppState) -> Result<Uuid> {
    let now = state.clock.now();
    let (id, token) = (state.random.uuid(now), Token::make(&state.random));
    let mut db = state.db.acquire().await?;
    store::insert_canary(&mut db, id, token.bare(), now).await?;
    Ok(id)
}

pub async fn mark_used(state: &AppState, id: Uuid, u: &Use<'_>) -> Result<()> {
    let mut db = state.db.acquire().await?;
    if store::find_canary(&mut db, id).await?.is_none() {
        return Err(Error::NotFound);
    }
    match store::set_used(&mut db, id, u).await? {
        true => Ok(()),
        false => Err(Error::conflict("It was noted as used, or deleted, in the meantime.")),
    }
}

pub async fn delete(state: &AppState, id: Uuid) -> Result<()> {
    let mut tx = state.db.begin().await?;
    if !store::delete_canary(&mut tx, id, state.clock.now()).await? {
        return Err(Error::NotFound);
    }
    tx.commit().await?;
    Ok(())
}

/// A search for every canary there is.
pub struct Searching {
    canaries: Vec<Uuid>,
    work: Work,
}

impl Searching {
    /// `program` is the vendor whose documented names may be told.
    pub async fn begin(state: &AppState, turn: Turn, program: &str) -> Result<Self> {
        let mut db = state.db.acquire().await?;
        let (canaries, tokens): (Vec<Uuid>, Vec<Token>) = store::list_tokens(&mut db)
            .await?
            .into_iter()
            .filter_map(|(id, token)| Some((id, Token::parse(&token)?)))
            .unzip();
        let search = Search::new(&tokens, imports::documented_names(program), SEARCH_LIMIT);
        Ok(Searching { canaries, work: Work::begin(turn, search) })
    }

    pub fn is_empty(&self) -> bool {
        self.canaries.is_empty()
    }

    /// `false` when its time is over: the rest isn't searched.
    pub async fn feed(&mut self, chunk: Bytes) -> bool {
        self.work.feed(chunk).await
    }

    /// When it must be over.
    pub fn until(&self) -> Instant {
        self.work.until()
    }

    /// Says that more was to come.
    pub fn cut(&self) {
        self.work.cut();
    }

    /// Records where they stood, under the label that was typed; answers the search's id.
    pub async fn end(self, state: &AppState, label: &str, source: &'static str) -> Result<Uuid> {
        let outcome = self.work.end().await?;
        let missed: Vec<String> = outcome.missed.iter().map(|m| m.id().to_owned()).collect();
        let now = state.clock.now();
        let id = state.random.uuid(now);
        let new = NewSearch {
            id,
            at: now,
            label,
            source,
            container: outcome.container.id(),
            bytes: number(outcome.bytes),
            searched: number(outcome.searched),
            missed: &missed,
        };
        let hits: Vec<i32> = outcome.counts.iter().map(|n| i32::try_from(*n).unwrap_or(i32::MAX)).collect();
        let mut tx = state.db.begin().await?;
        store::insert_search(&mut tx, &new).await?;
        store::insert_results(&mut tx, id, &self.canaries, &hits).await?;
        for hit in rows(&self.canaries, &outcome) {
            store::insert_hit(&mut tx, id, &hit).await?;
        }
        tx.commit().await?;
        Ok(id)
    }
}

fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn rows<'a>(canaries: &'a [Uuid], outcome: &'a Outcome) -> impl Iterator<Item = HitRow> + 'a {
    outcome.hits.iter().enumerate().map(|(n, hit)| HitRow {
        canary_id: canaries[hit.canary],
        number: i32::try_from(n).unwrap_or(i32::MAX),
        byte_at: number(hit.at),
        line: number(hit.line),
        encoding: hit.encoding.clone(),
        field: hit.field.to_owned(),
    })
}
