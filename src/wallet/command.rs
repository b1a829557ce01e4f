//! The subcommands.

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;
use uuid::Uuid;

use super::check;
use super::file::{Kept, Pinned, PinnedRepresentative, Wallet};
use super::signing;
use super::web::{Web, address};
use crate::clock::Random;
use crate::credentials::holder::Pack;
use crate::credentials::seed::Seed;
use crate::credentials::wire::{EpochInfo, IssuerInfo, PackResponse, fingerprint};
use crate::ledger::proof::petition::IssuerRole;
use crate::ledger::proof::policy::Policy;

#[derive(Debug, Args)]
pub struct WalletOptions {
    /// Where the wallet is kept; only you can read the file
    #[arg(long, global = true, env = "DAYLIGHT_WALLET", default_value = "./daylight-wallet.json")]
    pub file: PathBuf,
    #[command(subcommand)]
    pub command: WalletCommand,
}

#[derive(Debug, Subcommand)]
pub enum WalletCommand {
    /// Make a new wallet
    Init {
        /// Print the code that brings it back, to be written down on paper
        #[arg(long)]
        show_code: bool,
    },
    /// Bring a wallet back from its code; asked for when it isn't given
    Recover { code: Option<String> },
    /// Make your key known: prints what you paste into your wallet's page; with a code, tells your representative
    Enrol {
        /// Address of the dashboard; needed once
        #[arg(long)]
        server: Option<String>,
        /// Your number, as your wallet's page shows it; needed once
        #[arg(long)]
        worker_ref: Option<Uuid>,
        /// A code from your representative, on paper
        #[arg(long)]
        code: Option<String>,
    },
    /// Check both servers' keys, and fetch this quarter's credentials
    Fetch,
    /// Sign a petition, whose file its page gives you
    Sign {
        petition: PathBuf,
        /// Without your name
        #[arg(long, conflicts_with = "name", required_unless_present = "name")]
        confidential: bool,
        /// With your name, shown to whom
        #[arg(long)]
        name: Option<Names>,
        /// Show your department beside your name
        #[arg(long, requires = "name")]
        department: bool,
        /// Keep the receiver's promise in a file; somebody could ask to see it
        #[arg(long)]
        receipt: Option<PathBuf>,
    },
    /// Take your signature back
    Withdraw {
        petition: PathBuf,
        #[arg(long)]
        receipt: Option<PathBuf>,
    },
    /// Say what the wallet holds
    Status {
        /// Print the code that brings the wallet back
        #[arg(long)]
        show_code: bool,
    },
    /// Delete the wallet for good
    Burn {
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Names {
    Everyone,
    Representatives,
}

/// Runs a subcommand.
pub async fn run(options: WalletOptions, random: &Random) -> anyhow::Result<()> {
    let file = options.file.as_path();
    match options.command {
        WalletCommand::Init { show_code } => {
            let wallet = Wallet::new(&Seed(random.bytes()));
            wallet.create(file)?;
            println!("Your wallet is at {}. Whoever reads that file can sign for you.", file.display());
            match show_code {
                true => show(&wallet),
                false => println!("daylight wallet status --show-code prints the code that brings it back."),
            }
            Ok(())
        }
        WalletCommand::Recover { code } => {
            let code = match code {
                Some(code) => code,
                None => ask("The code: ")?,
            };
            let seed =
                Seed::from_code(&code).context("this isn't a wallet's code; check it letter by letter")?;
            Wallet::new(&seed).create(file)?;
            println!("Your wallet is back at {}. Enrol it and fetch its credentials again.", file.display());
            Ok(())
        }
        WalletCommand::Enrol { server, worker_ref, code } => enrol(file, server, worker_ref, code).await,
        WalletCommand::Fetch => fetch(file).await,
        WalletCommand::Sign { petition, confidential: _, name, department, receipt } => {
            signing::sign(file, &petition, signing::disclosure(name, department), receipt.as_deref()).await
        }
        WalletCommand::Withdraw { petition, receipt } => {
            signing::withdraw(file, &petition, receipt.as_deref()).await
        }
        WalletCommand::Status { show_code } => status(&Wallet::open(file)?, show_code),
        WalletCommand::Burn { yes } => burn(file, yes),
    }
}

fn show(wallet: &Wallet) {
    println!("The code that brings it back. Write it down; whoever has it can sign for you:\n");
    println!("  {}\n", wallet.code());
}

/// A line from the keyboard, or from a pipe: what is typed here stands in no shell's history.
fn ask(words: &str) -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        eprint!("{words}");
        std::io::stderr().flush()?;
        let mut line = String::new();
        std::io::stdin().read_line(&mut line)?;
        return Ok(line.trim().to_owned());
    }
    let mut text = String::new();
    std::io::stdin().take(1_000).read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}

async fn enrol(
    file: &Path,
    server: Option<String>,
    worker_ref: Option<Uuid>,
    code: Option<String>,
) -> anyhow::Result<()> {
    let mut wallet = Wallet::open(file)?;
    let web = Web::new()?;
    let known = wallet.pinned.clone();
    let server = server.or_else(|| known.as_ref().map(|p| p.server.clone()));
    let server = address(&server.context("say which server: --server https://daylight.example.org")?)?;
    let worker_ref = worker_ref.or_else(|| known.as_ref().map(|p| p.worker_ref));
    let worker_ref = worker_ref.context("say your number, as your wallet's page shows it: --worker-ref")?;
    let info: IssuerInfo = web.json(&format!("{server}/api/v1/petitions/issuer")).await?;
    check::issuer(&info, IssuerRole::Operator, &info.origin)?;
    let pinned = match known {
        Some(known) => {
            check::same(&known.server, &server, "the server")?;
            check::same(&known.origin, &info.origin, "the log")?;
            check::same(&known.operator_key, &info.public_key, "the dashboard's key")?;
            Pinned { worker_ref, ..known }
        }
        None => {
            let policy = web.text(&format!("{server}/log/policy.txt")).await?;
            policy.parse::<Policy>()?;
            let (origin, operator_key) = (info.origin.clone(), info.public_key);
            Pinned { server, origin, policy, operator_key, worker_ref, representative: None }
        }
    };
    wallet.pinned = Some(pinned);
    if let Some(code) = code {
        let representative = representative(&web, &mut wallet).await?;
        let request = wallet.holder()?.enrol(&representative.name, worker_ref, Some(code));
        let answer = web.post::<Value>(&format!("{}/enrol", representative.server), &request).await?;
        answer.taken("The representative's server")?;
        println!("Your representative’s server knows your key now.");
    } else {
        let request = wallet.holder()?.enrol(&info.name, worker_ref, None);
        println!("{}", serde_json::to_string(&request)?);
        eprintln!("Paste this into your wallet’s page on the dashboard. It holds no secret.");
    }
    wallet.save(file)
}

/// The representative's server, as it was at the first use; pinned if this is it.
async fn representative(web: &Web, wallet: &mut Wallet) -> anyhow::Result<PinnedRepresentative> {
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

async fn fetch(file: &Path) -> anyhow::Result<()> {
    let mut wallet = Wallet::open(file)?;
    let web = Web::new()?;
    let representative = representative(&web, &mut wallet).await?;
    wallet.save(file)?;
    let pinned = wallet.pinned()?.clone();
    let ours: EpochInfo = web.json(&format!("{}/api/v1/petitions/epoch", pinned.server)).await?;
    let theirs: EpochInfo = web.json(&format!("{}/epoch", representative.server)).await?;
    check::epoch(&pinned, &representative, &ours, &theirs)?;
    let leaf = ours.epoch;
    if wallet.packs.iter().any(|kept| kept.leaf == leaf) {
        println!("The credentials of {} are here already.", leaf.epoch);
        return Ok(());
    }
    let holder = wallet.holder()?;
    let key = holder.identity();
    let places = [
        format!("{}/api/v1/petitions/places/{key}", pinned.server),
        format!("{}/places/{key}", representative.server),
    ];
    let mut indices = Vec::new();
    for address in &places {
        let place: Value = web.json(address).await.context(
            "your key isn't on the roll yet: enrol it, and wait until your representative has signed the roll",
        )?;
        indices.push((place["epoch"] == leaf.epoch.as_str()).then(|| place["index"].as_u64()).flatten());
    }
    ensure!(indices[0] == indices[1], "the two servers have you at different places of the roll");
    let index = indices[0].context("your key isn't on this quarter's roll")?;
    let mut pack = Pack {
        epoch: leaf.epoch.clone(),
        group: leaf.group.clone(),
        index,
        operator: Vec::new(),
        representative: Vec::new(),
    };
    for role in IssuerRole::BOTH {
        let asked = holder.ask(&leaf, role, index)?;
        let (address, who) = match role {
            IssuerRole::Operator => (format!("{}/api/v1/petitions/packs", pinned.server), "The dashboard"),
            IssuerRole::Representative => {
                (format!("{}/packs", representative.server), "The representative's server")
            }
        };
        let answer = web.post::<PackResponse>(&address, &asked.request).await?.taken(who)?;
        let tokens = asked.finish(&answer)?;
        match role {
            IssuerRole::Operator => pack.operator = tokens,
            IssuerRole::Representative => pack.representative = tokens,
        }
    }
    println!(
        "The credentials of {} are in your wallet. Everybody gets them, whether they sign or not.",
        leaf.epoch
    );
    wallet.packs.push(Kept { leaf, pack });
    wallet.save(file)
}

fn status(wallet: &Wallet, show_code: bool) -> anyhow::Result<()> {
    match &wallet.pinned {
        None => println!("This wallet knows no server yet."),
        Some(pinned) => {
            println!("Dashboard:       {}", pinned.server);
            println!("Log:             {}", pinned.origin);
            println!("Your number:     {}", pinned.worker_ref);
            println!("Your key:        {}", wallet.holder()?.identity());
            match &pinned.representative {
                Some(r) => {
                    println!("Representative:  {} at {}, key {}", r.name, r.server, fingerprint(&r.key))
                }
                None => println!("Representative:  not asked yet"),
            }
        }
    }
    for kept in &wallet.packs {
        println!("Credentials of:  {}", kept.leaf.epoch);
    }
    for signed in &wallet.signed {
        println!(
            "{}  {}",
            if signed.withdrawn { "Withdrawn:      " } else { "Signed:         " },
            signed.title
        );
    }
    if show_code {
        show(wallet);
    }
    Ok(())
}

fn burn(file: &Path, yes: bool) -> anyhow::Result<()> {
    ensure!(file.exists(), "there is no wallet at {}", file.display());
    let sure = yes || ask("Without its code nothing brings it back. Type burn to delete it: ")? == "burn";
    ensure!(sure, "nothing was deleted");
    std::fs::remove_file(file).with_context(|| format!("{} can't be deleted", file.display()))?;
    println!("Deleted.");
    Ok(())
}
