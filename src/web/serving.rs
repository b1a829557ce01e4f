//! Serves with limits on time and on connections: this machine is small, and whoever sends half a request a thousand
//! times must not keep colleagues from it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower_http::timeout::TimeoutLayer;

/// Connections at one time; whoever comes then waits for one to end.
const CONNECTIONS: usize = 500;
/// How long requests that run may go on after the stop.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// After an error of the system, such as too many open files.
const BREATH: Duration = Duration::from_millis(500);

/// How long a slow sender is waited for.
pub struct Patience {
    /// From the beginning of a request to the end of its headers.
    pub headers: Duration,
    /// From the end of its headers to the answer: the reading of the body is in it.
    pub request: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { headers: Duration::from_secs(15), request: Duration::from_secs(30) }
    }
}

/// Runs until `stop` resolves; over TLS where there is something to prove oneself with.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    patience: Patience,
    stop: impl Future<Output = ()> + Send,
) {
    let late = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, patience.request);
    let service = TowerToHyperService::new(router.layer(late));
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(patience.headers);
    let (graceful, places) = (GracefulShutdown::new(), Arc::new(Semaphore::new(CONNECTIONS)));
    let connect = async {
        while let Ok(place) = places.clone().acquire_owned().await {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(BREATH).await;
                continue;
            };
            let (builder, service, watcher) = (builder.clone(), service.clone(), graceful.watcher());
            let tls = tls.clone();
            tokio::spawn(async move {
                // A connection that ends badly is its sender's matter.
                match tls {
                    None => {
                        let connection = builder.serve_connection(TokioIo::new(stream), service);
                        let _ = watcher.watch(connection.into_owned()).await;
                    }
                    Some(tls) => {
                        let shaken = tokio::time::timeout(patience.headers, tls.accept(stream)).await;
                        if let Ok(Ok(stream)) = shaken {
                            let connection = builder.serve_connection(TokioIo::new(stream), service);
                            let _ = watcher.watch(connection.into_owned()).await;
                        }
                    }
                }
                drop(place);
            });
        }
    };
    tokio::select! {
        () = connect => {}
        () = stop => {}
    }
    drop(listener);
    let _ = tokio::time::timeout(LAST_WORDS, graceful.shutdown()).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Bytes;
    use axum::routing::post;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    /// What comes back for half a request, until the server closes the connection.
    async fn answer(to: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let router = Router::new().route("/actions", post(|body: Bytes| async move { body }));
        let patience = Patience { headers: Duration::from_millis(200), request: Duration::from_millis(200) };
        tokio::spawn(serve(listener, None, router, patience, std::future::pending()));
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream.write_all(to.as_bytes()).await.expect("sent");
        let mut text = String::new();
        let reading = tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut text));
        reading.await.expect("it doesn't wait for ever").expect("text");
        text
    }

    #[tokio::test]
    async fn nobody_is_waited_for_who_sends_half_a_request() {
        assert!(!answer("POST /actions HTTP/1.1\r\nhost: here\r\n").await.contains("200 OK"));
        let body = "POST /actions HTTP/1.1\r\nhost: here\r\ncontent-length: 99\r\n\r\nhalf";
        assert!(answer(body).await.starts_with("HTTP/1.1 408"));
        let whole = "POST /actions HTTP/1.1\r\nhost: here\r\ncontent-length: 4\r\n\r\nfull";
        assert!(answer(whole).await.ends_with("full"));
    }
}
