//! What the whole thing is for: a real ActivityWatch records somebody's windows, presence and keys, the
//! agent reports how much, and in the browser that person sees what is observed beside what is declared;
//! of what was recorded nothing is found in the database or in the log.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use daylight::app::AppState;
use daylight::clock::{Clock, Random};
use daylight::collection::{assign, create_enrolment};
use daylight::gateways::activitywatch::{self, AgentOptions};
use daylight::identity::{self, NewPerson};
use daylight::register::{
    Category, ChoiceMode, Frequency, Granularity, LegalBasis, ProcessingContent, Purpose, Recipient,
    RecipientKind, Visibility, actions,
};
use daylight::web::{Role, Viewer};
use uuid::Uuid;

use crate::site::Site;
use crate::support::activitywatch::{ActivityWatch, Folder, environment};
use crate::support::{content, logs};

/// No letter of it is changed by JSON, SQL or an address.
const MARKER: &str = "zq8secretzq8";

const EMAIL: &str = "mina@example.com";

/// Declared by HR; the titles of windows are not.
const DECLARED: [(&str, Granularity); 3] = [
    ("app.usage", Granularity::Metadata),
    ("presence", Granularity::Metadata),
    ("input.key_counts", Granularity::Count),
];

#[tokio::test]
async fn a_worker_sees_what_a_real_activitywatch_records_and_what_nobody_declared() {
    // This test's runtime has one thread, so the server's lines are caught as well as the agent's.
    logs::capture();
    let folder = Folder::new();
    let venv = tokio::task::spawn_blocking(environment).await.expect("the virtual environment");
    let watch = ActivityWatch::start(&venv, &folder.0).await;
    watch.feed(&venv, &folder.0, MARKER).await;

    let site = Site::start(|_| {}).await;
    let secret = prepare(&site.state).await;
    let tab = site.signed_in(EMAIL).await;
    tab.open("/me/collection").await;
    assert_eq!(card(&tab, "app.usage").await.0, "Unknown", "nothing has been reported yet");

    let options = AgentOptions {
        server: site.base.clone(),
        activitywatch: format!("http://127.0.0.1:{}", watch.port),
        state_dir: folder.0.join("agent"),
        interval: Duration::from_secs(300),
        secret: Some(secret),
        once: true,
        watchers: Vec::new(),
    };
    let agent = activitywatch::run(options, Clock::system(), Random::system(), std::future::pending());
    let reported = tokio::time::timeout(Duration::from_secs(60), agent).await;
    reported.expect("the agent ends in time").expect("its report is taken");

    tab.open("/me/collection").await;
    for (category, _) in DECLARED {
        let (status, words) = card(&tab, category).await;
        // As declared, as far as it goes: nobody can say so of a day that was watched for minutes.
        assert_eq!(status, "Unknown", "{category}: {words}");
        assert!(words.contains("fits what was declared"), "{category}: {words}");
        assert!(words.contains("activitywatch/"), "{category} was observed: {words}");
        assert!(words.contains("Declared by your employer"), "{category}: {words}");
        assert!(!words.contains("Nothing was reported"), "{category}: {words}");
    }
    let (status, words) = card(&tab, "window.titles").await;
    assert_eq!(status, "Undeclared", "{words}");
    assert!(words.contains("activitywatch/") && !words.contains("Nothing was reported"), "{words}");
    assert!(words.contains("Your employer declared no collection of this about you"), "{words}");
    let open = "document.getElementById('window.titles').querySelector('details').open";
    assert!(tab.eval::<bool>(open).await, "what needs attention is unfolded");

    // The finding has a page of its own, one click away.
    tab.click("[id='window.titles'] h3 a").await;
    tab.wait_for_path("/me/collection/window.titles").await;
    assert!(tab.text("main").await.contains("Findings"));
    let page: String = tab.eval("document.documentElement.outerHTML").await;
    content::assert_absent(MARKER, page.as_bytes(), "the worker's page");
    tab.close().await;

    let dump = dump(&site.state).await;
    assert!(dump.contains("window.titles"), "the dump holds the reports");
    content::assert_absent(MARKER, dump.as_bytes(), "the database");
    let log = logs::captured();
    assert!(log.contains("report made"), "the log was caught");
    content::assert_absent(MARKER, log.as_bytes(), "the log");
}

/// Yesterday: the worker, HR and a representative; a device of the worker's, and what HR declares. Answers
/// the secret that enrols the agent.
async fn prepare(state: &AppState) -> String {
    let yesterday = Clock::fixed(state.clock.now().plus_days(-1));
    let state = AppState::new((*state.config).clone(), state.db.clone(), yesterday, state.random.clone());
    let worker = person(&state, EMAIL, Role::Worker).await;
    let hr = person(&state, "hr@example.com", Role::Publisher).await;
    let rep = person(&state, "rep@example.com", Role::Representative).await;
    for (category, granularity) in DECLARED {
        let content = content(category, granularity, &state);
        let id = actions::create_draft(&state, &hr, &content).await.expect("a draft");
        let seen = actions::propose(&state, &hr, id, 1).await.expect("proposed");
        let seen = actions::answer(&state, &rep, id, seen, true, "Agreed.").await.expect("answered");
        actions::activate(&state, &hr, id, seen).await.expect("in force");
    }
    let secret = create_enrolment(&state, None, "Mina's laptop").await.expect("a secret");
    let device: Uuid = sqlx::query_scalar("select id from device").fetch_one(&state.db).await.expect("one");
    assign(&state, None, device, worker.person_id).await.expect("it is hers");
    secret
}

async fn person(state: &AppState, email: &str, role: Role) -> Viewer {
    let name = email.split('@').next().unwrap_or(email);
    let person =
        NewPerson { email, name, roles: &[role], jurisdiction: "DE", on_roll: true, ..NewPerson::default() };
    let mut db = state.db.acquire().await.expect("a connection");
    let person_id = identity::add_person(&mut db, state, &person).await.expect("the account is valid");
    Viewer {
        person_id,
        session_id: Uuid::nil(),
        name: name.into(),
        roles: vec![role],
        time_zone: state.config.time_zone.clone(),
        signed_in_at: state.clock.now(),
    }
}

fn content(category: &str, granularity: Granularity, state: &AppState) -> ProcessingContent {
    let category = Category::parse(category).expect("in the taxonomy");
    let purpose = Purpose::parse("dpv:EnforceSecurity").expect("in the taxonomy");
    let mut content = ProcessingContent::new(category, purpose, "activitywatch");
    content.source.vendor = "ActivityWatch project".into();
    content.fields = "How much, and when; never what.".into();
    content.granularity = Some(granularity);
    content.frequency = Some(Frequency::Continuous);
    content.visibility = Some(Visibility::Visible);
    content.legal_basis = Some(LegalBasis::LegitimateInterests);
    content.necessity = "To find programs that are not approved.".into();
    content.recipients = vec![Recipient {
        name: "IT department".into(),
        kind: RecipientKind::Internal,
        country: "DE".into(),
        host: None,
    }];
    content.storage_location = "DE".into();
    content.retention = "P30D".into();
    content.dpia_url = Some("https://intranet.example.com/dpia".into());
    content.works_agreement_url = Some("https://intranet.example.com/agreement".into());
    content.choice_mode = Some(ChoiceMode::Objection);
    content.objection_contact = Some("privacy@example.com".into());
    content.notice_given_on = Some(state.clock.now().day(&state.config.time_zone));
    content.jurisdictions = vec!["DE".into()];
    content
}

/// A kind's card: what its chip says, and all its words, also the folded ones.
async fn card(tab: &crate::tab::Tab, category: &str) -> (String, String) {
    let script = format!(
        "(() => {{ const card = document.getElementById({category:?});
         const words = (e) => e ? e.textContent.replace(/\\s+/g, ' ').trim() : '';
         return [words(card?.querySelector('.chip')), words(card)]; }})()"
    );
    tab.eval(&script).await
}

/// The database as pg_dump writes it; where that is missing, every row of every table as text.
async fn dump(state: &AppState) -> String {
    let options = state.db.connect_options();
    let folder = options.get_socket().map(|folder| folder.display().to_string());
    if let Some(program) = pg_dump() {
        let mut command = Command::new(program);
        command.args(["--host", folder.as_deref().unwrap_or(options.get_host())]);
        command.args(["--port", &options.get_port().to_string(), "--username", options.get_username()]);
        command.arg("--no-password").arg(options.get_database().expect("the test's database"));
        let output = command.stdin(Stdio::null()).output().expect("pg_dump runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return String::from_utf8_lossy(&output.stdout).into_owned();
    }
    content::rows(state).await
}

/// Beside Postgres's programs, looked for where Daylight looks first.
fn pg_dump() -> Option<PathBuf> {
    let chosen = std::env::var_os("PG_BINDIR").map(PathBuf::from);
    let version = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let mut installed: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|folders| folders.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    installed.sort_by_key(version);
    let newest = installed.pop().map(|folder| folder.join("bin"));
    chosen.into_iter().chain(newest).map(|folder| folder.join("pg_dump")).find(|program| program.exists())
}
