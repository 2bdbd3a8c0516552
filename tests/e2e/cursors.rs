//! Cursors: they open for their list and their caller, tell nothing, and anything else is refused in one
//! way, before anything else about the list.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_e2e::client::{Answer, Client};
use countersign_e2e::service::Service;
use serde_json::{Value, json};

/// A list of each kind, in as many ways as there are to ask for one.
fn lists() -> Vec<(&'static str, Value)> {
    vec![
        ("/v1/approvals", json!({})),
        ("/v1/approvals?status=pending,approved", json!({})),
        ("/v1/approvals?requested_by=ann@example.com", json!({})),
        ("/v1/approvals?status=expired&instance_id=dev-db-01", json!({})),
        ("", json!({ "operation": "get_pending_approvals" })),
        ("", json!({ "operation": "get_pending_approvals", "user_email": "cleo@example.com" })),
        ("", json!({ "operation": "get_user_requests", "user_email": "ann@example.com" })),
        ("", json!({ "operation": "get_user_requests", "user_email": "ben@example.com" })),
        ("", json!({ "operation": "get_instance_requests", "instance_id": "dev-db-01" })),
    ]
}

fn ask(client: &Client, (path, body): &(&str, Value), cursor: Option<&str>) -> Answer {
    if path.is_empty() {
        let mut body = body.clone();
        body["limit"] = json!(1);
        if let Some(cursor) = cursor {
            body["cursor"] = json!(cursor);
        }
        return client.post("/approvals", &body);
    }
    let separator = if path.contains('?') { '&' } else { '?' };
    let encoded = |cursor: &str| cursor.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let cursor = cursor.map(|cursor| format!("&cursor={}", encoded(cursor))).unwrap_or_default();
    client.get(&format!("{path}{separator}limit=1{cursor}"))
}

/// Junk, before a caller learns that they may see nothing, or that there is nothing.
#[test]
fn a_junk_cursor_is_malformed_in_every_list_for_every_caller() {
    let service = Service::start();
    Service::create(&service.requester("ann"), &Service::medium());
    let old = "eyJsaXN0IjoiIiwicGFydGl0aW9uIjoicGVuZGluZyIsInNvcnQiOiIyMDI2In0";
    let junk = ["", " ", "x", "null", "%%%", "é", "\u{0}", "....", old, &"A".repeat(2000), &"_-".repeat(60)];
    for client in [
        service.requester("ann"),
        service.requester("ben"),
        service.approver("bob"),
        service.person("non", &[]),
        service.program("ci", &["developer"]),
    ] {
        for list in lists() {
            for cursor in junk {
                let problem = ask(&client, &list, Some(cursor)).expect_problem(400, "malformed_cursor");
                assert!(!problem.to_string().contains("partition"), "{problem}");
            }
        }
    }
}

/// THREATS 10: of another person or of another list, whatever both may see.
#[test]
fn a_cursor_of_another_person_or_list_is_malformed() {
    let service = Service::start();
    let ann = service.requester("ann");
    for _ in 0..4 {
        Service::create(&ann, &Service::medium());
    }
    let (bob, cleo) = (service.approver("bob"), service.approver("cleo"));
    let mut given = 0;
    for list in lists() {
        let Some(cursor) = ask(&bob, &list, None).expect(200)["next_cursor"].as_str().map(str::to_owned)
        else {
            continue;
        };
        given += 1;
        ask(&bob, &list, Some(&cursor)).expect(200);
        ask(&service.person("BOB", &["approver", "dba"]), &list, Some(&cursor)).expect(200);
        for client in [&cleo, &ann, &service.person("non", &[])] {
            ask(client, &list, Some(&cursor)).expect_problem(400, "malformed_cursor");
        }
        for other in lists().iter().filter(|other| **other != list) {
            // The original endpoint lists the same as the other one, if it is asked for the same.
            let is_same = ask(&bob, other, None).body == ask(&bob, &list, None).body;
            let answer = ask(&bob, other, Some(&cursor));
            assert!(is_same || answer.status == 400, "{list:?} {other:?}: {}", answer.body);
        }
    }
    assert!(given >= 6, "{given}");
}

#[test]
fn every_changed_letter_and_every_cut_is_malformed_and_none_a_fault() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    for _ in 0..3 {
        Service::create(&ann, &Service::medium());
    }
    for list in [lists().remove(0), lists().remove(8)] {
        let answer = ask(&bob, &list, None).expect(200);
        let cursor = answer["next_cursor"].as_str().unwrap();
        for (place, letter) in cursor.char_indices() {
            let other = if letter == 'A' { "B" } else { "A" };
            let mut forged = cursor.to_owned();
            forged.replace_range(place..=place, other);
            for forged in [forged.as_str(), &cursor[..place], &cursor[place + 1..]] {
                ask(&bob, &list, Some(forged)).expect_problem(400, "malformed_cursor");
            }
        }
        ask(&bob, &list, Some(cursor)).expect(200);
    }
}

/// A page ends where the store's order says, be that at a request which policy hides.
#[test]
fn a_cursor_tells_no_id_no_time_and_no_partition() {
    let service = Service::start();
    let (ann, bob) = (service.requester("ann"), service.approver("bob"));
    let paths: Vec<_> = (0..3).map(|_| Service::create(&ann, &Service::medium())).collect();
    let answer = bob.get("/v1/approvals?limit=1").expect(200);
    let cursor = answer["next_cursor"].as_str().unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    for secret in paths.iter().map(|path| Service::id(path)).chain(["pending", "2026", "status", "example"]) {
        assert!(!text.contains(secret) && !cursor.contains(secret), "{secret}");
    }
}
