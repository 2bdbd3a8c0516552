//! Refusals are found in the documented order: not visible, replay of the same key, agent,
//! self, not permitted, expired or wrong status, already decided, digest, a clock that is behind.

use crate::fixture::{
    HIGH, NO_EXECUTION, PENDING_MS, Trail, after, ann, approve, bob, cancel, carol, change_content, code,
    context, human, in_force, key, text, word,
};
use countersign_core::caller::PrincipalKind;
use countersign_core::command::{Command, CommandName, ExecutionOutcome, Shown};
use countersign_core::decide::{MAX_CLOCK_SKEW_SECONDS, decide};
use countersign_core::digest::Digest;
use countersign_core::idempotency::IdempotencyRecord;
use countersign_core::ids::ExecutionId;
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::request::{Request, Status};
use strum::{EnumIter, IntoEnumIterator};

/// What can be wrong with a command, in the order in which it has to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EnumIter)]
enum Fault {
    Hidden,
    UsedKey,
    Agent,
    Own,
    NotPermitted,
    Late,
    Closed,
    Decided,
    Digest,
    Execution,
    Skewed,
}

fn subsets(of: &[Fault]) -> Vec<Vec<Fault>> {
    of.iter().fold(vec![Vec::new()], |sets, fault| {
        let with = sets.iter().map(|set| [&set[..], &[*fault]].concat());
        sets.iter().cloned().chain(with).collect()
    })
}

/// Gives a command with some faults to a request that is otherwise in order.
fn found(command: CommandName, open: Status, faults: &[Fault]) -> &'static str {
    let has = |fault| faults.contains(&fault);
    let decides = matches!(command, CommandName::Approve | CommandName::Reject);
    let mut request: Request = if open == Status::Pending && decides {
        Trail::open(HIGH).request
    } else {
        Trail::in_status(open).request
    };
    let mut actor: Principal = match command {
        CommandName::Withdraw => bob(),
        _ if decides => human("dan", &["approver"]),
        _ => human("ann", &["developer", "guest"]),
    };
    if has(Fault::Own) {
        change_content(&mut request, |content| content.requested_by = actor.person.clone());
    }
    if has(Fault::Agent) {
        actor.kind = PrincipalKind::Agent;
    }
    if has(Fault::NotPermitted) {
        actor.groups = ["guest".to_owned()].into();
    }
    if has(Fault::Hidden) {
        actor.groups.clear();
    }
    if has(Fault::Decided) && command == CommandName::Withdraw {
        request.decisions.retain(|decision| decision.person != actor.person);
    } else if has(Fault::Decided) {
        let trail = Trail::open(HIGH).then(&bob(), &approve());
        request.decisions = trail.request.decisions;
        for decision in &mut request.decisions {
            decision.person = actor.person.clone();
        }
    }
    if has(Fault::Closed) {
        request.status = Status::Cancelled;
    }
    if has(Fault::UsedKey) {
        request.idempotency.push(IdempotencyRecord {
            person: actor.person.clone(),
            command,
            key_digest: Digest::of("k"),
            body_digest: Digest::of("another body"),
        });
    }
    let now = if has(Fault::Late) { after(PENDING_MS * 2) } else { after(10_000) };
    if has(Fault::Skewed) {
        request.updated_at = now.plus_seconds(MAX_CLOCK_SKEW_SECONDS + 1);
    }
    let shown = Shown {
        content_digest: has(Fault::Digest).then(|| "0".repeat(64)),
        parameters_digest: None,
        version: None,
    };
    let execution_id = match &request.execution {
        Some(execution) if !has(Fault::Execution) => execution.id,
        Some(_) | None => ExecutionId::parse(NO_EXECUTION).unwrap(),
    };
    let command = match command {
        CommandName::Approve => Command::Approve { comment: None, shown },
        CommandName::Reject => Command::Reject { reason: text("no"), shown },
        CommandName::Withdraw => Command::Withdraw { reason: None },
        CommandName::Cancel => Command::Cancel { reason: None },
        CommandName::Start => Command::Start { shown },
        CommandName::Finish => Command::Finish {
            execution_id,
            outcome: ExecutionOutcome::Succeeded,
            result: None,
            actual_cost: None,
            note: None,
            shown,
        },
        CommandName::Claim => Command::Claim { execution_id, shown },
        CommandName::Renew => Command::Renew { execution_id },
        CommandName::Create
        | CommandName::Comment
        | CommandName::Observe
        | CommandName::Expire
        | CommandName::EndLease
        | CommandName::Erase => Command::Comment { text: text("hm") },
    };
    word(&decide(&request, &command, &actor, &context(9, now), in_force(), Some(&key("k", "this body"))))
}

/// Every set of faults is answered with its first. A closed request has no deadline, so the two
/// faults of the state never come together.
fn check(command: CommandName, open: Status, possible: &[Fault], closed: &str, accepted: &str) {
    assert!(possible.is_sorted(), "the faults of a case stand in the documented order");
    for faults in subsets(possible) {
        if faults.contains(&Fault::Late) && faults.contains(&Fault::Closed) {
            continue;
        }
        // Who has approved knows of the request, and may take that back.
        let is_known = command == CommandName::Withdraw && !faults.contains(&Fault::Decided);
        let expected = match faults.iter().find(|fault| !(is_known && **fault == Fault::Hidden)) {
            None => accepted,
            Some(Fault::Hidden) => code(&Refusal::NotVisible),
            Some(Fault::UsedKey) => "idempotency_conflict",
            Some(Fault::Agent) => "agent_cannot_approve",
            Some(Fault::Own) => "self_approval",
            Some(Fault::NotPermitted) => "not_permitted",
            Some(Fault::Skewed) => "clock_skew",
            Some(Fault::Late) => "expired",
            Some(Fault::Closed) => closed,
            Some(Fault::Decided) if command == CommandName::Withdraw => "not_decided",
            Some(Fault::Decided) => "already_decided",
            Some(Fault::Digest) => "digest_mismatch",
            Some(Fault::Execution) if command == CommandName::Claim => "permit_invalid",
            Some(Fault::Execution) => "execution_mismatch",
        };
        assert_eq!(found(command, open, &faults), expected, "{command:?} with {faults:?}");
    }
}

#[test]
fn an_approval_is_refused_for_the_first_reason_of_the_documented_order() {
    let possible: Vec<_> = Fault::iter().filter(|fault| *fault != Fault::Execution).collect();
    check(CommandName::Approve, Status::Pending, &possible, "not_pending", "pending");
}

#[test]
fn a_rejection_is_refused_for_the_first_reason_of_the_documented_order() {
    let possible: Vec<_> = Fault::iter().filter(|fault| *fault != Fault::Execution).collect();
    check(CommandName::Reject, Status::Pending, &possible, "not_pending", "rejected");
}

#[test]
fn a_start_is_refused_for_the_first_reason_of_the_documented_order() {
    let possible = [
        Fault::Hidden,
        Fault::UsedKey,
        Fault::NotPermitted,
        Fault::Late,
        Fault::Closed,
        Fault::Digest,
        Fault::Skewed,
    ];
    check(CommandName::Start, Status::Approved, &possible, "not_approved", "executing");
}

#[test]
fn a_cancellation_is_refused_for_the_first_reason_of_the_documented_order() {
    let possible =
        [Fault::Hidden, Fault::UsedKey, Fault::NotPermitted, Fault::Late, Fault::Closed, Fault::Skewed];
    check(CommandName::Cancel, Status::Pending, &possible, "not_pending", "cancelled");
    check(CommandName::Cancel, Status::Approved, &possible, "not_pending", "cancelled");
}

#[test]
fn a_withdrawal_is_refused_for_the_first_reason_of_the_documented_order() {
    let possible = [Fault::Hidden, Fault::UsedKey, Fault::Late, Fault::Closed, Fault::Decided, Fault::Skewed];
    check(CommandName::Withdraw, Status::Pending, &possible, "not_pending", "pending");
    check(CommandName::Withdraw, Status::Approved, &possible, "not_pending", "pending");
}

#[test]
fn a_finish_is_refused_for_the_first_reason_of_the_documented_order() {
    let possible =
        [Fault::Hidden, Fault::UsedKey, Fault::NotPermitted, Fault::Closed, Fault::Execution, Fault::Skewed];
    check(CommandName::Finish, Status::Executing, &possible, "not_approved", "executed");
    // The execution is named before what was run is held against the request.
    let possible =
        [Fault::Hidden, Fault::UsedKey, Fault::NotPermitted, Fault::Closed, Fault::Digest, Fault::Skewed];
    check(CommandName::Finish, Status::Executing, &possible, "not_approved", "executed");
}

#[test]
fn a_claim_is_refused_for_the_first_reason_of_the_documented_order() {
    let possible =
        [Fault::Hidden, Fault::UsedKey, Fault::NotPermitted, Fault::Closed, Fault::Execution, Fault::Skewed];
    check(CommandName::Claim, Status::Executing, &possible, "permit_invalid", "executing");
    let possible =
        [Fault::Hidden, Fault::UsedKey, Fault::NotPermitted, Fault::Closed, Fault::Digest, Fault::Skewed];
    check(CommandName::Claim, Status::Executing, &possible, "permit_invalid", "executing");
}

#[test]
fn a_comment_is_refused_for_the_first_reason_of_the_documented_order() {
    let possible = [Fault::Hidden, Fault::UsedKey, Fault::NotPermitted, Fault::Late, Fault::Skewed];
    check(CommandName::Comment, Status::Pending, &possible, "", "pending");
}

/// A retry asks what came of the first try; whatever has changed since then is not an answer.
#[test]
fn a_retry_is_recognised_before_any_rule_about_people_or_state() {
    let first = key("k", "body");
    let approve = approve();
    let trail = Trail::open(HIGH).then_with(&bob(), &approve, Some(&first));
    let trail = trail.then(&carol(), &approve).then(&ann(), &cancel());
    let mut request = trail.request;
    change_content(&mut request, |content| content.requested_by = bob().person);
    let mut guest = human("bob", &["guest"]);
    guest.kind = PrincipalKind::Agent;
    let now = after(PENDING_MS * 2);
    assert_eq!(
        word(&decide(&request, &approve, &guest, &context(9, now), in_force(), Some(&first))),
        "replayed"
    );
    assert_eq!(
        word(&decide(&request, &approve, &guest, &context(9, now), in_force(), None)),
        "agent_cannot_approve"
    );
    // Visibility comes first even so: who lost sight of a request learns nothing by retrying.
    guest.groups.clear();
    assert_eq!(
        word(&decide(&request, &approve, &guest, &context(9, now), in_force(), Some(&first))),
        "not_found"
    );
}

#[test]
fn a_refusal_for_the_state_names_the_state_it_found() {
    for status in Status::iter() {
        for refusal in [
            Refusal::NotPending(status),
            Refusal::NotApproved(status),
            Refusal::AlreadyDecided(status),
            Refusal::NotDecided(status),
            Refusal::DigestMismatch(status),
            Refusal::VersionMismatch(status),
            Refusal::ExecutionMismatch(status),
            Refusal::IdempotencyConflict(status),
        ] {
            assert_eq!(refusal.current_status(), Some(status), "{refusal:?}");
        }
    }
    assert_eq!(Refusal::Expired.current_status(), Some(Status::Expired));
    let without =
        [Refusal::NotVisible, Refusal::SelfApproval, Refusal::AgentCannotApprove, Refusal::ClockSkew];
    for refusal in without {
        assert_eq!(refusal.current_status(), None, "{refusal:?}");
    }
}
