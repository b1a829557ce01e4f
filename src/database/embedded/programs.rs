//! Finds Postgres's programs on this machine.
//!
//! A folder counts only if it holds both `postgres` and `initdb`: client packages bring
//! `pg_config` and `psql` along without a server.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::StartError;
use super::command::private_command;
use super::places::Account;

/// Oldest major version whose SQL Daylight is written for.
pub(super) const OLDEST: u32 = 15;

/// One installation of Postgres that can be used.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) bindir: PathBuf,
    pub(super) major: u32,
}

impl Programs {
    pub(super) fn postgres(&self) -> PathBuf {
        self.bindir.join("postgres")
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.bindir.join("initdb")
    }

    /// The first usable installation. `chosen` (PG_BINDIR) is used alone; `pinned` is the major
    /// version that made the existing cluster, the only one that can read it.
    pub(super) fn find(
        chosen: Option<&Path>,
        pinned: Option<u32>,
        account: Option<&Account>,
    ) -> Result<Self, StartError> {
        let folders = match chosen {
            Some(folder) => vec![folder.to_owned()],
            None => Places::of_this_machine().in_order(),
        };
        let mut seen: Vec<String> = Vec::new();
        for bindir in folders.into_iter().filter(|folder| has_server(folder)) {
            let found = match version(&bindir, account) {
                Ok(major) => Self { bindir, major },
                Err(why) => {
                    seen.push(format!("{} ({why})", bindir.display()));
                    continue;
                }
            };
            if found.major >= OLDEST && pinned.is_none_or(|major| major == found.major) {
                return Ok(found);
            }
            let told = format!("{} (version {})", found.bindir.display(), found.major);
            if !seen.contains(&told) {
                seen.push(told);
            }
        }
        let needed = match pinned {
            Some(major) => format!("the existing database needs Postgres {major}, which made it"),
            None => format!("Postgres {OLDEST} or newer is needed"),
        };
        let found = match (seen.is_empty(), chosen) {
            (false, _) => format!("found only {}", seen.join(", ")),
            (true, Some(folder)) => {
                format!("PG_BINDIR, {}, does not hold `postgres` and `initdb`", folder.display())
            }
            (true, None) => "no folder with `postgres` and `initdb` was found".to_owned(),
        };
        let package = pinned.map_or_else(String::new, |major| format!("-{major}"));
        Err(StartError::Programs { needed, found, package })
    }
}

/// Where installations are looked for, by source.
#[derive(Default)]
struct Places {
    packaged: Vec<PathBuf>,
    pg_config: Option<PathBuf>,
    path: Vec<PathBuf>,
    homebrew: Vec<PathBuf>,
}

impl Places {
    fn of_this_machine() -> Self {
        let homebrew = ["/opt/homebrew/opt", "/usr/local/opt"]
            .into_iter()
            .flat_map(|cellar| subfolders(Path::new(cellar)))
            .filter(|folder| {
                folder.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"postgresql"))
            })
            .collect();
        Self {
            packaged: subfolders(Path::new("/usr/lib/postgresql")),
            pg_config: Command::new("pg_config")
                .arg("--bindir")
                .output()
                .ok()
                .filter(|output| output.status.success())
                .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())),
            path: env::var_os("PATH").map_or_else(Vec::new, |path| env::split_paths(&path).collect()),
            homebrew,
        }
    }

    fn in_order(mut self) -> Vec<PathBuf> {
        highest_first(&mut self.packaged);
        highest_first(&mut self.homebrew);
        let bin = |folder: PathBuf| folder.join("bin");
        let absolute = self.path.into_iter().filter(|folder| folder.is_absolute());
        (self.packaged.into_iter().map(bin))
            .chain(self.pg_config)
            .chain(absolute)
            .chain(self.homebrew.into_iter().map(bin))
            .collect()
    }
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// `17` before `16` before `9.6`; `postgresql@17` before `postgresql@9`.
fn highest_first(folders: &mut [PathBuf]) {
    let number = |folder: &PathBuf| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        leading_number(name.trim_start_matches(|c: char| !c.is_ascii_digit()))
    };
    folders.sort_by_key(|folder| std::cmp::Reverse(number(folder)));
}

fn has_server(bindir: &Path) -> bool {
    ["postgres", "initdb"].iter().all(|program| bindir.join(program).is_file())
}

/// Runs it as the account that will run the server, so that a folder closed to it shows here.
fn version(bindir: &Path, account: Option<&Account>) -> Result<u32, String> {
    let output = private_command(&bindir.join("postgres"), account)
        .arg("--version")
        .output()
        .map_err(|error| error.to_string())?;
    parse_major(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        format!("does not tell its version: {}", said.lines().next().unwrap_or_default())
    })
}

/// The major version in what `postgres --version` prints.
fn parse_major(text: &str) -> Option<u32> {
    text.split_whitespace().find_map(leading_number)
}

/// The number that `text` begins with: also of `18beta1` and `17devel`.
pub(super) fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_major_version_of_every_packager() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta2"), Some(18));
        assert_eq!(parse_major("postgres (PostgreSQL) 9.6.24"), Some(9));
        assert_eq!(parse_major("postgres (PostgreSQL)"), None);
        assert_eq!(parse_major(""), None);
    }

    #[test]
    fn looks_at_packages_then_pg_config_then_path_then_homebrew() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let places = Places {
            packaged: paths(&["/lib/9.6", "/lib/15", "/lib/17"]),
            pg_config: Some("/configured".into()),
            path: paths(&["/path", "relative"]),
            homebrew: paths(&["/brew/postgresql@9", "/brew/postgresql@16"]),
        };
        let expected = paths(&[
            "/lib/17/bin",
            "/lib/15/bin",
            "/lib/9.6/bin",
            "/configured",
            "/path",
            "/brew/postgresql@16/bin",
            "/brew/postgresql@9/bin",
        ]);
        assert_eq!(places.in_order(), expected);
        assert!(Places::default().in_order().is_empty());
    }

    #[test]
    fn a_chosen_folder_is_the_only_one_looked_at() {
        let error = Programs::find(Some(Path::new("/nowhere")), None, None).unwrap_err();
        assert!(error.to_string().contains("PG_BINDIR, /nowhere, does not hold"), "{error}");
    }
}
