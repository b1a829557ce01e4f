//! The log as people read it, with or without an account.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::proof::checkpoint::Checkpoint;
use super::proof::leaf::{Leaf, NoticeChange, RegisterChange};
use super::proof::petition::Outcome;
use super::proof::tree::Hash;
use super::{proofs, store};
use crate::app::AppState;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::web::{Page, Pager, Path, atom, html};

const PER_PAGE: i64 = 25;

/// One entry as a row.
struct Row {
    position: i64,
    /// What it says, in words.
    words: String,
    /// Where to read about it.
    link: Option<String>,
}

impl Row {
    fn new(entry: &store::EntryRow) -> Self {
        let leaf = Leaf::from_bytes(&entry.bytes);
        let (words, link) = match &leaf {
            Ok(Some(leaf)) => (words(leaf), link(leaf)),
            Ok(None) => ("An entry of a kind that this version doesn't know".into(), None),
            Err(_) => ("An entry that can't be read".into(), None),
        };
        Row { position: entry.position, words, link }
    }
}

fn words(leaf: &Leaf) -> String {
    match leaf {
        Leaf::Key(key) if key.role == "log" => "A key that signs the log from here on".into(),
        Leaf::Key(key) => format!("A key of the {}, one of petitions’ two issuers", key.role),
        Leaf::Notice { version, change, .. } => match change {
            NoticeChange::Published => format!("A notice was published, version {version}"),
            NoticeChange::Corrected => format!("A notice was corrected, version {version}"),
            NoticeChange::Changed => format!("A notice was changed, version {version}"),
            NoticeChange::Retracted => format!("A notice was retracted, version {version}"),
        },
        Leaf::Register { change, .. } => match change {
            RegisterChange::Activated => "A declared processing began".into(),
            RegisterChange::Revised => "A declared processing was changed".into(),
            RegisterChange::Ended => "A declared processing ended".into(),
        },
        Leaf::Pause(_) => "A declared processing was paused".into(),
        Leaf::Resume(_) => "A declared processing was resumed".into(),
        Leaf::Report { day, .. } => format!("Commitment to the agents' reports up to {day}"),
        Leaf::Consent { .. } => {
            "Commitment to one person’s decision; it tells neither whose nor which".into()
        }
        Leaf::Roll(roll) => format!("Roll of {}, version {}: {} people", roll.epoch, roll.version, roll.size),
        Leaf::Epoch(epoch) => format!("Petitions’ epoch {} began, with both issuers’ keys", epoch.epoch),
        Leaf::Issue(issue) => format!("A pack of credentials was given out by the {}", issue.issuer.id()),
        Leaf::Petition(petition) => format!("A petition’s text, version {}", petition.version),
        Leaf::Check(check) => match check.outcome {
            Outcome::Opened => "A petition was opened for signatures".into(),
            Outcome::Refused => "A petition was refused".into(),
        },
        Leaf::Sign(_) => "A signature on a petition".into(),
        Leaf::Withdraw(_) => "A signature on a petition was withdrawn".into(),
        Leaf::Reached(reached) => format!(
            "A petition reached its threshold with {} signatures; an answer is due by {}",
            reached.signatures, reached.answer_due_at
        ),
        Leaf::Answer(answer) => format!("The employer’s answer to a petition, version {}", answer.number),
        Leaf::Close(close) => format!("A petition closed with {} signatures", close.signatures),
        Leaf::Log { .. } => "This log began again after a restore".into(),
    }
}

fn link(leaf: &Leaf) -> Option<String> {
    match leaf {
        Leaf::Notice { notice, .. } => Some(format!("/board/{notice}")),
        Leaf::Register { processing, .. } => Some(format!("/register/{processing}")),
        Leaf::Pause(pause) | Leaf::Resume(pause) => Some(format!("/register/{}", pause.processing)),
        Leaf::Petition(petition) => Some(format!("/petitions/{}", petition.petition)),
        _ => None,
    }
}

/// A witness and what it cosigned last.
struct WitnessRow {
    name: String,
    last: Option<(i64, Time)>,
}

#[derive(Template)]
#[template(path = "ledger/list.html")]
struct ListPage {
    page: Page,
    origin: String,
    size: u64,
    refusal: Option<String>,
    signed_at: Option<Time>,
    root: String,
    began_again: bool,
    witnesses: Vec<WitnessRow>,
    rows: Vec<Row>,
    pager: Pager,
    verifier_sha256: String,
}

#[derive(Deserialize)]
pub struct Asked {
    page: Option<String>,
}

/// `/log`
pub async fn list(State(state): State<AppState>, page: Page, Query(asked): Query<Asked>) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let standing = state.ledger.standing(&mut db).await?.ok_or(Error::NotFound)?;
    let newest = store::list_checkpoints(&mut db, 0, None, 1).await?.into_iter().next();
    let signed: Option<Checkpoint> = newest.as_ref().and_then(|row| row.body.parse().ok());
    let total = standing.size as i64;
    let pager = Pager::new(asked.page.as_deref(), PER_PAGE, total, "/log?");
    // Newest first.
    let end = total - pager.offset();
    let first = (end - PER_PAGE).max(0);
    let mut rows: Vec<Row> =
        store::list_entries(&mut db, first, end - first).await?.iter().map(Row::new).collect();
    rows.reverse();
    let beginning = store::list_entries(&mut db, 0, 1).await?;
    let began_again =
        beginning.first().is_some_and(|e| matches!(Leaf::from_bytes(&e.bytes), Ok(Some(Leaf::Log { .. }))));
    let mut witnesses = Vec::new();
    for witness in &state.ledger.witnesses().witnesses {
        let last = store::find_cosigned_by(&mut db, &witness.name).await?;
        witnesses.push(WitnessRow { name: witness.name.clone(), last });
    }
    drop(db);
    html(&ListPage {
        page,
        began_again,
        origin: standing.origin,
        size: standing.size,
        refusal: standing.refusal.map(|r| r.words()),
        signed_at: newest.as_ref().map(|row| row.signed_at),
        root: signed.map(|c| c.root.base64()).unwrap_or_default(),
        witnesses,
        rows,
        pager,
        verifier_sha256: super::verifier::verifier_sha256(),
    })
}

#[derive(Template)]
#[template(path = "ledger/entry.html")]
struct EntryPage {
    page: Page,
    row: Row,
    /// The leaf's bytes.
    text: String,
    hash: String,
    size: u64,
    /// The newest checkpoint that a witness has cosigned and that holds this entry: when, by its clock.
    cosigned: Vec<(String, Time)>,
    signed: bool,
}

/// `/log/entries/{index}`
pub async fn entry(State(state): State<AppState>, page: Page, Path(index): Path<i64>) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let found = store::list_entries(&mut db, index, 1).await?.into_iter().next().ok_or(Error::NotFound)?;
    let standing = state.ledger.standing(&mut db).await?.ok_or(Error::NotFound)?;
    let newest = store::list_checkpoints(&mut db, index + 1, None, 1).await?;
    let mut cosigned = Vec::new();
    for witness in &state.ledger.witnesses().witnesses {
        if let Some((size, at)) = store::find_cosigned_by(&mut db, &witness.name).await?
            && size > index
        {
            cosigned.push((witness.name.clone(), at));
        }
    }
    drop(db);
    html(&EntryPage {
        page,
        row: Row::new(&found),
        text: String::from_utf8_lossy(&found.bytes).into_owned(),
        hash: Hash::try_from(found.hash.as_slice()).map_err(anyhow::Error::new)?.base64(),
        size: standing.size,
        cosigned,
        signed: !newest.is_empty(),
    })
}

#[derive(Template)]
#[template(path = "ledger/checkpoints.xml")]
struct Feed {
    base_url: String,
    organisation: String,
    origin: String,
    updated: Time,
    checkpoints: Vec<store::CheckpointRow>,
}

/// `/log/checkpoints.atom`: the newest signed tree heads (RFC 4287), for whoever compares them.
pub async fn feed(State(state): State<AppState>) -> Result<Response> {
    let mut db = state.db.acquire().await?;
    let checkpoints = store::list_checkpoints(&mut db, 0, None, 50).await?;
    let newest = proofs::newest(&mut db).await?;
    drop(db);
    let feed = Feed {
        base_url: state.config.base_url.clone(),
        organisation: state.config.organisation.clone(),
        origin: newest.body.lines().next().unwrap_or_default().to_owned(),
        updated: newest.signed_at,
        checkpoints,
    };
    atom::answer(&feed)
}
