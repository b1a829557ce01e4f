//! Fetches credentials: the newest epoch's, and those of former epochs whose petitions can still be signed or
//! withdrawn from. The same request gets the same pack, so a wallet that was brought back gets what it had.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::check;
use super::file::{Kept, PinnedRepresentative, Wallet};
use super::web::{Web, address};
use crate::credentials::holder::{Holder, Pack};
use crate::credentials::wire::{EpochInfo, IssuerInfo, PackResponse, fingerprint};
use crate::ledger::proof::petition::{EpochLeaf, IssuerRole};

/// The representative's server, as it was at the first use; pinned if this is it.
pub async fn representative(web: &Web, wallet: &mut Wallet) -> anyhow::Result<PinnedRepresentative> {
    let pinned = wallet.pinned.as_mut().context("this wallet knows no server yet")?;
    let own: IssuerInfo = web.json(&format!("{}/api/v1/petitions/issuer", pinned.server)).await?;
    check::same(&pinned.operator_key, &own.public_key, "the dashboard's key")?;
    let server = own.other.context("no representative's server is connected yet")?;
    let server = address(&server)?;
    let info: IssuerInfo = web.json(&format!("{server}/issuer")).await?;
    check::issuer(&info, IssuerRole::Representative, &pinned.origin)?;
    ensure!(info.public_key != pinned.operator_key, "both servers have the same key");
    let now = PinnedRepresentative { server, name: info.name, key: info.public_key };
    match &pinned.representative {
        Some(before) => check::same(before, &now, "the representative's server")?,
        None => {
            eprintln!(
                "Your representative’s server is {} ({}). Compare its key with what they give out: {}",
                now.name,
                now.server,
                fingerprint(&now.key)
            );
            pinned.representative = Some(now.clone());
        }
    }
    Ok(now)
}

pub async fn fetch(file: &Path) -> anyhow::Result<()> {
    let mut fetching = Fetching::open(file).await?;
    let dashboard = fetching.wallet.pinned()?.server.clone();
    let newest: EpochInfo = fetching.web.json(&format!("{dashboard}/api/v1/petitions/epoch")).await?;
    let done = fetching.bring(&newest.epoch.epoch).await;
    for epoch in newest.former {
        match fetching.bring(&epoch).await {
            Ok(()) => {}
            // Who came later can't have been on that roll.
            Err(error) if error.is::<NotOnRoll>() => {}
            Err(error) => eprintln!("The credentials of {epoch} couldn’t be fetched: {error:#}"),
        }
    }
    done
}

/// Fetches the pack of one epoch into a wallet that has none of it.
pub async fn fetch_epoch(file: &Path, epoch: &str) -> anyhow::Result<Wallet> {
    let mut fetching = Fetching::open(file).await?;
    fetching.bring(epoch).await.with_context(|| format!("this wallet has no credentials of {epoch}"))?;
    Ok(fetching.wallet)
}

/// Why there is no pack: nothing is wrong, but this key has no place.
#[derive(Debug, thiserror::Error)]
#[error(
    "your key isn't on the roll of {0}: for the running quarter enrol it and wait until your representative has signed \
     the roll; who wasn't on the roll of a former one can't sign what belongs to it"
)]
struct NotOnRoll(String);

struct Fetching<'a> {
    file: &'a Path,
    wallet: Wallet,
    web: Web,
    representative: PinnedRepresentative,
}

impl<'a> Fetching<'a> {
    async fn open(file: &'a Path) -> anyhow::Result<Self> {
        let mut wallet = Wallet::open(file)?;
        let web = Web::new()?;
        let representative = representative(&web, &mut wallet).await?;
        wallet.save(file)?;
        Ok(Fetching { file, wallet, web, representative })
    }

    /// Checks an epoch's keys, and fetches its pack where it isn't here.
    async fn bring(&mut self, epoch: &str) -> anyhow::Result<()> {
        let pinned = self.wallet.pinned()?;
        let ours = format!("{}/api/v1/petitions/epoch?epoch={epoch}", pinned.server);
        let ours: Option<EpochInfo> = self.web.find(&ours).await?;
        let ours =
            ours.with_context(|| format!("the dashboard gives out no credentials of {epoch} any more"))?;
        let theirs = format!("{}/epoch?epoch={epoch}", self.representative.server);
        let theirs: Option<EpochInfo> = self.web.find(&theirs).await?;
        let theirs = theirs.with_context(|| {
            format!("the representative's server gives out no credentials of {epoch}, or not yet")
        })?;
        ensure!(ours.epoch.epoch == epoch, "the dashboard answers with another epoch than was asked for");
        check::epoch(pinned, &self.representative, &ours, &theirs)?;
        let leaf = ours.epoch;
        if self.wallet.packs.iter().any(|kept| kept.leaf == leaf) {
            println!("The credentials of {epoch} are here already.");
            return Ok(());
        }
        let holder = self.wallet.holder()?;
        let index = self.place(&holder, epoch).await?;
        let pack = self.pack(&holder, &leaf, index).await?;
        println!(
            "The credentials of {epoch} are in your wallet. Everybody gets them, whether they sign or not."
        );
        self.wallet.packs.push(Kept { leaf, pack });
        self.wallet.save(self.file)
    }

    async fn place(&self, holder: &Holder, epoch: &str) -> anyhow::Result<u64> {
        let (key, pinned) = (holder.identity(), self.wallet.pinned()?);
        let places = [
            format!("{}/api/v1/petitions/places/{key}?epoch={epoch}", pinned.server),
            format!("{}/places/{key}?epoch={epoch}", self.representative.server),
        ];
        let mut indices = Vec::new();
        for address in &places {
            let place: Option<Value> = self.web.find(address).await?;
            let place = place.filter(|place| place["epoch"] == epoch);
            indices.push(place.and_then(|place| place["index"].as_u64()));
        }
        match indices[..] {
            [Some(ours), Some(theirs)] if ours == theirs => Ok(ours),
            [Some(_), Some(_)] => bail!("the two servers have you at different places of the roll"),
            _ => Err(NotOnRoll(epoch.into()).into()),
        }
    }

    async fn pack(&self, holder: &Holder, leaf: &EpochLeaf, index: u64) -> anyhow::Result<Pack> {
        let mut pack = Pack {
            epoch: leaf.epoch.clone(),
            group: leaf.group.clone(),
            index,
            operator: Vec::new(),
            representative: Vec::new(),
        };
        for role in IssuerRole::BOTH {
            let asked = holder.ask(leaf, role, index)?;
            let (address, who) = match role {
                IssuerRole::Operator => {
                    (format!("{}/api/v1/petitions/packs", self.wallet.pinned()?.server), "The dashboard")
                }
                IssuerRole::Representative => {
                    (format!("{}/packs", self.representative.server), "The representative's server")
                }
            };
            let answer = self.web.post::<PackResponse>(&address, &asked.request).await?.taken(who)?;
            let tokens = asked.finish(&answer)?;
            match role {
                IssuerRole::Operator => pack.operator = tokens,
                IssuerRole::Representative => pack.representative = tokens,
            }
        }
        Ok(pack)
    }
}
