//! The subcommands.

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;
use uuid::Uuid;

use super::file::{Pinned, Wallet};
use super::web::{Web, address};
use super::{check, fetching, signing};
use crate::clock::Random;
use crate::credentials::seed::Seed;
use crate::credentials::wire::{IssuerInfo, fingerprint};
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
        /// Your representatives replaced their server: the fingerprint of its new key, as they show it to you
        #[arg(long, requires = "code", value_name = "FINGERPRINT")]
        other_key: Option<String>,
    },
    /// Check both servers' keys, and fetch this quarter's credentials, and former ones that are still in use
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
        /// Without a name: hand it to the dashboard where the representative's server doesn't take it. Whoever runs the
        /// dashboard could see when it came, and from where
        #[arg(long)]
        anyway: bool,
    },
    /// Take your signature back
    Withdraw {
        petition: PathBuf,
        #[arg(long)]
        receipt: Option<PathBuf>,
        /// Without a name: hand it to the dashboard where the representative's server doesn't take it. Whoever runs the
        /// dashboard could see when it came, and from where
        #[arg(long)]
        anyway: bool,
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
        WalletCommand::Enrol { server, worker_ref, code, other_key } => {
            enrol(file, (server, worker_ref), code, other_key.as_deref()).await
        }
        WalletCommand::Fetch => fetching::fetch(file).await,
        WalletCommand::Sign { petition, confidential: _, name, department, receipt, anyway } => {
            let how = signing::How { receipt, anyway };
            signing::sign(file, &petition, signing::disclosure(name, department), &how).await
        }
        WalletCommand::Withdraw { petition, receipt, anyway } => {
            signing::withdraw(file, &petition, &signing::How { receipt, anyway }).await
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
    (server, worker_ref): (Option<String>, Option<Uuid>),
    code: Option<String>,
    other_key: Option<&str>,
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
        let representative = fetching::representative(&web, &mut wallet, other_key).await?;
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
