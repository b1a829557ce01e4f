//! What a petition is about, by name; and the petitions about something.

use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{About, AboutKind, Document, standing};
use super::{counts, store};
use crate::app::AppState;
use crate::error::Result;
use crate::notices;
use crate::register::{self, Revision};

/// A petition as another feature's page shows it.
#[derive(Debug, Clone)]
pub struct PetitionLink {
    pub id: Uuid,
    pub title: String,
    pub standing: &'static str,
    pub chip: &'static str,
    /// "12 signatures"; empty before it opens.
    pub count: String,
}

fn processing_name(revision: &Revision) -> String {
    let content = &revision.content;
    format!("{}, {}", content.category.name(), content.purpose.words())
}

/// Its name; `None` when there is no such thing that everybody may read.
pub async fn find(db: &mut PgConnection, about: About) -> Result<Option<String>> {
    match about.kind {
        AboutKind::Processing => {
            let newest = register::store::list_newest(db).await?;
            let found = newest.iter().find(|(r, was_active)| *was_active && r.processing_id == about.id);
            Ok(found.map(|(r, _)| processing_name(r)))
        }
        AboutKind::Notice => {
            let heads = notices::store::reading::list_heads(db, Some(about.id)).await?;
            let Some(head) = heads.first() else { return Ok(None) };
            let titles = notices::store::reading::list_titles(db, &[head.version_id]).await?;
            let title = titles.iter().find(|t| t.language == "en").or(titles.first());
            Ok(title.map(|t| t.title.clone()))
        }
    }
}

/// Everything that a petition can be about: address form and name.
pub async fn list(db: &mut PgConnection) -> Result<Vec<(String, String)>> {
    let newest = register::store::list_newest(db).await?;
    let mut all: Vec<(String, String)> = newest
        .iter()
        .filter(|(_, was_active)| *was_active)
        .map(|(r, _)| {
            let about = About { kind: AboutKind::Processing, id: r.processing_id };
            (about.query(), format!("Declared: {}", processing_name(r)))
        })
        .collect();
    let heads = notices::store::reading::list_heads(db, None).await?;
    let newest: Vec<_> =
        heads.chunk_by(|a, b| a.notice_id == b.notice_id).filter_map(|all| all.first()).collect();
    let versions: Vec<Uuid> = newest.iter().map(|h| h.version_id).collect();
    let titles = notices::store::reading::list_titles(db, &versions).await?;
    for head in newest {
        let mut own = titles.iter().filter(|t| t.version_id == head.version_id);
        let title = own.clone().find(|t| t.language == "en").or_else(|| own.next());
        let about = About { kind: AboutKind::Notice, id: head.notice_id };
        all.push((
            about.query(),
            format!("Notice: {}", title.map_or("without a title", |t| t.title.as_str())),
        ));
    }
    Ok(all)
}

/// The petitions about something, for its own page.
pub async fn petitions_about(
    db: &mut PgConnection,
    state: &AppState,
    kind: &str,
    id: Uuid,
) -> Result<Vec<PetitionLink>> {
    let mut links = Vec::new();
    for petition in store::lists::list_about(db, kind, id).await? {
        let Some(row) = store::find(db, petition).await? else { continue };
        let versions = store::list_versions(db, petition).await?;
        let Some(version) = versions.first() else { continue };
        let answered = !store::list_answers(db, petition).await?.is_empty();
        let total = store::counts::find_total(db, &version.leaf_hash).await?;
        let standing = standing(&row, answered, state.clock.now());
        links.push(PetitionLink {
            id: petition,
            title: Document::read(&version.document).title,
            standing: standing.words(),
            chip: standing.chip(),
            count: if row.state().was_opened() { counts::words(counts::shown(total)) } else { String::new() },
        });
    }
    Ok(links)
}
