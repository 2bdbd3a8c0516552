//! THREATS 60: no field of a request can be changed without the digest of its content or of its state
//! changing, and with it the seal.

use crate::fixture::{
    HIGH, Trail, after, ann, approve, bob, canonical, carol, change_content, comment, deployment_key, draft,
};
use crate::fixture::{finish, key, person, policy, start, text};
use countersign_core::audit::{AuditEvent, seal};
use countersign_core::caller::Channel;
use countersign_core::command::{Command, CommandName, ExecutionOutcome};
use countersign_core::content::Content;
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::execution::{Claim, Execution, ExecutionMode, Finish, Schedule, Target, Window};
use countersign_core::idempotency::IdempotencyRecord;
use countersign_core::ids::{EventId, ExecutionId, RequestId};
use countersign_core::person::PersonId;
use countersign_core::principal::Owner;
use countersign_core::priority::Priority;
use countersign_core::request::{Cancellation, Comment, Decision, Request, Status, Verdict, Withdrawal};
use countersign_core::requirements::MatchedRule;
use countersign_core::risk::{Cost, Environment, RiskLevel};
use countersign_core::slots::Slots;
use countersign_core::text::{DurationText, Identifier, InstanceId, Justification, RollbackPlan, Ticket};
use countersign_core::text_key::{DigestedDocument, KeyedText, TextKey};
use countersign_core::timestamp::Timestamp;
use std::collections::{BTreeSet, HashSet};

const ANOTHER_ID: &str = "01930000-0000-7000-8000-00000000beef";

fn another_event() -> EventId {
    EventId::parse(ANOTHER_ID).unwrap()
}

fn later(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond() + 1)
}

fn another_digest(digest: Digest) -> Digest {
    Digest::of(digest.to_string())
}

fn slots(group: &str, people: u8) -> Slots {
    Slots::new([(BTreeSet::from([group.to_owned()]), people)])
}

/// A request with something in every field. Not all of it at once is a life that a request can have.
fn full() -> Request {
    let mut draft = draft(HIGH);
    draft.estimated_cost = Some(Cost::new(99.5).unwrap());
    draft.estimated_duration = Some(DurationText::parse("1 h").unwrap());
    draft.ticket = Some(Ticket::parse("OPS-1").unwrap());
    draft.rollback_plan = Some(RollbackPlan::parse("go back").unwrap());
    draft.priority = Some(Priority::P2);
    draft.schedule = Schedule {
        mode: ExecutionMode::Manual,
        execute_at: Some(after(1)),
        window: Some(Window { from: after(1), to: after(599_000) }),
    };
    let mut requester = ann();
    requester.filed_by = Some(PersonId::service("pipeline").unwrap());
    requester.addresses.insert(person("ann.old"));
    let erin = person("erin");
    requester.owner =
        Some(Owner { person: erin.clone(), addresses: BTreeSet::from([erin, person("erin.old")]) });
    let mut bob = bob();
    bob.source_ip = Some("203.0.113.7".parse().unwrap());
    let approve_with_comment = Command::Approve { comment: Some(text("fine")), shown: Default::default() };
    let trail = Trail::open_as(draft, &requester, &policy(2), Some(&key("k", "body")))
        .then(&ann(), &comment())
        .then(&bob, &approve())
        .then(&bob, &Command::Withdraw { reason: None })
        .then(&bob, &approve_with_comment)
        .then(&carol(), &approve())
        .then_with(&ann(), &start(), Some(&key("l", "body")));
    let Command::Finish { execution_id, outcome, shown, .. } =
        finish(&trail.request, ExecutionOutcome::Succeeded)
    else {
        panic!("not a finish")
    };
    let finish = Command::Finish {
        execution_id,
        outcome,
        result: Some(canonical(r#"{"ok": true}"#)),
        actual_cost: Some(Cost::new(3.0).unwrap()),
        note: Some(text("as planned")),
        shown,
    };
    let mut request = trail.then(&ann(), &finish).request;
    change_content(&mut request, |content| {
        content.executor = Some(Identifier::parse("rds").unwrap());
        content.schedule.mode = ExecutionMode::Automatic;
        content.slots = slots("dba", 1);
        content.rules =
            vec![MatchedRule { name: "rules.r".to_owned(), demands: vec!["1 of dba".to_owned()] }];
    });
    request.expired_at = Some(after(77));
    request.target = Some(Target {
        by: person("rds"),
        at: after(70),
        document: DigestedDocument::Kept(canonical(r#"{"class": "db.r6g.large"}"#)),
    });
    let execution = request.execution.as_mut().unwrap();
    execution.claim = Some(Claim { by: person("rds"), at: after(75) });
    execution.unknown_since = Some(after(76));
    request.cancellation =
        Some(Cancellation { at: after(78), by: person("dave"), reason: Some(keyed(text("enough"))) });
    request
}

fn keyed<T>(text: T) -> KeyedText<T> {
    KeyedText::Kept { text, key: TextKey::new([8; 16]) }
}

fn set_text<T>(keyed: &mut KeyedText<T>, another: T) {
    if let KeyedText::Kept { text, .. } = keyed {
        *text = another;
    }
}

fn set_key<T>(keyed: &mut KeyedText<T>) {
    if let KeyedText::Kept { key, .. } = keyed {
        *key = TextKey::new([9; 16]);
    }
}

fn another_key<T>(text: &mut Option<KeyedText<T>>) {
    text.iter_mut().for_each(set_key);
}

type Flip<T> = (&'static str, fn(&mut T));
/// A change of a part of a request, given the request.
type PartFlip = (&'static str, Box<dyn Fn(&mut Request)>);

fn change<T>(field: &mut T, change: impl Fn(&mut T)) {
    change(field);
}

/// A change of each field of a value, given the value. Fails to compile for a field that is not named.
macro_rules! flips {
    ($type:ident { $($field:ident => [$($change:expr),+ $(,)?]),+ $(,)? }) => {{
        #[expect(dead_code, reason = "compiles only while every field is named")]
        fn all_fields(value: &$type) {
            let $type { $($field: _),+ } = value;
        }
        let flips: Vec<Flip<$type>> = vec![$($((
            concat!(stringify!($type), ".", stringify!($field)),
            |value| change(&mut value.$field, $change),
        )),+),+];
        flips
    }};
}

fn of_request() -> Vec<Flip<Request>> {
    flips!(Request {
        // See `of_parts`.
        content => [|_| {}],
        status => [
            |it| *it = Status::Approved,
            |it| *it = Status::Pending,
            |it| *it = Status::Failed,
        ],
        decisions => [
            |it| it.clear(),
            |it| { it.pop(); },
            |it| it.reverse(),
            |it| { let again = it[0].clone(); it.push(again); },
        ],
        approved_at => [|it| *it = None, |it| *it = it.map(later)],
        execute_by => [|it| *it = None, |it| *it = it.map(later)],
        erased_at => [|it| *it = Some(after(79))],
        expired_at => [|it| *it = None, |it| *it = it.map(later)],
        withdrawals => [|it| it.clear(), |it| { let again = it[0].clone(); it.push(again); }],
        cancellation => [|it| *it = None],
        target => [|it| *it = None],
        execution => [|it| *it = None],
        comments => [|it| it.clear(), |it| { let again = it[0].clone(); it.push(again); }],
        idempotency => [|it| it.clear(), |it| it.reverse()],
        version => [|it| *it += 1],
        updated_at => [|it| *it = later(*it)],
        last_event_id => [|it| *it = another_event()],
        audit_head => [|it| *it = another_digest(*it)],
        seal => [|it| *it = another_digest(*it)],
    })
}

/// The changes of the parts of a request, each made on the request.
fn of_parts() -> Vec<PartFlip> {
    let mut parts: Vec<PartFlip> = Vec::new();
    let content = flips!(Content {
        request_id => [|it| *it = RequestId::parse(ANOTHER_ID).unwrap()],
        operation_type => [|it| *it = Identifier::parse("read_file").unwrap()],
        instance_id => [|it| *it = InstanceId::parse("Orders-db").unwrap()],
        parameters => [|it| {
            *it = DigestedDocument::Kept(canonical(r#"{"target": "db.r6g.xlarge", "count": 3}"#));
        }],
        requested_by => [|it| *it = person("mallory")],
        requester_addresses => [
            |it| { it.insert(person("mallory")); },
            |it| { it.remove(&person("ann.old")); },
        ],
        filed_by => [|it| *it = None, |it| *it = Some(person("mallory"))],
        requested_at => [|it| *it = later(*it)],
        risk_level => [|it| *it = RiskLevel::Low],
        environment => [|it| *it = Environment::NonProduction],
        justification => [
            |it| set_text(it, Justification::parse("CPU is at 95 % since Tuesday").unwrap()),
            set_key,
        ],
        estimated_cost => [|it| *it = None, |it| *it = Some(Cost::new(99.6).unwrap())],
        estimated_duration => [|it| *it = None, |it| *it = Some(DurationText::parse("2 h").unwrap())],
        ticket => [|it| *it = None, |it| *it = Some(Ticket::parse("OPS-2").unwrap())],
        priority => [|it| *it = None, |it| *it = Some(Priority::P1)],
        rollback_plan => [|it| *it = None, |it| *it = Some(RollbackPlan::parse("stay").unwrap())],
        owner => [
            |it| *it = None,
            |it| it.as_mut().unwrap().person = person("mallory"),
            |it| { it.as_mut().unwrap().addresses.remove(&person("erin.old")); },
        ],
        requester_groups => [|it| it.clear(), |it| { it.insert("admin".to_owned()); }],
        approvals_required => [|it| *it -= 1, |it| *it += 1],
        slots => [
            |it| *it = Slots::default(),
            |it| *it = slots("dba", 2),
            |it| *it = slots("finance", 1),
        ],
        digest_required => [|it| *it = !*it],
        rules => [
            |it| it.clear(),
            |it| it[0].name.push('x'),
            |it| it[0].demands.push("another".to_owned()),
            |it| { let again = it[0].clone(); it.push(again); },
        ],
        policy_version => [|it| *it = another_digest(*it)],
        expires_at => [|it| *it = later(*it)],
        execute_within_seconds => [|it| *it += 1],
        executor => [|it| *it = None, |it| *it = Some(Identifier::parse("other").unwrap())],
        schedule => [
            |it| it.mode = ExecutionMode::Manual,
            |it| it.execute_at = None,
            |it| it.execute_at = it.execute_at.map(later),
            |it| it.window = None,
            |it| it.window.as_mut().unwrap().from = after(2),
            |it| it.window.as_mut().unwrap().to = after(599_001),
        ],
    });
    for (name, flip) in content {
        parts.push((name, Box::new(move |request| change_content(request, flip))));
    }
    let decisions = flips!(Decision {
        person => [|it| *it = person("mallory")],
        addresses => [|it| { it.insert(person("mallory")); }, |it| it.clear()],
        verdict => [|it| *it = Verdict::Rejected],
        at => [|it| *it = later(*it)],
        comment => [|it| *it = None, |it| *it = Some(keyed(text("not fine"))), another_key],
        groups => [|it| it.clear(), |it| { it.insert("dba".to_owned()); }],
        digest_presented => [|it| *it = !*it],
        channel => [|it| *it = Channel::Direct],
        source_ip => [|it| *it = None, |it| *it = Some("203.0.113.8".parse().unwrap())],
        policy_version => [|it| *it = another_digest(*it)],
        event_id => [|it| *it = another_event()],
    });
    for (name, flip) in decisions {
        parts.push((name, Box::new(move |request| flip(&mut request.decisions[0]))));
    }
    let withdrawals = flips!(Withdrawal {
        person => [|it| *it = person("mallory")],
        at => [|it| *it = later(*it)],
        event_id => [|it| *it = another_event()],
    });
    for (name, flip) in withdrawals {
        parts.push((name, Box::new(move |request| flip(&mut request.withdrawals[0]))));
    }
    let cancellations = flips!(Cancellation {
        at => [|it| *it = later(*it)],
        by => [|it| *it = person("mallory")],
        reason => [|it| *it = None, |it| *it = Some(keyed(text("more"))), another_key],
    });
    for (name, flip) in cancellations {
        parts.push((name, Box::new(move |request| flip(request.cancellation.as_mut().unwrap()))));
    }
    let executions = flips!(Execution {
        id => [|it| *it = ExecutionId::parse(ANOTHER_ID).unwrap()],
        started_by => [|it| *it = person("mallory")],
        started_at => [|it| *it = later(*it)],
        policy_version => [|it| *it = another_digest(*it)],
        permit_expires_at => [|it| *it = later(*it)],
        lease_seconds => [|it| *it += 1],
        lease_until => [|it| *it = later(*it)],
        claim => [|it| *it = None],
        unknown_since => [|it| *it = None, |it| *it = it.map(later)],
        finish => [|it| *it = None],
    });
    for (name, flip) in executions {
        parts.push((name, Box::new(move |request| flip(request.execution.as_mut().unwrap()))));
    }
    let finishes = flips!(Finish {
        at => [|it| *it = later(*it)],
        outcome => [|it| *it = ExecutionOutcome::Failed],
        result => [|it| *it = None, |it| *it = Some(keyed(canonical(r#"{"ok": false}"#))), another_key],
        actual_cost => [|it| *it = None, |it| *it = Some(Cost::new(3.5).unwrap())],
        note => [|it| *it = None, |it| *it = Some(keyed(text("otherwise"))), another_key],
    });
    let claims = flips!(Claim {
        by => [|it| *it = person("mallory")],
        at => [|it| *it = later(*it)],
    });
    for (name, flip) in claims {
        parts.push((
            name,
            Box::new(move |request| flip(request.execution.as_mut().unwrap().claim.as_mut().unwrap())),
        ));
    }
    let targets = flips!(Target {
        by => [|it| *it = person("mallory")],
        at => [|it| *it = later(*it)],
        document => [|it| {
            *it = DigestedDocument::Kept(canonical(r#"{"class": "db.r6g.xlarge"}"#));
        }],
    });
    for (name, flip) in targets {
        parts.push((name, Box::new(move |request| flip(request.target.as_mut().unwrap()))));
    }
    for (name, flip) in finishes {
        parts.push((
            name,
            Box::new(move |request| {
                flip(request.execution.as_mut().unwrap().finish.as_mut().unwrap());
            }),
        ));
    }
    let comments = flips!(Comment {
        person => [|it| *it = person("mallory")],
        at => [|it| *it = later(*it)],
        text => [|it| set_text(it, text("which one?")), set_key],
        event_id => [|it| *it = another_event()],
    });
    for (name, flip) in comments {
        parts.push((name, Box::new(move |request| flip(&mut request.comments[0]))));
    }
    let idempotency = flips!(IdempotencyRecord {
        person => [|it| *it = person("mallory")],
        command => [|it| *it = CommandName::Comment],
        key_digest => [|it| *it = another_digest(*it)],
        body_digest => [|it| *it = another_digest(*it)],
    });
    for (name, flip) in idempotency {
        parts.push((name, Box::new(move |request| flip(&mut request.idempotency[0]))));
    }
    parts
}

/// What binds the state itself, or is tried member by member.
const BOUND_OTHERWISE: [&str; 3] = ["Request.content", "Request.audit_head", "Request.seal"];

fn all_flips() -> Vec<PartFlip> {
    let whole = of_request().into_iter().map(|(name, flip)| {
        let flip: Box<dyn Fn(&mut Request)> = Box::new(flip);
        (name, flip)
    });
    whole.chain(of_parts()).collect()
}

#[test]
fn threat_60_a_change_of_any_field_is_another_state() {
    let request = full();
    let mut seen = HashSet::new();
    for (name, flip) in all_flips() {
        if BOUND_OTHERWISE.contains(&name) {
            continue;
        }
        let mut flipped = request.clone();
        flip(&mut flipped);
        assert_ne!(flipped, request, "{name} was not changed");
        let digest = flipped.state_digest();
        assert_ne!(digest, request.state_digest(), "{name}");
        assert!(seen.insert(digest), "{name} gives the digest of another change");
        assert_ne!(seal(&flipped, &deployment_key()), seal(&request, &deployment_key()), "{name}");
    }
    assert!(seen.len() >= 80, "{}", seen.len());
}

/// THREATS 15: what an approver reads is what an approval is bound to, labels included; and nothing
/// else is, so that an approval stays bound while others decide.
#[test]
fn threat_15_a_change_of_what_was_asked_for_is_another_content() {
    let request = full();
    for (name, flip) in all_flips() {
        let mut flipped = request.clone();
        flip(&mut flipped);
        let is_changed = flipped.content.digest() != request.content.digest();
        let key = |request: &Request| request.content.justification.kept().map(|(_, key)| key);
        let is_only_the_key = key(&flipped) != key(&request);
        assert_eq!(is_changed, name.starts_with("Content.") && !is_only_the_key, "{name}");
    }
}

#[test]
fn the_seal_binds_the_head_of_the_trail_and_the_key() {
    let request = full();
    let mut another_trail = request.clone();
    another_trail.audit_head = another_digest(request.audit_head);
    assert_ne!(seal(&another_trail, &deployment_key()), seal(&request, &deployment_key()));
    assert_ne!(seal(&request, &DeploymentKey::new([8; 32])), seal(&request, &deployment_key()));
    assert_eq!(seal(&request, &deployment_key()), seal(&request.clone(), &deployment_key()));
}

/// No free text, no key and no parameter can be read off the documents that are hashed and shown.
#[test]
fn neither_document_holds_more_than_it_says() {
    let request = full();
    let state = request.state();
    for secret in
        ["fine", "enough", "which window?", "db.r6g.xlarge", "go back", "db.r6g.large", "as planned"]
    {
        assert!(!state.as_str().contains(secret), "{secret} in {}", state.as_str());
    }
    assert!(!request.content.document().as_str().contains("db.r6g.xlarge"));
    let names: Vec<_> = request.content.document().to_value().as_object().unwrap().keys().cloned().collect();
    assert_eq!(names.len(), 31, "{names:?}");
    assert!(state.as_str().contains(&request.content.digest().to_string()));
}

/// Each audit event names the state that it left.
#[test]
fn each_event_binds_the_state_after_it() {
    let trail = Trail::in_status(Status::Executed);
    let mut request = Request::create(&trail.events[0]).unwrap();
    for (nth, event) in trail.events.iter().enumerate() {
        if nth > 0 {
            request.apply(event);
        }
        let record: &AuditEvent = &trail.audit[nth];
        assert_eq!(record.state_digest, Some(request.state_digest()));
        request.audit_head = record.hash;
    }
}
