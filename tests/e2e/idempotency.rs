//! The `Idempotency-Key`: a retry has no second effect and answers with the same request.

use countersign_e2e::client::{Answer, Client};
use countersign_e2e::service::Service;
use countersign_e2e::transport::Fault;
use serde_json::{Value, json};

/// Sends one body with one key from eight threads.
fn from_eight_threads(act: impl Fn(usize) -> Answer + Sync) -> Vec<Answer> {
    let barrier = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|number| {
                let (act, barrier) = (&act, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    act(number)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    statuses
}

/// THREATS 40, as the tests below.
#[test]
fn a_second_creation_with_the_same_key_is_the_first() {
    let service = Service::start();
    let ann = service.requester("ann");
    let create = |body: &Value| ann.post_with_key("/v1/approvals", body, "key 1");
    let first = create(&Service::medium());
    let location = first.headers["location"].clone();
    let first = first.expect(201);
    service.untouched(|| {
        for _ in 0..3 {
            let again = create(&Service::medium());
            assert_eq!(again.headers["location"], location);
            assert_eq!(again.expect(200), first);
        }
    });
    // The same document in other words is the same body.
    let mut words: Vec<_> = Service::medium().as_object().unwrap().clone().into_iter().collect();
    words.reverse();
    let words: Vec<_> = words.iter().map(|(name, value)| format!("\n\"{name}\" : {value}")).collect();
    let words = format!("{{{}}}", words.join(",")).replace("200", "2e2");
    let headers = [("Idempotency-Key", "key 1")];
    assert_eq!(ann.send("POST", "/v1/approvals", &headers, words.as_bytes()).unwrap().expect(200), first);
}

#[test]
fn a_key_is_good_for_one_body() {
    let service = Service::start();
    let ann = service.requester("ann");
    ann.post_with_key("/v1/approvals", &Service::medium(), "k").expect(201);
    let mut other = Service::medium();
    other["parameters"]["allocated_storage"] = json!(201);
    service.untouched(|| {
        for body in [&other, &Service::high(), &Service::low()] {
            let problem = ann.post_with_key("/v1/approvals", body, "k");
            assert_eq!(problem.expect_problem(409, "idempotency_conflict")["current_status"], "pending");
        }
    });
    ann.post_with_key("/v1/approvals", &other, "K").expect(201);
}

#[test]
fn keys_belong_to_the_caller_who_sends_them() {
    let service = Service::start();
    let ids: Vec<_> = ["ann", "ben", "cleo"]
        .iter()
        .map(|name| {
            let created = service.requester(name).post_with_key("/v1/approvals", &Service::medium(), "k");
            created.expect(201)["request_id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    // Ben's id is no secret, but Ann's key does not lead to it.
    service.requester("ann").get(&format!("/v1/approvals/{}", ids[1])).expect_problem(404, "not_found");
}

#[test]
fn a_retry_shows_the_request_as_it_is_now() {
    let service = Service::start();
    let ann = service.requester("ann");
    let create = || ann.post_with_key("/v1/approvals", &Service::medium(), "k");
    let id = create().expect(201)["request_id"].clone();
    let path = format!("/v1/approvals/{}", id.as_str().unwrap());
    Service::approve(&service.approver("bob"), &path).expect(200);
    let again = create().expect(200);
    assert_eq!((&again["request_id"], &again["status"]), (&id, &json!("approved")));
    service.host.advance_milliseconds(30 * 24 * 60 * 60 * 1000);
    let again = create().expect(200);
    assert_eq!((&again["request_id"], &again["status"]), (&id, &json!("expired")));
}

#[test]
fn eight_creations_with_one_key_at_once_are_one() {
    let service = Service::start();
    let ann = service.requester("ann");
    for round in 0..5 {
        let key = format!("round {round}");
        let answers = from_eight_threads(|_| ann.post_with_key("/v1/approvals", &Service::medium(), &key));
        assert_eq!(statuses(&answers), [200, 200, 200, 200, 200, 200, 200, 201]);
        assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    }
    assert_eq!(ann.ids("/v1/approvals").len(), 5);
}

#[test]
fn eight_bodies_with_one_key_at_once_make_one_request() {
    let service = Service::start();
    let ann = service.requester("ann");
    let answers = from_eight_threads(|number| {
        let mut body = Service::medium();
        body["parameters"] = json!({ "number": number });
        ann.post_with_key("/v1/approvals", &body, "k")
    });
    assert_eq!(statuses(&answers), [201, 409, 409, 409, 409, 409, 409, 409]);
    assert_eq!(ann.ids("/v1/approvals").len(), 1);
}

/// A command on a request that is ready for it, twice with a key and once with another body.
#[test]
fn every_command_can_be_sent_again() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let check = |client: &Client, method: &str, path: &str, body: &Value, other: &Value| {
        let send = |body: &Value| {
            client.send(method, path, &[("Idempotency-Key", "k")], body.to_string().as_bytes()).unwrap()
        };
        let first = send(body).expect(200);
        service.untouched(|| {
            assert_eq!(send(body).expect(200), first, "{path}");
            send(other).expect_problem(409, "idempotency_conflict");
            assert_eq!(send(body).expect(200), first, "{path}");
        });
    };
    let pending = || Service::create(&ann, &Service::medium());

    let path = format!("{}/approve", Service::create(&ann, &Service::high()));
    check(&bob, "POST", &path, &json!({}), &json!({ "comments": "fine" }));
    let path = format!("{}/approve", pending());
    check(&bob, "POST", &path, &json!({ "comments": "fine" }), &json!({}));
    let path = format!("{}/reject", pending());
    check(&bob, "POST", &path, &json!({ "reason": "no" }), &json!({ "reason": "No" }));
    let path = format!("{}/cancel", pending());
    check(&ann, "POST", &path, &json!({}), &json!({ "reason": "x" }));
    let path = format!("{}/comments", pending());
    check(&ann, "POST", &path, &json!({ "text": "a" }), &json!({ "text": "b" }));
    let path = format!("{}/execution", service.approved(&ann));
    check(&ann, "POST", &path, &json!({}), &json!({ "parameters_digest": "0" }));
    let path = service.approved(&ann);
    let id = Service::started(&ann, &path);
    let finish = |outcome: &str| json!({ "execution_id": id, "outcome": outcome });
    check(&ann, "PUT", &format!("{path}/execution"), &finish("succeeded"), &finish("failed"));
}

#[test]
fn a_retry_is_answered_although_the_request_has_moved_on() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let path = Service::create(&ann, &Service::high());
    let approve = |client: &Client| client.post_with_key(&format!("{path}/approve"), &json!({}), "k");
    approve(&bob).expect(200);
    assert_eq!(approve(&service.approver("cleo")).expect(200)["status"], "approved");
    assert_eq!(approve(&bob).expect(200)["status"], "approved");
    Service::started(&ann, &path);
    assert_eq!(approve(&bob).expect(200)["status"], "executing");
    // Without the key it is a second command.
    Service::approve(&bob, &path).expect_problem(409, "not_pending");
}

#[test]
fn one_key_serves_every_command_and_every_request_once() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    for _ in 0..2 {
        let path = Service::create(&ann, &Service::medium());
        bob.post_with_key(&format!("{path}/comments"), &json!({ "text": "a" }), "k").expect(200);
        ann.post_with_key(&format!("{path}/comments"), &json!({ "text": "a" }), "k").expect(200);
        bob.post_with_key(&format!("{path}/approve"), &json!({}), "k").expect(200);
        assert_eq!(ann.get(&path).expect(200)["version"], 4);
    }
}

#[test]
fn what_was_refused_is_not_remembered() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    let start = || ann.post_with_key(&format!("{path}/execution"), &json!({}), "k");
    start().expect_problem(409, "not_approved");
    Service::approve(&service.approver("bob"), &path).expect(200);
    let first = start().expect(200);
    assert_eq!(start().expect(200), first);
}

#[test]
fn the_original_endpoint_takes_keys_too() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let first = ann.post_with_key("/approvals", &Service::medium(), "k").expect(201);
    assert_eq!(ann.post_with_key("/approvals", &Service::medium(), "k").expect(200), first);
    let approve = json!({ "operation": "approve_request", "request_id": first["request_id"] });
    let approved = bob.post_with_key("/approvals", &approve, "k").expect(200);
    assert_eq!(bob.post_with_key("/approvals", &approve, "k").expect(200), approved);

    let done = json!({
        "operation": "mark_executed",
        "request_id": first["request_id"],
        "execution_result": { "ok": true },
    });
    let executed = ann.post_with_key("/approvals", &done, "done").expect(200);
    assert_eq!((&executed["status"], &executed["version"]), (&json!("executed"), &json!(4)));
    service.untouched(|| {
        assert_eq!(ann.post_with_key("/approvals", &done, "done").expect(200), executed);
        let mut other = done.clone();
        other["execution_result"] = json!({ "ok": false });
        ann.post_with_key("/approvals", &other, "done").expect_problem(409, "idempotency_conflict");
        ann.post("/approvals", &done).expect_problem(409, "not_approved");
    });
}

#[test]
fn eight_reports_of_what_was_executed_at_once_are_one() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let body = json!({ "operation": "mark_executed", "request_id": Service::id(&path) });
    let answers = from_eight_threads(|_| ann.post_with_key("/approvals", &body, "k"));
    assert_eq!(statuses(&answers), [200; 8]);
    assert!(answers.iter().all(|answer| answer.body["status"] == "executed"));
    assert_eq!(ann.get(&path).expect(200)["version"], 4);
}

/// The start was written and the end was not: the retry finds the one and makes up for the other.
#[test]
fn a_report_that_was_cut_in_half_is_completed_by_its_retry() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let body = json!({ "operation": "mark_executed", "request_id": Service::id(&path) });
    let mut written = 0;
    service.transport.set_plan(move |operation| {
        written += usize::from(operation == "TransactWriteItems");
        (written > 1).then_some(Fault::TimeoutBefore)
    });
    ann.post_with_key("/approvals", &body, "k").expect_problem(503, "store_unavailable");
    service.transport.heal();
    assert_eq!(ann.get(&path).expect(200)["status"], "executing");
    let done = ann.post_with_key("/approvals", &body, "k").expect(200);
    assert_eq!((&done["status"], &done["version"]), (&json!("executed"), &json!(4)));
}

/// After a 503 the outcome is not known: the key makes it safe to ask again, whatever the store had done.
#[test]
fn a_retry_after_a_failure_makes_one_request() {
    for fault in Fault::ALL {
        let service = Service::start();
        let ann = service.requester("ann");
        let create = || ann.post_with_key("/v1/approvals", &Service::medium(), "k");
        service.transport.set_plan(move |_| Some(fault));
        let answer = create();
        assert_eq!(answer.headers.get("retry-after").map(String::as_str), Some("1"), "{fault:?}");
        answer.expect_problem(503, "store_unavailable");
        service.transport.heal();
        let status = create().status;
        assert!(status == 200 || status == 201, "{fault:?}: {status}");
        create().expect(200);
        assert_eq!(ann.ids("/v1/approvals").len(), 1, "{fault:?}");
    }
}

/// The original endpoint names in the body what the others name in the path: it is one command.
#[test]
fn a_retry_may_take_the_other_endpoint() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let created = ann.post_with_key("/v1/approvals", &Service::high(), "one").expect(201);
    let mut again = Service::high();
    again["operation"] = json!("create_request");
    assert_eq!(ann.post_with_key("/approvals", &again, "one").expect(200), created);

    let id = &created["request_id"];
    let path = format!("/v1/approvals/{}/approve", id.as_str().unwrap());
    let approved = bob.post_with_key(&path, &json!({ "comments": "fine" }), "two").expect(200);
    let again = json!({ "operation": "approve_request", "request_id": id, "comments": "fine" });
    assert_eq!(bob.post_with_key("/approvals", &again, "two").expect(200), approved);
    let other = json!({ "operation": "approve_request", "request_id": id, "comments": "no" });
    bob.post_with_key("/approvals", &other, "two").expect_problem(409, "idempotency_conflict");
}
