//! A small HTTP/1.1 client that keeps its connection. A whole client library would cost more than the
//! server that is measured, on the same two cores.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The server said that its answer was the last one here.
    is_over: bool,
}

pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl Answer<'_> {
    pub fn contains(&self, text: &str) -> bool {
        self.body.windows(text.len()).any(|w| w == text.as_bytes())
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Connection {
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { address, stream, buffer: Vec::with_capacity(1 << 18), is_over: false })
    }

    /// Sends a whole request and reads the whole answer.
    pub async fn send(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        if self.is_over {
            *self = Self::open(self.address).await?;
        }
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let end = loop {
            self.read().await?;
            if let Some(at) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = std::str::from_utf8(&self.buffer[..end]).map_err(|_| broken("the head isn't text"))?;
        let status = head.get(9..12).and_then(|s| s.parse().ok()).ok_or_else(|| broken("no status"))?;
        let header = |name: &str| {
            let mut headers = head.lines().filter_map(|line| line.split_once(':'));
            headers.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
        };
        let length: usize = header("content-length")
            .and_then(|v| v.parse().ok())
            .ok_or_else(|| broken("no content-length"))?;
        self.is_over = header("connection").is_some_and(|v| v.eq_ignore_ascii_case("close"));
        while self.buffer.len() < end + length {
            self.read().await?;
        }
        Ok(Answer { status, body: &self.buffer[end..end + length] })
    }

    async fn read(&mut self) -> io::Result<()> {
        self.buffer.reserve(1 << 16);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

pub fn get(path: &str, cookie: Option<&str>) -> Vec<u8> {
    let cookie = cookie.map(|c| format!("Cookie: {c}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{cookie}\r\n").into_bytes()
}

pub fn get_as(path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n").into_bytes()
}

pub fn post_json(path: &str, token: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// What every answer must be.
#[derive(Clone, Copy)]
pub struct Expect {
    pub status: u16,
    pub text: &'static str,
}

impl Expect {
    fn check(&self, answer: &Answer<'_>) -> anyhow::Result<()> {
        let (status, text) = (self.status, self.text);
        anyhow::ensure!(answer.status == status, "{status} was due, {} came", answer.status);
        anyhow::ensure!(answer.contains(text), "an answer doesn't hold {text:?}");
        Ok(())
    }
}

pub struct Load {
    pub per_second: f64,
    /// Median seconds from request to whole answer.
    pub median: f64,
}

/// Asks for these requests in turn, on so many connections, for so long. Contents of each connection's
/// first answers are searched; every status is checked.
pub async fn ask(
    address: SocketAddr,
    connections: usize,
    length: Duration,
    requests: Arc<Vec<Vec<u8>>>,
    expect: Expect,
) -> anyhow::Result<Load> {
    let start = Instant::now();
    let tasks: Vec<_> = (0..connections)
        .map(|first| {
            let requests = requests.clone();
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await?;
                let mut times = Vec::new();
                let mut next = first;
                while start.elapsed() < length {
                    let begin = Instant::now();
                    let answer = connection.send(&requests[next % requests.len()]).await?;
                    times.push(begin.elapsed().as_secs_f64());
                    if times.len() <= requests.len().min(20) {
                        expect.check(&answer)?;
                    }
                    anyhow::ensure!(answer.status == expect.status, "{} came", answer.status);
                    next += 1;
                }
                anyhow::Ok(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let per_second = times.len() as f64 / start.elapsed().as_secs_f64();
    Ok(Load { per_second, median: crate::table::median(&mut times) })
}

/// Sends each list on a connection of its own, in order; every answer must be as expected. Seconds.
pub async fn send_all(address: SocketAddr, lists: Vec<Vec<Vec<u8>>>, expect: Expect) -> anyhow::Result<f64> {
    let mut connections = Vec::new();
    for _ in &lists {
        connections.push(Connection::open(address).await?);
    }
    let start = Instant::now();
    let tasks: Vec<_> = connections
        .into_iter()
        .zip(lists)
        .map(|(mut connection, list)| {
            tokio::spawn(async move {
                for request in &list {
                    expect.check(&connection.send(request).await?)?;
                }
                anyhow::Ok(list)
            })
        })
        .collect();
    let mut done = Vec::new();
    for task in tasks {
        // Kept until the clock has stopped: freeing the bodies is no part of sending them.
        done.push(task.await??);
    }
    Ok(start.elapsed().as_secs_f64())
}
