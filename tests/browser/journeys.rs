//! What people come for, from signing in to signing out: each journey with and without scripts, wide and narrow, light and dark.

use crate::driver::{Browser, Look};
use countersign_e2e::client::Client;
use countersign_e2e::service::Service;
use serde_json::{Value, json};

/// The looks of each journey: every value at least twice.
const LOOKS: [Look; 4] = [
    Look { has_script: true, width: 1280, is_dark: false },
    Look { has_script: true, width: 360, is_dark: true },
    Look { has_script: false, width: 1280, is_dark: true },
    Look { has_script: false, width: 360, is_dark: false },
];

/// A request for storage of an instance, which needs one approval.
fn storage(instance: &str) -> Value {
    let mut body = Service::medium();
    body["instance_id"] = json!(instance);
    body
}

fn status(caller: &Client, path: &str) -> Value {
    caller.get(path).expect(200)["status"].clone()
}

fn open(service: &Service, name: &str, groups: &[&str], look: Look) -> Browser {
    Browser::signed_in(service.pages(), &service.token(&format!("{name}@example.com"), groups), look)
}

fn an_approver_decides(look: Look) {
    let service = Service::for_browsers();
    let ann = service.requester("ann");
    let [approved, rejected] =
        ["dev-db-01", "dev-db-02"].map(|instance| Service::create(&ann, &storage(instance)));
    let high = Service::create(&ann, &Service::high());
    let bob = open(&service, "bob", &["approver"], look);
    for name in [
        "Inbox",
        "My requests",
        "New request",
        "Instances",
        "History",
        "Insights",
        "Audit",
        "Settings",
        "Skip to content",
    ] {
        assert!(bob.has("link", name), "{name}");
    }
    assert!(bob.has("navigation", "Main") && bob.has("status", "Updates"));
    assert_eq!(bob.title(), "(3) Inbox – Countersign");

    bob.follow("modify_storage on dev-db-01");
    bob.await_heading("modify_storage on dev-db-01");
    assert_eq!(bob.headings(), ["What will run", "Why", "Approvals", "Activity", "Decide"]);
    bob.fill("Comment (optional)", "fine");
    bob.press("Approve");
    bob.await_text("approved, not started");
    assert_eq!(status(&ann, &approved), "approved");
    assert!(!bob.has("button", "Approve"));

    bob.follow("Inbox");
    bob.await_heading("Inbox");
    bob.follow("modify_storage on dev-db-02");
    bob.await_heading("modify_storage on dev-db-02");
    bob.fill("Reason", "not today");
    bob.press("Reject");
    bob.await_gone("button", "Reject");
    assert_eq!(status(&ann, &rejected), "rejected");

    bob.follow("Inbox");
    bob.await_heading("Inbox");
    bob.follow("modify_instance_class on production-db-01");
    bob.await_heading("modify_instance_class on production-db-01");
    bob.fill("Comment", "who is on call?");
    bob.press("Add comment");
    bob.await_text("who is on call?");
    // Not without the tick, whether the browser or the service says so; and no tick without having seen the end.
    bob.press("Approve");
    assert_eq!(ann.get(&high).expect(200)["decisions"], json!([]));
    bob.show(".document code:last-child");
    bob.tick("I have read all of it");
    bob.press("Approve");
    bob.await_gone("button", "Approve");
    let request = ann.get(&high).expect(200);
    assert_eq!(
        (&request["status"], &request["approved_by"]),
        (&json!("pending"), &json!(["bob@example.com"]))
    );
    assert_eq!(bob.sideways(), 0);
}

fn a_requester_asks_and_carries_out(look: Look) {
    let service = Service::for_browsers();
    let ann = open(&service, "ann", &["developer"], look);
    ann.follow("New request");
    ann.await_heading("New request");
    ann.fill("Operation", "modify_storage");
    ann.fill("Instance", "dev-db-01");
    ann.choose("Environment", "non-production");
    ann.fill("Parameters (JSON)", "{\"allocated_storage\": 200}");
    ann.fill("Justification", "The disk is nearly full");
    ann.choose("Risk at least", "medium");
    ann.fill("Estimated cost", "12.5");
    ann.fill("Estimated duration", "5 minutes");
    ann.fill("Ticket", "OPS-1");
    ann.fill("Rollback plan", "None is needed");
    ann.press("Check");
    ann.await_text("What the policy says");
    ann.await_text("The request can be submitted.");
    assert_eq!(ann.value("Justification"), "The disk is nearly full");
    let caller = service.requester("ann");
    assert_eq!(caller.get("/v1/approvals").expect(200)["items"], json!([]));
    ann.press("Submit request");
    ann.await_heading("modify_storage on dev-db-01");
    assert!(ann.has("link", "OPS-1"));
    assert!(!ann.has("button", "Approve"));
    let id = ann.path().rsplit('/').next().unwrap().to_owned();
    let path = format!("/v1/approvals/{id}");
    Service::approve(&service.approver("bob"), &path).expect(200);

    ann.follow("My requests");
    ann.await_heading("My requests");
    ann.await_text("Start the execution before the deadline.");
    ann.follow("modify_storage on dev-db-01");
    ann.press("Start execution");
    ann.fill("Result (JSON, optional)", "{\"allocated\": ");
    ann.press("Report success");
    ann.find("alert", "There is a problem");
    assert_eq!(ann.value("Result (JSON, optional)"), "{\"allocated\": ");
    ann.fill("Result (JSON, optional)", "{\"allocated\": 200}");
    ann.fill("Actual cost", "11");
    ann.press("Report success");
    ann.await_gone("button", "Report success");
    let request = caller.get(&path).expect(200);
    assert_eq!(
        (&request["status"], &request["execution_result"]),
        (&json!("executed"), &json!({"allocated": 200}))
    );

    // Another is started and fails, and a third is given up.
    let failed = service.approved(&caller);
    ann.open(&format!("/approvals/{}", Service::id(&failed)));
    ann.press("Start execution");
    ann.press("Report failure");
    ann.await_gone("button", "Report failure");
    assert_eq!(status(&caller, &failed), "failed");
    let cancelled = Service::create(&caller, &storage("dev-db-03"));
    ann.open(&format!("/approvals/{}", Service::id(&cancelled)));
    ann.press("Cancel request");
    ann.await_gone("button", "Cancel request");
    assert_eq!(status(&caller, &cancelled), "cancelled");
    assert_eq!(ann.sideways(), 0);
}

fn what_is_open_is_reviewed_together_or_by_instance(look: Look) {
    let service = Service::for_browsers();
    let ann = service.requester("ann");
    let paths =
        ["dev-db-01", "dev-db-02", "dev-db-03"].map(|instance| Service::create(&ann, &storage(instance)));
    let bob = open(&service, "bob", &["approver"], look);
    bob.tick("Select modify_storage on dev-db-01");
    bob.tick("Select modify_storage on dev-db-02");
    bob.press("Review selected");
    bob.await_heading("Review 2 requests");
    bob.press("Approve selected");
    bob.await_text("No request is selected");
    bob.tick("Select modify_storage on dev-db-01");
    bob.press("Approve selected");
    bob.await_text("Recorded");
    bob.tick("Select modify_storage on dev-db-02");
    bob.press("Reject selected");
    bob.await_text("Write the reason for the rejection.");
    // What was ticked is ticked.
    bob.fill("Reason", "too large");
    bob.press("Reject selected");
    bob.await_text("Recorded");
    assert_eq!([&paths[0], &paths[1]].map(|path| status(&ann, path)), ["approved", "rejected"]);

    bob.follow("Instances");
    bob.await_heading("Instances");
    bob.follow("dev-db-03");
    bob.await_heading("dev-db-03");
    bob.follow("Review");
    bob.await_text("What will run");
    bob.press("Approve");
    bob.await_text("approved, not started");
    assert_eq!(status(&ann, &paths[2]), "approved");
    assert_eq!(bob.sideways(), 0);
}

fn what_happened_is_found_and_settings_stay(look: Look) {
    let service = Service::for_browsers();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &storage("dev-db-01"));
    service.approver("bob").post(&format!("{path}/reject"), &json!({ "reason": "no" })).expect(200);
    // Events are shown once no earlier one can follow.
    service.host.advance_milliseconds(120_000);
    service.seal().unwrap();
    service.fold().unwrap();
    let root = open(&service, "root", &["admin"], look);
    root.follow("History");
    root.await_heading("History");
    root.choose("Status", "rejected");
    root.fill("Requester", "ann@example.com");
    root.press("Apply filters");
    root.wait("filtered page", || root.path().contains("requester=ann").then_some(()));
    assert!(root.has("link", "modify_storage on dev-db-01") && root.has("link", "Download as CSV"));
    assert!(root.has("field", "From") && root.has("field", "To"));
    root.choose("Status", "expired");
    root.press("Apply filters");
    root.await_text("No closed request fits these filters.");

    root.follow("Insights");
    root.await_heading("Insights");
    let table = root.find("button", "Show as table");
    assert!(!root.text().contains("Requests a day\nDay"));
    root.click(&table);
    root.await_text("2026-01-01");

    root.follow("Audit");
    root.await_heading("Audit");
    root.await_text("modify_storage on dev-db-01");
    root.open(&format!("/audit?request={}", Service::id(&path)));
    root.await_text("The chain of events is whole.");
    assert!(root.has("button", "Download evidence"));

    root.follow("Settings");
    root.await_heading("Settings");
    root.fill("Time zone", "Asia/Seoul");
    root.choose("Theme", "Dark");
    root.tick("Single-key shortcuts");
    assert!(root.has("field", "Desktop notifications"));
    root.press("Save settings");
    root.await_text("The settings are saved in this browser.");
    assert_eq!(root.value("Time zone"), "Asia/Seoul");
    root.open(&format!("/approvals/{}", Service::id(&path)));
    root.await_text("2026-01-01 09:00");
    assert_eq!(root.execute("return document.documentElement.dataset.theme", Vec::new()), "dark");
    root.open("/settings");
    root.fill("Time zone", "Seoul");
    root.press("Save settings");
    root.find("alert", "There is a problem");
    root.fill("Time zone", "Asia/Seoul");
    root.choose("Language", "한국어");
    root.press("Save settings");
    root.await_heading("설정");
    root.choose("언어", "English");
    root.press("설정 저장");
    root.await_heading("Settings");

    root.press("Sign out");
    root.await_heading("Signed out");
    root.back();
    root.await_heading("Sign in");
    assert!(!root.text().contains("root@example.com"));
}

macro_rules! in_every_look {
    ($($journey:ident)*) => { $(
        mod $journey {
            #[test]
            fn with_scripts_wide_and_light() {
                super::$journey(super::LOOKS[0]);
            }

            #[test]
            fn with_scripts_narrow_and_dark() {
                super::$journey(super::LOOKS[1]);
            }

            #[test]
            fn without_scripts_wide_and_dark() {
                super::$journey(super::LOOKS[2]);
            }

            #[test]
            fn without_scripts_narrow_and_light() {
                super::$journey(super::LOOKS[3]);
            }
        }
    )* };
}

in_every_look! {
    an_approver_decides
    a_requester_asks_and_carries_out
    what_is_open_is_reviewed_together_or_by_instance
    what_happened_is_found_and_settings_stay
}
