//! What each command prints, and every exit code.

use crate::{BINARY, Person};
use countersign_e2e::program::Program;
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

/// Characters that would move the cursor, hide or reorder text.
const HOSTILE: &str =
    "urgent\u{1b}[2J\u{1b}]0;owned\u{7}\nApproved by   boss@example.com\r\u{202e}txt\u{200b}\u{2028}end";

fn start() -> (tempfile::TempDir, Program) {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    (directory, program)
}

#[test]
fn a_request_goes_through_its_whole_life_by_commands_alone() {
    let (_directory, program) = start();
    let (ann, bob, carol) = (
        Person::of(&program, "ann", "developer"),
        Person::of(&program, "bob", "approver"),
        Person::of(&program, "carol", "approver"),
    );
    let id = ann.create();
    bob.run(&["list"]).expect(0, &id[..8]);
    bob.run(&["get", &id]).expect(0, "\"target_instance_class\": \"db.r6g.xlarge\"");
    bob.run(&["comment", &id, "looks right"]).expect(0, "  | looks right");
    bob.run(&["approve", &id[..8], "--yes"]).expect(0, "pending: 1 of 2 approvals");
    carol.run(&["approve", &id, "--yes", "-m", "fine"]).expect(0, "approved: 2 of 2 approvals");
    let started = ann.json(&["start", &id]);
    let execution_id = started["execution_id"].as_str().unwrap();
    ann.run(&[
        "finish",
        &id,
        "succeeded",
        "--execution-id",
        execution_id,
        "--result",
        r#"{"rows":3}"#,
        "--actual-cost",
        "12.5",
    ])
    .expect(0, "executed, 2 of 2 approvals");
    let events = ann.json(&["events", &id]);
    let types: Vec<_> =
        events["items"].as_array().unwrap().iter().map(|event| &event["event_type"]).collect();
    assert_eq!(types.len(), 6, "{types:?}");
    ann.run(&["list", "--status", "executed", "--requested-by", "ann@example.com"]).expect(0, "1 request");
    ann.run(&["whoami"]).expect(0, "ann@example.com at http://127.0.0.1");
}

#[test]
fn every_exit_code_means_one_thing() {
    let (directory, mut program) = start();
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let id = ann.create();
    ann.run(&["get", &id]).expect(0, "pending");
    // 2: the command line does not say what to do.
    ann.run(&["get"]).expect(2, "ID");
    ann.run(&["get", "../../etc/passwd"]).expect(2, "neither an id nor the beginning of one");
    ann.run(&["create", "x", "y", "-e", "production", "-m", "why", "-p", r#"{"a":1,"a":2}"#])
        .expect(2, "twice");
    ann.run(&["create", "x", "y", "-e", "production", "-m", "why", "-p", "{bad"])
        .expect(2, "--parameters: not valid JSON (line 1, ");
    ann.run(&["config", "use", "nope"]).expect(2, "countersign: there is no profile `nope` in /nonexistent/");
    ann.run(&["list", "--status", "open"]).expect(2, "possible values: pending, approved");
    bob.run(&["approve", &id]).expect(2, "no person to ask here: add --yes\n");
    bob.run(&["reject", &id]).expect(2, "no person to ask here: add --reason and --yes\n");
    bob.run(&["reject", &id, "-m", "no"]).expect(2, "no person to ask here: add --yes\n");
    bob.run(&["approve", &id, "--json"]).expect(2, "add --yes");
    // 3: a rule says no.
    ann.run(&["approve", &id, "--yes"]).expect(3, "another approver has to (self_approval)");
    ann.run(&["create", "x y", "z", "-e", "production", "-m", "why"])
        .expect(3, "operation_type: must be 1 to 128");
    Person::at(program.base(), None).run(&["list"]).expect(3, "set COUNTERSIGN_TOKEN");
    Person::at(program.base(), None).run(&["whoami"]).expect(3, "nobody");
    // 4: it is not there.
    bob.run(&["get", "01930000-0000-4000-8000-0000000000aa"]).expect(4, "(not_found)");
    bob.run(&["get", "ffff0000"]).expect(4, "no request that you can see begins with ffff0000");
    // 5: another caller was faster, or it is over.
    bob.run(&["approve", &id, "--yes"]).expect(0, "1 of 2");
    bob.run(&["approve", &id, "--yes"]).expect(5, "(already_decided)");
    ann.run(&["start", &id]).expect(5, "not approved");
    // 7: time is up.
    ann.run(&["get", &id, "--wait", "1s"]).expect(7, "is still pending");
    bob.run(&["reject", &id, "--reason", "no", "--yes"]).expect(5, "(already_decided)");
    let id = ann.create();
    bob.run(&["reject", &id, "--reason", "not today", "--yes"]).expect(0, "rejected: 0 of 2 approvals");
    // What was waited for was refused.
    ann.run(&["get", &id, "--wait", "1s"]).expect(3, "is rejected");
    // 1: it failed.
    program.signal("TERM");
    program.wait();
    ann.run(&["list"]).expect(1, "cannot be reached");
    drop(directory);
}

#[test]
fn what_others_write_moves_no_cursor_and_imitates_no_line() {
    let (_directory, program) = start();
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let parameters = json!({ "note": HOSTILE, HOSTILE: [HOSTILE] }).to_string();
    let request = ann.json(&[
        "create",
        "reboot",
        "production-db-01",
        "-e",
        "production",
        "-m",
        HOSTILE,
        "-p",
        &parameters,
        "--estimated-duration",
        HOSTILE,
    ]);
    let id = request["request_id"].as_str().unwrap();
    ann.run(&["comment", id, HOSTILE]).expect(0, "urgent");
    for arguments in
        [&["get", id][..], &["list"], &["events", id], &["approve", id, "--yes"], &["get", id, "--utc"]]
    {
        let ended = bob.run(arguments);
        assert_eq!(ended.code, 0, "{ended:?}");
        for c in ended.stdout.chars().filter(|c| *c != '\n') {
            let is_safe = !c.is_control()
                && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            assert!(is_safe, "{arguments:?}: {c:?} in {}", ended.stdout);
        }
        for line in ended.stdout.lines() {
            // A list has a line for each request, however long its names are.
            let fits = arguments == ["list"] || line.chars().count() <= 80;
            assert!(fits, "{arguments:?}: {} columns: {line}", line.chars().count());
            assert!(!line.starts_with("Approved by   boss"), "{arguments:?}: {}", ended.stdout);
        }
    }
}

#[test]
fn parameters_come_from_a_file_or_from_stdin_and_keys_make_one_request() {
    let (directory, program) = start();
    let ann = Person::of(&program, "ann", "developer");
    let file = directory.path().join("parameters.json");
    std::fs::write(&file, r#"{"from":"a file"}"#).unwrap();
    let argument = format!("@{}", file.to_str().unwrap());
    let create = [
        "create",
        "reboot",
        "production-db-01",
        "-e",
        "production",
        "-m",
        "why",
        "-p",
        &argument,
        "--idempotency-key",
        "once",
    ];
    let first = ann.json(&create);
    assert_eq!(first["parameters"], json!({ "from": "a file" }));
    assert_eq!(ann.json(&create)["request_id"], first["request_id"], "the same key, the same request");
    ann.run(&["create", "reboot", "x", "-e", "production", "-m", "why", "-p", "@/nonexistent.json"])
        .expect(2, "--parameters");
    ann.run(&["create", "reboot", "x", "-e", "production", "-m", "why", "-p", "-"]).expect(2, "--parameters");
}

#[test]
fn all_pages_of_a_list_are_one_list() {
    let (_directory, program) = start();
    let bob = Person::of(&program, "bob", "approver");
    for name in ["ann", "dora", "eve"] {
        let person = program.person(name, "developer");
        for _ in 0..45 {
            person.post("/v1/approvals", &countersign_e2e::service::Service::high()).expect(201);
        }
    }
    let all = bob.json(&["list", "--all"]);
    assert_eq!(
        (all["items"].as_array().unwrap().len(), &all["next_cursor"]),
        (135, &serde_json::Value::Null)
    );
    let page = bob.run(&["list", "--limit", "5"]);
    page.expect(0, "5 requests shown; more with --all, or --cursor ");
    let cursor = page.stdout.trim().rsplit(' ').next().unwrap();
    bob.run(&["list", "--limit", "5", "--cursor", cursor]).expect(0, "5 requests");
    // One that begins as an option does is read as a cursor, and here is none of ours.
    let unknown = bob.run(&["list", "--limit", "5", "--cursor", "-mBx"]);
    assert!(unknown.stderr.contains("cursor"), "{unknown:?}");
    assert!(!unknown.stderr.contains("unexpected argument"), "{unknown:?}");
    let shown = bob.run(&["list", "--all"]).stdout;
    let whole: std::collections::BTreeSet<_> =
        shown.lines().filter_map(|line| line.split(' ').next()).filter(|id| id.len() == 36).collect();
    assert_eq!(whole.len(), 135, "a line for each, with all of its id");
    assert_eq!(shown.lines().count(), 137, "a header before, the number after");
    assert!(shown.starts_with("ID  ") && shown.ends_with("135 requests shown\n"), "{shown}");
}

#[test]
fn a_token_is_read_from_a_file_and_never_from_the_arguments() {
    let (directory, program) = start();
    let file = directory.path().join("token");
    std::fs::write(&file, format!("{}\n", program.token("ann", "developer"))).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let nobody = Person::at(program.base(), None);
    nobody.run(&["whoami", "--token-file", file.to_str().unwrap()]).expect(0, "ann@example.com");
    nobody.run(&["whoami", "--token-file", "/nonexistent"]).expect(1, "--token-file /nonexistent");
    nobody.run(&["whoami", "--token", "abc"]).expect(2, "unexpected argument '--token'");
}

/// As `| head` does.
#[test]
fn a_reader_who_has_read_enough_gets_no_error() {
    for arguments in [&["policy", "check", "--json"][..], &["completions", "bash"], &["config", "path"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = Command::new(BINARY)
            .args(arguments)
            .env_clear()
            .env("HOME", "/nonexistent")
            .stdout(writer)
            .output()
            .unwrap();
        assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(141), &b""[..]), "{arguments:?}");
    }
}

#[test]
fn a_list_is_filtered_by_several_values_and_shows_when_requests_closed() {
    let (_directory, program) = start();
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let (rejected, pending) = (ann.create(), ann.create());
    bob.run(&["reject", &rejected, "--yes", "-m", "no"]).expect(0, "rejected");
    let list = |arguments: &[&str]| {
        let all = [&["list"], arguments].concat();
        let listed = bob.json(&all);
        let ids = listed["items"].as_array().unwrap().iter();
        ids.map(|item| item["request_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list(&["--status", "pending,rejected"]), [pending.as_str(), &rejected]);
    assert_eq!(list(&["--status", "rejected", "--status", "pending"]), [pending.as_str(), &rejected]);
    assert_eq!(list(&["--risk", "high", "--environment", "production"]), [pending.as_str()]);
    assert_eq!(list(&["--risk", "low,medium"]), [""; 0]);
    assert_eq!(list(&["--environment", "non-production"]), [""; 0]);
    assert_eq!(list(&["--operation", "reboot,modify_instance_class"]), [pending.as_str()]);
    assert_eq!(list(&["--operation", "reboot"]), [""; 0]);
    let today = bob.json(&["get", &rejected])["rejected_at"].as_str().unwrap()[..10].to_owned();
    assert_eq!(list(&["--status", "rejected", "--from", &today, "--to", &today]), [rejected.as_str()]);
    bob.run(&["list", "--status", "rejected"]).expect(0, "  closed ");
    let closed = &bob.json(&["list", "--status", "rejected"])["items"][0]["closed_at"];
    assert_eq!(closed, &bob.json(&["get", &rejected])["rejected_at"]);
    bob.run(&["list", "--risk", "extreme"]).expect(2, "possible values: low, medium, high");
    bob.run(&["list", "--operation", "modify_*"]).expect(3, "operation_type: must be");
    bob.run(&["list", "--to", "2026-02-30"]).expect(3, "to: must be a day");
    bob.run(&["list", "--cursor", "x"]).expect(2, "malformed_cursor");
}

/// What Bash makes of the script: it breaks words at `=` and `:`.
#[test]
fn bash_completes_words_with_colons_and_equals_signs() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let policy = path("policy");
    let files = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../policy");
    std::fs::create_dir(&policy).unwrap();
    for name in ["operations.toml", "people.toml", "access.cedar"] {
        std::fs::copy(files.join(name), policy.join(name)).unwrap();
    }
    let operations = std::fs::read_to_string(policy.join("operations.toml")).unwrap();
    let more = "\n[operations.\"kms:RotateKey\"]\nproduction = \"high\"\nnon_production = \"medium\"\n";
    std::fs::write(policy.join("operations.toml"), operations + more).unwrap();
    std::os::unix::fs::symlink(BINARY, path("countersign")).unwrap();
    let script = r#"
        source <(countersign completions bash)
        try() {
            COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9
            shift
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            _countersign countersign "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" 2> /dev/null
            echo "${COMPREPLY[*]}"
        }
        try "countersign create kms" countersign create kms
        try "countersign create kms:" countersign create kms :
        try "countersign create kms:R" countersign create kms : R
        try "countersign list --environment=pro" countersign list --environment = pro
        try "countersign list --status=pen" countersign list --status = pen
        try "countersign list --status pending,ap" countersign list --status pending,ap
        try "countersign create reboot x -m 'a: b' --env" countersign create reboot x -m "'a: b'" --env
        try "countersign cre" countersign cre
    "#;
    let output = std::process::Command::new("bash")
        .args(["--norc", "-c", script])
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", directory.path().display()))
        .env("POLICY_DIR", &policy)
        .env("COUNTERSIGN_URL", "http://127.0.0.1:1")
        .output()
        .unwrap();
    let completed = String::from_utf8(output.stdout).unwrap();
    let completed: Vec<_> = completed.lines().map(str::trim_end).collect();
    assert_eq!(
        completed,
        [
            "kms:RotateKey",
            "RotateKey",
            "RotateKey",
            "production",
            "pending",
            "pending,approved",
            "--environment",
            "create"
        ],
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
