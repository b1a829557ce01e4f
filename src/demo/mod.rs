//! A made-up organisation: about 40 people in 5 departments, 90 days of history, and agents that go on
//! reporting while the example runs. Everything goes through the same actions and the same intake as the
//! real thing, on a clock that starts in the past. Marked as an example on every page.

mod choices;
mod credentials;
mod notices;
mod people;
mod petitions;
mod presence;
mod reading;
mod register;
mod reports;
mod representative;
mod systems;

use std::path::Path;

use jiff::tz::TimeZone;

use crate::app::AppState;
use crate::clock::{Clock, Time};
use crate::config::Config;
use crate::consent;
use crate::error::Result;
use crate::identity;
use crate::ledger;

pub use choices::keep_asking;
pub use reports::keep_reporting;
pub use representative::start_representative;

/// Days of history the example has.
const DAYS: i64 = 90;

/// The password of the four example accounts; serve refuses a database that has them.
const PASSWORD: &str = "daylight-demo";

const ACCOUNTS: [(&str, &str); 4] = [
    ("worker@demo.example", "Ada Winter, worker"),
    ("hr@demo.example", "Bruno Falk, publisher (HR)"),
    ("rep@demo.example", "Carla Nowak, representative"),
    ("admin@demo.example", "Dario Hess, administrator"),
];

/// The example's name and time zone, over whatever the environment says.
pub fn dress(config: &mut Config) {
    config.organisation = "Nordlicht Logistik (example)".into();
    config.time_zone = TimeZone::get("Europe/Berlin").unwrap_or(TimeZone::UTC);
}

/// Fills an empty database; in one that has the example already, brings its reports up to now.
pub async fn fill(state: &AppState) -> Result<()> {
    let now = state.clock.now();
    let begin = now.plus_days(-DAYS - 2);
    // A day's last moment is reported the next day; midnight UTC keeps windows and days in step.
    let begin = begin.day(&TimeZone::UTC).start(&TimeZone::UTC).plus_seconds(7 * 3600);
    let past = on_clock(state, begin);
    let mut made = None;
    if !people::is_filled(state).await? {
        println!("Making an example organisation with {DAYS} days of history …");
        let staff = people::fill(&past).await?;
        reports::enrol_everybody(&past, &staff).await?;
        let mut declared = register::declare(&past, &staff).await?;
        let notice = notices::publish_first(&past, &staff, &declared, now).await?;
        let others = notices::publish_others(&past, &staff, &declared).await?;
        reading::read_first(&past, &staff, notice, true).await?;
        for other in others {
            reading::read_first(&past, &staff, other, false).await?;
        }
        let seen = register::change(&past, &staff, now, &mut declared).await?;
        notices::tell_of_resumption(&past, &staff, &declared).await?;
        register::go_on(&past, &staff, now, &declared, seen).await?;
        notices::fill(&past, &staff, &declared, notice).await?;
        reading::read_second(&past, &staff, notice).await?;
        systems::register(&past, &staff, &declared).await?;
        choices::fill(&past, &staff, &declared, now).await?;
        petitions::fill(&past, &staff, &declared, now).await?;
        consent::actions::tally::count_choices(state).await?;
        made = Some(staff);
    }
    reports::catch_up(state, now).await?;
    match made {
        Some(staff) => {
            presence::look_everywhere(state, now).await?;
            reports::answer_one_finding(state, &staff).await
        }
        None => Ok(()),
    }
}

/// The same application on another clock.
fn on_clock(state: &AppState, at: Time) -> AppState {
    AppState::new((*state.config).clone(), state.db.clone(), Clock::fixed(at), state.random.clone())
}

/// Forgets what stands beside the database of an example that is thrown away: its log's head, and both issuers' keys.
pub fn forget(data_dir: &Path) -> std::io::Result<()> {
    ledger::forget_example(data_dir)?;
    for folder in ["petitions", representative::FOLDER] {
        match std::fs::remove_dir_all(data_dir.join(folder)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

/// Prints one sign-in link for each role.
pub async fn print_links(state: &AppState) -> Result<()> {
    println!(
        "\nDaylight is at {} with an example organisation.\nSign in with one of these links (each works once):\n",
        state.config.base_url
    );
    for (email, who) in ACCOUNTS {
        if let Some(link) = identity::issue_sign_in_link(state, email, 24).await? {
            println!("  {who}\n    {link}");
        }
    }
    println!("\nor with any of these addresses and the password {PASSWORD}. Ctrl-C stops.\n");
    Ok(())
}
