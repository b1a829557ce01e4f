//! What every page must fulfil: WCAG 2.2 AA as far as a program can tell (axe-core), and a few things that
//! it doesn't check.

use serde_json::Value;

use crate::tab::Tab;

/// axe-core 4.14.1, MPL-2.0; the licence stands beside it.
const AXE: &str = include_str!("vendor/axe.min.js");

const RUN: &str = "axe.run(document, {
    runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']},
    resultTypes: ['violations'],
  }).then((result) => JSON.stringify(result.violations.map((v) => ({
    rule: v.id, help: v.help,
    nodes: v.nodes.slice(0, 4).map((n) => ({
      at: n.target.join(' '), html: n.html.slice(0, 160), why: n.any.concat(n.all, n.none).map((c) => c.message),
    })),
  }))))";

/// The faults found in what the tab shows now; each in a few lines.
pub async fn violations(tab: &Tab) -> Vec<String> {
    if !tab.eval::<bool>("Boolean(window.axe)").await {
        // Through the debugger, which the pages' content security policy doesn't bind.
        let _: bool = tab.eval(&format!("{AXE}\n; true")).await;
    }
    let found: String = tab.eval(RUN).await;
    let found: Vec<Value> = serde_json::from_str(&found).expect("axe's findings");
    found.iter().map(|violation| format!("axe: {violation:#}")).collect()
}

/// The frame of a page: one heading of the first rank, a title, a language, and nothing that sticks out to
/// the side.
pub async fn frame_faults(tab: &Tab) -> Vec<String> {
    let script = "(() => {
        const faults = [];
        const headings = document.querySelectorAll('h1').length;
        if (headings !== 1) faults.push(headings + ' h1');
        if (document.title.trim().length < 3 || !document.title.includes('Daylight')) faults.push('title: ' + document.title);
        if (!document.documentElement.lang) faults.push('no lang');
        const page = document.documentElement;
        if (page.scrollWidth > page.clientWidth) {
          const scrolls = (e) => e && e !== page && (/auto|scroll|hidden|clip/.test(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
          const wide = [...document.body.querySelectorAll('*')]
            .filter((e) => e.getBoundingClientRect().right > page.clientWidth + 1 && !scrolls(e.parentElement));
          faults.push('overflow to ' + page.scrollWidth + ' of ' + page.clientWidth + ': '
            + wide.slice(0, 4).map((e) => e.outerHTML.slice(0, 120)).join(' | '));
        }
        return faults;
      })()";
    tab.eval(script).await
}
