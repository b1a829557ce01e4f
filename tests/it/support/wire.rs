//! HTTP as bytes: what no client would send, and what comes back as it is.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::activitywatch::within;

async fn talk(to: SocketAddr, request: &[u8]) -> Vec<u8> {
    let talk = async {
        let mut stream = TcpStream::connect(to).await.expect("it listens");
        // Whoever refuses early closes early.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    };
    within(60, "an answer", talk).await
}

/// Sends bytes as they are, and answers all that comes back until the connection closes.
pub async fn raw(to: SocketAddr, request: &[u8]) -> String {
    String::from_utf8_lossy(&talk(to, request).await).into_owned()
}

/// A request whose first line begins so, with these header lines besides the needed ones.
pub fn request(to: SocketAddr, first: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let needed = format!("Host: {to}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n");
    [format!("{first} HTTP/1.1\r\n{needed}").as_bytes(), body].concat()
}

/// Sends such a request; answers the status and the body.
pub async fn exchange(to: SocketAddr, first: &str, headers: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let answer = talk(to, &request(to, first, headers, body)).await;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer") + 4;
    let status = String::from_utf8_lossy(&answer[9..12]).parse().expect("a status");
    (status, answer[end..].to_vec())
}

/// Posts JSON; answers the status and the body.
pub async fn post(to: SocketAddr, path: &str, body: &Value) -> (u16, String) {
    let (first, body) = (format!("POST {path}"), body.to_string());
    let json = "Content-Type: application/json\r\n";
    let (status, answer) = exchange(to, &first, json, body.as_bytes()).await;
    (status, String::from_utf8_lossy(&answer).into_owned())
}
