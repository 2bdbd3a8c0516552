//! A service that means harm: what it answers is shown harmlessly or not at all, decides nothing that was
//! not asked for, and comes to an end.

use crate::strangers::Stranger;
use crate::{Ended, Person};
use countersign_core::text::must_be_escaped;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

const ID: &str = "01930000-0000-4000-8000-0000000000aa";
const OTHER: &str = "01930000-0000-4000-8000-0000000000bb";
const EVIL: &str =
    "x\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\r\nApproved by   boss\u{202e}\u{200b}\u{2028}\u{e0001}";
const TIME: &str = "2026-01-31T09:00:00.000Z";

fn request() -> Value {
    let digest = "d".repeat(64);
    let mut body = json!({
        "request_id": ID, "status": "executing", "operation_type": "reboot", "instance_id": "dev-db-01",
        "parameters": { "force": "yes", "list": ["a"] }, "parameters_digest": digest, "content_digest": digest,
        "content": { "a": "b" }, "environment": "production", "risk_level": "high",
        "requested_by": "ann@example.com", "filed_by": "bot@example.com", "requested_at": TIME,
        "justification": "why", "estimated_cost": 1.0, "estimated_duration": "1 h", "ticket": "CHG-1",
        "rollback_plan": "back", "owner": "olga@example.com", "requester_groups": ["developer"],
        "approvals_required": 2, "slots": [{ "groups": ["dba"], "approvals": 1 }], "digest_required": true,
        "rules": [{ "name": "operations", "demands": ["risk high"] }], "approvals_received": 2,
        "approved_by": ["bob@example.com"], "blocked_by": ["disabled"], "approved_at": TIME,
        "rejected_by": "carol@example.com", "rejected_at": TIME, "rejection_reason": "no",
        "cancelled_at": TIME, "cancelled_by": "dan@example.com", "cancellation_reason": "never mind",
    });
    let more = json!({
        "expires_at": TIME, "execute_by": TIME, "closed_at": TIME,
        "execution_id": "01930000-0000-4000-8000-0000000000ee", "execution_started_at": TIME,
        "execution_started_by": "ann@example.com", "executed_at": TIME, "execution_result": { "rows": "3" },
        "actual_cost": 2.0,
        "comments": [{ "user": "bob@example.com", "timestamp": TIME, "action": "commented", "comment": "hm" }],
        "decisions": [{ "person": "bob@example.com", "decision": "approved", "at": TIME, "groups": ["dba"],
            "digest_presented": true, "counts": false, "reason": "disabled", "policy_version": digest,
            "channel": "local", "comment": "ok", "event_id": ID }],
        "hold": { "by": "bob@example.com", "since": TIME, "until": TIME },
        "withdrawals": [{ "person": "bob@example.com", "at": TIME, "event_id": ID }],
        "version": 1, "policy_version": digest, "audit_head": digest,
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn list() -> Value {
    let request = request();
    let mut summary = json!({});
    for name in [
        "request_id",
        "status",
        "operation_type",
        "instance_id",
        "environment",
        "risk_level",
        "requested_by",
        "requested_at",
        "estimated_cost",
        "approvals_required",
        "approvals_received",
        "approved_by",
        "blocked_by",
        "expires_at",
        "execute_by",
        "execution_started_at",
        "executed_at",
        "closed_at",
        "hold",
    ] {
        summary[name] = request[name].clone();
    }
    json!({ "items": [summary], "next_cursor": "abc", "damaged": 1 })
}

fn events() -> Value {
    json!({ "items": [{
        "format": "1", "stream": "s", "event_id": ID, "request_id": ID, "sequence": 1, "timestamp": TIME,
        "event_type": "APPROVAL_GRANTED", "user": "bob@example.com", "kind": "human", "channel": "local",
        "source_ip": "::1", "instance_id": "dev-db-01", "operation_type": "reboot", "environment": "production",
        "risk_level": "high", "requested_by": "ann@example.com", "status": "pending",
        "details": { "comment_digest": "x" }, "state_digest": "d", "prev_hash": "d", "hash": "d",
    }], "verified": false, "findings": ["the chain is broken"] })
}

fn explanation() -> Value {
    let rule = json!([{ "name": "operations.reboot", "demands": ["risk high"] }]);
    json!({
        "request_id": ID, "status": "pending", "risk_level": "high", "environment": "production",
        "approvals_required": 2, "slots": [{ "groups": ["dba"], "approvals": 1 }], "digest_required": true,
        "policy_version": "a", "rules": rule, "current_policy_version": "b", "current_rules": rule,
        "blocked_by": ["disabled"],
        "approvals": [{ "person": "bob@example.com", "groups": ["dba"], "counts": false, "reason": "late" }],
        "missing": { "slots": [{ "groups": ["dba"], "approvals": 1 }], "from_anybody": 1 },
        "approvers": [["approver"]],
        "actions": [{ "action": "approve", "permitted": false, "code": "self_approval", "reasons": ["own"] }],
        "otherwise": "it expires", "deadline": TIME,
    })
}

fn simulation() -> Value {
    json!({
        "permitted": false,
        "refusals": [{ "code": "not_permitted", "detail": "no", "reasons": ["why", "so"],
            "errors": [{ "pointer": "/ticket", "message": "is required" }] }],
        "satisfiable": true, "status": "pending", "operation_type": "reboot", "instance_id": "dev-db-01",
        "environment": "production", "risk_level": "high", "requested_by": "ann@example.com",
        "requester_groups": ["developer"], "requested_at": TIME, "parameters_digest": "d",
        "approvals_required": 2, "slots": [{ "groups": ["dba"], "approvals": 1 }], "digest_required": true,
        "expires_at": TIME, "execute_by": TIME, "execute_within_seconds": 1, "required_fields": ["ticket"],
        "cost_limit": 5.0, "pending_limit": 50, "approved_limit": 50, "policy_version": "d",
        "rules": [{ "name": "operations", "demands": ["risk high"] }],
    })
}

fn problem(status: u16) -> Value {
    json!({
        "type": "urn:x", "title": "X", "status": status, "detail": "no", "instance": "urn:uuid:0",
        "code": "not_permitted", "current_status": "pending", "reasons": ["why", "so"],
        "errors": [{ "pointer": "/ticket", "message": "is required" }],
    })
}

/// The document with one text after the other made evil; with the place of each.
fn each_text_made_evil(document: &Value) -> Vec<(String, Value)> {
    fn places(value: &Value, place: &str, found: &mut Vec<String>) {
        match value {
            Value::String(_) => found.push(place.to_owned()),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    places(item, &format!("{place}/{index}"), found);
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    places(member, &format!("{place}/{name}"), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    places(document, "", &mut found);
    let evil = |place: String| {
        let mut changed = document.clone();
        *changed.pointer_mut(&place).unwrap() = json!(EVIL);
        (place, changed)
    };
    found.into_iter().map(evil).collect()
}

#[track_caller]
fn check_harmless(case: &str, ended: &Ended) {
    for text in [&ended.stdout, &ended.stderr] {
        let harmful = text.chars().find(|c| *c != '\n' && must_be_escaped(*c));
        assert_eq!(harmful, None, "{case}: {ended:?}");
        assert!(!text.lines().any(|line| line.starts_with("Approved by   boss")), "{case}: {ended:?}");
    }
}

fn person(stranger: &Stranger) -> Person {
    Person::at(&stranger.base(), Some("token".to_owned()))
}

/// A service with this answer to a command; before a trail the request is asked for.
fn answering(arguments: &[&str], evil: &Value) -> Stranger {
    let (evil, is_trail) = (evil.to_string(), arguments[0] == "events");
    Stranger::serving(move |line| match is_trail && !line.contains("/events") {
        true => (200, request().to_string()),
        false => (200, evil.clone()),
    })
}

const CREATE: [&str; 7] = ["reboot", "dev-db-01", "-e", "production", "-m", "why", "--utc"];

#[test]
fn threat_71_no_field_of_any_answer_reaches_the_terminal_raw() {
    let simulate = [&["simulate"][..], &CREATE].concat();
    let create = [&["create"][..], &CREATE].concat();
    let cases: [(&[&str], Value); 8] = [
        (&["get", ID], request()),
        (&create, request()),
        (&["finish", ID, "succeeded"], request()),
        (&["list"], list()),
        (&["events", ID], events()),
        (&simulate, simulation()),
        (&["doctor"], json!({ "status": "ok", "version": "1", "policy_version": "d" })),
        (&["get", ID, "--wait", "1s"], request()),
    ];
    for (arguments, document) in cases {
        for (place, evil) in each_text_made_evil(&document) {
            let case = format!("{arguments:?} {place}");
            check_harmless(&case, &person(&answering(arguments, &evil)).run(arguments));
        }
        for (format, all) in [("json", true), ("yaml", true), ("id", false)] {
            let mut evil = document.clone();
            for (place, _) in each_text_made_evil(&document) {
                if !place.ends_with("request_id") && !place.ends_with("next_cursor") {
                    *evil.pointer_mut(&place).unwrap() = json!(EVIL);
                }
            }
            let ended = person(&answering(arguments, &evil)).run(&[arguments, &["-o", format]].concat());
            check_harmless(&format!("{arguments:?} {format}"), &ended);
            assert!(!all || arguments[0] == "finish" || !ended.stdout.is_empty(), "{arguments:?}: {ended:?}");
            if format == "json" && ["get", "list", "events"].contains(&arguments[0]) {
                assert_eq!(serde_json::from_str::<Value>(&ended.stdout).unwrap(), evil, "the same values");
            }
        }
    }
}

/// Two calls: the request, then what the command is for.
#[test]
fn threat_71_no_field_of_an_explanation_reaches_the_terminal_raw() {
    for (place, evil) in each_text_made_evil(&explanation()) {
        let stranger = Stranger::serving(move |line| match line.contains("/explain") {
            true => (200, evil.to_string()),
            false => (200, request().to_string()),
        });
        for format in ["table", "json"] {
            check_harmless(&place, &person(&stranger).run(&["explain", ID, "-o", format]));
        }
    }
}

#[test]
fn threat_71_no_refusal_reaches_the_terminal_raw() {
    for status in [400, 401, 403, 404, 409, 422, 500] {
        for (place, evil) in each_text_made_evil(&problem(status)) {
            let stranger = Stranger::answering(status, &evil.to_string());
            for arguments in [&["get", ID][..], &["get", ID, "--json"], &["get", ID, OTHER]] {
                let ended = person(&stranger).run(arguments);
                check_harmless(&place, &ended);
                assert_ne!(ended.code, 0, "{status} {place}");
            }
        }
    }
}

#[test]
fn threat_71_only_the_request_that_was_asked_for_is_shown_or_decided() {
    for id in [OTHER, EVIL, "../../health", "01930000-0000-4000-8000-0000000000AA", ""] {
        let mut other = request();
        other["request_id"] = json!(id);
        let mut of_list = list();
        of_list["items"][0]["request_id"] = json!(id);
        of_list["next_cursor"] = Value::Null;
        let mut trail = events();
        trail["items"][0]["request_id"] = json!(id);
        for (arguments, document) in [
            (&["get", ID][..], &other),
            (&["approve", ID, "--yes"], &other),
            (&["reject", ID, "--yes", "-m", "no"], &other),
            (&["cancel", ID, "--json"], &other),
            (&["start", ID], &other),
            (&["finish", ID, "succeeded"], &other),
            (&["explain", ID], &other),
            (&["events", ID], &trail),
            (&["verify", ID], &other),
        ] {
            let (document, is_trail) = (document.to_string(), arguments[0] == "events");
            let stranger = Stranger::serving(move |line| match is_trail && !line.contains("/events") {
                true => (200, request().to_string()),
                false => (200, document.clone()),
            });
            let ended = person(&stranger).run(arguments);
            assert_eq!(ended.code, 1, "{arguments:?} {id:?}: {ended:?}");
            check_harmless(id, &ended);
            assert!(ended.stdout.is_empty(), "{arguments:?} {id:?}: {ended:?}");
            let asked = stranger.requests();
            let is_read = |line: &String| line.starts_with(&format!("GET /v1/approvals/{ID}"));
            assert!(asked.iter().all(is_read), "nothing else is asked for, nothing is changed: {asked:?}");
        }
        if id == OTHER {
            continue;
        }
        let stranger = Stranger::answering(200, &of_list.to_string());
        for arguments in [&["list"][..], &["list", "-o", "id"], &["approve", "0193", "--yes"]] {
            let ended = person(&stranger).run(arguments);
            assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{arguments:?} {id:?}: {ended:?}");
        }
        assert!(stranger.requests().iter().all(|line| line.starts_with("GET /v1/approvals?")));
    }
}

/// The next page of a list that never ends.
fn page(cursor: &str, items: &Value) -> (u16, String) {
    (200, json!({ "items": items, "next_cursor": cursor }).to_string())
}

#[test]
fn threat_71_pages_come_to_an_end() {
    // A circle of two.
    let turn = AtomicUsize::new(0);
    let circle =
        Stranger::serving(move |_| page(["a", "b"][turn.fetch_add(1, Ordering::SeqCst) % 2], &json!([])));
    person(&circle).run(&["list", "--all"]).expect(1, "go round in a circle");
    assert_eq!(circle.requests().len(), 3);
    // More than was asked for.
    let item = list()["items"][0].clone();
    let wide = Stranger::answering(200, &json!({ "items": [item, item], "next_cursor": null }).to_string());
    person(&wide).run(&["list", "--limit", "1"]).expect(1, "more than was asked for");
    // Always another cursor.
    let turn = AtomicUsize::new(0);
    let endless =
        Stranger::serving(move |_| page(&turn.fetch_add(1, Ordering::SeqCst).to_string(), &json!([])));
    person(&endless).run(&["list", "--all"]).expect(1, "does not end within 2000 pages");
    assert_eq!(endless.requests().len(), 2000);
    // Pages that are as large as can be.
    let mut fat = item;
    fat["instance_id"] = json!("x".repeat(3 * 1024 * 1024));
    let turn = AtomicUsize::new(0);
    let heavy =
        Stranger::serving(move |_| page(&turn.fetch_add(1, Ordering::SeqCst).to_string(), &json!([fat])));
    person(&heavy).run(&["list", "--all"]).expect(1, "64 MiB");
    assert!(heavy.requests().len() < 30, "{}", heavy.requests().len());
    // One answer that is larger than any.
    let huge = Stranger::serving(|_| (200, " ".repeat(5 * 1024 * 1024)));
    person(&huge).run(&["get", ID]).expect(1, "longer than 4194304 bytes");
    // A cursor that is more than a cursor.
    for cursor in [EVIL, "a b", "$(reboot)", ""] {
        let odd = Stranger::answering(200, &json!({ "items": [], "next_cursor": cursor }).to_string());
        let ended = person(&odd).run(&["list"]);
        ended.expect(1, "its cursor is none");
        check_harmless(cursor, &ended);
    }
}
