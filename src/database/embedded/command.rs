//! Runs Postgres's programs: as the right account, quietly, and never longer than Daylight.

use std::env;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::StartError;
use super::places::Account;

/// A command that runs as Postgres's account, without Daylight's environment (it holds secrets),
/// away from the terminal's Ctrl-C, and ends with the thread that started it.
pub(super) fn private_command(program: &Path, account: Option<&Account>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().current_dir("/").stdin(Stdio::null()).process_group(0);
    for name in ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"] {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    if let Some(account) = account {
        // Also drops root's other groups.
        command.uid(account.uid).gid(account.gid);
    }
    #[cfg(target_os = "linux")]
    {
        let parent = nix::unistd::getpid();
        // SAFETY: between fork and exec only async-signal-safe calls are allowed; the closure
        // makes two system calls and allocates nothing. It runs after the change of account,
        // which would clear the signal.
        unsafe {
            command.pre_exec(move || {
                nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGINT)?;
                // The parent may have gone before the signal was set. (In a process-id namespace
                // of its own it would be 0; none is made here.)
                if nix::unistd::getppid() == parent { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
            });
        }
    }
    command
}

/// Runs a command to its end with `input`; its last words become the error.
pub(super) fn run(mut command: Command, input: &str) -> Result<(), StartError> {
    let program = PathBuf::from(command.get_program());
    let ran = (|| -> io::Result<Output> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        // A child that died early says why below. Dropping the pipe ends its input.
        let _ = child.stdin.take().map(|mut pipe| pipe.write_all(input.as_bytes()));
        child.wait_with_output()
    })();
    let output = ran.map_err(|error| StartError::io("run", &program, error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(StartError::Initialise(format!("{} said: {}", program.display(), last_lines(&said))))
}

/// The last lines of a program's output, as one line.
pub(super) fn last_lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let mut lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).rev().take(4).collect();
    lines.reverse();
    if lines.is_empty() { "nothing".to_owned() } else { lines.join(" | ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_become_one_line() {
        assert_eq!(last_lines(b"1\n2\n3\n\n4\n  5\n"), "2 | 3 | 4 | 5");
        assert_eq!(last_lines(b" \n"), "nothing");
    }
}
