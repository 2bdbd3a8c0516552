//! Deciding several requests, naming them by their beginnings, and a service that lies.

use crate::strangers::Stranger;
use crate::{BINARY, Person};
use countersign_e2e::program::Program;
use serde_json::{Value, json};
use std::process::Command;

#[test]
fn several_requests_are_decided_and_one_that_fails_holds_up_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let ids = [ann.create(), ann.create(), ann.create()];
    bob.run(&["approve", &ids[1], "--yes"]).expect(0, "1 of 2");
    let ended = bob.run(&["approve", &ids[0], &ids[1], "ffffffff", &ids[2], "--yes"]);
    assert_eq!(ended.code, 4, "the last failure: {ended:?}");
    assert!(ended.stderr.contains("already_decided"), "and the first is told: {ended:?}");
    for id in &ids {
        assert_eq!(bob.json(&["get", id])["approvals_received"], 1, "{id}");
    }
}

#[test]
fn a_decision_names_what_was_shown() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let id = ann.create();
    let guest = Person::of(&program, "gil", "guest");
    guest.run(&["approve", &id, "--yes"]).expect(3, "you are not shown the parameters");
    let request = bob.json(&["get", &id]);
    let approved = bob.run(&["approve", &id, "--yes"]);
    let digest = request["parameters_digest"].as_str().unwrap();
    assert!(approved.stdout.contains(digest), "{approved:?}");
}

/// As `| head -1` does: nothing is decided that was not shown whole.
#[test]
fn what_is_not_read_is_left_undecided() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let id = ann.create();
    for arguments in [&["approve", &id, "--yes"][..], &["reject", &id, "-m", "no", "--yes"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(BINARY);
        let ended = command.args(arguments).env_clear().envs(&bob.variables).stdout(writer).output().unwrap();
        assert_eq!(ended.status.code(), Some(141), "{ended:?}");
        assert_eq!(String::from_utf8(ended.stderr).unwrap(), format!("{id} is left undecided\n"));
    }
    assert_eq!(bob.json(&["get", &id])["decisions"], json!([]));
}

/// What a service would answer that shows harmless parameters and stores others.
fn lie() -> Value {
    json!({
        "request_id": "01930000-0000-4000-8000-0000000000aa", "status": "pending", "operation_type": "reboot",
        "instance_id": "dev-db-01", "parameters": { "force": false },
        "parameters_digest": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "environment": "non-production", "risk_level": "low", "requested_by": "ann@example.com",
        "requested_at": "2026-01-01T00:00:00.000Z", "justification": "why", "requester_groups": ["developer"],
        "approvals_required": 1, "slots": [], "digest_required": false, "rules": [], "approvals_received": 0,
        "approved_by": [], "expires_at": "2099-01-01T00:00:00.000Z", "comments": [],
        "decisions": [], "version": 1, "policy_version": "", "audit_head": "",
    })
}

#[test]
fn a_service_that_shows_one_thing_and_names_another_gets_no_approval() {
    let stranger = Stranger::answering(200, &lie().to_string());
    let bob = Person::at(&stranger.base(), Some("token".to_owned()));
    bob.run(&["approve", "01930000-0000-4000-8000-0000000000aa", "--yes"]).expect(1, "decide nothing");
    let asked = stranger.requests();
    assert!(asked.iter().all(|line| line.starts_with("GET ")), "{asked:?}");
}
