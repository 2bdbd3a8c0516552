//! THREATS 34, 35 and 60: a request held against its trail. What a forger does to one of them is found in
//! the other; what is done to both is found by the seal, which takes the deployment's key.

use crate::fixture::{
    HIGH, Trail, after, ann, approve, bob, cancel, canonical, carol, change_content, comment, deployment_key,
    draft, erase, finish, human, key, person, policy, reject, start, text, withdraw,
};
use countersign_core::audit::replay::check;
use countersign_core::audit::{AuditEvent, AuditedRequest, BrokenChain, Finding, Stream, seal};
use countersign_core::caller::Channel;
use countersign_core::canonical::CanonicalJson;
use countersign_core::command::{Command, ExecutionOutcome};
use countersign_core::content::Content;
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::event::{Change, Event, EventType};
use countersign_core::ids::{EventId, ExecutionId, RequestId};
use countersign_core::principal::Principal;
use countersign_core::request::{Request, Status};
use countersign_core::risk::{Cost, Environment, RiskLevel};
use countersign_core::text::{Identifier, InstanceId, Justification};
use countersign_core::text_key::{DigestedDocument, KeyedText, TextKey};
use serde_json::{Value, json};
use strum::IntoEnumIterator;

const ANOTHER_ID: &str = "01930000-0000-7000-8000-00000000beef";

/// Lives to every status, with approvals that are taken back, with comments and with keys.
fn lives() -> Vec<Trail> {
    let mut lives: Vec<_> = Status::iter().map(Trail::in_status).collect();
    lives.push(
        Trail::open_as(draft(HIGH), &ann(), &policy(3), Some(&key("k", "body")))
            .then(&bob(), &approve())
            .then(&ann(), &comment())
            .then(&bob(), &Command::Withdraw { reason: Some(text("wrong window")) })
            .then_with(&carol(), &approve(), Some(&key("l", "body")))
            .then(&bob(), &approve())
            .then(&human("dan", &["approver"]), &approve())
            .then(&carol(), &withdraw())
            .then(&carol(), &approve())
            .then(&ann(), &start()),
    );
    lives.push(Trail::open(HIGH).then(&bob(), &approve()).then(&bob(), &withdraw()).then(&bob(), &reject()));
    let erased = Trail::in_status(Status::Executed).then(&Principal::retention(Channel::Local), &erase());
    lives.push(erased);
    lives
}

/// What a forger does who can write both tables and knows how hashes are made: the events are chained
/// again, and the request names the last of them.
fn rechain(request: &mut Request, events: &mut [AuditEvent]) {
    let mut last = Digest::ZERO;
    for event in events {
        event.prev_hash = last;
        event.hash = event.compute_hash();
        last = event.hash;
    }
    request.audit_head = last;
}

/// The same, and the last event names the state of the request as it stands.
fn forge(request: &mut Request, events: &mut [AuditEvent]) {
    if let Some(last) = events.last_mut() {
        request.version = last.sequence;
        request.last_event_id = last.event_id;
        request.updated_at = last.timestamp;
        last.state_digest = Some(request.state_digest());
    }
    rechain(request, events);
}

/// A request and a trail made from events as this program makes them, with another key.
fn made_from(events: &[Event]) -> (Request, Vec<AuditEvent>) {
    let key = DeploymentKey::new([8; 32]);
    let mut request = Request::create(&events[0]).unwrap();
    let mut audit = Vec::new();
    for (nth, event) in events.iter().enumerate() {
        if nth > 0 {
            request.apply(event);
        }
        let record = AuditEvent::record(event, &request, &key);
        request.audit_head = record.hash;
        audit.push(record);
    }
    request.seal = seal(&request, &key);
    (request, audit)
}

/// What an event repeats of its request.
fn about(event: &mut AuditEvent) -> &mut AuditedRequest {
    event.request.as_mut().unwrap()
}

fn keyed<T>(text: T) -> KeyedText<T> {
    KeyedText::Kept { text, key: TextKey::new([8; 16]) }
}

fn is_sealed(request: &Request) -> bool {
    seal(request, &deployment_key()) == request.seal
}

#[test]
fn every_life_agrees_with_its_trail_at_every_event() {
    for trail in lives() {
        let mut request = Request::create(&trail.events[0]).unwrap();
        for (nth, event) in trail.events.iter().enumerate() {
            if nth > 0 {
                request.apply(event);
            }
            request.audit_head = trail.audit[nth].hash;
            assert_eq!(check(&request, &trail.audit[..=nth], None), Ok(()), "{:?}", event.change);
        }
        assert!(is_sealed(&trail.request));
    }
}

/// THREATS 35.
#[test]
fn threat_35_a_cut_tail_is_found() {
    for trail in lives() {
        for length in 0..trail.audit.len() {
            let events = &trail.audit[..length];
            assert_eq!(check(&trail.request, events, None), Err(Finding::Chain(BrokenChain::WrongHead)));
            // And named by a request that was made to fit.
            let (mut request, mut events) = (trail.request.clone(), events.to_vec());
            rechain(&mut request, &mut events);
            let lengths = Finding::Length { version: trail.request.version, events: length as u64 };
            assert_eq!(check(&request, &events, None), Err(lengths));
            assert!(!is_sealed(&request));
            forge(&mut request, &mut events);
            // Only comments and their like leave a request that could be what it was without them.
            let agrees = check(&request, &events, None).is_ok();
            assert!(!agrees || events.iter().zip(&trail.audit).all(|(e, a)| e.request == a.request));
            assert!(!is_sealed(&request));
        }
    }
}

/// A request that is rolled back together with its trail is what this deployment has once written: nothing
/// in the store tells, and what was published does.
#[test]
fn threat_60_a_joint_rollback_is_only_found_outside_the_store() {
    let trail = Trail::in_status(Status::Executed);
    let earlier = Trail::in_status(Status::Approved);
    let length = earlier.audit.len();
    assert_eq!(earlier.audit[..], trail.audit[..length]);
    assert_eq!(check(&earlier.request, &trail.audit[..length], None), Ok(()));
    assert!(is_sealed(&earlier.request));
    assert!(trail.audit[length..].iter().all(|event| !earlier.audit.contains(event)));
}

/// THREATS 57.
#[test]
fn threat_57_reordered_events_are_found() {
    let mut found = 0;
    for trail in lives() {
        for first in 0..trail.audit.len() {
            for second in first + 1..trail.audit.len() {
                let mut events = trail.audit.clone();
                events.swap(first, second);
                assert!(matches!(
                    check(&trail.request, &events, None),
                    Err(Finding::Chain(BrokenChain::OutOfPlace { .. }))
                ));
                // With their numbers and times exchanged as well, and named by the request.
                let (left, right) = (events[first].clone(), events[second].clone());
                (events[first].sequence, events[first].timestamp) = (right.sequence, right.timestamp);
                (events[second].sequence, events[second].timestamp) = (left.sequence, left.timestamp);
                let mut request = trail.request.clone();
                rechain(&mut request, &mut events);
                assert!(!is_sealed(&request));
                // But for what leads to the same end in either order: that only the seal tells.
                let may_be_exchanged = [EventType::CommentAdded, EventType::ApprovalGranted];
                let is_found = check(&request, &events, None).is_err();
                let kinds = [&left, &right].map(|event| event.event_type.known().unwrap());
                assert!(
                    is_found || kinds.iter().any(|kind| may_be_exchanged.contains(kind)),
                    "{kinds:?} at {first} and {second}"
                );
                found += usize::from(is_found);
            }
        }
    }
    assert!(found > 80, "{found}");
}

/// Time is checked by itself: an event that is earlier than the one before it has no place in a trail.
#[test]
fn threat_57_an_event_that_is_earlier_than_the_one_before_it_is_found() {
    let trail = Trail::in_status(Status::Approved);
    let (mut request, mut events) = (trail.request, trail.audit);
    let last = events.len() - 1;
    events[last].timestamp =
        after(events[last - 1].timestamp.as_millisecond() - after(0).as_millisecond() - 1);
    forge(&mut request, &mut events);
    let sequence = events[last].sequence;
    assert_eq!(check(&request, &events, None), Err(Finding::Chain(BrokenChain::BackInTime { sequence })));
}

/// The events of another request, of the same kind and at the same place, prove nothing about this one.
#[test]
fn events_of_another_request_are_found() {
    let another = |trail: &Trail| {
        let mut events = trail.events.clone();
        for event in &mut events {
            event.request_id = RequestId::parse(ANOTHER_ID).unwrap();
            if let Change::Created(content) = &mut event.change {
                let mut another = Content::clone(content);
                another.request_id = event.request_id;
                another.parameters = DigestedDocument::Kept(canonical(r#"{"count": 3}"#));
                **content = another.into();
            }
        }
        made_from(&events).1
    };
    for trail in lives() {
        let others = another(&trail);
        for place in 0..trail.audit.len() {
            let (mut request, mut events) = (trail.request.clone(), trail.audit.clone());
            events[place] = others[place].clone();
            rechain(&mut request, &mut events);
            let expected = place as u64 + 1;
            let moved = Finding::Chain(BrokenChain::OutOfPlace { expected });
            assert_eq!(check(&request, &events, None), Err(moved));

            // Renamed to belong to this request.
            events[place].origin = trail.audit[place].origin.clone();
            events[place].stream = Stream::request(request.id());
            about(&mut events[place]).request_id = request.id();
            forge(&mut request, &mut events);
            let names_content = events[place].details.as_str().contains("content_digest");
            let found = check(&request, &events, None);
            if names_content {
                assert_eq!(found, Err(Finding::Content { sequence: expected }));
            }
            // An event that names neither content nor text is the same of both requests.
            assert!(events == trail.audit || !is_sealed(&request));
        }
        let mut request = trail.request.clone();
        request.audit_head = others.last().unwrap().hash;
        assert_eq!(
            check(&request, &others, None),
            Err(Finding::Chain(BrokenChain::OutOfPlace { expected: 1 }))
        );
    }
}

/// Every member of the details taken away or changed, with the hash of that event made to fit, with the
/// whole chain made to fit, and with the head of the request made to fit.
#[test]
fn edited_details_are_found_even_with_hashes_that_fit() {
    for trail in lives() {
        for place in 0..trail.audit.len() {
            let details = trail.audit[place].details.to_value();
            let members = details.as_object().unwrap();
            for name in members.keys() {
                let mut without = members.clone();
                without.remove(name);
                let mut altered = members.clone();
                altered.insert(name.clone(), json!("edited"));
                for details in [without, altered] {
                    let mut events = trail.audit.clone();
                    events[place].details = CanonicalJson::of(&Value::Object(details));
                    events[place].hash = events[place].compute_hash();
                    let found = check(&trail.request, &events, None);
                    assert!(matches!(found, Err(Finding::Chain(_))), "{name}: {found:?}");

                    let mut request = trail.request.clone();
                    rechain(&mut request, &mut events);
                    let found = check(&request, &events, None);
                    let matters = ["content_digest", "execute_by", "execution_id", "withdraws"]
                        .contains(&name.as_str());
                    let event_type = events[place].event_type.known();
                    let is_of_the_end = event_type == Some(EventType::ExecutionSucceeded)
                        || event_type == Some(EventType::ExecutionFailed);
                    // An approval that was taken back later leaves no deadline.
                    let last = json!(request.execute_by.map(|time| time.to_string()));
                    let is_gone = name == "execute_by" && members[name] != last;
                    if matters && !is_of_the_end && !is_gone {
                        assert!(found.is_err(), "{name} of event {}", place + 1);
                    }
                    assert!(!is_sealed(&request), "{name} of event {}", place + 1);
                }
            }
        }
    }
}

/// Decisions that were never made, in the request and in its trail, all of it consistent: `check` cannot
/// know, and the seal does not fit.
#[test]
fn threat_60_decisions_forged_consistently_are_found_by_the_seal() {
    let trail = Trail::open(HIGH).then(&bob(), &approve());
    let genuine = Trail::in_status(Status::Approved);
    let mut events = genuine.events.clone();
    let last = events.last_mut().unwrap();
    last.user = person("mallory");
    last.addresses = [person("mallory")].into();
    let (forged, audit) = made_from(&events);
    assert_eq!(forged.status, Status::Approved);
    assert_eq!(check(&forged, &audit, None), Ok(()));
    assert!(!is_sealed(&forged));
    // With the seal of the genuine request, before or after.
    for seal in [trail.request.seal, genuine.request.seal] {
        let mut forged = forged.clone();
        forged.seal = seal;
        assert!(!is_sealed(&forged));
    }
    // And a whole forged life, from its creation.
    for trail in lives() {
        let (forged, audit) = made_from(&trail.events);
        assert_eq!(check(&forged, &audit, None), Ok(()));
        assert!(!is_sealed(&forged));
    }
}

/// The status edited by hand, as THREATS 34 has it, with or without the rest made to fit.
#[test]
fn threat_34_a_status_that_was_set_by_hand_is_found() {
    for trail in lives() {
        for status in Status::iter().filter(|status| *status != trail.request.status) {
            let mut request = trail.request.clone();
            request.status = status;
            assert_eq!(check(&request, &trail.audit, None), Err(Finding::State("status")));
            assert!(!is_sealed(&request));
            let mut events = trail.audit.clone();
            about(events.last_mut().unwrap()).status = status;
            forge(&mut request, &mut events);
            // An approval can end one way or another: what it takes is not in the trail.
            let last = events.last().unwrap().event_type.known().unwrap();
            let may_end_so = matches!(last, EventType::ApprovalGranted | EventType::ApprovalWithdrawn)
                && matches!(status, Status::Pending | Status::Approved | Status::Expired);
            let found = check(&request, &events, None);
            assert!(found.is_err() || may_end_so, "{last:?} to {status}: {found:?}");
            assert!(!is_sealed(&request));
        }
    }
}

/// Every field that a trail knows of, changed on the request alone, and with the last event's digest of
/// the state made to fit.
#[test]
fn a_request_that_its_trail_does_not_lead_to_is_found() {
    let executed = || Trail::in_status(Status::Executed);
    let cancelled = || Trail::in_status(Status::Cancelled);
    type Edit = (fn() -> Trail, &'static str, fn(&mut Request));
    let trail_of_keys = || lives().swap_remove(8);
    let edits: Vec<Edit> = vec![
        (executed, "decisions", |request| request.decisions[0].person = person("mallory")),
        (executed, "decisions", |request| drop(request.decisions.pop())),
        (executed, "decisions", |request| {
            let mut another = request.decisions[0].clone();
            another.person = person("mallory");
            request.decisions.push(another);
        }),
        (executed, "decisions", |request| request.decisions[0].at = after(1)),
        (executed, "decisions", |request| {
            request.decisions[0].event_id = EventId::parse(ANOTHER_ID).unwrap()
        }),
        (executed, "decisions", |request| request.decisions.reverse()),
        (executed, "approved_at", |request| request.approved_at = Some(after(1))),
        (executed, "execute_by", |request| request.execute_by = Some(after(86_400_000))),
        (executed, "comments", |request| {
            request.comments = Trail::open(HIGH).then(&ann(), &comment()).request.comments;
        }),
        (executed, "withdrawals", |request| {
            let trail = Trail::open(HIGH).then(&bob(), &approve()).then(&bob(), &withdraw());
            request.withdrawals = trail.request.withdrawals;
        }),
        (cancelled, "cancellation", |request| request.cancellation = None),
        (cancelled, "cancellation", |request| request.cancellation.as_mut().unwrap().by = person("mallory")),
        (executed, "execution", |request| {
            request.execution.as_mut().unwrap().id = ExecutionId::parse(ANOTHER_ID).unwrap();
        }),
        (executed, "execution", |request| {
            request.execution.as_mut().unwrap().started_by = person("mallory");
        }),
        (executed, "outcome", |request| request.execution.as_mut().unwrap().finish = None),
        (executed, "outcome", |request| {
            request.execution.as_mut().unwrap().finish.as_mut().unwrap().outcome = ExecutionOutcome::Failed;
        }),
        // What no event names: by the digest of the state, unless that is forged as well.
        (executed, "state", |request| request.decisions[0].groups = ["admin".to_owned()].into()),
        (executed, "state", |request| request.decisions[0].digest_presented = true),
        (executed, "state", |request| request.decisions[0].comment = Some(keyed(text("sure")))),
        (executed, "state", |request| {
            let finish = request.execution.as_mut().unwrap().finish.as_mut().unwrap();
            finish.actual_cost = Some(Cost::new(1.0).unwrap());
        }),
        (trail_of_keys, "state", |request| request.comments[0].text = keyed(text("which one?"))),
        (trail_of_keys, "state", |request| request.idempotency.clear()),
        (trail_of_keys, "state", |request| request.withdrawals[0].person = person("mallory")),
    ];
    for (trail, expected, edit) in edits {
        let trail = trail();
        let mut request = trail.request.clone();
        edit(&mut request);
        assert_ne!(request, trail.request, "{expected} was not edited");
        assert_eq!(check(&request, &trail.audit, None), Err(Finding::State(expected)));
        assert!(!is_sealed(&request));
        let mut events = trail.audit.clone();
        forge(&mut request, &mut events);
        let found = check(&request, &events, None);
        assert_eq!(found.is_err(), expected != "state", "{expected}: {found:?}");
        assert!(!is_sealed(&request), "{expected}");
    }
}

/// THREATS 12 and 15: what the request was made with, changed on the request, also with all that repeats it
/// in the events.
#[test]
fn another_content_is_found() {
    let edits: [fn(&mut Content); 9] = [
        |content| content.instance_id = InstanceId::parse("dev-db").unwrap(),
        |content| content.operation_type = Identifier::parse("read_file").unwrap(),
        |content| content.environment = Environment::NonProduction,
        |content| content.risk_level = RiskLevel::Low,
        |content| content.requested_by = person("mallory"),
        |content| content.justification = keyed(Justification::parse("because").unwrap()),
        |content| content.approvals_required = 1,
        |content| content.expires_at = after(86_400_000),
        |content| content.parameters = DigestedDocument::Kept(canonical(r#"{"count": 3}"#)),
    ];
    for trail in lives() {
        for edit in edits {
            let mut request = trail.request.clone();
            change_content(&mut request, edit);
            assert_eq!(check(&request, &trail.audit, None), Err(Finding::Content { sequence: 1 }));
            let mut events = trail.audit.clone();
            for event in events.iter_mut().map(about) {
                event.instance_id = request.content.instance_id.clone();
                event.operation_type = request.content.operation_type.clone();
                event.environment = request.content.environment;
                event.risk_level = request.content.risk_level;
                event.requested_by = request.content.requested_by.clone();
            }
            forge(&mut request, &mut events);
            assert_eq!(check(&request, &events, None), Err(Finding::Content { sequence: 1 }));
            assert!(!is_sealed(&request));
        }
    }
}

/// Each event of each life made to say that something else had happened, or to lead somewhere else, all
/// the rest made to fit.
#[test]
fn a_transition_that_no_rule_has_is_found() {
    let mut found_transitions = 0;
    for trail in lives() {
        for place in 0..trail.audit.len() {
            for event_type in EventType::iter() {
                for status in Status::iter() {
                    let (mut request, mut events) = (trail.request.clone(), trail.audit.clone());
                    let event = &mut events[place];
                    let is_as_before = event.event_type.known() == Some(event_type);
                    if is_as_before && about(event).status == status {
                        continue;
                    }
                    event.event_type = event_type.into();
                    about(event).status = status;
                    forge(&mut request, &mut events);
                    let found = check(&request, &events, None);
                    assert!(!is_sealed(&request));
                    if found == Err(Finding::Transition { sequence: place as u64 + 1 }) {
                        found_transitions += 1;
                    }
                    let before = place.checked_sub(1).map(|place| about(&mut events[place]).status);
                    let is_legal = match (before, event_type, status) {
                        (None, EventType::ApprovalRequestCreated, Status::Pending | Status::Approved) => true,
                        (None, ..) => false,
                        (Some(before), event_type, status) => is_legal(before, event_type, status),
                    };
                    assert!(found.is_err() || is_legal, "{before:?} by {event_type:?} to {status}");
                    if !is_legal {
                        let is_content = matches!(found, Err(Finding::Content { .. }));
                        let is_transition = matches!(found, Err(Finding::Transition { .. }));
                        assert!(is_content || is_transition, "{before:?} {event_type:?} {status}: {found:?}");
                    }
                }
            }
        }
    }
    assert!(found_transitions > 1_000, "{found_transitions}");
}

/// The lifecycle as a table, said once more: which event may lead from where to where.
fn is_legal(before: Status, event_type: EventType, after: Status) -> bool {
    use Status::{Approved, Cancelled, Executed, Executing, Expired, Failed, Pending, Rejected};
    let open = [Pending, Approved];
    match event_type {
        EventType::ApprovalRequestCreated
        | EventType::AnomalyDetected
        | EventType::AttemptRefused
        | EventType::AuditRead => false,
        EventType::ApprovalGranted => open.contains(&before) && open.contains(&after),
        EventType::ApprovalRejected => open.contains(&before) && after == Rejected,
        EventType::ApprovalWithdrawn => {
            open.contains(&before) && [Pending, Approved, Expired].contains(&after)
        }
        EventType::ApprovalCancelled => open.contains(&before) && after == Cancelled,
        EventType::ApprovalExpired => open.contains(&before) && after == Expired,
        EventType::ExecutionStarted => (before, after) == (Approved, Executing),
        EventType::TargetObserved => before == after && open.contains(&before),
        EventType::ExecutionClaimed | EventType::ExecutionRenewed | EventType::ExecutionUnknown => {
            (before, after) == (Executing, Executing)
        }
        EventType::ExecutionSucceeded => (before, after) == (Executing, Executed),
        EventType::ExecutionFailed => (before, after) == (Executing, Failed),
        EventType::CommentAdded => before == after && before != Expired,
        EventType::ParametersErased => before == after && !open.contains(&before) && before != Executing,
    }
}

/// Another person in an event than on the request, whatever else was made to fit.
#[test]
fn the_wrong_person_in_an_event_is_found() {
    for (status, event_type, expected) in [
        (Status::Approved, EventType::ApprovalGranted, "decisions"),
        (Status::Rejected, EventType::ApprovalRejected, "decisions"),
        (Status::Cancelled, EventType::ApprovalCancelled, "cancellation"),
        (Status::Executing, EventType::ExecutionStarted, "execution"),
    ] {
        let trail = Trail::in_status(status);
        let (mut request, mut events) = (trail.request.clone(), trail.audit.clone());
        let event = events.iter_mut().rfind(|event| event.event_type.known() == Some(event_type)).unwrap();
        event.user = person("mallory");
        forge(&mut request, &mut events);
        assert_eq!(check(&request, &events, None), Err(Finding::State(expected)), "{event_type:?}");
    }
}

/// A trail without its request's creation, without any event, or of a request with another id.
#[test]
fn a_trail_that_is_no_trail_of_the_request_is_found() {
    let trail = Trail::in_status(Status::Approved);
    assert_eq!(check(&trail.request, &[], None), Err(Finding::Chain(BrokenChain::WrongHead)));
    let mut empty = trail.request.clone();
    (empty.audit_head, empty.version) = (Digest::ZERO, 0);
    assert_eq!(check(&empty, &[], None), Err(Finding::Length { version: 0, events: 0 }));
    let mut renamed = trail.request.clone();
    change_content(&mut renamed, |content| content.request_id = RequestId::parse(ANOTHER_ID).unwrap());
    let moved = Finding::Chain(BrokenChain::OutOfPlace { expected: 1 });
    assert_eq!(check(&renamed, &trail.audit, None), Err(moved));
    let (mut request, mut events) = (trail.request.clone(), trail.audit[1..].to_vec());
    for (sequence, event) in (1..).zip(&mut events) {
        event.sequence = sequence;
    }
    forge(&mut request, &mut events);
    assert_eq!(check(&request, &events, None), Err(Finding::Transition { sequence: 1 }));
}

/// Expiries by the deadline on record and by a sooner one, found and written down.
#[test]
fn an_expiry_agrees_with_its_trail_whichever_deadline_it_missed() {
    let sweep = Principal::expiry(Channel::Local);
    let late = Trail::open(HIGH).at(3_600_000).then(&sweep, &Command::Expire);
    assert_eq!(check(&late.request, &late.audit, None), Ok(()));
    let mut forged = late.request.clone();
    forged.expired_at = Some(after(1));
    assert_eq!(check(&forged, &late.audit, None), Err(Finding::State("state")));
    for trail in [
        Trail::open(HIGH).then(&ann(), &cancel()),
        Trail::in_status(Status::Executing).at(10_000_000).then(&ann(), &comment()),
    ] {
        assert_eq!(check(&trail.request, &trail.audit, None), Ok(()));
    }
    let trail = Trail::in_status(Status::Executing);
    let command = finish(&trail.request, ExecutionOutcome::Failed);
    let trail = trail.then(&ann(), &command);
    assert_eq!(check(&trail.request, &trail.audit, None), Ok(()));
}
