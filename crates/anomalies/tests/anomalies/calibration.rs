//! What the rules find of planted anomalies, and how often they find what is none.

use crate::planted::plant;
use crate::traffic::Traffic;
use countersign_anomalies::finding::{Finding, Rule};
use countersign_anomalies::fold::AnomalyState;
use countersign_core::audit::AuditEvent;
use countersign_core::event::EventType;
use std::collections::BTreeMap;
use strum::IntoEnumIterator;

const SEEDS: std::ops::Range<u64> = 1..6;

fn findings(events: &[AuditEvent]) -> Vec<Finding> {
    let mut state = AnomalyState::default();
    events.iter().flat_map(|event| state.add(event)).collect()
}

fn requests(events: &[AuditEvent]) -> usize {
    let is_request =
        |event: &&AuditEvent| event.event_type.known() == Some(EventType::ApprovalRequestCreated);
    events.iter().filter(is_request).count()
}

#[test]
#[expect(clippy::print_stdout, reason = "the numbers of docs/anomaly.md")]
fn nine_of_ten_planted_anomalies_of_each_rule_are_found() {
    let mut found = BTreeMap::<Rule, (usize, usize)>::new();
    for seed in SEEDS {
        let mut traffic = Traffic::of(seed);
        let planted = plant(&mut traffic);
        let findings = findings(&traffic.record());
        for anomaly in &planted {
            let (hits, all) = found.entry(anomaly.rule).or_default();
            *hits += usize::from(findings.iter().any(|finding| anomaly.is_found_by(finding)));
            *all += 1;
        }
    }
    for rule in Rule::iter() {
        let (hits, all) = found[&rule];
        println!("{rule}: {hits} of {all} found");
    }
    for rule in Rule::iter() {
        let (hits, all) = found[&rule];
        assert!(hits * 10 >= all * 9, "{rule}: {hits} of {all}");
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the numbers of docs/anomaly.md")]
fn one_in_a_thousand_requests_at_most_is_a_false_alarm() {
    let (mut alarms, mut all) = (BTreeMap::<Rule, usize>::new(), 0);
    for seed in SEEDS {
        let events = Traffic::of(seed).record();
        all += requests(&events);
        for finding in findings(&events) {
            *alarms.entry(finding.rule).or_default() += 1;
        }
    }
    for rule in Rule::iter() {
        println!("{rule}: {} false alarms", alarms.get(&rule).copied().unwrap_or_default());
    }
    let alarms: usize = alarms.values().sum();
    println!("{alarms} false alarms in {all} requests");
    assert!(alarms * 1_000 <= all, "{alarms} in {all}");
}
