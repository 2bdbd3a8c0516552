//! One decision, whatever a person presses and however old the page is; and none by a page of another session.

use crate::driver::{Browser, Look, USUAL};
use countersign_e2e::client::Client;
use countersign_e2e::service::Service;
use serde_json::{Value, json};

const NO_SCRIPT: Look = Look { has_script: false, ..USUAL };

fn events(caller: &Client, path: &str, kind: &str) -> usize {
    let trail = caller.get(&format!("{path}/events")).expect(200);
    let items = trail["items"].as_array().unwrap();
    items.iter().filter(|event| event["event_type"] == kind).count()
}

fn page(path: &str) -> String {
    format!("/approvals/{}", Service::id(path))
}

#[test]
fn ten_clicks_are_one_approval() {
    let service = Service::for_browsers();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::high());
    let token = service.token("bob@example.com", &["approver"]);
    let bob = Browser::signed_in(service.pages(), &token, USUAL);
    bob.open(&page(&path));
    bob.tick("I have read all of it");
    let clicks =
        "const button = [...document.querySelectorAll('button')].find((one) => one.innerText === 'Approve');
                  for (let i = 0; i < 10; i++) button.click();";
    bob.execute(clicks, Vec::new());
    bob.await_gone("button", "Approve");
    bob.await_text("1 / 2");
    assert_eq!(events(&ann, &path, "APPROVAL_GRANTED"), 1);
}

#[test]
fn a_page_that_is_out_of_date_decides_nothing_and_keeps_the_text() {
    let service = Service::for_browsers();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    let token = service.token("bob@example.com", &["approver"]);
    let bob = Browser::signed_in(service.pages(), &token, NO_SCRIPT);
    bob.open(&page(&path));
    bob.fill("Comment (optional)", "fine by me");
    ann.post(&format!("{path}/comments"), &json!({ "text": "one moment" })).expect(200);
    service.untouched(|| {
        bob.press("Approve");
        bob.find("alert", "There is a problem");
        // After half an hour neither.
        service.host.advance_milliseconds(31 * 60 * 1000);
        assert!(bob.has("heading", "What changed"));
        assert_eq!(bob.value("Comment (optional)"), "fine by me");
        bob.press("Approve");
        bob.await_text("This page is older than 30 minutes.");
        assert_eq!(bob.value("Comment (optional)"), "fine by me");
    });
    bob.press("Approve");
    bob.await_text("approved, not started");
    assert_eq!(ann.get(&path).expect(200)["comments"][1]["comment"], "fine by me");
}

#[test]
fn a_page_of_another_session_decides_nothing() {
    let service = Service::for_browsers();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    let token = |name: &str| service.token(&format!("{name}@example.com"), &["approver"]);
    let browser = Browser::signed_in(service.pages(), &token("bob"), USUAL);
    browser.open(&page(&path));
    browser.find("button", "Approve");
    let first = browser.switch_to_new_window();
    browser.open("/inbox");
    browser.press("Sign out");
    browser.await_heading("Signed out");
    browser.open("/sign-in");
    browser.fill("Token", &token("carol"));
    browser.press("Sign in with a token");
    browser.await_heading("Inbox");
    browser.switch_to(first);
    service.untouched(|| {
        browser.press("Approve");
        browser.await_text("This form was not sent by a page of this session");
    });
    assert_eq!(ann.get(&path).expect(200)["decisions"], json!([]));
}

#[test]
fn nothing_is_left_of_a_session_that_ended() {
    let service = Service::for_browsers();
    let path = Service::create(&service.requester("ann"), &Service::medium());
    let token = service.token("bob@example.com", &["approver"]);
    for look in [USUAL, NO_SCRIPT] {
        let bob = Browser::signed_in(service.pages(), &token, look);
        bob.open(&page(&path));
        bob.press("Sign out");
        bob.await_heading("Signed out");
        bob.back();
        bob.await_heading("Sign in");
        assert!(!bob.text().contains("modify_storage"));
        // Who signs in comes back to what was asked for, and to no page of others.
        bob.fill("Token", &token);
        bob.press("Sign in with a token");
        bob.await_heading("modify_storage on dev-db-01");
        bob.press("Sign out");
        bob.await_heading("Signed out");
        bob.open("/sign-in?return=//evil.example/");
        bob.fill("Token", &token);
        bob.press("Sign in with a token");
        bob.await_heading("Inbox");
    }
}

#[test]
fn no_page_is_shown_in_a_frame_and_no_other_page_sends_a_form() {
    let service = Service::for_browsers();
    let path = Service::create(&service.requester("ann"), &Service::medium());
    let token = service.token("bob@example.com", &["approver"]);
    let bob = Browser::signed_in(service.pages(), &token, USUAL);
    let pages = service.pages().to_owned();
    service.untouched(|| {
        bob.open_elsewhere(&format!("data:text/html,<iframe src=\"{pages}/inbox\"></iframe>"));
        bob.enter_frame();
        assert!(!bob.text().contains("modify_storage"), "{}", bob.text());
        let action = format!("{pages}{}/approve", page(&path));
        bob.open_elsewhere(&format!(
            "data:text/html,<form method=post action=\"{action}\"><button>Approve</button></form>"
        ));
        bob.press("Approve");
        // A cookie that is SameSite=Lax does not come with it.
        bob.await_text("This form was not sent by a page of this session");
    });
}

/// A first visit fetches the page, its style sheet and its script (and the icon, which is not among these); after that only pages.
#[test]
fn what_pages_share_is_fetched_once() {
    let service = Service::for_browsers();
    let browser = Browser::start(service.pages(), USUAL);
    let fetched = || {
        let script = "return performance.getEntriesByType('resource').map((entry) => [entry.name, entry.transferSize])";
        browser.execute(script, Vec::new())
    };
    browser.open("/sign-in");
    let first = fetched();
    let sizes = |entries: &Value| -> Vec<(String, u64)> {
        let entry = |entry: &Value| {
            let name = entry[0].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
            (name, entry[1].as_u64().unwrap())
        };
        entries.as_array().unwrap().iter().map(entry).filter(|(name, _)| name != "svg").collect()
    };
    let first = sizes(&first);
    let names: Vec<_> = first.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["css", "js"]);
    assert!(first.iter().all(|(_, size)| *size > 0), "{first:?}");
    browser.open("/sign-in?return=/history");
    assert!(sizes(&fetched()).iter().all(|(_, size)| *size == 0), "{:?}", fetched());
}
