//! Lists, new requests, reviews, audit and settings.

use super::browser::Browser;
use super::examples::{ID, example, explanation, problem, request};
use http::StatusCode;
use serde_json::{Value, json};

const OTHER: &str = "019c1339-a5c0-7000-8000-000000000002";

fn summary(status: &str, changes: &Value) -> Value {
    let mut summary = example("list")["items"][0].clone();
    summary["status"] = json!(status);
    for (name, value) in changes.as_object().unwrap() {
        summary[name] = value.clone();
    }
    summary
}

fn list(items: &[Value], next: Option<&str>) -> Value {
    json!({"items": items, "next_cursor": next})
}

#[test]
fn my_requests_have_a_next_step_each() {
    let mut browser = Browser::signed_in();
    let items = [
        summary("approved", &json!({"execute_by": "2026-01-31T10:00:00.000Z"})),
        summary("executing", &json!({})),
        summary("executed", &json!({"closed_at": "2026-01-31T09:00:00.000Z"})),
    ];
    browser.api.answers("GET /v1/approvals?", 200, list(&items, Some("next")));
    let page = browser.get("/requests");
    assert_eq!(page.heading(), "My requests");
    assert_eq!(
        browser.api.calls()[0].path,
        "/v1/approvals?requested_by=bob%40example.com&status=pending&status=approved&status=executing&status=executed&status=failed\
         &status=rejected&status=expired&status=cancelled",
        "the open ones first"
    );
    page.shows(&format!("<a href=\"/approvals/{ID}#decide\">Report what came of it.</a>"));
    page.shows("approved, not started")
        .shows("Start the execution before the deadline.")
        .shows("15 min left");
    page.shows("Report what came of it.").shows("Nothing: it is closed.").shows("/requests?cursor=next");
    browser.api.answers("GET /v1/approvals?", 200, list(&[], None));
    browser
        .get("/requests")
        .shows("You have no open request, and none was closed in the last 90 days.")
        .shows("href=\"/requests/new\">New request</a>");
}

#[test]
fn a_new_request_is_prefilled_checked_and_submitted_once() {
    let mut browser = Browser::signed_in();
    let page = browser.get(
        "/requests/new?operation=reboot&instance=db-01&environment=non-production&parameters=%7B%22a%22%3A1%7D&justification=why\
         &risk=high&ticket_name=OPS-1",
    );
    assert_eq!(page.heading(), "New request");
    for label in [
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
    ] {
        page.shows(&format!(">{label}</label>"));
    }
    assert!(page.has_button("Check") && page.has_button("Submit request"));
    page.shows("value=\"reboot\"").shows("\n{&#34;a&#34;:1}</textarea>").shows("\"non-production\" selected");
    assert!(browser.api.calls().is_empty());
    let hidden = ["csrf", "ticket"].map(|name| page.hidden("/requests/new\" class", name));
    let fields = [
        ("csrf", hidden[0].as_str()),
        ("ticket", &hidden[1]),
        ("operation", "reboot"),
        ("instance", "db-01"),
        ("environment", "production"),
        ("parameters", "{\"a\": 1}"),
        ("justification", "why\r\nso"),
        ("cost", "2.5"),
        ("ticket_name", "OPS-1"),
        ("risk", ""),
    ];
    let body = json!({
        "operation_type": "reboot", "instance_id": "db-01", "environment": "production", "parameters": {"a": 1},
        "justification": "why\nso", "estimated_cost": 2.5, "ticket": "OPS-1",
    });
    browser.api.answers("POST /v1/approvals/simulate", 200, example("simulated_refusal"));
    let page = browser.post("/requests/new", &[&fields[..], &[("do", "check")]].concat());
    page.shows("The request would be refused.")
        .shows("rollback_plan is required by policy")
        .shows("1 of dba");
    page.shows("\nwhy\nso</textarea>");
    let calls = browser.api.calls();
    assert_eq!((calls[0].path.as_str(), &calls[0].body), ("/v1/approvals/simulate", &Some(body.clone())));
    browser.api.answers("POST /v1/approvals", 201, example("pending"));
    let submit = [&fields[..], &[("do", "submit")]].concat();
    let keys = [(); 2].map(|()| {
        let page = browser.post("/requests/new", &submit);
        assert_eq!(page.header("location"), format!("/approvals/{ID}"));
        let call = browser.api.calls().remove(0);
        assert_eq!((call.path.as_str(), call.body), ("/v1/approvals", Some(body.clone())));
        call.idempotency_key.unwrap()
    });
    assert_eq!(keys[0], keys[1]);
    for (status, answer) in [(0, json!({})), (503, problem(503, "store_unavailable"))] {
        browser.api.answers("POST /v1/approvals", status, answer);
        browser.visit.random = [6; 32];
        let page = browser.post("/requests/new", &submit);
        assert_eq!(page.hidden("/requests/new\" class", "ticket"), hidden[1], "it makes one request");
        browser.api.calls();
    }
    browser.api.answers("POST /v1/approvals", 422, problem(422, "validation_failed"));
    let page = browser.post("/requests/new", &submit);
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    page.shows("Some fields break rules.").shows("a reason of the API").shows("value=\"OPS-1\"");
    browser.api.calls();
    for parameters in ["[1]", "{\"a\":1,\"a\":2}", "no"] {
        let mut fields = submit.clone();
        fields[5] = ("parameters", parameters);
        let page = browser.post("/requests/new", &fields);
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        page.shows("The parameters are not a JSON object");
    }
    let mut forged = submit;
    forged[1] = ("ticket", "forged");
    assert_eq!(browser.post("/requests/new", &forged).status, StatusCode::CONFLICT);
    assert!(browser.api.calls().is_empty());
}

#[test]
fn the_history_goes_back_and_is_a_file_without_formulas() {
    let mut browser = Browser::signed_in();
    let items =
        [summary("rejected", &json!({"closed_at": "2026-01-30T09:00:00.000Z", "operation_type": "=cmd"}))];
    browser.api.answers("GET /v1/approvals?", 200, list(&items, None));
    let page =
        browser.get("/history?status=rejected&requester=ann%40example.com&from=2026-01-01&to=2026-01-31");
    assert_eq!(page.heading(), "History");
    assert_eq!(
        browser.api.calls()[0].path,
        "/v1/approvals?status=rejected&requested_by=ann%40example.com&from=2026-01-01&to=2026-01-31"
    );
    for label in ["Requester", "Instance", "From", "To"] {
        page.shows(&format!(">{label}</label>"));
    }
    page.shows(">Status</label>").shows("value=\"rejected\" selected").shows("2026-01-30 09:00 UTC");
    page.shows("from=2025-10-02&#38;to=2025-12-31\">Earlier</a>");
    let page = browser.get("/history.csv?status=rejected");
    assert_eq!(page.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(page.header("content-disposition"), "attachment; filename=\"countersign-history.csv\"");
    assert_eq!(page.html.lines().count(), 2);
    page.shows(",\"'=cmd\",\"production-db-01\",");
    browser.api.answers("GET /v1/approvals?", 200, list(&items, Some("again")));
    let page = browser.get("/history.csv");
    assert_eq!(page.html.lines().count(), 52);
    page.shows("\"more: choose a shorter range\"");
    assert!(browser.api.calls().last().unwrap().path.contains("status=executed&status=failed&"));
    browser.api.answers("GET /v1/approvals?", 422, problem(422, "validation_failed"));
    let page = browser.get("/history?from=yesterday");
    assert_eq!(page.heading(), "Something went wrong");
    page.shows("Some fields break rules.")
        .shows("Go back and correct the filters.")
        .lacks("Nothing was decided");
}

#[test]
fn an_instance_has_what_is_open_and_shows_one_request_whole() {
    let mut browser = Browser::signed_in();
    let id = "arn:aws:rds:eu-central-1:123456789012:db/prod";
    let items = [
        summary("pending", &json!({"instance_id": id})),
        summary("failed", &json!({"instance_id": id, "operation_type": "earlier"})),
    ];
    browser.api.answers("GET /v1/approvals?", 200, list(&items, None));
    let page = browser.get("/instances");
    assert_eq!(page.heading(), "Instances");
    let encoded = "arn%3Aaws%3Ards%3Aeu-central-1%3A123456789012%3Adb%2Fprod";
    page.shows(&format!("href=\"/instances?id={encoded}\"")).shows("Pending requests: 2.");
    let page = browser.get(&format!("/instances?id={encoded}"));
    assert_eq!(page.heading(), id);
    page.shows(&format!("href=\"/instances?id={encoded}&#38;open={ID}\">Review</a>")).shows("earlier on");
    page.lacks("What will run");
    assert!(browser.api.calls().last().unwrap().path.contains("&status=pending&status=approved&"));
    let mut here = request(&json!({"a": 1}));
    super::request::lay_down(&browser, here.clone(), &["approve"]);
    let elsewhere = browser.get(&format!("/instances?id={encoded}&open={ID}"));
    assert_eq!(elsewhere.heading(), "Not found", "it is of another instance");
    here["instance_id"] = json!(id);
    super::request::lay_down(&browser, super::examples::sealed(here), &["approve"]);
    browser.api.calls();
    let page = browser.get(&format!("/instances?id={encoded}&open={ID}"));
    page.shows("What will run");
    assert!(page.has_button("Approve"));
    assert_eq!(browser.api.calls().len(), 3);
    // A list that goes on is not said to be all there is.
    browser.api.answers("GET /v1/approvals?", 200, list(&items[..1], Some("more")));
    browser.get("/instances").shows("Pending requests: 1 or more.").shows("first 100 pending requests");
    browser.get(&format!("/instances?id={encoded}")).lacks("Nothing was closed here");
    browser.api.answers("GET /v1/approvals?", 200, list(&items[1..], None));
    browser.get(&format!("/instances?id={encoded}&cursor=more")).lacks("Nothing is open");
}

/// Lays down two requests of this risk that differ in their operation, or not.
fn two(browser: &Browser, risk: &str, is_same: bool) {
    for (id, operation) in [(ID, "reboot"), (OTHER, if is_same { "reboot" } else { "delete" })] {
        let mut request = request(&json!({"a": 1}));
        request["request_id"] = json!(id);
        request["content"]["request_id"] = json!(id);
        request["operation_type"] = json!(operation);
        request["risk_level"] = json!(risk);
        let mut explained = explanation(&["approve", "reject"]);
        explained["risk_level"] = json!(risk);
        let path = format!("GET /v1/approvals/{id}");
        browser.api.answers(&path, 200, super::examples::sealed(request));
        browser.api.answers(&format!("{path}/explain"), 200, explained);
    }
}

#[test]
fn several_requests_are_read_whole_and_decided_with_a_result_each() {
    let mut browser = Browser::signed_in();
    two(&browser, "medium", true);
    let page = browser.get(&format!("/review?id={ID}&id={OTHER}&id={OTHER}&id=nonsense"));
    assert_eq!(page.heading(), "Review 2 requests");
    assert_eq!(page.html.matches(">What will run</h2>").count(), 2);
    page.shows("> Select reboot on production-db-01</label>");
    assert!(page.has_button("Approve selected") && page.has_button("Reject selected"));
    assert!(page.html.rfind("<code class=").unwrap() < page.html.find("<form id=\"selected\"").unwrap());
    let csrf = page.hidden("<form id=\"selected\"", "csrf");
    let approve = [ID, OTHER].map(|id| page.hidden("<form id=\"selected\"", &format!("approve-{id}")));
    let names = [ID, OTHER].map(|id| format!("approve-{id}"));
    browser.api.answers(&format!("POST /v1/approvals/{ID}/approve"), 200, example("approved"));
    browser.api.answers(&format!("POST /v1/approvals/{OTHER}/approve"), 409, problem(409, "not_pending"));
    browser.api.calls();
    let fields = [
        ("csrf", csrf.as_str()),
        ("do", "approve"),
        ("id", ID),
        ("id", OTHER),
        ("selected", ID),
        ("selected", OTHER),
        (&names[0], &approve[0]),
        (&names[1], &approve[1]),
    ];
    let page = browser.post("/review", &fields);
    page.shows(">Results</h2>").shows("Recorded").shows("The request is not pending any more.");
    let calls: Vec<_> = browser.api.calls().into_iter().filter(|call| call.body.is_some()).collect();
    assert_eq!(calls.len(), 2);
    assert_ne!(calls[0].idempotency_key, calls[1].idempotency_key);
    assert_ne!(
        calls[0].body.as_ref().unwrap()["content_digest"],
        calls[1].body.as_ref().unwrap()["content_digest"]
    );
    // A ticket of one request is none for another, nor for another decision.
    let swapped = [fields[0], fields[1], fields[2], ("selected", ID), (&names[0], &approve[1])];
    browser.post("/review", &swapped).shows("This form belongs to another page or another session.");
    let reject = format!("reject-{ID}");
    let other = [fields[0], ("do", "reject"), ("reason", "no"), ("selected", ID), (&reject, &approve[0])];
    browser.post("/review", &other).shows("This form belongs to another page or another session.");
    let selected = [fields[0], ("do", "reject"), ("id", ID), ("selected", ID)];
    browser
        .post("/review", &selected)
        .shows("Write the reason for the rejection.")
        .shows(&format!("value=\"{ID}\" form=\"selected\" checked>"));
    browser.post("/review", &fields[..4]).shows("No request is selected, so nothing was decided.");
    assert!(browser.api.calls().iter().all(|call| call.body.is_none()));
}

#[test]
fn what_was_recorded_in_a_review_is_said_whatever_comes_afterwards() {
    let mut browser = Browser::signed_in();
    two(&browser, "medium", true);
    let page = browser.get(&format!("/review?id={ID}&id={OTHER}"));
    let form = "<form id=\"selected\"";
    let [csrf, one, other] =
        ["csrf", &format!("approve-{ID}"), &format!("approve-{OTHER}")].map(|name| page.hidden(form, name));
    let names = [ID, OTHER].map(|id| format!("approve-{id}"));
    let fields = [
        ("csrf", csrf.as_str()),
        ("do", "approve"),
        ("id", ID),
        ("id", OTHER),
        ("selected", ID),
        ("selected", OTHER),
        (&names[0], &one),
        (&names[1], &other),
    ];
    browser.api.answers(&format!("POST /v1/approvals/{ID}/approve"), 200, example("approved"));
    browser.api.answers(&format!("POST /v1/approvals/{OTHER}/approve"), 401, problem(401, "unauthenticated"));
    browser.api.answers(&format!("GET /v1/approvals/{OTHER}"), 503, problem(503, "store_unavailable"));
    let page = browser.post("/review", &fields);
    assert_eq!(page.heading(), "Review 1 requests");
    page.shows("Recorded").shows("Your session had ended, so nothing was sent.").lacks("Nothing was decided");
}

#[test]
fn of_more_than_twenty_requests_the_rest_is_said_to_be_left_out() {
    let mut browser = Browser::signed_in();
    two(&browser, "medium", true);
    let ids: Vec<_> =
        (0..23).map(|place| format!("id=019c1339-a5c0-7000-8000-0000000001{place:02}")).collect();
    for id in &ids {
        let path = format!("GET /v1/approvals/{}", id.trim_start_matches("id="));
        browser.api.answers(&path, 200, request(&json!({"a": 1})));
        browser.api.answers(&format!("{path}/explain"), 200, explanation(&["approve"]));
    }
    browser.get(&format!("/review?{}", ids.join("&"))).shows("at most 20 are reviewed at once: 3.");
}

#[test]
fn what_differs_or_is_of_high_risk_is_not_approved_together() {
    let mut browser = Browser::signed_in();
    for (risk, is_same) in [("high", true), ("medium", false)] {
        two(&browser, risk, is_same);
        let page = browser.get(&format!("/review?id={ID}&id={OTHER}"));
        assert!(!page.has_button("Approve selected") && page.has_button("Reject selected"));
        page.shows("approve each on its own page").lacks("name=\"approve-");
    }
    let page = browser.get("/review");
    page.shows("No request is selected.");
}

#[test]
fn the_audit_page_has_events_chain_and_evidence() {
    let mut browser = Browser::signed_in();
    browser.api.answers("GET /v1/audit-logs", 200, example("audit"));
    browser.api.answers(&format!("GET /v1/approvals/{ID}/events"), 200, example("events"));
    let page = browser
        .get(&format!("/audit?user=ann%40example.com&event=APPROVAL_GRANTED&request={ID}&from=2026-01-01"));
    assert_eq!(page.heading(), "Audit");
    assert_eq!(
        browser.api.calls()[0].path,
        format!(
            "/v1/audit-logs?user=ann%40example.com&event_type=APPROVAL_GRANTED&request_id={ID}&from=2026-01-01&order=desc&limit=50"
        )
    );
    page.shows("The chain of events is whole.")
        .shows("Complete until")
        .shows("cursor=eyJhZnRlciI6IjAxOWMxMzM5In0");
    assert!(page.has_button("Download evidence") && page.has_button("Apply filters"));
    let csrf = page.hidden("/audit/evidence", "csrf");
    browser.api.answers(&format!("GET /v1/approvals/{ID}/evidence"), 200, json!({"signed": true}));
    let file = browser.post("/audit/evidence", &[("csrf", &csrf), ("request", ID)]);
    assert_eq!(file.html, "{\"signed\":true}");
    assert_eq!(file.header("content-disposition"), format!("attachment; filename=\"evidence-{ID}.json\""));
    browser.api.answers("GET /v1/audit-logs", 403, problem(403, "not_permitted"));
    assert_eq!(browser.get("/audit").heading(), "Not permitted");
}

#[test]
fn settings_change_zone_language_theme_and_keys() {
    let mut browser = Browser::signed_in();
    let page = browser.get("/settings");
    assert_eq!(page.heading(), "Settings");
    for label in ["Time zone", "Language", "Theme"] {
        page.shows(&format!(">{label}</label>"));
    }
    page.shows("> Single-key shortcuts</label>")
        .shows("> Desktop notifications</label>")
        .shows("data-keys=\"on\"");
    assert!(page.has_button("Save settings"));
    let csrf = browser.csrf();
    let fields = [("csrf", csrf.as_str()), ("zone", "Mars"), ("language", "ko"), ("theme", "dark")];
    let page = browser.post("/settings", &fields);
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    page.shows("There is no such time zone.");
    let page = browser.post("/settings", &[fields[0], ("zone", "Asia/Seoul"), fields[2], fields[3]]);
    assert_eq!(page.header("location"), "/settings?saved=yes");
    let page = browser.get("/settings?saved=yes");
    assert_eq!(page.heading(), "설정");
    page.shows("<html lang=\"ko\" data-theme=\"dark\">")
        .lacks("data-keys")
        .shows("설정을 이 브라우저에 저장했습니다.");
    super::request::lay_down(&browser, request(&json!({})), &["approve"]);
    let page = browser.get(&format!("/approvals/{ID}"));
    page.shows("2026-01-31 18:30 KST").shows("(2026-01-31 09:30 UTC)").shows(">실행할 내용</h2>");
    assert!(page.has_button("승인"));
}

#[test]
fn what_is_not_there_is_said_with_a_way_on() {
    let mut browser = Browser::signed_in();
    for target in ["/nothing", "/approvals/1", "/approvals/", "/inbox/", "/assets/x.css"] {
        let page = browser.get(target);
        assert_eq!((page.status, page.heading().as_str()), (StatusCode::NOT_FOUND, "Not found"), "{target}");
        page.shows("href=\"/inbox\">Go to the inbox</a>");
    }
}

#[test]
fn what_is_empty_says_what_to_do_next() {
    let mut browser = Browser::signed_in();
    browser.api.answers("GET /v1/approvals?", 200, list(&[], None));
    browser.api.answers(
        "GET /v1/audit-logs?",
        200,
        json!({"items": [], "next_cursor": null, "settled_until": "2026-01-31T09:45:00.000Z"}),
    );
    for (target, sentence, ways) in [
        (
            "/inbox",
            "No request waits for your decision.",
            &["/inbox?view=all\">All pending", "/history\">History"][..],
        ),
        ("/inbox?view=all", "No request is pending.", &["/history\">History"]),
        ("/requests", "You have no open request", &["/requests/new\">New request", "/history\">History"]),
        ("/review", "Select some in the inbox.", &["/inbox\">Go to the inbox"]),
        ("/instances", "Enter an id to see what was done for it.", &[">Show</button>"]),
        (
            "/instances?id=db/1",
            "Nothing is open for this instance.",
            &["/requests/new?instance=db%2F1\">New request", "/history?instance=db%2F1\">History"],
        ),
        ("/history", "choose earlier days.", &[">Apply filters</button>", "\">Earlier</a>"]),
        ("/audit", "choose earlier days.", &[">Apply filters</button>"]),
    ] {
        let page = browser.get(target);
        page.shows(sentence);
        let (_, content) = page.html.split_once("<main").unwrap();
        for way in ways {
            assert!(content.contains(way), "{target}: {way} in {content}");
        }
    }
}
