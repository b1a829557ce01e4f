//! The example's agents have looked for known monitoring programs: what is declared is on every laptop, and on one there
//! is a program that nobody declared.

use super::reports::{email_of, key};
use crate::app::AppState;
use crate::catalogue::{By, ProductId};
use crate::clock::Time;
use crate::collection;
use crate::collection::presence::{self, Look, ParsedLook, SeenProduct};
use crate::collection::report::Window;

use crate::error::Result;

/// Whose laptop has the program that isn't declared.
const WHOSE: &str = "worker@demo.example";

/// One look on each laptop, an hour ago; every fourth was never looked at.
pub async fn look_everywhere(state: &AppState, now: Time) -> Result<()> {
    let window = Window { start: now.plus_seconds(-3600), end: now.plus_seconds(-3300) };
    let heads = collection::list_heads(&mut *state.db.acquire().await?).await?;
    for (n, head) in heads.iter().enumerate() {
        let Some(email) = email_of(&head.device) else { continue };
        if n % 4 == 3 && email != WHOSE {
            continue;
        }
        let mut names = vec![("activitywatch", By::Process)];
        if email == WHOSE {
            names.push(("osquery", By::Package));
        }
        let seen = |(id, by): (&str, By)| {
            let product = ProductId::parse(id)?;
            Some(SeenProduct { product, by, first_observed: window.start, last_observed: window.end })
        };
        let look = Look {
            report_id: state.random.uuid(now),
            agent_id: head.agent_id,
            device_id: head.device_id,
            window,
            produced_at: window.end,
            products: names.into_iter().filter_map(seen).collect(),
        };
        let (signed, _) = look.sign(&key(email))?;
        presence::take(state, &ParsedLook::read(signed.to_string().as_bytes())?, now).await?;
    }
    Ok(())
}
