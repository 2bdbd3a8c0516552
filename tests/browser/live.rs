//! Pages that are open while something happens: they say so by themselves, and leave alone what a person writes.

use crate::BINARY;
use crate::driver::{Browser, USUAL};
use countersign_e2e::program::{Program, run_with};
use countersign_e2e::service::Service;
use serde_json::json;
use std::collections::BTreeMap;

fn open(service: &Service, path: &str) -> Browser {
    let token = service.token("bob@example.com", &["approver"]);
    let bob = Browser::signed_in(service.pages(), &token, USUAL);
    bob.open(path);
    // Gone if the page is loaded anew.
    bob.execute("window.isFirst = true", Vec::new());
    bob
}

fn is_first(browser: &Browser) -> bool {
    browser.execute("return window.isFirst === true", Vec::new()) == true
}

#[test]
fn what_another_approver_does_is_shown_and_a_form_in_use_is_left_alone() {
    let service = Service::for_browsers();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::high());
    let bob = open(&service, &format!("/approvals/{}", Service::id(&path)));
    Service::approve(&service.approver("carol"), &path).expect(200);
    bob.await_text("1 / 2");
    assert!(is_first(&bob) && !bob.has("button", "Show changes"));
    bob.fill("Comment (optional)", "I am reading");
    ann.post(&format!("{path}/comments"), &json!({ "text": "one moment" })).expect(200);
    bob.find("button", "Show changes");
    bob.await_text("one moment");
    assert_eq!(bob.value("Comment (optional)"), "I am reading");
    assert!(is_first(&bob));
    bob.press("Show changes");
    bob.wait("new page", || (!is_first(&bob)).then_some(()));
    bob.tick("I have read all of it");
    bob.press("Approve");
    bob.await_text("approved, not started");
}

#[test]
fn the_inbox_counts_what_waits() {
    let service = Service::for_browsers();
    let ann = service.requester("ann");
    let bob = open(&service, "/inbox");
    bob.await_text("No request waits for your decision.");
    assert_eq!(bob.title(), "(0) Inbox – Countersign");
    let path = Service::create(&ann, &Service::medium());
    bob.find("link", "modify_storage on dev-db-01");
    assert_eq!(bob.title(), "(1) Inbox – Countersign");
    bob.press("Pause updates");
    bob.find("button", "Resume updates");
    Service::approve(&service.approver("carol"), &path).expect(200);
    bob.press("Resume updates");
    bob.await_text("No request waits for your decision.");
    assert!(is_first(&bob));
}

#[test]
fn the_form_goes_at_the_deadline() {
    let service = Service::for_browsers();
    let path = Service::create(&service.requester("ann"), &Service::medium());
    service.host.advance_milliseconds((259_200 - 6) * 1000);
    let bob = open(&service, &format!("/approvals/{}", Service::id(&path)));
    bob.find("button", "Approve");
    bob.await_gone("button", "Approve");
    bob.await_text("The time to decide is over.");
    assert!(!bob.has("button", "Reject") && is_first(&bob));
}

#[test]
fn a_command_signs_in_and_a_service_that_is_gone_is_missed_until_it_is_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = Program::start(BINARY, directory.path());
    let ann = program.person("ann", "developer");
    let path = Service::create(&ann, &Service::medium());
    let variables = BTreeMap::from([
        ("COUNTERSIGN_URL".to_owned(), program.base().to_owned()),
        ("COUNTERSIGN_TOKEN".to_owned(), program.token("bob", "approver")),
    ]);
    let printed = run_with(BINARY, &["dashboard", "--no-browser"], &variables);
    let printed = String::from_utf8(printed.stdout).unwrap();
    let url = printed.lines().next().unwrap();
    let (origin, code) = url.split_once("/sign-in/").unwrap();
    assert!(origin.starts_with("http://") && origin.contains(".localhost:"), "{origin}");
    let bob = Browser::start(origin, USUAL);
    bob.open(&format!("/sign-in/{code}"));
    bob.await_text("bob@example.com");
    bob.press("Sign in");
    bob.await_heading("Inbox");
    bob.open(&format!("/approvals/{}", Service::id(&path)));
    bob.fill("Comment (optional)", "fine");
    program.signal("KILL");
    program.wait();
    bob.press("Pause updates");
    bob.press("Resume updates");
    bob.await_text("Connection lost since");
    let address = program.base().trim_start_matches("http://").to_owned();
    let again = Program::start_with(BINARY, directory.path(), &["--listen", &address]);
    assert_eq!(again.base(), program.base());
    bob.press("Pause updates");
    bob.press("Resume updates");
    bob.await_no_text("Connection lost since");
    assert_eq!(bob.value("Comment (optional)"), "fine");
    bob.press("Approve");
    bob.await_text("approved, not started");
}
