//! The one reminder of a version, and the export that some laws demand.

use uuid::Uuid;

use crate::app::AppState;
use crate::audit;
use crate::error::{Error, Result};
use crate::notices::store::reach::{self as store, Audience, ProofRow};
use crate::notices::store::reading::{self, HeadRow};
use crate::outbox;
use crate::web::{Role, Viewer};

impl HeadRow {
    /// Whom it is for.
    pub fn audience(&self) -> Audience<'_> {
        Audience {
            notice: self.notice_id,
            major: self.major,
            jurisdictions: &self.jurisdictions,
            departments: &self.departments,
        }
    }
}

/// The version that began what `newest` corrects: the first of its major number.
pub fn beginning<'a>(heads: &'a [HeadRow], newest: &'a HeadRow) -> &'a HeadRow {
    heads.iter().filter(|h| h.major == newest.major).min_by_key(|h| h.minor).unwrap_or(newest)
}

/// Writes a mail to those who have neither acknowledged nor declined the newest version: once.
pub async fn remind(state: &AppState, viewer: &Viewer, notice: Uuid) -> Result<()> {
    let role = viewer.acting_as(&[Role::Publisher]).ok_or(Error::Forbidden)?;
    let now = state.clock.now();
    let mut tx = state.db.begin().await?;
    let heads = reading::list_heads(&mut tx, Some(notice)).await?;
    let newest = heads.first().ok_or(Error::NotFound)?;
    if newest.retracted || !newest.acknowledgement_wanted {
        return Err(Error::conflict(
            "This version isn’t to be acknowledged, so there is nothing to remind of.",
        ));
    }
    store::insert_reminder(&mut tx, beginning(&heads, newest).version_id, viewer.person_id, role.id(), now)
        .await?;
    let titles = reading::list_titles(&mut tx, &[newest.version_id]).await?;
    let title = titles.iter().find(|t| t.language == "en").or(titles.first());
    let title = title.map_or("", |t| t.title.as_str());
    let body = format!(
        "“{title}” ({}) waits for you to read it:\n\n{}/notices/{notice}\n\nThere you can say that you have read it, or that you don’t want to. Neither is consent. HR isn’t told who gets this mail, and it is the only one about this version.\n",
        state.config.organisation, state.config.base_url
    );
    let silent = store::list_silent(&mut tx, newest.audience()).await?;
    for person in &silent {
        let subject = "A notice waits for you to read it";
        outbox::enqueue_confidential(&mut tx, state, person.id, &person.email, subject, &body).await?;
    }
    // Without a mail server the mails wait, and nobody has got anything.
    if state.config.smtp_url.is_some() {
        let people: Vec<Uuid> = silent.iter().map(|p| p.id).collect();
        reading::insert_delivered(&mut tx, &[newest.version_id], &people, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Who acknowledged under a law that makes the employer prove it. Each of them sees that in their access log:
/// no entry, no export.
pub async fn export(state: &AppState, viewer: &Viewer, notice: Uuid) -> Result<Vec<ProofRow>> {
    let role = viewer.acting_as(&[Role::Publisher]).ok_or(Error::Forbidden)?;
    let mut tx = state.db.begin().await?;
    let heads = reading::list_heads(&mut tx, Some(notice)).await?;
    if !heads.iter().any(|h| !h.proof_jurisdictions().is_empty()) {
        return Err(Error::NotFound);
    }
    let rows = store::list_proofs(&mut tx, notice).await?;
    let mut told: Vec<Uuid> = Vec::new();
    for row in &rows {
        if told.contains(&row.person_id) {
            continue;
        }
        told.push(row.person_id);
        let entry = audit::Entry {
            action: "acknowledgement.exported",
            subject: Some(row.person_id),
            object: Some(notice),
            reason: Some(&row.proof_law),
        };
        audit::record(&mut tx, state, viewer, role, entry).await?;
    }
    tx.commit().await?;
    Ok(rows)
}
