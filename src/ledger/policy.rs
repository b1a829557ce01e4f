//! The policy this log publishes: its keys, the witnesses that the administrator chose, and the quorum.

use anyhow::anyhow;
use sqlx::PgConnection;

use super::proof::note::{Key, Kind};
use super::proof::policy::Policy;
use super::store;
use crate::app::AppState;
use crate::config::Config;
use crate::error::{Error, Result};

/// The witnesses of `WITNESSES_FILE`; none without the setting.
pub fn witnesses(config: &Config) -> anyhow::Result<Policy> {
    let Some(text) = &config.witnesses else { return Ok(Policy::default()) };
    let policy: Policy = text.parse().map_err(|e| anyhow!("WITNESSES_FILE: {e}"))?;
    anyhow::ensure!(
        policy.logs.is_empty(),
        "WITNESSES_FILE: names a log; list witnesses, groups and the quorum"
    );
    Ok(policy)
}

/// `policy.txt`: what a verifier should get elsewhere than from here, and compare.
pub async fn text(db: &mut PgConnection, state: &AppState) -> Result<String> {
    let head = store::find_head(db).await?.ok_or(Error::NotFound)?;
    let mut text = format!("# {}\n", state.config.organisation.replace(['\n', '\r'], " "));
    for public in store::list_keys(db, &head.origin).await? {
        let key = Key::from_bytes(&head.origin, Kind::Ed25519, &public).map_err(anyhow::Error::new)?;
        text.push_str(&format!("log {key} {}/log\n", state.config.base_url));
    }
    text.push_str(state.config.witnesses.as_deref().unwrap_or("quorum none\n"));
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}
