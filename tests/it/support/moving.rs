//! Time that passes in a test, and what is waited for in it.

use std::time::Duration;

use daylight::clock::Clock;
use daylight::collection::{assign, confirm_device};
use uuid::Uuid;

use super::TestApp;
use super::activitywatch::within;

/// Puts the device of this name into the worker's hands, who says that it is theirs; answers what they said it of. Of an
/// agent that comes later they must say so again.
pub async fn own_device(test: &TestApp, label: &str, person: Uuid) -> Uuid {
    let device = sqlx::query_scalar("select id from device where label = $1").bind(label);
    let device = device.fetch_one(&test.state.db).await.expect("a device");
    let assignment = assign(&test.state, None, device, person).await.expect("assigned");
    confirm_device(&test.state, person, assignment).await.expect("confirmed");
    assignment
}

pub async fn until(seconds: u64, what: &str, holds: impl AsyncFn() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    within(seconds, what, wait).await;
}

/// A clock that stands at the tests' start and runs as time does.
pub struct Moving(Clock);

impl Moving {
    pub fn start(clock: Clock) -> Self {
        let moved = clock.clone();
        tokio::spawn(async move {
            let mut second = tokio::time::interval(Duration::from_secs(1));
            second.tick().await;
            loop {
                second.tick().await;
                moved.advance(1);
            }
        });
        Moving(clock)
    }

    /// Seconds from this clock to the machine's.
    pub fn shift(&self) -> i64 {
        Clock::system().now().seconds_since(self.0.now())
    }

    pub fn leap(&self, seconds: i64) {
        self.0.advance(seconds);
    }
}

/// Keeps a clock at the machine's time.
pub fn follow_machine(clock: Clock) {
    let follow = move || clock.advance(Clock::system().now().seconds_since(clock.now()));
    follow();
    tokio::spawn(async move {
        let mut step = tokio::time::interval(Duration::from_millis(200));
        loop {
            step.tick().await;
            follow();
        }
    });
}
