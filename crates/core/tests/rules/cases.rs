//! Tables of cases: what is written is run as it is written, and what is not as expected is reported.

use countersign_core::policy::people::People;
use countersign_core::policy::{Policy, PolicyText, mistake::Mistake};
use countersign_policy::cases::{self, Case, Mismatch};

const RULES: &str = r#"
    [rules.expensive]
    cost_above = 500
    slots = { dba = 1, "finance|controlling" = 1 }
    required_fields = ["ticket"]
    [rules.limit]
    cost_limit = 5000
"#;

const GROUPS: &str = r#"
    groups = ["developer", "approver", "dba", "finance", "controlling", "agent"]
    [people."ann@example.com"]
    addresses = ["ann@old.example.com"]
    [people."mallory@example.com"]
    disabled = true
"#;

const ACCESS: &str = r#"
    @id("developer")
    permit (principal in Group::"developer", action, resource) when { context.own };
    @id("approver")
    permit (principal in Group::"approver", action, resource);
    @id("office-hours")
    forbid (principal, action == Action::"approve", resource) when { context.hour >= 18 };
    @id("network")
    forbid (principal, action == Action::"reject", resource) unless {
        context has source_ip && context.source_ip.isInRange(ip("10.0.0.0/8"))
    };
"#;

fn policy() -> Policy {
    let operations = format!("{}\n{RULES}", countersign_core::policy::BUNDLED_OPERATIONS);
    let text = PolicyText { operations: &operations, people: GROUPS, access: ACCESS };
    countersign_policy::load::check(&text).unwrap().0
}

const PEOPLE: &str = r#"
    [people]
    "ann@example.com" = ["developer"]
    "dan@example.com" = ["approver", "dba"]
    "fay@example.com" = ["approver", "finance"]
"#;

fn parse(text: &str) -> Result<Vec<Case>, Mistake> {
    cases::parse(text, policy().people())
}

fn run(table: &str, policy: &Policy) -> Vec<Vec<Mismatch>> {
    let cases = cases::parse(&format!("{PEOPLE}\n{table}"), policy.people());
    let cases = cases.unwrap_or_else(|error| panic!("{error}"));
    cases.iter().map(|case| cases::run(case, policy)).collect()
}

#[test]
fn the_table_of_the_bundled_policy_holds() {
    let text = include_str!("../../../../policy/tests.toml");
    let policy = countersign_policy::load::bundled().unwrap();
    let cases = cases::parse(text, policy.people()).unwrap();
    assert!(cases.len() >= 15);
    for case in &cases {
        assert_eq!(cases::run(case, &policy), Vec::new(), "{}", case.name);
    }
}

#[test]
fn the_example_at_the_top_of_the_module_holds() {
    let source = include_str!("../../../policy/src/cases.rs");
    let (_, example) = source.split_once("//! ```toml\n").unwrap();
    let (example, _) = example.split_once("//! ```").unwrap();
    let lines: Vec<_> = example.lines().map(|line| line.trim_start_matches("//!")).collect();
    let cases = parse(&lines.join("\n")).unwrap();
    let operations =
        RULES.replace("required_fields = [\"ticket\"]", "").replace("finance|controlling", "finance");
    let operations = format!("{}\n{operations}", countersign_core::policy::BUNDLED_OPERATIONS);
    let text = PolicyText { operations: &operations, people: GROUPS, access: ACCESS };
    let policy = countersign_policy::load::check(&text).unwrap().0;
    assert_eq!(cases::run(&cases[0], &policy), Vec::new());
}

#[test]
fn what_is_as_expected_passes() {
    let table = r#"
        [[cases]]
        name = "everything that can be said of a request"
        request = {
            by = "ann@example.com", groups = ["developer"], operation_type = "modify_storage", instance_id = "orders-db",
            environment = "non-production", estimated_cost = 600, risk_level = "low", ticket = "CHG-1",
            rollback_plan = "go back", estimated_duration = "1 h", kind = "human", channel = "direct",
            at = "2026-03-02T10:00:00+01:00", source_ip = "10.1.2.3",
        }
        expect = {
            status = "approved", risk_level = "high", environment = "production", approvals_required = 2,
            slots = { dba = 1, "controlling | finance" = 1 }, digest_required = false, pending_seconds = 259_200,
            execute_within_seconds = 86_400, pending_limit = 50, approved_limit = 1000, cost_limit = 5000.0, required_fields = ["ticket"],
            rules = ["rules.expensive", "operations.modify_storage"],
        }
        [[cases.steps]]
        by = "ann@old.example.com"
        groups = ["approver"]
        expect = "self_approval"
        [[cases.steps]]
        by = "mallory@example.com"
        groups = ["approver"]
        expect = "not_permitted"
        reason = "disabled"
        [[cases.steps]]
        by = "eve@example.com"
        groups = ["approver"]
        expect = "not_permitted"
        reason = "would fill no open slot"
        [[cases.steps]]
        by = "dan@example.com"
        expect = "pending"
        [[cases.steps]]
        by = "fay@example.com"
        at = "2026-03-02T18:00:00Z"
        expect = "not_permitted"
        reason = "office-hours"
        [[cases.steps]]
        by = "fay@example.com"
        action = "reject"
        at = "2026-03-03T08:00:00Z"
        expect = "not_permitted"
        reason = "network"
        [[cases.steps]]
        by = "fay@example.com"
        expect = "approved"

        [[cases]]
        name = "a request that must be refused, and by which rule"
        request = { by = "ann@example.com", operation_type = "modify_storage", instance_id = "orders-db", environment = "production", estimated_cost = 9000 }
        expect = { refused = "validation_failed", reason = "at most 5000", approvals_required = 2 }

        [[cases]]
        name = "a life to its end"
        request = { by = "ann@example.com", operation_type = "write_file", instance_id = "x", environment = "production", estimated_cost = 1 }
        steps = [
            { action = "withdraw", by = "fay@example.com", expect = "not_decided" },
            { action = "comment", by = "ann@example.com" },
            { action = "start", by = "ann@example.com", expect = "not_approved" },
            { by = "dan@example.com" },
            { action = "start", by = "ann@example.com", expect = "executing" },
            { action = "fail", by = "ann@example.com", expect = "failed" },
            { action = "succeed", by = "ann@example.com", expect = "execution_mismatch" },
        ]
        expect = { status = "failed" }
    "#;
    for failures in run(table, &policy()) {
        assert_eq!(failures, Vec::new());
    }
}

/// What an actor is shown is asked as the service asks it: a request that they may not see is not there.
#[test]
fn views_are_steps() {
    let access = format!(
        "{ACCESS}@id(\"guest\") permit (principal in Group::\"guest\", action == Action::\"view\", resource) when {{ context.hour < 12 }};"
    );
    let people = GROUPS.replace("\"dba\"", "\"dba\", \"guest\"");
    assert_ne!(people, GROUPS);
    let text = PolicyText {
        operations: countersign_core::policy::BUNDLED_OPERATIONS,
        people: &people,
        access: &access,
    };
    let policy = countersign_policy::load::check(&text).unwrap().0;
    let case = |steps: &str| {
        format!(
            "[[cases]]\nname = \"who sees it\"\nrequest = {{ by = \"ann@example.com\", operation_type = \"reboot\", instance_id = \"orders-db\", environment = \"production\", justification = \"it hangs\" }}\nsteps = [{steps}]\nexpect = {{ status = \"pending\" }}\n"
        )
    };
    let passing = case(
        r#"
        { action = "view", by = "ann@example.com" },
        { action = "view_parameters", by = "dan@example.com", expect = "pending" },
        { action = "view", by = "gil@example.com", groups = ["guest"], expect = "pending" },
        { action = "view_parameters", by = "gil@example.com", groups = ["guest"], expect = "not_permitted", reason = "no policy permits `view_parameters` to group guest" },
        { action = "view", by = "nora@example.com", groups = ["developer"], expect = "not_found" },
        { action = "view_parameters", by = "nora@example.com", groups = ["developer"], expect = "not_found" },
        { action = "view", by = "gil@example.com", groups = ["guest"], at = "2026-03-02T12:00:00Z", expect = "not_found" },"#,
    );
    assert_eq!(run(&passing, &policy), [Vec::new()]);
    let failing = case(r#"{ action = "view", by = "nora@example.com", groups = ["developer"] }"#);
    let failures = run(&failing, &policy).remove(0);
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(failures[0].what, "step 1, view by nora@example.com");
    assert_eq!(failures[0].found, "refused (not_found)");
}

/// Of a policy that demands a long justification, cases that are about something else stay as they are.
#[test]
fn a_justification_is_long_enough_unless_a_case_says_otherwise() {
    let operations =
        format!("{}\n[rules.why]\njustification_min = 40", countersign_core::policy::BUNDLED_OPERATIONS);
    let text = PolicyText { operations: &operations, people: GROUPS, access: ACCESS };
    let policy = countersign_policy::load::check(&text).unwrap().0;
    let case = |justification: &str, expected: &str| {
        format!(
            "[[cases]]\nname = \"why\"\nrequest = {{ by = \"ann@example.com\", operation_type = \"reboot\", instance_id = \"orders-db\", environment = \"production\"{justification} }}\nexpect = {{ {expected} }}\n"
        )
    };
    let table = [
        case("", "status = \"pending\", justification_min = 40"),
        case(
            ", justification = \"it hangs\"",
            "refused = \"validation_failed\", reason = \"at least 40 characters by policy, not 8 (rules.why)\"",
        ),
    ];
    assert_eq!(run(&table.concat(), &policy), [Vec::new(), Vec::new()]);
}

#[test]
fn whatever_is_not_as_expected_is_reported_with_its_reasons() {
    let request = r#"by = "ann@example.com", operation_type = "modify_storage", instance_id = "orders-db", environment = "production", ticket = "T""#;
    for (case, what, expected, found, reason) in [
        (
            "expect = { risk_level = \"low\" }",
            "risk_level",
            "low",
            "high",
            "operations.modify_storage: risk high in production",
        ),
        (
            "expect = { environment = \"non-production\" }",
            "environment",
            "non-production",
            "production",
            "rules.expensive: ",
        ),
        (
            "expect = { slots = { dba = 2 } }",
            "slots",
            "2 of dba",
            "1 of controlling or finance, 1 of dba",
            "approvals.high: 2 approvals",
        ),
        (
            "expect = { slots = {} }",
            "slots",
            "none",
            "1 of controlling or finance, 1 of dba",
            "rules.expensive",
        ),
        ("expect = { cost_limit = 10 }", "cost_limit", "10", "5000", "rules.limit: a cost of at most 5000"),
        ("expect = { required_fields = [] }", "required_fields", "none", "ticket", "rules.expensive"),
        (
            "expect = { rules = [\"rules.cheap\"] }",
            "rules",
            "rules.cheap",
            "operations.modify_storage, rules.expensive, rules.limit, approvals.high",
            "approvals.high",
        ),
        (
            "expect = { refused = \"not_permitted\" }",
            "refused",
            "not_permitted",
            "pending, not refused",
            "rules.expensive",
        ),
        ("expect = { status = \"approved\" }", "status", "approved", "pending", "rules.expensive"),
        (
            "steps = [{ by = \"dan@example.com\", expect = \"approved\" }]",
            "step 1, approve by dan@example.com",
            "approved",
            "pending",
            "rules.expensive: 1 of controlling or finance, 1 of dba",
        ),
        (
            "steps = [{ by = \"dan@example.com\", expect = \"self_approval\" }]",
            "step 1, approve by dan@example.com",
            "refused (self_approval)",
            "pending, not refused",
            "rules.expensive",
        ),
        (
            "steps = [{ by = \"ann@example.com\" }]\nexpect = { status = \"pending\" }",
            "step 1, approve by ann@example.com",
            "not refused",
            "refused (self_approval)",
            "nobody decides on their own request",
        ),
        (
            "steps = [{ by = \"ann@example.com\", expect = \"not_permitted\" }]",
            "step 1, approve by ann@example.com",
            "refused (not_permitted)",
            "refused (self_approval)",
            "nobody decides",
        ),
        (
            "steps = [{ by = \"dan@example.com\", at = \"2026-03-02T19:00:00Z\", expect = \"not_permitted\", reason = \"weekend\" }]",
            "step 1, approve by dan@example.com, reason",
            "a reason that has `weekend` in it",
            "none",
            "forbidden by policy `office-hours`",
        ),
    ] {
        let table =
            format!("[[cases]]\nname = \"x\"\nrequest = {{ {request}, estimated_cost = 600 }}\n{case}");
        let failures = run(&table, &policy()).remove(0);
        assert_eq!(failures.len(), 1, "{case}: {failures:#?}");
        let failure = &failures[0];
        assert_eq!(
            (failure.what.as_str(), failure.expected.as_str(), failure.found.as_str()),
            (what, expected, found),
            "{case}"
        );
        assert!(failure.reasons.iter().any(|found| found.contains(reason)), "no `{reason}` in {failure:#?}");
    }
    // A request that cannot be made has no status: the refusal is the one failure.
    let table = format!(
        "[[cases]]\nname = \"x\"\nrequest = {{ {request}, estimated_cost = 9000 }}\nsteps = [{{ by = \"dan@example.com\" }}]\nexpect = {{ status = \"approved\" }}"
    );
    let failures = run(&table, &policy()).remove(0);
    assert_eq!(failures.len(), 1, "{failures:#?}");
    assert_eq!(
        (failures[0].what.as_str(), failures[0].found.as_str()),
        ("request", "refused (validation_failed)")
    );
    assert_eq!(failures[0].reasons, ["estimated_cost must be at most 5000 by policy"]);
}

#[test]
fn a_table_that_cannot_be_meant_is_refused_with_its_line() {
    let case = "[[cases]]\nname = \"x\"\nrequest = { by = \"ann@example.com\", operation_type = \"reboot\", instance_id = \"orders-db\", environment = \"production\" }\nexpect = { status = \"pending\" }\n";
    assert_eq!(parse(&format!("{PEOPLE}{case}")).unwrap()[0].line, 7);
    for (from, to, line, said) in [
        ("status = \"pending\"", "state = \"pending\"", 4, "cases.expect has an unknown field `state`"),
        (
            "status = \"pending\"",
            "status = \"open\"",
            4,
            "cases.expect.status `open` must be one of pending, approved",
        ),
        ("status = \"pending\"", "refused = \"forbidden\"", 4, "must be one of not_found"),
        (
            "status = \"pending\"",
            "slots = { dba = -1 }",
            4,
            "cases.expect.slots.dba must be a whole number from 0 to 255, not `-1`",
        ),
        ("status = \"pending\"", "cost_limit = -1", 4, "must be 0 or a number"),
        (
            "status = \"pending\"",
            "required_fields = [\"price\"]",
            4,
            "cases.expect.required_fields has an element that must be one of",
        ),
        ("status = \"pending\"", "reason = \"x\"", 2, "expect.reason is about a refusal"),
        ("status = \"pending\"", "status = \"pending\", refused = \"not_permitted\"", 2, "leaves no request"),
        ("expect = { status = \"pending\" }", "", 2, "this case can never fail"),
        ("expect = { status = \"pending\" }", "expect = {}", 2, "this case can never fail"),
        ("name = \"x\"", "name = \" \"", 2, "name must not be empty"),
        ("name = \"x\"", "", 1, "cases lacks `name`"),
        ("ann@example.com", "ann", 3, "cases.request.by `ann` must be an e-mail address"),
        ("ann@example.com", "zoe@example.com", 3, "zoe@example.com has no groups"),
        ("\"reboot\"", "\"re boot\"", 3, "operation_type must be 1 to 128"),
        ("\"orders-db\"", "\"\"", 3, "instance_id must be 1 to 512"),
        ("\"production\"", "\"prod\"", 3, "cases.request.environment must be "),
        (
            "\"production\" }",
            "\"production\", at = \"monday\" }",
            3,
            "cases.request.at `monday` must be an RFC 3339",
        ),
        ("\"production\" }", "\"production\", cost = 1 }", 3, "unknown field `cost`"),
        (
            "\"production\" }",
            "\"production\", source_ip = \"10.0.0\" }",
            3,
            "cases.request.source_ip `10.0.0` must be an IP address",
        ),
        (
            "\"production\" }",
            "\"production\", kind = \"robot\" }",
            3,
            "`robot` must be one of human, agent, service",
        ),
        (
            "\"production\" }",
            "\"production\", estimated_cost = \"much\" }",
            3,
            "cases.request.estimated_cost must be a number, not \"much\"",
        ),
        (
            "expect =",
            "steps = [{ by = \"dan@example.com\", expects = \"pending\" }]\nexpect =",
            4,
            "cases.steps has an unknown field `expects`",
        ),
        (
            "expect =",
            "steps = [{ by = \"dan@example.com\", expect = \"open\" }]\nexpect =",
            4,
            "must be a status (pending",
        ),
        (
            "expect =",
            "steps = [{ by = \"dan@example.com\", action = \"veto\" }]\nexpect =",
            4,
            "cases.steps.action must be one of `approve`, ",
        ),
        (
            "expect =",
            "steps = [{ by = \"dan@example.com\", at = \"2026-03-01T00:00:00Z\" }]\nexpect =",
            4,
            "at must not be before 2026-03-02T10:00:00.000Z",
        ),
        (
            "expect =",
            "steps = [{ by = \"dan@example.com\", reason = \"x\" }]\nexpect =",
            4,
            "reason is about a refusal",
        ),
        (
            "status = \"pending\"",
            "slots = { \"dba | finance\" = 1, \"finance|dba\" = 1 }",
            4,
            "cases.expect.slots must name the same groups once: `dba | finance` and `finance|dba` are one slot",
        ),
        ("[[cases]]", "[[case]]", 1, "unknown field `case`"),
    ] {
        let text = case.replacen(from, to, 1);
        assert_ne!(text, case, "{from}");
        let text = format!("{text}{}", PEOPLE.replace("\n    ", "\n"));
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("tests.toml:{line}: ")), "{to}: {error}");
        assert!(error.contains(said), "{to}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    for text in ["", "cases = []", "[[cases]", "\u{feff}\0"] {
        assert!(parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_person_can_be_in_a_group_by_its_alias() {
    let people =
        People::parse("groups = [\"developer\", \"dba\"]\n[group_aliases]\n\"CN=DBA Team,OU=x\" = \"dba\"\n");
    let text = "[people]\n\"dan@example.com\" = [\"CN=DBA Team,OU=x\"]\n[[cases]]\nname = \"x\"\nrequest = { by = \"dan@example.com\", operation_type = \"reboot\", instance_id = \"orders-db\", environment = \"production\" }\nexpect = { refused = \"not_permitted\" }\n";
    assert_eq!(cases::parse(text, &people.unwrap()).unwrap().len(), 1);
    assert!(
        cases::parse(&text.replace("Team", "Teams"), &People::parse("groups = [\"dba\"]").unwrap()).is_err()
    );
}

/// Else they would be in no group, and each case with them would fail as if nothing were there.
#[test]
fn a_person_in_a_group_that_policy_does_not_know_is_refused_with_the_line() {
    let case = "[[cases]]\nname = \"x\"\nrequest = { by = \"ann@example.com\", groups = [\"wheel\"], operation_type = \"reboot\", instance_id = \"orders-db\", environment = \"production\" }\nexpect = { refused = \"not_permitted\" }\n";
    let policy = policy();
    let known = policy.people();
    let text = format!("{PEOPLE}{case}");
    // What a token says besides is no mistake.
    assert_eq!(cases::parse(&text, known).unwrap().len(), 1);
    let text = text.replace("\"approver\", \"finance\"", "\"approver\",\n \"finances\"");
    let error = cases::parse(&text, known).unwrap_err().to_string();
    assert_eq!(
        error,
        "tests.toml:6: people.fay@example.com names `finances`, which is not one of the groups in people.toml"
    );
}

#[test]
fn the_day_of_the_run_does_not_matter() {
    // 10:00 UTC, each step a minute later: before 18:00, however many there are.
    let table = r#"
        [[cases]]
        name = "x"
        request = { by = "ann@example.com", operation_type = "create_snapshot", instance_id = "orders-db", environment = "production", ticket = "T" }
        steps = [{ by = "dan@example.com" }, { by = "fay@example.com", expect = "approved" }]
        expect = { refused = "validation_failed", reason = "estimated_cost is required" }
    "#;
    let error = parse(&format!("{PEOPLE}{table}")).unwrap_err().to_string();
    assert!(error.contains("leaves no request"), "{error}");
    let table = table
        .replace("expect = { refused = \"validation_failed\", reason = \"estimated_cost is required\" }", "");
    let table = table.replace("ticket = \"T\"", "ticket = \"T\", estimated_cost = 501");
    assert_eq!(run(&table, &policy()), [Vec::new()]);
}
