//! What holds after any commands by anybody at any times, and that the core and the model of
//! `model.rs` answer alike.

use crate::fixture::{
    APPROVED_MS, HIGH, LOW, MEDIUM, NO_EXECUTION, PENDING_MS, Trail, after, canonical, classed, context,
    deployment_key, draft, human, key, person, policy, policy_of_people, service, text,
};
use crate::model::{Attempt, Model};
use countersign_core::audit::{AuditEvent, Stream, replay, seal, verify};
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::command::{self, Command, ExecutionOutcome};
use countersign_core::event::{Change, Event, EventType};
use countersign_core::ids::ExecutionId;
use countersign_core::person::PersonId;
use countersign_core::policy::{BUNDLED_PEOPLE, Policy};
use countersign_core::principal::Principal;
use countersign_core::request::{Request, Status};
use countersign_core::risk::RiskLevel;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;
use strum::IntoEnumIterator;

/// All actors. The same person may be here twice, in other groups or by another channel.
fn cast() -> Vec<Principal> {
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
        Principal::assumed(person("robo"), PrincipalKind::Agent, Channel::Direct, ["approver"]),
        service("pipeline", &["admin", "approver"]),
        human("ruth", &["auditor"]),
        human("gil", &["guest"]),
        human("sam", &["approvers", "Admin"]),
        human("tess", &[]),
    ]
}

/// Agents and services, and who answers for them.
const OWNERS: [(&str, &str); 2] =
    [("robo@example.com", "erin@example.com"), ("service:pipeline", "fay@example.com")];

/// The policy of the decisions, with these owners.
fn owned_policy() -> &'static Policy {
    static POLICY: LazyLock<Policy> = LazyLock::new(|| {
        policy_of_people(
            2,
            &format!(
                "{BUNDLED_PEOPLE}\n[agents.\"robo@example.com\"]\nowner = \"erin@example.com\"\n\
                 [services.pipeline]\nowner = \"fay@example.com\"\n"
            ),
        )
    });
    &POLICY
}

#[derive(Debug, Clone)]
struct Start {
    operation: &'static str,
    high: u8,
    requester: Principal,
    parameters: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Approve,
    Reject,
    Withdraw,
    Cancel,
    Comment,
    Start,
    Finish,
    Expire,
}

#[derive(Debug, Clone, Copy)]
enum Wait {
    Milliseconds(i64),
    /// Another clock, which is behind by so many milliseconds.
    Behind(i64),
    /// Until so many milliseconds before or after the deadline, if that is still to come.
    ForDeadline(i64),
}

#[derive(Debug, Clone, Copy)]
enum Shown {
    Nothing,
    Right,
    /// Of the content, of the parameters.
    Wrong(bool, bool),
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
            let requester = Principal { filed_by: filer, ..requester };
            Start { operation, high, requester, parameters }
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    let who = prop_oneof![3 => (0..cast().len()).prop_map(Some), 1 => Just(None)];
    let verb = prop_oneof![
        16 => Just(Verb::Approve),
        1 => Just(Verb::Reject),
        2 => Just(Verb::Withdraw),
        1 => Just(Verb::Cancel),
        3 => Just(Verb::Comment),
        10 => Just(Verb::Start),
        8 => Just(Verb::Finish),
        1 => Just(Verb::Expire),
    ];
    let wait = prop_oneof![
        4 => Just(Wait::Milliseconds(0)),
        12 => (1..10_000i64).prop_map(Wait::Milliseconds),
        1 => (0..PENDING_MS).prop_map(Wait::Milliseconds),
        1 => (-2..=2i64).prop_map(Wait::ForDeadline),
        1 => prop_oneof![3 => 1..5_100i64, 1 => 1..3_700_000i64].prop_map(Wait::Behind),
    ];
    let shown = prop_oneof![3 => Just(Shown::Nothing), 3 => Just(Shown::Right), 1 => (any::<bool>(), any::<bool>())
        .prop_map(|(content, parameters)| Shown::Wrong(content, parameters))];
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

type AccessDecision = Result<&'static str, &'static str>;

/// Everything that came of some steps.
struct Life {
    trail: Trail,
    /// The request after its creation and after each step.
    states: Vec<Request>,
    answers: Vec<AccessDecision>,
    predicted: Vec<AccessDecision>,
}

fn spelt(digest: String, is_wrong: bool) -> String {
    if is_wrong { digest.to_uppercase() } else { digest }
}

fn command(step: &Step, request: &Request) -> Command {
    let mut shown = if matches!(step.shown, Shown::Nothing) {
        command::Shown::default()
    } else {
        command::Shown::of(request)
    };
    if let Shown::Wrong(content, parameters) = step.shown {
        shown.content_digest = shown.content_digest.map(|digest| spelt(digest, content));
        shown.parameters_digest = shown.parameters_digest.map(|digest| spelt(digest, parameters));
    }
    let execution_id = match &request.execution {
        Some(execution) if step.names_running_execution => execution.id,
        Some(_) | None => ExecutionId::parse(NO_EXECUTION).unwrap(),
    };
    match step.verb {
        Verb::Approve => Command::Approve { comment: None, shown },
        Verb::Reject => Command::Reject { reason: text("no"), shown },
        Verb::Withdraw => Command::Withdraw { reason: None },
        Verb::Cancel => Command::Cancel { reason: None },
        Verb::Comment => Command::Comment { text: text("hm") },
        Verb::Start => Command::Start { shown },
        Verb::Finish => Command::Finish {
            execution_id,
            outcome: if step.succeeded { ExecutionOutcome::Succeeded } else { ExecutionOutcome::Failed },
            result: None,
            actual_cost: None,
            note: None,
            shown,
        },
        Verb::Expire => Command::Expire,
    }
}

fn live(start: &Start, steps: &[Step]) -> Life {
    let cast = cast();
    let mut new_request = draft(start.operation);
    new_request.parameters = canonical(&format!(r#"{{"n": {}}}"#, start.parameters));
    let mut trail = Trail::open_as(new_request, &start.requester, &policy(start.high), None);
    let needed = match start.operation {
        LOW => 0,
        MEDIUM => 1,
        _ => usize::from(start.high),
    };
    let filer = start.requester.filed_by.as_ref().map(PersonId::as_str);
    let requester = start.requester.person.as_str();
    let owners = OWNERS.iter().filter(|(owned, _)| requester == *owned || filer == Some(*owned));
    let owners = owners.map(|(_, owner)| (*owner).to_owned()).collect();
    let digests =
        [trail.request.content.digest(), trail.request.content.parameters_digest()].map(|d| d.to_string());
    let mut model = Model::new(requester, filer, owners, digests, needed, (PENDING_MS, APPROVED_MS));

    let mut states = vec![trail.request.clone()];
    let (mut answers, mut predicted) = (Vec::new(), Vec::new());
    for step in steps {
        let epoch = after(0).as_millisecond();
        trail.clock = match (step.wait, trail.request.deadline()) {
            (Wait::Milliseconds(ms), _) => trail.clock + ms,
            (Wait::Behind(_), _) => trail.clock,
            (Wait::ForDeadline(offset), Some(deadline)) => {
                trail.clock.max(deadline.as_millisecond() - epoch + offset)
            }
            (Wait::ForDeadline(_), None) => trail.clock,
        };
        let clock = trail.clock;
        if let Wait::Behind(ms) = step.wait {
            trail.clock -= ms;
        }
        let sweep = Principal::expiry(Channel::Local);
        let actor = match (step.verb, step.who) {
            (Verb::Expire, _) => &sweep,
            (_, None) => &start.requester,
            (_, Some(index)) => cast.get(index).unwrap_or(&start.requester),
        };
        let sent_key = if step.verb == Verb::Expire { None } else { step.key };
        let command = command(step, &trail.request);
        let shown = match &command {
            Command::Approve { shown, .. }
            | Command::Reject { shown, .. }
            | Command::Start { shown }
            | Command::Finish { shown, .. } => {
                [shown.content_digest.as_deref(), shown.parameters_digest.as_deref()]
            }
            _ => [None, None],
        };
        let names_execution = match &command {
            Command::Finish { execution_id, .. } => execution_id.to_string(),
            _ => String::new(),
        };
        predicted.push(model.play(&Attempt {
            who: actor.person.as_str(),
            is_human: actor.kind == PrincipalKind::Human,
            groups: &actor.groups,
            verb: command.name().into(),
            shown,
            names_execution: &names_execution,
            succeeded: step.succeeded,
            key: sent_key,
            now: trail.clock,
            new_execution: &context(trail.request.version + 1, trail.now()).execution_id.to_string(),
        }));
        let idempotency = sent_key.map(|(name, body)| key(name, body));
        answers.push(classed(&trail.give_under(owned_policy(), actor, &command, idempotency.as_ref())));
        states.push(trail.request.clone());
        trail.clock = clock;
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
        prop_assert!(!people.contains(&request.content.requested_by));
        prop_assert!(request.content.filed_by.as_ref().is_none_or(|filer| !people.contains(filer)));
        prop_assert_eq!(request.approvals_received(), request.approved_by().collect::<BTreeSet<_>>().len());

        let withdrawn: HashSet<_> = life.trail.events.iter()
            .flat_map(|event| match &event.change {
                Change::Withdrawn { withdraws, .. } => withdraws.clone(),
                _ => Vec::new(),
            })
            .collect();
        let is_decision = |event: &&Event| event.change.event_type().is_decision();
        let decided = life.trail.events.iter().filter(is_decision);
        prop_assert!(decided.clone().all(|event| event.kind == PrincipalKind::Human));
        let standing: Vec<_> = decided.filter(|event| !withdrawn.contains(&event.id)).collect();
        for (event, decision) in standing.iter().zip(&request.decisions) {
            prop_assert_eq!(&event.user, &decision.person);
            prop_assert_eq!(event.id, decision.event_id);
        }
        prop_assert_eq!(standing.len(), request.decisions.len());
        prop_assert_eq!(withdrawn.len(), request.withdrawals.len());
        let rejections = life.trail.events.iter()
            .filter(|event| event.change.event_type() == EventType::ApprovalRejected);
        prop_assert_eq!(rejections.count(), usize::from(request.status == Status::Rejected));
    }

    #[test]
    fn nothing_but_enough_people_leads_to_approved((start, steps) in any_life()) {
        let life = live(&start, &steps);
        for request in &life.states {
            let floor = match request.content.risk_level {
                RiskLevel::Low => 0,
                RiskLevel::Medium => 1,
                RiskLevel::High => 2,
            };
            let needed = usize::from(request.content.approvals_required);
            let people: HashSet<_> = request.approved_by().collect();
            prop_assert!(needed >= floor);
            let was_approved = matches!(
                request.status,
                Status::Approved | Status::Executing | Status::Executed | Status::Failed
            );
            let was_expired = request.status == Status::Expired && request.approved_at.is_none();
            prop_assert!(request.execution.is_none() || request.approved_at.is_some());
            prop_assert!(!was_expired || people.len() < needed);
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
        let mut replayed = Request::create(&trail.events[0]).unwrap();
        for (nth, event) in trail.events.iter().enumerate() {
            if nth > 0 {
                replayed.apply(event);
            }
            let record = AuditEvent::record(event, &replayed, &deployment_key());
            prop_assert_eq!(&record, &trail.audit[nth]);
            replayed.audit_head = record.hash;
            replayed.seal = seal(&replayed, &deployment_key());
        }
        prop_assert_eq!(&replayed, &trail.request);
        prop_assert_eq!(verify(&Stream::request(replayed.id()), None, &trail.audit, replayed.audit_head), Ok(()));
    }

    /// No false alarm: whatever has happened to a request, it agrees with its trail at every moment.
    #[test]
    fn a_request_agrees_with_its_trail_whatever_has_happened((start, steps) in any_life()) {
        let life = live(&start, &steps);
        for request in &life.states {
            let events = &life.trail.audit[..usize::try_from(request.version).unwrap()];
            prop_assert_eq!(replay::check(request, events, None), Ok(()), "{:?}", request);
        }
    }

    /// THREATS 57: no event is earlier than the one before it, whatever clocks say.
    #[test]
    fn time_never_goes_back_within_a_trail((start, steps) in any_life()) {
        let life = live(&start, &steps);
        prop_assert!(life.trail.events.windows(2).all(|pair| pair[0].at <= pair[1].at));
        prop_assert_eq!(life.trail.request.updated_at, life.trail.events.last().unwrap().at);
    }

    #[test]
    fn what_was_asked_for_never_changes((start, steps) in any_life()) {
        let life = live(&start, &steps);
        let first = &life.states[0];
        for request in &life.states {
            prop_assert_eq!(&request.content, &first.content);
            prop_assert_eq!(request.content.parameters.digest(), request.content.parameters_digest());
            prop_assert_eq!(request.content.digest(), first.content.digest());
        }
    }

    #[test]
    fn past_a_deadline_nothing_happens_but_its_expiry((start, steps) in any_life()) {
        let life = live(&start, &steps);
        let mut request = Request::create(&life.trail.events[0]).unwrap();
        for event in &life.trail.events[1..] {
            let late = request.deadline().is_some_and(|deadline| event.at >= deadline);
            let is_expiry = matches!(event.change, Change::Expired { .. });
            // An approval that is taken back when the time for others is over.
            let leaves_too_few = matches!(event.change, Change::Withdrawn { .. })
                && request.status == Status::Approved
                && event.at >= request.content.expires_at;
            prop_assert_eq!(late, is_expiry, "{:?}", event);
            prop_assert_eq!(is_expiry || leaves_too_few, event.status == Status::Expired, "{:?}", event);
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
            prop_assert!(first.started_by == life.trail.request.content.requested_by);
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
    for _ in 0..1_500 {
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
    let statuses = Status::iter().map(Status::as_str).collect::<Vec<_>>();
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
        "not_decided",
        "clock_skew",
        "digest_mismatch",
        "execution_mismatch",
        "not_due",
    ];
    for word in statuses.into_iter().chain(answers) {
        assert!(seen.get(word).is_some_and(|count| *count >= 5), "{word} is hardly ever reached: {seen:?}");
    }
}
