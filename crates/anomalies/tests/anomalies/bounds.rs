//! Documents stay small, whatever is done to a person.

use crate::dice::Dice;
use crate::events::{BEGIN, MINUTE, Recorder, request_id};
use countersign_anomalies::document::DocumentKey;
use countersign_anomalies::fold::AnomalyState;
use countersign_core::event::EventType;
use countersign_core::person::PersonId;
use countersign_core::timestamp::Timestamp;

const MOST_BYTES: usize = 8 * 1024;
const EVENTS: u64 = 1_000_000;

/// Persons with names of different lengths, up to the longest that there are.
fn partners() -> Vec<PersonId> {
    let domain = format!("{}.example", vec!["a".repeat(60); 3].join("."));
    (0..400)
        .map(|number| {
            let local = format!("{number}{}", "x".repeat(number % 60));
            let domain = if number % 2 == 0 { "example.com" } else { &domain };
            PersonId::from_email(&format!("{local}@{domain}")).unwrap()
        })
        .collect()
}

#[test]
fn a_million_hostile_events_leave_small_documents() {
    let mut dice = Dice(5);
    let mut recorder = Recorder::new();
    let partners = partners();
    let victim = partners[0].clone();
    let create = EventType::ApprovalRequestCreated;
    let mut created = recorder.of_request(create, &victim, BEGIN, 1, &victim);
    let mut granted = recorder.of_request(EventType::ApprovalGranted, &victim, BEGIN, 1, &victim);
    let mut refused = recorder.refused(&victim, BEGIN);
    let mut state = AnomalyState::default();
    let mut largest = 0;
    for number in 0..EVENTS {
        // Some three minutes for ten events: every minute of the last hour has requests, and days pass.
        let at = Timestamp::from_millisecond(BEGIN + number as i64 * MINUTE / 3);
        let event = match number % 10 {
            0..3 => &mut created,
            3 => &mut refused,
            _ => {
                let partner = dice.choose(&partners).unwrap();
                // The victim is approved by all of them, and approves all of them.
                let (approver, requester) =
                    if number % 2 == 0 { (partner, &victim) } else { (&victim, partner) };
                granted.user = approver.clone();
                if let Some(request) = &mut granted.request {
                    request.requested_by = requester.clone();
                    request.request_id = request_id(number % 50);
                }
                &mut granted
            }
        };
        event.timestamp = at;
        state.add(event);
        if number % 20_000 == 0 {
            for key in [DocumentKey::Deployment, DocumentKey::Person(victim.clone())] {
                let document = state.document(&key).unwrap();
                largest = largest.max(document.map_or(0, |text| text.len()));
            }
        }
    }
    for person in state.persons.keys().cloned() {
        let document = state.document(&DocumentKey::Person(person)).unwrap();
        largest = largest.max(document.map_or(0, |text| text.len()));
    }
    assert!((1_024..MOST_BYTES).contains(&largest), "{largest}");
    assert_eq!(state.requests.len(), 1);
}
