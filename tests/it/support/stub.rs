//! A collector that does as it likes: keeps what it gets, and answers late, with an error, or not at all.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How long it takes, and the status; 0 ends the connection without a word.
pub type Answer = (Duration, u16);

pub struct Stub {
    pub address: SocketAddr,
    got: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    /// `answer` is told the request's first line.
    pub async fn start(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (got, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let stub = Stub { address, got: got.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (got, answer) = (got.clone(), answer.clone());
                tokio::spawn(async move { serve(stream, &got, answer.as_ref()).await });
            }
        });
        stub
    }

    pub async fn always(status: u16) -> Stub {
        Stub::start(move |_| (Duration::ZERO, status)).await
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whole requests.
    pub fn got(&self) -> Vec<String> {
        self.got.lock().expect("held for a moment only").clone()
    }
}

async fn serve(mut stream: TcpStream, got: &Mutex<Vec<String>>, answer: &(dyn Fn(&str) -> Answer + Sync)) {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                break;
            }
        }
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let (after, status) = answer(text.lines().next().unwrap_or_default());
    got.lock().expect("held for a moment only").push(text);
    tokio::time::sleep(after).await;
    if status != 0 {
        let head = format!("HTTP/1.1 {status} So\r\nContent-Type: application/json\r\nConnection: close\r\n");
        let _ = stream.write_all(format!("{head}Content-Length: 2\r\n\r\n{{}}").as_bytes()).await;
    }
}
