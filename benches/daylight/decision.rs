//! "May this be used?" asked of the memory of 10,000 and of 1,000,000 people with twelve choices each.

use std::time::{Duration, Instant};

use daylight::app::AppState;
use daylight::consent::pseudonym::Pseudonyms;
use daylight::identity::{self, NewPerson, token_hash};
use daylight::notices::{self, Text, actions::Edit};
use daylight::register::{
    self, Category, ChoiceMode, Frequency, Granularity, LegalBasis, ProcessingContent, Purpose, Recipient,
    RecipientKind, Visibility,
};
use daylight::web::{Role, Viewer};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::client::get_as;
use crate::pages::{Page, growth, versus};
use crate::table::{Row, Target, median};
use crate::{Bench, fill, subject};

const CATEGORIES: [&str; 12] = [
    "input.key_counts",
    "input.pointer",
    "presence",
    "app.usage",
    "window.titles",
    "web.domains",
    "web.urls",
    "file.activity",
    "comms.metadata",
    "code.activity",
    "ai.prompt_meta",
    "device.inventory",
];
const PURPOSE: &str = "ai:ModelTraining";
/// A whole notice; the example's says all that the law asks for.
const NOTICE: &str = include_str!("../../src/demo/notices/privacy.en.md");
const TOKEN: &str = "a-system-of-the-benchmark";
const SMALL: i64 = 10_000;
const LARGE: i64 = 1_000_000;

fn daylight<T>(result: daylight::error::Result<T>) -> anyhow::Result<T> {
    result.map_err(|e| match e {
        daylight::error::Error::Invalid(fields) => anyhow::anyhow!("{fields:?}"),
        other => anyhow::anyhow!("{other}"),
    })
}

pub fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let sizes = [("decision-1e4", "10^4", SMALL), ("decision-1e6", "10^6", LARGE)];
    let databases: Vec<_> =
        sizes.iter().map(|(name, ..)| subject::postgres(name)).collect::<anyhow::Result<_>>()?;
    let hello = Page::new(bench.server.block_on(subject::hello())?, "/", &[], "hello");
    let mut pages = Vec::new();
    for (embedded, (name, words, people)) in databases.iter().zip(sizes) {
        let state = bench.server.block_on(async {
            let state = subject::open(embedded, name).await?;
            ensure(&state, name, people).await?;
            anyhow::Ok(state)
        })?;
        let before = resident()?;
        let begin = Instant::now();
        daylight(bench.server.block_on(state.consent.reload()))?;
        let (seconds, bytes) =
            (begin.elapsed().as_secs_f64(), (resident()? - before).max(0.0) / people as f64);
        bench.notes.push(format!("{words} people: read into memory in {seconds:.1} s, once at each start"));
        let name = format!("memory a person, at {words} people with 12 decisions each");
        let target = (people == LARGE).then_some(Target::AtMost(200.0));
        bench.rows.push(Row { name, unit: "bytes", reference: "", rounds: vec![(bytes, None)], target });
        let requests = requests(bench, &state, people)?;
        fresh(bench, &state, words)?;
        let address = bench.server.block_on(async {
            tokio::spawn(daylight::consent::keep_fresh(state.clone()));
            subject::serve(state.clone()).await
        })?;
        std::thread::sleep(Duration::from_secs_f64(seconds + 1.0));
        pages.push((words, Page::of(address.address, requests, "\"decision\"")));
    }
    for (words, page) in &pages {
        let target = Some(Target::AtLeast(0.8));
        versus(bench, &format!("/api/v1/decision at {words} people × 12"), page, &hello, target)?;
    }
    let [(_, small), (_, large)] = &pages[..] else { unreachable!("two sizes") };
    growth(bench, "/api/v1/decision at 10^6 people, time".into(), "at 10^4", large, small, 1.25)
}

/// Bytes of this process that are in memory.
fn resident() -> anyhow::Result<f64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: f64 = statm.split_whitespace().nth(1).unwrap_or_default().parse()?;
    Ok(pages * 4096.0)
}

fn person(n: i64) -> String {
    format!("md5('person' || {n})::uuid")
}

/// Questions about people and categories all over the place.
fn requests(bench: &Bench, state: &AppState, people: i64) -> anyhow::Result<Vec<Vec<u8>>> {
    let secret = daylight(state.consent.secrets())?.pseudonyms;
    let pseudonyms = Pseudonyms::new(&secret, Uuid::from_u128(1));
    let sql = format!(
        "select {} from generate_series(1, {people}, {}) n",
        person(0).replace("|| 0", "|| n"),
        (people / 5_000).max(1)
    );
    let ids: Vec<Uuid> =
        bench.server.block_on(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&state.db))?;
    let path = |(i, id): (usize, Uuid)| {
        let (subject, category) = (pseudonyms.of(id), CATEGORIES[i % CATEGORIES.len()]);
        get_as(&format!("/api/v1/decision?subject={subject}&category={category}&purpose={PURPOSE}"), TOKEN)
    };
    Ok(ids.into_iter().enumerate().map(path).collect())
}

/// From a commit until another instance answers by it.
fn fresh(bench: &mut Bench, state: &AppState, words: &str) -> anyhow::Result<()> {
    let times = bench.server.block_on(async {
        let feed = tokio::spawn(daylight::consent::keep_fresh(state.clone()));
        while !state.consent.is_fresh() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // It reads everything once more at its start.
        tokio::time::sleep(Duration::from_secs(25)).await;
        let mut times = Vec::new();
        for n in 1..=20i64 {
            let id: Uuid = sqlx::query_scalar(AssertSqlSafe(format!("select {}", person(n))))
                .fetch_one(&state.db)
                .await?;
            let is_there = || state.consent.read(|s| s.people.audience(id).is_some());
            anyhow::ensure!(is_there(), "a person is missing");
            sqlx::query("update person set deactivated_at = now() where id = $1")
                .bind(id)
                .execute(&state.db)
                .await?;
            let begin = Instant::now();
            while is_there() {
                anyhow::ensure!(begin.elapsed() < Duration::from_secs(10), "never heard of");
                tokio::time::sleep(Duration::from_micros(500)).await;
            }
            times.push(begin.elapsed().as_secs_f64() * 1000.0);
            sqlx::query("update person set deactivated_at = null where id = $1")
                .bind(id)
                .execute(&state.db)
                .await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        feed.abort();
        anyhow::Ok(times)
    })?;
    let mut sorted = times.clone();
    let rounds = vec![(median(&mut sorted), None)];
    let name = format!("heard of by an instance after the commit, at {words} people");
    bench.rows.push(Row { name, unit: "ms", reference: "", rounds, target: Some(Target::AtMost(1000.0)) });
    Ok(())
}

/// Makes sure that the database holds so many people with a decision about each of twelve processings.
async fn ensure(state: &AppState, name: &str, people: i64) -> anyhow::Result<()> {
    let schema = daylight::database::MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0);
    let wanted = format!("{people} people, schema {schema}");
    let marker = subject::folder().join(format!("{name}.loaded"));
    if std::fs::read_to_string(&marker).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    let _ = std::fs::remove_file(&marker);
    eprintln!("Loading {people} people with {} decisions each into {name} …", CATEGORIES.len());
    subject::empty(state).await?;
    let declared = declare(state).await?;
    load(state, people, &declared).await?;
    Ok(std::fs::write(marker, wanted)?)
}

/// Twelve processings for training AI models, in force and told of.
async fn declare(state: &AppState) -> anyhow::Result<Vec<Uuid>> {
    let mut db = state.db.acquire().await?;
    let hr = NewPerson {
        email: "hr@bench.example",
        name: "Hr",
        roles: &[Role::Publisher],
        ..NewPerson::default()
    };
    let person_id = daylight(identity::add_person(&mut db, state, &hr).await)?;
    drop(db);
    let hr = Viewer {
        person_id,
        session_id: Uuid::nil(),
        name: "Hr".into(),
        roles: vec![Role::Publisher],
        time_zone: state.config.time_zone.clone(),
        signed_in_at: state.clock.now(),
    };
    let mut ids = Vec::new();
    for category in CATEGORIES {
        let (Some(category), Some(purpose)) = (Category::parse(category), Purpose::parse(PURPOSE)) else {
            anyhow::bail!("not in the taxonomy");
        };
        let content = content(category, purpose);
        let id = daylight(register::actions::create_draft(state, &hr, &content).await)?;
        daylight(register::actions::propose(state, &hr, id, 1).await)?;
        daylight(register::actions::activate(state, &hr, id, 2).await)?;
        ids.push(id);
    }
    let version = daylight(notices::actions::create(state, &hr, "gdpr-13").await)?;
    let text = Text {
        language: "en".into(),
        title: "Training".into(),
        markdown: NOTICE.replace("{kept}", "ninety days"),
    };
    let edit = Edit {
        texts: vec![text],
        jurisdictions: vec!["EU".into()],
        departments: Vec::new(),
        processings: ids.clone(),
        acknowledgement_wanted: false,
        reason: None,
    };
    let revision = daylight(notices::actions::save(state, &hr, version, 1, &edit).await)?;
    daylight(notices::actions::submit(state, &hr, version, revision).await)?;
    daylight(notices::actions::approve(state, &hr, version, revision, "").await)?;
    daylight(notices::actions::publish_now(state, &hr, version, revision, None, "UTC").await)?;
    Ok(ids)
}

fn content(category: Category, purpose: Purpose) -> ProcessingContent {
    let mut c = ProcessingContent::new(category, purpose, "acme-agent");
    c.fields = "What it says.".into();
    c.granularity = Some(Granularity::Metadata);
    c.frequency = Some(Frequency::Continuous);
    c.visibility = Some(Visibility::Visible);
    c.legal_basis = Some(LegalBasis::Consent);
    c.necessity = "To train.".into();
    let (name, country) = ("Training team".into(), "DE".into());
    c.recipients = vec![Recipient { name, kind: RecipientKind::Internal, country, host: None }];
    c.storage_location = "DE".into();
    c.retention = "P90D".into();
    c.dpia_url = Some("https://bench.example/dpia".into());
    c.choice_mode = Some(ChoiceMode::OptIn);
    c.jurisdictions = vec!["EU".into()];
    c
}

async fn load(state: &AppState, people: i64, declared: &[Uuid]) -> anyhow::Result<()> {
    let mut db = state.db.acquire().await?;
    let processings = declared.iter().map(|id| format!("'{id}'::uuid")).collect::<Vec<_>>().join(", ");
    let again = fill::take_off(&mut db, "consent_decision").await?;
    let token: String = token_hash(TOKEN).iter().map(|b| format!("{b:02x}")).collect();
    for statement in [
        "set maintenance_work_mem = '512MB'; set synchronous_commit = off".to_owned(),
        // A million notes to the change feed would measure nothing.
        "alter table person disable trigger user; alter table consent_decision disable trigger user".into(),
        format!(
            "insert into person (id, email, name, jurisdiction, created_at)
             select md5('person' || n)::uuid, 'load' || n || '@bench.example', 'Person ' || n, 'EU', now()
             from generate_series(1, {people}) n"
        ),
        "insert into consent_text (sha256, document) values (sha256('x'), '{}')".into(),
        format!(
            "insert into consent_decision (id, person_id, processing_id, number, state, at, by_role, text_sha256,
                 notice_id, version_id, major, language, content_sha256, purpose, allowed_before, allowed_after,
                 until, record, opening, salt, ledger_entry)
             select gen_random_uuid(), md5('person' || n)::uuid, r.processing_id, 1,
                 case (n + r.at_place) % 3 when 0 then 'refused' else 'given' end, now(), 'worker', sha256('x'),
                 v.notice_id, v.id, 1, 'en', r.content_sha256, '{PURPOSE}', false, true,
                 case (n + r.at_place) % 3 when 1 then now() + interval '1 year' end, '{{}}', '{{}}', sha256('s'),
                 v.ledger_entry
             from (select id, notice_id, ledger_entry from notice_version where state = 'published') v,
                  (select processing_id, content_sha256, row_number() over () as at_place
                   from processing_revision where state = 'active') r,
                  generate_series(1, {people}) n"
        ),
        format!(
            "insert into system (id, name, purpose, processings, token_hash, created_at, created_by, approved_at, approved_by)
             select '{}', 'Training', 'Trains models', array[{processings}], '\\x{token}'::bytea, now(), h.id, now(), p.id
             from person h, (select id from person where email = 'load1@bench.example') p
             where h.email = 'hr@bench.example'",
            Uuid::from_u128(1)
        ),
        "alter table person enable trigger user; alter table consent_decision enable trigger user".into(),
    ]
    .into_iter()
    .chain(again.into_iter().rev())
    .chain(["analyze".into()])
    {
        fill::run(&mut db, &statement).await?;
    }
    Ok(())
}
