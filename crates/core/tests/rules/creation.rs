//! Creation: what policy demands is pinned to the request, and nothing the requester says lowers it.

use crate::fixture::{
    APPROVED_MS, HIGH, LOW, MEDIUM, PENDING_MS, Trail, after, ann, code, create, draft, human, policy,
    service,
};
use countersign_core::caller::PrincipalKind;
use countersign_core::command::Draft;
use countersign_core::event::EventType;
use countersign_core::person::PersonId;
use countersign_core::policy::rules::Rules;
use countersign_core::principal::Principal;
use countersign_core::request::Status;
use countersign_core::risk::{Environment, RiskLevel};
use serde_json::json;

fn made_by(actor: &Principal) -> Result<Status, &'static str> {
    create(draft(HIGH), actor, &policy(2), None).map(|event| event.status).map_err(|refusal| code(&refusal))
}

#[test]
fn risk_decides_how_many_must_agree() {
    for (operation, needed, status) in
        [(LOW, 0, Status::Approved), (MEDIUM, 1, Status::Pending), (HIGH, 2, Status::Pending)]
    {
        let request = Trail::open(operation).request;
        assert_eq!((request.content.approvals_required, request.status), (needed, status), "{operation}");
    }
}

#[test]
fn an_operation_nobody_listed_needs_two_people() {
    for operation in ["drop_everything", "Enable_Enhanced_Monitoring", "enable_enhanced_monitoring.", "low"] {
        let request = Trail::open(operation).request;
        assert_eq!(
            (request.content.risk_level, request.content.approvals_required),
            (RiskLevel::High, 2),
            "{operation}"
        );
    }
}

#[test]
fn what_the_requester_declares_raises_the_demand_and_never_lowers_it() {
    for (operation, instance, environment, declared, risk, needed) in [
        (HIGH, "orders-db", "production", Some(RiskLevel::Low), RiskLevel::High, 2),
        (HIGH, "orders-db", "non-production", Some(RiskLevel::Low), RiskLevel::High, 2),
        (HIGH, "dev-orders-db", "non-production", None, RiskLevel::Medium, 1),
        (HIGH, "dev-orders-db", "production", None, RiskLevel::High, 2),
        (LOW, "orders-db", "production", Some(RiskLevel::High), RiskLevel::High, 2),
        (LOW, "orders-db", "production", Some(RiskLevel::Medium), RiskLevel::Medium, 1),
        ("drop_everything", "dev-orders-db", "non-production", Some(RiskLevel::Low), RiskLevel::High, 2),
    ] {
        let mut draft = Draft::new(operation, instance, &json!({}), environment, "why not").unwrap();
        draft.declared_risk = declared;
        let request = Trail::open_as(draft, &ann(), &policy(2), None).request;
        let place = format!("{operation} on {instance}, said to be {environment} and {declared:?}");
        assert_eq!(
            (request.content.risk_level, request.content.approvals_required),
            (risk, needed),
            "{place}"
        );
    }
}

#[test]
fn an_instance_is_production_unless_policy_says_otherwise() {
    for (instance, declared, expected) in [
        ("orders-db", "non-production", Environment::Production),
        ("dev-db", "production", Environment::Production),
        ("dev-db", "non-production", Environment::NonProduction),
        ("mydev-db", "non-production", Environment::Production),
    ] {
        let draft = Draft::new(MEDIUM, instance, &json!({}), declared, "why not").unwrap();
        let request = Trail::open_as(draft, &ann(), &policy(2), None).request;
        assert_eq!(request.content.environment, expected, "{instance} said to be {declared}");
    }
}

#[test]
fn the_demand_of_the_day_is_pinned_to_the_request() {
    let request = Trail::open(HIGH).request;
    assert_eq!(request.content.policy_version, policy(2).version());
    assert_ne!(request.content.policy_version, policy(3).version());
    assert_eq!(request.content.expires_at, after(PENDING_MS));
    assert_eq!(i64::from(request.content.execute_within_seconds) * 1000, APPROVED_MS);
    assert_eq!((request.approved_at, request.execute_by), (None, None));
}

#[test]
fn the_bundled_policy_gives_three_days_to_decide_and_one_to_start() {
    let policy = countersign_policy::load::bundled().unwrap();
    let request = Trail::open_as(draft(HIGH), &ann(), &policy, None).request;
    assert_eq!(request.content.expires_at, after(72 * 3_600_000));
    assert_eq!(request.content.execute_within_seconds, 24 * 3600);

    let tool_call = Draft::new("execute_bash", "dev-host", &json!({}), "non-production", "ls").unwrap();
    let request = Trail::open_as(tool_call, &human("robo", &["agent"]), &policy, None).request;
    assert_eq!((request.content.expires_at, request.content.approvals_required), (after(300_000), 2));
}

/// "Fully approved" with nobody's decision on it, and a deadline like every other approval.
#[test]
fn a_low_risk_request_is_approved_by_policy_alone() {
    let trail = Trail::open(LOW);
    assert_eq!(trail.events[0].change.event_type(), EventType::ApprovalRequestCreated);
    assert_eq!(trail.request.status, Status::Approved);
    assert_eq!(trail.request.decisions, []);
    assert_eq!(trail.request.approved_at, Some(after(0)));
    assert_eq!(trail.request.execute_by, Some(after(APPROVED_MS)));
}

#[test]
fn no_policy_asks_for_less_than_the_floors() {
    let text = |low: u8, medium: u8, high: u8| {
        format!(
            "[defaults]\npending_seconds = 60\nexecute_within_seconds = 60\n\
             [approvals]\nlow = {low}\nmedium = {medium}\nhigh = {high}\n[environments]\n"
        )
    };
    for (low, medium, high, usable) in [
        (0, 1, 2, true),
        (1, 2, 3, true),
        (0, 0, 2, false),
        (0, 1, 1, false),
        (0, 1, 0, false),
        (0, 0, 0, false),
    ] {
        let found = Rules::parse(&text(low, medium, high), policy(2).people().groups());
        assert_eq!(found.is_ok(), usable, "low {low}, medium {medium}, high {high}");
    }
}

#[test]
fn who_made_a_request_is_the_actor_and_who_filed_it_is_kept() {
    let mut requester = ann();
    requester.filed_by = Some(PersonId::service("pipeline").unwrap());
    let trail = Trail::open_as(draft(HIGH), &requester, &policy(2), None);
    assert_eq!(trail.request.content.requested_by, requester.person);
    assert_eq!(trail.request.content.filed_by, requester.filed_by);
    assert_eq!((&trail.events[0].user, trail.events[0].kind), (&requester.person, PrincipalKind::Human));
}

#[test]
fn groups_that_may_not_create_cannot() {
    for group in ["developer", "admin", "agent"] {
        assert_eq!(made_by(&human("ann", &[group])), Ok(Status::Pending), "{group}");
    }
    for groups in
        [&["approver"][..], &["auditor"], &["guest"], &["approver", "auditor", "guest"], &["Developer"], &[]]
    {
        assert_eq!(made_by(&human("ann", groups)), Err("not_permitted"), "{groups:?}");
    }
    assert_eq!(made_by(&service("pipeline", &["developer"])), Ok(Status::Pending));
}
