//! POST /approvals: the original single endpoint, with the original field names.

use countersign_api::operation::OriginalOperation;
use countersign_e2e::client::{Answer, Client};
use countersign_e2e::service::Service;
use serde_json::{Value, json};
use strum::IntoEnumIterator;

fn send(client: &Client, operation: &str, members: Value) -> Answer {
    let mut body = members;
    body["operation"] = json!(operation);
    client.post("/approvals", &body)
}

fn ids(answer: Answer) -> Vec<String> {
    let body = answer.expect(200);
    let items = body["items"].as_array().unwrap();
    items.iter().map(|item| item["request_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_request_goes_through_its_whole_life_at_one_address() {
    let service = Service::start();
    let (ann, bob, cleo) = (service.requester("ann"), service.approver("bob"), service.approver("cleo"));
    let created = send(&ann, "create_request", Service::high()).expect(201);
    let id = &created["request_id"];
    let members = json!({ "request_id": id, "approved_by": "bob@example.com", "comments": "fine" });
    assert_eq!(send(&bob, "approve_request", members).expect(200)["approvals_received"], 1);
    send(
        &bob,
        "add_comment",
        json!({ "request_id": id, "comment_by": "bob@example.com", "text": "one more" }),
    )
    .expect(200);
    let digest = &created["parameters_digest"];
    let members = json!({ "request_id": id, "parameters_digest": digest });
    assert_eq!(send(&cleo, "approve_request", members.clone()).expect(200)["status"], "approved");
    let started = send(&ann, "start_execution", members).expect(200);
    let members = json!({
        "request_id": id,
        "execution_id": started["execution_id"],
        "outcome": "succeeded",
        "result": [1, 2],
        "actual_cost": 3,
    });
    let finished = send(&ann, "finish_execution", members).expect(200);
    assert_eq!((&finished["status"], &finished["execution_result"]), (&json!("executed"), &json!([1, 2])));
    assert_eq!(send(&ann, "get_request", json!({ "request_id": id })).expect(200), finished);
    let events = send(&ann, "get_request_events", json!({ "request_id": id })).expect(200);
    let path = format!("/v1/approvals/{}", id.as_str().unwrap());
    assert_eq!(ann.get(&format!("{path}/events")).expect(200), events);
    assert_eq!(events["items"].as_array().unwrap().len(), 6);
}

#[test]
fn without_an_operation_it_makes_a_request() {
    let service = Service::start();
    let ann = service.requester("ann");
    let mut body = Service::medium();
    body["requested_by"] = json!("ann@example.com");
    let answer = ann.post("/approvals", &body);
    assert!(answer.headers["location"].starts_with("/v1/approvals/"));
    assert_eq!(answer.expect(201)["status"], "pending");
}

#[test]
fn the_other_ends() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let create = || ann.post("/approvals", &Service::medium()).expect(201)["request_id"].clone();
    let members = json!({ "request_id": create(), "rejected_by": "bob@example.com", "reason": "no" });
    assert_eq!(send(&bob, "reject_request", members).expect(200)["rejection_reason"], "no");
    let members = json!({ "request_id": create(), "cancelled_by": "ann@example.com" });
    assert_eq!(send(&ann, "cancel_request", members).expect(200)["status"], "cancelled");
}

#[test]
fn what_was_executed_already_is_reported_in_one_call_and_two_events() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = service.approved(&ann);
    let members = json!({
        "request_id": Service::id(&path),
        "executed_by": "ann@example.com",
        "execution_result": { "ok": true },
        "actual_cost": 12.5,
    });
    let executed = send(&ann, "mark_executed", members.clone()).expect(200);
    assert_eq!(executed["status"], "executed");
    assert_eq!(
        (&executed["execution_result"], &executed["actual_cost"]),
        (&json!({ "ok": true }), &json!(12.5))
    );
    let events = ann.get(&format!("{path}/events")).expect(200);
    let types: Vec<_> =
        events["items"].as_array().unwrap().iter().map(|event| &event["event_type"]).collect();
    assert_eq!(types[2..], ["EXECUTION_STARTED", "EXECUTION_SUCCEEDED"]);
    send(&ann, "mark_executed", members).expect_problem(409, "not_approved");
}

#[test]
fn nothing_is_marked_executed_that_was_not_approved() {
    let service = Service::start();
    let ann = service.requester("ann");
    let pending = Service::create(&ann, &Service::medium());
    let members = json!({ "request_id": Service::id(&pending) });
    service.untouched(|| {
        send(&ann, "mark_executed", members.clone()).expect_problem(409, "not_approved");
    });
    let approved = service.approved(&ann);
    let members = json!({ "request_id": Service::id(&approved) });
    service.untouched(|| {
        send(&service.person("eve", &["admin"]), "mark_executed", members)
            .expect_problem(403, "not_permitted");
    });
}

#[test]
fn the_pending_list_hides_what_an_approver_is_done_with() {
    let service = Service::start();
    let (ann, ben) = (service.requester("ann"), service.requester("ben"));
    let (first, second) = (Service::create(&ann, &Service::high()), Service::create(&ann, &Service::high()));
    let third = Service::create(&ben, &Service::high());
    Service::approve(&service.approver("bob"), &first).expect(200);
    let pending = |user: Value| {
        let members = if user.is_null() { json!({}) } else { json!({ "user_email": user }) };
        let mut ids = ids(send(&service.approver("cleo"), "get_pending_approvals", members));
        ids.sort();
        ids
    };
    let sorted = |paths: &[&String]| {
        let mut ids: Vec<_> = paths.iter().map(|path| Service::id(path).to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(pending(Value::Null), sorted(&[&first, &second, &third]));
    assert_eq!(pending(json!("bob@example.com")), sorted(&[&second, &third]));
    assert_eq!(pending(json!("BOB@example.com")), sorted(&[&second, &third]));
    assert_eq!(pending(json!("ann@example.com")), sorted(&[&third]));
    assert_eq!(pending(json!("cleo@example.com")), sorted(&[&first, &second, &third]));
}

#[test]
fn lists_of_a_person_and_of_an_instance_are_paged_too() {
    let service = Service::start();
    let ann = service.requester("ann");
    let paths: Vec<_> = (0..5).map(|_| Service::create(&ann, &Service::medium())).collect();
    Service::create(&service.requester("ben"), &Service::high());
    Service::approve(&service.approver("bob"), &paths[0]).expect(200);
    let eve = service.person("eve", &["auditor"]);
    for (operation, members) in [
        ("get_user_requests", json!({ "user_email": "ann@example.com" })),
        ("get_instance_requests", json!({ "instance_id": "dev-db-01" })),
    ] {
        assert_eq!(ids(send(&eve, operation, members.clone())).len(), 5);
        for (status, count) in [("pending", 4), ("approved", 1), ("executed", 0)] {
            let mut members = members.clone();
            members["status"] = json!(status);
            assert_eq!(ids(send(&eve, operation, members)).len(), count, "{operation} {status}");
        }
        for limit in [json!(2), json!("2")] {
            let (mut seen, mut members, mut pages) = (Vec::new(), members.clone(), 0);
            members["limit"] = limit;
            loop {
                let page = send(&eve, operation, members.clone());
                members["cursor"] = page.body["next_cursor"].clone();
                seen.extend(ids(page));
                pages += 1;
                if members["cursor"].is_null() {
                    break;
                }
            }
            seen.sort();
            seen.dedup();
            assert_eq!((seen.len(), pages), (5, 3), "{operation}");
        }
    }
    let mine = send(&ann, "get_instance_requests", json!({ "instance_id": "production-db-01" }));
    assert_eq!(ids(mine), Vec::<String>::new());
    let of_ben = send(&ann, "get_user_requests", json!({ "user_email": "ben@example.com" }));
    assert_eq!(ids(of_ben), Vec::<String>::new());
}

#[test]
fn an_unknown_operation_is_answered_with_the_known_ones() {
    let service = Service::start();
    let problem =
        send(&service.requester("ann"), "delete_request", json!({})).expect_problem(422, "validation_failed");
    assert_eq!(problem["errors"][0]["pointer"], "/operation");
    let message = problem["errors"][0]["message"].as_str().unwrap();
    assert!(OriginalOperation::iter().all(|original| message.contains(original.as_str())), "{message}");
}
