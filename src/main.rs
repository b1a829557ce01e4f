//! The command line: parse, then call the library.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use daylight::canaries;
use daylight::clock::{Clock, Random};
use daylight::config::Config;
use daylight::gateways::activitywatch::{self, AgentOptions, Watcher};
use daylight::gateways::gate;
use daylight::ledger::command::Verification;
use daylight::ledger::witness::{self, WitnessOptions};
use daylight::representative;
use daylight::server::{self, StartError};
use daylight::wallet::WalletOptions;

/// Shows workers what their employer's monitoring collects about them, and gives them a say.
///
/// Settings are environment variables; `daylight config` lists them.
#[derive(Parser)]
#[command(name = "daylight", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server; the embedded database when DATABASE_URL is not set
    Serve,
    /// Run the server with a made-up organisation, on this machine only
    Demo {
        /// Throw the example's data away and begin anew
        #[arg(long)]
        fresh: bool,
    },
    /// Run ActivityWatch's watchers as their person allows, and report what is recorded: counts, never content
    Agent {
        /// Address of the Daylight server
        #[arg(long, env = "DAYLIGHT_SERVER")]
        server: String,
        /// One-time enrolment secret; needed at the first start only
        #[arg(long, env = "DAYLIGHT_SECRET", hide_env_values = true)]
        secret: Option<String>,
        /// Address of the ActivityWatch server
        #[arg(long, default_value = "http://127.0.0.1:5600")]
        activitywatch: String,
        /// Where the agent keeps its key and its place in the chain
        #[arg(long, default_value = "./daylight-agent")]
        state: PathBuf,
        /// Seconds between reports
        #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(5..=3600))]
        interval: u64,
        /// Send one report and stop
        #[arg(long, conflicts_with = "watcher")]
        once: bool,
        /// A watcher to run while the policy allows all it records; several of one name are alternatives,
        /// best first; may be given several times
        #[arg(long, value_name = "NAME:CATEGORY,…=COMMAND")]
        watcher: Vec<Watcher>,
    },
    /// Stand between agents and their collectors: pass on what is declared and allowed, drop and count the rest
    Gateway {
        /// Its configuration, a TOML file
        #[arg(long, env = "DAYLIGHT_GATEWAY_CONFIG", default_value = "./daylight-gateway.toml")]
        config: PathBuf,
        /// Check the configuration and stop
        #[arg(long)]
        check: bool,
    },
    /// Check an export of the log, a proof file or a receipt, offline; exit 0 holds, 1 violated, 2 unreadable
    Verify {
        /// The file that /log/export gives
        export: Option<PathBuf>,
        /// Whose signatures count: a policy.txt that you got from somebody you trust
        #[arg(long)]
        policy: Option<PathBuf>,
        /// A checkpoint that you saw earlier; may be given several times
        #[arg(long)]
        since: Vec<PathBuf>,
        /// A .tlog-proof file; may be given several times
        #[arg(long)]
        proof: Vec<PathBuf>,
        /// The document that the proof's entry commits to, as JSON
        #[arg(long)]
        document: Option<PathBuf>,
        /// A .receipt.json file of a decision of yours; may be given several times
        #[arg(long)]
        receipt: Vec<PathBuf>,
        /// A petition's export.json, whose count must be that of the leaves; may be given several times
        #[arg(long)]
        petition: Vec<PathBuf>,
        /// Print the findings as JSON
        #[arg(long)]
        json: bool,
    },
    /// Cosign the checkpoints of logs, so that their operator can't show different people different logs
    Witness {
        /// This witness's name, such as witness.example.org
        #[arg(long)]
        name: String,
        /// The log's key as its policy.txt has it; may be given several times
        #[arg(long = "log", required = true)]
        logs: Vec<String>,
        /// Where the witness keeps its key and what it has seen
        #[arg(long, default_value = "./daylight-witness")]
        state: PathBuf,
        /// Address and port to listen on
        #[arg(long, default_value = "127.0.0.1:8090")]
        listen: SocketAddr,
    },
    /// Run the workers' representative's own server: the second issuer of credentials for petitions
    Representative {
        /// Its name, such as works-council.example
        #[arg(long)]
        name: String,
        /// Address of the dashboard, such as https://daylight.example
        #[arg(long)]
        dashboard: String,
        /// Where browsers reach this server, such as https://works-council.example
        #[arg(long)]
        public_url: String,
        /// Address and port to listen on
        #[arg(long, default_value = "127.0.0.1:8091")]
        listen: SocketAddr,
        /// Where it keeps its keys, its copy of the roll and what it received
        #[arg(long, default_value = "./daylight-representative")]
        state: PathBuf,
        /// Seconds between rounds with the dashboard
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
        interval: u64,
    },
    /// Look after the log: where it stands, a new key, a new beginning after a restore
    Log {
        #[command(subcommand)]
        command: LogCommand,
    },
    /// Look after the keys that sign policies and make pseudonyms
    Policy {
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Sign petitions from the command line: what the browser does, in a file of your own
    Wallet(WalletOptions),
    /// Look for canaries, strings that representatives made, in a file of one's own
    Canary {
        #[command(subcommand)]
        command: CanaryCommand,
    },
    /// Bring the database's schema up to date and stop
    Migrate,
    /// Check the settings and print them, secrets left out
    Config,
    /// Ask a running server whether it is ready; exit 0 or 1
    Healthcheck,
    /// Print a link that signs this account in once: for an administrator who lost access
    SignInLink { email: String },
    /// Print the API's description (OpenAPI 3.1)
    Openapi,
}

#[derive(Subcommand)]
enum PolicyCommand {
    /// After the data folder's keys were lost: go on with new ones
    BeginAgain {
        /// Do it; without this, say what it means
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
enum CanaryCommand {
    /// Search the standard input, also packed as gzip or ZIP; exit 0 found, 1 not found, 2 unreadable
    Find {
        /// A canary as its page shows it: lusab-gutih-tugad-482913
        #[arg(required = true)]
        tokens: Vec<String>,
    },
}

#[derive(Subcommand)]
enum LogCommand {
    /// Say where the log stands and whether it signs; exit 0 or 1
    Status,
    /// Make a new key, announced in the log and signed by the present one
    RotateKey,
    /// After a restore that lost entries: begin a new log whose first entry is the old one's last head
    BeginAgain {
        /// Do it; without this, say what would be lost
        #[arg(long)]
        yes: bool,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("daylight: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> Result<ExitCode, StartError> {
    match command {
        Command::Serve => server::serve(Config::from_environment()?),
        Command::Demo { fresh } => server::demo(Config::from_environment()?, fresh),
        Command::Migrate => server::migrate(Config::from_environment()?),
        Command::SignInLink { email } => server::sign_in_link(Config::from_environment()?, &email),
        Command::Healthcheck => Ok(server::healthcheck(&Config::from_environment()?)),
        Command::Config => {
            let config = Config::from_environment()?;
            println!("{config:#?}\n\nSettings:");
            for (name, default, meaning) in daylight::config::SETTINGS {
                println!("  {name:<20} {meaning} (default: {default})");
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Verify { export, policy, since, proof, document, receipt, petition, json } => {
            let (proofs, receipts, petitions) = (proof, receipt, petition);
            Ok(Verification { export, policy, since, proofs, document, receipts, petitions, json }.run())
        }
        Command::Witness { name, logs, state, listen } => {
            let logs = logs.iter().map(|key| key.parse()).collect::<Result<Vec<_>, _>>();
            let logs = logs.map_err(|e| StartError::Other(format!("--log: {e}")))?;
            server::start_logging(&Config::from_environment()?);
            let options = WitnessOptions { name, logs, folder: state, listen };
            server::runtime()?.block_on(async {
                let stop = server::stop_signal();
                let done = witness::run(options, stop).await;
                done.map(|()| ExitCode::SUCCESS).map_err(|e| StartError::Other(format!("{e:#}")))
            })
        }
        Command::Representative { name, dashboard, public_url, listen, state, interval } => {
            let interval = Duration::from_secs(interval);
            let options =
                representative::Options { name, dashboard, public_url, listen, folder: state, interval };
            server::start_logging(&Config::from_environment()?);
            server::runtime()?.block_on(async {
                let stop = server::stop_signal();
                let done = representative::run(options, Clock::system(), Random::system(), stop).await;
                done.map(|()| ExitCode::SUCCESS).map_err(|e| StartError::Other(format!("{e:#}")))
            })
        }
        Command::Log { command } => {
            let config = Config::from_environment()?;
            match command {
                LogCommand::Status => server::log_status(config),
                LogCommand::RotateKey => server::rotate_log_key(config),
                LogCommand::BeginAgain { yes } => server::begin_log_again(config, yes),
            }
        }
        Command::Policy { command: PolicyCommand::BeginAgain { yes } } => {
            server::begin_policy_again(Config::from_environment()?, yes)
        }
        Command::Wallet(options) => server::runtime()?.block_on(async {
            let done = daylight::wallet::run(options, &Random::system()).await;
            done.map(|()| ExitCode::SUCCESS).map_err(|e| StartError::Other(format!("{e:#}")))
        }),
        Command::Canary { command: CanaryCommand::Find { tokens } } => {
            let (mut input, mut out) = (std::io::stdin().lock(), std::io::stdout().lock());
            match canaries::command::find(&tokens, &mut input, &mut out) {
                Ok(true) => Ok(ExitCode::SUCCESS),
                Ok(false) => Ok(ExitCode::from(1)),
                Err(error) => Err(StartError::Other(format!("{error:#}"))),
            }
        }
        Command::Openapi => {
            println!("{}", daylight::site::openapi_json());
            Ok(ExitCode::SUCCESS)
        }
        Command::Gateway { config, check } => {
            let config = gate::Config::read(&config).map_err(|e| StartError::Other(format!("{e:#}")))?;
            if check {
                config.check_files().map_err(|e| StartError::Other(format!("{e:#}")))?;
                println!("The configuration can be used.");
                return Ok(ExitCode::SUCCESS);
            }
            server::start_logging(&Config::from_environment()?);
            server::runtime()?.block_on(async {
                let done = gate::run(config, Clock::system(), Random::system(), server::stop_signal()).await;
                done.map(|()| ExitCode::SUCCESS).map_err(|e| StartError::Other(format!("{e:#}")))
            })
        }
        Command::Agent { server, secret, activitywatch, state, interval, once, watcher } => {
            let options = AgentOptions {
                server,
                activitywatch,
                state_dir: state,
                interval: Duration::from_secs(interval),
                secret,
                once,
                watchers: watcher,
            };
            server::start_logging(&Config::from_environment()?);
            server::runtime()?.block_on(async {
                let stop = server::stop_signal();
                let done = activitywatch::run(options, Clock::system(), Random::system(), stop).await;
                done.map(|()| ExitCode::SUCCESS).map_err(|e| StartError::Other(format!("{e:#}")))
            })
        }
    }
}
