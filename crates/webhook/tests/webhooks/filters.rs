//! Which events a webhook takes.

use crate::events::{anomaly, event, notification};
use countersign_core::event::EventType;
use countersign_core::risk::{Environment, RiskLevel};
use countersign_core::status::Status;
use countersign_core::text::Identifier;
use countersign_webhook::filter::{Filter, OperationPattern, is_published};
use countersign_webhook::settings::Rule;
use proptest::prelude::*;
use strum::IntoEnumIterator as _;

fn operations(patterns: &[&str]) -> Filter {
    let operations = patterns.iter().map(|pattern| OperationPattern::parse(pattern).unwrap()).collect();
    Filter { operations, ..Filter::default() }
}

#[test]
fn every_list_narrows_and_an_empty_one_does_not() {
    let all = Filter::default;
    for (filter, expected) in [
        (all(), true),
        (Filter { events: vec![EventType::ApprovalGranted], ..all() }, true),
        (Filter { events: vec![EventType::ApprovalRejected], ..all() }, false),
        (Filter { events: vec![EventType::ApprovalRejected, EventType::ApprovalGranted], ..all() }, true),
        (Filter { statuses: vec![Status::Approved], ..all() }, true),
        (Filter { statuses: vec![Status::Pending], ..all() }, false),
        (Filter { risk_levels: vec![RiskLevel::High], ..all() }, true),
        (Filter { risk_levels: vec![RiskLevel::Low, RiskLevel::Medium], ..all() }, false),
        (Filter { environments: vec![Environment::Production], ..all() }, true),
        (Filter { environments: vec![Environment::NonProduction], ..all() }, false),
        (operations(&["reboot"]), true),
        (operations(&["failover", "re*"]), true),
        (operations(&["reboo?"]), true),
        (operations(&["*"]), true),
        (operations(&["failover"]), false),
        (operations(&["rebo"]), false),
        (operations(&["Reboot"]), false),
        (Filter { statuses: vec![Status::Approved], risk_levels: vec![RiskLevel::Low], ..all() }, false),
        (Filter { statuses: vec![Status::Approved], risk_levels: vec![RiskLevel::High], ..all() }, true),
    ] {
        assert_eq!(filter.takes(&event(notification())), expected, "{filter:?}");
    }
}

#[test]
fn an_anomaly_is_for_those_who_name_it_or_take_everything() {
    let all = Filter::default;
    let named = vec![EventType::ApprovalGranted, EventType::AnomalyDetected];
    for (filter, expected) in [
        (all(), true),
        (Filter { events: named.clone(), ..all() }, true),
        (Filter { events: named, risk_levels: vec![RiskLevel::High], ..operations(&["reboot"]) }, true),
        (Filter { events: vec![EventType::ApprovalGranted], ..all() }, false),
        (Filter { statuses: vec![Status::Pending], ..all() }, false),
        (Filter { risk_levels: RiskLevel::iter().collect(), ..all() }, false),
        (Filter { environments: Environment::iter().collect(), ..all() }, false),
        (operations(&["*"]), false),
    ] {
        assert_eq!(filter.takes(&anomaly()), expected, "{filter:?}");
    }
}

#[test]
fn patterns_have_the_characters_of_operations() {
    for text in ["", "a b", "a\n", "é", "a,b", "[a]", &"a".repeat(129)] {
        assert_eq!(OperationPattern::parse(text), Err(Rule::OperationPattern), "{text:?}");
    }
    assert!(OperationPattern::parse(&"*".repeat(128)).is_ok());
}

#[test]
fn what_reaches_no_subscriber_cannot_be_asked_for() {
    let unpublished: Vec<_> = EventType::iter().filter(|event_type| !is_published(*event_type)).collect();
    assert_eq!(unpublished, [EventType::AttemptRefused, EventType::AuditRead]);
}

proptest! {
    /// One value more in a list that has some never takes less; one list more never takes more.
    #[test]
    fn lists_are_monotone(
        statuses in proptest::sample::subsequence(Status::iter().collect::<Vec<_>>(), 0..=8),
        risk_levels in proptest::sample::subsequence(RiskLevel::iter().collect::<Vec<_>>(), 0..=3),
        status in proptest::sample::select(Status::iter().collect::<Vec<_>>()),
        risk_level in proptest::sample::select(RiskLevel::iter().collect::<Vec<_>>()),
        operation in "[a-z]{1,6}",
    ) {
        let mut notification = notification();
        notification.status = status;
        notification.risk_level = risk_level;
        notification.operation_type = Identifier::parse(&operation).unwrap();
        let event = event(notification);
        let filter = Filter { statuses: statuses.clone(), risk_levels: risk_levels.clone(), ..Filter::default() };
        let expected = (statuses.is_empty() || statuses.contains(&status))
            && (risk_levels.is_empty() || risk_levels.contains(&risk_level));
        prop_assert_eq!(filter.takes(&event), expected);
        let narrower = Filter { operations: operations(&["a*"]).operations, ..filter };
        prop_assert_eq!(narrower.takes(&event), expected && operation.starts_with('a'));
    }
}
