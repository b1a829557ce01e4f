//! Processings that people can choose about, and notices that tell of exactly them.

use daylight::notices::{ChangeClass, Covered, Version};
use daylight::register;
use daylight::web::{Role, Viewer, times};
use uuid::Uuid;

use super::declaration::but;
use super::{Actor, TestApp, notice};

/// Declares a processing of acme-agent for the EU, with these fields changed, and puts it into force.
pub async fn declare(app: &TestApp, publisher: &Actor, changes: &[(&str, &str)]) -> Uuid {
    let path = publisher.post("/register", &but(changes)).await.assert_status(303).location().to_owned();
    let path = path.split('?').next().expect("a path").to_owned();
    let id: Uuid = path.rsplit('/').next().and_then(|id| id.parse().ok()).expect("a processing's id");
    for (verb, more) in [("propose", None), ("activate", Some(("activate_confirm", "yes")))] {
        let revision = revision(app, id).await.to_string();
        let mut fields = vec![("revision", revision.as_str())];
        fields.extend(more);
        publisher.post(&format!("{path}/{verb}"), &fields).await.assert_status(303);
    }
    id
}

pub async fn revision(app: &TestApp, id: Uuid) -> i32 {
    let revision = sqlx::query_scalar("select revision from processing where id = $1").bind(id);
    revision.fetch_one(&app.state.db).await.expect("a revision")
}

/// What an opt-in processing says besides.
pub const OPT_IN: &[(&str, &str)] =
    &[("choice_mode", "opt_in"), ("legal_basis", "eu-gdpr:A6-1-a"), ("purpose", "ai:ModelTraining")];

pub const OPT_OUT: &[(&str, &str)] = &[("choice_mode", "opt_out")];

/// A version, not yet written, that tells of these processings as the register has them now.
pub async fn telling(app: &TestApp, by: Uuid, processings: &[Uuid]) -> Version {
    let mut db = app.state.db.acquire().await.expect("a connection");
    let mut table = Vec::new();
    for id in processings {
        let history = register::store::list_history(&mut db, *id).await.expect("a history");
        let newest = history.last().expect("a revision");
        table.push(Covered {
            processing: *id,
            revision: newest.revision,
            content_sha256: times::hex(&newest.content_sha256),
            ..notice::covered("30 days")
        });
    }
    Version { processings: processings.to_vec(), field_table: Some(table), ..notice::version(app, by) }
}

/// A published notice that tells of these processings as they are now, in force at once.
pub async fn tell(app: &TestApp, by: Uuid, processings: &[Uuid]) -> Version {
    let version = telling(app, by, processings).await;
    notice::write(app, &version).await;
    version
}

/// The next version of a notice, which tells of the same processings as they are now.
pub async fn tell_again(app: &TestApp, former: &Version, class: ChangeClass) -> Version {
    let table = telling(app, former.created_by, &former.processings).await.field_table;
    let next = Version { field_table: table, ..notice::next(app, former, class, "It has changed.") };
    notice::write(app, &next).await;
    next
}

/// Makes one choice as its page would.
pub async fn choose(
    app: &TestApp,
    worker: &Actor,
    processing: Uuid,
    choice: daylight::consent::model::Choice<'_>,
) -> daylight::error::Result<Uuid> {
    use daylight::consent::actions::{Seen, Wish, choose, show};
    let viewer = viewer(app, worker.id(), Role::Worker);
    let now = app.state.clock.now();
    let mut db = app.state.db.acquire().await?;
    let (audience, case) = daylight::consent::cases::find(&mut db, viewer.person_id, processing, now).await?;
    let shown = show(&mut db, &app.state, &audience, &case, "en").await?;
    drop(db);
    let seen = Seen { text: &times::hex(&shown.sha256), language: "en" };
    choose(&app.state, &viewer, Wish { processing, choice, seen }).await
}

/// Somebody as their session would have them.
pub fn viewer(app: &TestApp, person: Uuid, role: Role) -> Viewer {
    Viewer {
        person_id: person,
        session_id: Uuid::nil(),
        name: String::new(),
        roles: vec![role],
        time_zone: jiff::tz::TimeZone::UTC,
        signed_in_at: app.state.clock.now(),
    }
}

/// Lets an hour pass, at whose end what was decided enters the log.
pub async fn into_the_log(app: &TestApp) {
    app.state.clock.advance(3600);
    app.state.ledger.settle().await.expect("the log signs");
}
