//! Which group may do what on which route: the default groups of DESIGN section 8.

use countersign_e2e::client::{Answer, Client};
use countersign_e2e::service::Service;
use serde_json::{Value, json};

const ID: &str = "01930000-0000-7000-8000-000000000000";

/// Every route on another person's pending request.
const ROUTES: [&str; 11] = [
    "get", "events", "list", "create", "approve", "reject", "withdraw", "cancel", "comment", "start",
    "finish",
];

fn call(client: &Client, path: &str, route: &str) -> Answer {
    match route {
        "get" => client.get(path),
        "events" => client.get(&format!("{path}/events")),
        "list" => client.get("/v1/approvals"),
        "create" => client.post("/v1/approvals", &Service::medium()),
        "approve" => Service::approve(client, path),
        "reject" => client.post(&format!("{path}/reject"), &json!({ "reason": "no" })),
        "withdraw" => client.post(&format!("{path}/withdraw"), &json!({})),
        "cancel" => client.post(&format!("{path}/cancel"), &json!({})),
        "comment" => client.post(&format!("{path}/comments"), &json!({ "text": "hm" })),
        "start" => client.post(&format!("{path}/execution"), &json!({})),
        _ => client.put(&format!("{path}/execution"), &json!({ "execution_id": ID, "outcome": "failed" })),
    }
}

/// The same through the original endpoint.
fn dispatch(client: &Client, path: &str, route: &str) -> Answer {
    let id = Service::id(path);
    let body = match route {
        "get" => json!({ "operation": "get_request", "request_id": id }),
        "events" => json!({ "operation": "get_request_events", "request_id": id }),
        "list" => json!({ "operation": "get_pending_approvals" }),
        "create" => Service::medium(),
        "approve" => json!({ "operation": "approve_request", "request_id": id }),
        "reject" => json!({ "operation": "reject_request", "request_id": id, "reason": "no" }),
        "withdraw" => json!({ "operation": "withdraw_approval", "request_id": id }),
        "cancel" => json!({ "operation": "cancel_request", "request_id": id }),
        "comment" => json!({ "operation": "add_comment", "request_id": id, "text": "hm" }),
        "start" => json!({ "operation": "start_execution", "request_id": id }),
        _ => json!({
            "operation": "finish_execution", "request_id": id, "execution_id": ID, "outcome": "failed",
        }),
    };
    client.post("/approvals", &body)
}

#[test]
fn every_group_on_every_route_of_another_persons_request() {
    let service = Service::start();
    let ann = service.requester("ann");
    let check = |caller: &Client, what: &str, expected: [&str; 11]| {
        for (route, expected) in ROUTES.into_iter().zip(expected) {
            for through in [call, dispatch] {
                let path = Service::create(&ann, &Service::high());
                let answer = through(caller, &path, route);
                let code = answer.body["code"].as_str().unwrap_or("ok");
                assert_eq!(code, expected, "{what} {route}: {}", answer.body);
                // Room for the next one.
                let cancelled = ann.post(&format!("{path}/cancel"), &json!({})).status;
                let is_closed = ["reject", "cancel"].contains(&route);
                assert!(cancelled == 200 || is_closed, "{what} {route}");
            }
        }
    };
    const NO: &str = "not_permitted";
    const HIDDEN: &str = "not_found";
    const BOT: &str = "agent_cannot_approve";
    const NONE: &str = "not_decided";
    // get, events, list, create, approve, reject, withdraw, cancel, comment, start, finish
    let own_only = [HIDDEN, HIDDEN, "ok", "ok", HIDDEN, HIDDEN, HIDDEN, HIDDEN, HIDDEN, HIDDEN, HIDDEN];
    check(&service.person("dev", &["developer"]), "developer", own_only);
    check(&service.person("bot", &["agent"]), "agent", own_only);
    check(&service.program("ci", &["developer"]), "program", own_only);
    check(
        &service.person("app", &["approver"]),
        "approver",
        ["ok", "ok", "ok", NO, "ok", "ok", NONE, NO, "ok", NO, NO],
    );
    check(
        &service.person("aud", &["auditor"]),
        "auditor",
        ["ok", "ok", "ok", NO, NO, NO, NONE, NO, NO, NO, NO],
    );
    let admin = ["ok", "ok", "ok", "ok", "ok", "ok", NONE, "ok", "ok", NO, "not_approved"];
    check(&service.person("adm", &["admin"]), "admin", admin);
    check(&service.person("gus", &["guest"]), "guest", ["ok", NO, "ok", NO, NO, NO, NONE, NO, NO, NO, NO]);
    let bot_approver = ["ok", "ok", "ok", "ok", BOT, BOT, NONE, NO, "ok", NO, NO];
    check(&service.person("bot2", &["agent", "approver"]), "agent and approver", bot_approver);
    let program_approver = ["ok", "ok", "ok", NO, BOT, BOT, NONE, NO, "ok", NO, NO];
    check(&service.program("cd", &["approver"]), "approving program", program_approver);
    let nobody = [HIDDEN, HIDDEN, NO, NO, HIDDEN, HIDDEN, HIDDEN, HIDDEN, HIDDEN, HIDDEN, HIDDEN];
    check(&service.person("non", &[]), "no group", nobody);
    check(&service.person("oth", &["superuser", "Admin", "root"]), "unknown groups", nobody);
}

#[test]
fn everybody_sees_and_follows_their_own() {
    let service = Service::start();
    for caller in [
        service.requester("ann"),
        service.person("adm", &["admin"]),
        service.person("bot", &["agent"]),
        service.program("ci", &["developer"]),
    ] {
        let path = service.approved(&caller);
        for answer in [caller.get(&path), call(&caller, &path, "start")] {
            let body = answer.expect(200);
            assert_eq!(body["parameters"], json!({ "allocated_storage": 200 }));
            assert!(body["parameters_digest"].is_string());
        }
        assert_eq!(call(&caller, &path, "events").expect(200)["items"].as_array().unwrap().len(), 3);
        assert!(caller.ids("/v1/approvals?status=executing").contains(&Service::id(&path).to_owned()));
    }
}

/// An agent asks, looks, executes, and gives up what is its own; it says nothing on requests of others, and ends none of them.
#[test]
fn an_agent_cancels_and_comments_on_its_own_requests_alone() {
    let service = Service::start();
    let bot = service.person("bot", &["agent"]);
    let path = Service::create(&bot, &Service::medium());
    call(&bot, &path, "comment").expect(200);
    call(&bot, &path, "cancel").expect(200);
    let path = Service::create(&service.requester("ann"), &Service::medium());
    call(&bot, &path, "cancel").expect_problem(404, "not_found");
    call(&bot, &path, "comment").expect_problem(404, "not_found");
}

#[test]
fn a_guest_sees_everything_but_what_would_be_run_and_what_came_of_it() {
    let service = Service::start();
    let (ann, guest) = (service.requester("ann"), service.person("gus", &["guest"]));
    let mut body = Service::medium();
    body["parameters"] = json!({ "password": "SECRET" });
    let path = Service::create(&ann, &body);
    Service::approve(&service.approver("bob"), &path).expect(200);
    let finish = json!({
        "execution_id": Service::started(&ann, &path), "outcome": "succeeded", "result": { "out": "SECRET" },
    });
    let finished = ann.put(&format!("{path}/execution"), &finish).expect(200);
    let seen = guest.get(&path).expect(200);
    let mut expected = finished;
    for hidden in ["parameters", "parameters_digest", "content", "content_digest", "execution_result"] {
        expected.as_object_mut().unwrap().remove(hidden).unwrap();
    }
    assert_eq!(seen, expected);
    let get = json!({ "operation": "get_request", "request_id": Service::id(&path) });
    assert_eq!(guest.post("/approvals", &get).expect(200), expected);
    for list in ["/v1/approvals?status=executed", "/v1/approvals?instance_id=dev-db-01"] {
        assert!(!guest.get(list).expect(200).to_string().contains("SECRET"));
    }
    let events = json!({ "operation": "get_request_events", "request_id": Service::id(&path) });
    for answer in [guest.get(&format!("{path}/events")), guest.post("/approvals", &events)] {
        answer.expect_problem(403, "not_permitted");
    }
}

#[test]
fn groups_add_up() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::high());
    let both = service.person("bob", &["guest", "approver", "developer"]);
    assert!(both.get(&path).expect(200)["parameters"].is_object());
    both.post("/v1/approvals", &Service::medium()).expect(201);
    Service::approve(&both, &path).expect(200);
}

/// Ids, keys and cursors of others lead nowhere, and the answers tell nothing.
#[test]
fn nothing_of_a_stranger_leads_to_them() {
    let service = Service::start();
    let (ann, ben) = (service.requester("ann"), service.requester("ben"));
    let path = Service::create(&ann, &Service::medium());
    let unknown = format!("/v1/approvals/{ID}");
    for route in ROUTES.iter().filter(|route| !["list", "create"].contains(route)) {
        for through in [call, dispatch] {
            let bodies = [&path, &unknown].map(|path| {
                let mut body = through(&ben, path, route).expect_problem(404, "not_found");
                body["instance"] = Value::Null;
                body
            });
            assert_eq!(bodies[0], bodies[1], "{route}");
        }
    }
}
