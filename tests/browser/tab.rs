//! A tab with cookies of its own, and what a person does in it. Every wait is bounded.

use std::time::{Duration, Instant};

use chromiumoxide::cdp::browser_protocol::browser::BrowserContextId;
use chromiumoxide::cdp::browser_protocol::emulation::{
    MediaFeature, SetDeviceMetricsOverrideParams, SetEmulatedMediaParams, SetFocusEmulationEnabledParams,
};
use chromiumoxide::cdp::browser_protocol::input::{
    DispatchKeyEventParams, DispatchKeyEventType, DispatchMouseEventParams, DispatchMouseEventType,
    InsertTextParams, MouseButton,
};
use chromiumoxide::cdp::browser_protocol::log::{EnableParams as EnableLog, EventEntryAdded, LogEntryLevel};
use chromiumoxide::cdp::browser_protocol::network::CookieParam;
use chromiumoxide::cdp::browser_protocol::target::{CreateBrowserContextParams, CreateTargetParams};
use chromiumoxide::cdp::js_protocol::runtime::{
    ConsoleApiCalledType, EnableParams as EnableRuntime, EvaluateParams, EventConsoleApiCalled,
    EventExceptionThrown,
};
use chromiumoxide::listeners::EventStream;
use chromiumoxide::{Command, Page};
use futures_util::{FutureExt, StreamExt};
use serde::de::DeserializeOwned;

use crate::chromium;

pub const WIDE: (i64, i64) = (1280, 900);
pub const NARROW: (i64, i64) = (390, 844);

const PATIENCE: Duration = Duration::from_secs(30);

pub struct Tab {
    pub page: Page,
    base: String,
    context: BrowserContextId,
    entries: EventStream<EventEntryAdded>,
    exceptions: EventStream<EventExceptionThrown>,
    calls: EventStream<EventConsoleApiCalled>,
}

impl Tab {
    /// A private window on the site at `base`; with a cookie, as whoever it belongs to.
    pub async fn new(base: &str, cookie: Option<(&str, &str)>) -> Self {
        let opening = async {
            let browser = chromium::browser();
            let context = browser.create_browser_context(CreateBrowserContextParams::default()).await;
            let context = context.expect("a private window");
            let blank = CreateTargetParams::builder().url("about:blank").browser_context_id(context.clone());
            let page = browser.new_page(blank.build().expect("an address")).await.expect("a tab");
            (context, page)
        };
        let (context, page) = within("a tab opens", opening).await;
        let entries = page.event_listener().await.expect("the tab's log");
        let exceptions = page.event_listener().await.expect("the tab's exceptions");
        let calls = page.event_listener().await.expect("the tab's console");
        let tab = Tab { page, base: base.to_owned(), context, entries, exceptions, calls };
        tab.run(EnableLog::default()).await;
        tab.run(EnableRuntime::default()).await;
        // Otherwise only one tab of them all has the focus.
        tab.run(SetFocusEmulationEnabledParams::new(true)).await;
        if let Some((name, value)) = cookie {
            let cookie = CookieParam::builder().name(name).value(value).url(base).http_only(true);
            let cookie = cookie.build().expect("a cookie");
            within("the cookie is set", tab.page.set_cookie(cookie)).await.expect("the cookie is valid");
        }
        tab.look(WIDE, false).await;
        tab
    }

    /// Runs a command of Chromium's protocol.
    #[track_caller]
    pub fn run<T: Command>(&self, command: T) -> impl Future<Output = T::Response> {
        let name = command.identifier();
        let running = self.page.execute(command);
        async move {
            let answer = within(&name, running).await;
            answer.unwrap_or_else(|e| panic!("{name}: {e}")).result
        }
    }

    /// Width and height, and light or dark.
    pub async fn look(&self, (width, height): (i64, i64), dark: bool) {
        self.run(SetDeviceMetricsOverrideParams::new(width, height, 1.0, width < 600)).await;
        self.media("", dark).await;
    }

    /// `print` or nothing, and light or dark. Nothing moves, so that a colour isn't read half-way.
    pub async fn media(&self, kind: &str, dark: bool) {
        let scheme = if dark { "dark" } else { "light" };
        let features = [("prefers-color-scheme", scheme), ("prefers-reduced-motion", "reduce")];
        let features = features.map(|(name, value)| MediaFeature::new(name, value));
        self.run(SetEmulatedMediaParams::builder().media(kind).features(features).build()).await;
    }

    /// Goes to a path; done when the page is loaded.
    pub async fn open(&self, path: &str) {
        let address = format!("{}{path}", self.base);
        within(path, self.page.goto(address)).await.unwrap_or_else(|e| panic!("{path}: {e}"));
        self.wait("document.readyState === 'complete'").await;
    }

    /// The value of an expression; a promise's, once it is kept.
    pub async fn eval<T: DeserializeOwned>(&self, expression: &str) -> T {
        self.try_eval(expression).await.unwrap_or_else(|e| panic!("{e}"))
    }

    async fn try_eval<T: DeserializeOwned>(&self, expression: &str) -> Result<T, String> {
        let start = || expression.chars().take(200).collect::<String>();
        let evaluate = EvaluateParams::builder().expression(expression).await_promise(true);
        let evaluate = evaluate.return_by_value(true).build().expect("an expression");
        let answer = within("a script ends", self.page.execute(evaluate)).await;
        let answer = answer.map_err(|e| format!("{}: {e}", start()))?.result;
        if let Some(details) = answer.exception_details {
            return Err(format!("{}: {details:?}", start()));
        }
        let value = answer.result.value.unwrap_or_default();
        serde_json::from_value(value).map_err(|e| format!("{}: {e}", start()))
    }

    /// Until the condition is true. While a page is being replaced no script can run, and that is no error.
    pub async fn wait(&self, condition: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.try_eval::<bool>(&format!("Boolean({condition})")).await;
            if answer == Ok(true) {
                return;
            }
            if Instant::now() > deadline {
                let seen: Result<String, _> =
                    self.try_eval("location.href + '\\n' + document.body.innerText").await;
                panic!("{condition} didn't come true ({answer:?}); {}", seen.unwrap_or_default());
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Until the whole page at this path is there.
    pub async fn wait_for_path(&self, path: &str) {
        self.wait(&format!("location.pathname === {path:?} && document.readyState === 'complete'")).await;
    }

    pub async fn text(&self, css: &str) -> String {
        self.eval(&format!("document.querySelector({css:?})?.innerText ?? ''")).await
    }

    /// A click with the mouse in the middle of the first element that matches.
    pub async fn click(&self, css: &str) {
        let script = format!(
            "(() => {{ const e = document.querySelector({css:?}); e.scrollIntoView({{block: 'center'}});
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        );
        let (x, y): (f64, f64) = self.eval(&script).await;
        for kind in [DispatchMouseEventType::MousePressed, DispatchMouseEventType::MouseReleased] {
            let event = DispatchMouseEventParams::builder().r#type(kind).x(x).y(y).click_count(1);
            self.run(event.button(MouseButton::Left).build().expect("an event")).await;
        }
    }

    /// Clicks a field and types.
    pub async fn fill(&self, css: &str, text: &str) {
        self.click(css).await;
        self.type_text(text).await;
    }

    pub async fn type_text(&self, text: &str) {
        self.run(InsertTextParams::new(text)).await;
    }

    pub async fn press(&self, key: Key) {
        let (name, code, text) = match key {
            Key::Tab => ("Tab", 9, None),
            Key::Enter => ("Enter", 13, Some("\r")),
            Key::Space => (" ", 32, Some(" ")),
            Key::Down => ("ArrowDown", 40, None),
        };
        for kind in [DispatchKeyEventType::KeyDown, DispatchKeyEventType::KeyUp] {
            let down = kind == DispatchKeyEventType::KeyDown;
            let event = DispatchKeyEventParams::builder().r#type(kind).key(name).code(if name == " " {
                "Space"
            } else {
                name
            });
            let event = event.windows_virtual_key_code(code);
            let event = if let Some(text) = text.filter(|_| down) { event.text(text) } else { event };
            self.run(event.build().expect("an event")).await;
        }
    }

    /// What the browser complained about since the last time: errors, exceptions, refusals of the policy.
    pub async fn complaints(&mut self) -> Vec<String> {
        // What came before this answer has been handed out by now.
        let _: bool = self.eval("true").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        let mut found = Vec::new();
        while let Some(Some(event)) = self.entries.next().now_or_never() {
            if matches!(event.entry.level, LogEntryLevel::Error | LogEntryLevel::Warning) {
                found.push(format!("{:?}: {}", event.entry.source, event.entry.text));
            }
        }
        while let Some(Some(event)) = self.exceptions.next().now_or_never() {
            found.push(format!("exception: {:?}", event.exception_details));
        }
        while let Some(Some(event)) = self.calls.next().now_or_never() {
            if matches!(event.r#type, ConsoleApiCalledType::Error | ConsoleApiCalledType::Warning) {
                found.push(format!("console: {:?}", event.args));
            }
        }
        found
    }

    pub async fn close(self) {
        let closing = chromium::browser().dispose_browser_context(self.context);
        let _ = tokio::time::timeout(PATIENCE, closing).await;
    }
}

#[derive(Clone, Copy)]
pub enum Key {
    Tab,
    Enter,
    Space,
    Down,
}

pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}
