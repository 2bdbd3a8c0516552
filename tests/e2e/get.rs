//! GET /v1/approvals/{id}

use countersign_e2e::service::Service;
use serde_json::json;

#[test]
fn it_shows_what_the_last_command_answered() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    let approved = Service::approve(&service.approver("bob"), &path).expect(200);
    assert_eq!(ann.get(&path).expect(200), approved);
    let mut started = ann.post(&format!("{path}/execution"), &json!({})).expect(200);
    // It is for the caller who has started it, and in that answer alone.
    assert!(started.as_object_mut().unwrap().remove("permit").is_some());
    assert_eq!(service.person("cleo", &["auditor"]).get(&path).expect(200), started);
}

/// A caller who may not see a request must not learn that it exists.
#[test]
fn what_is_hidden_looks_like_what_does_not_exist() {
    let service = Service::start();
    let path = Service::create(&service.requester("ann"), &Service::medium());
    let ben = service.requester("ben");
    let hidden = ben.get(&path).expect_problem(404, "not_found");
    let unknown = "/v1/approvals/01930000-0000-7000-8000-000000000000";
    let unknown = ben.get(unknown).expect_problem(404, "not_found");
    for member in ["type", "title", "status", "detail", "code"] {
        assert_eq!(hidden[member], unknown[member]);
    }
    assert_eq!(hidden.get("current_status"), None);
}

/// A link in a mail may be opened by a scanner: reading changes nothing, however often.
#[test]
fn reading_writes_nothing() {
    let service = Service::start();
    let ann = service.requester("ann");
    let path = Service::create(&ann, &Service::medium());
    // Past its deadline, too: only the sweep writes that down.
    service.host.advance_milliseconds(73 * 60 * 60 * 1000);
    service.untouched(|| {
        for _ in 0..2 {
            for read in
                [path.as_str(), &format!("{path}/events"), "/v1/approvals", "/health", "/openapi.json"]
            {
                ann.get(read).expect(200);
            }
            for command in ["approve", "reject", "cancel", "comments", "target", "execution/claim"] {
                ann.get(&format!("{path}/{command}")).expect_problem(405, "method_not_allowed");
            }
        }
    });
}
