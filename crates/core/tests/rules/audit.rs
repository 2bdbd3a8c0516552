//! What an audit event holds: which details, never a text, and what it is read back from.

use crate::fixture::{
    HIGH, LOW, Trail, after, ann, approve, bob, canonical, carol, claim, deployment_key, draft, erase,
    executor, human, observe, policy, renew, start, text,
};
use countersign_core::audit::anomaly::Anomaly;
use countersign_core::audit::{AuditEvent, Finding, Stream};
use countersign_core::caller::{Authentication, Channel};
use countersign_core::canonical::CanonicalJson;
use countersign_core::command::{Command, ExecutionOutcome, Shown};
use countersign_core::digest::Digest;
use countersign_core::event::EventType;
use countersign_core::ids::EventId;
use countersign_core::person::PersonId;
use countersign_core::principal::Principal;
use countersign_core::request::Status;
use countersign_core::risk::Cost;
use countersign_core::text::{DurationText, Justification};
use countersign_core::text_key::{KeyedText, TextKey};
use serde_json::{Value, json};
use strum::IntoEnumIterator;

/// A whole life with everything said that can be said.
pub(crate) fn full_life(outcome: ExecutionOutcome) -> Trail {
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
        note: None,
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

/// Observed by an executor, claimed, renewed, not heard of, and settled by an admin.
fn executor_life() -> Trail {
    let trail = Trail::open(HIGH)
        .then(&executor(), &observe())
        .then(&bob(), &approve())
        .then(&carol(), &approve())
        .then(&ann(), &start());
    let (claim, renew) = (claim(&trail.request), renew(&trail.request));
    let trail = trail.then(&ann(), &claim);
    let trail = trail.clone().at(trail.clock + 1_800_000).then(&ann(), &renew);
    let trail = trail
        .clone()
        .at(trail.clock + 3_600_000)
        .then(&Principal::expiry(Channel::Local), &Command::EndLease);
    let command = Command::Finish {
        execution_id: trail.request.execution.as_ref().unwrap().id,
        outcome: ExecutionOutcome::Failed,
        result: None,
        actual_cost: None,
        note: Some(text("secret note")),
        shown: Shown::default(),
    };
    trail.then(&human("root", &["admin"]), &command)
}

/// Every kind of event is in one of these.
pub(crate) fn lives() -> Vec<Trail> {
    vec![
        full_life(ExecutionOutcome::Succeeded),
        full_life(ExecutionOutcome::Failed),
        Trail::open(HIGH)
            .then(&bob(), &Command::Reject { reason: text("secret reason"), shown: Shown::default() }),
        Trail::open(HIGH).then(&ann(), &Command::Cancel { reason: Some(text("secret reason")) }),
        Trail::in_status(Status::Expired),
        Trail::open(LOW),
        withdrawn_life(),
        executor_life(),
        full_life(ExecutionOutcome::Succeeded).then(&Principal::retention(Channel::Local), &erase()),
    ]
}

pub(crate) fn proven() -> Authentication {
    let (issuer, subject) = ("https://issuer.example".to_owned(), "7e1c".to_owned());
    Authentication { issuer, subject, at: Some(after(0)) }
}

#[test]
fn these_lives_hold_every_type_of_event() {
    let lives = lives();
    for event_type in EventType::iter().filter(|of| of.is_of_request()) {
        let held = lives
            .iter()
            .flat_map(|trail| &trail.audit)
            .any(|event| event.event_type.known() == Some(event_type));
        assert!(held, "{event_type:?} is in no trail that these tests try to forge");
    }
}

/// A caller who was proven by a token is recorded with it.
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
    assert_eq!(
        names(full, 4),
        [
            "audience",
            "content_digest",
            "execution_id",
            "lease_seconds",
            "lease_until",
            "parameters_digest",
            "permit_expires_at",
            "policy_version"
        ]
    );
    let executed = &lives[7];
    assert_eq!(names(executed, 1), ["target_digest"]);
    for place in [5, 6, 7] {
        assert_eq!(names(executed, place), ["execution_id", "lease_until"]);
    }
    assert_eq!(names(executed, 8), ["execution_id", "note_digest"]);
    assert_eq!(names(full, 5), ["actual_cost", "execution_id", "result_digest"]);
    assert_eq!(
        names(&lives[2], 1),
        ["content_digest", "parameters_digest", "policy_version", "reason_digest"]
    );
    assert_eq!(names(&lives[3], 1), ["reason_digest"]);
    assert_eq!(names(&lives[4], 2), ["deadline"]);
    let approved_at_once = names(&lives[5], 0);
    assert!(approved_at_once.contains(&"execute_by".to_owned()), "{approved_at_once:?}");

    let withdrawn = &lives[6];
    let details = ["approvals_received", "approvals_required", "reason_digest", "withdraws"];
    assert_eq!(names(withdrawn, 3), details);
    assert_eq!(names(withdrawn, 5), ["approvals_received", "approvals_required", "withdraws"]);
    let withdraws = json!([withdrawn.audit[1].event_id.to_string()]);
    assert_eq!(withdrawn.audit[3].details.to_value()["withdraws"], withdraws);

    for trail in &lives {
        let digest = json!(trail.request.content.parameters_digest().to_string());
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
    assert_eq!(key(&request.content.justification), trail.events[0].text_key);
    assert_eq!(key(&request.comments[0].text), trail.events[1].text_key);
    assert_eq!(key(request.decisions[0].comment.as_ref().unwrap()), trail.events[2].text_key);
    assert_eq!(key(request.finish().unwrap().result.as_ref().unwrap()), trail.events[5].text_key);
    assert!(!format!("{:?}", trail.audit).contains(&key(&request.content.justification).to_hex()));
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
        request_id: trail.request.id(),
        at: after(9000),
        actor: ann(),
        finding: finding.clone(),
    };
    let event = anomaly.record(&deployment_key());
    assert_eq!(event.stream, Stream::integrity(trail.request.id()));
    assert_eq!(event.compute_hash(), event.hash);
    let document = event.document();
    // It is read like any other event, and never taken for an event of a request.
    assert_eq!(AuditEvent::read(&document), Some(event));
    let value = document.to_value();
    assert_eq!(value["event_type"], "ANOMALY_DETECTED");
    assert_eq!(value["user"], "ann@example.com");
    assert_eq!(value["details"]["request_id"], trail.request.id().to_string());
    assert_eq!(value["details"]["finding"], finding.to_string());
    for name in ["request_id", "operation_type", "status", "state_digest"] {
        assert_eq!(value.get(name), None, "{name}");
    }
    // Members about a request are there together or not at all.
    let mut half = value.as_object().unwrap().clone();
    half.insert("request_id".to_owned(), json!(trail.request.id().to_string()));
    assert_eq!(AuditEvent::read(&CanonicalJson::of(&Value::Object(half))), None);
}

/// Libraries write numbers with fractions in different ways. An event has none, wherever it would stand.
#[test]
fn an_event_with_a_number_that_is_not_whole_is_not_read() {
    let event = Trail::open(HIGH).audit.remove(0);
    for (number, is_whole) in [
        (json!(2), true),
        (json!(-2), true),
        (json!(9_007_199_254_740_991_u64), true),
        (json!(9_007_199_254_740_992_u64), false),
        (json!(2.5), false),
        (json!(1e21), false),
        (json!({ "deep": [1, 0.1] }), false),
    ] {
        let mut details = event.details.to_value();
        details["weight"] = number.clone();
        let mut of_details = event.clone();
        of_details.details = CanonicalJson::of(&details);
        let mut of_event = event.clone();
        of_event.others.insert("weight".to_owned(), number.clone());
        for mut edited in [of_details, of_event] {
            edited.hash = edited.compute_hash();
            let read = AuditEvent::read(&edited.document());
            assert_eq!(read, is_whole.then_some(edited), "{number}");
        }
    }
}

fn key<T: AsRef<str>>(text: &KeyedText<T>) -> TextKey {
    text.kept().unwrap().1
}
