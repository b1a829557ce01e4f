//! The program itself, with its private Postgres.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Ends with the test, also with one that fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_ends_with_its_private_postgres() {
    let data = env::temp_dir().join(format!("daylight-serving-{}", std::process::id()));
    fs::create_dir_all(&data).expect("a folder");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_daylight"));
    command.arg("serve").env_clear().stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["PATH", "PG_BINDIR", "LD_LIBRARY_PATH"] {
        command.envs(env::var_os(name).map(|value| (name, value)));
    }
    command.env("DATA_DIR", &data).env("LISTEN", format!("127.0.0.1:{port}"));
    let mut daylight = Running(command.spawn().expect("it runs"));
    let mut stderr = daylight.0.stderr.take().expect("piped");
    let stdout = BufReader::new(daylight.0.stdout.take().expect("piped"));
    let ready = stdout.lines().map_while(Result::ok).any(|line| line.starts_with("Daylight is at"));
    let mut said = String::new();
    if !ready {
        let _ = stderr.read_to_string(&mut said);
        // Tests on a database of one's own need no programs of Postgres.
        assert!(env::var_os("DAYLIGHT_TEST_DATABASE_URL").is_some(), "{said}");
        return;
    }
    let pid = fs::read_to_string(data.join("postgres/postmaster.pid")).expect("Postgres's own file");
    let pid: i32 = pid.lines().next().and_then(|line| line.parse().ok()).expect("its process");
    kill(Pid::from_raw(pid), Signal::SIGINT).expect("Postgres runs");

    let deadline = Instant::now() + Duration::from_secs(20);
    let status = loop {
        if let Some(status) = daylight.0.try_wait().expect("our child") {
            break status;
        }
        assert!(Instant::now() < deadline, "it still runs");
        std::thread::sleep(Duration::from_millis(50));
    };
    let _ = stderr.read_to_string(&mut said);
    let _ = fs::remove_dir_all(&data);
    assert_eq!(status.code(), Some(1), "{said}");
    assert_eq!(said.matches("daylight: the private Postgres ended").count(), 1, "{said}");
}
