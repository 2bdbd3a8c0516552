//! Chromium as a test drives it: one chromedriver for this process, and a session with an empty profile for each browser.
//! Elements are found as people find them, by what they are and what they are called.

use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::elements::{Element, ElementRef};
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand, WindowHandle};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How long something may take to be on the screen: pages ask every 5 seconds, the inbox every 10.
const PATIENCE: Duration = Duration::from_secs(20);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});

/// A driver. Once this process is gone, however it went, the shell around it ends it and takes the profiles away; its browsers
/// end with it, since they hear from it by a pipe.
struct Driver {
    _shell: Child,
    _output: BufReader<std::process::ChildStdout>,
    url: String,
    profiles: TempDir,
}

/// Browsers that no test has now, each with whether scripts run in it: to start one takes longer than most of what tests do.
static IDLE: Mutex<Vec<(bool, Client)>> = Mutex::new(Vec::new());

fn driver() -> &'static Driver {
    static DRIVER: OnceLock<Option<Driver>> = OnceLock::new();
    let driver = DRIVER.get_or_init(|| {
        let program = std::env::var_os("CHROMEDRIVER").unwrap_or_else(|| "chromedriver".into());
        let profiles = tempfile::tempdir().ok()?;
        let script = "\"$0\" --port=0 & driver=$!; read -r _; kill $driver; wait $driver; rm -rf \"$1\"";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .arg(program)
            .arg(profiles.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut output = BufReader::new(shell.stdout.take()?);
        let mut line = String::new();
        while output.read_line(&mut line).ok()? > 0 {
            if let Some(port) =
                line.trim().rsplit_once("successfully on port ").map(|(_, port)| port.trim_end_matches('.'))
            {
                let url = format!("http://127.0.0.1:{port}");
                return Some(Driver { _shell: shell, _output: output, url, profiles });
            }
            line.clear();
        }
        None
    });
    driver.as_ref().expect(
        "these tests drive Chromium, and there is no chromedriver: on Debian, \
         `apt-get install chromium chromium-driver fonts-nanum`; elsewhere, name one in CHROMEDRIVER",
    )
}

/// A command of `WebDriver`, or of Chromium alone, that fantoccini has no function for.
#[derive(Debug)]
struct Raw {
    path: String,
    body: Option<String>,
}

impl WebDriverCompatibleCommand for Raw {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        let method = if self.body.is_some() { http::Method::POST } else { http::Method::GET };
        (method, self.body.clone())
    }
}

fn launched(has_script: bool) -> Client {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let mut arguments: Vec<String> = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--remote-debugging-pipe",
        "--lang=en-US",
    ]
    .map(str::to_owned)
    .into();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed).to_string();
    arguments.push(format!("--user-data-dir={}", driver().profiles.path().join(number).display()));
    let mut options = json!({ "args": arguments });
    if !has_script {
        options["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
    }
    let mut capabilities = Capabilities::new();
    capabilities.insert("goog:chromeOptions".to_owned(), options);
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(capabilities);
    RUNTIME.block_on(builder.connect(&driver().url)).unwrap()
}

/// How pages are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Whether scripts run.
    pub has_script: bool,
    /// The width of the window, in CSS pixels.
    pub width: u32,
    /// Whether the person prefers dark pages.
    pub is_dark: bool,
}

/// Wide, light, with scripts: how most people look.
pub(crate) const USUAL: Look = Look { has_script: true, width: 1280, is_dark: false };

/// A browser of one person.
#[derive(Debug)]
pub(crate) struct Browser {
    client: Client,
    origin: String,
    has_script: bool,
}

impl Browser {
    /// One that shows pages of the service at `origin`.
    pub(crate) fn start(origin: &str, look: Look) -> Self {
        let idle = {
            let mut idle = IDLE.lock().unwrap();
            let place = idle.iter().position(|(has_script, _)| *has_script == look.has_script);
            place.map(|place| idle.remove(place).1)
        };
        let client = idle.unwrap_or_else(|| launched(look.has_script));
        let browser = Self { client, origin: origin.to_owned(), has_script: look.has_script };
        // Nothing is left of who had it before.
        browser.devtools("Network.clearBrowserCookies", &json!({}));
        browser.show_scrollbars(true);
        browser.resize(look.width);
        browser.prefer("prefers-color-scheme", if look.is_dark { "dark" } else { "light" });
        browser
    }

    /// The same, signed in with a token as a person does it.
    pub(crate) fn signed_in(origin: &str, token: &str, look: Look) -> Self {
        let browser = Self::start(origin, look);
        browser.open("/sign-in");
        browser.fill("Token", token);
        browser.press("Sign in with a token");
        browser.await_heading("Inbox");
        browser
    }

    fn raw(&self, path: &str, body: Option<&Value>) -> Option<Value> {
        let command = Raw { path: path.to_owned(), body: body.map(Value::to_string) };
        RUNTIME.block_on(self.client.issue_cmd(command)).ok()
    }

    /// A command of Chromium's own protocol.
    pub(crate) fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.raw("goog/cdp/execute", Some(&body)).unwrap_or_else(|| panic!("{command} is refused"))
    }

    /// Makes the window this wide. A window cannot be narrower than some 500 pixels, so the page is told instead.
    pub(crate) fn resize(&self, width: u32) {
        let height = if width < 600 { 740 } else { 900 };
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &screen);
    }

    /// Sets what a media query asks for, and forgets what was set before.
    pub(crate) fn prefer(&self, name: &str, value: &str) {
        let features = json!({ "media": "", "features": [{ "name": name, "value": value }] });
        self.devtools("Emulation.setEmulatedMedia", &features);
    }

    /// Lays the page out as for paper.
    pub(crate) fn lay_out_for_print(&self) {
        self.devtools("Emulation.setEmulatedMedia", &json!({ "media": "print" }));
    }

    /// Opens a page.
    pub(crate) fn open(&self, path: &str) {
        RUNTIME.block_on(self.client.goto(&format!("{}{path}", self.origin))).unwrap();
    }

    /// Opens what is no page of the service.
    pub(crate) fn open_elsewhere(&self, url: &str) {
        RUNTIME.block_on(self.client.goto(url)).unwrap();
    }

    /// From now on the first frame of the page is looked at.
    pub(crate) fn enter_frame(&self) {
        RUNTIME.block_on(self.client.enter_frame(0)).unwrap();
    }

    /// Turns to a new window of the same browser, and gives the one before.
    pub(crate) fn switch_to_new_window(&self) -> WindowHandle {
        RUNTIME.block_on(async {
            let before = self.client.window().await.unwrap();
            let new = self.client.new_window(false).await.unwrap();
            self.client.switch_to_window(new.handle).await.unwrap();
            before
        })
    }

    /// Turns to a window.
    pub(crate) fn switch_to(&self, window: WindowHandle) {
        RUNTIME.block_on(self.client.switch_to_window(window)).unwrap();
    }

    /// The button of the browser.
    pub(crate) fn back(&self) {
        RUNTIME.block_on(self.client.back()).unwrap();
    }

    /// Runs something in the page.
    pub(crate) fn execute(&self, script: &str, arguments: Vec<Value>) -> Value {
        RUNTIME
            .block_on(self.client.execute(script, arguments))
            .unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// The same, which calls its last argument with its result.
    pub(crate) fn execute_async(&self, script: &str) -> Value {
        RUNTIME
            .block_on(self.client.execute_async(script, Vec::new()))
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// The path and query of the page.
    pub(crate) fn path(&self) -> String {
        let url = RUNTIME.block_on(self.client.current_url()).unwrap();
        url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
    }

    /// The title of the page.
    pub(crate) fn title(&self) -> String {
        RUNTIME.block_on(self.client.title()).unwrap()
    }

    /// What the page says.
    pub(crate) fn text(&self) -> String {
        let text = RUNTIME.block_on(self.client.execute("return document.body.innerText", Vec::new()));
        text.ok().and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Whether scrollbars take room, as they do but on a phone.
    pub(crate) fn show_scrollbars(&self, are_shown: bool) {
        self.devtools("Emulation.setScrollbarsHidden", &json!({ "hidden": !are_shown }));
    }

    /// A picture as a PNG in Base64: of the whole page, or of what is on the screen.
    pub(crate) fn picture(&self, is_whole: bool) -> String {
        let picture = json!({ "format": "png", "captureBeyondViewport": is_whole });
        let picture = self.devtools("Page.captureScreenshot", &picture);
        picture["data"].as_str().unwrap().to_owned()
    }

    /// Waits until something is found.
    #[track_caller]
    pub(crate) fn wait<T>(&self, what: &str, mut find: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = find() {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "no {what} on {}:\n{}", self.path(), self.text());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the page says something.
    #[track_caller]
    pub(crate) fn await_text(&self, text: &str) {
        self.wait(text, || self.text().contains(text).then_some(()));
    }

    /// Waits until the page says something no more.
    #[track_caller]
    pub(crate) fn await_no_text(&self, text: &str) {
        self.wait(&format!("page without {text}"), || (!self.text().contains(text)).then_some(()));
    }

    /// Waits until this is the heading of the page.
    #[track_caller]
    pub(crate) fn await_heading(&self, name: &str) {
        self.wait(&format!("heading {name}"), || {
            let heading = async { self.client.find(Locator::Css("h1")).await?.text().await };
            RUNTIME.block_on(heading).is_ok_and(|heading| heading == name).then_some(())
        });
    }

    /// The names of the headings below that of the page.
    pub(crate) fn headings(&self) -> Vec<String> {
        let script = "return [...document.querySelectorAll('main h2')].map((heading) => heading.innerText)";
        let headings = self.execute(script, Vec::new());
        headings.as_array().unwrap().iter().map(|heading| heading.as_str().unwrap().to_owned()).collect()
    }

    /// What is there now of this role and name, in the order of the page.
    pub(crate) fn all(&self, role: &str, name: &str) -> Vec<Element> {
        let candidates = match role {
            "button" => "button, summary",
            "link" => "a[href]",
            "navigation" => "nav",
            "heading" => "h1, h2, h3",
            "field" => "input:not([type=hidden]), textarea, select",
            "status" | "alert" => "[role]",
            role => panic!("no test looks for a {role}"),
        };
        // Few are asked for their names, which takes a call each: those whose texts have it.
        let script = "
            const [selector, name] = arguments;
            const texts = (one) => [
                one.innerText, one.getAttribute('aria-label'), ...[...(one.labels ?? [])].map((label) => label.innerText),
                ...(one.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id)?.innerText),
            ];
            return [...document.querySelectorAll(selector)].filter((one) => texts(one).some((text) => text?.includes(name)));";
        let found = self.client.execute(script, vec![json!(candidates), json!(name)]);
        let found = RUNTIME.block_on(found).unwrap_or_default();
        let element = |found: &Value| {
            let id = found.as_object()?.values().next()?.as_str()?.to_owned();
            Some(Element::from_element_id(self.client.clone(), ElementRef::from(id)))
        };
        let elements: Vec<_> = found.as_array().into_iter().flatten().filter_map(element).collect();
        let computed = |element: &Element, what: &str| {
            let value = self.raw(&format!("element/{}/computed{what}", &*element.element_id()), None)?;
            value.as_str().map(str::to_owned)
        };
        let is_of_role = |element: &Element| {
            let computed = computed(element, "role").unwrap_or_default();
            match role {
                "button" => ["button", "DisclosureTriangle"].contains(&computed.as_str()),
                "field" => true,
                role => computed == role,
            }
        };
        let named =
            elements.into_iter().filter(|element| computed(element, "label").as_deref() == Some(name));
        named.filter(is_of_role).collect()
    }

    /// Whether there is something of this role and name now.
    pub(crate) fn has(&self, role: &str, name: &str) -> bool {
        !self.all(role, name).is_empty()
    }

    /// Waits for the first of this role and name.
    #[track_caller]
    pub(crate) fn find(&self, role: &str, name: &str) -> Element {
        self.wait(&format!("{role} {name}"), || self.all(role, name).into_iter().next())
    }

    /// Waits until nothing of this role and name is left.
    #[track_caller]
    pub(crate) fn await_gone(&self, role: &str, name: &str) {
        self.wait(&format!("page without {role} {name}"), || (!self.has(role, name)).then_some(()));
    }

    /// Presses a button.
    #[track_caller]
    pub(crate) fn press(&self, name: &str) {
        self.click(&self.find("button", name));
    }

    /// Follows a link.
    #[track_caller]
    pub(crate) fn follow(&self, name: &str) {
        self.click(&self.find("link", name));
    }

    /// Scrolls until the first element of a selector is in the middle of the screen.
    pub(crate) fn show(&self, selector: &str) {
        let script = "document.querySelector(arguments[0]).scrollIntoView({block: 'center'})";
        self.execute(script, vec![json!(selector)]);
    }

    /// Ticks a box, or takes the tick away, once it can be.
    #[track_caller]
    pub(crate) fn tick(&self, name: &str) {
        let field = self.find("field", name);
        self.wait(&format!("{name} that can be ticked"), || {
            RUNTIME.block_on(field.is_enabled()).ok()?.then_some(())
        });
        self.click(&field);
    }

    /// Clicks as a person does, where the element is on the screen.
    #[track_caller]
    pub(crate) fn click(&self, element: &Element) {
        RUNTIME.block_on(element.click()).unwrap();
    }

    /// Writes into a field in place of what it has.
    #[track_caller]
    pub(crate) fn fill(&self, name: &str, text: &str) {
        let field = self.find("field", name);
        RUNTIME.block_on(field.clear()).unwrap();
        RUNTIME.block_on(field.send_keys(text)).unwrap();
    }

    /// Chooses of a list.
    #[track_caller]
    pub(crate) fn choose(&self, name: &str, choice: &str) {
        let field = self.find("field", name);
        RUNTIME.block_on(field.select_by_label(choice)).unwrap();
    }

    /// What a field has.
    #[track_caller]
    pub(crate) fn value(&self, name: &str) -> String {
        RUNTIME.block_on(self.find("field", name).prop("value")).unwrap().unwrap()
    }

    /// Presses keys one after another, wherever the focus is.
    pub(crate) fn type_keys(&self, keys: &str) {
        let mut actions = KeyActions::new("keyboard".to_owned());
        for value in keys.chars() {
            actions = actions.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        }
        RUNTIME.block_on(self.client.perform_actions(actions)).unwrap();
    }

    /// Whether the focus is on this.
    pub(crate) fn is_focused(&self, element: &Element) -> bool {
        RUNTIME
            .block_on(self.client.active_element())
            .is_ok_and(|active| active.element_id() == element.element_id())
    }

    /// How many pixels can be scrolled sideways.
    pub(crate) fn sideways(&self) -> i64 {
        let script = "const page = document.documentElement; return page.scrollWidth - page.clientWidth";
        self.execute(script, Vec::new()).as_i64().unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let is_left_blank = RUNTIME.block_on(async {
            self.client.goto("about:blank").await.is_ok()
                && self.client.windows().await.is_ok_and(|windows| windows.len() == 1)
        });
        if is_left_blank && !std::thread::panicking() {
            IDLE.lock().unwrap().push((self.has_script, self.client.clone()));
        } else {
            // A session that is gone needs no end.
            let _ = RUNTIME.block_on(self.client.clone().close());
        }
    }
}
