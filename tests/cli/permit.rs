//! `countersign permit` and `countersign key`: permits looked at without a service, and keys that are rotated.

use crate::{BINARY, Ended, Person};
use countersign_e2e::program::{Program, run};
use countersign_permit::{Claims, KeySet, KeyStatus, PrivateKey, Purpose, SigningInput, parameters_digest};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

fn claims() -> Claims {
    let text = |text: &str| text.to_owned();
    Claims {
        iss: text("https://approvals.example.com"),
        aud: text("rds"),
        sub: text("01930000-0000-7000-8000-0000000000aa"),
        jti: text("0193aaaa-0000-7000-8000-000000000001"),
        iat: 1_767_225_600,
        exp: 1_767_226_500,
        operation_type: text("reboot"),
        instance_id: text("production-db-01\u{1b}[2J\nverified: yes"),
        environment: text("production"),
        risk_level: text("high"),
        content_digest: text("c"),
        parameters_digest: parameters_digest(&json!({"force": true})),
        target_digest: None,
        policy_version: text("p"),
        requested_by: text("ann@example.com"),
        started_by: text("ann@example.com"),
        audit_head: text("a"),
        approved_by: Some(vec![text("bob@example.com"), text("cy@example.com")]),
    }
}

/// A directory with a permit and the keys that verify it.
fn files() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let key = PrivateKey::from_bytes(&[7; 32]).unwrap();
    let public = key.public(Purpose::Permit, KeyStatus::Current);
    let input = SigningInput::new(public.key_id(), claims());
    let signature = key.sign(input.as_bytes());
    let path = |name: &str| directory.path().join(name);
    fs::write(path("permit"), format!("{}\n", input.with_signature(&signature))).unwrap();
    fs::write(path("jwks.json"), KeySet::new(vec![public]).to_json().to_string()).unwrap();
    let other = PrivateKey::from_bytes(&[8; 32]).unwrap().public(Purpose::Permit, KeyStatus::Current);
    fs::write(path("other.json"), KeySet::new(vec![other]).to_json().to_string()).unwrap();
    fs::write(path("parameters.json"), "{ \"force\": true }\n").unwrap();
    fs::write(path("others.json"), "{\"force\":false}").unwrap();
    directory
}

const NOW: &str = "2026-01-01T00:01:00.000Z";

fn verify(directory: &Path, more: &[&str]) -> Ended {
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let more: Vec<_> =
        more.iter().map(|word| word.strip_prefix('@').map_or_else(|| (*word).to_owned(), path)).collect();
    let (permit, key) = (path("permit"), path("jwks.json"));
    let mut arguments = vec!["permit", "verify", &permit];
    if !more.iter().any(|word| word == "--key") {
        arguments.extend(["--key", &key]);
    }
    if !more.iter().any(|word| word == "--at") {
        arguments.extend(["--at", NOW]);
    }
    arguments.extend(more.iter().map(String::as_str));
    Person::at("http://127.0.0.1:1", None).run(&arguments)
}

#[test]
fn a_good_permit_is_shown_and_what_was_not_compared_is_named() {
    let directory = files();
    let shown = verify(directory.path(), &[]);
    shown.expect(0, "operation_type: reboot\n");
    shown.expect(0, "approved_by: [\"bob@example.com\",\"cy@example.com\"]\n");
    shown.expect(0, "not compared: issuer, audience, parameters\n");
    assert!(
        !shown.stdout.contains('\u{1b}') && !shown.stdout.contains("\nverified: yes"),
        "{}",
        shown.stdout
    );
    let all = [
        "--issuer",
        "https://approvals.example.com",
        "--audience",
        "rds",
        "--parameters",
        "@parameters.json",
    ];
    let shown = verify(directory.path(), &all);
    assert!(shown.code == 0 && !shown.stdout.contains("not compared"), "{shown:?}");
    let shown = verify(directory.path(), &[&all[..], &["--json"]].concat());
    let answer: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(answer["verified"], json!(["signature", "time", "issuer", "audience", "parameters"]));
    assert_eq!(answer["claims"], serde_json::to_value(claims()).unwrap());
    assert!(!shown.stdout.contains('\u{1b}'));
}

#[test]
fn a_permit_that_is_not_good_ends_with_code_3_and_the_reason() {
    let directory = files();
    for (more, reason) in [
        (&["--issuer", "https://evil.example.com"][..], "of another issuer"),
        (&["--audience", "client"], "for another audience"),
        (&["--parameters", "@others.json"], "for other parameters"),
        (&["--at", "2026-01-01T00:15:00.000Z"], "has expired"),
        (&["--at", "2025-12-31T23:00:00.000Z"], "not valid yet"),
        (&["--key", "@other.json"], "a key that is not known; is --key as the service publishes it now?"),
    ] {
        let ended = verify(directory.path(), more);
        ended.expect(3, reason);
        assert_eq!(ended.stdout, "");
    }
    let ended = verify(directory.path(), &["--audience", "client", "--json"]);
    let error: Value = serde_json::from_str(&ended.stderr).unwrap();
    assert_eq!((error["error"]["code"].as_str(), ended.code), (Some("refused"), 3));
    let permit = directory.path().join("permit");
    let changed = fs::read_to_string(&permit).unwrap().replacen("eyJ", "eyK", 1);
    fs::write(&permit, changed).unwrap();
    verify(directory.path(), &[]).expect(3, "not a permit");
}

#[test]
fn what_cannot_be_read_is_no_verdict() {
    let directory = files();
    for more in [&["--key", "@permit"][..], &["--key", "@nothing"], &["--parameters", "@nothing"]] {
        assert_eq!(verify(directory.path(), more).code, 1, "{more:?}");
    }
    assert_eq!(verify(directory.path(), &["--parameters", "@permit"]).code, 2);
    assert_eq!(verify(directory.path(), &["--at", "noon"]).code, 2);
}

#[test]
fn a_permit_is_read_from_stdin() {
    let directory = files();
    let mut command = Command::new(BINARY)
        .args(["permit", "verify", "-", "--at", NOW, "--key"])
        .arg(directory.path().join("jwks.json"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let permit = fs::read(directory.path().join("permit")).unwrap();
    command.stdin.take().unwrap().write_all(&permit).unwrap();
    assert!(command.wait_with_output().unwrap().status.success());
}

fn key(data: &Path, arguments: &[&str]) -> Ended {
    let output = run(BINARY, &[&["key", "--data-dir", data.to_str().unwrap()], arguments].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn ids(listed: &Ended) -> Vec<(String, String)> {
    assert_eq!(listed.code, 0, "{listed:?}");
    let set: Value = serde_json::from_str(&listed.stdout).unwrap();
    KeySet::parse(&set.to_string()).unwrap();
    let text = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
    let keys = set["keys"].as_array().unwrap().iter();
    keys.map(|key| (text(key, "status"), text(key, "kid"))).collect()
}

#[test]
fn keys_are_made_at_the_first_start_and_rotated_when_the_service_is_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    key(&data, &["list"]).expect(4, "holds no signing keys");
    key(&data, &["rotate"]).expect(4, "holds no signing keys");
    assert!(!data.exists(), "looking makes nothing");

    let mut program = Program::start(BINARY, &data);
    let before = ids(&key(&data, &["list", "--json"]));
    key(&data, &["rotate"]).expect(1, "in use");
    assert_eq!(ids(&key(&data, &["list", "--json"])), before);
    program.signal("TERM");
    program.wait();

    let after = ids(&key(&data, &["rotate", "--json"]));
    assert_eq!(after[0], ("current".to_owned(), before[1].1.clone()));
    assert_eq!(after[2], ("past".to_owned(), before[0].1.clone()));
    let listed = key(&data, &["list", "--purpose", "permit"]);
    let expected =
        [&after[1], &after[0], &after[2]].map(|(status, id)| format!("{status:7}  permit    {id}\n"));
    assert_eq!(listed.stdout, expected.concat());
    // A start makes no others.
    let mut program = Program::start(BINARY, &data);
    assert_eq!(ids(&key(&data, &["list", "--json"])), after);
    program.signal("TERM");
    program.wait();
}
