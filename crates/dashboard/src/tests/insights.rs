//! Charts and figures.

use super::browser::Browser;
use super::examples::{example, problem};
use crate::{Dashboard, Site};
use http::StatusCode;
use serde_json::{Value, json};

fn stats() -> Value {
    let mut stats = example("stats");
    let mut quiet = stats["groups"][0].clone();
    quiet["name"] = json!("2026-01-30");
    quiet["figures"]["time_to_decision"] = Value::Null;
    quiet["figures"]["rejection_rate"] = Value::Null;
    let busy = stats["groups"][0].clone();
    let slow = |name: &str, hours: u64, count: u64| {
        let time = json!({"count": count, "average_milliseconds": hours * 3_600_000});
        json!({"name": name, "time_to_answer": time})
    };
    stats["slowest_groups"] = json!([slow("security", 30, 3), slow("dba", 2, 9)]);
    stats["slowest_approvers"] = json!([slow("bob@example.com", 26, 4)]);
    for figures in [&mut stats["totals"], &mut quiet["figures"]] {
        figures["estimated_cost"] = json!({"count": 3, "sum": 250.55});
        figures["actual_cost"] = json!({"count": 1, "sum": 99.5});
    }
    stats["totals"]["total"] = json!(5);
    stats["groups"] = json!([busy, quiet]);
    stats["groups"][0]["name"] = json!("2026-01-31");
    // On the last day nothing happened.
    (stats["from"], stats["to"]) = (json!("2026-01-30"), json!("2026-02-01"));
    stats["groups"][0]["figures"]["rejection_rate"] = json!(0.4);
    stats
}

#[test]
fn figures_are_charts_and_tables() {
    let mut browser = Browser::signed_in();
    browser.api.answers("GET /v1/audit-logs/stats", 200, stats());
    let pending = &example("list")["items"][0];
    browser.api.answers(
        "GET /v1/approvals?",
        200,
        json!({"items": [pending, pending], "next_cursor": "more"}),
    );
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
        "Costs: estimated of requests, actual of executions",
        "Waiting now, by operation",
        "Slowest operations (p95, hours)",
        "Slowest groups (mean, hours)",
        "Slowest approvers (mean, hours)",
        "Busiest approvers",
    ] {
        page.shows(&format!(">{title}</h2>"));
    }
    assert_eq!(page.html.matches("<svg class=\"chart\"").count(), 6);
    assert_eq!(page.html.matches("<ul class=\"ranking\">").count(), 5);
    assert_eq!(page.html.matches("<summary>Show as table</summary>").count(), 11);
    page.shows("Mark: 24 hours").shows("Mark: 30 percent").shows("<td>–</td>").shows("<td>40</td>");
    page.shows("Hours saved, at 4 hours a ticket</dt><dd>4</dd>").shows("Waiting now</dt><dd>2 or more</dd>");
    page.shows("Estimated cost</dt><dd>250.55</dd>").shows("Actual cost</dt><dd>99.5</dd>");
    for row in [
        "<th scope=\"row\"><bdi>2026-02-01</bdi></th><td>0</td></tr>",
        "<th scope=\"row\"><bdi>2026-02-01</bdi></th><td>–</td><td>–</td><td>–</td></tr>",
        "<th scope=\"row\"><bdi>2026-01-30</bdi></th><td>250.55</td><td>99.5</td>",
        "<th scope=\"row\"><bdi>security</bdi></th><td>30</td><td>3</td>",
        "<th scope=\"row\"><bdi>bob@example.com</bdi></th><td>26</td><td>4</td>",
        "<th scope=\"row\"><bdi>modify_instance_class</bdi></th><td>2</td>",
    ] {
        page.shows(row);
    }
    for gap in [
        "An estimated cost was named by 3 of 5 requests, an actual cost by 1 of 1 executions that ended.",
        "groups are timed by approvals alone",
        "for the first 100 pending requests",
        "Hours saved take each approved request for one ticket.",
    ] {
        page.shows(gap);
    }
    page.lacks("style=");
}

#[test]
fn an_empty_range_says_so_and_who_may_not_read_figures_is_told() {
    let mut browser = Browser::signed_in();
    let mut empty = stats();
    empty["groups"] = json!([]);
    for name in ["busiest_approvers", "slowest_approvers", "slowest_groups"] {
        empty[name] = json!([]);
    }
    browser.api.answers("GET /v1/audit-logs/stats", 200, empty);
    browser.api.answers("GET /v1/approvals?", 403, problem(403, "not_permitted"));
    let page = browser.get("/insights");
    page.shows("Nothing is counted in this range. Choose another one.")
        .lacks("<svg class")
        .lacks("Waiting now")
        .shows("the policy does not let you list requests");
    browser.api.answers("GET /v1/audit-logs/stats", 403, problem(403, "not_permitted"));
    let page = browser.get("/insights");
    assert_eq!((page.status, page.heading().as_str()), (StatusCode::FORBIDDEN, "Not permitted"));
}

#[test]
fn without_the_hours_of_a_ticket_none_are_saved_and_that_is_said() {
    let mut browser = Browser::signed_in();
    let site = Site { ticket_hours: None, ..browser.dashboard.site().clone() };
    browser.dashboard = Dashboard::new(site);
    browser.api.answers("GET /v1/audit-logs/stats", 200, stats());
    browser.get("/insights").lacks("Hours saved, at").shows("an operator sets by --ticket-hours");
}
