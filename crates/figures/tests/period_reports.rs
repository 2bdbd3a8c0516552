//! The report on a period agrees with the events of its days.
#![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

use countersign_core::audit::{AuditEvent, AuditedRequest, Stream};
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::canonical::CanonicalJson;
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::event::EventType;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::origin::Origin;
use countersign_core::period::{Period, Span};
use countersign_core::person::PersonId;
use countersign_core::risk::{Environment, RiskLevel};
use countersign_core::status::Status;
use countersign_core::text::{Identifier, InstanceId};
use countersign_core::timestamp::Timestamp;
use countersign_figures::day::OTHER;
use countersign_figures::fold::FigureState;
use countersign_figures::period_report::{Alert, DeadLetters, PeriodReport, Standing};
use proptest::prelude::*;
use serde_json::{Map, json};

const HOUR: i64 = 60 * 60 * 1000;
/// Monday, 2026-01-05.
const BEGIN: i64 = 1_767_571_200_000;

/// What becomes of a request, how long after it was made, in hours.
#[derive(Debug, Clone)]
struct Story {
    requester: usize,
    approver: usize,
    made_after_hours: i64,
    decided_after_hours: i64,
    end: EventType,
}

fn person(number: usize) -> PersonId {
    PersonId::from_email(&format!("person{number}@example.com")).unwrap()
}

fn event(
    number: usize,
    request: usize,
    at: i64,
    user: &PersonId,
    of: (EventType, Status, &PersonId),
) -> AuditEvent {
    let (event_type, status, requested_by) = of;
    let request_id = RequestId::parse(&format!("01930000-0000-7000-8000-{request:012x}")).unwrap();
    AuditEvent {
        origin: Origin::of(&DeploymentKey::new([7; 32])),
        stream: Stream::request(request_id),
        sequence: 1,
        event_id: EventId::parse(&format!("019b0000-0000-7000-8000-{number:012x}")).unwrap(),
        timestamp: Timestamp::from_millisecond(at),
        event_type: event_type.into(),
        user: user.clone(),
        kind: PrincipalKind::Human,
        channel: Channel::Local,
        source_ip: None,
        authentication: None,
        request: Some(AuditedRequest {
            request_id,
            operation_type: Identifier::parse("reboot").unwrap(),
            instance_id: InstanceId::parse("production-db-01").unwrap(),
            environment: Environment::Production,
            risk_level: RiskLevel::Medium,
            requested_by: requested_by.clone(),
            status,
        }),
        details: CanonicalJson::of(&json!({})),
        state_digest: None,
        prev_hash: Digest::ZERO,
        others: Map::new(),
        hash: Digest::ZERO,
    }
}

/// The events of stories, in the order of their times.
fn events(stories: &[Story]) -> Vec<AuditEvent> {
    let mut events = Vec::new();
    for (request, story) in stories.iter().enumerate() {
        let (requester, approver) = (person(story.requester), person(story.approver));
        let made = BEGIN + story.made_after_hours * HOUR;
        let decided = made + story.decided_after_hours * HOUR;
        let created = (EventType::ApprovalRequestCreated, Status::Pending, &requester);
        events.push(event(events.len(), request, made, &requester, created));
        let status =
            if story.end == EventType::ApprovalGranted { Status::Approved } else { Status::Rejected };
        events.push(event(events.len(), request, decided, &approver, (story.end, status, &requester)));
    }
    events.sort_by_key(|event| event.timestamp);
    events
}

fn report(stories: &[Story], span: &Span) -> PeriodReport {
    let mut state = FigureState::default();
    let events = events(stories);
    events.iter().for_each(|event| state.add(event));
    let dead_letters = Some(DeadLetters { events: 1, deliveries: 2 });
    let standing = Standing { dead_letters, ..Standing::default() };
    PeriodReport::of(span, &state.days, events.len() as u64, standing, span.until)
}

fn decided(end: EventType, hours: i64) -> Story {
    Story { requester: 1, approver: 2, made_after_hours: 0, decided_after_hours: hours, end }
}

fn week() -> Span {
    Span::containing(Period::Weekly, Timestamp::from_millisecond(BEGIN))
}

#[test]
fn alerts_begin_at_thirty_percent_and_at_a_day() {
    let approved = |hours| decided(EventType::ApprovalGranted, hours);
    let rejected = || decided(EventType::ApprovalRejected, 1);
    let of = |approvals: usize, rejections: usize| {
        let stories: Vec<_> = std::iter::repeat_with(|| approved(1))
            .take(approvals)
            .chain(std::iter::repeat_with(rejected).take(rejections))
            .collect();
        report(&stories, &week()).alerts
    };
    assert_eq!(of(0, 0), []);
    assert_eq!(of(7, 3), [Alert::ManyRejections], "30 %");
    assert_eq!(of(701, 300), [], "29.97 %, which is not rounded up");
    assert_eq!(of(71, 29), []);
    assert_eq!(report(&[approved(24)], &week()).alerts, [Alert::SlowDecisions]);
    assert_eq!(report(&[approved(23)], &week()).alerts, []);
    assert_eq!(report(&[approved(1), approved(46)], &week()).alerts, [], "23.5 hours on average");
}

#[test]
fn only_the_report_on_a_month_has_what_was_given_up() {
    let month = Span::containing(Period::Monthly, Timestamp::from_millisecond(BEGIN));
    let stories = [decided(EventType::ExecutionUnknown, 2)];
    let monthly = report(&stories, &month);
    assert_eq!(monthly.stuck_executions, Some(1));
    assert_eq!(monthly.dead_letters, Some(DeadLetters { events: 1, deliveries: 2 }));
    let weekly = report(&stories, &week());
    assert_eq!((weekly.stuck_executions, weekly.dead_letters), (None, None));
}

#[test]
fn a_period_that_is_not_over_says_so() {
    let at = |moment| PeriodReport::of(&week(), [], 0, Standing::default(), moment);
    assert!(at(week().until).over);
    let report = at(Timestamp::from_millisecond(week().until.as_millisecond() - 1));
    assert!(!report.over && report.time_to_decision.is_none() && report.rejection_rate.is_none());
}

fn story() -> impl Strategy<Value = Story> {
    let ends = prop::sample::select(vec![
        EventType::ApprovalGranted,
        EventType::ApprovalRejected,
        EventType::ApprovalExpired,
        EventType::ApprovalCancelled,
    ]);
    (0..12_usize, 0..12_usize, 0..400_i64, 0..80_i64, ends).prop_map(
        |(requester, approver, made_after_hours, decided_after_hours, end)| Story {
            requester,
            approver,
            made_after_hours,
            decided_after_hours,
            end,
        },
    )
}

proptest! {
    #[test]
    fn sums_agree_with_the_events_of_the_period(
        stories in prop::collection::vec(story(), 0..60),
        day in 0..20_i64,
        period in prop::sample::select(vec![Period::Daily, Period::Weekly, Period::Monthly]),
        lines in 1..8_usize,
    ) {
        let span = Span::containing(period, Timestamp::from_millisecond(BEGIN + day * 24 * HOUR));
        let is_in = |hours: i64| {
            let at = Timestamp::from_millisecond(BEGIN + hours * HOUR);
            span.from <= at && at < span.until
        };
        let made = stories.iter().filter(|story| is_in(story.made_after_hours)).count() as u64;
        let ended = |end: EventType| -> Vec<u64> {
            let ended = stories.iter().filter(|story| story.end == end);
            let ended = ended.filter(|story| is_in(story.made_after_hours + story.decided_after_hours));
            ended.map(|story| (story.decided_after_hours * HOUR).unsigned_abs()).collect()
        };
        let report = report(&stories, &span);
        let outcomes = report.outcomes;
        prop_assert_eq!(outcomes.requested, made);
        prop_assert_eq!(outcomes.approved, ended(EventType::ApprovalGranted).len() as u64);
        prop_assert_eq!(outcomes.rejected, ended(EventType::ApprovalRejected).len() as u64);
        prop_assert_eq!(outcomes.expired, ended(EventType::ApprovalExpired).len() as u64);
        prop_assert_eq!(outcomes.cancelled, ended(EventType::ApprovalCancelled).len() as u64);

        let mut times = [ended(EventType::ApprovalGranted), ended(EventType::ApprovalRejected)].concat();
        times.sort_unstable();
        prop_assert_eq!(report.time_to_decision.is_some(), !times.is_empty());
        if let Some(decision) = report.time_to_decision {
            prop_assert_eq!(decision.count, times.len() as u64);
            prop_assert_eq!(decision.average_milliseconds, times.iter().sum::<u64>() / times.len() as u64);
            prop_assert_eq!(Some(&decision.shortest_milliseconds), times.first());
            prop_assert_eq!(Some(&decision.longest_milliseconds), times.last());
            let exact = times[(times.len() * 95).div_ceil(100) - 1];
            prop_assert!(decision.p95_milliseconds.abs_diff(exact) * 20 <= exact);
        }

        // Each event counts for one person, whether the report has a line for that person or not.
        let short = report.clone().shortened(lines);
        prop_assert!(short.people.len() <= lines);
        for people in [&report.people, &short.people] {
            let sum = |of: fn(&countersign_figures::period_report::PersonFigures) -> u64| people.iter().map(of).sum::<u64>();
            prop_assert_eq!(sum(|person| person.requested), outcomes.requested);
            prop_assert_eq!(sum(|person| person.approved), outcomes.approved);
            prop_assert_eq!(sum(|person| person.rejected), outcomes.rejected);
        }
        let has_others = short.people.iter().any(|person| person.person == OTHER);
        prop_assert_eq!(has_others, report.people.len() > lines);
        let text = serde_json::to_string(&report).unwrap();
        prop_assert_eq!(serde_json::from_str::<PeriodReport>(&text).unwrap(), report);
    }
}
