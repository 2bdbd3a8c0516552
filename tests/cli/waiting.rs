//! Waiting for a decision.

use crate::strangers::Stranger;
use crate::{BINARY, Person};
use countersign_e2e::program::Program;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

fn start() -> (tempfile::TempDir, Program) {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    (directory, program)
}

fn spawn(person: &Person, arguments: &[&str]) -> Child {
    let mut command = Command::new(BINARY);
    command.args(arguments).env_clear().envs(&person.variables);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

const CREATE: [&str; 8] = ["create", "reboot", "production-db-01", "-e", "production", "-m", "why", "--wait"];

fn interrupt(child: &Child) {
    let ended = Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap();
    assert!(ended.success());
}

#[test]
fn a_waiting_requester_sees_the_id_at_once_and_each_approval() {
    let (_directory, program) = start();
    let ann = Person::of(&program, "ann", "developer");
    let mut waiting = spawn(&ann, &[&CREATE[..], &["2m"]].concat());
    let mut stderr = BufReader::new(waiting.stderr.take().unwrap()).lines();
    let first = stderr.next().unwrap().unwrap();
    let id = first[..36].to_owned();
    assert!(first.contains(": pending, 0 of 2 approvals; ") && first.contains("waiting 1m more"), "{first}");
    Person::of(&program, "bob", "approver").run(&["approve", &id, "--yes"]).expect(0, "1 of 2");
    let second = stderr.next().unwrap().unwrap();
    assert!(second.contains("pending, 1 of 2 approvals (bob@example.com)"), "{second}");
    Person::of(&program, "carol", "approver").run(&["approve", &id, "--yes"]).expect(0, "2 of 2");
    assert_eq!(waiting.wait().unwrap().code(), Some(0));
    let mut stdout = String::new();
    waiting.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    assert!(stdout.contains(&id) && stdout.contains("approved, 2 of 2 approvals"), "{stdout}");
}

#[test]
fn an_interrupt_ends_the_waiting_alone_and_says_how_to_go_on() {
    let (_directory, program) = start();
    let ann = Person::of(&program, "ann", "developer");
    for format in ["table", "json"] {
        let mut waiting = spawn(&ann, &[&CREATE[..], &["2m", "-o", format]].concat());
        let mut stderr = BufReader::new(waiting.stderr.take().unwrap()).lines();
        let first = stderr.next().unwrap().unwrap();
        interrupt(&waiting);
        let last = stderr.next().unwrap().unwrap();
        assert_eq!(waiting.wait().unwrap().code(), Some(130), "{last}");
        let id = if format == "json" {
            let first: Value = serde_json::from_str(&first).unwrap();
            assert_eq!(first["waiting"]["approvals_required"], 2, "{first}");
            let last: Value = serde_json::from_str(&last).unwrap();
            assert_eq!(last["error"]["code"], "interrupted", "{last}");
            first["waiting"]["request_id"].as_str().unwrap().to_owned()
        } else {
            assert!(
                last.contains("`countersign wait ") && last.contains("` waits on, `countersign cancel"),
                "{last}"
            );
            first[..36].to_owned()
        };
        ann.run(&["get", &id]).expect(0, "pending");
    }
}

fn request(status: &str) -> Value {
    json!({
        "request_id": "01930000-0000-4000-8000-0000000000aa", "status": status, "operation_type": "reboot",
        "instance_id": "dev-db-01", "environment": "production", "risk_level": "high",
        "requested_by": "ann@example.com", "requested_at": "2026-01-01T00:00:00.000Z", "justification": "why",
        "requester_groups": [], "approvals_required": 1, "slots": [], "digest_required": false, "rules": [],
        "approvals_received": 0, "approved_by": [], "expires_at": "2099-01-01T00:00:00.000Z", "comments": [],
        "decisions": [], "version": 1, "policy_version": "", "audit_head": "",
    })
}

#[test]
fn a_connection_that_is_lost_is_made_again() {
    let turn = AtomicUsize::new(0);
    let stranger = Stranger::serving(move |_| match turn.fetch_add(1, Ordering::SeqCst) {
        0 => (200, request("pending").to_string()),
        1 => (0, String::new()),
        2 => (502, "<html>Bad Gateway</html>".to_owned()),
        _ => (200, request("approved").to_string()),
    });
    let ann = Person::at(&stranger.base(), Some("token".to_owned()));
    let ended = ann.run(&["get", "01930000-0000-4000-8000-0000000000aa", "--wait", "1m"]);
    ended.expect(0, "approved, 0 of 1");
    ended.expect(0, "asking again: ");
    let requests = stranger.requests();
    let asked: Vec<_> = requests.iter().filter(|line| !line.is_empty()).collect();
    assert_eq!(asked.len(), 4, "{asked:?} {ended:?}");
}

/// `wait` ends with the decision, and asks once for it where the service lets calls wait.
#[test]
fn the_command_that_only_waits_ends_as_the_request_does() {
    let (_directory, program) = start();
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let id = ann.create();
    let waiting = spawn(&ann, &["wait", &id, "--poll-interval", "1h"]);
    let rejected = bob.run(&["reject", &id, "-m", "not now", "--yes"]);
    rejected.expect(0, "rejected");
    let ended = waiting.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(ended.stdout), text(ended.stderr));
    assert_eq!(ended.status.code(), Some(3), "{stderr}");
    assert!(stdout.contains("not now") && stderr.contains("is rejected"), "{stdout}{stderr}");

    let pending = ann.create();
    ann.run(&["wait", &pending, "--wait-timeout", "1"]).expect(7, "is still pending; `countersign wait");
    let patient = Person {
        variables: ann
            .variables
            .clone()
            .into_iter()
            .chain([("APPROVAL_TIMEOUT".to_owned(), "1".to_owned())])
            .collect(),
    };
    patient.run(&["wait", &pending]).expect(7, "waiting 0s more");
    ann.run(&["wait", &pending, "--wait-timeout", "soon"]).expect(2, "must be a number");
}

/// A service that does not know `wait` refuses it, as every parameter that it does not know.
#[test]
fn a_service_that_lets_no_call_wait_is_asked_every_now_and_then() {
    let refusal = json!({
        "type": "urn:countersign:problem:validation_failed", "title": "Fields break rules", "status": 422,
        "detail": "1 field", "instance": "urn:uuid:01930000-0000-4000-8000-0000000000aa",
        "code": "validation_failed", "errors": [{ "pointer": "/wait", "message": "is not a field of this operation" }],
    });
    let turn = AtomicUsize::new(0);
    let stranger = Stranger::serving(move |_| match turn.fetch_add(1, Ordering::SeqCst) {
        1 => (422, refusal.to_string()),
        0 | 2 => (200, request("pending").to_string()),
        _ => (200, request("approved").to_string()),
    });
    let ann = Person::at(&stranger.base(), Some("token".to_owned()));
    ann.run(&["wait", "01930000-0000-4000-8000-0000000000aa"]).expect(0, "approved, 0 of 1");
    let requests = stranger.requests();
    assert_eq!(requests.len(), 4);
    let waits: Vec<_> = requests.iter().map(|request| request.contains("?wait=20&since_version=1")).collect();
    assert_eq!(waits, [false, true, false, false], "{requests:?}");
}

/// Only what is approved may be started: anything else is no success.
#[test]
fn what_is_no_status_is_not_taken_for_an_approval() {
    for (status, code) in
        [("aproved", 1), ("Approved", 1), ("", 1), ("rejected", 3), ("expired", 3), ("approved", 0)]
    {
        let stranger = Stranger::answering(200, &request(status).to_string());
        let ann = Person::at(&stranger.base(), Some("token".to_owned()));
        let ended = ann.run(&["get", "01930000-0000-4000-8000-0000000000aa", "--wait", "1m"]);
        assert_eq!(ended.code, code, "{status}: {ended:?}");
    }
}

#[test]
fn one_interrupt_ends_the_waiting_for_all_of_several_ids() {
    let (_directory, program) = start();
    let ann = Person::of(&program, "ann", "developer");
    let ids = [ann.create(), ann.create(), ann.create()];
    for format in ["table", "json"] {
        let arguments = [&["get"], &ids.each_ref().map(String::as_str)[..], &["--wait", "1h", "-o", format]];
        let mut waiting = spawn(&ann, &arguments.concat());
        let mut stderr = BufReader::new(waiting.stderr.take().unwrap()).lines();
        stderr.next().unwrap().unwrap();
        interrupt(&waiting);
        assert_eq!(waiting.wait().unwrap().code(), Some(130));
        let rest: Vec<_> = stderr.map(Result::unwrap).collect();
        assert!(!rest.iter().any(|line| line.contains(&ids[1])), "{rest:?}");
    }
}

#[test]
fn ctrl_c_ends_the_program_once_nothing_is_waited_for() {
    let (_directory, program) = start();
    let ann = Person::of(&program, "ann", "developer");
    let id = ann.create();
    let terminal = ann.at_terminal(&["get", &id, "--wait", "1h"], (80, 10));
    terminal.wait_for("waiting 59m more");
    ann.run(&["cancel", &id]).expect(0, "cancelled");
    terminal.wait_for("-- Enter for more --");
    terminal.press("\u{3}");
    let (code, written) = terminal.end();
    assert_eq!(code, 130, "{written}");
}

#[test]
fn the_line_of_a_waiting_says_how_long_is_left_in_any_window() {
    let (_directory, program) = start();
    let ann = Person::of(&program, "ann", "developer");
    let id = ann.create();
    Person::of(&program, "bartholomew.longname", "approver")
        .run(&["approve", &id, "--yes"])
        .expect(0, "1 of 2");
    for (columns, said) in [
        (200, "bartholomew.longname@example.com); 2d 23h left to decide; waiting 59m more"),
        (80, "pending, 1 of 2 approvals (bartholomew.longname@example.com); waiting 59m more"),
        (70, "pending, 1 of 2 approvals; 2d 23h left to decide; waiting 59m more"),
        (50, "pending, 1 of 2 approvals; waiting 59m more"),
        (17, "waiting 59m more"),
    ] {
        let terminal = ann.at_terminal(&["get", &id, "--wait", "1h"], (columns, 24));
        terminal.wait_for(said);
        terminal.press("\u{3}");
        assert_eq!(terminal.end().0, 130);
    }
}
