//! What the server logged on this test's thread, at debug level.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

thread_local! {
    static LOG: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

static SUBSCRIBER: Once = Once::new();

/// One subscriber for the whole process: with one for each test, tracing remembers for all of them what
/// another thread, which has none, thought of an event.
pub fn install() {
    SUBSCRIBER.call_once(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .with_writer(|| OfThisThread);
        // Fails when a test has one of its own; then nothing is captured, and the assertions say so.
        let _ = tracing::subscriber::set_global_default(subscriber.finish());
    });
}

struct OfThisThread;

impl Write for OfThisThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.as_mut().map(|log| log.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins to capture; call it before the server is made.
pub fn capture() {
    install();
    LOG.set(Some(Vec::new()));
}

/// Ends it; answers what was written.
pub fn captured() -> String {
    String::from_utf8_lossy(&LOG.take().expect("capturing has begun")).into_owned()
}
