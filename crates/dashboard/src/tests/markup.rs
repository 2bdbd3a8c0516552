//! What every page has in common: elements nest, names of fields are there and heard, headings go down step by step, and
//! nothing is in the page that the security policy would refuse.

use super::browser::{Browser, Page, text};
use super::examples::{ID, example, explanation, request, sealed};
use super::request::lay_down;
use crate::words::ROWS;
use serde_json::json;
use std::collections::BTreeSet;

const VOID: [&str; 6] = ["br", "input", "link", "meta", "hr", "img"];

/// A start tag with its attributes.
#[derive(Debug)]
struct Element<'a> {
    name: &'a str,
    tag: &'a str,
    is_in_label: bool,
}

impl Element<'_> {
    fn attribute(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.tag.split_once(&format!(" {name}=\""))?;
        Some(rest.split_once('"').unwrap().0)
    }
}

/// The elements of a page, which nest.
fn elements(html: &str) -> Vec<Element<'_>> {
    let mut open = Vec::new();
    let mut elements = Vec::new();
    for part in html.split('<').skip(1) {
        let tag = part.split('>').next().unwrap();
        if tag.starts_with('!') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{part}");
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap();
        elements.push(Element { name, tag, is_in_label: open.contains(&"label") });
        if name == "p" || name == "ul" || name == "div" {
            assert!(
                !open.contains(&"p") || name == "p" && !open.contains(&"p"),
                "{name} in a paragraph: {part}"
            );
        }
        if !VOID.contains(&name) && !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<&str>::new());
    elements
}

fn check(target: &str, page: &Page) {
    let elements = elements(&page.html);
    let named = |name: &'static str| elements.iter().filter(move |element| element.name == name);
    let mut ids = BTreeSet::new();
    for id in elements.iter().filter_map(|element| element.attribute("id")) {
        assert!(ids.insert(id), "{target}: {id} twice");
    }
    for element in &elements {
        let references = ["for", "aria-labelledby", "aria-describedby", "form", "list"];
        let references = references.into_iter().filter_map(|name| element.attribute(name));
        for reference in references.flat_map(str::split_whitespace) {
            assert!(ids.contains(reference), "{target}: no {reference}");
        }
        let names: String = element.tag.split('"').step_by(2).collect();
        let is_refused = names.contains(" style=") || names.contains(" on");
        assert!(!is_refused, "{target}: {}", element.tag);
    }
    let labelled: BTreeSet<_> = named("label").filter_map(|label| label.attribute("for")).collect();
    for field in elements.iter().filter(|element| ["input", "select", "textarea"].contains(&element.name)) {
        let is_named = field.is_in_label
            || field.attribute("type") == Some("hidden")
            || field.attribute("aria-label").is_some()
            || field.attribute("id").is_some_and(|id| labelled.contains(id));
        assert!(is_named, "{target}: {}", field.tag);
    }
    for form in named("form").filter(|form| form.attribute("method") == Some("post")) {
        let action = form.attribute("action").unwrap();
        let (_, rest) = page.html.split_once(form.tag).unwrap();
        let form = rest.split_once("</form>").unwrap().0;
        let needs_token = !["/login", "/sign-in/token", "/sign-in/code"].contains(&action);
        assert_eq!(form.contains("name=\"csrf\""), needs_token, "{target}: {action}");
    }
    let mut level = 0;
    for element in &elements {
        let found = match element.name {
            "h1" => 1,
            "h2" => 2,
            "h3" => 3,
            _ => continue,
        };
        assert!(found <= level + 1, "{target}: {}", element.tag);
        level = found;
    }
    assert_eq!((named("h1").count(), named("main").count(), named("title").count()), (1, 1, 1), "{target}");
    assert_eq!(named("script").count(), 1, "{target}");
    for part in [
        "<html lang=\"",
        "Skip to content</a>",
        "href=\"#content\"",
        "role=\"status\" aria-label=\"Updates\"",
    ] {
        page.shows(part);
    }
}

/// A browser for which there is something on every page.
fn furnished() -> Browser {
    let browser = Browser::signed_in();
    let all = ["approve", "reject", "comment", "withdraw", "cancel", "start", "finish"];
    let mut whole = request(&json!({"a": {"b": [1, []]}}));
    whole["execution_result"] = json!({"rows": 1});
    whole["target"] = json!({"state": "available"});
    whole["target_digest"] = json!("0".repeat(64));
    lay_down(&browser, whole, &all);
    browser.api.answers("GET /v1/approvals?", 200, example("list"));
    browser.api.answers("GET /v1/audit-logs", 200, example("audit"));
    browser.api.answers("GET /v1/audit-logs/stats", 200, example("stats"));
    browser
}

fn targets() -> Vec<String> {
    vec![
        "/inbox".to_owned(),
        "/inbox?view=all&risk=high".to_owned(),
        format!("/approvals/{ID}"),
        format!("/review?id={ID}"),
        "/review".to_owned(),
        "/requests".to_owned(),
        "/requests/new".to_owned(),
        "/instances".to_owned(),
        format!("/instances?id=production-db-01&open={ID}"),
        "/history".to_owned(),
        "/insights".to_owned(),
        "/audit".to_owned(),
        format!("/audit?request={ID}"),
        "/settings".to_owned(),
        "/nothing".to_owned(),
        "/sign-in".to_owned(),
        "/sign-in/code?code=good".to_owned(),
        "/signed-out".to_owned(),
    ]
}

#[test]
fn every_page_is_well_formed_and_named() {
    let mut browser = furnished();
    for target in targets() {
        check(&target, &browser.get(&target));
    }
    let all = ["approve", "reject", "comment", "withdraw", "cancel", "start", "finish"];
    let medium = |risk: &str| {
        let (mut request, mut explained) = (request(&json!({"a": 1})), explanation(&all));
        request["risk_level"] = json!(risk);
        explained["risk_level"] = json!(risk);
        (sealed(request), explained)
    };
    let [request_page, review, instance] =
        ["/approvals/{}", "/review?id={}", "/instances?id=production-db-01&open={}"]
            .map(|path| path.replace("{}", ID));
    let (request, explained) = medium("medium");
    lay_down(&browser, request, &all);
    browser.api.answers(&format!("GET /v1/approvals/{ID}/explain"), 200, explained);
    for target in [&request_page, &review, &instance] {
        check(target, &browser.get(target));
    }
    let page = browser.get(&request_page);
    let csrf = page.hidden("/sign-out", "csrf");
    let page = browser.post(&format!("{request_page}/approve"), &[("csrf", &csrf), ("ticket", "forged")]);
    check("a refused form", &page);
    check("a foreign form", &browser.post("/settings", &[]));
}

/// The texts of elements of a name.
fn texts(page: &Page, name: &str) -> BTreeSet<String> {
    let [begin, end] = [format!("<{name}"), format!("</{name}>")];
    let parts = page.html.split(&begin).skip(1);
    let inside = parts.filter_map(|part| part.split_once('>')?.1.split_once(&end));
    inside.map(|(inside, _)| text(inside).trim().to_owned()).collect()
}

/// Programs that judge the dashboard find what is on its pages by these names.
#[test]
fn buttons_and_fields_have_the_names_that_they_are_known_by() {
    let mut browser = furnished();
    let all = ["approve", "reject", "comment", "withdraw", "cancel", "start", "finish"];
    lay_down(&browser, request(&json!({"a": 1})), &all);
    let mut pages: Vec<_> = targets().iter().map(|target| browser.get(target)).collect();
    let mut medium = request(&json!({"a": 1}));
    medium["risk_level"] = json!("medium");
    let mut explained = explanation(&["approve", "reject"]);
    explained["risk_level"] = json!("medium");
    lay_down(&browser, sealed(medium), &[]);
    browser.api.answers(&format!("GET /v1/approvals/{ID}/explain"), 200, explained);
    pages.push(browser.get(&format!("/review?id={ID}")));
    let all = |name: &str| -> BTreeSet<_> { pages.iter().flat_map(|page| texts(page, name)).collect() };
    let (buttons, labels) = (all("button"), all("label"));
    for name in [
        "Sign in",
        "Sign in with a token",
        "Sign out",
        "Approve",
        "Reject",
        "Withdraw approval",
        "Add comment",
        "Cancel request",
        "Start execution",
        "Report success",
        "Report failure",
        "Check",
        "Submit request",
        "Apply filters",
        "Review selected",
        "Approve selected",
        "Reject selected",
        "Save settings",
    ] {
        assert!(buttons.contains(name), "no button {name} in {buttons:?}");
    }
    for name in [
        "Token",
        "Comment (optional)",
        "Reason",
        "I have read all of it",
        "Comment",
        "Operation",
        "Instance",
        "Environment",
        "Parameters (JSON)",
        "Justification",
        "Risk at least",
        "Estimated cost",
        "Estimated duration",
        "Ticket",
        "Rollback plan",
        "Status",
        "Requester",
        "From",
        "To",
        "Result (JSON, optional)",
        "Actual cost",
        "Time zone",
        "Language",
        "Theme",
        "Single-key shortcuts",
        "Desktop notifications",
        "Select modify_instance_class on production-db-01",
    ] {
        assert!(labels.contains(name), "no field {name} in {labels:?}");
    }
    pages[1].shows("aria-label=\"Select modify_instance_class on production-db-01\"");
    let headings: BTreeSet<_> = pages.iter().map(Page::heading).collect();
    let links = texts(&pages[0], "a");
    for name in
        ["Inbox", "My requests", "New request", "Instances", "History", "Insights", "Audit", "Settings"]
    {
        assert!(headings.contains(name) && links.contains(name), "{name}");
    }
    for name in ["Review 1 requests", "Sign in", "Signed out", "Not found"] {
        assert!(headings.contains(name), "{name} in {headings:?}");
    }
}

#[test]
fn every_page_is_in_one_language() {
    let mut browser = furnished();
    browser.headers.push(("accept-language", "ko".to_owned()));
    for target in targets() {
        let page = browser.get(&target);
        let (_, shown) = page.html.split_once("<main").unwrap();
        let shown: String = text(&shown.replace("</", "|</"));
        for [english, _] in
            ROWS.iter().filter(|[english, korean]| english != korean && !english.contains("{}"))
        {
            let is_shown = shown.split('|').any(|part| part.trim() == *english);
            assert!(!is_shown, "{target}: {english}");
        }
    }
}

#[test]
fn a_get_changes_nothing() {
    let mut browser = Browser::signed_in();
    lay_down(&browser, request(&json!({})), &["approve"]);
    browser.api.answers("GET /v1/approvals?", 200, example("list"));
    for target in
        ["/inbox", "/requests", "/history", "/instances", "/settings?language=ko", "/sign-out", "/login"]
    {
        browser.get(target);
        browser.get(target);
    }
    browser.get(&format!("/approvals/{ID}/approve"));
    assert!(browser.api.calls().iter().all(|call| call.method == http::Method::GET));
    assert_eq!(browser.get("/inbox").status, http::StatusCode::OK);
}
