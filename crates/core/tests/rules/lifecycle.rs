//! The lifecycle: every status with every command, and what each accepted command writes down.

use crate::fixture::{
    HIGH, LOW, MEDIUM, NO_EXECUTION, Trail, after, ann, approve, bob, canonical, carol, comment, draft,
    every_command, finish, human, permitted_actor, person, policy, reject, result, start, text,
};
use countersign_core::audit::StreamKind;
use countersign_core::command::{Command, CommandName, ExecutionOutcome, Shown};
use countersign_core::decide::Outcome;
use countersign_core::event::{Change, EventType};
use countersign_core::ids::ExecutionId;
use countersign_core::refusal::Refusal;
use countersign_core::request::{MAX_COMMENT_BYTES, MAX_COMMENTS, Request, Status, Verdict};
use countersign_core::risk::Cost;
use std::collections::HashSet;
use strum::IntoEnumIterator;

use Refusal::{ExecutionMismatch, NotApproved, NotDue, NotPending};
use Status::{Approved, Cancelled, Executed, Executing, Expired, Failed, Pending, Rejected};

fn check(status: Status, expected: [Result<Status, Refusal>; 13]) {
    let trail = Trail::in_status(status);
    assert_eq!(trail.request.status, status);
    for (command, expected) in every_command(&trail.request).iter().zip(expected) {
        let found = result(&trail.request, command, &permitted_actor(command), trail.now());
        assert_eq!(found, expected, "{command:?} on a request that is {status}");
    }
}

/// Columns: approve, reject, withdraw, cancel, comment, start, finish as succeeded, finish as failed, expire.
fn no_execution() -> Result<Status, Refusal> {
    Err(Refusal::PermitInvalid("no execution of the request was started".to_owned()))
}

#[test]
fn every_command_in_every_status_does_what_the_lifecycle_says() {
    let late = || Err(Refusal::Expired);
    let rows = [
        (
            Pending,
            [
                Ok(Approved),
                Ok(Rejected),
                Ok(Pending),
                Ok(Cancelled),
                Ok(Pending),
                Err(NotApproved(Pending)),
                Err(NotApproved(Pending)),
                Err(NotApproved(Pending)),
                Err(NotDue),
                Ok(Pending),
                no_execution(),
                Err(NotApproved(Pending)),
                Err(NotDue),
            ],
        ),
        (
            Approved,
            [
                Err(NotPending(Approved)),
                Err(NotPending(Approved)),
                Ok(Pending),
                Ok(Cancelled),
                Ok(Approved),
                Ok(Executing),
                Err(ExecutionMismatch(Approved)),
                Err(ExecutionMismatch(Approved)),
                Err(NotDue),
                Ok(Approved),
                no_execution(),
                Err(ExecutionMismatch(Approved)),
                Err(NotDue),
            ],
        ),
        (
            Executing,
            [
                Err(NotPending(Executing)),
                Err(NotPending(Executing)),
                Err(NotPending(Executing)),
                Err(NotPending(Executing)),
                Ok(Executing),
                Err(NotApproved(Executing)),
                Ok(Executed),
                Ok(Failed),
                Err(NotDue),
                Err(NotPending(Executing)),
                Ok(Executing),
                Ok(Executing),
                Err(NotDue),
            ],
        ),
        (
            Rejected,
            [
                Err(NotPending(Rejected)),
                Err(NotPending(Rejected)),
                Err(NotPending(Rejected)),
                Err(NotPending(Rejected)),
                Ok(Rejected),
                Err(NotApproved(Rejected)),
                Err(NotApproved(Rejected)),
                Err(NotApproved(Rejected)),
                Err(NotDue),
                Err(NotPending(Rejected)),
                no_execution(),
                Err(NotApproved(Rejected)),
                Err(NotDue),
            ],
        ),
        (
            Expired,
            [
                late(),
                late(),
                late(),
                late(),
                late(),
                late(),
                late(),
                late(),
                Err(NotDue),
                late(),
                late(),
                late(),
                Err(NotDue),
            ],
        ),
        (
            Cancelled,
            [
                Err(NotPending(Cancelled)),
                Err(NotPending(Cancelled)),
                Err(NotPending(Cancelled)),
                Err(NotPending(Cancelled)),
                Ok(Cancelled),
                Err(NotApproved(Cancelled)),
                Err(NotApproved(Cancelled)),
                Err(NotApproved(Cancelled)),
                Err(NotDue),
                Err(NotPending(Cancelled)),
                no_execution(),
                Err(NotApproved(Cancelled)),
                Err(NotDue),
            ],
        ),
        (
            Executed,
            [
                Err(NotPending(Executed)),
                Err(NotPending(Executed)),
                Err(NotPending(Executed)),
                Err(NotPending(Executed)),
                Ok(Executed),
                Err(NotApproved(Executed)),
                Err(ExecutionMismatch(Executed)),
                Err(ExecutionMismatch(Executed)),
                Err(NotDue),
                Err(NotPending(Executed)),
                Err(Refusal::PermitSpent(Executed)),
                Err(ExecutionMismatch(Executed)),
                Err(NotDue),
            ],
        ),
        (
            Failed,
            [
                Err(NotPending(Failed)),
                Err(NotPending(Failed)),
                Err(NotPending(Failed)),
                Err(NotPending(Failed)),
                Ok(Failed),
                Err(NotApproved(Failed)),
                Err(ExecutionMismatch(Failed)),
                Err(ExecutionMismatch(Failed)),
                Err(NotDue),
                Err(NotPending(Failed)),
                Err(Refusal::PermitSpent(Failed)),
                Err(ExecutionMismatch(Failed)),
                Err(NotDue),
            ],
        ),
    ];
    let covered: HashSet<Status> = rows.iter().map(|(status, _)| *status).collect();
    assert_eq!(covered, Status::iter().collect(), "a status has no row");
    for (status, expected) in rows {
        check(status, expected);
    }
}

#[test]
fn a_request_is_approved_with_the_last_approval_it_needs_and_not_before() {
    for needed in 2..=4u8 {
        let mut trail = Trail::open_as(draft(HIGH), &ann(), &policy(needed), None);
        for nth in 1..=needed {
            assert_eq!(trail.request.status, Pending, "{needed} needed, {} received", nth - 1);
            trail = trail.then(&human(&format!("approver-{nth}"), &["approver"]), &approve());
            assert_eq!(trail.request.approvals_received(), usize::from(nth));
        }
        assert_eq!(trail.request.status, Approved);
        assert_eq!(trail.request.approved_at, Some(trail.now()));
    }
    assert_eq!(Trail::open(MEDIUM).then(&bob(), &approve()).request.status, Approved);
    assert_eq!(Trail::open(LOW).request.status, Approved);
}

/// More approvals than needed can only come of a damaged item; it still must not be stuck.
#[test]
fn a_pending_request_with_more_than_enough_approvals_becomes_approved() {
    let mut request = Trail::in_status(Pending).request;
    let first = request.decisions[0].clone();
    for name in ["dora", "emil", "fay"] {
        let mut another = first.clone();
        another.person = person(name);
        request.decisions.push(another);
    }
    let now = after(5000);
    assert_eq!(result(&request, &approve(), &human("dan", &["approver"]), now), Ok(Approved));
}

#[test]
fn one_rejection_ends_a_request_whatever_was_approved_before() {
    for before in 0..2 {
        let mut trail = Trail::open(HIGH);
        if before == 1 {
            trail = trail.then(&bob(), &approve());
        }
        let trail = trail.then(&carol(), &reject());
        assert_eq!(trail.request.status, Rejected);
        let rejection = trail.request.rejection().unwrap();
        assert_eq!((&rejection.person, rejection.verdict), (&carol().person, Verdict::Rejected));
        assert_eq!(rejection.comment.as_ref().unwrap().text(), Some("not during the sale"));
        assert_eq!(trail.request.closed_at(), Some(trail.now()));
        assert_eq!(trail.request.approvals_received(), before);
    }
}

#[test]
fn each_accepted_command_is_one_event_with_the_status_after_it() {
    use EventType::{
        ApprovalCancelled, ApprovalExpired, ApprovalGranted, ApprovalRejected, ApprovalRequestCreated,
        CommentAdded, ExecutionFailed, ExecutionStarted, ExecutionSucceeded,
    };
    let opened = [(ApprovalRequestCreated, Pending), (ApprovalGranted, Pending)];
    let started = [(ApprovalGranted, Approved), (ExecutionStarted, Executing)];
    for (status, rest) in [
        (Pending, vec![]),
        (Approved, vec![(ApprovalGranted, Approved)]),
        (Executing, started.to_vec()),
        (Rejected, vec![(ApprovalRejected, Rejected)]),
        (Expired, vec![(ApprovalExpired, Expired)]),
        (Cancelled, vec![(ApprovalCancelled, Cancelled)]),
        (Executed, [&started[..], &[(ExecutionSucceeded, Executed)]].concat()),
        (Failed, [&started[..], &[(ExecutionFailed, Failed)]].concat()),
    ] {
        let trail = Trail::in_status(status);
        let trail = if status == Expired { trail } else { trail.then(&ann(), &comment()) };
        let mut expected = [&opened[..], &rest].concat();
        if status != Expired {
            expected.push((CommentAdded, status));
        }
        let found: Vec<_> =
            trail.events.iter().map(|event| (event.change.event_type(), event.status)).collect();
        assert_eq!(found, expected, "{status}");
        let sequences: Vec<_> = trail.events.iter().map(|event| event.sequence).collect();
        assert_eq!(sequences, (1..=trail.request.version).collect::<Vec<_>>(), "{status}");
    }
}

#[test]
fn an_event_names_who_acted_what_they_are_and_how_they_came_in() {
    let mut trail = Trail::in_status(Pending);
    let approver = carol();
    let Ok(Outcome::Event(event)) = trail.give(&approver, &approve(), None) else {
        panic!("carol may approve")
    };
    assert_eq!((&event.user, event.kind, event.channel), (&approver.person, approver.kind, approver.channel));
    assert_eq!(event.request_id, trail.request.id());
    assert_eq!(event.at, trail.now());
}

#[test]
fn an_approval_is_spent_once() {
    let trail = Trail::in_status(Executing);
    assert_eq!(result(&trail.request, &start(), &ann(), trail.now()), Err(NotApproved(Executing)));
    let execution = trail.request.execution.clone().unwrap();
    assert_eq!((&execution.started_by, execution.started_at), (&ann().person, trail.now()));

    // Not even by finishing it: the result is written down, the approval is gone.
    for status in [Executed, Failed] {
        let trail = Trail::in_status(status);
        assert_eq!(result(&trail.request, &start(), &ann(), trail.now()), Err(NotApproved(status)));
    }
}

#[test]
fn only_the_execution_that_runs_is_finished() {
    let trail = Trail::in_status(Executing);
    for outcome in ExecutionOutcome::iter() {
        let another = Command::Finish {
            execution_id: ExecutionId::parse(NO_EXECUTION).unwrap(),
            outcome,
            result: None,
            actual_cost: None,
            note: None,
            shown: Shown::default(),
        };
        assert_eq!(result(&trail.request, &another, &ann(), trail.now()), Err(ExecutionMismatch(Executing)));
    }
}

#[test]
fn the_first_report_of_an_execution_is_the_last() {
    for (first, second) in [
        (ExecutionOutcome::Succeeded, ExecutionOutcome::Failed),
        (ExecutionOutcome::Failed, ExecutionOutcome::Succeeded),
    ] {
        let trail = Trail::in_status(Executing);
        let trail = {
            let command = finish(&trail.request, first);
            trail.then(&ann(), &command)
        };
        let again = finish(&trail.request, second);
        assert_eq!(
            result(&trail.request, &again, &ann(), trail.now()),
            Err(ExecutionMismatch(trail.request.status))
        );
        assert_eq!(trail.request.finish().unwrap().outcome, first);
    }
}

#[test]
fn a_finish_keeps_what_came_of_the_execution() {
    let trail = Trail::in_status(Executing);
    let command = Command::Finish {
        execution_id: trail.request.execution.as_ref().unwrap().id,
        outcome: ExecutionOutcome::Succeeded,
        result: Some(canonical(r#"{"downtime_seconds": 41}"#)),
        actual_cost: Some(Cost::new(12.5).unwrap()),
        note: None,
        shown: Shown::default(),
    };
    let trail = trail.then(&ann(), &command);
    let finish = trail.request.finish().unwrap();
    assert_eq!(finish.at, trail.now());
    assert_eq!(finish.result.as_ref().unwrap().text(), Some(r#"{"downtime_seconds":41}"#));
    assert_eq!(finish.actual_cost, Some(Cost::new(12.5).unwrap()));
    assert_eq!(trail.request.closed_at(), Some(trail.now()));
}

#[test]
fn a_cancellation_keeps_its_reason() {
    let command = Command::Cancel { reason: Some(text("wrong instance")) };
    let trail = Trail::in_status(Pending).then(&ann(), &command);
    let cancellation = trail.request.cancellation.clone().unwrap();
    let reason = cancellation.reason.as_ref().unwrap().text();
    assert_eq!((cancellation.at, reason), (trail.now(), Some("wrong instance")));
}

#[test]
fn a_comment_changes_nothing_but_the_comments() {
    for status in Status::iter().filter(|status| *status != Expired) {
        let before = Trail::in_status(status);
        let after = before.clone().then(&ann(), &comment());
        let mut stripped = after.request.clone();
        let said = stripped.comments.pop().unwrap();
        assert_eq!(
            (&said.person, said.at, said.text.text()),
            (&ann().person, after.now(), Some("which window?"))
        );
        stripped.version = before.request.version;
        stripped.updated_at = before.request.updated_at;
        stripped.last_event_id = before.request.last_event_id;
        stripped.audit_head = before.request.audit_head;
        stripped.seal = before.request.seal;
        assert_eq!(stripped, before.request, "{status}");
    }
}

#[test]
fn a_request_holds_a_hundred_comments_and_no_more() {
    let mut trail = Trail::open(HIGH);
    for _ in 0..MAX_COMMENTS {
        trail = trail.then(&ann(), &comment());
    }
    assert_eq!(result(&trail.request, &comment(), &ann(), trail.now()), Err(Refusal::CommentsFull));
}

/// Counts bytes: an accent may not double what fits.
#[test]
fn a_request_holds_comments_up_to_the_limit_in_bytes_exactly() {
    let long = |bytes: usize| Command::Comment { text: text(&"é".repeat(bytes / 2)) };
    let mut trail = Trail::open(HIGH);
    for _ in 0..8 {
        trail = trail.then(&ann(), &long(4000));
    }
    let left = MAX_COMMENT_BYTES - 8 * 4000;
    assert_eq!(result(&trail.request, &long(left + 2), &ann(), trail.now()), Err(Refusal::CommentsFull));
    let trail = trail.then(&ann(), &long(left));
    let one_more = Command::Comment { text: text("x") };
    assert_eq!(result(&trail.request, &one_more, &ann(), trail.now()), Err(Refusal::CommentsFull));
}

#[test]
fn a_decision_fits_however_full_the_comments_are() {
    let full = |trail: Trail| {
        (0..MAX_COMMENTS).fold(trail, |trail, _| {
            let size = (MAX_COMMENT_BYTES / MAX_COMMENTS).min(2000);
            trail.then(&ann(), &Command::Comment { text: text(&"x".repeat(size)) })
        })
    };
    let longest = text(&"é".repeat(2000));
    for command in [
        Command::Approve { comment: Some(longest.clone()), shown: Shown::default() },
        Command::Reject { reason: longest.clone(), shown: Shown::default() },
    ] {
        let trail = full(Trail::open(HIGH)).then(&bob(), &command);
        assert_eq!(trail.request.decisions[0].comment.as_ref().unwrap().text(), Some(longest.as_str()));
        assert_eq!(
            trail.request.comments.len(),
            MAX_COMMENTS,
            "a decision's comment is kept with the decision"
        );
    }
}

#[test]
fn a_request_begins_with_its_creation_only() {
    for event in Trail::in_status(Executed).events.iter().skip(1) {
        assert!(!matches!(event.change, Change::Created(_)));
        assert!(Request::create(event).is_err(), "{:?}", event.change);
    }
}

/// Subscribers and stored items hold these names: a rename is a break.
#[test]
fn statuses_and_events_have_the_names_of_the_design() {
    let statuses = "pending approved executing rejected expired cancelled executed failed";
    assert_eq!(Status::iter().map(Status::as_str).collect::<Vec<_>>().join(" "), statuses);
    let events = "APPROVAL_REQUEST_CREATED APPROVAL_GRANTED APPROVAL_REJECTED APPROVAL_WITHDRAWN \
                  APPROVAL_CANCELLED APPROVAL_EXPIRED EXECUTION_STARTED TARGET_OBSERVED EXECUTION_CLAIMED \
                  EXECUTION_RENEWED EXECUTION_UNKNOWN EXECUTION_SUCCEEDED EXECUTION_FAILED COMMENT_ADDED PARAMETERS_ERASED ANOMALY_DETECTED \
                  ATTEMPT_REFUSED AUDIT_READ";
    assert_eq!(EventType::iter().map(EventType::as_str).collect::<Vec<_>>().join(" "), events);
    for status in Status::iter() {
        assert_eq!(status.as_str().parse(), Ok(status));
        assert!(status.as_str().to_uppercase().parse::<Status>().is_err());
    }
    for event_type in EventType::iter() {
        assert_eq!(event_type.as_str().parse(), Ok(event_type));
    }
}

/// Names in items: a variant that is renamed has to keep its name.
#[test]
fn stored_commands_and_streams_keep_their_names() {
    let commands: Vec<&str> = CommandName::iter().map(Into::into).collect();
    assert_eq!(
        commands.join(" "),
        "create approve reject withdraw cancel comment start observe claim renew finish end_lease expire erase"
    );
    let kinds: Vec<&str> = StreamKind::iter().map(Into::into).collect();
    assert_eq!(kinds.join(" "), "request refused read policy grant delegation emergency system");
}
