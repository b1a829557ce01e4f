//! stub
pub mod activitywatch {
    pub struct AgentOptions { pub server: String, pub activitywatch: String, pub state_dir: std::path::PathBuf, pub interval: std::time::Duration, pub secret: Option<String>, pub once: bool }
    pub async fn run(_o: AgentOptions, _c: crate::clock::Clock, _r: crate::clock::Random, _s: impl Future<Output = ()>) -> anyhow::Result<()> { anyhow::bail!("not yet") }
}
