//! Who could approve or ask, as far as it can be thought up: no person is missed whom policy lets, and
//! no person is found who may not.

use super::{ACCESS, GROUPS, OPERATIONS, found, oddities, policy, shown};
use countersign_access::BUNDLED;
use countersign_core::policy::{BUNDLED_OPERATIONS, Policy};
use countersign_policy::load::PolicyFiles;
use std::path::Path;

/// The policy of the example, with something else in `access.cedar` or something more.
pub(super) fn example(from: &str, to: &str) -> Policy {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policy/examples/office-hours");
    let files = PolicyFiles::read(&directory).unwrap();
    let text = files.text();
    let access = match from.is_empty() {
        true => format!("{}\n{to}", text.access),
        false => {
            assert!(text.access.contains(from), "the example has no {from}");
            text.access.replace(from, to)
        }
    };
    policy(text.operations, text.people, &access)
}

/// A `forbid` about approving.
pub(super) fn forbid(condition: &str) -> String {
    format!("@id(\"no\") forbid (principal, action == Action::\"approve\", resource) {condition};")
}

#[test]
fn the_approver_is_another_person_than_the_requester() {
    for condition in [
        "when { context.requester == principal }",
        "when { context.requester in Group::\"dba\" }",
        "unless { principal != context.requester }",
        "when { context.own }",
    ] {
        assert_eq!(oddities(&example("", &forbid(condition))), Vec::<String>::new(), "{condition}");
    }
}

#[test]
fn a_slot_whose_group_has_no_permit_of_its_own_is_reported_with_the_groups_that_have() {
    // Finance sees everything, and nothing lets them approve.
    let closed = example(
        "principal in Group::\"finance\",\n  action in [Action::\"approve\", Action::\"reject\"]",
        "principal in Group::\"finance\",\n  action in [Action::\"reject\"]",
    );
    let odd = oddities(&closed);
    assert_eq!(odd.len(), 1, "{odd:#?}");
    let expected = "warning: operations.toml: rules.expensive-production-rds: whoever is in finance alone could not give 1 of finance: access.cedar lets them approve only if they are in admin or approver or dba as well; for example ";
    assert!(odd[0].starts_with(expected), "{odd:#?}");
    assert_eq!(oddities(&example("", "")), Vec::<String>::new());
}

/// An approver approves only what they are shown.
#[test]
fn approvers_have_to_see_what_they_approve() {
    let operations = format!("{OPERATIONS}\n[rules.costs]\nslots = {{ finance = 1 }}");
    for (actions, is_enough) in [
        (r#"[Action::"approve"]"#, false),
        (r#"[Action::"approve", Action::"view"]"#, false),
        (r#"[Action::"approve", Action::"view_parameters"]"#, false),
        (r#"[Action::"approve", Action::"view", Action::"view_parameters"]"#, true),
    ] {
        let access = format!(
            "{ACCESS}@id(\"finance\") permit (principal in Group::\"finance\", action in {actions}, resource);"
        );
        let odd = oddities(&policy(&operations, GROUPS, &access));
        assert_eq!(odd.is_empty(), is_enough, "{actions}: {odd:#?}");
    }
}

#[test]
fn a_requester_who_needs_no_approval_may_be_an_agent_or_a_service() {
    let low = format!("{OPERATIONS}\n[operations.read]\nproduction = \"low\"\nnon_production = \"low\"\n");
    for (condition, who) in [
        (r#"context.kind == Kind::"service" && context.groups.isEmpty()"#, "any service starts it"),
        (r#"context.kind == Kind::"agent" && context.groups.isEmpty()"#, "any agent starts it"),
        (r#"principal in Group::"dba" && context.hour == 3"#, "whoever is in dba starts it"),
        (
            r#"context.kind == Kind::"service" && context.groups.isEmpty() || principal in [Group::"dba", Group::"finance"]"#,
            "whoever is in dba or finance or any service starts it",
        ),
    ] {
        let access = format!(
            "@id(\"approver\") permit (principal in Group::\"approver\", action, resource) unless {{ context.own }};
            @id(\"create\") permit (principal, action == Action::\"create\", resource) when {{ {condition} }};"
        );
        let lints = shown(&found(&policy(&low, GROUPS, &access)));
        let about: Vec<_> = lints.iter().filter(|lint| lint.contains("needs no approval")).collect();
        assert!(about.len() == 1 && about[0].starts_with("note: "), "{condition}: {lints:#?}");
        assert!(about[0].contains(who), "{condition}: {lints:#?}");
    }
}

#[test]
fn what_is_not_known_is_no_error_and_is_said() {
    let people = r#"groups = ["developer", "approver", "a", "b", "c", "d", "e", "f"]"#;
    let access = format!(
        r#"{BUNDLED} @id("no") forbid (principal, action == Action::"approve", resource) unless {{
            context.time.offset(duration("1h")) < datetime("1970-01-01") && ["a", "b", "c", "d", "e", "f"].containsAny(context.groups)
            && context.instance != context.operation && context.time > datetime("2026-01-01") }};"#
    );
    let people = people.replace(']', r#", "auditor", "admin", "guest", "agent"]"#);
    let lints = shown(&found(&policy(BUNDLED_OPERATIONS, &people, &access)));
    let said = "note: operations.toml: rules: 10000 questions to access.cedar did not tell";
    assert!(lints.iter().any(|lint| lint.starts_with(said)), "{lints:#?}");
    let errors = lints.iter().filter(|lint| lint.starts_with("error")).count();
    assert!(errors < BUNDLED_OPERATIONS.matches("[operations.").count() / 2, "{lints:#?}");
    // Who starts what alone is found all the same.
    assert!(lints.iter().any(|lint| lint.contains("needs no approval")), "{lints:#?}");
}

/// Two approvals are worth little where every caller may give them.
#[test]
fn a_permit_that_lets_every_caller_approve_is_found() {
    let people = "groups = [\"developer\", \"approver\", \"admin\", \"auditor\", \"agent\", \"guest\"]";
    for (permit, who) in [
        (r#"permit (principal, action, resource);"#, "even in no group"),
        (r#"permit (principal, action == Action::"approve", resource);"#, "even in no group"),
        (
            r#"permit (principal, action, resource) when { context.kind == Kind::"human" };"#,
            "even in no group",
        ),
        (
            r#"permit (principal, action == Action::"approve", resource) when { !context.groups.isEmpty() };"#,
            "who is in any group",
        ),
    ] {
        let policy = policy(BUNDLED_OPERATIONS, people, &format!("{BUNDLED}\n@id(\"t\") {permit}"));
        let odd = oddities(&policy);
        let warning = odd
            .iter()
            .find(|odd| odd.contains("may approve"))
            .unwrap_or_else(|| panic!("{permit}: {odd:#?}"));
        assert!(warning.contains(who) && warning.contains("access.cedar"), "{warning}");
    }
    let plain = policy(BUNDLED_OPERATIONS, people, BUNDLED);
    assert!(!oddities(&plain).iter().any(|odd| odd.contains("may approve")));
}
