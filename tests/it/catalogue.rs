//! The catalogue of known monitoring products, and declarations that begin with one.

use daylight::catalogue;
use daylight::web::Role;

use crate::support::TestApp;
use crate::support::consent::declare;
use crate::support::declaration::but;

#[tokio::test]
async fn everybody_reads_what_each_product_can_collect_and_who_says_so() {
    let app = TestApp::new().await;
    for role in [Role::Worker, Role::Publisher, Role::Representative, Role::Administrator] {
        let actor = app.actor(role).await;
        let page = actor.get("/catalogue").await.assert_status(200);
        assert_eq!(page.select("tbody tr").len(), catalogue::all().len());
        assert!(page.body.contains("“Can collect” is not “collects here”"));
        for product in catalogue::all() {
            let page = actor.get(&format!("/catalogue/{}", product.id)).await.assert_status(200);
            assert_eq!(page.select("h1").len(), 1);
            let sources = page.attributes("main li a, main dd a", "href");
            for source in product.sources.iter().chain(product.telltales.iter().map(|t| &t.source)) {
                assert!(sources.contains(source), "{}: {source}", product.id);
            }
            let may_declare = page.body.contains("/register/new?product=");
            assert_eq!(may_declare, role == Role::Publisher, "{role}");
        }
        actor.get("/catalogue/no-such-product").await.assert_status(404);
        for from in ["/register", "/categories"] {
            let links = actor.get(from).await.attributes("main a", "href");
            assert!(links.contains(&"/catalogue".to_owned()), "{from}");
        }
    }
    app.visitor().get("/catalogue").await.assert_status(303);
}

#[tokio::test]
async fn the_list_is_searched_without_a_script() {
    let app = TestApp::new().await;
    let actor = app.actor(Role::Worker).await;
    let names = async |query: &str| actor.get(&format!("/catalogue?{query}")).await.select("tbody th a");
    assert_eq!(names("q=time+DOCTOR").await, ["Time Doctor"]);
    assert!(names("q=screenshots").await.contains(&"Time Doctor".to_owned()));
    let typed = names("category=input.key_content").await;
    assert!(typed.contains(&"Teramind".to_owned()) && !typed.contains(&"Time Doctor".to_owned()));
    let hidden = names("stealth=yes").await;
    assert!(hidden.contains(&"Time Doctor".to_owned()) && !hidden.contains(&"ActivityWatch".to_owned()));
    let none = actor.get("/catalogue?q=%3Cscript%3E").await.assert_status(200);
    assert_eq!(none.select(".empty__title"), ["No known product fits"]);
    assert!(!none.body.contains("<script>"));
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_said_to_be_unknown() {
    let app = TestApp::new().await;
    let actor = app.actor(Role::Representative).await;
    let silent = catalogue::all().iter().find(|p| p.telltales.is_empty()).expect("an honest gap");
    let page = actor.get(&format!("/catalogue/{}", silent.id)).await.assert_status(200);
    assert!(page.body.contains("We know no name by which it gives itself away"));
    let known = actor.get("/catalogue/activtrak").await.assert_status(200);
    assert!(known.select(".facts .mono").contains(&"scthost.exe".to_owned()));
}

#[tokio::test]
async fn a_product_shows_what_is_declared_about_it_to_those_who_may_see_that() {
    let app = TestApp::new().await;
    let publisher = app.actor(Role::Publisher).await;
    let worker = app.actor(Role::Worker).await;
    let declared = async |actor: &crate::support::Actor| {
        actor.get("/catalogue/time-doctor").await.select("section:last-of-type li").len()
    };
    let fields = but(&[("category", "screen.image"), ("source_name", "time-doctor")]);
    publisher.post("/register", &fields).await.assert_status(303);
    assert_eq!((declared(&publisher).await, declared(&worker).await), (1, 0), "a draft is the publishers'");
    declare(&app, &publisher, &[("source_name", "Time-Doctor")]).await;
    assert_eq!((declared(&publisher).await, declared(&worker).await), (2, 1));
}

#[tokio::test]
async fn a_declaration_begins_with_a_known_product() {
    let app = TestApp::new().await;
    let publisher = app.actor(Role::Publisher).await;
    let plain = publisher.get("/register/new").await.assert_status(200);
    let offered = plain.attributes("#source_name-list option", "value");
    assert!(offered.contains(&"time-doctor".to_owned()), "{offered:?}");
    assert!(plain.attributes("#product option", "value").contains(&"hubstaff".to_owned()));

    let page = publisher.get("/register/new?product=time-doctor").await.assert_status(200);
    assert_eq!(page.attributes("#source_name", "value"), ["time-doctor"]);
    assert_eq!(page.attributes("#source_vendor", "value"), ["Time Doctor"]);
    let product = catalogue::find("time-doctor").expect("it is known");
    let options = page.attributes("#category option", "value");
    let first: Vec<&String> = options.iter().skip(1).take(product.categories.len()).collect();
    assert!(first.iter().all(|id| product.categories.contains(id)), "{first:?}");
    assert_eq!(page.attributes("#category option[selected]", "value"), [""], "nothing is chosen for them");

    let chosen = publisher.get("/register/new?product=time-doctor&category=screen.image").await;
    assert_eq!(chosen.attributes("#category option[selected]", "value"), ["screen.image"]);
    let other = publisher.get("/register/new?product=time-doctor&category=audio").await;
    assert_eq!(other.attributes("#category option[selected]", "value"), [""], "it can’t collect that");
    let only = publisher.get("/register/new?product=wakatime").await;
    assert_eq!(only.attributes("#category option[selected]", "value"), ["code.activity"]);
    publisher.get("/register/new?product=no-such-product").await.assert_status(404);
}
