//! The gateway's configuration: one TOML file. Keys and secrets stand in files of their own, named in it.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::collection::report::{Country, Destination, Host, Recipient};
use crate::register::{Purpose, country_name};

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Daylight's address; https, unless it is this machine.
    pub server: String,
    /// Folder for the devices' keys and reports that wait.
    pub state: PathBuf,
    /// Seconds between reports, 5 to 3600.
    #[serde(default = "five_minutes")]
    pub interval: u64,
    /// Listens on other addresses than this machine's without TLS: for a proxy in front that has it.
    #[serde(default)]
    pub behind_proxy: bool,
    #[serde(default)]
    pub osquery: Option<OsqueryConfig>,
    #[serde(rename = "device")]
    pub devices: Vec<DeviceConfig>,
}

fn five_minutes() -> u64 {
    300
}

/// A device and the agents that are pointed at this gateway instead of their collectors.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceConfig {
    /// Its folder below `state`: letters, digits, dashes.
    pub name: String,
    /// Holds the one-time enrolment secret; needed at the first start only.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    #[serde(default)]
    pub activitywatch: Option<SiteConfig>,
    #[serde(default)]
    pub otlp: Option<SiteConfig>,
    #[serde(default)]
    pub wakatime: Option<SiteConfig>,
    /// Holds the secret with which this device's osquery enrols.
    #[serde(default)]
    pub osquery_secret_file: Option<PathBuf>,
}

/// Where one kind of agent comes in, and where what may pass goes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteConfig {
    pub listen: SocketAddr,
    /// Names by which agents call this listener, besides its address and this machine's usual ones.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The collector's address, http or https, with the path that the agent's own paths follow.
    pub upstream: String,
    /// Holds `Name: value` lines that are sent upstream instead of what the agent sent: the upstream's key, which
    /// nobody else needs then.
    #[serde(default)]
    pub headers_file: Option<PathBuf>,
    /// Who receives it, `org:` and an id, and in which country. Needed unless the collector is on this machine.
    #[serde(default)]
    pub recipient: Option<String>,
    #[serde(default)]
    pub country: Option<String>,
    /// Lets the collector be reached without TLS although it is another machine.
    #[serde(default)]
    pub allow_http: bool,
    /// What the collector is for. Given, only declarations with this purpose let anything pass.
    #[serde(default)]
    pub purpose: Option<Purpose>,
}

/// Where osquery's programs come in, for all devices; TLS, since they speak nothing else.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OsqueryConfig {
    pub listen: SocketAddr,
    pub tls_cert: PathBuf,
    pub tls_key: PathBuf,
}

impl Config {
    /// Reads and checks it. An error is one line that names the file and the setting.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
        let mut config: Config =
            toml::from_str(&text).map_err(|e| anyhow::anyhow!("{}: {}", path.display(), e.message()))?;
        // Relative paths are those of the file: a service is started anywhere.
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        config.place(&folder);
        config.check().with_context(|| path.display().to_string())?;
        Ok(config)
    }

    fn place(&mut self, folder: &Path) {
        let mut paths = vec![&mut self.state];
        for device in &mut self.devices {
            let sites = [&mut device.activitywatch, &mut device.otlp, &mut device.wakatime];
            paths.extend(sites.into_iter().flatten().filter_map(|site| site.headers_file.as_mut()));
            paths.extend(device.secret_file.as_mut());
            paths.extend(device.osquery_secret_file.as_mut());
        }
        if let Some(osquery) = &mut self.osquery {
            paths.extend([&mut osquery.tls_cert, &mut osquery.tls_key]);
        }
        for path in paths {
            *path = folder.join(&*path);
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!((5..=3600).contains(&self.interval), "interval: must be 5 to 3600 seconds");
        ensure!(!self.devices.is_empty(), "no [[device]] is given");
        let mut names = std::collections::BTreeSet::new();
        let mut addresses = std::collections::BTreeSet::new();
        for device in &self.devices {
            let name = &device.name;
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
            ensure!(
                !name.is_empty() && name.len() <= 64 && name.chars().all(fits),
                "device.name: may hold letters, digits and dashes"
            );
            ensure!(names.insert(name), "device.name: {name:?} is given twice");
            let has_osquery = device.osquery_secret_file.is_some();
            ensure!(
                !has_osquery || self.osquery.is_some(),
                "{name}: osquery_secret_file needs the section [osquery]"
            );
            ensure!(
                has_osquery || device.sites().next().is_some(),
                "{name}: has neither activitywatch nor otlp nor wakatime nor osquery_secret_file"
            );
            for (kind, site) in device.sites() {
                let listen = site.listen;
                ensure!(listen.port() == 0 || addresses.insert(listen), "listen: {listen} is given twice");
                self.check_site(site).with_context(|| format!("{name}.{kind}"))?;
            }
        }
        Ok(())
    }

    fn check_site(&self, site: &SiteConfig) -> anyhow::Result<()> {
        ensure!(
            site.listen.ip().is_loopback() || self.behind_proxy,
            "listen: {} is reached from other machines without TLS; set behind_proxy = true when a proxy with TLS stands in front",
            site.listen
        );
        let base = site.base()?;
        ensure!(
            base.scheme() == "https" || crate::gateways::link::is_local(&base) || site.allow_http,
            "upstream: records and keys would travel in the clear; use https, or set allow_http = true in a network of your own"
        );
        let itself = base.port_or_known_default() == Some(site.listen.port())
            && crate::gateways::link::is_local(&base)
            && site.listen.ip().is_loopback();
        ensure!(!itself, "upstream: is the gateway's own address");
        site.destination().map(|_| ())
    }

    /// What only opening the files and reading them shows: for `--check`.
    pub fn check_files(&self) -> anyhow::Result<()> {
        for device in &self.devices {
            for (kind, site) in device.sites() {
                super::upstream::Upstream::new(site).with_context(|| format!("{}.{kind}", device.name))?;
            }
            let enrolled = self.state.join(&device.name).join("agent.json").exists();
            if let Some(secret) = device.secret_file.as_deref().filter(|_| !enrolled) {
                Secret::read(secret).with_context(|| device.name.clone())?;
            }
            if let Some(secret) = &device.osquery_secret_file {
                Secret::read(secret).with_context(|| device.name.clone())?;
            }
        }
        self.osquery.as_ref().map(crate::gateways::osquery::acceptor).transpose().context("osquery")?;
        Ok(())
    }
}

impl DeviceConfig {
    pub fn sites(&self) -> impl Iterator<Item = (&'static str, &SiteConfig)> {
        let sites =
            [("activitywatch", &self.activitywatch), ("otlp", &self.otlp), ("wakatime", &self.wakatime)];
        sites.into_iter().filter_map(|(kind, site)| Some((kind, site.as_ref()?)))
    }
}

impl SiteConfig {
    pub fn base(&self) -> anyhow::Result<reqwest::Url> {
        crate::gateways::link::base_url(&self.upstream, "upstream")
    }

    /// Where it goes, as reports say it; `None` when it stays on this machine.
    pub fn destination(&self) -> anyhow::Result<Option<Destination>> {
        let base = self.base()?;
        let (recipient, country) = match (&self.recipient, &self.country) {
            (None, None) if crate::gateways::link::is_local(&base) => return Ok(None),
            (Some(recipient), Some(country)) => (recipient, country),
            _ => anyhow::bail!("recipient and country: say both who receives it and in which country"),
        };
        let host = base.host_str().unwrap_or_default().trim_matches(['[', ']']);
        Ok(Some(Destination {
            host: Host::new(host).context("upstream: has a host that reports can't name")?,
            recipient: Recipient::new(recipient.as_str()).context("recipient: must be org: and an id")?,
            country: Country::new(country.as_str())
                .filter(|country| country_name(country.as_str()).is_some())
                .context("country: must be two capital letters of ISO 3166")?,
        }))
    }
}

/// A text that never shows in a message.
pub struct Secret(String);

impl Secret {
    /// A file's content without its last line break.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
        Ok(Secret(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> anyhow::Result<Config> {
        let config: Config = toml::from_str(text).map_err(|e| anyhow::anyhow!("{}", e.message()))?;
        config.check().map(|()| config)
    }

    const HEAD: &str = "server = 'https://daylight.example'\nstate = 's'\n";

    #[test]
    fn a_device_has_at_least_one_kind_of_agent_and_a_destination_for_what_leaves() {
        let text = |rest: &str| format!("{HEAD}[[device]]\nname = 'one'\n{rest}");
        let site = |listen: &str, upstream: &str, rest: &str| {
            text(&format!("[device.otlp]\nlisten = '{listen}'\nupstream = '{upstream}'\n{rest}"))
        };
        let local = config(&site("127.0.0.1:4318", "http://127.0.0.1:4319", "")).unwrap();
        let (_, otlp) = local.devices[0].sites().next().unwrap();
        assert!(otlp.destination().unwrap().is_none() && local.interval == 300);
        let known = "recipient = 'org:acme'\ncountry = 'DE'";
        let away = config(&site("127.0.0.1:4318", "https://otel.acme.example/x", known)).unwrap();
        let destination = away.devices[0].otlp.as_ref().unwrap().destination().unwrap().unwrap();
        assert_eq!(destination.host.as_str(), "otel.acme.example");
        for (wrong, said) in [
            (HEAD.to_owned(), "missing field"),
            (format!("{HEAD}device = []"), "no [[device]]"),
            (text(""), "neither"),
            (text("osquery_secret_file = 'x'"), "needs the section"),
            (text("colour = 'red'"), "unknown field"),
            (site("127.0.0.1:4318", "https://otel.acme.example", ""), "say both"),
            (site("127.0.0.1:4318", "https://otel.acme.example", "recipient = 'org:a'"), "say both"),
            (site("0.0.0.0:4318", "http://127.0.0.1:1", ""), "behind_proxy"),
            (site("127.0.0.1:4318", "ftp://x", ""), "http"),
            (site("127.0.0.1:4318", "http://otel.acme.example", known), "in the clear"),
            (site("127.0.0.1:4318", "http://localhost:4318", ""), "own address"),
            (site("127.0.0.1:4318", "https://x.example", "recipient = 'org:a'\ncountry = 'ZZ'"), "ISO 3166"),
            (site("127.0.0.1:4318", "https://name:secret@x", known), "without a name"),
            (site("127.0.0.1:4318", "https://x.example", "recipient = 'acme'\ncountry = 'DE'"), "org:"),
        ] {
            let error = format!("{:#}", config(&wrong).expect_err(said));
            assert!(error.contains(said) && !error.contains("secret@"), "{error}");
        }
        let twice = format!("{}\n[[device]]\nname='one'\n", site("127.0.0.1:1", "http://127.0.0.1:2", ""));
        assert!(config(&twice).is_err());
    }
}
