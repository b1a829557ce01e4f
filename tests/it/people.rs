//! Accounts as administrators keep them, and the roll.

use daylight::web::Role;

use crate::support::{Actor, TestApp};

fn fields<'a>(name: &'a str, email: &'a str, role: &'a str) -> [(&'a str, &'a str); 4] {
    [("name", name), ("email", email), ("jurisdiction", "DE"), ("roles", role)]
}

#[tokio::test]
async fn accounts_are_for_administrators() {
    let app = TestApp::new().await;
    let person = app.person("ada@example.com", &[Role::Worker]).await;
    let page = format!("/people/{person}");
    for role in [Role::Worker, Role::Publisher, Role::Representative] {
        let actor = app.actor(role).await;
        for path in ["/people", "/people/new", "/people/import", &page, "/outbox"] {
            actor.get(path).await.assert_status(403);
        }
        actor.post("/people", &fields("Eve", "eve@example.com", "administrator")).await.assert_status(403);
        actor.post(&format!("{page}/deactivate"), &[]).await.assert_status(403);
        actor.upload("/people/import", "file", "roll.csv", b"email,name\n").await.assert_status(403);
    }
    app.visitor()
        .post("/people", &fields("Eve", "eve@example.com", "administrator"))
        .await
        .assert_status(401);
    assert_eq!(app.count("person where email = 'eve@example.com'").await, 0);
}

#[tokio::test]
async fn a_mistake_brings_the_form_back_with_what_was_typed() {
    let app = TestApp::new().await;
    let admin = app.actor(Role::Administrator).await;
    app.person("taken@example.com", &[Role::Worker]).await;
    let reply = admin.post("/people", &[("name", ""), ("email", "x"), ("jurisdiction", "ZZ")]).await;
    let reply = reply.assert_status(422);
    assert_eq!(reply.attributes(".error-summary a", "href"), ["#name", "#email", "#jurisdiction", "#roles"]);
    assert_eq!(reply.attributes("#email", "value"), ["x"]);
    let reply = admin.post("/people", &fields("Eve", "Taken@example.com", "worker")).await.assert_status(422);
    assert_eq!(reply.attributes("#name", "value"), ["Eve"]);
    assert_eq!(reply.select("#email-error"), ["Error: Another account has this address."]);
    assert_eq!(app.count("outbox").await, 0);
}

#[tokio::test]
async fn the_list_is_searched_and_paged() {
    let app = TestApp::new().await;
    let admin = app.actor(Role::Administrator).await;
    for n in 0..60 {
        app.person(&format!("worker{n:02}@example.com"), &[Role::Worker]).await;
    }
    let page = admin.get("/people").await.assert_status(200);
    assert_eq!(page.select("tbody tr").len(), 50);
    let next = page.attributes("a[rel=next]", "href");
    assert_eq!(next, ["/people?page=2"]);
    assert_eq!(admin.get(&next[0]).await.assert_status(200).select("tbody tr").len(), 11);
    let found = admin.get("/people?q=WORKER17").await.assert_status(200);
    assert_eq!(found.select("tbody th"), ["Worker17"]);
    let none = admin.get("/people?q=%3Cb%3E").await.assert_status(200);
    assert_eq!(none.select(".empty__title"), ["Nobody has “<b>” in their name or address"]);
}

#[tokio::test]
async fn an_account_is_changed_deactivated_and_made_active_again() {
    let app = TestApp::new().await;
    let admin = app.actor(Role::Administrator).await;
    let ada = app.person("ada@example.com", &[Role::Worker]).await;
    let worker = app.sign_in_as(ada).await;
    let path = format!("/people/{ada}");
    let changed = [("department", "Logistics"), ("employee_number", "1001"), ("roles", "publisher")];
    let changed = [fields("Ada Okafor", "ada@example.com", "worker").as_slice(), &changed].concat();
    admin.post(&path, &changed).await.assert_status(303);
    let page = admin.get(&path).await.assert_status(200);
    assert_eq!(page.attributes("#department", "value"), ["Logistics"]);
    assert_eq!(page.attributes("input[name=roles][checked]", "value"), ["worker", "publisher"]);

    let reply = admin.post(&format!("{path}/deactivate"), &[]).await.assert_status(303);
    assert_eq!(reply.location(), format!("{path}?done=deactivated"));
    worker.get("/me/account").await.assert_status(303);
    admin.post(&format!("{path}/invite"), &[]).await.assert_status(409);
    admin.post(&format!("{path}/reactivate"), &[]).await.assert_status(303);
    admin.post(&format!("{path}/invite"), &[]).await.assert_status(303);
    assert!(app.link_to("ada@example.com").await.starts_with("/link/"));
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let app = TestApp::new().await;
    let admin = app.actor(Role::Administrator).await;
    let path = format!("/people/{}", admin.id());
    admin.post(&format!("{path}/deactivate"), &[]).await.assert_status(409);
    let reply = admin.post(&path, &fields("Root", "root@example.com", "worker")).await.assert_status(422);
    assert!(reply.select(".error-summary li")[0].contains("last administrator"));

    let second = app.actor(Role::Administrator).await;
    admin.post(&format!("{path}/deactivate"), &[]).await.assert_status(303);
    admin.get("/people").await.assert_status(303);
    second.post(&format!("/people/{}/deactivate", second.id()), &[]).await.assert_status(409);
}

/// Uploads a roll; answers its dry run's path.
async fn dry_run(admin: &Actor, file: &str) -> String {
    let reply = admin.upload("/people/import", "file", "roll.csv", file.as_bytes()).await.assert_status(303);
    reply.location().to_owned()
}

#[tokio::test]
async fn a_broken_roll_is_refused_as_a_whole_with_each_fault_by_its_line() {
    let app = TestApp::new().await;
    let admin = app.actor(Role::Administrator).await;
    let file = "email,name,jurisdiction,time_zone\n\
                ada@example.com,Ada,DE,\n\
                not-an-address,Bob,DE,\n\
                cyd@example.com,,MARS,Nowhere/At\n\
                ada@example.com,Ada again,DE,\n\
                too,few\n";
    let reply = admin.upload("/people/import", "file", "roll.csv", file.as_bytes()).await.assert_status(422);
    let faults = reply.select(".error-summary li");
    let lines: Vec<&str> = faults.iter().filter_map(|f| f.split(':').next()).collect();
    assert_eq!(lines, ["Line 3", "Line 4", "Line 4", "Line 4", "Line 5", "Line 6"]);
    assert_eq!(reply.select(".error-summary h2"), ["6 faults in the file. Nothing was stored."]);
    // Pasted text comes back, to be mended in place.
    let reply =
        admin.upload("/people/import", "text", "", b"email\nada@example.com\n").await.assert_status(422);
    assert_eq!(reply.select("textarea"), ["email ada@example.com"]);
    admin.upload("/people/import", "file", "roll.csv", b"").await.assert_status(422);
    let large = vec![b'a'; 2 * 1024 * 1024 + 1];
    admin.upload("/people/import", "file", "roll.csv", &large).await.assert_status(413);
    let larger = vec![b'a'; 3 * 1024 * 1024];
    admin.upload("/people/import", "file", "roll.csv", &larger).await.assert_status(413);
    assert_eq!((app.count("person").await, app.count("roll_import").await), (1, 0));
}

#[tokio::test]
async fn a_roll_is_tried_then_applied_and_leavers_are_signed_out() {
    let app = TestApp::new().await;
    let admin = app.actor(Role::Administrator).await;
    let path =
        dry_run(&admin, "email,name,department\nada@example.com,Ada,Sales\nbob@example.com,Bob,Sales\n")
            .await;
    let plan = admin.get(&path).await.assert_status(200);
    assert_eq!(plan.select(".stat__number"), ["0", "2", "0", "0", "0"]);
    assert_eq!((app.count("person").await, app.count("outbox").await), (1, 0), "a dry run changes nothing");

    let reply = admin.post(&format!("{path}/apply"), &[]).await.assert_status(303);
    assert_eq!(reply.location(), "/people?done=roll-applied");
    assert_eq!((app.count("person").await, app.count("outbox").await), (3, 2));
    admin.post(&format!("{path}/apply"), &[]).await.assert_status(404);
    assert_eq!(app.count("roll_import where rows is not null").await, 0);

    let bob = sqlx::query_scalar("select id from person where email = 'bob@example.com'");
    let bob = app.sign_in_as(bob.fetch_one(&app.state.db).await.expect("Bob")).await;
    bob.get("/me/account").await.assert_status(200);
    let path = dry_run(&admin, "email;name\nada@example.com;Ada Okafor\ncyd@example.com;Cyd\n").await;
    let plan = admin.get(&path).await.assert_status(200);
    assert_eq!(plan.select(".stat__number"), ["1", "1", "1", "0", "0"]);
    assert_eq!(plan.select("h2"), ["Deactivated (1)", "Added (1)", "Changed (1)"]);
    let names = plan.select("section li");
    assert_eq!(names, ["Bob", "Cyd", "Ada Okafor: name"]);
    admin.post(&format!("{path}/apply"), &[]).await.assert_status(303);
    bob.get("/me/account").await.assert_status(303);

    let path =
        dry_run(&admin, "email,name\nada@example.com,Ada Okafor\nbob@example.com,Bob\ncyd@example.com,Cyd\n")
            .await;
    assert_eq!(admin.get(&path).await.select(".stat__number"), ["0", "0", "0", "1", "2"]);
    // A dry run is for one day.
    app.state.clock.advance(86_400);
    let admin = app.sign_in_as(admin.id()).await;
    admin.get(&path).await.assert_status(404);
}

#[tokio::test]
async fn many_leavers_must_be_meant_and_the_importer_stays() {
    let app = TestApp::new().await;
    let admin = app.person("root@example.com", &[Role::Administrator]).await;
    let admin = app.sign_in_as(admin).await;
    let all: String = (0..10).map(|n| format!("w{n}@example.com,Worker {n}\n")).collect();
    let path = dry_run(&admin, &format!("email,name\nroot@example.com,Root\n{all}")).await;
    admin.post(&format!("{path}/apply"), &[]).await.assert_status(303);

    let path = dry_run(&admin, "email,name\nw0@example.com,Worker 0\n").await;
    let plan = admin.get(&path).await.assert_status(200);
    assert_eq!(plan.select(".stat--attention .stat__number"), ["9"]);
    assert!(
        plan.body.contains("You yourself aren&#39;t in this file")
            || plan.body.contains("You yourself aren't in this file")
    );
    let reply = admin.post(&format!("{path}/apply"), &[]).await.assert_status(422);
    assert!(reply.select(".error-summary li")[0].starts_with("More than a fifth"));
    assert_eq!(app.count("person where deactivated_at is not null").await, 0);
    admin.post(&format!("{path}/apply"), &[("drastic", "yes")]).await.assert_status(303);
    assert_eq!(app.count("person where deactivated_at is not null").await, 9);
    admin.get("/people").await.assert_status(200);
}

#[tokio::test]
async fn a_leavers_devices_are_nobodys_from_then_on() {
    let app = TestApp::new().await;
    let admin = app.actor(Role::Administrator).await;
    let path = dry_run(&admin, "email,name\nada@example.com,Ada\nbob@example.com,Bob\n").await;
    admin.post(&format!("{path}/apply"), &[]).await.assert_status(303);
    sqlx::raw_sql(
        "insert into device select gen_random_uuid(), email, created_at from person where on_roll;
         insert into device_assignment select gen_random_uuid(), d.id, p.id, tstzrange(p.created_at, null)
         from person p join device d on d.label = p.email",
    )
    .execute(&app.state.db)
    .await
    .expect("a device each");
    app.state.clock.advance(3600);
    let ada: uuid::Uuid = sqlx::query_scalar("select id from person where email = 'ada@example.com'")
        .fetch_one(&app.state.db)
        .await
        .expect("Ada");
    let ended = "device_assignment where upper(period) = '2026-11-02T10:00Z'";
    admin.post(&format!("/people/{ada}/deactivate"), &[]).await.assert_status(303);
    assert_eq!(app.count(ended).await, 1);
    let path = dry_run(&admin, "email,name\ncyd@example.com,Cyd\n").await;
    admin.post(&format!("{path}/apply"), &[]).await.assert_status(303);
    assert_eq!(app.count(ended).await, 2);
    assert_eq!(app.count("audit_entry where action = 'device.released' and object_id is not null").await, 2);
}

/// Name, number, department, jurisdiction, time zone.
type OnFile = (String, Option<String>, Option<String>, String, Option<String>);

#[tokio::test]
async fn what_a_roll_leaves_out_stays_as_it_is() {
    let app = TestApp::new().await;
    let admin = app.actor(Role::Administrator).await;
    let import = async |file: &str| {
        let path = dry_run(&admin, file).await;
        let plan = admin.get(&path).await.assert_status(200).select("section li");
        admin.post(&format!("{path}/apply"), &[]).await.assert_status(303);
        plan
    };
    import(
        "email,name,employee_number,department,jurisdiction,time_zone\n\
         ada@example.com,Ada,1001,Logistics,de,Europe/Berlin\n\
         bob@example.com,Bob,,,,\n",
    )
    .await;
    let on_file = async || -> Vec<OnFile> {
        sqlx::query_as(
            "select p.name, employee_number, d.name, jurisdiction, time_zone
             from person p left join department d on d.id = department_id where on_roll order by p.email",
        )
        .fetch_all(&app.state.db)
        .await
        .expect("the roll")
    };
    let ada = |name: &str| {
        let text = |t: &str| Some(t.to_owned());
        (name.to_owned(), text("1001"), text("Logistics"), "DE".to_owned(), text("Europe/Berlin"))
    };
    assert_eq!(on_file().await, [ada("Ada"), ("Bob".to_owned(), None, None, "EU".to_owned(), None)]);
    assert!(import("email,name\nada@example.com,Ada\nbob@example.com,Bob\n").await.is_empty());
    let file = "email,name,employee_number,department,jurisdiction,time_zone\n\
                ada@example.com,Ada O,,,,\nbob@example.com,Bob,,,,\n";
    assert_eq!(import(file).await, ["Ada O: name"]);
    assert_eq!(on_file().await[0], ada("Ada O"));
}

#[tokio::test]
async fn no_text_is_too_strange_for_an_answer() {
    let app = TestApp::new().await;
    let admin = app.actor(Role::Administrator).await;
    let person = format!("/people/{}", app.person("ada@example.com", &[Role::Worker]).await);
    for path in ["/people?q=%00", "/people?q=a%00b", "/people?page=%00", "/link/%00", "/people/%00"] {
        admin.get(path).await.assert_status(400);
    }
    // A percent sign, then two noughts.
    admin.get("/people?q=%2500").await.assert_status(200);
    admin.get(&format!("/people?q={}", "x".repeat(20_000))).await.assert_status(200);

    let long = "x".repeat(10_000);
    for (field, value) in [
        ("department", long.as_str()),
        ("department", &long[..101]),
        ("department", "Sales\tNorth"),
        ("employee_number", &long),
        ("employee_number", &long[..65]),
        ("name", &long),
        ("email", &long),
        ("time_zone", &long),
        ("jurisdiction", &long),
    ] {
        let mut typed: Vec<_> = fields("Ada", "new@example.com", "worker").to_vec();
        typed.retain(|(name, _)| *name != field);
        typed.push((field, value));
        for path in ["/people", person.as_str()] {
            let reply = admin.post(path, &typed).await.assert_status(422);
            assert_eq!(reply.attributes(".error-summary a", "href"), [format!("#{field}")]);
        }
    }
    let bytes = b"email=a%00b&name=x".to_vec();
    let kind = "application/x-www-form-urlencoded";
    admin.post_bytes("/people", kind, &[], bytes).await.assert_status(400);
    let file = b"email,name,department\nada@example.com,Ada,a\0b\n";
    let reply = admin.upload("/people/import", "file", "r.csv", file).await.assert_status(422);
    assert!(reply.select(".error-summary li")[0].starts_with("Line 2: the cell “department”"));
}
