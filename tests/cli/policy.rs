//! Looking at a policy before it bites: what is odd about it, whether its cases hold, and what it would
//! have made of past requests.

use crate::{BINARY, Ended, Person};
use countersign_api::problem::Problem;
use countersign_core::person::PersonId;
use countersign_core::refusal::Refusal;
use countersign_core::request::Status;
use countersign_core::timestamp::Timestamp;
use countersign_e2e::program::Program;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A copy of the bundled policy and its cases, with changes: what stands where, and what instead.
fn policy(directory: &Path, name: &str, changes: &[(&str, &str, &str)]) -> PathBuf {
    let policy = directory.join(name);
    std::fs::create_dir(&policy).unwrap();
    for (file, text) in [
        ("operations.toml", include_str!("../../policy/operations.toml")),
        ("people.toml", include_str!("../../policy/people.toml")),
        ("access.cedar", include_str!("../../policy/access.cedar")),
        ("tests.toml", include_str!("../../policy/tests.toml")),
    ] {
        let mut text = text.to_owned();
        for (_, from, to) in changes.iter().filter(|(of, ..)| *of == file) {
            match from.is_empty() {
                true => text.push_str(to),
                false => {
                    assert!(text.contains(from), "{file} has no `{from}`");
                    text = text.replace(from, to);
                }
            }
        }
        std::fs::write(policy.join(file), text).unwrap();
    }
    policy
}

/// Runs a command that needs no service.
fn run(arguments: &[&str]) -> Ended {
    Person { variables: BTreeMap::from([("HOME".to_owned(), "/nonexistent".to_owned())]) }.run(arguments)
}

#[track_caller]
fn fits(ended: &Ended) {
    for line in ended.stdout.lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
    }
    moves_no_cursor(ended);
}

#[track_caller]
fn moves_no_cursor(ended: &Ended) {
    for c in ended.stdout.chars().chain(ended.stderr.chars()).filter(|c| *c != '\n') {
        assert!(
            !c.is_control() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'),
            "{ended:?}"
        );
    }
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn the_bundled_policy_and_the_directory_it_comes_from_are_in_order() {
    let bundled = run(&["policy", "check", "--deny-warnings"]);
    bundled.expect(0, "the policy that comes with the program: 0 errors, 0 warnings, ");
    bundled.expect(0, "note[no-approval-needed]: operations.toml:");
    moves_no_cursor(&bundled);
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("policy");
    let directory = directory.to_str().unwrap();
    run(&["policy", "check", directory, "--deny-warnings"]).expect(0, ": 0 errors, 0 warnings, ");
    let tested = run(&["policy", "test", directory]);
    tested.expect(0, "19 of 19 cases passed");
    tested.expect(0, "ok      a change to a production database takes two\n");
    let results = json(&run(&["policy", "test", directory, "--json"]));
    assert!(results["cases"].as_array().unwrap().iter().all(|case| case["passed"] == true), "{results}");
    let version = json(&run(&["policy", "check", "--json"]))["policy_version"].clone();
    assert_eq!(results["policy_version"], version);
}

#[test]
fn what_is_wrong_or_odd_is_reported_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let odd = policy(
        directory.path(),
        "odd",
        &[
            ("people.toml", "groups = [\"developer\"", "groups = [\"finance\", \"developer\""),
            ("operations.toml", "", "\n[rules.lax]\noperations = [\"reboot\"]\napprovals = 1\n"),
        ],
    );
    let path = odd.to_str().unwrap();
    let checked = run(&["policy", "check", path]);
    moves_no_cursor(&checked);
    checked.expect(0, "rules.lax\n  taking it out changes nothing: ");
    checked.expect(0, "`finance` means nothing: ");
    let denied = run(&["policy", "check", path, "--deny-warnings"]);
    denied.expect(1, "/odd: 0 errors, 1 warning, 5 notes\n");
    assert_eq!(denied.stderr, "", "it is said once");
    let found = json(&run(&["policy", "check", path, "--json"]));
    let warning = &found["findings"][0];
    assert_eq!((&warning["severity"], &warning["place"]), (&"warning".into(), &"rules.lax".into()));
    assert_eq!(warning["name"], "rule-changes-nothing");
    checked.expect(0, "warning[rule-changes-nothing]: ");
    let text = std::fs::read_to_string(odd.join("operations.toml")).unwrap();
    let line = text.lines().position(|line| line == "[rules.lax]").unwrap() + 1;
    assert_eq!(warning["line"], line);
    assert!(warning["file"].as_str().unwrap().ends_with("/odd/operations.toml"), "{warning}");

    let nobody = "\n[rules.costs]\nslots = { finance = 1 }\n";
    let forbid =
        "@id(\"no\") forbid (principal in Group::\"finance\", action == Action::\"approve\", resource);";
    let people = ("people.toml", "groups = [\"developer\"", "groups = [\"finance\", \"developer\"");
    for (name, finding, changes, said) in [
        (
            "unsatisfiable",
            "slot-never-filled",
            vec![people, ("operations.toml", "", nobody), ("access.cedar", "", forbid)],
            "nobody could give 1 of finance: ",
        ),
        (
            "below",
            "refused-value",
            vec![("operations.toml", "high = 2", "high = 1")],
            "operations.toml:17 approvals.high\n  must be at least 2",
        ),
        (
            "misspelt",
            "refused-value",
            vec![("operations.toml", "", "\n[rules.x]\napproval = 3\n")],
            "unknown field `approval`",
        ),
        (
            "zone",
            "refused-value",
            vec![("operations.toml", "[defaults]", "time_zone = \"Mars/Olympus\"\n[defaults]")],
            "operations.toml:9 time_zone\n  must be the name of a time zone",
        ),
        (
            "cedar",
            "refused-access",
            vec![(
                "access.cedar",
                "",
                "\n@id(\"x\") permit (principal in Group::\"nobodies\", action, resource);",
            )],
            "access.cedar:",
        ),
    ] {
        let path = policy(directory.path(), name, &changes);
        let checked = run(&["policy", "check", path.to_str().unwrap()]);
        moves_no_cursor(&checked);
        checked.expect(1, said);
        assert!(
            checked.stdout.starts_with(&format!("error[{finding}]: "))
                && checked.stdout.contains(": 1 error, "),
            "{checked:?}"
        );
        assert_eq!(checked.stderr, "", "it is said once");
    }
    run(&["policy", "check", "/nonexistent"]).expect(1, " is not there\n/nonexistent: 1 error, ");
    run(&["policy"]).expect(2, "Usage");
}

/// THREATS 66: a freeze that can never hold, and one that another spelling evades.
#[test]
fn threat_66_a_freeze_that_can_never_hold_is_found_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let freeze = |condition: &str| {
        format!(
            "\n@id(\"freeze\") @reason(\"Nights are quiet\") forbid (principal, action == Action::\"approve\", resource) when {{ {condition} }};"
        )
    };
    for (directory_name, condition, finding) in [
        ("night", "context.hour >= 22 && context.hour < 6", "policy-never-holds"),
        ("payments", "context.instance == \"Payments-db\"", "capitals-in-name"),
    ] {
        let path = policy(directory.path(), directory_name, &[("access.cedar", "", &freeze(condition))]);
        let path = path.to_str().unwrap();
        run(&["policy", "check", path]).expect(0, &format!("warning[{finding}]: {path}/access.cedar:"));
        let check = |accept: &str| run(&["policy", "check", path, "--deny-warnings", "--accept", accept]);
        check(&format!("less-above-range,{finding}")).expect(0, ": 0 errors, 1 warning, ");
        check("less-above-range").expect(1, ": 0 errors, 1 warning, ");
        check("any").expect(2, "is not the name of a finding");
        let denied = run(&["policy", "check", path, "--deny-warnings", "--json"]);
        assert_eq!(denied.code, 1, "{denied:?}");
        let finding_of = &json(&denied)["findings"][0];
        assert_eq!(finding_of["name"], finding, "{finding_of}");
        assert!(finding_of["line"].as_u64().is_some_and(|line| line > 50), "{finding_of}");
    }
}

/// What `policy init` writes is in order, is the policy that comes with the program, and is not written over.
#[test]
fn a_policy_to_begin_with_is_in_order_and_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("my").join("policy");
    let path = path.to_str().unwrap();
    let written = run(&["policy", "init", path]);
    written.expect(0, &format!("Wrote operations.toml, people.toml, access.cedar, tests.toml to {path}."));
    written.expect(0, &format!("  countersign policy test {path}\n"));
    run(&["policy", "check", path, "--deny-warnings"]).expect(0, ": 0 errors, 0 warnings, ");
    run(&["policy", "test", path]).expect(0, "19 of 19 cases passed");
    for file in ["operations.toml", "people.toml", "access.cedar", "tests.toml"] {
        let text = std::fs::read_to_string(Path::new(path).join(file)).unwrap();
        assert!(text.lines().any(|line| line.starts_with("# ") || line.starts_with("// ")), "{file}");
    }
    std::fs::write(Path::new(path).join("people.toml"), "mine").unwrap();
    run(&["policy", "init", path])
        .expect(1, "/operations.toml is there already, and is not replaced: name another directory");
    assert_eq!(std::fs::read_to_string(Path::new(path).join("people.toml")).unwrap(), "mine");
    run(&["policy", "init"]).expect(2, "Usage");
}

/// What keeps a service from starting is found before.
#[test]
fn a_restore_that_is_still_to_come_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let restored = "restored_at = \"2126-01-01T00:00:00Z\"\n[defaults]";
    let path = policy(directory.path(), "restored", &[("operations.toml", "[defaults]", restored)]);
    let path = path.to_str().unwrap();
    run(&["policy", "check", path]).expect(
        1,
        &format!("error[refused-value]: {path}/operations.toml:9 restored_at\n  must not lie in the future"),
    );
    let data = directory.path().join("data");
    run(&["serve", "--policy-dir", path, "--data-dir", data.to_str().unwrap()])
        .expect(1, "restored_at must not lie in the future");
    assert!(!data.exists());
}

#[test]
fn a_policy_that_breaks_a_case_shows_which_and_why() {
    let directory = tempfile::tempdir().unwrap();
    let laxer = (
        "operations.toml",
        "[operations.delete_instance]\nproduction = \"high\"\nnon_production = \"high\"",
        "[operations.delete_instance]\nproduction = \"high\"\nnon_production = \"low\"",
    );
    let path = policy(directory.path(), "laxer", &[laxer]);
    let tested = run(&["policy", "test", path.to_str().unwrap()]);
    moves_no_cursor(&tested);
    tested.expect(1, "/laxer/tests.toml: 18 of 19 cases passed\n");
    assert_eq!(tested.stderr, "", "it is said once");
    tested.expect(1, "FAILED  deleting takes two everywhere\n");
    tested.expect(1, "        risk_level: expected high, found low\n          operations.delete_instance: risk low in non-production\n");
    tested.expect(1, "        approvals_required: expected 2, found 0\n");
    let results = json(&run(&["policy", "test", path.to_str().unwrap(), "--json"]));
    let failed: Vec<_> =
        results["cases"].as_array().unwrap().iter().filter(|case| case["passed"] == false).collect();
    assert_eq!((failed.len(), &failed[0]["failures"][0]["what"]), (1, &"risk_level".into()));
    // No person may approve any more: what is refused is shown with the reason that approvers would see.
    let closed = (
        "access.cedar",
        "",
        "\n@id(\"closed\")\nforbid (principal, action == Action::\"approve\", resource);\n",
    );
    let path = policy(directory.path(), "closed", &[closed]);
    run(&["policy", "test", path.to_str().unwrap()]).expect(1, "          forbidden by policy `closed`\n");
}

#[test]
fn a_table_that_cannot_be_read_is_refused_and_moves_no_cursor() {
    let directory = tempfile::tempdir().unwrap();
    for (name, change, said) in [
        (
            "unknown",
            ("tests.toml", "[[cases]]", "[[case]]"),
            "/unknown/tests.toml:20\n  unknown field `case`",
        ),
        (
            "nobody",
            ("tests.toml", "\"carol@example.com\" = [\"approver\"]", ""),
            "tests.toml:37 carol@example.com\n  has no groups: list them here, or under [people]",
        ),
        (
            "hostile",
            ("tests.toml", "status = \"pending\"", "\"sta\\u001b[2Jtus\" = \"pending\""),
            "unknown field `sta\\u{1b}[2Jtus`",
        ),
    ] {
        let path = policy(directory.path(), name, &[change]);
        let tested = run(&["policy", "test", path.to_str().unwrap()]);
        tested.expect(1, said);
        moves_no_cursor(&tested);
    }
    let names = (
        "tests.toml",
        "name = \"guests ask for nothing\"",
        "name = \"\\u001b[2J\\u202eguests ask\\n0 of 0 cases passed for nothing, and this goes on and on and on and on and on and on\"",
    );
    let path = policy(directory.path(), "names", &[names]);
    let tested = run(&["policy", "test", path.to_str().unwrap()]);
    moves_no_cursor(&tested);
    tested.expect(
        0,
        "ok      \\u{1b}[2J\\u{202e}guests ask\\n0 of 0 cases passed for nothing, and this goes on",
    );
    assert!(!tested.stdout.contains("\n0 of 0"), "{tested:?}");
    std::fs::remove_file(path.join("tests.toml")).unwrap();
    run(&["policy", "test", path.to_str().unwrap()]).expect(1, "it holds the cases to run");
}

#[test]
fn a_table_speaks_of_refusals_by_the_codes_of_the_api() {
    let status = Status::Pending;
    for refusal in [
        Refusal::NotVisible,
        Refusal::AgentCannotApprove,
        Refusal::SelfApproval,
        Refusal::NotPermitted(Vec::new()),
        Refusal::Violations(Vec::new()),
        Refusal::Expired,
        Refusal::NotPending(status),
        Refusal::NotApproved(status),
        Refusal::AlreadyDecided(status),
        Refusal::ApprovalsInsufficient(Vec::new()),
        Refusal::DigestMismatch(status),
        Refusal::VersionMismatch(status),
        Refusal::ExecutionMismatch(status),
        Refusal::IdempotencyConflict(status),
        Refusal::CommentsFull,
        Refusal::Claimed { holder: PersonId::somebody(), until: Timestamp::LATEST },
        Refusal::NotDue,
    ] {
        assert_eq!(refusal.code(), Problem::from(refusal.clone()).code.as_str(), "{refusal:?}");
    }
}

/// A program that waits for JSON gets some, whatever is wrong.
#[test]
fn what_cannot_be_read_is_a_finding_with_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = policy(directory.path(), "broken", &[]);
    let text = path.to_str().unwrap();
    let check = |commands: &[&str], file: &str, line: Option<usize>, said: &str| {
        for command in commands {
            let ended = run(&["policy", command, text, "--json"]);
            assert_eq!(ended.code, 1, "{ended:?}");
            let found = json(&ended);
            let finding = &found["findings"][0];
            assert_eq!((&finding["severity"], &found["directory"]), (&"error".into(), &text.into()));
            assert_eq!(finding["file"], format!("{text}/{file}"), "{found}");
            assert_eq!(finding["line"].as_u64(), line.map(|line| line as u64), "{found}");
            assert!(finding["message"].as_str().unwrap().contains(said), "{found}");
            let error =
                json!({ "code": "failed", "exit_code": 1, "message": "1 error, 0 warnings, 0 notes" });
            assert_eq!(serde_json::from_str::<Value>(&ended.stderr).unwrap(), json!({ "error": error }));
            let words = run(&["policy", command, text]);
            words.expect(1, &format!("]: {text}/{file}"));
            words.expect(1, &format!("{text}: 1 error, 0 warnings, 0 notes\n"));
        }
    };
    let write = |file: &str, bytes: &[u8]| std::fs::write(path.join(file), bytes).unwrap();
    let cases = std::fs::read(path.join("tests.toml")).unwrap();
    std::fs::remove_file(path.join("tests.toml")).unwrap();
    check(&["test"], "tests.toml", None, "it holds the cases to run");
    write("tests.toml", b"[[case]]\n");
    check(&["test"], "tests.toml", Some(1), "unknown field `case`");
    write("tests.toml", b"cases = []\n[people]\n\"ann@example.com\" = [\"developers\"]\n");
    check(&["test"], "tests.toml", Some(3), "names `developers`, which is not one of the groups");
    write("tests.toml", &cases);
    write("access.cedar", b"permit (");
    check(&["check", "test"], "access.cedar", Some(1), "unexpected end of input");
    write("people.toml", b"groups = [\"developer\"]\n\xff");
    check(&["check", "test"], "people.toml", Some(2), "is not UTF-8");
    std::fs::remove_file(path.join("operations.toml")).unwrap();
    check(&["check", "test"], "operations.toml", None, "is not there");
}

/// The directory that `serve` would take: a pipeline that sets it must not check another policy.
#[test]
fn without_a_directory_the_one_of_the_environment_is_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let path = policy(directory.path(), "own", &[("operations.toml", "high = 2", "high = 1")]);
    let path = path.to_str().unwrap();
    let variables = [("HOME", "/nonexistent"), ("POLICY_DIR", path)];
    let somebody =
        Person { variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into() };
    for command in ["check", "test"] {
        somebody
            .run(&["policy", command])
            .expect(1, &format!("error[refused-value]: {path}/operations.toml:17"));
        somebody.run(&["policy", command]).expect(1, &format!("\n{path}: 1 error, "));
    }
    somebody.run(&["policy", "replay"]).expect(1, &format!("{path}/operations.toml:17"));
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("policy");
    let bundled = bundled.to_str().unwrap();
    somebody.run(&["policy", "check", bundled]).expect(0, &format!("{bundled}: 0 errors, "));
    run(&["policy", "test"]).expect(2, "DIR");
}

#[test]
fn a_disabled_caller_is_not_sent_for_another_token() {
    let directory = tempfile::tempdir().unwrap();
    let disabled = ("people.toml", "", "\n[people.\"mallory@example.com\"]\ndisabled = true\n");
    let path = policy(directory.path(), "disabled", &[disabled]);
    let arguments = ["--policy-dir", path.to_str().unwrap()];
    let program = Program::start_with(BINARY, &directory.path().join("data"), &arguments);
    let examined = Person::of(&program, "mallory", "developer").run(&["doctor"]);
    examined.expect(1, "is disabled in people.toml");
    examined.expect(1, "ask whoever keeps the service's people.toml");
    assert!(!examined.stdout.contains("get a token"), "{examined:?}");
}

#[test]
fn a_replay_names_every_request_that_would_end_differently() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(BINARY, &directory.path().join("data"));
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let (carol, olga) = (Person::of(&program, "carol", "approver"), Person::of(&program, "olga", "auditor"));
    let ask = |operation: &str, instance: &str, environment: &str, more: &[&str]| {
        let words = [&["create", operation, instance, "-e", environment, "-m", "it hangs"], more].concat();
        ann.json(&words)["request_id"].as_str().unwrap().to_owned()
    };
    let rebooted = ask("reboot", "production-db-01", "production", &[]);
    bob.run(&["approve", &rebooted, "--yes"]).expect(0, "pending");
    carol.run(&["approve", &rebooted, "--yes"]).expect(0, "approved");
    ann.run(&["start", &rebooted]).expect(0, "executing");
    let snapshot = ask("create_snapshot", "production-db-01", "production", &["--estimated-cost", "900"]);
    bob.run(&["approve", &snapshot, "--yes"]).expect(0, "approved");
    let rejected = ask("delete_instance", "dev-db-01", "non-production", &[]);
    bob.run(&["reject", &rejected, "--yes", "-m", "no"]).expect(0, "rejected");
    let pending = ask("failover", "production-db-01", "production", &[]);

    let same = policy(directory.path(), "same", &[]);
    let same = same.to_str().unwrap();
    let replayed = olga.run(&["policy", "replay", same, "--fail-on-change"]);
    replayed.expect(0, "0 of 4 requests would end differently; since 90d 0h ago\n");
    assert!(replayed.stdout.starts_with("Policy        "), "{replayed:?}");

    let strict = policy(
        directory.path(),
        "strict",
        &[
            ("people.toml", "groups = [\"developer\"", "groups = [\"dba\", \"developer\""),
            (
                "operations.toml",
                "",
                "\n[rules.databases]\noperations = [\"reboot\"]\nslots = { dba = 1 }\n[rules.costs]\ncost_at_most = 1000\noperations = [\"create_snapshot\"]\nexecute_within_seconds = 60\n",
            ),
            (
                "operations.toml",
                "[operations.delete_instance]\nproduction = \"high\"\nnon_production = \"high\"",
                "[operations.delete_instance]\nproduction = \"high\"\nnon_production = \"low\"",
            ),
        ],
    );
    let strict = strict.to_str().unwrap();
    let replayed = olga.run(&["policy", "replay", strict, "--since", "1h"]);
    fits(&replayed);
    replayed.expect(0, "2 of 4 requests would end differently, 1 more would have other terms; since 1h");
    let text = replayed.stdout.replace("\n                ", " ").replace("\n              ", " ");
    for said in [
        format!("reboot on production-db-01\nRequest       {rebooted}\nRequested     "),
        "Status        executing\nWould be      not approved; missing: 1 of dba\n".to_owned(),
        "Why           the approval by carol@example.com would be refused (not_permitted): your approval would fill no open slot; missing: 1 of dba\n".to_owned(),
        "Terms         slots: none; would be 1 of dba\n".to_owned(),
        "Status        rejected\nWould be      approved by policy, at once\n".to_owned(),
        "Terms         execute_within_seconds: 86400; would be 60\n".to_owned(),
    ] {
        assert!(text.contains(&said), "no `{said}` in {text}");
    }
    assert!(!replayed.stdout.contains(&pending), "{replayed:?}");
    let failed = olga.run(&["policy", "replay", strict, "--fail-on-change"]);
    failed.expect(1, "2 of 4 requests would end differently");
    assert_eq!(failed.stderr, "", "it is said once");
    let report = olga.json(&["policy", "replay", strict]);
    let changed = report["changed"].as_array().unwrap();
    let ids: Vec<_> = changed.iter().map(|changed| changed["request_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids[..2].contains(&rebooted.as_str()) && ids[..2].contains(&rejected.as_str()), "{report:#}");
    assert_eq!(
        (ids[2], &changed[2]["outcome"], &report["only_own"]),
        (snapshot.as_str(), &Value::Null, &false.into())
    );

    // A caller who may list their own alone learns that there may be others.
    let own = ann.run(&["policy", "replay", strict]);
    own.expect(0, "2 of 4 requests would end differently");
    own.expect(0, "all of them are your own");
    let none = Person::of(&program, "eve", "developer").run(&["policy", "replay", strict]);
    none.expect(0, "no requests are visible to you");
    olga.run(&["policy", "replay", "/nonexistent"]).expect(1, "/nonexistent");
    olga.run(&["policy", "replay", strict, "--since", "366d"]).expect(2, "at most 365d");
    Person::at(program.base(), None).run(&["policy", "replay", strict]).expect(3, "set COUNTERSIGN_TOKEN");
}
