//! What is found and remembered follows from the events and their order alone.

use crate::dice::Dice;
use crate::events::{BEGIN, HOUR, Recorder, SECOND, person};
use countersign_anomalies::document::DocumentKey;
use countersign_anomalies::finding::{Finding, Rule};
use countersign_anomalies::fold::{AnomalyState, Touched};
use countersign_core::audit::AuditEvent;
use countersign_core::canonical::CanonicalJson;
use countersign_core::event::EventType;
use countersign_core::person::PersonId;
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// A few persons who do a lot, now and then a little back in time.
fn disorder(seed: u64, length: usize) -> Vec<AuditEvent> {
    let mut dice = Dice(seed);
    let mut recorder = Recorder::new();
    let mut persons: Vec<_> = ["ann", "bob", "eve", "dan"].into_iter().map(person).collect();
    persons.push(PersonId::service("pipeline").unwrap());
    persons.push(PersonId::expiry());
    let mut at = BEGIN;
    let types = [
        EventType::ApprovalRejected,
        EventType::ApprovalCancelled,
        EventType::ExecutionStarted,
        EventType::ExecutionSucceeded,
        EventType::CommentAdded,
        EventType::AnomalyDetected,
    ];
    (0..length)
        .map(|_| {
            at += if dice.happens(0.004) { 20 * HOUR } else { dice.between(-SECOND, 2 * SECOND) };
            let user = dice.choose(&persons).unwrap().clone();
            let requested_by = dice.choose(&persons).unwrap().clone();
            let request = dice.next() % 40;
            let event_type = match dice.next() % 30 {
                0 => return recorder.refused(&user, at),
                1 => return recorder.refused_often(&user, at - HOUR, at, request),
                2 => *dice.choose(&types).unwrap(),
                3..10 => EventType::ApprovalRequestCreated,
                _ => EventType::ApprovalGranted,
            };
            recorder.of_request(event_type, &user, at, request, &requested_by)
        })
        .collect()
}

/// Stored documents by the text of their key.
type Documents = BTreeMap<String, String>;

/// Adds a batch as a store does it: what is touched is loaded, and stored again.
fn add_batch(documents: &mut Documents, events: &[AuditEvent]) -> Vec<Finding> {
    let mut touched = Touched::default();
    events.iter().for_each(|event| touched.add(event));
    let mut state = AnomalyState::default();
    for key in &touched.documents {
        if let Some(text) = documents.get(&key.to_string()) {
            state.load(key, text).unwrap();
        }
    }
    let findings = events.iter().flat_map(|event| state.add(event)).collect();
    for key in &touched.documents {
        match state.document(key).unwrap() {
            Some(text) => documents.insert(key.to_string(), text),
            None => documents.remove(&key.to_string()),
        };
    }
    findings
}

fn in_batches(events: &[AuditEvent], longest: usize, dice: &mut Dice) -> (Documents, Vec<Finding>) {
    let (mut documents, mut findings) = (Documents::new(), Vec::new());
    let mut left = events;
    while !left.is_empty() {
        let (batch, rest) = left.split_at((1 + dice.next() as usize % longest).min(left.len()));
        findings.extend(add_batch(&mut documents, batch));
        left = rest;
    }
    (documents, findings)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn batches_make_no_difference(seed: u64, cuts: u64, longest in 1..80_usize) {
        let events = disorder(seed, 1_200);
        let at_once = in_batches(&events, 1, &mut Dice(0));
        prop_assert_eq!(in_batches(&events, longest, &mut Dice(cuts)), at_once);
    }
}

/// The property above would hold if nothing were ever found.
#[test]
fn disorder_sets_off_rules_and_leaves_documents() {
    let events = disorder(1, 6_000);
    let (documents, findings) = in_batches(&events, 500, &mut Dice(2));
    let rules: BTreeSet<_> = findings.iter().map(|finding| finding.rule).collect();
    for rule in [Rule::RequestBurst, Rule::QuickApprovals, Rule::RefusedAttempts] {
        assert!(rules.contains(&rule), "{rule} is not among {rules:?}");
    }
    assert!(documents.contains_key("deployment") && documents.contains_key("person/ann@example.com"));
}

#[test]
fn a_document_is_read_back_as_it_was_written() {
    let (documents, _) = in_batches(&disorder(3, 3_000), 100, &mut Dice(4));
    for (key, text) in &documents {
        let key: DocumentKey = key.parse().unwrap();
        let mut state = AnomalyState::default();
        state.load(&key, text).unwrap();
        assert_eq!(state.document(&key).unwrap().as_ref(), Some(text));
        let without_names = text.replace("countersign.anomalies.v1", "").replace("@example.com", "");
        assert!(!without_names.contains('.'), "numbers are whole: {text}");
    }
}

/// No logarithm, power or rounding differs between machines. Changed rules and another version of `libm` may change this.
#[test]
fn documents_and_findings_are_the_same_on_every_machine() {
    let (documents, findings) = in_batches(&disorder(5, 4_000), 100, &mut Dice(6));
    let details: Vec<_> = findings.iter().map(Finding::details).collect();
    let all = CanonicalJson::of(&json!({ "documents": documents, "findings": details }));
    assert_eq!(all.digest().to_string(), "90d208ab3755f0286c1b5a3fe59ff3eb200a4dd1a30eb57ea3c4a9866e20a894");
}
