//! The command line: parse, then call the library.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use daylight::clock::{Clock, Random};
use daylight::config::Config;
use daylight::gateways::activitywatch::{self, AgentOptions};
use daylight::server::{self, StartError};

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
    /// Report what a local ActivityWatch server records: counts, never content
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
        #[arg(long)]
        once: bool,
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
        Command::Openapi => {
            println!("{}", daylight::site::openapi_json());
            Ok(ExitCode::SUCCESS)
        }
        Command::Agent { server, secret, activitywatch, state, interval, once } => {
            let options = AgentOptions {
                server,
                activitywatch,
                state_dir: state,
                interval: Duration::from_secs(interval),
                secret,
                once,
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
