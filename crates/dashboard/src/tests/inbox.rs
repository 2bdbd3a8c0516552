//! The inbox.

use super::browser::Browser;
use super::examples::example;
use serde_json::{Value, json};

fn summary(place: u32, changes: &Value) -> Value {
    let mut summary = example("list")["items"][0].clone();
    summary["request_id"] = json!(format!("019c1339-a5c0-7000-8000-{place:012}"));
    summary["approved_by"] = json!([]);
    summary["expires_at"] = json!(format!("2026-02-{:02}T09:30:00.000Z", 28 - place % 28));
    for (name, value) in changes.as_object().unwrap() {
        summary[name] = value.clone();
    }
    summary
}

#[test]
fn the_most_urgent_comes_first_and_what_cannot_be_decided_not_at_all() {
    let mut browser = Browser::signed_in();
    let missing = json!({"slots": [{"groups": ["dba", "security"], "approvals": 1}], "from_anybody": 1});
    let items = json!([
        summary(1, &json!({"operation_type": "second", "expires_at": "2026-02-03T09:30:00.000Z"})),
        summary(
            2,
            &json!({
                "operation_type": "first", "expires_at": "2026-01-31T10:00:00.000Z", "missing": missing, "may": ["approve"],
                "hold": {"by": "cleo@example.com", "since": "2026-01-31T09:40:00.000Z", "until": "2026-01-31T09:50:00.000Z"},
            })
        ),
        summary(3, &json!({"operation_type": "own", "requested_by": "bob@example.com"})),
        summary(4, &json!({"operation_type": "decided", "approved_by": ["bob@example.com"]})),
        summary(5, &json!({"operation_type": "late", "expires_at": "2026-01-31T09:45:00.000Z"})),
        summary(6, &json!({"operation_type": "closed", "status": "rejected"})),
    ]);
    browser.api.answers("GET /v1/approvals?", 200, json!({"items": items, "next_cursor": "abc"}));
    let page = browser.get("/inbox");
    assert_eq!(page.heading(), "Inbox");
    assert_eq!(browser.api.calls()[0].path, "/v1/approvals?status=pending&waiting_for=me");
    let [first, second] = ["first on production-db-01", "second on production-db-01"].map(|name| {
        page.shows(&format!("aria-label=\"Select {name}\""));
        page.html.find(&format!("<bdi>{name}</bdi>")).unwrap()
    });
    assert!(first < second);
    for name in ["own on", "decided on", "late on", "closed on"] {
        page.lacks(name);
    }
    page.shows("Requests that wait for you: 2 or more.")
        .shows("<title>(2) Inbox – Countersign</title>")
        .shows("1 of dba or security, 1 of any approvers")
        .shows("15 min left")
        .shows("Looked at by: <bdi>cleo@example.com</bdi>, until ")
        .shows("5 min left")
        .shows("250.5")
        .shows("href=\"/inbox?cursor=abc\"")
        .shows("<nav aria-label=\"Main\">")
        .shows("<a href=\"/inbox\" aria-current=\"page\">Inbox</a>");
    assert!(page.has_button("Review selected") && page.has_button("Apply filters"));
    for label in ["Environment", "Risk at least", "Operation"] {
        page.shows(&format!(">{label}</label>"));
    }
    let page = browser.get("/inbox?view=all");
    page.shows("own on")
        .shows("decided on")
        .lacks("late on")
        .lacks("closed on")
        .shows("Pending requests: 4 or more.");
}

#[test]
fn filters_reach_the_api_and_stay_chosen() {
    let mut browser = Browser::signed_in();
    browser.api.answers("GET /v1/approvals?", 200, json!({"items": [], "next_cursor": null}));
    let page = browser.get("/inbox?view=all&environment=production&risk=medium&operation=reboot");
    assert_eq!(
        browser.api.calls()[0].path,
        "/v1/approvals?status=pending&environment=production&operation_type=reboot&risk_level=medium&risk_level=high"
    );
    page.shows("value=\"production\" selected").shows("value=\"medium\" selected").shows("value=\"reboot\"");
    page.shows("No request is pending.");
}

#[test]
fn fifty_rows_are_small() {
    let mut browser = Browser::signed_in();
    let items: Vec<_> = (0..50).map(|place| summary(place, &json!({}))).collect();
    browser.api.answers("GET /v1/approvals?", 200, json!({"items": items, "next_cursor": null}));
    let page = browser.get("/inbox");
    assert!(page.html.len() <= 60 * 1024, "{}", page.html.len());
    assert_eq!(page.html.matches("<li class=\"row\">").count(), 50);
}
