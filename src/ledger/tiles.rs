//! Hashes out of stored tiles: roots, proofs and the growing edge.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, anyhow};
use sqlx::PgConnection;

use super::proof::tree::{
    Edge, Full, Hash, Node, Span, TILE, complete_root, consistency_path, from_bytes, inclusion_path,
};
use super::store;
use crate::error::Result;

/// Tiles that one answer needs, fetched in one statement.
struct Tiles(HashMap<(u32, u64), Vec<Hash>>);

impl Tiles {
    async fn load(db: &mut PgConnection, places: impl IntoIterator<Item = (u32, u64)>) -> Result<Self> {
        let places: BTreeSet<(u32, u64)> = places.into_iter().collect();
        let places: Vec<(u32, u64)> = places.into_iter().collect();
        let mut tiles = HashMap::new();
        for row in store::list_tiles(db, &places).await? {
            let hashes = from_bytes(&row.hashes).map_err(anyhow::Error::new)?;
            tiles.insert((row.level as u32, row.number as u64), hashes);
        }
        Ok(Tiles(tiles))
    }

    async fn for_spans(db: &mut PgConnection, spans: &[Span]) -> Result<Self> {
        Tiles::load(db, spans.iter().flat_map(|s| s.nodes()).map(|n| n.place().0)).await
    }

    fn node(&self, node: Node) -> anyhow::Result<Hash> {
        let (place, range) = node.place();
        let hashes = self.0.get(&place).and_then(|tile| tile.get(range));
        hashes
            .map(complete_root)
            .with_context(|| format!("the tile {place:?} of the log is missing or short"))
    }

    fn spans(&self, spans: &[Span]) -> Result<Vec<Hash>> {
        let hashes = spans.iter().map(|span| span.hash(&mut |node| self.node(node)));
        Ok(hashes.collect::<anyhow::Result<Vec<_>>>()?)
    }
}

/// The root of the tree's first `size` leaves.
pub async fn root_at(db: &mut PgConnection, size: u64) -> Result<Hash> {
    let whole = [Span::whole(size)];
    let roots = Tiles::for_spans(db, &whole).await?.spans(&whole)?;
    roots.into_iter().next().ok_or_else(|| anyhow!("a tree without a root").into())
}

pub async fn inclusion(db: &mut PgConnection, index: u64, size: u64) -> Result<Vec<Hash>> {
    let spans = inclusion_path(index, size);
    Tiles::for_spans(db, &spans).await?.spans(&spans)
}

/// As [`inclusion`], for several leaves with one statement.
pub async fn inclusions(db: &mut PgConnection, indexes: &[u64], size: u64) -> Result<Vec<Vec<Hash>>> {
    let paths: Vec<Vec<Span>> = indexes.iter().map(|index| inclusion_path(*index, size)).collect();
    let tiles = Tiles::for_spans(db, &paths.concat()).await?;
    paths.iter().map(|path| tiles.spans(path)).collect()
}

pub async fn consistency(db: &mut PgConnection, old: u64, size: u64) -> Result<Vec<Hash>> {
    let spans = consistency_path(old, size);
    Tiles::for_spans(db, &spans).await?.spans(&spans)
}

/// The edge at which a tree of this size grows.
pub async fn edge(db: &mut PgConnection, size: u64) -> Result<Edge> {
    let mut widths = Vec::new();
    let mut left = size;
    while left > 0 {
        widths.push((left % TILE as u64) as usize);
        left /= TILE as u64;
    }
    let place = |level: usize| (level as u32, size >> (8 * (level + 1)));
    let wanted = (0..widths.len()).filter(|&level| widths[level] > 0).map(place);
    let tiles = Tiles::load(db, wanted).await?;
    let mut edge = Edge { size, partial: Vec::new() };
    for (level, &width) in widths.iter().enumerate() {
        let hashes = match width {
            0 => Vec::new(),
            _ => {
                let tile = tiles.0.get(&place(level)).filter(|tile| tile.len() >= width);
                tile.with_context(|| format!("a tile of the log's edge, level {level}, is missing"))?[..width]
                    .to_vec()
            }
        };
        edge.partial.push(hashes);
    }
    Ok(edge)
}

/// The partial tiles of an edge, as they are stored.
pub fn partial_tiles(edge: &Edge) -> impl Iterator<Item = Full> {
    edge.partial.iter().enumerate().filter(|(_, hashes)| !hashes.is_empty()).map(|(level, hashes)| Full {
        level: level as u32,
        number: edge.size >> (8 * (level + 1)),
        hashes: hashes.clone(),
    })
}

/// A tile of exactly this width, or `None` where the tree doesn't reach.
pub async fn tile(db: &mut PgConnection, level: u32, number: u64, width: usize) -> Result<Option<Vec<Hash>>> {
    let tiles = Tiles::load(db, [(level, number)]).await?;
    let tile = tiles.0.into_values().next().filter(|hashes| hashes.len() >= width);
    Ok(tile.map(|mut hashes| {
        hashes.truncate(width);
        hashes
    }))
}
