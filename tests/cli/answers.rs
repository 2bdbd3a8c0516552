//! Answers of a service that means harm, or of another version: a decision is about what was shown, and
//! what the answer does not show has not happened.

use crate::strangers::Stranger;
use crate::{BINARY, Person};
use countersign_core::canonical::CanonicalJson;
use countersign_e2e::program::Program;
use serde_json::{Value, json};

/// A pending request, as the real service shows it to an approver.
fn pending() -> Value {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let id = ann.create();
    bob.json(&["get", &id])
}

/// The request with other members.
fn with(request: &Value, changes: &Value) -> Value {
    let mut request = request.clone();
    request.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    request
}

/// The request with other members of its content, and the digest of that.
fn with_content(request: &Value, changes: &Value) -> Value {
    let content = with(&request["content"], changes);
    let digest = CanonicalJson::of(&content).digest().to_string();
    with(request, &json!({ "content": content, "content_digest": digest }))
}

fn decision(verdict: &str) -> Value {
    json!({ "person": "bob@example.com", "decision": verdict, "at": "2026-01-31T09:00:00.000Z",
            "event_id": "01930000-0000-4000-8000-0000000000ee" })
}

/// Runs a command against a service that shows the first and answers changes with the second.
fn answered(shown: &str, after: &Value, arguments: &[&str]) -> (crate::Ended, Vec<String>) {
    let (shown, after) = (shown.to_owned(), after.to_string());
    let stranger = Stranger::serving(move |line| match line.starts_with("GET") {
        true => (200, shown.clone()),
        false => (200, after.clone()),
    });
    let person = Person::at(&stranger.base(), Some("token".to_owned()));
    let ended = person.run(arguments);
    let changes = stranger.requests().into_iter().filter(|line| !line.starts_with("GET")).collect();
    (ended, changes)
}

#[test]
fn threat_71_nothing_is_approved_that_is_shown_other_than_its_content() {
    let request = pending();
    let id = request["request_id"].as_str().unwrap();
    let approved = with(&request, &json!({ "decisions": [decision("approved")] }));
    let slots = json!([{ "groups": ["dba"], "approvals": 1 }]);
    let is_approved = |shown: &Value| {
        let (ended, changes) = answered(&shown.to_string(), &approved, &["approve", id, "--yes"]);
        match changes.len() {
            0 => {
                ended.expect(1, "decide nothing");
                false
            }
            _ => {
                ended.expect(0, "pending");
                true
            }
        }
    };
    assert!(is_approved(&request));
    for stricter in
        [json!({ "approvals_required": 3 }), json!({ "slots": slots }), json!({ "digest_required": true })]
    {
        assert!(is_approved(&with(&request, &stricter)), "policy may demand more by now: {stricter}");
    }
    for lie in [
        json!({ "environment": "non-production" }),
        json!({ "environment": "Production" }),
        json!({ "risk_level": "low" }),
        json!({ "risk_level": "highest" }),
        json!({ "approvals_required": 1 }),
        json!({ "requester_groups": ["developer", "ceo"] }),
        json!({ "requested_at": "2020-01-31T09:00:00.000Z" }),
        json!({ "expires_at": "2099-01-31T09:00:00.000Z" }),
        json!({ "rules": [] }),
        json!({ "policy_version": "f".repeat(64) }),
        json!({ "parameters": { "all": true } }),
    ] {
        assert!(!is_approved(&with(&request, &lie)), "{lie}");
    }
    for unseen in [
        json!({ "and_also": "DROP TABLE" }),
        json!({ "format": "countersign.content.v2" }),
        json!({ "format": null }),
        json!({ "slots": slots }),
        json!({ "digest_required": true }),
        json!({ "environment": 1 }),
        json!({ "approvals_required": "2" }),
    ] {
        assert!(!is_approved(&with_content(&request, &unseen)), "{unseen}");
    }
}

#[test]
fn threat_71_an_answer_that_can_be_read_in_two_ways_is_none() {
    let request = pending();
    let id = request["request_id"].as_str().unwrap();
    let numbers = json!({ "n": 9_007_199_254_740_992_u64 });
    let digest = CanonicalJson::of(&numbers).digest().to_string();
    let changes = json!({ "parameters": numbers, "parameters_digest": digest });
    let text = with_content(&with(&request, &changes), &json!({ "parameters_digest": digest })).to_string();
    let doubled = request.to_string().replacen(r#""parameters":{"#, r#""parameters":{"x":1,"x":2,"#, 1);
    assert_ne!(doubled, request.to_string());
    for text in [text.replace("9007199254740992", "9007199254740993"), doubled] {
        for arguments in [&["approve", id, "--yes"][..], &["get", id]] {
            let (ended, changes) = answered(&text, &request, arguments);
            ended.expect(1, "does not answer as Countersign does");
            assert_eq!(changes, [""; 0]);
        }
    }
}

#[test]
fn threat_71_a_change_that_the_answer_does_not_show_is_not_taken_for_made() {
    let request = pending();
    let id = request["request_id"].as_str().unwrap();
    let changed = |changes: Value| with(&request, &changes);
    let executing = json!({ "status": "executing", "execution_id": "01930000-0000-4000-8000-0000000000ee" });
    let cases = [
        (&["approve", id, "--yes"][..], changed(json!({ "decisions": [decision("approved")] }))),
        (
            &["reject", id, "--yes", "-m", "no"],
            changed(json!({ "status": "rejected", "decisions": [decision("rejected")] })),
        ),
        (&["cancel", id], changed(json!({ "status": "cancelled" }))),
        (&["start", id], changed(executing)),
        (
            &["comment", id, "hm"],
            changed(
                json!({ "comments": [{ "user": "bob@example.com", "timestamp": "2026-01-31T09:00:00.000Z",
                                           "action": "commented", "comment": "hm" }] }),
            ),
        ),
        (
            &["withdraw", id],
            changed(json!({ "withdrawals": [{ "person": "bob@example.com", "at": "2026-01-31T09:00:00.000Z",
                                              "event_id": "01930000-0000-4000-8000-0000000000ee" }] })),
        ),
    ];
    for (arguments, made) in &cases {
        let (ended, changes) = answered(&request.to_string(), made, arguments);
        assert_eq!((ended.code, changes.len()), (0, 1), "{arguments:?}: {ended:?}");
        let others = cases.iter().filter(|(others, _)| others != arguments).map(|(_, made)| made.clone());
        let odd = ["approved", "expired", "foo\u{1b}[2J"].map(|status| changed(json!({ "status": status })));
        for after in others.chain(odd).chain([request.clone()]) {
            let (ended, _) = answered(&request.to_string(), &after, arguments);
            ended.expect(1, "nothing may have been done");
            assert!(!ended.stderr.contains('\u{1b}'), "{ended:?}");
        }
    }
    let lie = with(&cases[3].1, &json!({ "parameters": { "rm": "-rf" } }));
    let (ended, _) = answered(&request.to_string(), &lie, &["start", id]);
    ended.expect(1, "other than what it names by the digest");
}
