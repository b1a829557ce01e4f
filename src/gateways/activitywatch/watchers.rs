//! Starts and stops watchers as the policy says.
//!
//! Watchers with one name are alternatives in order of preference: the first one whose categories are all
//! allowed runs, and never two of them. One that may no longer run is ended before anything else is
//! started, and only when it is gone does the policy count as applied.

use std::convert::Infallible;
use std::str::FromStr;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::PROGRAM;
use super::process::Process;
use crate::gateways::link::policy::Policies;
use crate::register::Category;

/// How often it is looked whether a watcher ended or a policy ran out.
const GLANCE: Duration = Duration::from_secs(1);
/// A watcher that ran this long starts again at once the next time.
const SETTLED: Duration = Duration::from_secs(60);
const MAX_PAUSE: Duration = Duration::from_secs(300);

/// A watcher as `--watcher NAME:CATEGORY[,CATEGORY…]=COMMAND ARGS…` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watcher {
    name: String,
    categories: Vec<Category>,
    /// The program and its arguments. Split by shlex as a shell would, so that quotation marks hold a path with
    /// blanks together; it needs nothing else and is part of most builds already (through cc). No shell runs, so
    /// `;`, `$` and `*` are letters like others.
    command: Vec<String>,
}

impl FromStr for Watcher {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "must look like window:app.usage,window.titles=aw-watcher-window";
        let (what, command) = text.split_once('=').ok_or(form)?;
        let (name, categories) = what.split_once(':').ok_or(form)?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_name) {
            return Err("the name may hold letters, digits, dots and dashes".into());
        }
        let categories: Result<Vec<Category>, String> = categories
            .split(',')
            .map(|id| {
                let id = id.trim();
                Category::parse(id).ok_or_else(|| format!("{id:?} is no category: see /api/v1/categories"))
            })
            .collect();
        let command = shlex::split(command).ok_or("a quotation mark of the command isn't closed")?;
        if command.first().is_none_or(String::is_empty) {
            return Err("the command is missing".into());
        }
        Ok(Watcher { name: name.into(), categories: categories?, command })
    }
}

/// Watchers of one name.
struct Group {
    alternatives: Vec<Watcher>,
    running: Option<Running>,
    /// In a row, of the same alternative.
    failures: u32,
    not_before: Instant,
}

struct Running {
    alternative: usize,
    process: Process,
    since: Instant,
}

/// All watchers of this agent.
pub(super) struct Supervisor(Vec<Group>);

impl Supervisor {
    pub fn new(watchers: Vec<Watcher>) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for watcher in watchers {
            match groups.iter_mut().find(|group| group.alternatives[0].name == watcher.name) {
                Some(group) => group.alternatives.push(watcher),
                None => groups.push(Group {
                    alternatives: vec![watcher],
                    running: None,
                    failures: 0,
                    not_before: Instant::now(),
                }),
            }
        }
        Supervisor(groups)
    }

    /// Follows the policy until it is dropped; call [`Supervisor::stop`] then.
    pub async fn run(&mut self, policies: &Policies) -> anyhow::Result<Infallible> {
        let mut news = policies.subscribe();
        loop {
            news.borrow_and_update();
            let current = policies.current();
            let ended = self.end_what_may_not_run(policies).await;
            // What came meanwhile is looked at before anything is started.
            if policies.current().generation == current.generation {
                self.0.iter_mut().for_each(|group| group.start(policies));
                if ended && !self.0.is_empty() {
                    policies.applied(&current)?;
                }
                tokio::select! {
                    _ = news.changed() => {}
                    () = tokio::time::sleep(GLANCE) => {}
                }
            }
        }
    }

    /// Answers whether nothing runs any more that isn't wanted.
    async fn end_what_may_not_run(&mut self, policies: &Policies) -> bool {
        let ends = self.0.iter_mut().map(|group| group.end_unless_wanted(policies));
        join_all(ends).await.into_iter().all(|ended| ended)
    }

    /// Ends all watchers.
    pub async fn stop(&mut self) {
        join_all(self.0.iter_mut().map(Group::end)).await;
    }
}

impl Group {
    fn wanted(&self, policies: &Policies) -> Option<usize> {
        let current =
            |watcher: &Watcher| watcher.categories.iter().all(|category| policies.allows(*category, PROGRAM));
        self.alternatives.iter().position(current)
    }

    async fn end_unless_wanted(&mut self, policies: &Policies) -> bool {
        let wanted = self.wanted(policies);
        let Some(running) = &mut self.running else { return true };
        let name = &self.alternatives[running.alternative].name;
        if let Some(status) = running.process.ended() {
            let failures = if running.since.elapsed() >= SETTLED { 0 } else { self.failures };
            let pause = pause(failures);
            self.failures = failures.saturating_add(1);
            self.not_before = Instant::now() + pause;
            tracing::warn!(watcher = name, %status, seconds = pause.as_secs(), "a watcher ended by itself; starting it again");
            return self.end().await;
        }
        if wanted == Some(running.alternative) {
            return true;
        }
        // Which watcher runs tells what somebody chose: not for the log that others read.
        tracing::debug!(watcher = name, "stopping a watcher");
        let ended = self.end().await;
        if ended {
            (self.failures, self.not_before) = (0, Instant::now());
        }
        ended
    }

    async fn end(&mut self) -> bool {
        let Some(running) = &mut self.running else { return true };
        let ended = running.process.end().await;
        if ended {
            self.running = None;
        } else {
            let name = &self.alternatives[running.alternative].name;
            tracing::error!(watcher = name, "a watcher can't be stopped; trying again");
        }
        ended
    }

    fn start(&mut self, policies: &Policies) {
        let wanted = self.wanted(policies).filter(|_| Instant::now() >= self.not_before);
        let (None, Some(alternative)) = (&self.running, wanted) else { return };
        let watcher = &self.alternatives[alternative];
        match Process::start(&watcher.command) {
            Ok(process) => {
                tracing::debug!(watcher = watcher.name, "watcher started");
                self.running = Some(Running { alternative, process, since: Instant::now() });
            }
            Err(error) => {
                let pause = pause(self.failures);
                self.failures = self.failures.saturating_add(1);
                self.not_before = Instant::now() + pause;
                let seconds = pause.as_secs();
                tracing::error!(
                    watcher = watcher.name,
                    seconds,
                    "a watcher can't be started: {error}; trying again"
                );
            }
        }
    }
}

/// After so many ends in a row.
fn pause(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.min(10)).min(MAX_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watcher_is_described_in_one_argument() {
        let watcher: Watcher =
            "window:app.usage, window.titles='/opt/my watchers/w' --poll-time=2 \"a b\" $(id)"
                .parse()
                .unwrap();
        assert_eq!(watcher.name, "window");
        assert_eq!(
            watcher.categories.iter().map(|c| c.id()).collect::<Vec<_>>(),
            ["app.usage", "window.titles"]
        );
        // Split like a shell, and nothing is done with what would mean something to one.
        assert_eq!(watcher.command, ["/opt/my watchers/w", "--poll-time=2", "a b", "$(id)"]);
        for wrong in [
            "",
            "window",
            "window=x",
            "window:=x",
            "window:app.usage",
            "window:app.usage=",
            "window:app.usage=''",
            ":app.usage=x",
            "win dow:app.usage=x",
            "window:app.misuse=x",
            "window:app.usage,=x",
            "w:app.usage='x",
        ] {
            assert!(wrong.parse::<Watcher>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn pauses_grow_up_to_five_minutes() {
        let seconds = [0, 1, 2, 3, 8, 9, u32::MAX].map(|failures| pause(failures).as_secs());
        assert_eq!(seconds, [1, 2, 4, 8, 256, 300, 300]);
    }
}
