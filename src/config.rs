//! One configuration, from the environment.
//!
//! Every setting is an environment variable; a file of `KEY=VALUE` lines named by `ENV_FILE` may hold
//! defaults, and the environment wins. A secret may stand in a file that `<NAME>_FILE` names.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use jiff::tz::TimeZone;

/// The settings there are: name, default in words, meaning. The README's table and a test read it.
pub const SETTINGS: &[(&str, &str, &str)] = &[
    (
        "DATABASE_URL",
        "embedded database",
        "postgres:// address of the database; secret, also DATABASE_URL_FILE",
    ),
    ("DATABASE_POOL_SIZE", "16", "connections to the database, 2 to 200"),
    ("MIGRATE_ON_START", "true", "apply the schema's migrations at start"),
    ("BASE_URL", "http://LISTEN", "the address people type; https unless it is on this machine"),
    ("LISTEN", "127.0.0.1:8080", "address and port to listen on"),
    ("PORT", "8080", "the port alone; LISTEN wins"),
    ("DATA_DIR", "./data", "the embedded database and what this server keeps beside it"),
    ("PG_BINDIR", "looked for", "folder of Postgres's programs, for the embedded database"),
    ("ORGANISATION", "Your organisation", "the employer's name, as shown on every page"),
    ("TIME_ZONE", "UTC", "IANA name; days are counted in it unless a person has their own"),
    ("RAW_REPORT_DAYS", "30", "days until a day's raw reports are dropped; daily figures stay"),
    ("REVIEW_NOTICES", "false", "true: a second publisher approves each notice, never one who wrote at it"),
    (
        "SMTP_URL",
        "none: links are shown to the administrator",
        "smtps:// address of the mail server; secret, also SMTP_URL_FILE",
    ),
    ("MAIL_FROM", "daylight@localhost", "sender of mail"),
    ("LOG_ORIGIN", "BASE_URL/log without https://", "name of the transparency log; fixed at the first start"),
    ("WITNESSES_FILE", "none", "C2SP tlog-policy with the log's witnesses, their addresses and the quorum"),
    ("LOG_LEVEL", "info", "error, warn, info, debug or a tracing filter"),
    (
        "CANARY_READER_HOSTS",
        "none",
        "hosts that representatives may let the server read to look for canaries, by comma",
    ),
    ("LOG_FORMAT", "text", "text or json"),
];

/// A text that never shows itself in logs or debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone)]
pub struct Config {
    pub database_url: Option<Secret>,
    pub database_pool_size: u32,
    pub migrate_on_start: bool,
    /// Without a slash at the end.
    pub base_url: String,
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub pg_bindir: Option<PathBuf>,
    pub organisation: String,
    pub time_zone: TimeZone,
    pub raw_report_days: i64,
    /// Whether a notice is approved by somebody who didn't write at it.
    pub review_notices: bool,
    pub smtp_url: Option<Secret>,
    pub mail_from: String,
    /// C2SP tlog-checkpoint's origin line.
    pub log_origin: String,
    /// The text of `WITNESSES_FILE`; what it means is read by `ledger`.
    pub witnesses: Option<String>,
    /// Names of hosts, lower case; the server reads an address that somebody typed from no other.
    pub canary_reader_hosts: Vec<String>,
    pub log_level: String,
    pub log_format: LogFormat,
    /// Set by `daylight demo` only; never from the environment.
    pub demo: bool,
}

/// One line that says which setting is wrong and what it may be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct ConfigError {
    pub name: String,
    pub problem: String,
}

fn wrong(name: &str, problem: impl Into<String>) -> ConfigError {
    ConfigError { name: name.into(), problem: problem.into() }
}

impl Config {
    pub fn from_environment() -> Result<Self, ConfigError> {
        Self::from_variables(std::env::vars().collect())
    }

    pub fn from_variables(variables: BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let source = Source::new(variables)?;
        let port: u16 = source.parse("PORT", "8080", "a port number, 1 to 65535")?;
        let listen: SocketAddr = source.parse(
            "LISTEN",
            &format!("127.0.0.1:{port}"),
            "an address and port, such as 127.0.0.1:8080",
        )?;
        let base_url = base_url(source.text("BASE_URL", &format!("http://{listen}")), &listen)?;
        let time_zone = source.text("TIME_ZONE", "UTC");
        let pool: u32 = source.parse("DATABASE_POOL_SIZE", "16", "a number from 2 to 200")?;
        if !(2..=200).contains(&pool) {
            return Err(wrong("DATABASE_POOL_SIZE", "must be a number from 2 to 200"));
        }
        let raw_report_days: i64 =
            source.parse("RAW_REPORT_DAYS", "30", "a number of days from 1 to 3650")?;
        if !(1..=3650).contains(&raw_report_days) {
            return Err(wrong("RAW_REPORT_DAYS", "must be a number of days from 1 to 3650"));
        }
        let log_origin = log_origin(&source, &base_url)?;
        Ok(Config {
            database_url: source.secret("DATABASE_URL", &["postgres://", "postgresql://"])?,
            database_pool_size: pool,
            migrate_on_start: source.parse("MIGRATE_ON_START", "true", "true or false")?,
            base_url,
            listen,
            data_dir: PathBuf::from(source.text("DATA_DIR", "./data")),
            pg_bindir: source.optional("PG_BINDIR").map(PathBuf::from),
            organisation: source.text("ORGANISATION", "Your organisation"),
            time_zone: TimeZone::get(&time_zone)
                .map_err(|_| wrong("TIME_ZONE", "must be an IANA time zone, such as Europe/Berlin"))?,
            raw_report_days,
            review_notices: source.parse("REVIEW_NOTICES", "false", "true or false")?,
            smtp_url: source.secret("SMTP_URL", &["smtp://", "smtps://"])?,
            mail_from: source.text("MAIL_FROM", "daylight@localhost"),
            log_origin,
            witnesses: source.file("WITNESSES_FILE")?,
            canary_reader_hosts: reader_hosts(&source)?,
            log_level: source.text("LOG_LEVEL", "info"),
            log_format: match source.text("LOG_FORMAT", "text").as_str() {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return Err(wrong("LOG_FORMAT", "must be text or json")),
            },
            demo: false,
        })
    }

    /// Cookies are `Secure` and carry the `__Host-` prefix where people reach the server by https.
    pub fn is_https(&self) -> bool {
        self.base_url.starts_with("https://")
    }
}

fn base_url(url: String, listen: &SocketAddr) -> Result<String, ConfigError> {
    let url = url.trim_end_matches('/').to_owned();
    if url.starts_with("https://") {
        return Ok(url);
    }
    let Some(rest) = url.strip_prefix("http://") else {
        return Err(wrong("BASE_URL", "must begin with https:// (http:// only on this machine)"));
    };
    let host = rest.rsplit_once(':').map_or(rest, |(host, _)| host).trim_matches(['[', ']']);
    let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match local {
        true => Ok(url),
        false if url == format!("http://{listen}") => {
            Err(wrong("BASE_URL", "is required, with https://, when LISTEN is not on this machine alone"))
        }
        false => Err(wrong("BASE_URL", "must begin with https:// unless it names this machine")),
    }
}

fn log_origin(source: &Source, base_url: &str) -> Result<String, ConfigError> {
    let host = base_url.split_once("://").map_or(base_url, |(_, host)| host);
    let origin = source.text("LOG_ORIGIN", &format!("{host}/log"));
    match origin.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+') {
        true => {
            Err(wrong("LOG_ORIGIN", "must be a name without spaces and plus signs, such as example.org/log"))
        }
        false => Ok(origin),
    }
}

/// Names alone: a number, or this machine's own name, would lead inside.
fn reader_hosts(source: &Source) -> Result<Vec<String>, ConfigError> {
    let text = source.text("CANARY_READER_HOSTS", "");
    let hosts: Vec<String> =
        text.split(',').map(|h| h.trim().to_lowercase()).filter(|h| !h.is_empty()).collect();
    let is_name = |host: &String| {
        let last = host.rsplit('.').next().unwrap_or("");
        host.contains('.')
            && host.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
            && last.starts_with(|c: char| c.is_ascii_alphabetic())
    };
    match hosts.iter().all(is_name) {
        true => Ok(hosts),
        false => Err(wrong("CANARY_READER_HOSTS", "must be names of hosts by comma, such as logs.example")),
    }
}

/// The environment over the file that `ENV_FILE` names.
struct Source(BTreeMap<String, String>);

impl Source {
    fn new(mut variables: BTreeMap<String, String>) -> Result<Self, ConfigError> {
        if let Some(path) = variables.get("ENV_FILE").cloned() {
            let text = std::fs::read_to_string(&path)
                .map_err(|e| wrong("ENV_FILE", format!("can't be read: {e}")))?;
            for (number, line) in text.lines().enumerate() {
                let line = line.trim();
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                let (key, value) = line
                    .split_once('=')
                    .ok_or_else(|| wrong("ENV_FILE", format!("line {} is not KEY=VALUE", number + 1)))?;
                variables.entry(key.trim().into()).or_insert_with(|| value.trim().trim_matches('"').into());
            }
        }
        Ok(Source(variables))
    }

    fn optional(&self, name: &str) -> Option<String> {
        self.0.get(name).filter(|v| !v.is_empty()).cloned()
    }

    fn text(&self, name: &str, default: &str) -> String {
        self.optional(name).unwrap_or_else(|| default.into())
    }

    fn parse<T: std::str::FromStr>(&self, name: &str, default: &str, may_be: &str) -> Result<T, ConfigError> {
        self.text(name, default).parse().map_err(|_| wrong(name, format!("must be {may_be}")))
    }

    /// The text of the file that a setting names.
    fn file(&self, name: &str) -> Result<Option<String>, ConfigError> {
        let read =
            |path| std::fs::read_to_string(path).map_err(|e| wrong(name, format!("can't be read: {e}")));
        self.optional(name).map(read).transpose()
    }

    fn secret(&self, name: &str, schemes: &[&str]) -> Result<Option<Secret>, ConfigError> {
        let file = format!("{name}_FILE");
        let value = match (self.optional(name), self.optional(&file)) {
            (Some(_), Some(_)) => return Err(wrong(name, format!("is set twice: here and by {file}"))),
            (None, Some(path)) => Some(
                std::fs::read_to_string(path)
                    .map_err(|e| wrong(&file, format!("can't be read: {e}")))?
                    .trim()
                    .to_owned(),
            ),
            (value, None) => value,
        };
        match value {
            Some(v) if !schemes.iter().any(|s| v.starts_with(s)) => {
                Err(wrong(name, format!("must begin with {}", schemes.join(" or "))))
            }
            value => Ok(value.map(Secret::new)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_variables(pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect())
    }

    #[test]
    fn nothing_set_is_a_loopback_server_with_the_embedded_database() {
        let config = with(&[]).unwrap();
        assert_eq!(config.base_url, "http://127.0.0.1:8080");
        assert!(config.database_url.is_none() && !config.demo);
    }

    #[test]
    fn a_wrong_setting_is_named_in_one_line() {
        for (name, value) in [
            ("PORT", "http"),
            ("LISTEN", "everywhere"),
            ("BASE_URL", "http://daylight.example"),
            ("BASE_URL", "daylight.example"),
            ("TIME_ZONE", "Mars/Olympus"),
            ("DATABASE_URL", "mysql://x"),
            ("DATABASE_POOL_SIZE", "1"),
            ("SMTP_URL", "mail.example"),
            ("LOG_FORMAT", "xml"),
            ("LOG_ORIGIN", "two words"),
            ("WITNESSES_FILE", "/nowhere/at/all"),
            ("MIGRATE_ON_START", "perhaps"),
            ("RAW_REPORT_DAYS", "0"),
            ("REVIEW_NOTICES", "perhaps"),
            ("CANARY_READER_HOSTS", "logs.example,10.0.0.1"),
            ("CANARY_READER_HOSTS", "localhost"),
            ("CANARY_READER_HOSTS", "https://logs.example"),
            ("ENV_FILE", "/nowhere/at/all"),
        ] {
            let error = with(&[(name, value)]).expect_err(name);
            assert_eq!(error.name, name);
            assert!(!error.to_string().contains('\n'));
        }
        let error = with(&[("LISTEN", "0.0.0.0:80")]).expect_err("no BASE_URL");
        assert_eq!(error.name, "BASE_URL");
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let config = with(&[("DATABASE_URL", "postgres://u:hunter2@db/x")]).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
