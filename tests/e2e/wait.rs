//! GET /v1/approvals/{id} that waits for a change, and what it is shown by an entity tag.

use crate::policy::{policy_with, refused};
use countersign_core::policy::Policy;
use countersign_e2e::client::{Answer, Client};
use countersign_e2e::service::Service;
use countersign_policy::load;
use serde_json::json;
use std::time::{Duration, Instant};

/// Longer than anything here takes that does not wait.
const LONG: Duration = Duration::from_secs(15);

/// The answer to a call that waits, during which this happens. It has begun to read the request before.
fn meanwhile(service: &Service, caller: &Client, target: &str, happens: impl FnOnce()) -> Answer {
    meanwhile_with(service, caller, target, &[], happens)
}

fn meanwhile_with(
    service: &Service,
    caller: &Client,
    target: &str,
    headers: &[(&str, &str)],
    happens: impl FnOnce(),
) -> Answer {
    service.transport.take_calls();
    let began = Instant::now();
    let answer = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| caller.send("GET", target, headers, b"").unwrap());
        while !service.transport.has_calls() {
            std::thread::yield_now();
        }
        happens();
        waiting.join().unwrap()
    });
    assert!(began.elapsed() < LONG, "{target}: woken by nothing: {answer:?}");
    answer
}

fn if_none_match(caller: &Client, target: &str, tag: &str) -> Answer {
    caller.send("GET", target, &[("if-none-match", tag)], b"").unwrap()
}

fn hides_from(group: &str) -> Policy {
    let forbid = format!(
        "@id(\"hidden\")\nforbid (principal in Group::\"{group}\", action == Action::\"view\", resource);"
    );
    policy_with("", "", &forbid)
}

#[test]
fn each_change_ends_the_waiting() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let path = Service::create(&ann, &Service::high());
    let waiting = format!("{path}?wait=25");
    let commented = meanwhile(&service, &ann, &waiting, || {
        bob.post(&format!("{path}/comments"), &json!({ "text": "soon" })).expect(200);
    });
    assert_eq!(commented.expect(200)["comments"][0]["comment"], "soon");
    let approved = meanwhile(&service, &ann, &format!("{waiting}&since_version=2"), || {
        Service::approve(&bob, &path).expect(200);
    });
    assert_eq!(approved.expect(200)["approvals_received"], 1);
    assert_eq!(ann.get(&format!("{waiting}&since_version=2")).expect(200)["version"], 3, "missed meanwhile");
    let known = ann.get(&path).headers["etag"].clone();
    let expired = meanwhile(&service, &ann, &format!("{waiting}&since_version=3"), || {
        service.host.advance_milliseconds(73 * 60 * 60 * 1000);
        assert_eq!(service.expire().expired, 1, "the sweep is a change too");
    });
    assert_eq!(expired.expect(200)["status"], "expired");
    assert_eq!(
        if_none_match(&ann, &waiting, &known).expect(200)["status"],
        "expired",
        "another than is known"
    );
}

/// Only the sweep writes it down; a caller hears of it without.
#[test]
fn a_deadline_that_passes_ends_the_waiting() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    service.host.advance_milliseconds(72 * 60 * 60 * 1000 - 300);
    // The clock may be moved before the first look, which is a change all the same to a caller who says what they have.
    service.transport.take_calls();
    let tag = ann.get(&path).headers["etag"].clone();
    let calls_of_one_read = service.transport.take_calls();
    let headers = [("if-none-match", tag.as_str())];
    let answer = meanwhile_with(&service, &ann, &format!("{path}?wait=25"), &headers, || {
        service.host.advance_milliseconds(300);
    });
    let expired = answer.expect(200);
    assert_eq!((expired["status"].as_str(), expired["version"].as_u64()), (Some("expired"), Some(1)));
    assert_eq!(service.transport.take_calls(), calls_of_one_read, "nothing is read again for it");
}

#[test]
fn without_a_change_the_answer_comes_after_the_time() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    let first = ann.get(&path);
    let tag = first.headers["etag"].clone();
    for (target, condition, status) in [
        (format!("{path}?wait=1"), None, 200),
        (format!("{path}?wait=1&since_version=7"), None, 200),
        (format!("{path}?wait=1"), Some(tag.as_str()), 304),
    ] {
        let began = Instant::now();
        let headers: Vec<_> = condition.into_iter().map(|tag| ("if-none-match", tag)).collect();
        let answer = ann.send("GET", &target, &headers, b"").unwrap();
        assert!(began.elapsed() >= Duration::from_secs(1), "{target}");
        assert_eq!((answer.status, &answer.headers["etag"]), (status, &tag), "{target}");
        if status == 200 {
            assert_eq!(answer.text, first.text);
        }
    }
}

#[test]
fn what_is_known_is_answered_without_a_body() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let gus = service.person("gus", &["guest"]);
    let path = Service::create(&ann, &Service::medium());
    let tag = ann.get(&path).headers["etag"].clone();
    let known = if_none_match(&ann, &path, &format!("\"x\", W/{tag}"));
    assert_eq!((known.status, known.text.as_str()), (304, ""));
    assert_eq!(known.headers["etag"], tag);
    assert!(!known.headers.contains_key("content-type") && known.headers.contains_key("x-correlation-id"));
    assert_eq!(bob.get(&path).headers["etag"], tag, "who is shown the same");
    assert_ne!(gus.get(&path).headers["etag"], tag, "who is not shown parameters");
    if_none_match(&gus, &path, &tag).expect(200);
    // A caller who may not see it does not learn whether it is as they say.
    for tag in [tag.as_str(), "*"] {
        if_none_match(&service.requester("ben"), &path, tag).expect_problem(404, "not_found");
    }
    service.host.advance_milliseconds(73 * 60 * 60 * 1000);
    assert_eq!(if_none_match(&ann, &path, &tag).expect(200)["status"], "expired");
    let created = ann.post("/v1/approvals", &Service::medium());
    assert!(!created.headers.contains_key("etag"), "an answer of a change has none");
    let original = json!({ "operation": "get_request", "request_id": Service::id(&path) });
    assert!(!ann.post("/approvals", &original).headers.contains_key("etag"));
}

/// Whoever waits is asked for again at the answer.
#[test]
fn a_policy_that_is_replaced_holds_for_those_who_wait() {
    let service = Service::start();
    let (ann, cleo) = (service.requester("ann"), service.person("cleo", &["auditor"]));
    let path = Service::create(&ann, &Service::medium());
    let waiting = format!("{path}?wait=25");
    let stricter = policy_with("[rules.two]\noperations = [\"*\"]\napprovals = 2", "", "");
    let shown = meanwhile(&service, &ann, &waiting, || service.replace_policy(stricter));
    assert_eq!(shown.expect(200)["approvals_required"], 2, "it is shown in another way");
    let hiding = hides_from("auditor");
    let hidden = meanwhile(&service, &cleo, &waiting, || service.replace_policy(hiding.clone()));
    hidden.expect_problem(404, "not_found");
    let disabled = policy_with("", "[people.\"ann@example.com\"]\ndisabled = true", "");
    refused(meanwhile(&service, &ann, &waiting, || service.replace_policy(disabled)), 403, "not_permitted");
    service.replace_policy(load::bundled().unwrap());
    // The policy of now, and not that of the beginning, when something else ends the waiting.
    let hidden = meanwhile(&service, &cleo, &format!("{path}?wait=25"), || {
        service.replace_policy(hiding);
        Service::approve(&service.approver("bob"), &path).expect(200);
    });
    hidden.expect_problem(404, "not_found");
}

#[test]
fn what_is_no_time_or_version_is_refused() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    for (query, pointer) in [
        ("wait=26", "/wait"),
        ("wait=-1", "/wait"),
        ("wait=1.5", "/wait"),
        ("wait=%2B1", "/wait"),
        ("wait=", "/wait"),
        ("wait=1s", "/wait"),
        ("wait=1&wait=1", "/wait"),
        ("wait=0&since_version=-1", "/since_version"),
        ("wait=0&since_version=x", "/since_version"),
        ("wait=0&since_version=18446744073709551616", "/since_version"),
        ("since_version=1", "/since_version"),
    ] {
        let problem = refused(ann.get(&format!("{path}?{query}")), 422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}: {problem}");
    }
    ann.get(&format!("{path}?wait=0&since_version=0")).expect(200);
    let original = json!({ "operation": "get_request", "request_id": Service::id(&path), "wait": 1 });
    refused(ann.post("/approvals", &original), 422, "validation_failed");
}

/// THREATS 67: a caller who waits in as many calls as they may, and one more, can still act.
#[test]
fn a_caller_who_waits_often_can_still_cancel() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    std::thread::scope(|scope| {
        // More than the calls that a caller may have under way.
        let waiting: Vec<_> = (0..40).map(|_| scope.spawn(|| ann.get(&format!("{path}?wait=25")))).collect();
        // Each reads the request, and its claim beside it.
        let mut read = 0;
        while read < 2 * waiting.len() {
            read += service.transport.take_calls().len();
            std::thread::yield_now();
        }
        let began = Instant::now();
        ann.post(&format!("{path}/cancel"), &json!({})).expect(200);
        for answer in waiting {
            assert_eq!(answer.join().unwrap().expect(200)["status"], "cancelled");
        }
        assert!(began.elapsed() < LONG);
    });
}
