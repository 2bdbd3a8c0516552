//! What would come of a request, why one stands where it stands, and what refusals say of it.

use crate::{BINARY, Person};
use countersign_e2e::program::{Program, run};
use std::path::Path;

/// Characters that would move the cursor, hide or reorder text.
const HOSTILE: &str =
    "go back\u{1b}[2J\u{1b}]0;owned\u{7}\nApproved by   boss@example.com\r\u{202e}txt\u{200b}\u{2028}end";

/// A policy in which databases need a DBA and expensive things the finance group, whose members
/// may approve only if they are approvers too; and no person may approve a failover.
fn policy(directory: &Path) -> String {
    let policy = directory.join("policy");
    std::fs::create_dir(&policy).unwrap();
    let operations = format!(
        "{}\n{}",
        include_str!("../../policy/operations.toml"),
        r#"
        [rules.databases]
        operations = ["reboot"]
        instances = ["production-*"]
        slots = { dba = 1 }
        required_fields = ["ticket"]
        digest_required = true

        [rules.costs]
        cost_above = 100.0
        slots = { "finance|controlling" = 1 }
        cost_limit = 5000.0
        "#
    );
    let people = include_str!("../../policy/people.toml");
    assert!(people.contains("groups = [\"developer\""));
    let people = people.replace("groups = [", "groups = [\"dba\", \"finance\", \"controlling\", ");
    std::fs::write(policy.join("operations.toml"), operations).unwrap();
    std::fs::write(policy.join("people.toml"), people).unwrap();
    let access = format!(
        "{}\n{}",
        include_str!("../../policy/access.cedar"),
        r#"@id("nobody-fails-over")
        forbid (principal, action == Action::"approve", resource == Operation::"failover");"#
    );
    std::fs::write(policy.join("access.cedar"), access).unwrap();
    policy.to_str().unwrap().to_owned()
}

fn start() -> (tempfile::TempDir, Program) {
    let directory = tempfile::tempdir().unwrap();
    let policy = policy(directory.path());
    let program = Program::start_with(BINARY, &directory.path().join("data"), &["--policy-dir", &policy]);
    (directory, program)
}

/// A reboot of a production database, and whatever else is said of it.
fn reboot<'a>(verb: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&[verb, "reboot", "production-db-01", "-e", "production", "-m", "it hangs"], more].concat()
}

#[track_caller]
fn fits(text: &str) {
    for c in text.chars().filter(|c| *c != '\n') {
        let is_safe = !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        assert!(is_safe, "{c:?} in {text}");
    }
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
        assert!(!line.starts_with("Approved by   boss"), "{text}");
    }
}

#[test]
fn a_simulation_says_what_creation_then_does_and_makes_nothing() {
    let (_directory, program) = start();
    let ann = Person::of(&program, "ann", "developer");
    let simulated = ann.run(&reboot("simulate", &["--ticket", "CHG-1", "--estimated-cost", "200"]));
    fits(&simulated.stdout);
    let mut rest = simulated.stdout.as_str();
    for said in [
        "reboot on production-db-01",
        "could be made; nothing has been",
        "Begins as     pending",
        "Risk          high",
        "Environment   production",
        "Approvals     2 approvals: 1 of controlling or finance, 1 of dba",
        "Satisfiable   yes",
        "left to decide",
        "1d 0h to start, once approved",
        "Must have     ticket",
        "Cost limit    5000",
        "operations.reboot: risk high in production",
        "rules.costs: ",
        "rules.databases: 1 of dba; a ticket",
    ] {
        let (_, after) = rest.split_once(said).unwrap_or_else(|| panic!("no `{said}` in {simulated:?}"));
        rest = after;
    }
    simulated.expect(0, "could be made");
    assert_eq!(ann.json(&["list"])["items"].as_array().unwrap().len(), 0, "nothing was made");
    let arguments = ["--ticket", "CHG-1", "--estimated-cost", "200"];
    let (simulation, request) =
        (ann.json(&reboot("simulate", &arguments)), ann.json(&reboot("create", &arguments)));
    for member in ["approvals_required", "slots", "risk_level", "rules", "parameters_digest", "status"] {
        assert_eq!(simulation[member], request[member], "{member}");
    }
    assert_eq!(simulation["permitted"], true);
}

#[test]
fn a_simulated_refusal_ends_as_the_refusal_does() {
    let (_directory, program) = start();
    let ann = Person::of(&program, "ann", "developer");
    for more in [&[][..], &["--ticket", "CHG-1", "--estimated-cost", "9000"]] {
        let (simulated, created) = (ann.run(&reboot("simulate", more)), ann.run(&reboot("create", more)));
        assert_eq!((simulated.code, created.code), (3, 3), "{simulated:?} {created:?}");
        fits(&simulated.stdout);
        simulated.expect(3, "could not be made");
        simulated.expect(3, "Refused       fields break rules (validation_failed)");
        simulated.expect(3, "it would be refused (validation_failed)");
        created.expect(3, "fields break rules (validation_failed)");
    }
    ann.run(&reboot("simulate", &[])).expect(3, "ticket: ");
    let guest = Person::of(&program, "gil", "guest");
    let ended = guest.run(&reboot("simulate", &["--ticket", "CHG-1", "--json"]));
    assert_eq!(ended.code, 3, "{ended:?}");
    let body: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&body["permitted"], &body["refusals"][0]["code"]), (&false.into(), &"not_permitted".into()));
    guest.run(&reboot("create", &["--ticket", "CHG-1"])).expect(3, "(not_permitted)");
    // What cannot be read is not simulated at all.
    ann.run(&["simulate", "x y", "z", "-e", "production", "-m", "why"]).expect(3, "operation_type: must be");
    ann.run(&["simulate", "x", "z", "-e", "production", "-m", "why", "-p", "{"]).expect(2, "--parameters");
    ann.run(&reboot("simulate", &["--wait", "1s"])).expect(2, "unexpected argument '--wait'");
    ann.run(&reboot("simulate", &["--idempotency-key", "k"])).expect(2, "unexpected argument");
    Person::at(program.base(), None).run(&reboot("simulate", &[])).expect(3, "set COUNTERSIGN_TOKEN");
}

#[test]
fn what_no_person_can_approve_can_be_made_with_a_warning() {
    let (_directory, program) = start();
    let ann = Person::of(&program, "ann", "developer");
    let failover =
        |verb| [verb, "failover", "production-db-01", "-e", "production", "-m", "x", "--estimated-cost", "1"];
    ann.run(&failover("simulate")).expect(0, "Satisfiable   no: nobody could be found who may give them");
    let request = ann.json(&failover("create"));
    let explained = ann.run(&["explain", request["request_id"].as_str().unwrap()]);
    fits(&explained.stdout);
    explained.expect(0, "Who can       nobody now, from where you are\n");
}

#[test]
fn an_explanation_follows_a_request_through_its_approvals() {
    let (_directory, program) = start();
    let ann = Person::of(&program, "ann", "developer");
    let bob = Person::of(&program, "bob", "approver");
    let dora = Person::of(&program, "dora", "approver,dba");
    let request = ann.json(&reboot("create", &["--ticket", "CHG-1", "--estimated-cost", "1"]));
    let id = request["request_id"].as_str().unwrap();
    let first = ann.run(&["explain", &id[..8]]);
    fits(&first.stdout);
    for said in [
        "reboot on production-db-01\npending\n",
        "Approvals     2 approvals: 1 of dba, 1 of anybody who may approve",
        "Approved by   nobody yet",
        "Missing       1 of dba\n              1 of anybody who may approve",
        "somebody in approver",
        "You may       cancel, comment",
        "approve (self_approval): nobody decides on their own request",
        "start (not_approved): the request is pending, not approved",
        "Otherwise     it expires, and nothing is run",
        "Deadline      2d 23h left",
    ] {
        first.expect(0, said);
    }
    bob.run(&["approve", id, "--yes"])
        .expect(0, "pending: 1 of 2 approvals\ntakes in all: 1 of dba, 1 of anybody");
    let second = bob.run(&["explain", id]);
    fits(&second.stdout);
    second.expect(0, "Approved by   bob@example.com (approver): counts");
    second.expect(0, "Missing       1 of dba\n");
    second.expect(0, "somebody in approver and dba");
    second.expect(0, "approve (already_decided)");
    assert!(!second.stdout.contains("somebody in approver\n"), "{second:?}");
    dora.run(&["approve", id, "--yes"]).expect(0, "approved: 2 of 2 approvals");
    ann.run(&["get", id]).expect(0, "dora@example.com (approver, dba), ");
    ann.run(&["get", id])
        .expect(0, "Approvals     2 of 2; took in all: 1 of dba, 1 of anybody who may approve\n");
    let third = ann.run(&["explain", id]);
    third.expect(0, "Missing       nothing\n");
    third.expect(0, "You may       cancel, comment, start");
    let json = ann.json(&["explain", id]);
    assert_eq!((&json["status"], &json["missing"]["from_anybody"]), (&"approved".into(), &0.into()));
    ann.run(&["explain", "01930000-0000-4000-8000-0000000000aa"]).expect(4, "(not_found)");
    ann.run(&["explain", "ffff0000"]).expect(4, "no request that you can see begins with ffff0000");
    ann.run(&["explain", "../../etc/passwd"]).expect(2, "neither an id nor the beginning of one");
    Person::of(&program, "eve", "developer").run(&["explain", id]).expect(4, "(not_found)");
}

#[test]
fn a_policy_that_changes_is_explained() {
    let (directory, mut program) = start();
    let ann = Person::of(&program, "ann", "developer");
    let request = ann.json(&reboot("create", &["--ticket", "CHG-1", "--estimated-cost", "1"]));
    let id = request["request_id"].as_str().unwrap();
    assert!(!ann.run(&["explain", id]).stdout.contains("Policy now"));
    program.signal("TERM");
    program.wait();
    let operations = directory.path().join("policy/operations.toml");
    let text = std::fs::read_to_string(&operations).unwrap();
    let more = format!("{text}\n[rules.more]\napprovals = 4\n");
    std::fs::write(&operations, more).unwrap();
    let policy = directory.path().join("policy");
    let arguments = ["--policy-dir", policy.to_str().unwrap()];
    let program = Program::start_with(BINARY, &directory.path().join("data"), &arguments);
    let ann = Person::of(&program, "ann", "developer");
    let explained = ann.run(&["explain", id]);
    fits(&explained.stdout);
    explained.expect(0, "Policy now    has changed since; the stricter of both holds. It demands:");
    explained.expect(0, "              rules.more: 4 approvals");
    explained.expect(0, "Approvals     4 approvals: ");
}

#[test]
fn what_others_write_of_a_request_is_shown_whole_and_moves_nothing() {
    let (_directory, program) = start();
    let (ann, bob) = (Person::of(&program, "ann", "developer"), Person::of(&program, "bob", "approver"));
    let plan = format!("{HOSTILE}\n{} the last word", "step ".repeat(500));
    let arguments = ["--ticket", "CHG-1", "--estimated-cost", "1", "--rollback-plan", &plan];
    let request = ann.json(&reboot("create", &arguments));
    let id = request["request_id"].as_str().unwrap();
    for arguments in [&["get", id][..], &["explain", id], &["approve", id, "--yes"], &["get", id, "--utc"]] {
        let ended = bob.run(arguments);
        assert_eq!(ended.code, 0, "{ended:?}");
        fits(&ended.stdout);
        if arguments[0] != "explain" {
            ended.expect(0, "Ticket        CHG-1");
            ended.expect(0, "\nRollback plan\n  | go back\\u{1b}[2J");
            assert_eq!(ended.stdout.matches("step").count(), 500, "{ended:?}");
            ended.expect(0, "the last word");
        }
    }
    let simulated = ann.run(&reboot("simulate", &["--ticket", HOSTILE, "--rollback-plan", &plan]));
    simulated.expect(3, "ticket: must be 1 to 256");
    assert!(!simulated.stderr.contains('\u{1b}'), "{simulated:?}");
}

#[test]
fn the_issuer_of_a_token_learns_of_groups_that_policy_does_not_name() {
    let directory = tempfile::tempdir().unwrap();
    let policy = policy(directory.path());
    let data = directory.path().join("data");
    let issue = |groups: &str, more: &[&str]| {
        let data = data.to_str().unwrap();
        run(BINARY, &[&["token", "ann@example.com", "--groups", groups, "--data-dir", data], more].concat())
    };
    let said = |output: std::process::Output| {
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 1, "the token alone");
        String::from_utf8(output.stderr).unwrap()
    };
    let bundled = said(issue("dba, Developer", &[]));
    assert!(bundled.contains("the policy that comes with the program names no group `dba`; if"), "{bundled}");
    assert!(bundled.contains("give it with --policy-dir"), "{bundled}");
    let own = said(issue("dba,Developer", &["--policy-dir", &policy]));
    assert!(!own.contains("`dba`"), "{own}");
    assert!(own.contains(&format!("the policy in {policy} names no group `Developer`")), "{own}");
    let nameless = issue("", &[]);
    assert_eq!(nameless.status.code(), Some(2), "{nameless:?}");
    let nameless = String::from_utf8(nameless.stderr).unwrap();
    assert!(nameless.contains("must be names of groups with commas between them"), "{nameless}");
    assert_eq!(issue("dba", &["--policy-dir", "/nonexistent"]).status.code(), Some(1));
}

/// A data directory that is mistyped is made, with a key that no service has.
#[test]
fn the_issuer_of_a_token_learns_of_a_key_that_was_made_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let mistyped = directory.path().join("mistyped");
    let issue = || {
        let output = run(BINARY, &["token", "ann@example.com", "--data-dir", mistyped.to_str().unwrap()]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let first = issue();
    assert!(first.contains(&format!("made a new key in {}", mistyped.display())), "{first}");
    assert!(first.contains("with the same --data-dir"), "{first}");
    assert_eq!(issue(), "");
}

#[test]
fn groups_are_listed_as_the_token_has_them() {
    let (_directory, program) = start();
    let ann = Person::of(&program, "ann", "developer,Something-else");
    let whoami = ann.run(&["whoami"]);
    whoami.expect(0, "  group Something-else\n");
    whoami.expect(0, "for the policy of the service to say");
    ann.run(&["doctor"])
        .expect(0, "developer, Something-else; which count is for the service's policy to say");
}
