//! The example's petitions: one that is open and waits for an answer, one that was answered, one refused, one to be
//! checked, and one that looks for support.

use uuid::Uuid;

use super::credentials::{Member, Servers};
use super::people::Staff;
use super::register::Declared;
use super::representative::{connect, open_beside};
use crate::app::{self, AppState};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::ledger::proof::petition::Disclosure;
use crate::petitions::life::actions::{self, Refusal};
use crate::petitions::life::model::{About, AboutKind, Document};
use crate::petitions::{life, signing};
use crate::web::{Role, Viewer};

/// Days of the petitions' history; the first one's thirty days are over by now.
const DAYS: i64 = 36;
const HOUR: i64 = 3600;
/// Where in the register's plans keystroke counts stand.
const KEY_COUNTS: usize = 2;

struct Text {
    title: &'static str,
    demand: &'static str,
    background: &'static str,
    days: i32,
}

const COUNTS: Text = Text {
    title: "Stop counting keystrokes",
    demand: "We ask that the program on our computers no longer counts keystrokes, and that the counts kept so far are \
        deleted.",
    background: "Nobody could tell us what the counts are for. Two teams were compared by them in a meeting in September, although the \
        notice says that this doesn’t happen.\n\nWhoever types little thinks much, or is on the telephone, or in the warehouse.",
    days: 60,
};
const SCREENS: Text = Text {
    title: "No messages after six o’clock",
    demand: "We ask that the planning program sends no messages to our phones between 18:00 and 6:00.",
    background: "Shifts are planned a week ahead. What comes at night can wait until the morning.",
    days: 30,
};
const PERSON: Text = Text {
    title: "A different shift leader for hall 2",
    demand: "We ask that somebody else leads the late shift in hall 2.",
    background: "",
    days: 30,
};
const EXPORT: Text = Text {
    title: "Show us what the planning program says about us",
    demand: "We ask for a page on which each of us sees the planning program’s estimate of how fast we work, and how it comes about.",
    background: "It ranks us, and nobody has ever seen the ranking.",
    days: 60,
};
const BREAKS: Text = Text {
    title: "Don’t count breaks as idle time",
    demand: "We ask that the fifteen minutes after each two hours don’t count as idle time.",
    background: "The agreement of 2019 grants them.",
    days: 90,
};

/// Makes everything that happened until now.
pub async fn fill(state: &AppState, staff: &Staff, declared: &[Declared], now: Time) -> Result<()> {
    let past = super::on_clock(state, now.plus_days(-DAYS));
    // The representative's server speaks to the dashboard over the network, also about the past.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(anyhow::Error::new)?;
    let address = format!("http://{}", listener.local_addr().map_err(anyhow::Error::new)?);
    let dashboard = app::router(past.clone());
    let serving = tokio::spawn(async move { axum::serve(listener, dashboard).await });
    let representative = open_beside(&past, address)?;
    connect(&past, &representative).await?;
    let servers = Servers::of(&past, &representative);
    let members = servers.enrol(staff).await?;
    let story = Story { servers, staff, members };
    let result = story.tell(declared, now).await;
    serving.abort();
    result
}

struct Story<'a> {
    servers: Servers<'a>,
    staff: &'a Staff,
    members: Vec<Member>,
}

impl Story<'_> {
    fn state(&self) -> &AppState {
        self.servers.state
    }

    fn author(&self, member: usize) -> Viewer {
        let person_id = self.members[member].person;
        let name = self.staff.workers.iter().find(|w| w.id == person_id).map(|w| w.name.clone());
        Viewer {
            person_id,
            session_id: Uuid::nil(),
            name: name.unwrap_or_default(),
            roles: vec![Role::Worker],
            time_zone: self.state().config.time_zone.clone(),
            signed_in_at: self.state().clock.now(),
        }
    }

    /// Lets a day pass, with everything that comes at full hours.
    async fn next_day(&self) -> Result<()> {
        self.state().clock.advance(24 * HOUR);
        self.look().await
    }

    async fn look(&self) -> Result<()> {
        life::advance(self.state()).await?;
        signing::publish_due(self.state()).await?;
        life::advance(self.state()).await
    }

    async fn start(&self, author: usize, text: &Text, about: Option<About>) -> Result<Uuid> {
        let document = Document {
            title: text.title.into(),
            demand: text.demand.into(),
            background: text.background.into(),
            about,
            open_days: text.days,
        };
        let viewer = self.author(author);
        let id = actions::insert(self.state(), &viewer, &document).await?;
        actions::submit(self.state(), &viewer, id, &document).await?;
        Ok(id)
    }

    /// These members sign; every third one without a name.
    async fn sign(&self, petition: Uuid, members: std::ops::Range<usize>) -> Result<()> {
        let mut db = self.state().db.acquire().await?;
        let open = life::find_signable(&mut db, self.state(), petition).await?.ok_or(Error::NotFound)?;
        drop(db);
        for (n, member) in members.clone().zip(&self.members[members]) {
            let disclosure = match n % 6 {
                0 | 3 | 5 => Disclosure::Nobody,
                1 => Disclosure::Everyone,
                2 => Disclosure::EveryoneWithDepartment,
                _ => Disclosure::Representatives,
            };
            self.servers.sign(member, (open.leaf_hash, open.slot), disclosure).await?;
        }
        Ok(())
    }

    async fn tell(&self, declared: &[Declared], now: Time) -> Result<()> {
        let representative = &self.staff.representative;
        let screens = self.start(4, &SCREENS, None).await?;
        self.sign(screens, 4..10).await?;
        self.next_day().await?;
        actions::open(self.state(), representative, screens).await?;
        for day in 0..6 {
            self.sign(screens, 10 + day * 3..13 + day * 3).await?;
            self.next_day().await?;
        }
        let words = "We agree. From the first of next month on the planning program sends nothing between 18:00 and 6:00, but \
            for cancelled shifts.";
        actions::answer(self.state(), &self.staff.publisher, screens, 0, words).await?;
        let person = self.start(20, &PERSON, None).await?;
        self.sign(person, 20..26).await?;
        self.next_day().await?;
        let refusal = Refusal {
            code: "about_a_person",
            words: "It is about one colleague. Come to us with this; we will talk to both.",
        };
        actions::refuse(self.state(), representative, person, refusal).await?;
        for _ in 0..10 {
            self.next_day().await?;
        }
        let about = About { kind: AboutKind::Processing, id: declared[KEY_COUNTS].0 };
        let counts = self.start(11, &COUNTS, Some(about)).await?;
        self.sign(counts, 8..14).await?;
        self.next_day().await?;
        actions::open(self.state(), representative, counts).await?;
        for day in 0..8 {
            self.sign(counts, 14 + day * 2..16 + day * 2).await?;
            self.next_day().await?;
        }
        actions::update(
            self.state(),
            representative,
            counts,
            "We have asked the employer what the counts were used for, and wait for an answer.",
        )
        .await?;
        self.sign(counts, 30..36).await?;
        while self.state().clock.now().plus_days(2) < now {
            self.next_day().await?;
        }
        let check = self.start(17, &EXPORT, None).await?;
        self.sign(check, 15..22).await?;
        self.next_day().await?;
        let support = self.start(29, &BREAKS, None).await?;
        self.sign(support, 28..31).await?;
        let rest = now.seconds_since(self.state().clock.now());
        self.state().clock.advance(rest.max(0));
        self.look().await
    }
}
