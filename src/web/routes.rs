//! Routes with who may use them, in one place: what is written here is enforced and tested.

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};

use super::viewer::{Role, Viewer};
use crate::app::AppState;
use crate::error::Error;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody, signed in or not.
    Public,
    /// Everybody who is signed in.
    SignedIn,
    /// Whoever holds one of these roles.
    Roles(&'static [Role]),
    /// A program with its own token, checked by the handler.
    Token,
}

impl Access {
    fn check(self, viewer: Option<&Viewer>) -> Result<(), Error> {
        match (self, viewer) {
            (Access::Public | Access::Token, _) => Ok(()),
            (_, None) => Err(Error::Unauthenticated),
            (Access::SignedIn, Some(_)) => Ok(()),
            (Access::Roles(allowed), Some(viewer)) => {
                viewer.acting_as(allowed).map(|_| ()).ok_or(Error::Forbidden)
            }
        }
    }
}

#[derive(Debug, Clone)]
pub struct RouteEntry {
    pub method: Method,
    pub path: &'static str,
    pub access: Access,
}

/// The route's pattern, for the log: an address itself could hold a token or an id.
#[derive(Debug, Clone, Copy)]
pub struct Pattern(pub &'static str);

/// A router that knows its own table.
#[derive(Default)]
pub struct Routes {
    router: Router<AppState>,
    table: Vec<RouteEntry>,
}

impl Routes {
    pub fn new() -> Self {
        Routes::default()
    }

    pub fn get<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.add(Method::GET, path, access, routing::get(handler))
    }

    pub fn post<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.add(Method::POST, path, access, routing::post(handler))
    }

    /// What programs ask many thousand times a second, with a token that the handler checks: nothing stands around
    /// it, so the handler also gives its refusals their face.
    pub fn bare_get<H, T>(mut self, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.router = self.router.route(path, routing::get(handler));
        self.table.push(RouteEntry { method: Method::GET, path, access: Access::Token });
        self
    }

    /// What everybody may send at any rate, and nobody may write down: no log line says that it came. The handler
    /// gives its refusals their face, and limits what it reads.
    pub fn bare_post<H, T>(mut self, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.router = self.router.route(path, routing::post(handler));
        self.table.push(RouteEntry { method: Method::POST, path, access: Access::Public });
        self
    }

    fn add(
        mut self,
        method: Method,
        path: &'static str,
        access: Access,
        handler: MethodRouter<AppState>,
    ) -> Self {
        let guarded = handler.layer(middleware::from_fn(move |request: Request, next: Next| async move {
            let checked =
                readable(&request).and_then(|()| access.check(request.extensions().get::<Viewer>()));
            let mut response = match checked {
                Ok(()) => next.run(request).await,
                Err(refused) => refused.into_response(),
            };
            response.extensions_mut().insert(Pattern(path));
            response
        }));
        self.router = self.router.route(path, guarded);
        self.table.push(RouteEntry { method, path, access });
        self
    }

    pub fn merge(mut self, other: Routes) -> Self {
        self.router = self.router.merge(other.router);
        self.table.extend(other.table);
        self
    }

    pub fn into_parts(self) -> (Router<AppState>, Vec<RouteEntry>) {
        (self.router, self.table)
    }
}

/// Postgres stores no NUL, so nothing has one in its name, and no keyboard types one.
fn readable(request: &Request) -> Result<(), Error> {
    match request.uri().path_and_query().is_some_and(|address| address.as_str().contains("%00")) {
        true => Err(Error::Rejected(StatusCode::BAD_REQUEST, "This address could not be read.".into())),
        false => Ok(()),
    }
}

/// The token of a program: `Authorization: Bearer …`.
pub fn bearer(headers: &HeaderMap) -> Result<&str, Error> {
    let value = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    value.and_then(|v| v.strip_prefix("Bearer ")).map(str::trim).ok_or(Error::Unauthenticated)
}

/// The fallback for paths that no route has.
pub async fn not_found() -> Response {
    Error::NotFound.into_response()
}
