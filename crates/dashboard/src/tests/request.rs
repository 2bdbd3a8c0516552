//! The page of a request, and deciding on it.

use super::browser::{Browser, Page, read_back};
use super::examples::{ID, example, explanation, problem, request, sealed};
use crate::tests::later;
use crate::ticket::LASTS;
use countersign_core::canonical::CanonicalJson;
use http::StatusCode;
use serde_json::{Value, json};

pub(super) fn lay_down(browser: &Browser, request: Value, permitted: &[&str]) {
    let path = format!("GET /v1/approvals/{ID}");
    browser.api.answers(&path, 200, request);
    browser.api.answers(&format!("{path}/explain"), 200, explanation(permitted));
    let mut events = example("events");
    events["items"].as_array_mut().unwrap().truncate(2);
    browser.api.answers(&format!("{path}/events"), 200, events);
}

/// A signed-in browser for which the request is laid down.
fn opened(permitted: &[&str]) -> Browser {
    let browser = Browser::signed_in();
    lay_down(&browser, request(&json!({"apply_immediately": true, "b": {"c": [1, 2]}})), permitted);
    browser
}

fn page(browser: &mut Browser) -> Page {
    browser.get(&format!("/approvals/{ID}"))
}

/// Sends a form of the page with its hidden fields.
fn send(browser: &mut Browser, page: &Page, action: &str, fields: &[(&str, &str)]) -> Page {
    let target = format!("/approvals/{ID}/{action}");
    let [csrf, ticket] = ["csrf", "ticket"].map(|name| page.hidden(&format!("action=\"{target}\""), name));
    let hidden = [("csrf", csrf.as_str()), ("ticket", ticket.as_str())];
    browser.post(&target, &[&hidden, fields].concat())
}

/// The canonical text that the first document of a page shows.
pub(super) fn shown_document(page: &Page) -> String {
    let (_, rest) = page.html.split_once("<div class=\"document\">").unwrap();
    read_back(rest.split_once("</div>").unwrap().0).unwrap()
}

#[test]
fn a_request_is_shown_whole_in_the_order_that_it_is_judged_in() {
    let mut browser = opened(&["approve", "reject", "comment"]);
    let page = page(&mut browser);
    assert_eq!(page.heading(), "modify_instance_class on production-db-01");
    let headings = ["What will run", "Why", "Approvals", "Activity", "Decide"];
    let places: Vec<_> = headings.map(|heading| page.html.find(&format!(">{heading}</h2>")).unwrap()).into();
    assert!(places.is_sorted());
    let parameters = json!({"apply_immediately": true, "b": {"c": [1, 2]}});
    assert_eq!(shown_document(&page), CanonicalJson::of(&parameters).as_str());
    page.shows(&CanonicalJson::of(&parameters).digest().to_string())
        .shows("CPU has been at 95 % since Monday")
        .shows("Change it back to db.r6g.large")
        .shows("<a href=\"https://tickets.example.com/OPS-1234\" rel=\"noopener noreferrer\">")
        .shows("1 of dba")
        .shows("Capacity planning agrees")
        .shows("The chain of events is whole.")
        .shows(&format!("data-ends=\"{ID}\">2 d 23 h left</span>"))
        .shows("Then it expires, and nothing is run.")
        .shows("aria-label=\"Updates\" data-live>Status: pending. Approvals: 1 of 2. You have decided on this request.</div>");
    assert!(["Approve", "Reject", "Add comment"].iter().all(|name| page.has_button(name)));
    for label in [
        "Comment (optional)</label>",
        "> I have read all of it</label>",
        ">Reason</label>",
        ">Comment</label>",
    ] {
        page.shows(label);
    }
    // Nothing of the content comes after the first form that decides.
    let form = page.html.find("/approve\"").unwrap();
    assert!(page.html.rfind("<code class=").unwrap() < form);
    assert_eq!(browser.api.calls().len(), 3);
}

#[test]
fn what_is_not_permitted_has_its_reason_and_no_button() {
    let page = page(&mut opened(&["comment"]));
    assert!(!page.has_button("Approve") && !page.has_button("Reject") && !page.has_button("Start execution"));
    page.shows("Approve: the policy says no");
}

#[test]
fn without_parameters_or_with_others_nothing_is_decided() {
    let mut browser = opened(&[]);
    let mut hidden = request(&json!({}));
    for name in ["parameters", "parameters_digest", "content", "content_digest"] {
        hidden.as_object_mut().unwrap().remove(name);
    }
    let damaged = |name: &str, value: Value| {
        let mut request = request(&json!({"a": 1}));
        request[name] = value;
        request
    };
    let requests = [
        (hidden, "does not show you the parameters"),
        (damaged("parameters", json!({"a": 2})), "does not have the digest on record"),
        (damaged("justification", json!("another")), "does not have the digest on record"),
        (damaged("instance_id", json!("production-db-02")), "does not have the digest on record"),
        (damaged("parameters_digest", json!("0".repeat(64))), "does not have the digest on record"),
    ];
    for (request, sentence) in requests {
        lay_down(
            &browser,
            request,
            &["approve", "reject", "withdraw", "comment", "cancel", "start", "finish"],
        );
        let page = page(&mut browser);
        page.shows(sentence);
        for name in ["Approve", "Reject", "Start execution", "Report success"] {
            assert!(!page.has_button(name), "{name}");
        }
        for name in ["Withdraw approval", "Add comment", "Cancel request"] {
            assert!(page.has_button(name), "{name}");
        }
    }
}

#[test]
fn an_approval_names_what_was_shown_and_counts_once() {
    let mut browser = opened(&["approve", "reject"]);
    let shown = page(&mut browser);
    browser.api.calls();
    let path = format!("POST /v1/approvals/{ID}/approve");
    browser.api.answers(&path, 200, example("approved"));
    let mut keys = Vec::new();
    for _ in 0..10 {
        let page = send(&mut browser, &shown, "approve", &[("comment", "go\r\non"), ("read", "yes")]);
        assert_eq!(page.header("location"), format!("/approvals/{ID}"));
        let calls = browser.api.calls();
        assert_eq!(calls.len(), 1);
        let expected =
            request(&json!({"apply_immediately": true, "b": {"c": [1, 2]}}))["content_digest"].clone();
        let body = json!({"comments": "go\non", "content_digest": expected, "expected_version": 2});
        assert_eq!(calls[0].body, Some(body));
        keys.push(calls[0].idempotency_key.clone().unwrap());
    }
    keys.dedup();
    assert_eq!(keys.len(), 1);
    browser.visit.random = [3; 32];
    let shown = page(&mut browser);
    browser.api.calls();
    send(&mut browser, &shown, "approve", &[("read", "yes")]);
    assert_ne!(browser.api.calls()[0].idempotency_key.clone().unwrap(), keys[0]);
}

#[test]
fn high_risk_is_approved_by_those_who_have_read_it() {
    let mut browser = opened(&["approve", "reject"]);
    let shown = page(&mut browser);
    browser.api.calls();
    let page = send(&mut browser, &shown, "approve", &[("comment", "my words")]);
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    page.shows("confirm that you have read all of it").shows("\nmy words</textarea>");
    assert!(browser.api.calls().iter().all(|call| call.method == http::Method::GET));
    let mut medium = request(&json!({}));
    medium["risk_level"] = json!("medium");
    let mut explained = explanation(&["approve"]);
    explained["risk_level"] = json!("medium");
    browser.api.answers(&format!("GET /v1/approvals/{ID}"), 200, medium);
    browser.api.answers(&format!("GET /v1/approvals/{ID}/explain"), 200, explained);
    super::request::page(&mut browser).lacks("I have read all of it");
}

/// The button by which browsers send a form at Enter, in a field or on a tick, is its first.
#[test]
fn no_form_with_a_tick_or_a_report_is_sent_by_enter() {
    let mut browser = opened(&["approve", "finish"]);
    let page = page(&mut browser);
    for action in ["approve", "finish"] {
        let form = page.html.split(&format!("/{action}\" class=\"stack\">")).nth(1).unwrap();
        let first = form.split("<button").nth(1).unwrap();
        assert!(first.starts_with(" disabled hidden>"), "{action}: {first}");
    }
}

#[test]
fn a_rejection_has_its_reason() {
    let mut browser = opened(&["approve", "reject"]);
    let shown = page(&mut browser);
    browser.api.answers(&format!("POST /v1/approvals/{ID}/reject"), 200, example("rejected"));
    browser.api.calls();
    let page = send(&mut browser, &shown, "reject", &[("reason", "  ")]);
    page.shows("Write the reason for the rejection.");
    browser.api.calls();
    assert_eq!(send(&mut browser, &shown, "reject", &[("reason", "no")]).status, StatusCode::SEE_OTHER);
    let body = browser.api.calls()[0].body.clone().unwrap();
    assert_eq!((&body["reason"], &body["expected_version"]), (&json!("no"), &json!(2)));
}

#[test]
fn an_approver_withdraws_their_own_approval_and_gives_a_reason_or_none() {
    let mut browser = opened(&["withdraw", "comment"]);
    let shown = page(&mut browser);
    assert!(shown.has_button("Withdraw approval") && !shown.has_button("Approve"));
    shown.shows(">Reason for the withdrawal (optional)</label>");
    let path = format!("POST /v1/approvals/{ID}/withdraw");
    browser.api.answers(&path, 200, example("withdrawn"));
    let mut keys = Vec::new();
    for (fields, body) in [
        (vec![("withdraw_reason", " ")], json!({})),
        (vec![("withdraw_reason", "too early\r\nin the day")], json!({"reason": "too early\nin the day"})),
    ] {
        browser.api.calls();
        let page = send(&mut browser, &shown, "withdraw", &fields);
        assert_eq!(page.header("location"), format!("/approvals/{ID}"));
        let calls = browser.api.calls();
        assert_eq!((calls.len(), &calls[0].body), (1, &Some(body)));
        keys.push(calls[0].idempotency_key.clone().unwrap());
    }
    assert_eq!(keys[0], keys[1], "a form counts once");
    // From another page of the approver's, it has been withdrawn or is not theirs any more.
    for (status, code, sentence, is_change) in [
        (409, "not_decided", "You have no approval on this request. There is nothing to withdraw.", true),
        (409, "not_pending", "The request is not pending any more.", true),
        (403, "not_permitted", "a reason of the API", false),
        (422, "validation_failed", "Some fields break rules.", false),
    ] {
        browser.api.answers(&path, status, problem(status, code));
        let page = send(&mut browser, &shown, "withdraw", &[("withdraw_reason", "kept")]);
        assert_eq!(page.status.as_u16(), status);
        page.shows(sentence).shows("\nkept</textarea>");
        assert_eq!(page.has(">What changed</h2>"), is_change, "{code}");
    }
    // A ticket of another form is none for this one.
    let target = format!("/approvals/{ID}/withdraw");
    let [csrf, ticket] = ["csrf", "ticket"].map(|name| shown.hidden(&format!("{ID}/comment\""), name));
    browser.api.calls();
    let page = browser.post(&target, &[("csrf", &csrf), ("ticket", &ticket)]);
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert!(browser.api.calls().iter().all(|call| call.method == http::Method::GET));
}

#[test]
fn who_has_not_approved_is_told_why_there_is_nothing_to_withdraw() {
    let page = page(&mut opened(&["approve"]));
    assert!(!page.has_button("Withdraw approval"));
    page.shows("<li>Withdraw approval: the policy says no</li>");
}

#[test]
fn what_may_have_been_recorded_is_not_denied_and_counts_once_when_it_is_sent_again() {
    let mut browser = opened(&["comment", "approve"]);
    let shown = page(&mut browser);
    let path = format!("POST /v1/approvals/{ID}/comments");
    for (status, sentence) in [
        (0, "not known whether this was recorded. Read below how the request stands now."),
        (200, "not known whether this was recorded."),
        (503, "The service cannot reach its database. Send the form again in a minute: it counts once."),
    ] {
        let answer = if status == 503 { problem(503, "store_unavailable") } else { json!("no request") };
        browser.api.answers(&path, status, answer);
        browser.api.calls();
        // Each visit has other random bytes, and so other keys.
        browser.visit.random = [4; 32];
        let page = send(&mut browser, &shown, "comment", &[("text", "kept")]);
        page.shows(sentence).shows("\nkept</textarea>").lacks("Nothing was decided");
        let first = browser.api.calls()[0].idempotency_key.clone();
        browser.visit.random = [5; 32];
        send(&mut browser, &page, "comment", &[("text", "kept")]);
        assert_eq!(browser.api.calls()[0].idempotency_key, first);
        // Another form of the page is not the one that was sent.
        browser.api.answers(&format!("POST /v1/approvals/{ID}/approve"), 200, example("approved"));
        send(&mut browser, &page, "approve", &[("read", "yes")]);
        assert_ne!(browser.api.calls()[0].idempotency_key, first);
    }
    // Nor is it denied where the request cannot be read any more.
    browser.api.answers(&path, 0, json!({}));
    browser.api.answers(&format!("GET /v1/approvals/{ID}"), 0, json!({}));
    let page = send(&mut browser, &shown, "comment", &[("text", "kept")]);
    assert_eq!(page.heading(), "Something went wrong");
    page.shows("send the form again: it counts once").lacks("Nothing was decided");
    super::request::page(&mut browser).shows("Nothing was decided.");
}

#[test]
fn a_refusal_gives_the_form_another_key() {
    let mut browser = opened(&["comment"]);
    let shown = page(&mut browser);
    browser.api.answers(&format!("POST /v1/approvals/{ID}/comments"), 422, problem(422, "validation_failed"));
    browser.api.calls();
    browser.visit.random = [4; 32];
    let page = send(&mut browser, &shown, "comment", &[("text", "too long")]);
    let first = browser.api.calls()[0].idempotency_key.clone();
    send(&mut browser, &page, "comment", &[("text", "shorter")]);
    assert_ne!(browser.api.calls()[0].idempotency_key, first);
}

#[test]
fn an_api_that_checks_no_version_is_sent_none() {
    let mut browser = Browser::new();
    browser.api.answers("GET /v1/me", 404, json!({}));
    browser.api.answers("GET /v1/approvals", 200, json!({"items": [], "next_cursor": null}));
    browser.post("/sign-in/token", &[("token", "a.b.c")]);
    lay_down(&browser, request(&json!({})), &["approve"]);
    let shown = page(&mut browser);
    browser.api.answers(&format!("POST /v1/approvals/{ID}/approve"), 200, example("approved"));
    browser.api.calls();
    send(&mut browser, &shown, "approve", &[("read", "yes")]);
    assert_eq!(browser.api.calls()[0].body.as_ref().unwrap().get("expected_version"), None);
}

#[test]
fn tickets_are_of_one_session_request_action_and_half_an_hour() {
    let mut browser = opened(&["approve", "reject"]);
    let shown = page(&mut browser);
    let forms = ["approve", "reject"].map(|action| shown.hidden(&format!("{ID}/{action}\""), "ticket"));
    let [approve, reject] = &forms;
    let csrf = shown.hidden("/sign-out", "csrf");
    let mut other = opened(&["approve"]);
    other.visit.random = [5; 32];
    other.cookies.clear();
    other.post("/sign-in/token", &[("token", "a.b.c")]);
    let foreign = page(&mut other).hidden("/approve\"", "ticket");
    let mut flipped = approve.clone().into_bytes();
    flipped[40] = if flipped[40] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    let id = ID.replace('1', "2");
    let cases = [(ID, foreign.as_str()), (ID, reject), (ID, &flipped), (ID, ""), (&id, approve)];
    browser.api.answers(&format!("GET /v1/approvals/{id}"), 200, request(&json!({})));
    browser.api.answers(&format!("GET /v1/approvals/{id}/explain"), 200, explanation(&[]));
    browser.api.answers(&format!("GET /v1/approvals/{id}/events"), 200, example("events"));
    for (id, ticket) in cases {
        browser.api.calls();
        let target = format!("/approvals/{id}/approve");
        let fields = [("csrf", csrf.as_str()), ("ticket", ticket), ("read", "yes"), ("comment", "kept")];
        let page = browser.post(&target, &fields);
        assert_eq!(page.status, StatusCode::CONFLICT, "{ticket}");
        page.shows("This form belongs to another page or another session.").shows("Nothing was decided.");
        page.shows(">What changed</h2>\n<p>The form does not say which version its page showed.");
        assert!(browser.api.calls().iter().all(|call| call.method == http::Method::GET));
    }
    browser.visit = later(LASTS + 1);
    let page = send(&mut browser, &shown, "approve", &[("read", "yes"), ("comment", "kept")]);
    assert_eq!(page.status, StatusCode::CONFLICT);
    page.shows("older than 30 minutes").shows(">What changed</h2>").shows("\nkept</textarea>");
    page.shows("No event was recorded since.");
    browser.api.answers(&format!("GET /v1/approvals/{ID}/events"), 403, problem(403, "not_permitted"));
    let page = send(&mut browser, &shown, "approve", &[("read", "yes")]);
    page.shows("so that it is not known here what changed").lacks("No event was recorded since.");
}

#[test]
fn a_request_that_has_changed_is_shown_anew_with_what_changed() {
    let mut browser = opened(&["approve", "reject"]);
    let shown = page(&mut browser);
    for (code, sentence) in [
        ("version_mismatch", "The request has changed since the page was opened."),
        ("digest_mismatch", "The request is not what the page showed."),
        ("not_pending", "The request is not pending any more."),
        ("expired", "The deadline has passed."),
    ] {
        browser.api.answers(&format!("POST /v1/approvals/{ID}/approve"), 409, problem(409, code));
        browser.api.answers(&format!("GET /v1/approvals/{ID}/events"), 200, example("events"));
        let page = send(&mut browser, &shown, "approve", &[("read", "yes"), ("comment", "kept")]);
        assert_eq!(page.status, StatusCode::CONFLICT, "{code}");
        page.shows(sentence).shows("a reason of the API").shows("\nkept</textarea>");
        let (_, changes) = page.html.split_once(">What changed</h2>").unwrap();
        let (changes, _) = changes.split_once("</section>").unwrap();
        assert!(changes.contains("cleo@example.com") && !changes.contains("bob@example.com"), "{changes}");
    }
    browser.api.answers(&format!("POST /v1/approvals/{ID}/approve"), 403, problem(403, "self_approval"));
    let page = send(&mut browser, &shown, "approve", &[("read", "yes")]);
    page.shows("You cannot decide your own request. Send the link to another approver.")
        .lacks("What changed");
}

#[test]
fn requests_are_commented_cancelled_started_and_finished() {
    let mut browser = opened(&["comment", "cancel", "start", "finish"]);
    let mut running = request(&json!({}));
    running["execution_id"] = json!("019c1339-a5c0-7000-8000-0000000000e1");
    let digest = running["content_digest"].clone();
    lay_down(&browser, running, &["comment", "cancel", "start", "finish"]);
    browser.api.answers("POST ", 200, example("executing"));
    browser.api.answers("PUT ", 200, example("executed"));
    let shown = page(&mut browser);
    for name in ["Add comment", "Cancel request", "Start execution", "Report success", "Report failure"] {
        assert!(shown.has_button(name), "{name}");
    }
    shown.shows("Result (JSON, optional)</label>").shows("Actual cost</label>");
    let execution = "019c1339-a5c0-7000-8000-0000000000e1";
    let cases = [
        ("comment", vec![("text", "note")], "/comments", json!({"text": "note"})),
        ("cancel", vec![("cancel_reason", "late")], "/cancel", json!({"reason": "late"})),
        ("cancel", vec![], "/cancel", json!({})),
        ("start", vec![], "/execution", json!({"content_digest": digest, "expected_version": 2})),
        (
            "finish",
            vec![("outcome", "succeeded"), ("result", "{\"rows\": 1}"), ("actual_cost", "2.5")],
            "/execution",
            json!({
                "execution_id": execution, "outcome": "succeeded", "result": {"rows": 1}, "actual_cost": 2.5,
                "content_digest": digest,
            }),
        ),
        (
            "finish",
            vec![("outcome", "failed")],
            "/execution",
            json!({"execution_id": execution, "outcome": "failed", "content_digest": digest}),
        ),
    ];
    for (action, fields, path, body) in cases {
        browser.api.calls();
        let page = send(&mut browser, &shown, action, &fields);
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.html);
        let calls = browser.api.calls();
        assert_eq!(
            (calls[0].path.as_str(), &calls[0].body),
            (&*format!("/v1/approvals/{ID}{path}"), &Some(body))
        );
    }
    for (name, value, sentence) in [
        ("result", "{\"a\":1,\"a\":2}", "The result is not JSON"),
        ("actual_cost", "much", "The cost is not a number."),
        ("actual_cost", "inf", "The cost is not a number."),
    ] {
        let page = send(&mut browser, &shown, "finish", &[("outcome", "succeeded"), (name, value)]);
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        page.shows(sentence);
    }
}

#[test]
fn without_the_trail_comments_are_shown_and_what_is_missing_is_said() {
    let mut browser = opened(&[]);
    browser.api.answers(&format!("GET /v1/approvals/{ID}/events"), 403, problem(403, "not_permitted"));
    page(&mut browser).shows("does not show you the audit trail").shows("Capacity planning agrees");
    browser.api.answers(&format!("GET /v1/approvals/{ID}"), 404, json!({}));
    assert_eq!(page(&mut browser).heading(), "Not found");
    browser.api.answers(&format!("GET /v1/approvals/{ID}"), 403, problem(403, "not_permitted"));
    let refused = page(&mut browser);
    assert_eq!((refused.status, refused.heading().as_str()), (StatusCode::FORBIDDEN, "Not permitted"));
    browser.api.answers(&format!("GET /v1/approvals/{ID}"), 0, json!({}));
    assert_eq!(page(&mut browser).heading(), "Something went wrong");
    browser.api.answers(&format!("GET /v1/approvals/{ID}"), 401, json!({}));
    let page = page(&mut browser);
    assert_eq!(page.header("location"), format!("/sign-in?return=%2Fapprovals%2F{ID}"));
    assert!(browser.cookies.is_empty());
}

#[test]
fn a_poll_is_answered_with_nothing_until_something_has_changed() {
    let mut browser = opened(&["approve"]);
    let shown = page(&mut browser);
    let version = shown.html.split("data-version=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    browser.headers.push(("countersign-version", version));
    browser.visit = later(5_000);
    let poll = page(&mut browser);
    assert_eq!((poll.status, poll.html.as_str()), (StatusCode::NO_CONTENT, ""));
    let mut commented = request(&json!({}));
    commented["version"] = json!(3);
    browser.api.answers(&format!("GET /v1/approvals/{ID}"), 200, sealed(commented));
    assert_eq!(page(&mut browser).status, StatusCode::OK);
}

#[test]
fn only_what_the_site_says_makes_a_ticket_a_link() {
    let mut browser = opened(&[]);
    let mut with_url = request(&json!({}));
    with_url["ticket"] = json!("javascript:alert(1)");
    lay_down(&browser, sealed(with_url), &[]);
    page(&mut browser)
        .shows("href=\"https://tickets.example.com/javascript%3Aalert%281%29\"")
        .lacks("href=\"javascript");
}
