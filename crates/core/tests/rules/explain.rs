//! Who is said to be able to give an approval that is missing, and whether anybody could at all.

use crate::fixture::{HIGH, Trail, after, ann, bob, context, draft};
use countersign_core::explain::{could_be_satisfied, explain};
use countersign_core::policy::access::Subject;
use countersign_core::policy::{BUNDLED_OPERATIONS, BUNDLED_PEOPLE, Policy, PolicyText};
use countersign_core::requirements::Requirements;
use countersign_core::risk::{Environment, RiskLevel};
use countersign_core::slots::{Groups, Slots};

/// The bundled policy with more groups, more rules and more about access.
fn policy(groups: &[&str], rules: &str, access: &str) -> Policy {
    let groups: String = groups.iter().map(|group| format!("\"{group}\", ")).collect();
    let people = BUNDLED_PEOPLE.replace("groups = [", &format!("groups = [{groups}"));
    let operations = format!("{BUNDLED_OPERATIONS}\n{rules}");
    let access = format!("{}\n{access}", countersign_access::BUNDLED);
    let text = PolicyText { operations: &operations, people: &people, access: &access };
    countersign_policy::load::check(&text).unwrap_or_else(|error| panic!("{error}")).0
}

fn set(groups: &[&str]) -> Groups {
    groups.iter().map(|group| (*group).to_owned()).collect()
}

/// Who could approve what ann asked for under one policy, under another.
fn approvers(made_under: &Policy, now: &Policy) -> Vec<Groups> {
    let trail = Trail::open_as(draft(HIGH), &ann(), made_under, None);
    explain(&trail.request, &bob(), &context(2, after(1)), now).approvers
}

#[test]
fn no_approver_is_in_a_group_that_policy_no_longer_knows() {
    let old = policy(&["dba", "sre"], "[rules.x]\nslots = { \"dba|sre\" = 2 }", "");
    let pairs = [set(&["admin", "dba"]), set(&["approver", "dba"])];
    assert_eq!(approvers(&old, &policy(&["dba"], "", "")), pairs);
    assert!(approvers(&old, &policy(&[], "", "")).is_empty());
}

#[test]
fn an_agent_is_not_said_to_be_able_to_approve() {
    let rules = "[rules.x]\nslots = { \"agent|dba\" = 2 }";
    let lets_agents = "@id(\"agents\") permit (principal in Group::\"agent\", action, resource);";
    let policy = policy(&["dba"], rules, lets_agents);
    assert_eq!(approvers(&policy, &policy), [set(&["admin", "dba"]), set(&["approver", "dba"])]);
}

#[test]
fn groups_that_are_not_shown_the_parameters_are_not_said_to_be_able_to_approve() {
    let lets = |actions: &str| {
        policy(
            &["dba"],
            "",
            &format!("@id(\"dba\") permit (principal in Group::\"dba\", action in [{actions}], resource);"),
        )
    };
    let blind = lets("Action::\"view\", Action::\"approve\"");
    assert_eq!(approvers(&blind, &blind), [set(&["admin"]), set(&["approver"])]);
    let seeing = lets("Action::\"view\", Action::\"view_parameters\", Action::\"approve\"");
    assert_eq!(approvers(&seeing, &seeing), [set(&["admin"]), set(&["approver"]), set(&["dba"])]);
}

/// Whether people could be found who fill these slots.
fn satisfiable(policy: &Policy, slots: &[(&[&str], u8)]) -> bool {
    let trail = Trail::open_as(draft(HIGH), &ann(), policy, None);
    let slots = Slots::new(slots.iter().map(|(groups, people)| (set(groups), *people)));
    let requirements =
        Requirements { approvals_required: slots.total().max(2), slots, ..trail.request.requirements() };
    let subject = Subject {
        operation_type: HIGH,
        instance_id: "orders-db",
        environment: Environment::Production,
        risk_level: RiskLevel::High,
        estimated_cost: None,
        requested_by: &ann().person,
    };
    could_be_satisfied(&requirements, &subject, &ann(), after(0), policy)
}

#[test]
fn no_agent_fills_a_slot() {
    let lets_agents = "@id(\"agents\") permit (principal in Group::\"agent\", action, resource);";
    let policy = policy(&["dba"], "", lets_agents);
    assert!(!satisfiable(&policy, &[(&["agent"], 1)]));
    assert!(satisfiable(&policy, &[(&["agent", "dba"], 1)]));
    assert!(!satisfiable(&policy, &[(&["gone"], 1)]));
}

#[test]
fn the_requester_is_none_of_the_approvers() {
    let not_own = "@id(\"no\") forbid (principal, action == Action::\"approve\", resource) when { context.requester == principal };";
    assert!(satisfiable(&policy(&["dba"], "", not_own), &[(&["dba"], 1)]));
    let ann_alone = "@id(\"no\") forbid (principal, action == Action::\"approve\", resource) unless { principal == Person::\"ann@example.com\" };";
    assert!(!satisfiable(&policy(&["dba"], "", ann_alone), &[(&["dba"], 1)]));
    let bob_alone = ann_alone.replace("ann@", "bob@");
    assert!(satisfiable(&policy(&["dba"], "", &bob_alone), &[(&["dba"], 1)]));
}

/// Edges that an hour's step misses: a minute of the week, a second of a year to come, a cost.
#[test]
fn the_edges_that_policy_names_are_tried() {
    let only = |when: &str| {
        let text = format!(
            "@id(\"no\") forbid (principal, action == Action::\"approve\", resource) unless {{ {when} }};"
        );
        satisfiable(&policy(&["dba"], "", &text), &[(&["dba"], 1)])
    };
    for when in [
        "context.weekday == Weekday::\"sunday\" && context.hour == 3 && context.minute == 17",
        "context.hour * 60 + context.minute == 510",
        "context.time >= datetime(\"2040-06-01T12:00:17Z\") && context.time < datetime(\"2040-06-01T12:00:18Z\")",
        "context.time >= datetime(\"2040-06-01\") && context.time < datetime(\"2040-06-03\") && context.hour == 23 && context.minute >= 59",
    ] {
        assert!(only(when), "{when}");
    }
    for when in [
        "context.hour == 3 && context.minute > 59",
        "context.time < datetime(\"1970-01-02\")",
        "context.time >= datetime(\"2040-06-01\") && context.time < datetime(\"2040-06-02\") && context.weekday == Weekday::\"sunday\"",
    ] {
        assert!(!only(when), "{when}");
    }
}

#[test]
fn what_is_not_known_may_be_satisfied() {
    let groups: Vec<String> = (0..20).map(|number| format!("g{number}")).collect();
    let names: Vec<&str> = groups.iter().map(String::as_str).collect();
    let named: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let never = format!(
        "@id(\"all\") permit (principal, action, resource);
        @id(\"no\") forbid (principal, action == Action::\"approve\", resource) unless {{ context.time.offset(duration(\"1h\")) < datetime(\"1970-01-01\") && [{}].containsAny(context.groups) }};",
        named.join(", ")
    );
    assert!(satisfiable(&policy(&names, "", &never), &[(&names, 1)]));
}

/// A group that was renamed while a request waits for an approver in it.
#[test]
fn a_slot_of_a_group_that_policy_no_longer_knows_is_said() {
    let old = policy(&["dba", "sre"], "[rules.x]\nslots = { dba = 1, sre = 1 }", "");
    let trail = Trail::open_as(draft(HIGH), &ann(), &old, None);
    let blocked = |now: &Policy| explain(&trail.request, &bob(), &context(2, after(1)), now).blocked;
    assert!(blocked(&old).is_empty());
    let renamed = blocked(&policy(&["database-administrator", "sre"], "", ""));
    assert_eq!(renamed.len(), 1, "{renamed:?}");
    assert!(
        renamed[0].starts_with("it waits for 1 of dba, and people.toml has no such group any more"),
        "{renamed:?}"
    );
}
