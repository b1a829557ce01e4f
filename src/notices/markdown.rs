//! A notice's Markdown made into HTML that can do nothing but be read.
//!
//! CommonMark and tables. Raw HTML, images and links to anywhere but the web or a mail address are refused
//! before publishing ([`problems`]); should one stand in a text all the same, [`render`] shows it as the text
//! it is: nothing that somebody wrote disappears. What comes out is filtered a second time by an allow-list,
//! so that a fault in one of the two isn't a hole.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::signs;
use pulldown_cmark::{Alignment, CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd};

const SCHEMES: [&str; 3] = ["http", "https", "mailto"];

const TAGS: [&str; 23] = [
    "a",
    "blockquote",
    "br",
    "code",
    "em",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "strong",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
];

static FILTER: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let mut filter = ammonia::Builder::empty();
    filter
        .tags(HashSet::from(TAGS))
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"])), ("ol", HashSet::from(["start"]))]))
        .url_schemes(HashSet::from(SCHEMES))
        .url_relative(ammonia::UrlRelative::Deny)
        // A page that a notice leads to learns neither where the reader came from nor gets hold of the window.
        .link_rel(Some("noopener noreferrer"));
    filter
});

fn options() -> Options {
    Options::ENABLE_TABLES
}

/// HTML for a page that has its own `h1`: the text's headings begin at `h2` and leave no level out.
pub fn render(markdown: &str) -> String {
    let mut events = Vec::new();
    let mut levels = Levels::default();
    // What follows a link that can't be one: its address, as text.
    let mut refused_links: Vec<Option<String>> = Vec::new();
    for event in Parser::new_ext(markdown, options()) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => events.push(Event::Text(html)),
            Event::Start(Tag::HtmlBlock) => events.push(Event::Start(Tag::Paragraph)),
            Event::End(TagEnd::HtmlBlock) => events.push(Event::End(TagEnd::Paragraph)),
            Event::Start(Tag::Image { dest_url, .. }) => {
                refused_links.push(Some(dest_url.to_string()));
                events.push(Event::Text("[picture, not shown: ".into()));
            }
            Event::End(TagEnd::Image) => {
                let address = refused_links.pop().flatten().unwrap_or_default();
                events.push(Event::Text(format!(" ({address})]").into()));
            }
            Event::Start(Tag::Link { link_type, dest_url, title: _, id }) => {
                let fine = link_type == LinkType::Email || leads_outside(&dest_url);
                refused_links.push((!fine).then(|| dest_url.to_string()));
                if fine {
                    events.push(Event::Start(Tag::Link { link_type, dest_url, title: CowStr::from(""), id }));
                }
            }
            Event::End(TagEnd::Link) => match refused_links.pop().flatten() {
                Some(address) => events.push(Event::Text(format!(" ({address})").into())),
                None => events.push(Event::End(TagEnd::Link)),
            },
            Event::Start(Tag::Heading { level, .. }) => {
                let level = levels.enter(level as u8);
                events.push(Event::Start(Tag::Heading { level, id: None, classes: vec![], attrs: vec![] }));
            }
            Event::End(TagEnd::Heading(_)) => events.push(Event::End(TagEnd::Heading(levels.shown()))),
            // Columns would be aligned by style attributes, which the pages' policy refuses.
            Event::Start(Tag::Table(columns)) => {
                events.push(Event::Start(Tag::Table(vec![Alignment::None; columns.len()])));
            }
            other => events.push(other),
        }
    }
    let mut html = String::with_capacity(markdown.len() * 3 / 2);
    pulldown_cmark::html::push_html(&mut html, events.into_iter());
    with_wide_tables(&FILTER.clean(&html).to_string())
}

/// Tables scroll by themselves on a narrow screen. In filtered HTML `<table>` is never text.
fn with_wide_tables(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    for (number, part) in html.split("<table>").enumerate() {
        if number > 0 {
            let label = format!(
                "<div class=\"table-wrap\" tabindex=\"0\" role=\"region\" aria-label=\"Table {number}\">"
            );
            out.push_str(&label);
            out.push_str("<table class=\"table\">");
        }
        out.push_str(part);
    }
    out.replace("</table>", "</table></div>")
}

/// Levels of headings from 2 on, without gaps: a text may begin with `##` or jump from `#` to `###`.
#[derive(Default)]
struct Levels {
    /// Those above and at the present place: as written.
    open: Vec<u8>,
}

impl Levels {
    fn enter(&mut self, written: u8) -> HeadingLevel {
        while self.open.last().is_some_and(|above| *above >= written) {
            self.open.pop();
        }
        self.open.push(written);
        self.shown()
    }

    fn shown(&self) -> HeadingLevel {
        match self.open.len() {
            0 | 1 => HeadingLevel::H2,
            2 => HeadingLevel::H3,
            3 => HeadingLevel::H4,
            4 => HeadingLevel::H5,
            _ => HeadingLevel::H6,
        }
    }
}

fn leads_outside(address: &str) -> bool {
    let scheme = address.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    scheme.is_some_and(|s| SCHEMES.contains(&s.as_str()))
}

/// What keeps a text from being published, each with its line.
pub fn problems(markdown: &str) -> Vec<String> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let parser = Parser::new_ext(markdown, options());
    // Addresses of `[name]: address`, also where nothing refers to them.
    for (name, definition) in parser.reference_definitions().iter() {
        if !leads_outside(&definition.dest) {
            let words = bad_link(&definition.dest);
            found.push((definition.span.start, format!("[{}]: {words}", shortened(name))));
        }
    }
    let mut inside_html = false;
    for (event, span) in parser.into_offset_iter() {
        match event {
            Event::Start(Tag::HtmlBlock) => {
                inside_html = true;
                found.push((span.start, html_words(&markdown[span])));
            }
            Event::End(TagEnd::HtmlBlock) => inside_html = false,
            Event::Html(html) | Event::InlineHtml(html) if !inside_html && !html.starts_with("</") => {
                found.push((span.start, html_words(&html)));
            }
            // Also as `&#8238;`.
            Event::Text(words) => {
                found.extend(signs::find(&words).map(|(_, words)| (span.start, words)));
            }
            Event::Start(Tag::Image { .. }) => {
                let words = "Pictures can’t be used: not everybody sees them, and they can be exchanged later. Say it in words.";
                found.push((span.start, words.into()));
            }
            Event::Start(Tag::Link {
                link_type: LinkType::Inline | LinkType::Autolink, dest_url, ..
            }) if !leads_outside(&dest_url) => {
                found.push((span.start, bad_link(&dest_url)));
            }
            _ => {}
        }
    }
    found.extend(signs::find(markdown));
    found.sort();
    let mut lines: Vec<String> =
        found.into_iter().map(|(at, words)| format!("Line {}: {words}", line_of(markdown, at))).collect();
    lines.dedup();
    lines
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1
}

fn html_words(html: &str) -> String {
    let what = if html.to_ascii_lowercase().contains("<script") { "Scripts" } else { "HTML" };
    format!("{what} can’t be used: “{}”. Write Markdown.", shortened(html))
}

fn bad_link(address: &str) -> String {
    format!("A link may lead to an https, http or mailto address, not to “{}”.", shortened(address))
}

/// The beginning, on one line.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_becomes_plain_html() {
        let text = "# What\n\nWe *keep* **counts** for `30` days.\n\n- one\n- two\n\n3. three\n\n> said\n\n[more](https://example.com/a?b=1&c)\n";
        let html = render(text);
        for part in [
            "<h2>What</h2>",
            "<em>keep</em>",
            "<strong>counts</strong>",
            "<code>30</code>",
            "<li>one</li>",
            "<ol start=\"3\">",
            "<blockquote>",
            "<a href=\"https://example.com/a?b=1&amp;c\" rel=\"noopener noreferrer\">more</a>",
        ] {
            assert!(html.contains(part), "{part} isn't in {html}");
        }
        assert!(problems(text).is_empty());
    }

    #[test]
    fn headings_leave_no_level_out() {
        let html =
            render("## A\n\n#### B\n\n## C\n\n# D\n\n## E\n\n### F\n\n#### G\n\n##### H\n\n###### I\n");
        let tags: Vec<&str> = html.lines().filter_map(|l| l.get(1..3)).collect();
        assert_eq!(tags, ["h2", "h3", "h2", "h2", "h3", "h4", "h5", "h6", "h6"]);
    }

    #[test]
    fn a_table_scrolls_and_carries_no_style() {
        let html = render("| a | b |\n|--:|:-:|\n| 1 | 2 |\n");
        assert!(html.starts_with("<div class=\"table-wrap\" tabindex=\"0\""), "{html}");
        assert!(html.contains("<th>a</th>") && html.trim_end().ends_with("</table></div>"), "{html}");
        let text = render("`<table>` and <table>");
        assert!(!text.contains("<table"), "{text}");
    }

    const HOSTILE: &[&str] = &[
        "<script>alert(1)</script>",
        "a <script src=//x.example></script> b",
        "<img src=x onerror=alert(1)>",
        "![x](https://x.example/p.png)",
        "![x](javascript:alert(1))",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](java\\script:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:msgbox)",
        "[x](//x.example)",
        "[x](/me/account)",
        "[x](#main)",
        "<javascript:alert(1)>",
        "[x][y]\n\n[y]: javascript:alert(1)",
        "[y]: javascript:alert(1)",
        "<style>body{display:none}</style>",
        "<a href=\"https://example.com\" onclick=\"alert(1)\">x</a>",
        "<iframe src=\"https://x.example\"></iframe>",
        "<!-- hidden -->",
        "<form action=/sign-out><button>x</button></form>",
        "\u{202e}desrever",
        "a&#x202E;desrever",
        "in `\u{2067}code\u{2069}`",
        "zero\u{200b}width",
    ];

    #[test]
    fn what_is_hostile_is_named_and_harmless() {
        for text in HOSTILE {
            let text = format!("first\n\n{text}");
            let found = problems(&text);
            assert!(
                found.iter().any(|p| p.starts_with("Line 3: ") || p.starts_with("Line 5: ")),
                "{text}: {found:?}"
            );
            assert_harmless(&render(&text));
        }
        // No HTML to CommonMark, so text, and shown as that.
        assert_harmless(&render("<svg/onload=alert(1)>"));
        assert!(problems("a\n\n<script>x</script>")[0].starts_with("Line 3: Scripts"));
        assert!(problems("[mail](mailto:a@example.com) <b@example.com> <https://example.com>").is_empty());
    }

    #[test]
    fn nothing_written_disappears() {
        let html = render("a <b onclick=x>bold</b> ![alt](p.png) [x](javascript:y)\n\n<div>block</div>");
        for part in [
            "&lt;b onclick=x&gt;bold",
            "picture, not shown: alt (p.png)",
            "x (javascript:y)",
            "&lt;div&gt;block",
        ] {
            assert!(html.contains(part), "{part} isn't in {html}");
        }
    }

    /// Only tags of the list, without attributes but for those few.
    fn assert_harmless(html: &str) {
        for tag in html.split('<').skip(1) {
            let tag = tag.split('>').next().unwrap_or_default();
            let name = tag.trim_start_matches('/').split(' ').next().unwrap_or_default();
            let wrap = tag == "/div"
                || tag.starts_with(
                    "div class=\"table-wrap\" tabindex=\"0\" role=\"region\" aria-label=\"Table ",
                );
            let table = tag == "table class=\"table\"";
            assert!(wrap || table || TAGS.contains(&name), "<{tag}> in {html}");
            let attributes = tag.split_once(' ').map_or("", |(_, rest)| rest);
            let fine = wrap
                || table
                || attributes.is_empty()
                || (name == "ol" && attributes.starts_with("start=\""))
                || (name == "a" && attributes == "rel=\"noopener noreferrer\"")
                || (name == "a"
                    && ["http:", "https:", "mailto:"]
                        .iter()
                        .any(|s| attributes.to_ascii_lowercase().starts_with(&format!("href=\"{s}"))));
            assert!(fine, "<{tag}> in {html}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_comes_out_harmless(text in "([a-z \\n]|[<>\\[\\]()!&#;:\"'`*|/=-]|script|javascript:|img|onerror|https://a){0,60}") {
            assert_harmless(&render(&text));
            for problem in problems(&text) {
                prop_assert!(problem.starts_with("Line "));
            }
        }
    }
}
