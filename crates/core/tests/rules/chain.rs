//! The audit chain: whatever is edited, removed, added or moved is found.

use crate::audit::{full_life, lives, proven};
use crate::fixture::{HIGH, LOW, Trail, ann, approve, canonical, comment, deployment_key, human, person};
use countersign_core::audit::{
    AuditEvent, AuditEventType, AuditedRequest, BrokenChain, Finding, Stream, replay, verify,
};
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::canonical::CanonicalJson;
use countersign_core::command::ExecutionOutcome;
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::event::EventType;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::origin::Origin;
use countersign_core::request::Status;
use countersign_core::risk::{Environment, RiskLevel};
use countersign_core::text::{Identifier, InstanceId};
use serde_json::{Value, json};
use strum::IntoEnumIterator;

fn check(trail: &Trail, events: &[AuditEvent]) -> Result<(), BrokenChain> {
    verify(&Stream::request(trail.request.id()), None, events, trail.request.audit_head)
}

/// What a forger does who knows how hashes are made but cannot write the request.
fn rechain(events: &mut [AuditEvent]) {
    let mut last = Digest::ZERO;
    for event in events {
        event.prev_hash = last;
        event.hash = event.compute_hash();
        last = event.hash;
    }
}

/// One edit of each field, and of each member of the details.
fn edits(event: &AuditEvent) -> Vec<(String, AuditEvent)> {
    // A field that is added to the event does not compile here until it is edited below.
    let AuditEvent {
        origin: _,
        stream: _,
        sequence,
        event_id: _,
        timestamp,
        event_type,
        user: _,
        kind,
        channel,
        source_ip,
        authentication,
        request,
        details,
        state_digest,
        prev_hash,
        others: _,
        hash,
    } = event;
    let AuditedRequest {
        request_id: _,
        operation_type: _,
        instance_id: _,
        environment,
        risk_level,
        requested_by: _,
        status,
    } = request.as_ref().unwrap();
    let another_digest = |digest: &Digest| Digest::of(digest.to_string());
    let another_type = || EventType::iter().find(|other| Some(*other) != event_type.known()).unwrap();
    let edit = |name: &str, change: &dyn Fn(&mut AuditEvent)| {
        let mut edited = event.clone();
        change(&mut edited);
        assert_ne!(edited, *event, "{name} was not edited");
        (name.to_owned(), edited)
    };
    let about = |name: &str, change: &dyn Fn(&mut AuditedRequest)| {
        edit(name, &|event| change(event.request.as_mut().unwrap()))
    };
    let another_id = "01930000-0000-7000-8000-00000000beef";
    let mut edits = vec![
        edit("origin", &|e| e.origin = Origin::of(&DeploymentKey::new([8; 32]))),
        edit("stream", &|e| e.stream = Stream::request(RequestId::parse(another_id).unwrap())),
        edit("authentication", &|e| {
            e.authentication = match authentication {
                Some(_) => None,
                None => Some(proven()),
            };
        }),
        edit("request", &|e| e.request = None),
        edit("others", &|e| {
            e.others.insert("approved_by_the_board".to_owned(), json!(true));
        }),
        edit("event_id", &|e| e.event_id = EventId::parse(another_id).unwrap()),
        about("request_id", &|e| e.request_id = RequestId::parse(another_id).unwrap()),
        edit("sequence", &|e| e.sequence = sequence + 1),
        edit("sequence", &|e| e.sequence = sequence - 1),
        edit("timestamp", &|e| e.timestamp = timestamp.plus_seconds(1)),
        edit("event_type", &|e| e.event_type = another_type().into()),
        edit("user", &|e| e.user = person("mallory")),
        edit("kind", &|e| {
            e.kind = if *kind == PrincipalKind::Human { PrincipalKind::Agent } else { PrincipalKind::Human }
        }),
        edit("channel", &|e| {
            e.channel = if *channel == Channel::Direct { Channel::Api } else { Channel::Direct };
        }),
        edit("source_ip", &|e| {
            e.source_ip = if source_ip.is_some() { None } else { Some("203.0.113.7".parse().unwrap()) };
        }),
        about("instance_id", &|e| e.instance_id = InstanceId::parse("dev-db-01").unwrap()),
        about("operation_type", &|e| e.operation_type = Identifier::parse("read_file").unwrap()),
        about("environment", &|e| {
            e.environment = Environment::iter().find(|other| other != environment).unwrap();
        }),
        about("risk_level", &|e| {
            e.risk_level = RiskLevel::iter().find(|other| other != risk_level).unwrap();
        }),
        about("requested_by", &|e| e.requested_by = person("mallory")),
        about("status", &|e| e.status = Status::iter().find(|other| other != status).unwrap()),
        edit("state_digest", &|e| e.state_digest = state_digest.as_ref().map(another_digest)),
        edit("prev_hash", &|e| e.prev_hash = another_digest(prev_hash)),
        edit("hash", &|e| e.hash = another_digest(hash)),
        edit("details", &|e| e.details = canonical("{}")),
    ];
    let details = details.to_value();
    let members = details.as_object().unwrap();
    for name in members.keys() {
        let mut without = members.clone();
        without.remove(name);
        edits.push(edit(&format!("details without {name}"), &|e| {
            e.details = CanonicalJson::of(&Value::Object(without.clone()));
        }));
        let mut altered = members.clone();
        altered.insert(name.clone(), json!("edited"));
        edits.push(edit(&format!("details.{name}"), &|e| {
            e.details = CanonicalJson::of(&Value::Object(altered.clone()));
        }));
    }
    let mut more = members.to_owned();
    more.insert("approved_by_the_board".to_owned(), json!(true));
    edits.push(edit("details with one more", &|e| {
        e.details = CanonicalJson::of(&Value::Object(more.clone()));
    }));
    edits
}

#[test]
fn every_trail_verifies_as_it_was_written() {
    for trail in lives() {
        assert_eq!(check(&trail, &trail.audit), Ok(()));
        assert_eq!(trail.audit.len(), trail.events.len());
        assert_eq!(trail.audit[0].prev_hash, Digest::ZERO);
        for (event, record) in trail.events.iter().zip(&trail.audit) {
            assert_eq!(record.event_id, event.id);
            assert_eq!((record.sequence, record.timestamp), (event.sequence, event.at));
            assert_eq!((&record.user, record.kind, record.channel), (&event.user, event.kind, event.channel));
            assert_eq!(record.event_type.known(), Some(event.change.event_type()));
            let about = record.request.as_ref().unwrap();
            assert_eq!((about.status, about.request_id), (event.status, trail.request.id()));
            assert_eq!(about.requested_by, trail.request.content.requested_by);
            assert_eq!(record.origin, Origin::of(&deployment_key()));
        }
    }
}

#[test]
fn any_edit_of_any_event_is_found_where_it_was_made() {
    for trail in lives() {
        for place in 0..trail.audit.len() {
            for (name, edited) in edits(&trail.audit[place]) {
                let mut events = trail.audit.clone();
                events[place] = edited;
                let expected = u64::try_from(place + 1).unwrap();
                let found = match check(&trail, &events) {
                    Err(BrokenChain::Edited { sequence }) => sequence,
                    Err(BrokenChain::OutOfPlace { expected }) => expected,
                    other => panic!("event {expected}, {name}: {other:?}"),
                };
                assert_eq!(found, expected, "{name}");
            }
        }
    }
}

#[test]
fn an_edit_with_a_matching_hash_is_found_by_what_follows_it() {
    for trail in lives() {
        for place in 0..trail.audit.len() {
            for (name, mut edited) in edits(&trail.audit[place]) {
                if name == "hash" {
                    continue;
                }
                edited.hash = edited.compute_hash();
                let mut events = trail.audit.clone();
                events[place] = edited;
                assert!(check(&trail, &events).is_err(), "event {}, {name}", place + 1);
            }
        }
    }
}

#[test]
fn a_trail_that_is_forged_from_an_edit_to_its_end_does_not_reach_the_head() {
    for trail in lives() {
        for place in 0..trail.audit.len() {
            for (name, edited) in edits(&trail.audit[place]) {
                let mut events = trail.audit.clone();
                events[place] = edited;
                rechain(&mut events);
                let found = check(&trail, &events);
                match name.as_str() {
                    // Written anew with the chain, so that nothing is edited any more.
                    "prev_hash" | "hash" => assert_eq!(found, Ok(()), "{name}"),
                    "sequence" | "stream" => {
                        let expected = u64::try_from(place + 1).unwrap();
                        assert_eq!(found, Err(BrokenChain::OutOfPlace { expected }), "{name}");
                    }
                    // The first event says of which deployment all of them are.
                    "origin" if events.len() > 1 => {
                        assert!(matches!(found, Err(BrokenChain::Origin { .. })), "{found:?}");
                    }
                    _ => assert_eq!(found, Err(BrokenChain::WrongHead), "event {}, {name}", place + 1),
                }
            }
        }
    }
}

#[test]
fn a_missing_event_is_found() {
    for trail in lives() {
        for place in 0..trail.audit.len() {
            let mut events = trail.audit.clone();
            events.remove(place);
            let expected = u64::try_from(place + 1).unwrap();
            let last = place == events.len();
            let broken = if last { BrokenChain::WrongHead } else { BrokenChain::OutOfPlace { expected } };
            assert_eq!(check(&trail, &events), Err(broken));

            // Numbered and chained again as if it had never been.
            for (sequence, event) in (1..).zip(&mut events) {
                event.sequence = sequence;
            }
            rechain(&mut events);
            assert_eq!(check(&trail, &events), Err(BrokenChain::WrongHead));
        }
    }
}

#[test]
fn a_cut_tail_is_found() {
    for trail in lives() {
        for length in 0..trail.audit.len() {
            assert_eq!(check(&trail, &trail.audit[..length]), Err(BrokenChain::WrongHead), "cut to {length}");
        }
    }
}

#[test]
fn swapped_events_are_found() {
    for trail in lives() {
        for first in 0..trail.audit.len() {
            for second in first + 1..trail.audit.len() {
                let mut events = trail.audit.clone();
                events.swap(first, second);
                let expected = u64::try_from(first + 1).unwrap();
                assert_eq!(check(&trail, &events), Err(BrokenChain::OutOfPlace { expected }));

                // Even when they swap their numbers, too.
                let sequence = events[first].sequence;
                events[first].sequence = events[second].sequence;
                events[second].sequence = sequence;
                assert_eq!(check(&trail, &events), Err(BrokenChain::Edited { sequence: expected }));
                rechain(&mut events);
                let sequence = expected + 1;
                assert_eq!(check(&trail, &events), Err(BrokenChain::BackInTime { sequence }));

                // Nor when they swap their times as well.
                let timestamp = events[first].timestamp;
                events[first].timestamp = events[second].timestamp;
                events[second].timestamp = timestamp;
                rechain(&mut events);
                assert_eq!(check(&trail, &events), Err(BrokenChain::WrongHead));
            }
        }
    }
}

#[test]
fn an_added_event_is_found() {
    for trail in lives() {
        for place in 0..trail.audit.len() {
            let mut events = trail.audit.clone();
            events.insert(place, events[place].clone());
            let expected = u64::try_from(place + 2).unwrap();
            assert_eq!(check(&trail, &events), Err(BrokenChain::OutOfPlace { expected }));
        }
        let mut events = trail.audit.clone();
        let mut another = events.last().unwrap().clone();
        another.sequence += 1;
        another.prev_hash = another.hash;
        another.hash = another.compute_hash();
        events.push(another);
        assert_eq!(check(&trail, &events), Err(BrokenChain::WrongHead));
    }
}

#[test]
fn a_trail_proves_nothing_about_another_request() {
    let trail = full_life(ExecutionOutcome::Succeeded);
    let another = RequestId::parse("01930000-0000-7000-8000-00000000beef").unwrap();
    assert_eq!(
        verify(&Stream::request(another), None, &trail.audit, trail.request.audit_head),
        Err(BrokenChain::OutOfPlace { expected: 1 })
    );
    let head = Trail::in_status(Status::Rejected).request.audit_head;
    let stream = Stream::request(trail.request.id());
    assert_eq!(verify(&stream, None, &trail.audit, head), Err(BrokenChain::WrongHead));
    assert_eq!(verify(&stream, None, &[], trail.request.audit_head), Err(BrokenChain::WrongHead));
}

/// A trail, whole as it is, is not another deployment's.
#[test]
fn a_trail_of_another_deployment_is_refused() {
    let trail = full_life(ExecutionOutcome::Succeeded);
    let (stream, head) = (Stream::request(trail.request.id()), trail.request.audit_head);
    let of = |key: &DeploymentKey| verify(&stream, Some(&Origin::of(key)), &trail.audit, head);
    assert_eq!(of(&deployment_key()), Ok(()));
    assert_eq!(of(&DeploymentKey::new([8; 32])), Err(BrokenChain::Origin { sequence: 1 }));
    let origin = Origin::of(&DeploymentKey::new([8; 32]));
    assert_eq!(
        replay::check(&trail.request, &trail.audit, Some(&origin)),
        Err(Finding::Chain(BrokenChain::Origin { sequence: 1 }))
    );
}

/// Types and members of another version verify, and no approval is spent on what they have done.
#[test]
fn an_event_of_another_version_verifies_and_is_not_understood() {
    let trail = full_life(ExecutionOutcome::Succeeded);
    let mut events = trail.audit.clone();
    events[1].event_type = AuditEventType::parse("KEY_ROTATED").unwrap();
    events[1].others.insert("weight".to_owned(), json!({ "kilograms": [1, 2] }));
    rechain(&mut events);
    let read: Vec<_> = events.iter().map(|event| AuditEvent::read(&event.document()).unwrap()).collect();
    assert_eq!(read, events);
    let mut request = trail.request;
    request.audit_head = events.last().unwrap().hash;
    assert_eq!(verify(&Stream::request(request.id()), None, &read, request.audit_head), Ok(()));
    assert_eq!(replay::check(&request, &read, None), Err(Finding::UnknownType { sequence: 2 }));
    for name in ["", "lower", "WITH SPACE", &"X".repeat(65)] {
        assert_eq!(AuditEventType::parse(name), None, "{name}");
    }
}

#[test]
fn trails_of_equal_commands_by_different_people_differ() {
    let by = |name: &str| Trail::open(HIGH).then(&human(name, &["approver"]), &approve()).request.audit_head;
    assert_ne!(by("bob"), by("carol"));
    let heads = [
        Trail::open(HIGH).request.audit_head,
        Trail::open(LOW).request.audit_head,
        Trail::open(HIGH).then(&ann(), &comment()).request.audit_head,
        Trail::open(HIGH).at(1).then(&ann(), &comment()).request.audit_head,
    ];
    for (i, head) in heads.iter().enumerate() {
        assert!(!heads[..i].contains(head), "{head}");
    }
}
