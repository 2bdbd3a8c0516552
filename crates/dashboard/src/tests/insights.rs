//! Charts and figures.

use super::browser::Browser;
use super::examples::{example, problem};
use http::StatusCode;
use serde_json::{Value, json};

fn stats() -> Value {
    let mut stats = example("stats");
    let mut quiet = stats["groups"][0].clone();
    quiet["name"] = json!("2026-01-30");
    quiet["figures"]["time_to_decision"] = Value::Null;
    quiet["figures"]["rejection_rate"] = Value::Null;
    let busy = stats["groups"][0].clone();
    stats["groups"] = json!([busy, quiet]);
    stats["groups"][0]["figures"]["rejection_rate"] = json!(0.4);
    stats
}

#[test]
fn figures_are_charts_and_tables() {
    let mut browser = Browser::signed_in();
    browser.api.answers("GET /v1/audit-logs/stats", 200, stats());
    browser.api.answers("GET /v1/approvals?", 200, json!({"items": [], "next_cursor": null}));
    let page = browser.get("/insights?from=2026-01-30&to=2026-01-31");
    assert_eq!(page.heading(), "Insights");
    let calls = browser.api.calls();
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[0].path, "/v1/audit-logs/stats?from=2026-01-30&to=2026-01-31&group_by=day");
    for title in [
        "Requests a day",
        "Time to decision, in hours",
        "Approved, rejected, expired",
        "Rejected of decided, in percent",
        "Decided by policy, by people",
        "Slowest operations (p95, hours)",
        "Busiest approvers",
    ] {
        page.shows(&format!(">{title}</h2>"));
    }
    assert_eq!(page.html.matches("<svg class=\"chart\"").count(), 5);
    assert_eq!(page.html.matches("<ul class=\"ranking\">").count(), 2);
    assert_eq!(page.html.matches("<summary>Show as table</summary>").count(), 7);
    page.shows("Mark: 24 hours").shows("Mark: 30 percent").shows("<td>–</td>").shows("<td>40</td>");
    page.shows("Hours saved, at 4 hours a ticket</dt><dd>4</dd>").shows("Waiting now</dt><dd>0</dd>");
    page.shows("Not counted by the service").lacks("style=");
}

#[test]
fn an_empty_range_says_so_and_who_may_not_read_figures_is_told() {
    let mut browser = Browser::signed_in();
    let mut empty = stats();
    empty["groups"] = json!([]);
    empty["busiest_approvers"] = json!([]);
    browser.api.answers("GET /v1/audit-logs/stats", 200, empty);
    browser.api.answers("GET /v1/approvals?", 403, problem(403, "not_permitted"));
    let page = browser.get("/insights");
    page.shows("Nothing is counted in this range. Choose another one.")
        .lacks("<svg class")
        .lacks("Waiting now");
    browser.api.answers("GET /v1/audit-logs/stats", 403, problem(403, "not_permitted"));
    let page = browser.get("/insights");
    assert_eq!((page.status, page.heading().as_str()), (StatusCode::FORBIDDEN, "Not permitted"));
}
