//! Sends what is due, a mail at a time, and keeps the tables' promises about retention.
//!
//! A mail is claimed by moving its next try into the future, so that several servers on one database
//! share the work, and nothing is locked while a mail server is slow. If this process dies between
//! sending and recording it, the mail goes out twice: better than not at all.

use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::Error as SmtpError;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::store;
use crate::app::AppState;
use crate::config::Config;
use crate::database::retention;
use crate::error::Result;

/// Minutes until the next try, after the first, second … one.
const BACKOFF_MINUTES: [i64; 4] = [1, 5, 30, 240];
/// Tries a mail gets in all.
pub(super) const TRIES: i32 = BACKOFF_MINUTES.len() as i32 + 1;
/// Seconds for which a claimed mail is left alone by others.
const CLAIM_SECONDS: i64 = 300;
const PAUSE: Duration = Duration::from_secs(5);
const SMTP_TIMEOUT: Duration = Duration::from_secs(20);
const CLEAN_EVERY_SECONDS: i64 = 3600;

/// Sends and cleans until the pool is closed, which waits for the mail that is on its way.
pub async fn run(state: AppState) {
    let mailer = Mailer::new(&state.config);
    let mut cleaned = None;
    while !state.db.is_closed() {
        let now = state.clock.now();
        if cleaned.is_none_or(|at| now.seconds_since(at) >= CLEAN_EVERY_SECONDS) {
            match clean(&state).await {
                Ok(()) => cleaned = Some(now),
                Err(error) => tracing::warn!(%error, "cleaning up failed and is tried again"),
            }
        }
        if let Some(mailer) = &mailer
            && let Err(error) = mailer.send_due(&state).await
        {
            tracing::warn!(%error, "the outbox can't be read and is tried again");
        }
        tokio::select! {
            () = state.db.close_event() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// One round: sends everything that is due; answers how many mails went out. Nothing without `SMTP_URL`.
pub async fn send_due(state: &AppState) -> Result<usize> {
    match Mailer::new(&state.config) {
        Some(mailer) => mailer.send_due(state).await,
        None => Ok(0),
    }
}

/// Deletes what the tables' comments promise to delete.
pub async fn clean(state: &AppState) -> Result<()> {
    let mut db = state.db.acquire().await?;
    retention::apply(&mut db, state.clock.now()).await?;
    Ok(())
}

struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: String,
}

impl Mailer {
    fn new(config: &Config) -> Option<Self> {
        let url = config.smtp_url.as_ref()?;
        match AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose()) {
            Ok(builder) => Some(Mailer {
                transport: builder.timeout(Some(SMTP_TIMEOUT)).build(),
                from: config.mail_from.clone(),
            }),
            Err(_) => {
                // The error may quote the address, and with it the password.
                tracing::error!("SMTP_URL can't be used, so no mail is sent");
                None
            }
        }
    }

    async fn send_due(&self, state: &AppState) -> Result<usize> {
        let mut sent = 0;
        // The pool's closing waits for this connection, and so for the record of what was sent.
        let mut db = state.db.acquire().await?;
        while !state.db.is_closed() {
            let now = state.clock.now();
            let Some(mail) = store::claim_due(&mut db, now, now.plus_seconds(CLAIM_SECONDS), TRIES).await?
            else {
                break;
            };
            match self.send(&mail).await {
                Ok(()) => {
                    store::mark_sent(&mut db, mail.id, state.clock.now()).await?;
                    tracing::info!(mail = %mail.id, attempt = mail.attempts, "mail sent");
                    sent += 1;
                }
                Err(reason) => {
                    let tried = usize::try_from(mail.attempts).unwrap_or(1);
                    let minutes = BACKOFF_MINUTES.get(tried.saturating_sub(1)).copied().unwrap_or(0);
                    let run_at = state.clock.now().plus_seconds(minutes * 60);
                    store::mark_failed(&mut db, mail.id, run_at, &reason).await?;
                    tracing::warn!(mail = %mail.id, attempt = mail.attempts, reason, "mail not sent");
                }
            }
        }
        Ok(sent)
    }

    /// Sends one mail, or says in a few words why not: never an address, never the server's own text,
    /// which may quote one.
    async fn send(&self, mail: &store::DueMail) -> Result<(), String> {
        let from = self.from.parse().map_err(|_| "MAIL_FROM isn't an address".to_owned())?;
        let to = mail.recipient.parse().map_err(|_| "the recipient's address can't be used".to_owned())?;
        let mut message = Message::builder()
            .from(from)
            .to(to)
            .subject(&mail.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(mail.body.clone())
            .map_err(|_| "the mail can't be written down".to_owned())?;
        // So that holiday replies aren't sent back (RFC 3834).
        let name = HeaderName::new_from_ascii_str("Auto-Submitted");
        message.headers_mut().insert_raw(HeaderValue::new(name, "auto-generated".into()));
        self.transport.send(message).await.map(|_| ()).map_err(|error| in_words(&error))
    }
}

fn in_words(error: &SmtpError) -> String {
    match error.status() {
        Some(code) => format!("the mail server refused it ({code})"),
        None if error.is_timeout() => "the mail server took too long".into(),
        None if error.is_tls() => "no safe connection to the mail server (TLS)".into(),
        None if error.is_client() => "the mail server can't do what SMTP_URL asks for".into(),
        None => "the mail server can't be reached".into(),
    }
}
