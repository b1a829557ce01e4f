//! One watcher's process and all that it starts: its own process group, nothing secret around it, and gone
//! when it is told to.

use std::env;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// How long a watcher may take to end by itself, and what is left of its group after it was killed.
const PATIENCE: Duration = Duration::from_secs(5);
const AFTER_KILL: Duration = Duration::from_secs(2);
const GLANCE: Duration = Duration::from_millis(50);

/// What a program of the desktop needs. Everything else stays behind, since nobody can tell by its name
/// what is secret; a watcher that needs more is started with `env NAME=VALUE COMMAND`.
const INHERITED: [&str; 13] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "DISPLAY",
    "XAUTHORITY",
    "WAYLAND_DISPLAY",
    "DBUS_SESSION_BUS_ADDRESS",
];
const INHERITED_FAMILIES: [&str; 2] = ["LC_", "XDG_"];

/// A running watcher; killed with its group when dropped.
pub(super) struct Process {
    child: Child,
    group: Pid,
    is_over: bool,
}

impl Process {
    /// Starts a command of at least one word.
    pub fn start(words: &[String]) -> io::Result<Self> {
        let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(arguments).process_group(0).env_clear().envs(env::vars_os().filter(|(name, _)| {
            name.to_str().is_some_and(|name| {
                INHERITED.contains(&name) || INHERITED_FAMILIES.iter().any(|family| name.starts_with(family))
            })
        }));
        // What watchers print can be what they saw: it has no place in the agent's log.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        end_with_parent(&mut command);
        let child = command.spawn()?;
        let pid = child.id().ok_or(io::ErrorKind::NotFound)?;
        Ok(Process { child, group: Pid::from_raw(pid.cast_signed()), is_over: false })
    }

    /// How it ended, when it did so by itself. What it started may still run: call [`Process::end`] next.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Ends the whole group: asks, waits, then kills. Answers whether nothing of it runs any more. May be
    /// called again when it was cut short.
    pub async fn end(&mut self) -> bool {
        let _ = killpg(self.group, Signal::SIGTERM);
        self.is_over = self.is_gone_within(PATIENCE).await || {
            let killed = killpg(self.group, Signal::SIGKILL);
            // Nothing survives this signal. What still has the group's number afterwards is dead and waits
            // for a parent that never asks, as in a container without an init.
            self.is_gone_within(AFTER_KILL).await
                || (killed.is_ok() && self.child.try_wait().is_ok_and(|status| status.is_some()))
        };
        self.is_over
    }

    async fn is_gone_within(&mut self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        loop {
            // Its own end must be asked for, or it stays in the group.
            let leader = self.child.try_wait().is_ok_and(|status| status.is_some());
            if leader && killpg(self.group, None) == Err(Errno::ESRCH) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.is_over {
            let _ = killpg(self.group, Signal::SIGKILL);
        }
    }
}

/// An agent that was killed can't stop anything any more, so nothing may outlive it.
#[cfg(target_os = "linux")]
fn end_with_parent(command: &mut Command) {
    let parent = nix::unistd::getpid();
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; the closure makes two system
    // calls and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            // The parent may have gone before the signal was set.
            if nix::unistd::getppid() == parent { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn end_with_parent(_: &mut Command) {}
