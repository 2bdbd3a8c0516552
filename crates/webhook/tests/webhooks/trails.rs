//! The trail of a webhook: every edit, gap and cut shows.

use crate::events::{event_id, now, person, webhook_id};
use countersign_core::canonical::CanonicalJson;
use countersign_core::digest::Digest;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::outcome::FailureClass;
use countersign_delivery::state::DeliveryState;
use countersign_webhook::settings::Member;
use countersign_webhook::trail::{Actor, BrokenTrail, TrailChange, TrailEvent, TrailHead, verify_chain};
use countersign_webhook::webhook::DisabledReason;
use proptest::prelude::*;

fn ann() -> Actor {
    Actor::Caller(person("ann@example.com"))
}

/// One change of each kind, the deletion last.
fn changes() -> Vec<(Actor, TrailChange)> {
    let host = || "hooks.example.com".to_owned();
    vec![
        (ann(), TrailChange::Created { host: host() }),
        (ann(), TrailChange::Changed { members: vec![Member::Url, Member::RiskLevels], host: Some(host()) }),
        (ann(), TrailChange::Changed { members: vec![Member::Headers], host: None }),
        (ann(), TrailChange::Rotated { generation: 2, overlap_seconds: 86_400 }),
        (Actor::Service, TrailChange::Disabled { reason: DisabledReason::NoSuccess }),
        (ann(), TrailChange::Enabled {}),
        (ann(), TrailChange::Tested { status: Some(204), failure: None }),
        (ann(), TrailChange::Tested { status: None, failure: Some(FailureClass::Timeout) }),
        (
            ann(),
            TrailChange::Redelivered {
                from: now(),
                to: now().plus_seconds(60),
                states: vec![DeliveryState::Dead, DeliveryState::Skipped],
                deliveries: 17,
            },
        ),
        (ann(), TrailChange::RedeliveredOne { event_id: event_id() }),
        (ann(), TrailChange::Disabled { reason: DisabledReason::Operator }),
        (ann(), TrailChange::Deleted {}),
    ]
}

fn recorded(changes: Vec<(Actor, TrailChange)>) -> Vec<TrailEvent> {
    let mut head = TrailHead::EMPTY;
    let mut events = Vec::new();
    for (second, (actor, change)) in (0..).zip(changes) {
        let event = TrailEvent::record(webhook_id(1), &head, actor, change, now().plus_seconds(second));
        head = event.head();
        events.push(event);
    }
    events
}

fn trail() -> Vec<TrailEvent> {
    recorded(changes())
}

fn verify(events: &[TrailEvent]) -> Result<(), BrokenTrail> {
    let head = trail().last().unwrap().head();
    verify_chain(webhook_id(1), events, Some(&head))
}

#[test]
fn an_event_is_as_documented() {
    let documents: Vec<_> = trail().iter().map(|event| event.document().to_value()).collect();
    let changes: Vec<_> = documents.iter().map(|document| document["change"].to_string()).collect();
    assert_eq!(
        changes,
        [
            r#"{"host":"hooks.example.com","type":"created"}"#,
            r#"{"host":"hooks.example.com","members":["url","risk_levels"],"type":"changed"}"#,
            r#"{"members":["headers"],"type":"changed"}"#,
            r#"{"generation":2,"overlap_seconds":86400,"type":"rotated"}"#,
            r#"{"reason":"no_success","type":"disabled"}"#,
            r#"{"type":"enabled"}"#,
            r#"{"status":204,"type":"tested"}"#,
            r#"{"failure":"timeout","type":"tested"}"#,
            r#"{"deliveries":17,"from":"2026-01-31T09:30:00.000Z","states":["dead","skipped"],"to":"2026-01-31T09:31:00.000Z","type":"redelivered"}"#,
            r#"{"event_id":"01930000-0000-7000-8000-000000000001","type":"redelivered_one"}"#,
            r#"{"reason":"operator","type":"disabled"}"#,
            r#"{"type":"deleted"}"#,
        ]
    );
    assert_eq!(documents[4]["actor"], "system:delivery");
    // The hash by its description: over the text, written out here.
    let text = format!(
        "{{\"actor\":\"ann@example.com\",\"at\":\"2026-01-31T09:30:00.000Z\",\"change\":{},\"previous_hash\":\"{}\",\"sequence\":1,\
         \"version\":1,\"webhook_id\":\"wh_01930000-0000-7000-8000-000000000001\"}}",
        changes[0],
        "0".repeat(64)
    );
    assert_eq!(documents[0]["hash"], Digest::of(&text).to_string());
    assert_eq!(documents[1]["previous_hash"], documents[0]["hash"]);
}

#[test]
fn a_trail_is_read_back_and_verifies() {
    let events: Vec<_> =
        trail().iter().map(|event| TrailEvent::read(event.document().as_str()).unwrap()).collect();
    assert_eq!(events, trail());
    assert_eq!(verify(&events), Ok(()));
    assert_eq!(verify_chain(webhook_id(1), &events[..3], None), Ok(()));
    assert_eq!(verify_chain(webhook_id(1), &[], Some(&TrailHead::EMPTY)), Ok(()));
}

#[test]
fn every_edit_gap_and_cut_is_found() {
    let whole = trail();
    for place in 0..whole.len() {
        let mut missing = whole.clone();
        missing.remove(place);
        assert!(verify(&missing).is_err(), "{place}");
        let mut doubled = whole.clone();
        doubled.insert(place, whole[place].clone());
        assert!(verify(&doubled).is_err());
        let mut edited = whole.clone();
        edited[place].at = edited[place].at.plus_seconds(1);
        let sequence = place as u64 + 1;
        assert_eq!(verify(&edited), Err(BrokenTrail::Edited { sequence }));
        // With a hash that fits, the next event does not follow any more, or the head is another.
        let previous = if place == 0 { TrailHead::EMPTY } else { whole[place - 1].head() };
        let actor = Actor::Caller(person("eve@example.com"));
        let change = whole[place].change.clone();
        edited[place] = TrailEvent::record(webhook_id(1), &previous, actor, change, whole[place].at);
        let expected = if place + 1 < whole.len() {
            BrokenTrail::Unlinked { sequence: sequence + 1 }
        } else {
            BrokenTrail::WrongHead
        };
        assert_eq!(verify(&edited), Err(expected));
    }
    assert_eq!(verify(&whole[..11]), Err(BrokenTrail::WrongHead));
    assert_eq!(verify(&[]), Err(BrokenTrail::WrongHead));
    assert_eq!(verify_chain(webhook_id(2), &whole, None), Err(BrokenTrail::OutOfPlace { expected: 1 }));
    let mut swapped = whole;
    swapped.swap(2, 3);
    assert_eq!(verify(&swapped), Err(BrokenTrail::OutOfPlace { expected: 3 }));
}

#[test]
fn a_trail_begins_with_the_webhook_and_ends_with_it() {
    let verify = |changes: Vec<TrailChange>| {
        let events = recorded(changes.into_iter().map(|change| (ann(), change)).collect());
        verify_chain(webhook_id(1), &events, None)
    };
    let created = || TrailChange::Created { host: "a".to_owned() };
    let impossible = |sequence| Err(BrokenTrail::Impossible { sequence });
    assert_eq!(verify(vec![TrailChange::Enabled {}]), impossible(1));
    assert_eq!(verify(vec![created(), created()]), impossible(2));
    assert_eq!(verify(vec![created(), TrailChange::Deleted {}, TrailChange::Enabled {}]), impossible(3));
    assert_eq!(verify(vec![created(), TrailChange::Deleted {}]), Ok(()));
}

#[test]
fn time_does_not_go_back() {
    let first = trail().remove(0);
    let enabled = || (ann(), TrailChange::Enabled {});
    let (actor, change) = enabled();
    let second = TrailEvent::record(webhook_id(1), &first.head(), actor, change, now().minus_seconds(5));
    assert_eq!(second.at, first.at);
    assert_eq!(verify_chain(webhook_id(1), &[first.clone(), second], None), Ok(()));
    // One that was written otherwise.
    let (actor, change) = enabled();
    let head = TrailHead { at: Timestamp::EARLIEST, ..first.head() };
    let second = TrailEvent::record(webhook_id(1), &head, actor, change, now().minus_seconds(5));
    let broken = verify_chain(webhook_id(1), &[first, second], None);
    assert_eq!(broken, Err(BrokenTrail::BackInTime { sequence: 2 }));
}

#[test]
fn what_is_no_event_is_refused() {
    let event = trail().remove(5);
    let text = event.document().as_str().to_owned();
    for (from, to) in [
        ("\"version\":1", "\"version\":2"),
        ("\"version\":1", "\"version\":1,\"note\":1"),
        ("\"type\":\"enabled\"", "\"note\":1,\"type\":\"enabled\""),
        ("\"type\":\"enabled\"", "\"type\":\"renamed\""),
        ("ann@example.com", "Ann@example.com"),
        ("ann@example.com", "system:expired"),
        ("{\"actor\"", "{ \"actor\""),
        ("\"sequence\":6", "\"sequence\":6.0"),
    ] {
        let damaged = text.replacen(from, to, 1);
        assert_ne!(damaged, text, "{from}");
        assert!(TrailEvent::read(&damaged).is_err(), "{damaged}");
    }
    assert!(TrailEvent::read("null").is_err());
}

proptest! {
    /// Any changed character of a stored trail makes it unreadable or breaks its chain.
    #[test]
    fn no_character_of_a_stored_trail_can_change(place in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), with in "[ -~]") {
        let mut events = trail();
        let place = place.index(events.len());
        let mut text = events[place].document().as_str().to_owned();
        let at = at.index(text.len());
        prop_assume!(text.get(at..=at) != Some(&with));
        text.replace_range(at..=at, &with);
        if let Ok(event) = TrailEvent::read(&text) {
            prop_assert!(CanonicalJson::from_stored(&text).is_ok());
            events[place] = event;
            prop_assert!(verify(&events).is_err());
        }
    }
}
