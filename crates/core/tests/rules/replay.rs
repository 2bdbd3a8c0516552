//! What another policy would have made of a past request: nothing else, or exactly what changes.

use crate::fixture::{HIGH, LOW, MEDIUM, after, ann, as_caller, bob, carol, draft, human, policy};
use countersign_core::command::Draft;
use countersign_core::creation;
use countersign_core::policy::{BUNDLED_PEOPLE, Policy, PolicyText};
use countersign_core::principal::Principal;
use countersign_core::request::Status;
use countersign_core::requirements::MatchedRule;
use countersign_core::risk::{Cost, RiskLevel};
use countersign_policy::replay::{self, Past, PastRequirements, Replay, declared_risk};
use strum::IntoEnumIterator;

/// What policy made of a request of ann's, approved by these in turn, a minute each.
fn past(draft: Draft, made_under: &Policy, status: Status, approvals: &[Principal]) -> Past {
    let assessment = creation::assess(&draft, &ann(), made_under);
    let requirements = assessment.requirements;
    let was_approved = !matches!(status, Status::Pending | Status::Rejected);
    let start = matches!(status, Status::Executing | Status::Executed | Status::Failed);
    Past {
        draft: Draft { declared_environment: requirements.environment, ..draft },
        requester: as_caller(ann()),
        made_at: after(0),
        status,
        requirements: PastRequirements {
            risk_level: requirements.risk_level,
            environment: requirements.environment,
            approvals_required: requirements.approvals_required,
            slots: requirements.slots,
            digest_required: requirements.digest_required,
            pending_seconds: requirements.pending_seconds,
            execute_within_seconds: was_approved.then_some(requirements.execute_within_seconds),
        },
        approvals: approvals
            .iter()
            .zip(1..)
            .map(|(actor, minute)| (as_caller(actor.clone()), after(minute * 60_000)))
            .collect(),
        was_approved,
        start: start.then(|| (as_caller(ann()), after(300_000))),
    }
}

/// The policy of the fixture with more in each file.
fn changed(rules: &str, people: &str, access: &str) -> Policy {
    let operations = format!(
        "[defaults]\npending_seconds = 3600\nexecute_within_seconds = 600\n[approvals]\nlow = 0\nmedium = 1\nhigh = 2\n
         [environments]\nnon_production_instances = [\"dev-*\"]\n
         [operations.{LOW}]\nproduction = \"low\"\nnon_production = \"low\"\n
         [operations.{MEDIUM}]\nproduction = \"medium\"\nnon_production = \"low\"\n
         [operations.{HIGH}]\nproduction = \"high\"\nnon_production = \"medium\"\n{rules}"
    );
    let people = BUNDLED_PEOPLE.replace("groups = [", "groups = [\"dba\", ") + people;
    let access = format!("{}{access}", countersign_access::BUNDLED);
    let text = PolicyText { operations: &operations, people: &people, access: &access };
    countersign_policy::load::check(&text).unwrap_or_else(|error| panic!("{error}")).0
}

fn executed() -> Past {
    past(draft(HIGH), &policy(2), Status::Executed, &[bob(), carol()])
}

fn requirements(replay: &Replay) -> Vec<String> {
    replay
        .requirements
        .iter()
        .map(|requirements| {
            format!("{}: {} -> {}", requirements.what, requirements.before, requirements.after)
        })
        .collect()
}

fn outcome(replay: &Replay) -> Option<(&str, &str)> {
    replay.outcome.as_ref().map(|outcome| (outcome.before.as_str(), outcome.after.as_str()))
}

#[test]
fn the_same_policy_makes_the_same_of_every_request() {
    for status in Status::iter() {
        let approvals = match status {
            Status::Pending | Status::Rejected => vec![bob()],
            Status::Approved
            | Status::Executing
            | Status::Expired
            | Status::Cancelled
            | Status::Executed
            | Status::Failed => {
                vec![bob(), carol()]
            }
        };
        let past = past(draft(HIGH), &policy(2), status, &approvals);
        for same in [policy(2), changed("", "", "")] {
            assert_eq!(replay::replay(&past, &same), Replay::default(), "{status}");
        }
    }
    let low = past(draft(LOW), &policy(2), Status::Executed, &[]);
    assert!(replay::replay(&low, &policy(2)).is_unchanged());
}

#[test]
fn other_terms_alone_are_reported_and_are_no_other_outcome() {
    let strict = changed(
        "[rules.x]\ndigest_required = true\npending_seconds = 600\nexecute_within_seconds = 300\n",
        "",
        "",
    );
    let found = replay::replay(&executed(), &strict);
    assert_eq!(outcome(&found), None);
    assert_eq!(
        requirements(&found),
        [
            "digest_required: false -> true",
            "pending_seconds: 3600 -> 600",
            "execute_within_seconds: 600 -> 300"
        ]
    );
    // How long its approval would have lasted is not on record.
    let pending = past(draft(HIGH), &policy(2), Status::Pending, &[]);
    assert_eq!(requirements(&replay::replay(&pending, &strict)).len(), 2);
}

#[test]
fn approvals_that_would_be_missing_are_named() {
    for (rules, people, access, after, reason, differences) in [
        (
            "[rules.x]\napprovals = 3",
            "",
            "",
            "not approved; missing: 1 of anybody who may approve",
            "",
            &["approvals_required: 2 -> 3"][..],
        ),
        (
            "[rules.x]\nslots = { dba = 1 }",
            "",
            "",
            "not approved; missing: 1 of dba",
            "the approval by carol@example.com would be refused (not_permitted): your approval would fill no open slot; missing: 1 of dba",
            &["slots: none -> 1 of dba"],
        ),
        (
            "[rules.x]\npending_seconds = 90",
            "",
            "",
            "not approved; missing: 1 of anybody who may approve",
            "carol@example.com would be refused (expired)",
            &["pending_seconds: 3600 -> 90"],
        ),
        (
            "[rules.x]\nexecute_within_seconds = 60",
            "",
            "",
            "approved, and not started",
            "the start by ann@example.com would be refused (expired)",
            &["execute_within_seconds: 600 -> 60"],
        ),
        (
            "",
            "\n[people.\"ann@example.com\"]\naddresses = [\"carol@example.com\"]\n",
            "",
            "not approved; missing: 1 of anybody who may approve",
            "carol@example.com would be refused (self_approval)",
            &[],
        ),
        (
            "",
            "\n[people.\"bob@example.com\"]\ndisabled = true\n",
            "",
            "not approved; missing: 1 of anybody",
            "`bob@example.com` is disabled",
            &[],
        ),
        (
            "",
            "\n[people.\"ann@example.com\"]\ndisabled = true\n",
            "",
            "refused (not_permitted)",
            "`ann@example.com` is disabled",
            &[],
        ),
        (
            "",
            "",
            "@id(\"no\") forbid (principal, action == Action::\"create\", resource);",
            "refused (not_permitted)",
            "forbidden by policy `no`",
            &[],
        ),
        (
            "[rules.x]\nrequired_fields = [\"ticket\"]",
            "",
            "",
            "refused (validation_failed)",
            "ticket is required by policy",
            &[],
        ),
        (
            "[rules.x]\ncost_limit = 10",
            "",
            "",
            "refused (validation_failed)",
            "estimated_cost is required: policy allows a cost of at most 10",
            &[],
        ),
    ] {
        let found = replay::replay(&executed(), &changed(rules, people, access));
        let (before, became) =
            outcome(&found).unwrap_or_else(|| panic!("{rules}{people}{access}: {found:?}"));
        assert_eq!(before, "executed");
        assert!(became.starts_with(after), "{rules}{people}{access}: {became}");
        assert!(reason.is_empty() || found.reasons.iter().any(|found| found.contains(reason)), "{found:#?}");
        assert_eq!(requirements(&found), differences, "{rules}");
    }
}

#[test]
fn a_policy_that_asks_for_less_shows_as_well() {
    let lax = |from: &str, to: &str| {
        let operations = "[defaults]\npending_seconds = 3600\nexecute_within_seconds = 600\n[approvals]\nlow = 0\nmedium = 1\nhigh = 2\n[environments]\n[operations.modify_instance_class]\nproduction = \"high\"\nnon_production = \"low\"\n";
        let text = PolicyText {
            operations: &operations.replace(from, to),
            people: BUNDLED_PEOPLE,
            access: countersign_access::BUNDLED,
        };
        countersign_policy::load::parse(&text).unwrap()
    };
    let made_under = lax("", "");
    let pending = past(draft(HIGH), &made_under, Status::Pending, &[bob()]);
    let found = replay::replay(&pending, &lax("\"high\"", "\"medium\""));
    assert_eq!(outcome(&found), Some(("pending", "approved")));
    assert_eq!(requirements(&found), ["risk_level: high -> medium", "approvals_required: 2 -> 1"]);
    let rejected = past(draft(HIGH), &made_under, Status::Rejected, &[]);
    let found = replay::replay(&rejected, &lax("\"high\"", "\"low\""));
    assert_eq!(outcome(&found), Some(("rejected", "approved by policy, at once")));
    // Whether ann declared production is not on record.
    let found = replay::replay(
        &rejected,
        &lax("[environments]", "[environments]\nnon_production_instances = [\"orders-*\"]"),
    );
    assert_eq!((outcome(&found), requirements(&found).len()), (None, 0));
    let unknown = found.unknown.unwrap();
    assert_eq!(
        unknown,
        "orders-db is non-production to this policy; unless the requester declared production, it would take 0 approvals at risk low"
    );
}

#[test]
fn a_declared_risk_is_found_where_it_mattered() {
    let policy = policy(2);
    for (declared, environment, expected) in [
        (Some(RiskLevel::High), "production", Some(RiskLevel::High)),
        (Some(RiskLevel::Low), "production", None),
        (None, "production", None),
    ] {
        let draft = Draft { declared_risk: declared, ..draft(MEDIUM) };
        let draft = Draft { declared_environment: environment.parse().unwrap(), ..draft };
        let assessment = creation::assess(&draft, &ann(), &policy);
        assert_eq!(
            declared_risk(&assessment.rules, assessment.requirements.risk_level),
            expected,
            "{declared:?}"
        );
    }
    // Nothing is on record, or something that no policy of ours says.
    assert_eq!(declared_risk(&[], RiskLevel::High), Some(RiskLevel::High));
    let odd = MatchedRule { name: "declared".to_owned(), demands: vec!["mayhem".to_owned()] };
    assert_eq!(declared_risk(&[odd], RiskLevel::Medium), Some(RiskLevel::Medium));
}

#[test]
fn an_address_that_is_not_known_is_one_that_policy_asks_for() {
    let network = "@id(\"network\") forbid (principal, action == Action::\"approve\", resource) unless { context has source_ip && context.source_ip.isInRange(ip(\"10.0.0.0/8\")) };";
    let policy = changed("", "", network);
    assert!(replay::replay(&executed(), &policy).is_unchanged());
    let mut elsewhere = executed();
    for (actor, _) in &mut elsewhere.approvals {
        actor.source_ip = Some("192.0.2.1".parse().unwrap());
    }
    let found = replay::replay(&elsewhere, &policy);
    assert!(found.reasons[0].contains("forbidden by policy `network`"), "{found:?}");
}

#[test]
fn costs_and_groups_of_then_count() {
    let rules =
        "[rules.expensive]\ncost_above = 500\nrequester_groups = [\"developer\"]\nslots = { dba = 1 }";
    let policy_then = policy(2);
    for (cost, changes) in [(None, true), (Some(500.0), false), (Some(501.0), true)] {
        let draft = Draft { estimated_cost: cost.map(|cost| Cost::new(cost).unwrap()), ..draft(HIGH) };
        let past = past(draft, &policy_then, Status::Executed, &[bob(), carol()]);
        assert_eq!(replay::replay(&past, &changed(rules, "", "")).outcome.is_some(), changes, "{cost:?}");
    }
    let dba =
        past(draft(HIGH), &policy_then, Status::Executed, &[human("dan", &["approver", "dba"]), carol()]);
    assert_eq!(replay::replay(&dba, &changed(rules, "", "")).outcome, None);
}

/// Approvals by people in a group that another policy calls otherwise.
#[test]
fn a_group_that_the_policy_does_not_know_is_said() {
    let dba = |name: &str| human(name, &["dba"]);
    let made_under = changed("[rules.x]\nslots = { dba = 2 }", "", DBA_APPROVES);
    let past = past(draft(HIGH), &made_under, Status::Executed, &[dba("bob"), dba("carol")]);
    assert!(replay::replay(&past, &made_under).is_unchanged());
    let renamed = BUNDLED_PEOPLE.replace("groups = [", "groups = [\"dbas\", ");
    let text = PolicyText {
        operations: countersign_core::policy::BUNDLED_OPERATIONS,
        people: &renamed,
        access: &format!("{}{}", countersign_access::BUNDLED, DBA_APPROVES.replace("\"dba\"", "\"dbas\"")),
    };
    let found = replay::replay(&past, &countersign_policy::load::check(&text).unwrap().0);
    assert!(found.outcome.is_some(), "{found:?}");
    let said = "people.toml does not know a group that mattered then, and being in it means nothing: dba";
    assert!(found.reasons.contains(&said.to_owned()), "{found:?}");
}

const DBA_APPROVES: &str = "@id(\"dba\") permit (principal in Group::\"dba\", action in [Action::\"view\", Action::\"view_parameters\", Action::\"approve\"], resource);";
