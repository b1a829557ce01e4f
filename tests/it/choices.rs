//! "Your choices", through HTTP as the person whose choices they are.

use daylight::consent::actions::{Reply as Answer, answer};
use daylight::notices::{ChangeClass, Version};
use daylight::web::Role;
use uuid::Uuid;

use crate::support::consent::{OPT_IN, OPT_OUT, declare, tell, tell_again, viewer};
use crate::support::notice::retract;
use crate::support::{Actor, Reply, TestApp, logs};

/// Off until a yes, for another purpose than training.
pub const CONSENT: &[(&str, &str)] =
    &[("choice_mode", "opt_in"), ("legal_basis", "eu-gdpr:A6-1-a"), ("category", "location.network")];

pub const MANDATORY: &[(&str, &str)] = &[
    ("choice_mode", "mandatory"),
    ("category", "presence"),
    ("purpose", "daylight:Attendance"),
    ("legal_basis", "eu-gdpr:A6-1-c"),
    ("mandatory_citation", "Working Time Act §16"),
    ("mandatory_contact", "payroll@example.com"),
    ("mandatory_review_date", "2027-06-01"),
];

const REASON: &str = "I work from home beside my family.";

pub struct Room {
    pub app: TestApp,
    pub publisher: Actor,
    pub worker: Actor,
}

impl Room {
    pub async fn new() -> Self {
        let app = TestApp::new().await;
        let publisher = app.actor(Role::Publisher).await;
        let worker = app.actor(Role::Worker).await;
        Room { app, publisher, worker }
    }

    /// A processing that people were told of.
    pub async fn told(&self, changes: &[(&str, &str)]) -> Uuid {
        self.told_by(changes).await.0
    }

    async fn told_by(&self, changes: &[(&str, &str)]) -> (Uuid, Version) {
        let id = declare(&self.app, &self.publisher, changes).await;
        let version = tell(&self.app, self.publisher.id(), &[id]).await;
        self.app.state.consent.reload().await.unwrap();
        (id, version)
    }

    /// Days later, signed in again.
    async fn after(&mut self, days: i64) {
        self.app.state.clock.advance(days * 86_400 + 1);
        self.worker = self.app.sign_in_as(self.worker.id()).await;
    }

    async fn page(&self) -> Reply {
        self.worker.get("/me/choices").await.assert_status(200)
    }

    /// Presses a button as it stands on the page.
    pub async fn press(&self, processing: Uuid, choice: &str) -> Reply {
        press(&self.worker, processing, choice).await
    }

    pub async fn object(&self, processing: Uuid, more: &[(&str, &str)]) -> Reply {
        let path = format!("/me/choices/{processing}/object");
        let page = self.worker.get(&path).await.assert_status(200);
        send(&self.worker, &page, &path, more).await
    }

    async fn standing(&self, processing: Uuid) -> String {
        self.page().await.select(&format!("[id='c-{processing}'] .pick__standing")).remove(0)
    }

    async fn chips(&self, processing: Uuid) -> Vec<String> {
        self.page().await.select(&format!("[id='c-{processing}'] > .cluster .chip"))
    }

    async fn waits(&self) -> Vec<String> {
        self.worker.get("/me/account").await.assert_status(200).select(".site-nav .count")
    }

    pub async fn answer(&self, processing: Uuid, reply: Answer, reason: &str) {
        let objection: Uuid = sqlx::query_scalar(
            "select id from consent_decision where processing_id = $1 order by number desc limit 1",
        )
        .bind(processing)
        .fetch_one(&self.app.state.db)
        .await
        .unwrap();
        let hr = viewer(&self.app, self.publisher.id(), Role::Publisher);
        answer(&self.app.state, &hr, objection, reply, reason).await.unwrap();
    }
}

pub async fn press(actor: &Actor, processing: Uuid, choice: &str) -> Reply {
    let page = actor.get("/me/choices").await.assert_status(200);
    let path = format!("/me/choices/{processing}");
    let button = format!("form[action='{path}'] button[value='{choice}']");
    assert_eq!(page.select(&button).len(), 1, "no button {choice} in {}", page.body);
    send(actor, &page, &path, &[("choice", choice)]).await
}

/// Sends a form with its hidden fields as they stand on the page.
pub async fn send(actor: &Actor, page: &Reply, path: &str, more: &[(&str, &str)]) -> Reply {
    let hidden = format!("form[action='{path}'] input[type=hidden]");
    let (names, values) = (page.attributes(&hidden, "name"), page.attributes(&hidden, "value"));
    assert!(!names.is_empty(), "no form to {path} in {}", page.body);
    let mut fields: Vec<(&str, &str)> =
        names.iter().map(String::as_str).zip(values.iter().map(String::as_str)).collect();
    fields.extend(more);
    actor.post(path, &fields).await
}

#[tokio::test]
async fn everything_that_can_be_chosen_stands_in_its_place() {
    let room = Room::new().await;
    let consent = room.told(CONSENT).await;
    let training = room.told(OPT_IN).await;
    let objection = room.told(&[]).await;
    let mandatory = room.told(MANDATORY).await;
    let untold = declare(&room.app, &room.publisher, &[("category", "web.domains")]).await;
    let page = room.page().await;
    assert_eq!(
        page.select("main h2"),
        [
            "Waiting for your answer 1",
            "On, and you can object",
            "Training AI models 1 to answer",
            "What you cannot refuse",
            "Declared, but off",
            "What this page can and can’t do",
        ]
    );
    let of = |section: &str| page.attributes(&format!("section[aria-labelledby='{section}'] article"), "id");
    assert_eq!(of("waiting"), [format!("c-{consent}")]);
    assert_eq!(of("training"), [format!("c-{training}")], "never mixed with others");
    assert_eq!(of("objection"), [format!("c-{objection}")]);
    assert_eq!(of("mandatory"), [format!("c-{mandatory}")]);
    assert_eq!(of("not-told"), [format!("c-{untold}")]);
    assert_eq!(room.waits().await, ["2 to answer", "4 to read"]);

    let must = page.select(&format!("[id='c-{mandatory}']")).remove(0);
    for words in ["You cannot refuse this", "Working Time Act §16", "payroll@example.com", "1 Jun 2027"] {
        assert!(must.contains(words), "{words} isn't in {must}");
    }
    for (id, buttons) in [(consent, 3), (training, 3), (mandatory, 0), (objection, 0), (untold, 0)] {
        let css = format!("[id='c-{id}'] button");
        assert_eq!(page.select(&css).len(), buttons, "no switch where there is no choice: {id}");
    }
    assert_eq!(room.chips(untold).await, ["Off"]);
    assert!(room.standing(untold).await.contains("No notice in force tells you of it"));
    assert!(page.select(".chip--good").is_empty(), "neither on nor off is the green one");
    assert!(
        page.attributes(&format!("[id='c-{objection}'] a"), "href")
            .contains(&format!("/me/choices/{objection}/object"))
    );
    // Other pages lead to a kind of data.
    assert_eq!(page.attributes("article > .cluster", "id").len(), 4, "programs stand twice, and first once");
}

#[tokio::test]
async fn saying_no_takes_as_many_actions_as_saying_yes() {
    let room = Room::new().await;
    let id = room.told(CONSENT).await;
    for (choice, done, chip) in [("yes", "choice-yes", "On"), ("no", "choice-no", "Off")] {
        // One: the button on the page. There is no second page, no box and no question.
        let reply = room.press(id, choice).await.assert_status(303);
        assert_eq!(reply.location(), format!("/me/choices?done={done}#c-{id}"));
        assert_eq!(room.chips(id).await, [chip]);
    }
    assert!(room.standing(id).await.starts_with("Off. You took your yes back on 2 Nov 2026, 09:00."));
    // Both look alike.
    room.app.state.clock.advance(60);
    let fresh = room.told(&[("choice_mode", "opt_out"), ("category", "device.inventory")]).await;
    let page = room.page().await;
    let look = |choice: &str| {
        page.attributes(&format!("form[action='/me/choices/{fresh}'] button[value='{choice}']"), "class")
    };
    assert_eq!(look("yes"), look("no"));
    assert_eq!(room.app.count("consent_decision").await, 2);
}

#[tokio::test]
async fn later_is_no_yes_and_keeps_quiet_for_a_week() {
    let mut room = Room::new().await;
    let id = room.told(CONSENT).await;
    assert_eq!(room.waits().await[0], "1 to answer");
    room.press(id, "later").await.assert_status(303);
    assert_eq!(room.chips(id).await, ["Off"]);
    assert!(room.standing(id).await.contains("this asks again after 9 Nov 2026, 09:00"));
    assert_eq!(room.waits().await, ["1 to read"]);
    assert_eq!(room.page().await.select(&format!("[id='c-{id}'] button")).len(), 2, "it isn't asked again");
    room.after(7).await;
    assert_eq!(room.waits().await[0], "1 to answer");
    assert_eq!(room.chips(id).await, ["Waiting for you", "Off"]);
}

#[tokio::test]
async fn what_changed_meanwhile_is_read_again() {
    let room = Room::new().await;
    let (id, version) = room.told_by(CONSENT).await;
    let before = room.page().await;
    tell_again(&room.app, &version, ChangeClass::Material).await;
    let path = format!("/me/choices/{id}");
    let reply = send(&room.worker, &before, &path, &[("choice", "yes")]).await.assert_status(409);
    let error = reply.select(&format!("[id='c-{id}'] .field__error")).remove(0);
    assert!(error.contains("has changed meanwhile. Please read it again."), "{error}");
    assert_eq!(reply.attributes(".error-summary a", "href"), [format!("#c-{id}")]);
    assert_eq!(room.app.count("consent_decision").await, 0);
    // A no needs nothing to be read again.
    send(&room.worker, &before, &path, &[("choice", "no")]).await.assert_status(303);
    assert!(room.standing(id).await.starts_with("Off. You said no"));
    let reply = room.worker.post(&path, &[("choice", "perhaps")]).await.assert_status(422);
    assert!(reply.select(".field__error")[0].contains("Choose one of the buttons"));
    room.worker.post(&format!("/me/choices/{}", Uuid::nil()), &[("choice", "no")]).await.assert_status(404);
}

#[tokio::test]
async fn what_is_on_until_a_no_says_so_and_what_a_no_leads_to() {
    let room = Room::new().await;
    let id = room.told(OPT_OUT).await;
    assert_eq!(room.chips(id).await, ["Waiting for you", "On"]);
    let card = room.page().await.select(&format!("[id='c-{id}']")).remove(0);
    assert!(card.contains("It is on until you say no."), "{card}");
    assert!(card.contains("What was collected before stays for up to 30 days"), "{card}");
}

#[tokio::test]
async fn a_no_can_be_said_even_when_no_notice_tells_of_it_any_more() {
    let room = Room::new().await;
    let (id, version) = room.told_by(CONSENT).await;
    room.press(id, "yes").await.assert_status(303);
    room.app.state.clock.advance(1);
    retract(&room.app, &version, "It was wrong.").await;
    let card = room.page().await.select(&format!("[aria-labelledby='not-told'] [id='c-{id}']")).remove(0);
    assert!(card.contains("No notice in force tells you of it. You said yes on 2 Nov 2026"), "{card}");
    assert!(card.contains("The notice below told you of it when you decided."), "{card}");
    assert_eq!(room.page().await.select(&format!("[id='c-{id}'] button")), ["No, from now on"]);
    room.press(id, "no").await.assert_status(303);
    assert!(room.standing(id).await.contains("You took your yes back"));
    // What isn't in force any more is still there to look up.
    let path = format!("/register/{id}");
    let end = [("revision", "3"), ("reason", "Over."), ("end_confirm", "yes"), ("end_reason", "Over.")];
    room.publisher.post(&format!("{path}/end"), &end).await.assert_status(303);
    let page = room.page().await;
    let former = page.attributes("[aria-labelledby='former'] a", "href");
    assert_eq!(former, [format!("/me/choices/{id}")]);
    let one = room.worker.get(&former[0]).await.assert_status(200);
    assert!(one.select(".lead")[0].contains("no longer in force for you"));
    assert_eq!(one.select(".timeline__title"), ["You took your yes back", "You said yes"]);
}

#[tokio::test]
async fn of_several_at_once_each_no_counts_and_yeses_count_together() {
    let room = Room::new().await;
    let (one, _) = room.told_by(CONSENT).await;
    let (two, version) = room.told_by(&[("choice_mode", "opt_out"), ("category", "device.inventory")]).await;
    let training = room.told(OPT_IN).await;
    let path = "/me/choices/several";
    let page = room.worker.get(path).await.assert_status(200);
    assert_eq!(page.select("fieldset").len(), 2);
    assert!(!page.body.contains(&format!("choice-{training}")), "training AI is chosen apart");
    assert!(page.attributes("main a", "href").contains(&"/me/choices#training".to_owned()));
    assert_eq!(
        page.attributes("input[checked]", "value"),
        ["leave", "leave"],
        "nothing is ticked for anybody"
    );
    assert_eq!(page.select("button[value='yes-to-all']").len(), 0);

    let (first, second) = (format!("choice-{one}"), format!("choice-{two}"));
    let nothing = send(&room.worker, &page, path, &[("do", "save"), (&first, "leave")]).await;
    assert!(nothing.assert_status(422).select(".error-summary")[0].contains("Everything is left as it is"));

    // One of them has changed: the yes to it can't count, and keeps no other choice's no waiting.
    tell_again(&room.app, &version, ChangeClass::Material).await;
    let both = [("do", "save"), (first.as_str(), "no"), (second.as_str(), "yes")];
    let reply = send(&room.worker, &page, path, &both).await.assert_status(409);
    assert_eq!(reply.attributes("input[checked]", "value"), ["yes"]);
    assert_eq!(reply.select(&format!("[id='{second}'] .field__error")).len(), 1);
    assert!(reply.select(".error-summary")[0].contains("Each no that you said is saved"));
    assert_eq!(room.chips(one).await, ["Off"]);
    assert_eq!(room.app.count("consent_decision where state = 'refused'").await, 1);

    let reply = send(&room.worker, &reply, path, &both).await.assert_status(303);
    assert_eq!(reply.location(), "/me/choices?done=choices-saved");
    assert_eq!((room.chips(one).await, room.chips(two).await), (vec!["Off".into()], vec!["On".into()]));
    let page = room.worker.get(path).await.assert_status(200);
    send(&room.worker, &page, path, &[("do", "no-to-all")]).await.assert_status(303);
    assert_eq!(room.chips(two).await, ["Off"]);
    assert_eq!(room.chips(training).await, ["Waiting for you", "Off"], "no answer is given for it");
    assert_eq!(room.app.count("consent_decision").await, 3);
    let page = room.worker.get(path).await.assert_status(200);
    assert_eq!(page.select("button[value='no-to-all']").len(), 0, "nothing is left to refuse");
}

#[tokio::test]
async fn an_objection_stops_it_and_has_a_clock() {
    let mut room = Room::new().await;
    let id = room.told(&[]).await;
    let form = room.worker.get(&format!("/me/choices/{id}/object")).await.assert_status(200);
    assert_eq!(form.select("#few").len(), 1, "one person alone is asked");
    let words = form.select("main").remove(0);
    for said in ["HR reads your reasons", "give you away", "due by 2 Dec 2026, 09:00", "privacy@example.com"]
    {
        assert!(words.contains(said), "{said} isn't in {words}");
    }
    let long = format!("{REASON}{}", "x".repeat(2_000));
    let reply = room.object(id, &[("reason", &long), ("named", "yes")]).await.assert_status(422);
    assert_eq!(reply.select("#reason"), [long.as_str()], "what was typed comes back");
    assert_eq!(reply.attributes("input[checked]", "name"), ["named"]);
    assert!(reply.select("#reason-error")[0].contains("at most 2,000"));
    room.object(id, &[("reason", "  ")]).await.assert_status(422);

    let reply = room.object(id, &[("reason", REASON)]).await.assert_status(303);
    assert_eq!(reply.location(), format!("/me/choices?done=objected#c-{id}"));
    assert_eq!(room.chips(id).await, ["Off, objection open"]);
    let standing = room.standing(id).await;
    assert!(standing.contains("You objected on 2 Nov 2026, 09:00"), "{standing}");
    assert!(standing.ends_with("Answer due by 2 Dec 2026, 09:00."), "{standing}");
    room.after(31).await;
    assert!(room.standing(id).await.contains("hasn’t come"));
    let reply = room.press(id, "yes").await.assert_status(303);
    assert!(reply.location().contains("done=choice-taken-back"));
    assert_eq!(room.chips(id).await, ["On"]);
}

#[tokio::test]
async fn an_answer_is_contested_once() {
    let room = Room::new().await;
    let id = room.told(&[]).await;
    room.object(id, &[("reason", REASON)]).await.assert_status(303);
    room.answer(id, Answer::Overridden, "It guards the network.").await;
    assert_eq!(room.chips(id).await, ["On"]);
    let card = room.page().await.select(&format!("[id='c-{id}']")).remove(0);
    assert!(card.contains("HR overrode your objection") && card.contains("It guards the network."), "{card}");
    let path = format!("/me/choices/{id}/contest");
    let form = room.worker.get(&format!("/me/choices/{id}/object")).await.assert_status(200);
    assert!(form.select("main")[0].contains("data protection authority"));
    send(&room.worker, &form, &path, &[("reason", "")]).await.assert_status(422);
    let contest = [("reason", "My family isn’t the network.")];
    send(&room.worker, &form, &path, &contest).await.assert_status(303);
    assert!(room.standing(id).await.starts_with("On. You contested the answer"));
    room.answer(id, Answer::Overridden, "We looked again.").await;
    send(&room.worker, &form, &path, &contest).await.assert_status(409);
    assert!(!room.page().await.body.contains("Contest the answer"));
    let upheld = room.told(&[("category", "web.domains")]).await;
    room.object(upheld, &[("reason", REASON)]).await.assert_status(303);
    room.answer(upheld, Answer::Upheld, "You are right.").await;
    assert!(room.standing(upheld).await.starts_with("Off. Your objection was upheld"));
}

#[tokio::test]
async fn nothing_of_a_choice_is_logged() {
    logs::capture();
    let room = Room::new().await;
    let (consent, objection) = (room.told(CONSENT).await, room.told(&[]).await);
    room.press(consent, "yes").await.assert_status(303);
    room.press(consent, "no").await.assert_status(303);
    room.object(objection, &[("reason", REASON)]).await.assert_status(303);
    room.worker.get(&format!("/me/choices/{consent}")).await.assert_status(200);
    room.worker.get("/me/choices/export.json").await.assert_status(200);
    let log = logs::captured();
    assert!(log.contains("answered"), "the log was caught");
    let secrets = [
        REASON,
        &consent.to_string(),
        &objection.to_string(),
        &room.worker.id().to_string(),
        "withdrawn",
        "objected",
        "refused",
    ];
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}

#[tokio::test]
async fn an_override_is_named_so_also_where_nothing_allows_it() {
    let room = Room::new().await;
    let (id, notice) = room.told_by(&[]).await;
    room.object(id, &[("reason", REASON)]).await.assert_status(303);
    retract(&room.app, &notice, "It was wrong.").await;
    room.app.state.consent.reload().await.unwrap();
    room.answer(id, Answer::Overridden, "It is needed.").await;
    for path in ["/me/choices".to_owned(), format!("/me/choices/{id}/object")] {
        let said = room.worker.get(&path).await.assert_status(200).select(".pick__answer").remove(0);
        assert!(said.starts_with("HR overrode your objection on"), "{path}: {said}");
    }
    assert!(!room.page().await.body.contains("You have contested it once"));
}
