//! A search that runs beside the server's own work: off the threads that answer others, fed as fast as it reads, and over
//! when its time is, or when nobody waits for it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::search::{Outcome, Search};

/// How long a search may take with the file's arrival: less than a request may (src/web/serving.rs), so that what was
/// found until then is told.
pub const LONGEST: Duration = Duration::from_secs(25);

/// Chunks that wait for the search; whoever sends more waits, too.
const WAITING: usize = 4;

/// Searches take a processor each: a few at a time.
static SEARCHES: Semaphore = Semaphore::const_new(2);

/// Leave to search, until a moment.
pub struct Turn {
    permit: SemaphorePermit<'static>,
    until: Instant,
}

impl Turn {
    /// Waits for a free place; `None` when there was none in time.
    pub async fn wait(longest: Duration) -> Option<Self> {
        let until = Instant::now() + longest;
        let permit = timeout_at(until, SEARCHES.acquire()).await.ok()?.ok()?;
        Some(Turn { permit, until })
    }
}

/// A search at work. Dropped, it ends within a step.
pub struct Work {
    sender: Option<mpsc::Sender<Bytes>>,
    stop: Arc<AtomicBool>,
    task: Option<JoinHandle<Outcome>>,
    until: Instant,
}

impl Drop for Work {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Work {
    pub fn begin(turn: Turn, mut search: Search) -> Self {
        let (sender, mut chunks) = mpsc::channel::<Bytes>(WAITING);
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, until) = (Arc::clone(&stop), turn.until);
        let task = tokio::task::spawn_blocking(move || {
            // The place is free again when this ends, not when whoever waits for it has gone.
            let _permit = turn.permit;
            let is_stopped = || stopped.load(Ordering::Relaxed);
            while let Some(chunk) = chunks.blocking_recv() {
                if !search.feed(&chunk, is_stopped) {
                    break;
                }
            }
            if is_stopped() {
                search.stop();
            }
            search.finish()
        });
        Work { sender: Some(sender), stop, task: Some(task), until }
    }

    /// Hands over what arrived; `false` when the time is over and the rest needn't be sent.
    pub async fn feed(&mut self, chunk: Bytes) -> bool {
        let Some(sender) = &self.sender else { return false };
        let is_taken = matches!(timeout_at(self.until, sender.send(chunk)).await, Ok(Ok(())));
        if !is_taken {
            self.stop.store(true, Ordering::Relaxed);
        }
        is_taken
    }

    /// When it must be over.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// Says that more was to come.
    pub fn cut(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits for what it comes to; what isn't searched when the time is over is left.
    pub async fn end(mut self) -> anyhow::Result<Outcome> {
        drop(self.sender.take());
        let Some(mut task) = self.task.take() else { anyhow::bail!("a search ends once") };
        let done = match timeout_at(self.until, &mut task).await {
            Ok(done) => done,
            Err(_) => {
                self.stop.store(true, Ordering::Relaxed);
                task.await
            }
        };
        done.map_err(|_| anyhow::anyhow!("the search was cut off"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canaries::Token;
    use crate::canaries::unpack::Missed;
    use crate::clock::Random;

    fn search() -> Search {
        Search::new(&[Token::make(&Random::seeded(1))], Vec::new(), u64::MAX)
    }

    #[tokio::test]
    async fn it_ends_when_its_time_is_over_and_says_so() {
        let turn = Turn::wait(Duration::from_millis(300)).await.expect("a place");
        let mut work = Work::begin(turn, search());
        let (chunk, mut fed) = (Bytes::from(vec![b'a'; 1 << 20]), 0u64);
        while work.feed(chunk.clone()).await {
            fed += 1 << 20;
            assert!(fed < 1 << 40, "it never ends");
        }
        let outcome = work.end().await.expect("an outcome");
        assert_eq!(outcome.missed, [Missed::Time]);
        assert!(outcome.searched > 0 && outcome.searched < fed);
    }

    #[tokio::test]
    async fn it_ends_when_nobody_waits_for_it() {
        let turn = Turn::wait(LONGEST).await.expect("a place");
        let mut work = Work::begin(turn, search());
        work.feed(Bytes::from(vec![b'a'; 256 << 20])).await;
        let task = work.task.take().expect("at work");
        drop(work);
        let outcome =
            tokio::time::timeout(Duration::from_secs(5), task).await.expect("soon").expect("an outcome");
        assert!(outcome.missed.contains(&Missed::Time));
    }
}
