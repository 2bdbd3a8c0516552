//! The audit chain: whatever is edited, removed, added or moved is found, and no free text is in it.

use crate::fixture::{
    HIGH, LOW, Trail, after, ann, approve, bob, canonical, carol, comment, deployment_key, draft, human,
    person, policy, start, text,
};
use countersign_core::audit::anomaly::Anomaly;
use countersign_core::audit::{
    AuditEvent, AuditEventType, AuditedRequest, BrokenChain, Finding, Stream, replay, verify,
};
use countersign_core::caller::{Authentication, Channel, PrincipalKind};
use countersign_core::canonical::CanonicalJson;
use countersign_core::command::{Command, ExecutionOutcome, Shown};
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::event::EventType;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::origin::Origin;
use countersign_core::person::PersonId;
use countersign_core::request::Status;
use countersign_core::risk::{Cost, Environment, RiskLevel};
use countersign_core::text::{DurationText, Identifier, InstanceId, Justification};
use serde_json::{Value, json};

/// A whole life with everything said that can be said.
fn full_life(outcome: ExecutionOutcome) -> Trail {
    let mut draft = draft(HIGH);
    draft.justification = Justification::parse("secret justification").unwrap();
    draft.estimated_duration = Some(DurationText::parse("secret duration").unwrap());
    draft.estimated_cost = Some(Cost::new(99.5).unwrap());
    draft.parameters = canonical(r#"{"password": "secret parameter"}"#);
    let mut requester = ann();
    requester.filed_by = Some(PersonId::service("pipeline").unwrap());
    let said = || Some(text("secret approval"));
    let trail = Trail::open_as(draft, &requester, &policy(2), None)
        .then(&ann(), &Command::Comment { text: text("secret comment") })
        .then(&bob(), &Command::Approve { comment: said(), shown: Shown::default() })
        .then(&carol(), &Command::Approve { comment: said(), shown: Shown::default() })
        .then(&ann(), &start());
    let command = Command::Finish {
        execution_id: trail.request.execution.as_ref().unwrap().id,
        outcome,
        result: Some(canonical(r#"{"log": "secret result"}"#)),
        actual_cost: Some(Cost::new(101.0).unwrap()),
        shown: Shown::default(),
    };
    trail.then(&ann(), &command).then(&bob(), &Command::Comment { text: text("secret comment") })
}

/// Approvals that are taken back, with a reason and without.
fn withdrawn_life() -> Trail {
    let mut bob = bob();
    bob.source_ip = Some("203.0.113.8".parse().unwrap());
    Trail::open(HIGH)
        .then(&bob, &approve())
        .then(&carol(), &approve())
        .then(&bob, &Command::Withdraw { reason: Some(text("secret reason")) })
        .then(&bob, &approve())
        .then(&carol(), &Command::Withdraw { reason: None })
}

/// Every kind of event is in one of these.
fn lives() -> Vec<Trail> {
    vec![
        full_life(ExecutionOutcome::Succeeded),
        full_life(ExecutionOutcome::Failed),
        Trail::open(HIGH)
            .then(&bob(), &Command::Reject { reason: text("secret reason"), shown: Shown::default() }),
        Trail::open(HIGH).then(&ann(), &Command::Cancel { reason: Some(text("secret reason")) }),
        Trail::in_status(Status::Expired),
        Trail::open(LOW),
        withdrawn_life(),
    ]
}

fn check(trail: &Trail, events: &[AuditEvent]) -> Result<(), BrokenChain> {
    verify(&Stream::request(trail.request.id), None, events, trail.request.audit_head)
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

fn proven() -> Authentication {
    let (issuer, subject) = ("https://issuer.example".to_owned(), "7e1c".to_owned());
    Authentication { issuer, subject, at: Some(after(0)) }
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
    let other =
        |all: &[EventType]| all.iter().copied().find(|other| Some(*other) != event_type.known()).unwrap();
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
        edit("event_type", &|e| e.event_type = other(&EventType::ALL).into()),
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
            e.environment = Environment::ALL.into_iter().find(|other| other != environment).unwrap();
        }),
        about("risk_level", &|e| {
            e.risk_level = RiskLevel::ALL.into_iter().find(|other| other != risk_level).unwrap();
        }),
        about("requested_by", &|e| e.requested_by = person("mallory")),
        about("status", &|e| e.status = Status::ALL.into_iter().find(|other| other != status).unwrap()),
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
            assert_eq!((about.status, about.request_id), (event.status, trail.request.id));
            assert_eq!(about.requested_by, trail.request.requested_by);
            assert_eq!(record.origin, Origin::of(&deployment_key()));
        }
    }
}

#[test]
fn these_lives_hold_every_type_of_event() {
    let lives = lives();
    for event_type in EventType::ALL.into_iter().filter(|of| *of != EventType::AnomalyDetected) {
        let held = lives
            .iter()
            .flat_map(|trail| &trail.audit)
            .any(|event| event.event_type.known() == Some(event_type));
        assert!(held, "{event_type:?} is in no trail that these tests try to forge");
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
    let stream = Stream::request(trail.request.id);
    assert_eq!(verify(&stream, None, &trail.audit, head), Err(BrokenChain::WrongHead));
    assert_eq!(verify(&stream, None, &[], trail.request.audit_head), Err(BrokenChain::WrongHead));
}

/// A trail, whole as it is, is not another deployment's.
#[test]
fn a_trail_of_another_deployment_is_refused() {
    let trail = full_life(ExecutionOutcome::Succeeded);
    let (stream, head) = (Stream::request(trail.request.id), trail.request.audit_head);
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
    events[1].event_type = AuditEventType::parse("PARAMETERS_ERASED").unwrap();
    events[1].others.insert("weight".to_owned(), json!({ "kilograms": [1, 2] }));
    rechain(&mut events);
    let read: Vec<_> = events.iter().map(|event| AuditEvent::read(&event.document()).unwrap()).collect();
    assert_eq!(read, events);
    let mut request = trail.request;
    request.audit_head = events.last().unwrap().hash;
    assert_eq!(verify(&Stream::request(request.id), None, &read, request.audit_head), Ok(()));
    assert_eq!(replay::check(&request, &read, None), Err(Finding::UnknownType { sequence: 2 }));
    for name in ["", "lower", "WITH SPACE", &"X".repeat(65)] {
        assert_eq!(AuditEventType::parse(name), None, "{name}");
    }
}

/// Whoever was proven by a token is recorded with it.
#[test]
fn an_event_says_how_its_caller_was_proven() {
    let mut requester = ann();
    requester.authentication = Some(proven());
    let trail = Trail::open_as(draft(HIGH), &requester, &policy(2), None).then(&bob(), &approve());
    let auth = |place: usize| trail.audit[place].document().to_value()["auth"].clone();
    assert_eq!(
        auth(0),
        json!({ "issuer": "https://issuer.example", "subject": "7e1c", "at": after(0).to_string() })
    );
    assert_eq!(auth(1), Value::Null);
    assert_eq!(AuditEvent::read(&trail.audit[0].document()).as_ref(), Some(&trail.audit[0]));
}

#[test]
fn free_text_and_parameters_are_never_in_the_trail() {
    for trail in lives() {
        let said = format!("{:?}", trail.events);
        let trail_text = format!("{:?}", trail.audit);
        for word in ["secret", "password"] {
            assert!(!trail_text.contains(word), "{trail_text}");
        }
        for event in &trail.audit {
            assert!(!event.details.as_str().contains("secret"), "{}", event.details.as_str());
        }
        let told_something = trail.events.len() > 1 && trail.request.status != Status::Expired;
        assert_eq!(said.contains("secret"), told_something, "the events themselves do hold it");
    }
}

#[test]
fn the_details_of_each_event_hold_what_the_design_names() {
    let names = |trail: &Trail, place: usize| -> Vec<String> {
        let Value::Object(members) = trail.audit[place].details.to_value() else { panic!("not an object") };
        members.keys().cloned().collect()
    };
    let lives = lives();
    let full = &lives[0];
    let created = [
        "approvals_required",
        "content_digest",
        "estimated_cost",
        "estimated_duration_digest",
        "expires_at",
        "filed_by",
        "justification_digest",
        "parameters_digest",
        "policy_version",
        "slots",
    ];
    assert_eq!(names(full, 0), created);
    assert_eq!(names(full, 1), ["text_digest"]);
    let granted = [
        "approvals_received",
        "approvals_required",
        "comment_digest",
        "content_digest",
        "digest_presented",
        "groups",
        "parameters_digest",
        "policy_version",
    ];
    assert_eq!(names(full, 2), granted);
    assert_eq!(
        names(full, 3),
        [
            "approvals_received",
            "approvals_required",
            "comment_digest",
            "content_digest",
            "digest_presented",
            "execute_by",
            "groups",
            "parameters_digest",
            "policy_version"
        ]
    );
    assert_eq!(names(full, 4), ["content_digest", "execution_id", "parameters_digest", "policy_version"]);
    assert_eq!(names(full, 5), ["actual_cost", "execution_id", "result_digest"]);
    assert_eq!(
        names(&lives[2], 1),
        ["content_digest", "parameters_digest", "policy_version", "reason_digest"]
    );
    assert_eq!(names(&lives[3], 1), ["reason_digest"]);
    assert_eq!(names(&lives[4], 2), ["deadline"]);
    let approved_at_once = names(&lives[5], 0);
    assert!(approved_at_once.contains(&"execute_by".to_owned()), "{approved_at_once:?}");

    let withdrawn = lives.last().unwrap();
    let details = ["approvals_received", "approvals_required", "reason_digest", "withdraws"];
    assert_eq!(names(withdrawn, 3), details);
    assert_eq!(names(withdrawn, 5), ["approvals_received", "approvals_required", "withdraws"]);
    let withdraws = json!([withdrawn.audit[1].event_id.to_string()]);
    assert_eq!(withdrawn.audit[3].details.to_value()["withdraws"], withdraws);

    for trail in &lives {
        let digest = json!(trail.request.parameters_digest.to_string());
        for event in &trail.audit {
            let found = event.details.to_value().get("parameters_digest").cloned();
            assert!(found.is_none() || found == Some(digest.clone()), "{:?}", event.event_type);
        }
    }
}

/// Who has text and key can show that they belong to an event; who has neither cannot guess the text.
#[test]
fn the_digest_of_a_free_text_is_keyed_and_of_its_event() {
    let trail = full_life(ExecutionOutcome::Succeeded);
    let detail = |place: usize, name: &str| trail.audit[place].details.to_value()[name].clone();
    let keyed = |place: usize, text: &str| json!(trail.events[place].text_key.digest(text).to_string());
    assert_eq!(detail(0, "justification_digest"), keyed(0, "secret justification"));
    assert_eq!(detail(0, "estimated_duration_digest"), keyed(0, "secret duration"));
    assert_eq!(detail(1, "text_digest"), keyed(1, "secret comment"));
    assert_eq!(detail(2, "comment_digest"), keyed(2, "secret approval"));
    assert_eq!(detail(5, "result_digest"), keyed(5, r#"{"log":"secret result"}"#));

    assert_ne!(detail(1, "text_digest"), detail(6, "text_digest"), "the same words said twice");
    assert_ne!(detail(2, "comment_digest"), detail(3, "comment_digest"));
    assert_ne!(detail(1, "text_digest"), json!(Digest::of("secret comment").to_string()));

    // The key stands beside the text, on the request.
    let request = &trail.request;
    assert_eq!(request.text_key, trail.events[0].text_key);
    assert_eq!(request.comments[0].text.key, trail.events[1].text_key);
    assert_eq!(request.decisions[0].comment.as_ref().unwrap().key, trail.events[2].text_key);
    assert_eq!(request.finish().unwrap().result.as_ref().unwrap().key, trail.events[5].text_key);
    assert!(!format!("{:?}", trail.audit).contains(&request.text_key.to_hex()));
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

#[test]
fn an_event_reads_back_from_its_document_and_from_no_other() {
    for event in lives().into_iter().flat_map(|trail| trail.audit) {
        let document = event.document();
        assert_eq!(AuditEvent::read(&document), Some(event.clone()));
        let Value::Object(members) = document.to_value() else { panic!("not an object") };
        for name in members.keys() {
            let mut without = members.clone();
            without.remove(name);
            // Some members are not always there: without them, the hash does not fit.
            let read = AuditEvent::read(&CanonicalJson::of(&Value::Object(without)));
            assert!(read.is_none_or(|read| read.compute_hash() != read.hash), "without {name}");
            for value in [json!([]), Value::Null] {
                let mut altered = members.clone();
                altered.insert(name.clone(), value);
                assert_eq!(AuditEvent::read(&CanonicalJson::of(&Value::Object(altered))), None, "{name}");
            }
        }
        // A member that is not known is kept: without it in the hash, the hash does not fit.
        let mut more = members.clone();
        more.insert("approved_by_the_board".to_owned(), json!(true));
        let read = AuditEvent::read(&CanonicalJson::of(&Value::Object(more))).unwrap();
        assert_ne!(read.compute_hash(), read.hash);
        assert_eq!(event.stream.to_string(), members["stream"]);
    }
}

/// The record of a damaged request names it, and who met it, in a stream of its own.
#[test]
fn an_anomaly_is_recorded_beside_the_trail_it_is_about() {
    let trail = Trail::in_status(Status::Approved);
    let finding = Finding::State("status");
    let anomaly = Anomaly {
        event_id: EventId::parse("01930000-0000-7000-8000-00000000beef").unwrap(),
        request_id: trail.request.id,
        at: after(9000),
        actor: ann(),
        finding: finding.clone(),
    };
    let event = anomaly.record(&deployment_key());
    assert_eq!(event.stream, Stream::integrity(trail.request.id));
    assert_eq!(event.compute_hash(), event.hash);
    let document = event.document();
    // It is read like any other event, and never taken for an event of a request.
    assert_eq!(AuditEvent::read(&document), Some(event));
    let value = document.to_value();
    assert_eq!(value["event_type"], "ANOMALY_DETECTED");
    assert_eq!(value["user"], "ann@example.com");
    assert_eq!(value["details"]["request_id"], trail.request.id.to_string());
    assert_eq!(value["details"]["finding"], finding.to_string());
    for name in ["request_id", "operation_type", "status", "state_digest"] {
        assert_eq!(value.get(name), None, "{name}");
    }
    // Members about a request are there together or not at all.
    let mut half = value.as_object().unwrap().clone();
    half.insert("request_id".to_owned(), json!(trail.request.id.to_string()));
    assert_eq!(AuditEvent::read(&CanonicalJson::of(&Value::Object(half))), None);
}
