//! Signs and withdraws.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use reqwest::StatusCode;
use serde_json::json;

use super::command::Names;
use super::fetching;
use super::file::{Kept, Pinned, Signed, Wallet};
use super::web::{Answer, Web};
use crate::credentials::action::{self, Action, Known, Slot};
use crate::credentials::wire::{ActionRequest, EpochInfo, OpenPetition, Promise};
use crate::ledger::files;
use crate::ledger::proof::petition::{Disclosure, IssuerRole, START_SLOT, is_signed, promise_message};

/// To whom what is shown.
pub fn disclosure(name: Option<Names>, department: bool) -> Disclosure {
    match (name, department) {
        (None, _) => Disclosure::Nobody,
        (Some(Names::Everyone), false) => Disclosure::Everyone,
        (Some(Names::Everyone), true) => Disclosure::EveryoneWithDepartment,
        (Some(Names::Representatives), false) => Disclosure::Representatives,
        (Some(Names::Representatives), true) => Disclosure::RepresentativesWithDepartment,
    }
}

/// What a promise doesn't say by itself; it goes with each receipt.
const CONDITIONS: &str = "It is published at the latest when the petition closes, provided that five or more sign it, \
                          and that it isn’t refused, given up, edited or left without enough support before it opens.";

/// How something is handed in.
pub struct How {
    /// Where the receiver's promise is kept.
    pub receipt: Option<PathBuf>,
    /// The dashboard may see what says nothing of its holder, too.
    pub anyway: bool,
}

pub async fn sign(file: &Path, petition: &Path, disclosure: Disclosure, how: &How) -> anyhow::Result<()> {
    let mut desk = Desk::open(file, petition).await?;
    if disclosure == Disclosure::Nobody {
        desk.check_crowd().await?;
    }
    desk.act(how, Some(disclosure)).await
}

pub async fn withdraw(file: &Path, petition: &Path, how: &How) -> anyhow::Result<()> {
    Desk::open(file, petition).await?.act(how, None).await
}

/// A petition before somebody who holds a wallet.
struct Desk<'a> {
    file: &'a Path,
    wallet: Wallet,
    petition: OpenPetition,
    web: Web,
}

impl<'a> Desk<'a> {
    /// Fetches the credentials of the petition's epoch where they are missing.
    async fn open(file: &'a Path, petition: &Path) -> anyhow::Result<Self> {
        let text = files::read(petition)?.with_context(|| format!("there is no {}", petition.display()))?;
        let petition: OpenPetition =
            serde_json::from_str(&text).with_context(|| format!("{} is no petition", petition.display()))?;
        ensure!(petition.slot != START_SLOT, "this petition's slot can't be signed with");
        let mut desk = Desk { file, wallet: Wallet::open(file)?, petition, web: Web::new()? };
        if desk.kept().is_err() {
            desk.wallet = fetching::fetch_epoch(file, &desk.petition.epoch).await?;
        }
        Ok(desk)
    }

    fn kept(&self) -> anyhow::Result<&Kept> {
        let petition = &self.petition;
        let fits = |kept: &&Kept| kept.leaf.epoch == petition.epoch && kept.leaf.group == petition.group;
        self.wallet.packs.iter().find(fits).with_context(|| {
            format!("this wallet has no credentials of {}; use daylight wallet fetch", petition.epoch)
        })
    }

    /// A secret needs a crowd.
    async fn check_crowd(&self) -> anyhow::Result<()> {
        let pinned = self.wallet.pinned()?;
        let address = format!("{}/api/v1/petitions/epoch?epoch={}", pinned.server, self.petition.epoch);
        let info: EpochInfo = self.web.json(&address).await?;
        let enough = info.epoch.epoch == self.petition.epoch && info.packs >= info.packs_needed;
        ensure!(
            enough,
            "only {} people have credentials; without a name one can sign once {} have them",
            info.packs,
            info.packs_needed
        );
        Ok(())
    }

    /// Signs, or withdraws where nothing is disclosed about anything.
    async fn act(&mut self, how: &How, disclosure: Option<Disclosure>) -> anyhow::Result<()> {
        let pinned = self.wallet.pinned()?.clone();
        let before = self.wallet.signed.iter().find(|done| done.petition == self.petition.leaf_hash);
        let was_named = before.is_some_and(|done| done.named);
        ensure!(
            disclosure != Some(Disclosure::Nobody) || !was_named || how.anyway,
            "you signed this petition with your name, and each signature of yours on it has the same key: whoever saw \
             your name knows that this one is yours, too. To have your name no longer shown beside it, use --anyway"
        );
        // Once its key was seen with a name, it stays known whose it is.
        let named = was_named || disclosure.is_some_and(|it| it != Disclosure::Nobody);
        let may_go_here = named || how.anyway;
        let mut number = self.wallet.next_number(&self.petition.leaf_hash);
        // A wallet that was brought back doesn't know what it did: then a server says from which number to go on.
        for _ in 0..2 {
            let (request, action) = self.prepare(&pinned, number, disclosure)?;
            match self.hand_in(&pinned, &request, may_go_here).await? {
                Ok(promise) => {
                    let (title, withdrawn) = (self.petition.title.clone(), disclosure.is_none());
                    let petition = self.petition.leaf_hash;
                    let done = Signed { petition, title, number: action.number, withdrawn, named };
                    return self.keep(&pinned, &action, &promise, how.receipt.as_deref(), done);
                }
                Err(later) => {
                    number = later.checked_add(1).context("a server names a number that can't be")?
                }
            }
        }
        bail!("both servers know a later action of this wallet; try again")
    }

    fn prepare(
        &self,
        pinned: &Pinned,
        number: u64,
        disclosure: Option<Disclosure>,
    ) -> anyhow::Result<(ActionRequest, Action)> {
        let (kept, holder) = (self.kept()?, self.wallet.holder()?);
        let at = (self.petition.leaf_hash, self.petition.slot);
        let request = match disclosure {
            Some(disclosure) => holder.sign(&kept.pack, at, number, disclosure, pinned.worker_ref)?,
            None => holder.withdraw(&kept.pack, at, number),
        };
        let slot = Slot::of(&pinned.origin, &kept.leaf, at.1, at.0).context("the epoch has no such slot")?;
        let known = |_| Some(Known { worker_ref: pinned.worker_ref, id_key: holder.identity() });
        let action = action::check(&pinned.origin, &slot, &request, known);
        let action = action.context("this wallet's credentials don't fit the petition")?;
        Ok((request, action))
    }

    /// To the representative's server first: the employer's needn't see a signature before its batch, and sees one
    /// without a name on its holder's word only. The inner error is the number of a later action.
    async fn hand_in(
        &self,
        pinned: &Pinned,
        request: &ActionRequest,
        may_go_here: bool,
    ) -> anyhow::Result<Result<Promise, u64>> {
        let mut paths = Vec::new();
        if let Some(representative) = &pinned.representative {
            paths.push((format!("{}/actions", representative.server), "The representative's server"));
        }
        if may_go_here {
            paths.push((format!("{}/api/v1/petitions/actions", pinned.server), "The dashboard"));
        }
        let mut refusals = Vec::new();
        for (address, who) in paths {
            match self.web.post::<Promise>(&address, request).await {
                Ok(Answer::Taken(promise)) => return Ok(Ok(promise)),
                Ok(Answer::Refused(StatusCode::CONFLICT, _, Some(number))) => return Ok(Err(number)),
                Ok(Answer::Refused(status, words, _)) => {
                    refusals.push(format!("{who} refuses ({status}). {words}"))
                }
                Err(error) => refusals.push(format!("{error:#}")),
            }
        }
        if !may_go_here {
            refusals.push(
                "Nothing was handed in. The dashboard takes it, too, but whoever runs it could see when it comes and \
                 from where. Try again later; or, if you accept that, use --anyway."
                    .into(),
            );
        }
        bail!("{}", refusals.join("\n"))
    }

    fn keep(
        &mut self,
        pinned: &Pinned,
        action: &Action,
        promise: &Promise,
        receipt: Option<&Path>,
        done: Signed,
    ) -> anyhow::Result<()> {
        let withdrawn = done.withdrawn;
        // Taken is taken, whatever the promise is worth: the next number must be above this one.
        self.wallet.remember(done);
        self.wallet.save(self.file)?;
        let key = match promise.by {
            IssuerRole::Operator => Some(pinned.operator_key),
            IssuerRole::Representative => pinned.representative.as_ref().map(|r| r.key),
        };
        let by = promise.include_by.to_string();
        let message = promise_message(&pinned.origin, &promise.leaf_hash, &by);
        let holds = promise.leaf_hash == action.leaf_hash
            && key.is_some_and(|key| is_signed(&key, &message, &promise.signature));
        ensure!(
            holds,
            "it was taken, but what the server promises isn't signed by its key: tell your representative"
        );
        println!("{}: {}", if withdrawn { "Withdrawn" } else { "Signed" }, self.petition.title);
        println!("It is promised to stand in the log by {by}, as {}", promise.leaf_hash);
        println!("{CONDITIONS}");
        if let Some(path) = receipt {
            let receipt = json!({"origin": pinned.origin, "promise": promise, "conditions": CONDITIONS});
            let text = serde_json::to_string_pretty(&receipt)?;
            files::write(path, &text)?;
            println!(
                "The promise is in {}. Somebody could ask to see it; you may delete it.",
                path.display()
            );
        }
        Ok(())
    }
}
