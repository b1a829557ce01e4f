//! Measures Daylight beside references in the same run: what counts is the ratio, since figures of a
//! machine drift by the hour. docs/performance.md says how to run it and what it found.
//!
//!     cargo bench -- [--large] [--quick] [--hold MINUTES] [--only pages,ingest,gateway,ledger,decision,petitions,binary]

mod binary;
mod client;
mod decision;
mod fill;
mod gateway;
mod ingest;
mod ledger;
mod pages;
mod petitions;
mod reports;
mod signatures;
mod subject;
mod table;

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use table::Row;
use tokio::runtime::{Builder, Runtime};

/// What every measurement needs.
pub struct Bench {
    /// The application's, as in production.
    pub server: Runtime,
    /// The load's: this thread.
    pub load: Runtime,
    pub rounds: usize,
    pub length: Duration,
    pub large: bool,
    /// Minutes for which signing is held.
    pub hold: usize,
    pub rows: Vec<Row>,
    pub notes: Vec<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` runs this too, without the word: nothing here is a test.
    if !arguments.iter().any(|a| a == "--bench") {
        println!("Measurements run by `cargo bench` or bin/bench.");
        return ExitCode::SUCCESS;
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("A check failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<()> {
    let has = |name: &str| arguments.iter().any(|a| a == name);
    let only = arguments.iter().skip_while(|a| *a != "--only").nth(1);
    let wants = |part: &str| only.is_none_or(|list| list.split(',').any(|p| p == part));
    std::fs::create_dir_all(subject::folder())?;
    log_to_file()?;
    let quick = has("--quick");
    let mut bench = Bench {
        server: Builder::new_multi_thread().enable_all().build()?,
        load: Builder::new_current_thread().enable_all().build()?,
        rounds: if quick { 3 } else { 7 },
        length: Duration::from_millis(if quick { 700 } else { 2000 }),
        large: has("--large"),
        hold: arguments
            .iter()
            .skip_while(|a| *a != "--hold")
            .nth(1)
            .map_or(Ok(if quick { 1 } else { 10 }), |n| n.parse())?,
        rows: Vec::new(),
        notes: Vec::new(),
    };
    // What was measured before a check failed is told all the same.
    let measured = measure(&mut bench, wants);
    let text = table::print(&bench.rows);
    println!("\n{text}");
    for note in &bench.notes {
        println!("{note}");
    }
    let about = json!({
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "load_average": std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim(),
        "rounds": bench.rounds, "notes": bench.notes,
    });
    let results = serde_json::to_string_pretty(&table::json(&bench.rows, about))?;
    std::fs::write(subject::folder().join("results.json"), results)?;
    std::fs::write(subject::folder().join("results.svg"), table::svg(&bench.rows))?;
    println!("\nWritten: {0}/results.json and {0}/results.svg", subject::folder().display());
    measured
}

fn measure(bench: &mut Bench, wants: impl Fn(&str) -> bool) -> anyhow::Result<()> {
    if wants("pages") {
        pages::measure(bench)?;
    }
    if wants("ingest") {
        ingest::measure(bench)?;
    }
    if wants("gateway") {
        gateway::measure(bench)?;
    }
    if wants("ledger") {
        ledger::measure(bench)?;
    }
    if wants("decision") {
        decision::measure(bench)?;
    }
    if wants("petitions") {
        petitions::measure(bench)?;
    }
    if wants("binary") {
        binary::measure(bench)?;
    }
    Ok(())
}

/// The server's log as in production, a line a request, to a file: it is part of what a request costs.
fn log_to_file() -> anyhow::Result<()> {
    let file = std::fs::File::create(subject::folder().join("server.log"))?;
    let builder = tracing_subscriber::fmt().with_env_filter("memory_serve=warn,info").with_ansi(false);
    builder.with_target(false).with_writer(file).init();
    Ok(())
}
