//! What programs read: JSON on every path, in every form that can be asked for.

use crate::strangers::Stranger;
use crate::{BINARY, Ended, Person};
use countersign_e2e::program::Program;
use serde_json::{Value, json};

fn start() -> (tempfile::TempDir, Program) {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, directory.path());
    (directory, program)
}

/// The error of a command that failed: all of stderr, and nothing on stdout.
#[track_caller]
fn error(ended: &Ended) -> Value {
    assert_eq!(ended.stdout, "", "{ended:?}");
    let document: Value =
        serde_json::from_str(&ended.stderr).map_err(|_| format!("no JSON: {ended:?}")).unwrap();
    assert_eq!(document["error"]["exit_code"], ended.code, "{ended:?}");
    assert_ne!(ended.code, 0);
    document["error"].clone()
}

#[test]
fn every_error_is_one_json_object_on_stderr() {
    let (_directory, program) = start();
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let id = ann.create();
    let nobody = Person::at(program.base(), None);
    let away = Person::at("http://127.0.0.1:1", Some("token".to_owned()));
    let clear = Person::at("http://example.com", Some("token".to_owned()));
    for (person, arguments, code) in [
        (&ann, &["nonsense", "--json"][..], "usage"),
        (&ann, &["get", "--json"], "usage"),
        (&ann, &["list", "--status", "open", "-o", "json"], "usage"),
        (&ann, &["list", "--json", "-o", "yaml"], "usage"),
        (&ann, &["get", "x\u{1b}[2J", "--json"], "usage"),
        (&ann, &["list", "--nonsense\u{1b}[2J", "--json"], "usage"),
        (&ann, &["create", "x", "y", "-e", "production", "-m", "why", "-p", "{", "--json"], "usage"),
        (&ann, &["list", "--profile", "nope", "--json"], "usage"),
        (&clear, &["list", "--json"], "usage"),
        (&bob, &["approve", &id, "--json"], "usage"),
        (&bob, &["reject", &id, "-m", "no", "-o", "id"], ""),
        (&ann, &["approve", &id, "--yes", "--json"], "self_approval"),
        (&ann, &["create", "x y", "z", "-e", "production", "-m", "why", "-o=json"], "validation_failed"),
        (&nobody, &["list", "--json"], "unauthenticated"),
        (&nobody, &["whoami", "--json"], "refused"),
        (&bob, &["get", "01930000-0000-4000-8000-0000000000aa", "--json"], "not_found"),
        (&bob, &["get", "ffff0000", "--json"], "not_found"),
        (&ann, &["start", &id, "--json"], "not_approved"),
        (&ann, &["finish", &id, "succeeded", "--json"], "conflict"),
        (&ann, &["policy", "test", "/nonexistent", "--json"], ""),
        (&away, &["list", "--json"], "failed"),
        (&away, &["verify", &id, "--json"], ""),
        (&away, &["inbox", "--json"], "failed"),
        (&away, &["simulate", "x", "y", "-e", "production", "-m", "why", "--json"], "failed"),
    ] {
        let ended = person.run(arguments);
        if code.is_empty() {
            assert_ne!(ended.code, 0, "{arguments:?}");
            continue;
        }
        assert_eq!(error(&ended)["code"], code, "{arguments:?}: {ended:?}");
        assert!(!ended.stderr.contains('\u{1b}'), "{ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    }
    let refused = error(&ann.run(&["approve", &id, "--yes", "--json"]));
    assert_eq!(refused["problem"]["status"], 403, "the refusal itself is there too: {refused}");
}

#[test]
fn a_raw_argument_is_not_printed_raw_to_a_person_either() {
    let ann = Person::at("http://127.0.0.1:1", None);
    for arguments in [&["list", "--nonsense\u{1b}[2J"][..], &["x\u{9b}2J"], &["get", "x\u{202e}"]] {
        let ended = ann.run(arguments);
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(!ended.stderr.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{ended:?}");
    }
}

#[test]
fn several_requests_are_one_document_with_a_member_for_each() {
    let (_directory, program) = start();
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let ids = [ann.create(), ann.create()];
    bob.run(&["approve", &ids[0], "--yes", "--json"]).expect(0, "\"approvals_received\": 1");
    let ended = bob.run(&["approve", &ids[0], &ids[1], "ffffffff", "--yes", "--json"]);
    assert_eq!(ended.code, 4, "{ended:?}");
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    let items = document["items"].as_array().unwrap();
    assert_eq!(items[0], json!({ "id": ids[0], "error": items[0]["error"] }));
    assert_eq!(items[0]["error"]["code"], "already_decided");
    assert_eq!(items[1]["request"]["request_id"], json!(ids[1]));
    assert_eq!(items[2]["error"]["code"], "not_found");
    let told: Value = serde_json::from_str(&ended.stderr).unwrap();
    assert_eq!(told["error"]["message"], "2 of 3 failed");
    // For people each error comes where its request would, and names it.
    let ended = bob.run(&["get", &ids[0], "ffffffff", &ids[1]]);
    assert_eq!(ended.code, 4);
    ended.expect(4, "countersign: ffffffff: no request that you can see");
    assert!(ended.stdout.contains(&ids[0]) && ended.stdout.contains(&ids[1]), "{ended:?}");
}

#[test]
fn an_answer_comes_in_the_form_that_is_asked_for() {
    let (_directory, program) = start();
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let id = ann.create();
    let json = ann.json(&["get", &id]);
    let yaml = ann.run(&["get", &id, "-o", "yaml"]);
    assert_eq!(serde_yaml_ng::from_str::<Value>(&yaml.stdout).unwrap(), json);
    assert!(yaml.stdout.starts_with("request_id: "), "{yaml:?}");
    assert_eq!(ann.run(&["get", &id, "-o", "id"]).stdout, format!("{id}\n"));
    assert_eq!(ann.run(&["ls", "-o", "id"]).stdout, format!("{id}\n"));
    assert_eq!(ann.run(&["list", "--status", "failed", "-o", "id", "--from", "2026-01-01"]).code, 0);
    assert_eq!(bob.run(&["approve", &id, "--yes", "-o", "id"]).stdout, format!("{id}\n"));
    ann.run(&["show", &id, "-o", "table"]).expect(0, "modify_instance_class on production-db-01");
    ann.run(&["whoami", "-o", "id"]).expect(2, "names no request");
    let mut elsewhere = Person::of(&program, "ann", "developer");
    elsewhere.variables.insert("TZ".to_owned(), "Etc/GMT-5".to_owned());
    elsewhere.run(&["get", &id, "--local"]).expect(0, " +05:00 ");
    ann.run(&["get", &id, "--local", "--utc"]).expect(2, "cannot be used with");
}

#[test]
fn closed_requests_have_short_names_too_and_the_running_execution_needs_none() {
    let (_directory, program) = start();
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let (rejected, executed) = (ann.create(), ann.create());
    bob.run(&["reject", &rejected, "-m", "no", "--yes"]).expect(0, "rejected");
    bob.run(&["get", &rejected[..13]]).expect(0, &rejected);
    let carol = Person::of(&program, "carol", "approver");
    for person in [&bob, &carol] {
        person.run(&["approve", &executed, "--yes"]).expect(0, "of 2");
    }
    ann.run(&["finish", &executed, "succeeded"]).expect(5, "no execution of");
    ann.run(&["start", &executed]).expect(0, "executing");
    ann.run(&["finish", &executed[..13], "succeeded"]).expect(0, "executed");
    bob.run(&["events", &executed[..13]]).expect(0, "EXECUTION_SUCCEEDED");
}

#[test]
fn an_operation_that_is_not_listed_is_named_and_the_catalogue_says_which_are() {
    let (directory, program) = start();
    let ann = Person::of(&program, "ann", "developer");
    let slip = ["modfy_storage", "dev-db-01", "-e", "non-production", "-m", "why"];
    ann.run(&[&["simulate"][..], &slip].concat()).expect(0, "did you mean `modify_storage`?");
    let created = ann.run(&[&["create"][..], &slip, &["--json"]].concat());
    assert_eq!((created.code, created.stderr.as_str()), (0, ""), "{created:?}");
    let operations = ann.run(&["operations"]);
    operations.expect(0, "has this policy");
    let is_it = |line: &&str| line.starts_with("modify_instance_class") && line.contains("non-production");
    let line = operations.stdout.lines().find(is_it).unwrap();
    assert_eq!(
        line.split_whitespace().collect::<Vec<_>>(),
        ["modify_instance_class", "non-production", "medium", "1"]
    );
    let policy = directory.path().join("policy");
    std::fs::create_dir(&policy).unwrap();
    for file in ["operations.toml", "people.toml", "access.cedar"] {
        let text =
            std::fs::read_to_string(format!("{}/../policy/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        std::fs::write(policy.join(file), format!("{text}\n")).unwrap();
    }
    let other = policy.to_str().unwrap();
    ann.run(&["operations", "--policy-dir", other]).expect(0, "has another policy");
    let document = ann.json(&["operations", "--policy-dir", other]);
    assert_ne!(document["policy_version"], document["service_policy_version"]);
    Person::at("http://127.0.0.1:1", None).run(&["operations"]).expect(0, "does not say which policy");
}

#[test]
fn a_token_that_is_not_accepted_is_looked_at() {
    let (directory, program) = start();
    let expired = "e30.eyJleHAiOjE3MDAwMDAwMDB9.x";
    for (token, said) in [
        (None, "no token was sent"),
        (Some("nonsense"), "cannot be read"),
        (Some(expired), "has expired"),
        (Some("e30.eyJleHAiOjQwMDAwMDAwMDB9.x"), "signed with another key"),
    ] {
        let person = Person::at(program.base(), token.map(str::to_owned));
        person.run(&["list"]).expect(3, said);
    }
    let empty = directory.path().join("token");
    std::fs::write(&empty, "\n").unwrap();
    std::fs::set_permissions(&empty, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let nobody = Person::at(program.base(), None);
    nobody.run(&["list", "--token-file", empty.to_str().unwrap()]).expect(2, "there is no token in it");
}

#[test]
fn a_wrong_url_differs_from_another() {
    let (_directory, program) = start();
    let token = program.token("ann", "developer");
    let at = |url: &str| Person::at(url, Some(token.clone())).run(&["list"]);
    at(&format!("{}/v1", program.base())).expect(4, "the URL has a path");
    at("http://127.0.0.1:1").expect(1, "nothing listens there");
    at(&program.base().replace("http:", "https:")).expect(1, "does not speak TLS");
    let page = Stranger::answering(200, "<html>hello</html>");
    at(&page.base()).expect(1, "does not answer as Countersign does");
    at(&format!("{}/app", page.base())).expect(1, "the URL has a path");
    at(&Stranger::answering(301, "").base()).expect(1, "it redirects");
}

/// As the scripts of `countersign completions` ask.
#[test]
fn shells_complete_what_there_is() {
    let (_directory, program) = start();
    let ann = Person::of(&program, "ann", "developer");
    let id = ann.create();
    let complete = |words: &[&str]| {
        let mut variables = ann.variables.clone();
        variables.insert("COMPLETE".to_owned(), "bash".to_owned());
        variables.insert("_CLAP_COMPLETE_INDEX".to_owned(), (words.len()).to_string());
        variables.insert("_CLAP_IFS".to_owned(), "\n".to_owned());
        let line = [&["--", "countersign"][..], words].concat();
        let output = countersign_e2e::program::run_with(BINARY, &line, &variables);
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(complete(&["get", ""]).contains(&id), "{}", complete(&["get", ""]));
    assert_eq!(complete(&["approve", &id[..6]]).trim(), id);
    assert!(complete(&["list", "--status", "exec"]).contains("executing"));
    assert_eq!(complete(&["list", "--environment", "prod"]).trim(), "production");
    assert_eq!(complete(&["create", "enable_enh"]).trim(), "enable_enhanced_monitoring");
    assert_eq!(complete(&["finish", &id, "succ"]).trim(), "succeeded");
}
