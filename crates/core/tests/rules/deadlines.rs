//! Both deadlines, a millisecond before, exactly at and a millisecond after, with no sweep and
//! with one.

use crate::fixture::{
    APPROVED_MS, HIGH, LOW, PENDING_MS, Trail, after, ann, approve, bob, carol, every_command, finish,
    permitted_actor, result, start, withdraw,
};
use countersign_core::caller::Channel;
use countersign_core::command::{Command, ExecutionOutcome};
use countersign_core::event::Change;
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::request::{Request, Status};
use countersign_core::timestamp::Timestamp;
use strum::IntoEnumIterator;

use Refusal::{ExecutionMismatch, NotApproved, NotDecided, NotDue, NotPending};
use Status::{Approved, Cancelled, Executing, Expired, Pending, Rejected};

const TEN_YEARS_MS: i64 = 10 * 365 * 86_400_000;

/// Every command a moment before the deadline gets `before`, and from it on `expired`: all but
/// the sweep's own, which writes that down.
fn check(request: &Request, deadline: Timestamp, before: [Result<Status, Refusal>; 9]) {
    let moment = |offset: i64| Timestamp::from_millisecond(deadline.as_millisecond() + offset);
    for (command, before) in every_command(request).iter().zip(before) {
        let actor = permitted_actor(command);
        for offset in [-1, 0, 1, 3_600_000, TEN_YEARS_MS] {
            let expected = match (offset < 0, command) {
                (true, _) => before.clone(),
                (false, Command::Expire) => Ok(Expired),
                (false, _) => Err(Refusal::Expired),
            };
            let found = result(request, command, &actor, moment(offset));
            assert_eq!(found, expected, "{command:?} at the deadline {offset:+} ms");
        }
    }
    assert_eq!(request.deadline(), Some(deadline));
    assert_eq!(request.status_at(moment(-1)), request.status);
    assert_eq!(request.status_at(moment(0)), Expired);
    assert_eq!(request.status_at(moment(1)), Expired);
}

#[test]
fn a_pending_request_answers_until_the_millisecond_it_expires() {
    let trail = Trail::in_status(Pending);
    let before = [
        Ok(Approved),
        Ok(Rejected),
        Ok(Pending),
        Ok(Cancelled),
        Ok(Pending),
        Err(NotApproved(Pending)),
        Err(NotApproved(Pending)),
        Err(NotApproved(Pending)),
        Err(NotDue),
    ];
    check(&trail.request, after(PENDING_MS), before);
}

/// `BEFORE_EXECUTE_BY` with another answer to an approver who takes their approval back.
fn with_withdrawal(withdrawn: Result<Status, Refusal>) -> [Result<Status, Refusal>; 9] {
    let mut answers = BEFORE_EXECUTE_BY;
    answers[2] = withdrawn;
    answers
}

const BEFORE_EXECUTE_BY: [Result<Status, Refusal>; 9] = [
    Err(NotPending(Approved)),
    Err(NotPending(Approved)),
    Ok(Pending),
    Ok(Cancelled),
    Ok(Approved),
    Ok(Executing),
    Err(ExecutionMismatch(Approved)),
    Err(ExecutionMismatch(Approved)),
    Err(NotDue),
];

#[test]
fn an_approval_lasts_until_the_millisecond_of_execute_by() {
    let trail = Trail::in_status(Approved);
    let execute_by = after(trail.clock + APPROVED_MS);
    assert_eq!(trail.request.execute_by, Some(execute_by));
    check(&trail.request, execute_by, BEFORE_EXECUTE_BY);
}

#[test]
fn an_approval_by_policy_lasts_no_longer_than_one_by_people() {
    let before = with_withdrawal(Err(NotDecided(Approved)));
    check(&Trail::open(LOW).request, after(APPROVED_MS), before);
}

/// The first deadline is over once the request is approved; the second runs from the approval.
#[test]
fn an_approval_in_the_last_millisecond_has_its_full_time_to_start() {
    let mut trail = Trail::open(HIGH).then(&bob(), &approve()).at(PENDING_MS - 1);
    assert!(trail.give(&carol(), &approve(), None).is_ok());
    assert_eq!(trail.request.execute_by, Some(after(PENDING_MS - 1 + APPROVED_MS)));
    assert_eq!(trail.request.status_at(after(PENDING_MS + 1)), Approved);
    // An approval that is taken back then leaves no time for another one.
    let before = with_withdrawal(Ok(Expired));
    check(&trail.request, after(PENDING_MS - 1 + APPROVED_MS), before);
    let trail = trail.at(PENDING_MS + 60_000).then(&bob(), &withdraw());
    assert_eq!((trail.request.status, trail.request.closed_at()), (Expired, Some(trail.now())));
}

/// An item without `execute_by` is damaged, and doubt is refused.
#[test]
fn an_approved_request_without_a_deadline_cannot_be_started() {
    let mut request = Trail::in_status(Approved).request;
    request.execute_by = None;
    assert_eq!(request.status_at(after(0)), Expired);
    assert_eq!(result(&request, &start(), &ann(), after(0)), Err(Refusal::Expired));
}

#[test]
fn the_sweep_writes_an_expiry_down_once() {
    for (trail, deadline) in [
        (Trail::in_status(Pending), PENDING_MS),
        (Trail::in_status(Approved), APPROVED_MS + 2000),
        (Trail::open(LOW), APPROVED_MS),
    ] {
        let mut trail = trail.at(deadline + 5000);
        let sweep = Principal::expiry(Channel::Local);
        let version = trail.request.version;
        assert!(trail.give(&sweep, &Command::Expire, None).is_ok());
        assert_eq!((trail.request.status, trail.request.version), (Expired, version + 1));
        let event = trail.events.last().unwrap();
        let change = Change::Expired { deadline: after(deadline) };
        assert_eq!((&event.change, event.status, &event.user), (&change, Expired, &sweep.person));
        assert_eq!(
            trail.request.closed_at(),
            Some(after(deadline)),
            "it closed when it expired, not when swept"
        );

        assert_eq!(trail.give(&sweep, &Command::Expire, None), Err(NotDue));
        assert_eq!(trail.request.version, version + 1);
    }
}

#[test]
fn a_written_expiry_holds_even_if_the_clock_goes_back() {
    let request = Trail::in_status(Expired).request;
    for now in [
        after(0),
        after(PENDING_MS - 4001),
        after(PENDING_MS - 4000),
        after(PENDING_MS - 1),
        after(PENDING_MS),
        after(TEN_YEARS_MS),
    ] {
        assert_eq!(request.status_at(now), Expired);
        for command in every_command(&request) {
            let expected = if command.is_of_the_sweep() { NotDue } else { Refusal::Expired };
            assert_eq!(
                result(&request, &command, &permitted_actor(&command), now),
                Err(expected),
                "{command:?}"
            );
        }
    }
}

#[test]
fn the_sweep_leads_to_expired_and_to_nothing_else() {
    let sweep = Principal::expiry(Channel::Local);
    for status in Status::iter() {
        let request = Trail::in_status(status).request;
        let due = matches!(status, Pending | Approved);
        for ms in [0, APPROVED_MS, PENDING_MS, PENDING_MS + APPROVED_MS, TEN_YEARS_MS] {
            let found = result(&request, &Command::Expire, &sweep, after(ms));
            let passed = request.deadline().is_some_and(|deadline| after(ms) >= deadline);
            let expected = if due && passed { Ok(Expired) } else { Err(NotDue) };
            assert_eq!(found, expected, "{status} after {ms} ms");
        }
    }
}

#[test]
fn what_runs_or_is_over_never_expires() {
    for status in Status::iter().filter(|status| !matches!(status, Pending | Approved)) {
        let request = Trail::in_status(status).request;
        assert_eq!(request.deadline(), None, "{status}");
        assert_eq!(request.status_at(after(TEN_YEARS_MS)), status);
    }
    let trail = Trail::in_status(Executing).at(TEN_YEARS_MS);
    let command = finish(&trail.request, ExecutionOutcome::Succeeded);
    assert_eq!(trail.then(&ann(), &command).request.status, Status::Executed);
}
