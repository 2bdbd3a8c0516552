//! What holds after any commands by anybody at any times, and that the core and the model of
//! `model.rs` answer alike.

use crate::fixture::{
    APPROVED_MS, HIGH, LOW, MEDIUM, NO_EXECUTION, PENDING_MS, Trail, after, canonical, classed,
    deployment_key, draft, human, key, person, policy, service, stamp, text,
};
use crate::model::{Attempt, Model};
use countersign_core::actor::{Actor, Channel, Kind};
use countersign_core::audit::{AuditEvent, verify};
use countersign_core::command::{Command, ExecutionOutcome};
use countersign_core::event::{Change, EventType};
use countersign_core::ids::ExecutionId;
use countersign_core::request::{Request, Status};
use countersign_core::risk::RiskLevel;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Everybody. The same person may be here twice, in other groups or by another door.
fn cast() -> Vec<Actor> {
    let mut mailbox = human("bob", &["approver", "admin"]);
    mailbox.channel = Channel::Local;
    vec![
        human("ann", &["developer"]),
        human("ann", &["developer", "approver", "admin", "auditor"]),
        human("bob", &["approver"]),
        mailbox,
        human("carol", &["approver", "auditor", "guest"]),
        human("dave", &["admin"]),
        human("erin", &["approver", "developer"]),
        human("fay", &["approver"]),
        human("robo", &["agent", "admin"]),
        Actor::new(person("robo"), Kind::Agent, Channel::Direct, ["approver"]),
        service("pipeline", &["admin", "approver"]),
        human("ruth", &["auditor"]),
        human("gil", &["guest"]),
        human("sam", &["approvers", "Admin"]),
        human("tess", &[]),
    ]
}

#[derive(Debug, Clone)]
struct Start {
    operation: &'static str,
    high: u8,
    requester: Actor,
    parameters: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Approve,
    Reject,
    Cancel,
    Comment,
    Start,
    Finish,
    Expire,
}

#[derive(Debug, Clone, Copy)]
enum Wait {
    Milliseconds(i64),
    /// Until so many milliseconds before or after the deadline, if that is still to come.
    ForDeadline(i64),
}

#[derive(Debug, Clone, Copy)]
enum Shown {
    Nothing,
    Right,
    Wrong,
}

#[derive(Debug, Clone)]
struct Step {
    /// Into the cast, or the requester.
    who: Option<usize>,
    verb: Verb,
    wait: Wait,
    shown: Shown,
    names_running_execution: bool,
    succeeded: bool,
    key: Option<(&'static str, &'static str)>,
}

fn any_start() -> impl Strategy<Value = Start> {
    let requester = prop_oneof![
        4 => Just(human("ann", &["developer"])),
        1 => Just(human("ann", &["developer", "approver", "admin"])),
        1 => Just(human("dave", &["admin"])),
        1 => Just(human("robo", &["agent", "admin"])),
        1 => Just(service("pipeline", &["admin", "approver"])),
    ];
    let filer = prop_oneof![
        6 => Just(None),
        1 => Just(Some(service("pipeline", &[]).person)),
        1 => Just(Some(person("bob"))),
    ];
    let operation = prop_oneof![1 => Just(LOW), 3 => Just(MEDIUM), 5 => Just(HIGH), 1 => Just("unlisted")];
    (operation, 2..=4u8, requester, filer, any::<u16>()).prop_map(
        |(operation, high, requester, filer, parameters)| {
            let requester = Actor { filed_by: filer, ..requester };
            Start { operation, high, requester, parameters }
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    let who = prop_oneof![3 => (0..cast().len()).prop_map(Some), 1 => Just(None)];
    let verb = prop_oneof![
        8 => Just(Verb::Approve),
        1 => Just(Verb::Reject),
        1 => Just(Verb::Cancel),
        2 => Just(Verb::Comment),
        5 => Just(Verb::Start),
        5 => Just(Verb::Finish),
        1 => Just(Verb::Expire),
    ];
    let wait = prop_oneof![
        4 => Just(Wait::Milliseconds(0)),
        12 => (1..10_000i64).prop_map(Wait::Milliseconds),
        1 => (0..PENDING_MS).prop_map(Wait::Milliseconds),
        1 => (-2..=2i64).prop_map(Wait::ForDeadline),
    ];
    let shown = prop_oneof![3 => Just(Shown::Nothing), 3 => Just(Shown::Right), 1 => Just(Shown::Wrong)];
    let key = prop_oneof![
        4 => Just(None),
        1 => (prop_oneof![Just("k"), Just("l")], prop_oneof![3 => Just("a"), 1 => Just("b")]).prop_map(Some),
    ];
    let report = (prop::bool::weighted(0.8), any::<bool>());
    (who, verb, wait, shown, report, key).prop_map(
        |(who, verb, wait, shown, (names_running_execution, succeeded), key)| Step {
            who,
            verb,
            wait,
            shown,
            names_running_execution,
            succeeded,
            key,
        },
    )
}

fn any_life() -> impl Strategy<Value = (Start, Vec<Step>)> {
    (any_start(), prop::collection::vec(any_step(), 0..60))
}

type Answer = Result<&'static str, &'static str>;

/// Everything that came of some steps.
struct Life {
    trail: Trail,
    /// The request after its creation and after each step.
    states: Vec<Request>,
    answers: Vec<Answer>,
    predicted: Vec<Answer>,
}

fn command(step: &Step, request: &Request) -> Command {
    let parameters_digest = match step.shown {
        Shown::Nothing => None,
        Shown::Right => Some(request.parameters_digest.to_string()),
        Shown::Wrong => Some(request.parameters_digest.to_string().to_uppercase()),
    };
    let execution_id = match &request.execution {
        Some(execution) if step.names_running_execution => execution.id,
        Some(_) | None => ExecutionId::parse(NO_EXECUTION).unwrap(),
    };
    match step.verb {
        Verb::Approve => Command::Approve { comment: None, parameters_digest },
        Verb::Reject => Command::Reject { reason: text("no") },
        Verb::Cancel => Command::Cancel { reason: None },
        Verb::Comment => Command::Comment { text: text("hm") },
        Verb::Start => Command::Start { parameters_digest },
        Verb::Finish => Command::Finish {
            execution_id,
            outcome: if step.succeeded { ExecutionOutcome::Succeeded } else { ExecutionOutcome::Failed },
            result: None,
            actual_cost: None,
        },
        Verb::Expire => Command::Expire,
    }
}

fn live(start: &Start, steps: &[Step]) -> Life {
    let cast = cast();
    let mut opening = draft(start.operation);
    opening.parameters = canonical(&format!(r#"{{"n": {}}}"#, start.parameters));
    let digest = opening.parameters.digest().to_string();
    let mut trail = Trail::open_as(opening, &start.requester, &policy(start.high), None);
    let needed = match start.operation {
        LOW => 0,
        MEDIUM => 1,
        _ => usize::from(start.high),
    };
    let filer = start.requester.filed_by.as_ref();
    let lifetimes = (PENDING_MS, APPROVED_MS);
    let requester = start.requester.person.as_str();
    let mut model = Model::new(requester, filer.map(|filer| filer.as_str()), &digest, needed, lifetimes, 0);

    let mut states = vec![trail.request.clone()];
    let (mut answers, mut predicted) = (Vec::new(), Vec::new());
    for step in steps {
        let epoch = after(0).as_millisecond();
        trail.clock = match (step.wait, trail.request.deadline()) {
            (Wait::Milliseconds(ms), _) => trail.clock + ms,
            (Wait::ForDeadline(offset), Some(deadline)) => {
                trail.clock.max(deadline.as_millisecond() - epoch + offset)
            }
            (Wait::ForDeadline(_), None) => trail.clock,
        };
        let sweep = Actor::expiry(Channel::Local);
        let actor = match (step.verb, step.who) {
            (Verb::Expire, _) => &sweep,
            (_, None) => &start.requester,
            (_, Some(index)) => cast.get(index).unwrap_or(&start.requester),
        };
        let sent_key = if step.verb == Verb::Expire { None } else { step.key };
        let command = command(step, &trail.request);
        let shown_digest = match &command {
            Command::Approve { parameters_digest, .. } | Command::Start { parameters_digest } => {
                parameters_digest.as_deref()
            }
            _ => None,
        };
        let names_execution = match &command {
            Command::Finish { execution_id, .. } => execution_id.to_string(),
            _ => String::new(),
        };
        predicted.push(model.play(&Attempt {
            who: actor.person.as_str(),
            is_human: actor.kind == Kind::Human,
            groups: &actor.groups,
            verb: command.name().as_str(),
            shown_digest,
            names_execution: &names_execution,
            succeeded: step.succeeded,
            key: sent_key,
            now: trail.clock,
            new_execution: &stamp(trail.request.version + 1, trail.now()).execution_id.to_string(),
        }));
        let idempotency = sent_key.map(|(name, body)| key(name, body));
        answers.push(classed(&trail.give(actor, &command, idempotency.as_ref())));
        states.push(trail.request.clone());
    }
    Life { trail, states, answers, predicted }
}

proptest! {
    #[test]
    fn the_core_answers_as_the_model_does((start, steps) in any_life()) {
        let life = live(&start, &steps);
        for (nth, step) in steps.iter().enumerate() {
            prop_assert_eq!(life.answers[nth], life.predicted[nth], "step {}: {:?}", nth, step);
        }
    }

    #[test]
    fn a_terminal_status_is_final((start, steps) in any_life()) {
        let life = live(&start, &steps);
        for (pair, answer) in life.states.windows(2).zip(&life.answers) {
            let (before, after) = (&pair[0], &pair[1]);
            if before.status.is_open() {
                continue;
            }
            prop_assert_eq!(after.status, before.status);
            let commented = after.comments.len() > before.comments.len();
            prop_assert_eq!(after.version, before.version + u64::from(commented));
            if before.status == Status::Expired {
                prop_assert_eq!(after, before);
            }
            prop_assert!(
                answer.is_err() || commented || *answer == Ok("replayed"),
                "{:?} on a request that is {}", answer, before.status
            );
        }
    }

    #[test]
    fn a_decision_counts_once_and_never_from_who_asked((start, steps) in any_life()) {
        let life = live(&start, &steps);
        let request = &life.trail.request;
        let people: HashSet<_> = request.decisions.iter().map(|decision| &decision.person).collect();
        prop_assert_eq!(people.len(), request.decisions.len());
        prop_assert!(!people.contains(&request.requested_by));
        prop_assert!(request.filed_by.as_ref().is_none_or(|filer| !people.contains(filer)));
        prop_assert_eq!(request.approvals_received(), request.approved_by().collect::<BTreeSet<_>>().len());

        let decided = life.trail.events.iter().filter(|event| event.change.event_type().is_decision());
        for (event, decision) in decided.clone().zip(&request.decisions) {
            prop_assert_eq!(event.kind, Kind::Human);
            prop_assert_eq!(&event.user, &decision.person);
            prop_assert_eq!(event.id, decision.event_id);
        }
        prop_assert_eq!(decided.count(), request.decisions.len());
        let rejections = life.trail.events.iter()
            .filter(|event| event.change.event_type() == EventType::ApprovalRejected);
        prop_assert_eq!(rejections.count(), usize::from(request.status == Status::Rejected));
    }

    #[test]
    fn nothing_but_enough_people_leads_to_approved((start, steps) in any_life()) {
        let life = live(&start, &steps);
        for request in &life.states {
            let floor = match request.risk_level {
                RiskLevel::Low => 0,
                RiskLevel::Medium => 1,
                RiskLevel::High => 2,
            };
            let needed = usize::from(request.approvals_required);
            let people: HashSet<_> = request.approved_by().collect();
            prop_assert!(needed >= floor);
            let was_approved = matches!(
                request.status,
                Status::Approved | Status::Executing | Status::Executed | Status::Failed
            );
            if was_approved || request.approved_at.is_some() || request.execution.is_some() {
                prop_assert!(people.len() >= needed, "{} of {}", people.len(), needed);
            }
            if request.status == Status::Pending {
                prop_assert!(request.approvals_received() < needed);
            }
            prop_assert_eq!(request.approved_at.is_some(), request.execute_by.is_some());
            prop_assert!(request.status != Status::Approved || request.execute_by.is_some());
        }
    }

    #[test]
    fn the_version_is_the_number_of_events((start, steps) in any_life()) {
        let life = live(&start, &steps);
        let accepted = life.answers.iter().filter(|answer| answer.is_ok_and(|word| word != "replayed"));
        prop_assert_eq!(life.trail.events.len(), 1 + accepted.count());
        prop_assert_eq!(life.trail.request.version, u64::try_from(life.trail.events.len()).unwrap());
        for (sequence, event) in (1..).zip(&life.trail.events) {
            prop_assert_eq!(event.sequence, sequence);
        }
        for (pair, answer) in life.states.windows(2).zip(&life.answers) {
            let nothing_happened = answer.is_err() || *answer == Ok("replayed");
            prop_assert_eq!(nothing_happened, pair[0] == pair[1]);
        }
    }

    #[test]
    fn replaying_the_events_gives_the_same_request((start, steps) in any_life()) {
        let trail = live(&start, &steps).trail;
        let mut replayed = trail.events[0].first_state().unwrap();
        for (nth, event) in trail.events.iter().enumerate() {
            if nth > 0 {
                replayed.apply(event);
            }
            let record = AuditEvent::record(event, &replayed, &deployment_key());
            prop_assert_eq!(&record, &trail.audit[nth]);
            replayed.audit_head = record.hash;
        }
        prop_assert_eq!(&replayed, &trail.request);
        prop_assert_eq!(verify(replayed.id, &trail.audit, replayed.audit_head), Ok(()));
    }

    #[test]
    fn what_was_asked_for_never_changes((start, steps) in any_life()) {
        let life = live(&start, &steps);
        let first = &life.states[0];
        for request in &life.states {
            // Everything else may change; the rest of the state is put back and must be all.
            let fixed = Request {
                status: first.status,
                decisions: first.decisions.clone(),
                approved_at: first.approved_at,
                execute_by: first.execute_by,
                cancellation: first.cancellation.clone(),
                execution: first.execution.clone(),
                comments: first.comments.clone(),
                idempotency: first.idempotency.clone(),
                version: first.version,
                audit_head: first.audit_head,
                ..request.clone()
            };
            prop_assert_eq!(&fixed, first);
            prop_assert_eq!(request.parameters.digest(), request.parameters_digest);
        }
    }

    #[test]
    fn past_a_deadline_nothing_happens_but_its_expiry((start, steps) in any_life()) {
        let life = live(&start, &steps);
        let mut request = life.trail.events[0].first_state().unwrap();
        for event in &life.trail.events[1..] {
            let late = request.deadline().is_some_and(|deadline| event.at >= deadline);
            prop_assert_eq!(late, event.change == Change::Expired, "{:?}", event);
            prop_assert_eq!(event.change == Change::Expired, event.status == Status::Expired);
            request.apply(event);
        }
    }

    #[test]
    fn an_approval_is_started_at_most_once((start, steps) in any_life()) {
        let life = live(&start, &steps);
        let count = |wanted: &[EventType]| {
            life.trail.events.iter().filter(|event| wanted.contains(&event.change.event_type())).count()
        };
        let starts = count(&[EventType::ExecutionStarted]);
        prop_assert!(starts <= 1);
        prop_assert!(count(&[EventType::ExecutionSucceeded, EventType::ExecutionFailed]) <= starts);
        let mut executions = life.states.iter().filter_map(|request| request.execution.as_ref());
        if let Some(first) = executions.next() {
            prop_assert!(executions.all(|execution| execution.id == first.id));
            prop_assert!(first.started_by == life.trail.request.requested_by);
        }
    }

    #[test]
    fn any_changed_parameter_is_another_digest(
        first in prop::collection::btree_map("[a-c]", 0..4i64, 0..3),
        second in prop::collection::btree_map("[a-c]", 0..4i64, 0..3),
    ) {
        let digest = |parameters| canonical(&serde_json::to_string(parameters).unwrap()).digest();
        prop_assert_eq!(digest(&first) == digest(&second), first == second);
    }
}

/// A property over lives in which nothing happens would hold whatever the core does.
#[test]
fn random_lives_reach_every_status_and_every_answer() {
    let mut runner = TestRunner::deterministic();
    let lives = any_life();
    let mut seen: HashMap<&'static str, usize> = HashMap::new();
    for _ in 0..400 {
        let (start, steps) = lives.new_tree(&mut runner).unwrap().current();
        let life = live(&start, &steps);
        *seen.entry(life.trail.request.status.as_str()).or_default() += 1;
        for refusal in life.answers.iter().filter_map(|answer| answer.err()) {
            *seen.entry(refusal).or_default() += 1;
        }
        if life.answers.contains(&Ok("replayed")) {
            *seen.entry("replayed").or_default() += 1;
        }
    }
    let statuses = Status::ALL.map(Status::as_str);
    let answers = [
        "replayed",
        "not_found",
        "idempotency_conflict",
        "agent_cannot_approve",
        "self_approval",
        "not_permitted",
        "not_pending",
        "not_approved",
        "already_decided",
        "digest_mismatch",
        "execution_mismatch",
        "not_due",
    ];
    for word in statuses.into_iter().chain(answers) {
        assert!(seen.get(word).is_some_and(|count| *count >= 5), "{word} is hardly ever reached: {seen:?}");
    }
}
