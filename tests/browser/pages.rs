//! Every page that a role can open: wide and narrow, light and dark, closed and unfolded.

use std::path::PathBuf;

use crate::site::{ADMINISTRATOR, PUBLISHER, REPRESENTATIVE, Site, WORKER, example};
use crate::tab::{NARROW, Tab, WIDE};
use crate::{axe, screenshots};

#[tokio::test]
async fn everybodys_pages_are_in_order() {
    let site = example().await;
    let mut tab = site.visitor().await;
    let link = site.link("jana.kowal@demo.example").await;
    let mut faults = check_all(
        &mut tab,
        "visitor",
        &["/sign-in", "/password/forgotten", "/about", "/api", "/log", "/log/entries/1", &link],
    )
    .await;
    faults.extend(check(&mut tab, "visitor", "/no-such-page", 404).await);
    tab.close().await;
    report(faults);
}

#[tokio::test]
async fn workers_pages_are_in_order() {
    let site = example().await;
    let mut tab = site.signed_in(WORKER).await;
    let mandatory = format!("/register/{}", site.processing("presence").await);
    let changed = format!("/register/{}", site.processing("input.key_counts").await);
    let paths = [
        "/me/collection",
        "/me/collection/window.titles",
        "/me/collection/audio",
        "/me/findings",
        "/me/account",
        "/me/access-log",
        "/register",
        &mandatory,
        &changed,
        "/categories",
        "/catalogue",
        "/catalogue/time-doctor",
        "/catalogue/teramind",
        "/systems",
    ];
    let mut faults = check_all(&mut tab, "worker", &paths).await;
    faults.extend(check(&mut tab, "worker", "/people", 403).await);
    tab.close().await;
    report(faults);
}

#[tokio::test]
async fn pages_of_choices_are_in_order() {
    let site = example().await;
    let of = async |category| site.processing(category).await;
    let overridden = format!("/me/choices/{}", of("input.key_counts").await);
    let refused = format!("/me/choices/{}", of("device.inventory").await);
    let (contest, object) =
        (format!("{overridden}/object"), format!("/me/choices/{}/object", of("web.domains").await));
    let paths = [
        "/me/choices",
        "/me/choices/several",
        "/me/choices/history",
        &overridden,
        &refused,
        &contest,
        &object,
    ];
    let mut tab = site.signed_in(WORKER).await;
    let faults = check_all(&mut tab, "worker", &paths).await;
    tab.close().await;
    report(faults);
}

#[tokio::test]
async fn publishers_and_representatives_pages_are_in_order() {
    let site = example().await;
    let mut tab = site.signed_in(PUBLISHER).await;
    let edit = format!("/register/{}/edit", site.processing("paused").await);
    let mut faults = check_all(
        &mut tab,
        "publisher",
        &["/register/new", "/register/new?product=time-doctor", &edit, "/organisation", "/findings"],
    )
    .await;
    let group = site.finding_group().await;
    faults.extend(check_all(&mut tab, "publisher", &[&group]).await);
    let objection = site.objection().await;
    let paths = ["/objections", &objection, "/organisation/choices", "/systems"];
    faults.extend(check_all(&mut tab, "publisher", &paths).await);
    tab.close().await;
    let mut tab = site.signed_in(REPRESENTATIVE).await;
    let proposed = format!("/register/{}", site.processing("proposed").await);
    let paths = [&proposed, "/findings", &group, "/objections", &objection, "/petitions/representative"];
    faults.extend(check_all(&mut tab, "representative", &paths).await);
    tab.close().await;
    report(faults);
}

#[tokio::test]
async fn pages_of_publishing_are_in_order() {
    let site = example().await;
    let mut tab = site.signed_in(PUBLISHER).await;
    let draft = site.notice_version("draft").await;
    let published = site.notice_version("published").await;
    let paths = [
        "/publishing".to_owned(),
        "/publishing/new".into(),
        format!("/publishing/versions/{draft}"),
        format!("/publishing/versions/{draft}/edit"),
        format!("/publishing/versions/{published}"),
        format!("/publishing/versions/{}", site.notice_version("in_review").await),
        format!("/publishing/{}", site.notice_of(published).await),
    ];
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let mut faults = check_all(&mut tab, "publisher", &paths).await;
    tab.close().await;
    let mut tab = site.signed_in(REPRESENTATIVE).await;
    faults.extend(check_all(&mut tab, "representative", &[paths[0], paths[5]]).await);
    tab.close().await;
    report(faults);
}

#[tokio::test]
async fn administrators_pages_are_in_order() {
    let site = example().await;
    let mut tab = site.signed_in(ADMINISTRATOR).await;
    let person = format!("/people/{}", site.person("jana.kowal@demo.example").await);
    let paths = ["/people", "/people/new", &person, "/people/import", "/agents", "/outbox", "/systems"];
    let faults = check_all(&mut tab, "administrator", &paths).await;
    tab.close().await;
    report(faults);
}

#[tokio::test]
async fn pages_of_reading_notices_are_in_order() {
    let site = example().await;
    let notice = site.notice_of(site.notice_version("published").await).await;
    let (page, changes) =
        (format!("/notices/{notice}"), format!("/notices/{notice}/changes?from=1.0&to=2.0"));
    let (old, board) = (format!("{page}?version=1.0&language=de"), format!("/board/{notice}"));
    let mut tab = site.visitor().await;
    let mut faults = check_all(&mut tab, "visitor", &[&board]).await;
    tab.close().await;
    let mut tab = site.signed_in(WORKER).await;
    faults.extend(check_all(&mut tab, "worker", &["/notices", &page, &old, &changes]).await);
    tab.close().await;
    let mut tab = site.signed_in(PUBLISHER).await;
    let reach = format!("/notices/{notice}/reach");
    faults.extend(check_all(&mut tab, "publisher", &["/notices", &page, &reach, "/notices/questions"]).await);
    tab.close().await;
    report(faults);
}

/// A check that can't fail checks nothing.
#[tokio::test]
async fn planted_faults_are_found() {
    let site: &Site = example().await;
    let mut tab = site.visitor().await;
    tab.open("/about").await;
    let plant = "(() => {
        const main = document.querySelector('main');
        main.innerHTML += '<h1>Again</h1><input type=text><img src=\"/static/logo.svg\">'
          + '<p id=planted>too pale</p><p onclick=\"1\">inline</p>';
        const planted = document.querySelector('#planted');
        planted.style.color = '#ddd';
        planted.style.minWidth = '3000px';
        const script = document.createElement('script');
        script.textContent = 'window.injected = true';
        document.body.append(script);
        console.error('planted');
        document.documentElement.removeAttribute('lang');
        return !window.injected;
      })()";
    assert!(tab.eval::<bool>(plant).await, "the policy keeps scripts without a nonce out");
    let mut faults = axe::violations(&tab).await;
    faults.extend(axe::frame_faults(&tab).await);
    faults.extend(tab.complaints().await);
    let faults = faults.join("\n");
    for fault in [
        "\"label\"",
        "image-alt",
        "color-contrast",
        "html-has-lang",
        "2 h1",
        "no lang",
        "overflow",
        "Content Security Policy",
        "planted",
    ] {
        assert!(faults.contains(fault), "{fault} isn't in:\n{faults}");
    }
    tab.close().await;
}

async fn check_all(tab: &mut Tab, role: &str, paths: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    for path in paths {
        faults.extend(check(tab, role, path, 200).await);
    }
    faults
}

async fn check(tab: &mut Tab, role: &str, path: &str, status: u16) -> Vec<String> {
    let mut faults = Vec::new();
    for (size, width) in [(WIDE, "wide"), (NARROW, "narrow")] {
        tab.look(size, false).await;
        let _ = tab.complaints().await;
        tab.open(path).await;
        let answered: u16 = tab.eval("performance.getEntriesByType('navigation')[0].responseStatus").await;
        let mut found = Vec::new();
        if answered != status {
            found.push(format!("status {answered}"));
        }
        // Chromium tells the console of every refused page.
        found
            .extend(tab.complaints().await.into_iter().filter(|c| status == 200 || !c.contains("status of")));
        for (dark, scheme) in [(false, "light"), (true, "dark")] {
            tab.look(size, dark).await;
            found.extend(axe::frame_faults(tab).await);
            keep_picture(tab, &format!("{role}-{path}-{width}-{scheme}")).await;
            unfold(tab, true).await;
            found.extend(axe::frame_faults(tab).await);
            found.extend(axe::violations(tab).await);
            unfold(tab, false).await;
        }
        found.dedup();
        faults.extend(found.into_iter().map(|fault| format!("{role} {path} {width}: {fault}")));
    }
    faults
}

/// Opens every `<details>`, or closes those that were closed before.
async fn unfold(tab: &Tab, open: bool) {
    let script = if open {
        "document.querySelectorAll('details:not([open])').forEach((d) => { d.open = true; d.dataset.closed = ''; })"
    } else {
        "document.querySelectorAll('details[data-closed]').forEach((d) => { d.open = false; })"
    };
    let _: bool = tab.eval(&format!("({script}, true)")).await;
}

/// With DAYLIGHT_SCREENSHOTS_ALL, a folder: a picture of every page as it was checked.
async fn keep_picture(tab: &Tab, name: &str) {
    let Some(folder) = std::env::var_os("DAYLIGHT_SCREENSHOTS_ALL").map(PathBuf::from) else { return };
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    screenshots::write(tab, &folder.join(format!("{name}.png")), 3000).await;
}

#[track_caller]
fn report(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
