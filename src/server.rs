//! Starting and stopping: the database, the schema, the listener, and the workers beside it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::app::{self, AppState};
use crate::clock::{Clock, Random};
use crate::config::{Config, ConfigError, LogFormat};
use crate::database::embedded::{Embedded, Settings};
use crate::{
    collection, consent, database, demo, identity, imports, ledger, notices, outbox, petitions, register,
};

/// Why nothing was started; one clear line each.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Embedded(#[from] database::embedded::StartError),
    #[error("{0}")]
    Other(String),
}

impl From<anyhow::Error> for StartError {
    fn from(error: anyhow::Error) -> Self {
        StartError::Other(format!("{error:#}"))
    }
}

impl From<crate::error::Error> for StartError {
    fn from(error: crate::error::Error) -> Self {
        match error {
            crate::error::Error::Internal(cause) => cause.into(),
            other => StartError::Other(other.to_string()),
        }
    }
}

pub fn start_logging(config: &Config) {
    // A list of the assets at each start tells nobody anything.
    let filter = tracing_subscriber::EnvFilter::try_new(format!("memory_serve=warn,{}", config.log_level))
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    // A second start in one process (tests) keeps the first's.
    let _ = match config.log_format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

pub fn runtime() -> Result<Runtime, StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|e| StartError::Other(format!("the runtime can't start: {e}")))
}

/// Resolves at SIGINT or SIGTERM.
pub async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// The database's address, and the embedded server behind it where there is one. Started before the async
/// runtime: the child is tied to this thread.
fn open_database(config: &Config) -> Result<(PgConnectOptions, Option<Embedded>), StartError> {
    if let Some(url) = &config.database_url {
        let options =
            url.expose().parse().map_err(|_| StartError::Other("DATABASE_URL: can't be read".into()))?;
        return Ok((options, None));
    }
    let settings = Settings {
        data_dir: config.data_dir.clone(),
        bindir: config.pg_bindir.clone(),
        durable: true,
        max_connections: u16::try_from(config.database_pool_size + 10).unwrap_or(210),
    };
    let embedded = Embedded::start(&settings)?;
    let options = PgConnectOptions::new_without_pgpass()
        .socket(embedded.socket_dir())
        .port(embedded.port())
        .username(embedded.owner())
        .database(embedded.database());
    Ok((options, Some(embedded)))
}

async fn open_state(config: Config, options: PgConnectOptions) -> Result<AppState, StartError> {
    let pool = database::connect(options, &config).await?;
    if config.migrate_on_start {
        database::migrate(&pool).await?;
    }
    ledger::policy::witnesses(&config)?;
    let state = AppState::new(config, pool, Clock::system(), Random::system());
    identity::mark_installation(&state).await?;
    consent::check_keys(&state).await?;
    register::enter_backlog(&state).await?;
    Ok(state)
}

/// `daylight serve`
pub fn serve(config: Config) -> Result<ExitCode, StartError> {
    start_logging(&config);
    let (options, mut embedded) = open_database(&config)?;
    let result = runtime()?.block_on(async {
        let listener = listen(&config).await?;
        let state = open_state(config, options).await?;
        if let Some(link) = identity::first_run_link(&state).await? {
            println!("No administrator yet. Open this address within 24 hours to make one:\n\n  {link}\n");
        }
        println!("Daylight is at {}", state.config.base_url);
        run(state, listener, embedded.as_mut()).await
    });
    drop(embedded);
    result
}

/// `daylight demo`
pub fn demo(mut config: Config, fresh: bool) -> Result<ExitCode, StartError> {
    if !config.listen.ip().is_loopback() || config.is_https() {
        return Err(StartError::Other(
            "demo serves this machine only, since its passwords are public: unset LISTEN and BASE_URL".into(),
        ));
    }
    config.demo = true;
    demo::dress(&mut config);
    start_logging(&config);
    let (options, mut embedded) = open_database(&config)?;
    let result = runtime()?.block_on(async {
        let listener = listen(&config).await?;
        if fresh {
            let pool = database::connect(options.clone(), &config).await?;
            database::erase_example(&pool).await?;
            pool.close().await;
            demo::forget(&config.data_dir)
                .map_err(|e| StartError::Other(format!("the example's log can't be forgotten: {e}")))?;
        }
        let state = open_state(config, options).await?;
        demo::fill(&state).await?;
        demo::print_links(&state).await?;
        demo::start_representative(&state).await?;
        tokio::spawn(demo::keep_reporting(state.clone()));
        tokio::spawn(demo::keep_asking(state.clone()));
        run(state, listener, embedded.as_mut()).await
    });
    drop(embedded);
    result
}

/// `daylight migrate`
pub fn migrate(config: Config) -> Result<ExitCode, StartError> {
    start_logging(&config);
    let (options, embedded) = open_database(&config)?;
    let result = runtime()?.block_on(async {
        let pool = database::connect(options, &config).await?;
        database::migrate(&pool).await?;
        println!("The schema is up to date.");
        Ok(ExitCode::SUCCESS)
    });
    drop(embedded);
    result
}

/// Runs one piece of work on the database, where no server is needed.
fn with_state<F: Future<Output = Result<ExitCode, StartError>>>(
    config: Config,
    work: impl FnOnce(AppState) -> F,
) -> Result<ExitCode, StartError> {
    start_logging(&config);
    let (options, embedded) = open_database(&config)?;
    let result = runtime()?.block_on(async { work(open_state(config, options).await?).await });
    drop(embedded);
    result
}

/// `daylight log status`
pub fn log_status(config: Config) -> Result<ExitCode, StartError> {
    with_state(config, |state| async move {
        let mut db = state.db.acquire().await.map_err(anyhow::Error::new)?;
        let Some(standing) = state.ledger.standing(&mut db).await? else {
            println!("There is no log yet; the first start of the server makes it.");
            return Ok(ExitCode::SUCCESS);
        };
        println!("{}: {} entries", standing.origin, standing.size);
        match standing.refusal {
            None => {
                println!("It signs.");
                Ok(ExitCode::SUCCESS)
            }
            Some(refusal) => {
                println!("{}", refusal.words());
                Ok(ExitCode::FAILURE)
            }
        }
    })
}

/// `daylight log rotate-key`
pub fn rotate_log_key(config: Config) -> Result<ExitCode, StartError> {
    with_state(config, |state| async move {
        state.ledger.rotate_key().await?;
        println!(
            "The log has a new key; {}/log/policy.txt lists it. Tell whoever keeps a policy.",
            state.config.base_url
        );
        Ok(ExitCode::SUCCESS)
    })
}

/// `daylight log begin-again`
pub fn begin_log_again(config: Config, yes: bool) -> Result<ExitCode, StartError> {
    with_state(config, move |state| async move {
        if !yes {
            let mut db = state.db.acquire().await.map_err(anyhow::Error::new)?;
            let refusal = state.ledger.standing(&mut db).await?.and_then(|standing| standing.refusal);
            let words = refusal.map_or("The log signs as it should.".into(), |refusal| refusal.words());
            println!(
                "{words}\nA new beginning can't be undone, and everybody will see it. Run this again with --yes to do it."
            );
            return Ok(ExitCode::FAILURE);
        }
        let origin = state.ledger.begin_again().await?;
        state.ledger.settle().await?;
        println!("The log began again as {origin}. Tell everybody who checks it, and say what was lost.");
        Ok(ExitCode::SUCCESS)
    })
}

/// `daylight policy begin-again`
pub fn begin_policy_again(config: Config, yes: bool) -> Result<ExitCode, StartError> {
    with_state(config, move |state| async move {
        if consent::check_keys(&state).await? {
            println!(
                "The keys are those that this database is used with; there is no reason to begin again."
            );
            return Ok(ExitCode::SUCCESS);
        }
        if !yes {
            println!(
                "Agents and systems must be enrolled anew afterwards. Run this again with --yes to do it."
            );
            return Ok(ExitCode::FAILURE);
        }
        consent::begin_again(&state).await?;
        println!(
            "From the next start on, policies are signed with the folder's present key. Enrol agents and systems anew."
        );
        Ok(ExitCode::SUCCESS)
    })
}

/// `daylight sign-in-link EMAIL`
pub fn sign_in_link(config: Config, email: &str) -> Result<ExitCode, StartError> {
    with_state(config, |state| async move {
        match identity::issue_sign_in_link(&state, &email.to_lowercase(), 1).await? {
            Some(link) => println!("Works once, within an hour:\n\n  {link}\n"),
            None => return Err(StartError::Other("no active account has this e-mail address".into())),
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn listen(config: &Config) -> Result<TcpListener, StartError> {
    let listener = TcpListener::bind(config.listen).await;
    listener.map_err(|e| StartError::Other(format!("LISTEN: {} can't be listened on: {e}", config.listen)))
}

/// Ends when the private Postgres has; never without one.
async fn database_ended(embedded: Option<&mut Embedded>) {
    let Some(embedded) = embedded else { return std::future::pending().await };
    while embedded.is_running() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Serves until a signal; then answers what is under way, for ten seconds at most. Ends with the private
/// Postgres, too: whatever keeps services running starts both again, and a page couldn't say more.
async fn run(
    state: AppState,
    listener: TcpListener,
    embedded: Option<&mut Embedded>,
) -> Result<ExitCode, StartError> {
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        stop_signal().await;
        let _ = stop.send(true);
    });
    // All end when the pool is closed.
    let workers = [
        tokio::spawn(outbox::run(state.clone())),
        tokio::spawn(collection::keep_house(state.clone())),
        tokio::spawn(imports::keep_house(state.clone())),
        tokio::spawn(notices::keep_house(state.clone())),
        tokio::spawn(consent::keep_fresh(state.clone())),
        tokio::spawn(consent::keep_house(state.clone())),
        tokio::spawn(petitions::keep_house(state.clone())),
        tokio::spawn(consent::deliver(state.clone())),
        tokio::spawn(ledger::keep(state.clone())),
    ];
    let router = app::router(state.clone());
    let mut signal = stopped.clone();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move {
        let _ = signal.wait_for(|stopped| *stopped).await;
    });
    let mut signal = stopped.clone();
    tokio::select! {
        result = async { server.await } => result.map_err(|e| StartError::Other(format!("serving failed: {e}")))?,
        _ = async { let _ = signal.wait_for(|s| *s).await; tokio::time::sleep(Duration::from_secs(10)).await } => {}
        () = database_ended(embedded) => {
            eprintln!("daylight: the private Postgres ended while serving, so Daylight ends too; postgres.log in the data folder says why");
            return Ok(ExitCode::FAILURE);
        }
    }
    let _ = tokio::time::timeout(Duration::from_secs(5), state.db.close()).await;
    for worker in workers {
        let _ = tokio::time::timeout(Duration::from_secs(5), worker).await;
    }
    println!("Daylight has stopped.");
    Ok(ExitCode::SUCCESS)
}

/// `daylight healthcheck`: asks `/readyz` over plain HTTP, so that an image needs no other program.
pub fn healthcheck(config: &Config) -> ExitCode {
    let mut address = config.listen;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let ready = || -> std::io::Result<bool> {
        let wait = Duration::from_secs(3);
        let mut stream = TcpStream::connect_timeout(&address, wait)?;
        stream.set_read_timeout(Some(wait))?;
        stream.write_all(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(head.ends_with(b" 200"))
    };
    if ready().unwrap_or(false) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
