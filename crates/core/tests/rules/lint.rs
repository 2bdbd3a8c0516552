//! What is odd about a policy is found, with its place; what is not odd is left alone.

mod inspection;
mod names;
mod people;

use crate::fixture::after;
use countersign_core::policy::finding::Severity;
use countersign_core::policy::{Policy, PolicyText};
use countersign_policy::lint::{Lint, lint};

const OPERATIONS: &str = r#"
    [defaults]
    pending_seconds = 3600
    execute_within_seconds = 600
    [approvals]
    low = 0
    medium = 1
    high = 2
    [environments]
    non_production_instances = ["dev-*", "*-test"]
    [operations.modify_storage]
    production = "high"
    non_production = "medium"
    [operations.reboot]
    production = "high"
    non_production = "medium"
"#;

const GROUPS: &str = r#"groups = ["developer", "approver", "dba", "finance"]"#;

const ACCESS: &str = r#"
    @id("developer")
    permit (principal in Group::"developer", action, resource) when { context.own };
    @id("approver")
    permit (principal in Group::"approver", action, resource);
"#;

fn policy(operations: &str, people: &str, access: &str) -> Policy {
    let text = PolicyText { operations, people, access };
    countersign_policy::load::check(&text).unwrap_or_else(|error| panic!("{error}\n{operations}{access}")).0
}

fn with(rules: &str) -> Policy {
    policy(&format!("{OPERATIONS}\n{rules}"), GROUPS, ACCESS)
}

fn found(policy: &Policy) -> Vec<Lint> {
    // A Thursday at midnight: a policy that asks for office hours is asked at others, too.
    lint(policy, after(0))
}

fn shown(lints: &[Lint]) -> Vec<String> {
    lints.iter().map(|lint| format!("{}: {lint}", lint.severity)).collect()
}

/// Errors and warnings about rules: what all these policies have in common is not one of them.
fn oddities(policy: &Policy) -> Vec<String> {
    let mut lints = found(policy);
    lints.retain(|lint| lint.severity != Severity::Note);
    shown(&lints)
}

#[test]
fn the_bundled_policy_has_nothing_odd() {
    let policy = countersign_policy::load::bundled().unwrap();
    assert_eq!(oddities(&policy), Vec::<String>::new());
    let notes = shown(&found(&policy));
    let automatic: Vec<_> = notes.iter().filter(|note| note.contains("needs no approval")).collect();
    let operations = ["create_snapshot", "enable_enhanced_monitoring", "read_file"];
    assert_eq!(automatic.len(), operations.len(), "{notes:?}");
    for (note, operation) in automatic.iter().zip(operations) {
        assert!(note.contains(&format!("operations.{operation}:")), "{notes:?}");
        assert!(note.contains("whoever is in admin, agent or developer"), "{notes:?}");
    }
    assert!(notes[0].contains("needs no approval in non-production:"), "{notes:?}");
}

#[test]
fn each_oddity_is_found_once_and_at_its_place() {
    for (rules, expected) in [
        (
            "[rules.nowhere]\nenvironment = \"non-production\"\ninstances = [\"orders\"]\napprovals = 3",
            &["warning: operations.toml: rules.nowhere: never holds"][..],
        ),
        (
            "[rules.nameless]\ninstances = [\"prod db*\"]\napprovals = 3",
            &[
                "warning: operations.toml: rules.nameless: never holds",
                "warning: operations.toml: rules.nameless.instances: `prod db*` matches no name that an instance may have",
            ],
        ),
        (
            "[rules.unlisted]\noperations = [\"drop_*\"]\napprovals = 3",
            &[
                "warning: operations.toml: rules.unlisted.operations: `drop_*` matches no operation of the catalogue",
            ],
        ),
        (
            "[rules.lax]\noperations = [\"reboot\"]\nrisk = \"medium\"\napprovals = 1",
            &[
                "warning: operations.toml: rules.lax: taking it out changes nothing: other parts of the policy demand as much, wherever it holds; of reboot on ",
            ],
        ),
        (
            "[rules.all]\nslots = { approver = 2 }\napprovals = 3\n
             [rules.some]\ninstances = [\"prod-*\"]\nslots = { approver = 1 }",
            &[
                "warning: operations.toml: rules.some: taking it out changes nothing: rules.all demands as much",
            ],
        ),
        (
            "[rules.limit]\ncost_limit = 500\n[rules.expensive]\ncost_above = 1000\nslots = { approver = 1 }",
            &[
                "warning: operations.toml: rules.expensive: changes nothing: every request that it is about is refused, for costing more than 500",
            ],
        ),
        (
            "[rules.cheap]\ncost_at_most = 500\nslots = { approver = 1 }\napprovals = 3",
            &[
                "warning: operations.toml: rules.cheap: a request that costs more than 500, or names no cost, gets off with less",
            ],
        ),
        (
            "[rules.databases]\nslots = { dba = 1 }",
            &[
                "warning: operations.toml: rules.databases: whoever is in dba alone could not give 1 of dba: access.cedar lets them approve only if they are in approver as well; for example ",
            ],
        ),
        (
            "[rules.one]\ninstances = [\"*-db\"]\nslots = { approver = 6 }\n
             [rules.two]\ninstances = [\"prod-*\"]\nslots = { \"approver|dba\" = 5 }",
            &[
                "error: operations.toml: rules.one: could never be approved: rules.one, rules.two together demand 11 approvals, and a request holds at most 10; for example ",
            ],
        ),
    ] {
        let odd = oddities(&with(rules));
        assert_eq!(odd.len(), expected.len(), "{rules}\n{odd:#?}");
        for (odd, expected) in odd.iter().zip(expected) {
            assert!(odd.contains(expected), "no `{expected}` in {odd}");
        }
    }
}

#[test]
fn two_globs_that_meet_are_tried_together() {
    // `dev-orders` is non-production and an `*-orders`.
    let meet = "[rules.orders]\nenvironment = \"non-production\"\ninstances = [\"*-orders\"]\napprovals = 3";
    assert_eq!(oddities(&with(meet)), Vec::<String>::new());
    let rules = "[rules.one]\ninstances = [\"a*\"]\nslots = { approver = 6 }\n
                 [rules.two]\ninstances = [\"*b\"]\nslots = { \"approver|dba\" = 5 }";
    let odd = oddities(&with(rules));
    assert!(odd.len() == 1 && odd[0].contains("could never be approved"), "{odd:?}");
}

#[test]
fn rules_that_each_add_something_are_left_alone() {
    let rules = r#"
        [rules.cheap]
        cost_at_most = 100
        approvals = 3
        [rules.middle]
        cost_above = 100
        cost_at_most = 500
        approvals = 4
        [rules.expensive]
        cost_above = 500
        approvals = 5
        [rules.quick]
        cost_at_most = 100
        pending_seconds = 60
        [rules.outsiders]
        requester_groups = ["finance"]
        required_fields = ["ticket"]
        [rules.prod]
        instances = ["prod-*"]
        slots = { approver = 1 }
        [rules.prod-databases]
        instances = ["prod-db-*"]
        slots = { approver = 2 }
    "#;
    assert_eq!(oddities(&with(rules)), Vec::<String>::new());
    // Two that say the same: each may be taken out, not both.
    let twins = "[rules.a]\nslots = { approver = 3 }\n[rules.b]\nslots = { approver = 3 }";
    let odd = oddities(&with(twins));
    assert!(
        odd.len() == 2 && odd[0].contains("rules.b demands") && odd[1].contains("rules.a demands"),
        "{odd:?}"
    );
}

#[test]
fn a_slot_that_no_person_could_fill_is_an_error() {
    let rules = "[rules.costs]\noperations = [\"reboot\"]\nslots = { finance = 1 }";
    let operations = format!("{OPERATIONS}\n{rules}");
    let forbid = format!(
        "{ACCESS}@id(\"finance\") forbid (principal in Group::\"finance\", action == Action::\"approve\", resource);"
    );
    // In office hours, and from the company's network, a person could.
    let hours = format!(
        "{ACCESS}@id(\"finance\") permit (principal in Group::\"finance\", action, resource);
        @id(\"hours\") forbid (principal, action == Action::\"approve\", resource) unless {{
            context.weekday == Weekday::\"tuesday\" && context.hour == 9 && context has source_ip
            && context.source_ip.isInRange(ip(\"10.1.0.0/16\")) }};"
    );
    assert_eq!(oddities(&policy(&operations, GROUPS, &hours)), Vec::<String>::new());
    let odd = oddities(&policy(&operations, GROUPS, &forbid));
    assert_eq!(odd.len(), 1, "{odd:#?}");
    let expected = "error: operations.toml: rules.costs: nobody could give 1 of finance: access.cedar lets nobody approve who is in finance, alone or with one other group; for example reboot on ";
    assert!(odd[0].starts_with(expected), "{odd:?}");
    // With many groups as well, a network and an hour of one day are found.
    let groups: Vec<_> = (0..30).map(|n| format!("\"group{n}\"")).collect();
    let people = GROUPS.replace("[\"developer\"", &format!("[{}, \"developer\"", groups.join(", ")));
    assert_eq!(oddities(&policy(&operations, &people, &hours)), Vec::<String>::new());
    // An agent does not decide, even if a policy says so.
    let agents = ACCESS.replace("\"approver\"", "\"agent\"");
    let people = GROUPS.replace("\"approver\"", "\"agent\"");
    let odd = oddities(&policy(OPERATIONS, &people, &agents));
    assert!(odd.iter().any(|odd| odd.contains("nobody could approve it")), "{odd:#?}");
    let nobody =
        r#"@id("developer") permit (principal in Group::"developer", action == Action::"create", resource);"#;
    let odd = oddities(&policy(&operations, GROUPS, nobody));
    assert!(odd.iter().any(|odd| odd.contains("nobody could approve it: ")), "{odd:#?}");
    assert!(odd.iter().all(|odd| odd.starts_with("error: ")), "{odd:#?}");
    // Authorizer policies may name an operation that no rule tells apart.
    let forbid = format!(
        "{ACCESS}@id(\"no\") forbid (principal, action == Action::\"approve\", resource == Operation::\"modify_storage\");"
    );
    let odd = oddities(&policy(OPERATIONS, GROUPS, &forbid));
    assert!(
        odd.len() == 1 && odd[0].contains(": operations.modify_storage: nobody could approve it"),
        "{odd:#?}"
    );
}

#[test]
fn what_runs_without_a_second_pair_of_eyes_is_listed_or_warned_of() {
    let low = format!("{OPERATIONS}\n[operations.read]\nproduction = \"low\"\nnon_production = \"low\"\n");
    let everybody = r#"@id("all") permit (principal, action, resource);"#;
    let all_groups =
        r#"@id("all") permit (principal, action, resource) unless { context.groups.isEmpty() };"#;
    for (access, rules, expected) in [
        (
            ACCESS,
            "",
            "note: operations.toml: operations.read: needs no approval in production and non-production: whoever is in approver or developer starts it without a second pair of eyes",
        ),
        (
            everybody,
            "",
            "warning: operations.toml: operations.read: needs no approval in production and non-production, and anybody may ask for it: even somebody in no group",
        ),
        (
            all_groups,
            "",
            "warning: operations.toml: operations.read: needs no approval in production and non-production, and anybody may ask for it who is in any group",
        ),
        (
            ACCESS,
            "[rules.production]\nenvironment = \"production\"\noperations = [\"read\"]\nrisk = \"medium\"\nrequester_groups = [\"developer\"]",
            "note: operations.toml: operations.read: needs no approval in production and non-production: whoever is in approver or developer",
        ),
        (
            ACCESS,
            "[rules.costs]\noperations = [\"read\"]\ncost_above = 10\napprovals = 1",
            "needs no approval in production and non-production, for some instances or costs: whoever",
        ),
    ] {
        let lints = shown(&found(&policy(&format!("{low}{rules}"), GROUPS, access)));
        let about: Vec<_> = lints.iter().filter(|lint| lint.contains("needs no approval")).collect();
        assert!(about.len() == 1 && about[0].contains(expected), "{lints:#?}");
    }
    let checked = format!("{low}[rules.always]\noperations = [\"read\"]\napprovals = 1");
    assert!(
        shown(&found(&policy(&checked, GROUPS, ACCESS)))
            .iter()
            .all(|lint| !lint.contains("needs no approval"))
    );
}

#[test]
fn names_of_nothing_are_found() {
    let lints = shown(&found(&with("")));
    assert_eq!(
        lints,
        [
            "note: people.toml: groups: `dba` means nothing: neither access.cedar nor any rule names it",
            "note: people.toml: groups: `finance` means nothing: neither access.cedar nor any rule names it"
        ]
    );
    let named = "[rules.x]\nslots = { \"approver|dba\" = 1 }\n[rules.y]\nrequester_groups = [\"finance\"]\napprovals = 3";
    assert_eq!(shown(&found(&with(named))), Vec::<String>::new());
    let odd = OPERATIONS
        .replace("\"*-test\"", "\"-test\", \"a b*\"")
        .replace("operations.reboot", "operations.\"re boot\"");
    let odd = oddities(&policy(&odd, GROUPS, ACCESS));
    assert_eq!(odd.len(), 3, "{odd:#?}");
    assert!(
        odd[0].contains("non_production_instances: `-test` matches no name that an instance may have"),
        "{odd:#?}"
    );
    assert!(odd[2].contains("operations.\"re boot\": no request can name this operation"), "{odd:#?}");
}

#[test]
fn too_many_rules_or_combinations_are_said_and_do_not_take_forever() {
    let many: String = (0..40).map(|n| format!("[rules.r{n}]\npending_seconds = {}\n", 1000 + n)).collect();
    let odd = oddities(&with(&many));
    assert!(odd[0].contains("error: operations.toml: rules: could never be made: "), "{odd:#?}");
    let wide: String = (0..60)
        .map(|n| {
            format!(
                "[rules.r{n}]\noperations = [\"op{n}*\"]\ninstances = [\"host{n}-*\"]\ncost_above = {n}\nrequester_groups = [\"dba\"]\nrequired_fields = [\"ticket\"]\n"
            )
        })
        .collect();
    let odd = oddities(&with(&wide));
    assert!(odd.iter().any(|odd| odd.contains("combinations of what these rules tell apart")), "{odd:#?}");
}
