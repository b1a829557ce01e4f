//! Who is called must be who listens: a web page whose name was made to lead to this machine (DNS rebinding) still
//! calls by its own name. And most agents are no web pages: a browser says for which page it asks, an agent doesn't.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

/// Who may call besides programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Callers {
    /// Nobody: what names an origin is a web page that the person looks at.
    Programs,
    /// Extensions of browsers; the adapter tells them from pages.
    Extensions,
}

struct Guard {
    /// Any, when there are none.
    names: Option<BTreeSet<String>>,
    callers: Callers,
}

/// Lets only requests through that call the listener by its address, by a name of this machine or by one of `hosts`.
/// A listener that other machines reach answers to any name unless `hosts` are given: its proxy has one of its own.
pub(super) fn guard(router: Router, listener: SocketAddr, hosts: &[String], callers: Callers) -> Router {
    let is_reached_by_any_name = !listener.ip().is_loopback() && hosts.is_empty();
    let names = (!is_reached_by_any_name).then(|| names(listener, hosts));
    router.layer(from_fn_with_state(Arc::new(Guard { names, callers }), check))
}

fn names(listener: SocketAddr, hosts: &[String]) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
    let own = match listener.ip() {
        std::net::IpAddr::V6(ip) => format!("[{ip}]"),
        std::net::IpAddr::V4(ip) => ip.to_string(),
    };
    names.extend([own, "localhost".into(), "127.0.0.1".into(), "[::1]".into()]);
    names
}

async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    if guard.callers == Callers::Programs && request.headers().contains_key(header::ORIGIN) {
        return (StatusCode::FORBIDDEN, "The gateway is for agents, not for web pages.").into_response();
    }
    let is_called = |names| is_called(names, request.uri(), request.headers());
    if !guard.names.as_ref().is_none_or(is_called) {
        return (StatusCode::MISDIRECTED_REQUEST, "Nobody of this name is here.").into_response();
    }
    next.run(request).await
}

/// Whether everything that names a host names one of these, and something does.
fn is_called(names: &BTreeSet<String>, uri: &Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let header = hosts.next().map(|host| host.to_str().ok().and_then(|host| host.parse().ok()));
    if hosts.next().is_some() {
        return false;
    }
    let fits = |authority: &Authority| {
        !authority.as_str().contains('@') && names.contains(&authority.host().to_ascii_lowercase())
    };
    match (header, uri.authority()) {
        (Some(None), _) | (None, None) => false,
        (Some(Some(header)), written) => fits(&header) && written.is_none_or(fits),
        (None, Some(written)) => fits(written),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(uri: &str, hosts: &[&str]) -> bool {
        let names = ["localhost", "127.0.0.1", "[::1]", "desk.acme.example"].map(str::to_owned).into();
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().expect("a header's value"));
        }
        is_called(&names, &uri.parse().expect("an address"), &headers)
    }

    #[test]
    fn who_calls_by_another_name_is_not_answered() {
        for host in ["localhost", "LOCALHOST:5600", "127.0.0.1:5600", "[::1]:5600", "desk.acme.example"] {
            assert!(called("/api", &[host]), "{host}");
        }
        assert!(called("http://localhost:5600/api", &["localhost:5600"]));
        for hosts in [
            &["evil.example"][..],
            &["localhost.evil.example"],
            &["localhost@evil.example"],
            &["evil.example@localhost"],
            &["localhost", "evil.example"],
            &["localhost", "localhost"],
            &["localhost."],
            &["::1"],
            &[""],
            &[],
        ] {
            assert!(!called("/api", hosts), "{hosts:?}");
        }
        assert!(!called("http://evil.example/api", &["localhost"]));
        assert!(!called("http://localhost/api", &["evil.example"]));
    }
}
