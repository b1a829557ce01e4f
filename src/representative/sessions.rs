//! Signing in: a link that works once, then a cookie for twelve hours.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use sha2::{Digest, Sha256};

use super::server::Representative;
use super::store::{ONE, SESSIONS};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::ledger::proof::tree::Hash;

const LINK_SECONDS: i64 = 24 * 3600;
const SESSION_SECONDS: i64 = 12 * 3600;

fn digest(token: &str) -> Hash {
    Hash(Sha256::digest(token.as_bytes()).into())
}

/// Somebody is signed in.
pub(super) struct SignedIn;

impl FromRequestParts<Representative> for SignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, representative: &Representative) -> Result<Self> {
        let jar = CookieJar::from_headers(&parts.headers);
        match representative.is_signed_in(&jar)? {
            true => Ok(SignedIn),
            false => Err(Error::Unauthenticated),
        }
    }
}

impl Representative {
    /// `__Host-` ties the cookie to this host and https. The name differs from the dashboard's: browsers send
    /// cookies to every port of a host.
    fn cookie_name(&self) -> &'static str {
        match self.0.options.public_url.starts_with("https:") {
            true => "__Host-daylight-representative",
            false => "daylight-representative",
        }
    }

    pub(super) fn cookie(&self, token: String) -> Cookie<'static> {
        Cookie::build((self.cookie_name(), token))
            .path("/")
            .http_only(true)
            .secure(self.0.options.public_url.starts_with("https:"))
            .same_site(SameSite::Lax)
            .build()
    }

    /// Makes the address that signs somebody in once; the one before stops working.
    pub fn make_link(&self) -> Result<String> {
        let token = self.0.random.token();
        let until = self.now().plus_seconds(LINK_SECONDS);
        self.0.store.change(|change| Ok(change.put(ONE, b"link", &(digest(&token), until))?))?;
        Ok(format!("{}/link/{token}", self.0.options.public_url))
    }

    pub(super) fn is_link(&self, token: &str) -> Result<bool> {
        let link: Option<(Hash, Time)> = self.0.store.find(ONE, b"link")?;
        Ok(link.is_some_and(|(hash, until)| hash == digest(token) && self.now() < until))
    }

    /// Uses the link up and answers the session's token.
    pub(super) fn sign_in(&self, link: &str) -> Result<String> {
        let now = self.now();
        let token = self.0.random.token();
        self.0.store.change(|change| {
            let kept: Option<(Hash, Time)> = change.find(ONE, b"link")?;
            if !kept.is_some_and(|(hash, until)| hash == digest(link) && now < until) {
                return Err(Error::NotFound);
            }
            change.remove(ONE, b"link")?;
            for (key, until) in change.list::<Time>(SESSIONS, b"")? {
                if until <= now {
                    change.remove(SESSIONS, &key)?;
                }
            }
            Ok(change.put(SESSIONS, &digest(&token).0, &now.plus_seconds(SESSION_SECONDS))?)
        })?;
        Ok(token)
    }

    fn is_signed_in(&self, jar: &CookieJar) -> Result<bool> {
        let Some(cookie) = jar.get(self.cookie_name()) else { return Ok(false) };
        let until: Option<Time> = self.0.store.find(SESSIONS, &digest(cookie.value()).0)?;
        Ok(until.is_some_and(|until| self.now() < until))
    }

    pub(super) fn sign_out(&self, jar: &CookieJar) -> Result<()> {
        let Some(cookie) = jar.get(self.cookie_name()) else { return Ok(()) };
        self.0.store.change(|change| Ok(change.remove(SESSIONS, &digest(cookie.value()).0)?))
    }
}
