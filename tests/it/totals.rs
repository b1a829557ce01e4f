//! How many chose what, as others see it.

use daylight::consent::actions::tally::count_choices;
use daylight::consent::model::Choice;
use daylight::web::Role;
use uuid::Uuid;

use crate::support::consent::{OPT_IN, choose, declare, tell};
use crate::support::{Actor, TestApp};

struct Room {
    app: TestApp,
    publisher: Actor,
    workers: Vec<Actor>,
    processing: Uuid,
}

impl Room {
    async fn new(workers: usize) -> Self {
        let app = TestApp::new().await;
        let publisher = app.actor(Role::Publisher).await;
        let mut all = Vec::new();
        for n in 0..workers {
            all.push(app.sign_in_as(app.person(&format!("w{n}@example.com"), &[Role::Worker]).await).await);
        }
        let processing = declare(&app, &publisher, OPT_IN).await;
        tell(&app, publisher.id(), &[processing]).await;
        Room { app, publisher, workers: all, processing }
    }

    async fn choose(&self, who: std::ops::Range<usize>, choice: Choice<'_>) {
        for worker in &self.workers[who] {
            choose(&self.app, worker, self.processing, choice).await.unwrap();
        }
    }

    async fn tomorrow(&self) {
        self.app.state.clock.advance(86_400);
        count_choices(&self.app.state).await.unwrap();
    }

    /// People asked, yes, no, nothing, and until when.
    async fn row(&self) -> Vec<String> {
        let publisher = self.app.sign_in_as(self.publisher.id()).await;
        publisher.get("/organisation/choices").await.assert_status(200).select("tbody td")
    }
}

const FEW: &str = "nobody, or fewer than 5";

#[tokio::test]
async fn choices_are_counted_in_bands_of_whole_days() {
    let room = Room::new(20).await;
    assert_eq!(room.row().await[4], "not counted yet");
    room.choose(0..6, Choice::Yes).await;
    room.choose(6..13, Choice::No).await;
    count_choices(&room.app.state).await.unwrap();
    assert_eq!(room.row().await[4], "not counted yet", "nobody was asked when the day began");
    room.tomorrow().await;
    assert_eq!(room.row().await, ["20", "5 to 9 people", "5 to 9 people", "5 to 9 people", "3 Nov 2026"]);
    // Four more who say yes make eleven with the six and one of theirs: it isn't shown until a fifth does.
    room.choose(13..17, Choice::Yes).await;
    count_choices(&room.app.state).await.unwrap();
    room.tomorrow().await;
    assert_eq!(room.row().await[4], "3 Nov 2026", "four answers differ");
    room.choose(17..18, Choice::Yes).await;
    room.tomorrow().await;
    assert_eq!(room.row().await, ["20", "10 to 14 people", "5 to 9 people", FEW, "5 Nov 2026"]);
    let representative = room.app.actor(Role::Representative).await;
    assert_eq!(representative.get("/organisation/choices").await.select("tbody td"), room.row().await);
}

#[tokio::test]
async fn numbers_that_would_tell_of_single_people_arent_shown() {
    let room = Room::new(20).await;
    room.choose(0..5, Choice::Yes).await;
    room.choose(5..20, Choice::No).await;
    room.tomorrow().await;
    assert_eq!(
        room.row().await[..4],
        ["20", "not shown", "not shown", "not shown"],
        "all twenty have answered"
    );
    let small = Room::new(9).await;
    small.choose(0..6, Choice::Yes).await;
    small.tomorrow().await;
    assert_eq!(small.row().await[1..4], ["not shown"; 3]);
}

#[tokio::test]
async fn putting_off_leaving_and_what_ran_out_count_as_nothing() {
    let room = Room::new(20).await;
    room.choose(0..10, Choice::Later).await;
    room.tomorrow().await;
    assert_eq!(room.row().await[..4], ["20", FEW, FEW, "all people, or almost all"]);
    // Who leaves without an answer changes nothing that is shown; who comes neither.
    for worker in &room.workers[..5] {
        sqlx::query("update person set deactivated_at = $2 where id = $1")
            .bind(worker.id())
            .bind(room.app.state.clock.now())
            .execute(&room.app.state.db)
            .await
            .unwrap();
    }
    room.tomorrow().await;
    assert_eq!(room.row().await[4], "3 Nov 2026");
    room.choose(10..16, Choice::Yes).await;
    room.tomorrow().await;
    assert_eq!(room.row().await, ["15", "5 to 9 people", FEW, "5 to 9 people", "5 Nov 2026"]);
}
