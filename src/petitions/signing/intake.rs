//! The one writer of signatures.

use sqlx::PgPool;

use crate::clock::Clock;

pub struct Intake;

impl Intake {
    pub fn start(_db: PgPool, _clock: Clock) -> Self {
        Intake
    }
}
