//! `daylight verify`: files in, a report out. No database, no network.

use std::fs::{self, File};
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::proof::Fault;
use super::proof::note::Note;
use super::proof::policy::Policy;
use super::proof::tlog_proof::TlogProof;
use super::proof::verify::{Against, Report, Shown, verify_export, verify_proof, verify_receipt};

/// The files to check, and what to check them against.
#[derive(Debug, Default)]
pub struct Verification {
    pub export: Option<PathBuf>,
    pub policy: Option<PathBuf>,
    pub since: Vec<PathBuf>,
    pub proofs: Vec<PathBuf>,
    pub document: Option<PathBuf>,
    pub receipts: Vec<PathBuf>,
    pub petitions: Vec<PathBuf>,
    pub json: bool,
}

impl Verification {
    /// Prints what was found; 0 when it holds, 1 when it is violated, 2 when it can't be read.
    pub fn run(&self) -> ExitCode {
        match self.reports() {
            Ok(reports) => {
                let mut out = std::io::stdout().lock();
                for report in &reports {
                    let json = || serde_json::to_string_pretty(report).unwrap_or_default();
                    let text = if self.json { json() } else { report.to_string() };
                    // Whoever closed the pipe has read enough; the exit code says the rest.
                    let _ = writeln!(out, "{text}");
                }
                ExitCode::from(u8::from(reports.iter().any(Report::is_violated)))
            }
            Err(words) => {
                eprintln!("daylight: {words}");
                ExitCode::from(2)
            }
        }
    }

    fn reports(&self) -> Result<Vec<Report>, String> {
        let policy: Option<Policy> = self.policy.as_deref().map(parsed).transpose()?;
        if !self.receipts.is_empty() {
            return self.receipt_reports(policy.as_ref());
        }
        let proofs = self.proofs.iter().map(|p| parsed(p)).collect::<Result<Vec<TlogProof>, _>>()?;
        let since = self.since.iter().map(|p| parsed(p)).collect::<Result<Vec<Note>, _>>()?;
        if let Some(path) = &self.export {
            if self.document.is_some() {
                return Err("--document belongs to a --proof without an export".into());
            }
            let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
            let shown = self.petitions.iter().map(|p| parsed(p)).collect::<Result<Vec<Shown>, _>>()?;
            let against = Against { policy, since, proofs, shown };
            let report = verify_export(BufReader::with_capacity(1 << 20, file), &against);
            return report.map(|r| vec![r]).map_err(|e| named(path, e));
        }
        if !self.petitions.is_empty() {
            return Err("--petition needs an export: the signatures stand in its leaves".into());
        }
        let policy = policy.ok_or("without an export, a --proof needs a --policy: whose signatures count")?;
        if proofs.is_empty() {
            return Err("give an export, a --proof or a --receipt".into());
        }
        if !since.is_empty() {
            return Err("--since needs an export: a proof file alone can't show what came before".into());
        }
        let document = match &self.document {
            Some(path) => {
                Some(serde_json::from_str(&text(path)?).map_err(|e| format!("{}: {e}", path.display()))?)
            }
            None => None,
        };
        let check = |(proof, path): (&TlogProof, &PathBuf)| {
            verify_proof(proof, &policy, document.as_ref()).map_err(|e| named(path, e))
        };
        proofs.iter().zip(&self.proofs).map(check).collect()
    }

    fn receipt_reports(&self, policy: Option<&Policy>) -> Result<Vec<Report>, String> {
        let others = self.export.is_some() || self.document.is_some() || !self.petitions.is_empty();
        if others || !self.proofs.is_empty() || !self.since.is_empty() {
            return Err("a --receipt is checked by itself, with or without a --policy".into());
        }
        let check = |path: &PathBuf| {
            let bytes = fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
            verify_receipt(&bytes, policy).map_err(|e| named(path, e))
        };
        self.receipts.iter().map(check).collect()
    }
}

fn named(path: &Path, fault: Fault) -> String {
    format!("{}: {fault}", path.display())
}

fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn parsed<T: std::str::FromStr<Err = Fault>>(path: &Path) -> Result<T, String> {
    text(path)?.parse().map_err(|e| named(path, e))
}
