//! Approvals that are taken back, that do not count any more and are given again or turned into a rejection,
//! and requests of people who are disabled.

use crate::fixture::{
    APPROVED_MS, HIGH, MEDIUM, PENDING_MS, Trail, after, ann, approve, bob, cancel, carol, comment, context,
    counting, digest_required, disabled, draft, entry, give, human, identified, people, policy, reject,
    service, start, text, withdraw, word,
};
use countersign_core::audit::replay;
use countersign_core::command::{Command, Shown};
use countersign_core::event::Change;
use countersign_core::explain::explain;
use countersign_core::request::{MAX_WITHDRAWALS, Status, Verdict};
use serde_json::json;

/// For a disabled person nothing is done any more: not for their requests, and not for those of
/// their agents. To stop stays possible.
#[test]
fn requests_of_a_disabled_person_can_only_be_stopped() {
    let robo = "[agents.\"robo@example.com\"]\nowner = \"erin@example.com\"\n";
    let robo_disabled = format!("{robo}disabled = true\n");
    let owned = people(&[entry("erin", ""), robo.to_owned()].concat());
    let cases = [
        (ann(), people(""), disabled(&["ann"])),
        (human("robo", &["agent"]), owned.clone(), people(&robo_disabled)),
        (
            human("robo", &["agent"]),
            owned.clone(),
            people(&[entry("erin", "disabled = true"), robo.to_owned()].concat()),
        ),
        // It has no owner any more, and its former owner is disabled.
        (human("robo", &["agent"]), owned, disabled(&["erin"])),
    ];
    for (requester, then, now) in cases {
        let requester = identified(&then, requester);
        let open = || Trail::open_as(draft(HIGH), &requester, &then, None).then(&bob(), &approve());
        assert_eq!(give(&mut open(), &now, carol(), &approve()), "not_permitted");
        let mut trail = open();
        let reasons = trail.give_under(&now, &carol(), &approve(), None).unwrap_err().reasons();
        assert!(reasons.iter().all(|reason| reason.contains("is disabled in people.toml")), "{reasons:?}");
        // A person who has decided already gets that answer, and an approver may still take the approval back.
        assert_eq!(give(&mut open(), &now, bob(), &approve()), "already_decided");
        assert_eq!(give(&mut open(), &now, bob(), &withdraw()), "pending");
        assert_eq!(give(&mut open(), &now, carol(), &reject()), "rejected");
        assert_eq!(give(&mut open(), &now, human("dave", &["admin"]), &cancel()), "cancelled");
        assert_eq!(give(&mut open(), &now, carol(), &comment()), "pending");
        let explanation = explain(&trail.request, &carol(), &context(9, trail.now()), &now);
        assert!(!explanation.blocked.is_empty() && explanation.approvers.is_empty());
        // Approved before: no executor starts it, not even with a token that still looks good.
        let mut trail = open().then(&carol(), &approve());
        assert_eq!(word(&trail.give_under(&now, &requester, &start(), None)), "not_permitted");
        // Enabled again, it goes on.
        assert_eq!(give(&mut trail, &then, requester.clone(), &start()), "executing");
    }
}

/// An approval that does not count any more is given again by the same person: once on record, in the place
/// of the earlier one.
#[test]
fn an_approval_that_does_not_count_any_more_is_given_again() {
    let (lax, strict) = (policy(2), digest_required());
    let shown = |trail: &Trail| Command::Approve { comment: None, shown: Shown::of(&trail.request) };
    for (approvals, before) in [(1, Status::Pending), (2, Status::Approved)] {
        let mut trail = Trail::open(HIGH);
        for actor in [bob(), carol()].into_iter().take(approvals) {
            trail = trail.then(&actor, &approve());
        }
        assert_eq!(trail.request.status, before);
        let replaced = trail.request.decisions[0].event_id;
        trail.clock += 1000;
        // While it counts, it is a decision.
        if before == Status::Pending {
            assert_eq!(give(&mut trail.clone(), &lax, bob(), &shown(&trail)), "already_decided");
        } else {
            assert_eq!(give(&mut trail.clone(), &lax, bob(), &shown(&trail)), "not_pending");
        }
        // Without the digest it would count no more than the one on record.
        assert_eq!(give(&mut trail.clone(), &strict, bob(), &approve()), "validation_failed");
        let command = shown(&trail);
        assert_eq!(give(&mut trail, &strict, bob(), &command), "pending");
        let request = &trail.request;
        assert_eq!(request.approvals_received(), approvals, "in the place of the earlier one");
        assert_eq!(counting(request, &strict), 1);
        let event = trail.events.last().unwrap();
        assert!(
            matches!(&event.change, Change::Granted { replaces, .. } if *replaces == [replaced]),
            "{:?}",
            event.change
        );
        assert!(request.decisions.iter().all(|decision| decision.event_id != replaced));
        assert_eq!(request.decisions.last().unwrap().event_id, event.id);
        assert_eq!((request.approved_at, request.execute_by), (None, None));
        let details = trail.audit.last().unwrap().details.to_value();
        assert_eq!(details["replaces"], json!([replaced.to_string()]));
        // And not a third time.
        assert_eq!(give(&mut trail, &strict, bob(), &command), "already_decided");
        assert_eq!(give(&mut trail, &strict, bob(), &reject()), "already_decided");
        trail.clock += 1000;
        assert_eq!(give(&mut trail, &strict, carol(), &command), "approved");
        assert_eq!(trail.request.execute_by, Some(after(trail.clock + APPROVED_MS)));
        assert_eq!(trail.request.approvals_received(), 2);
        assert_eq!(give(&mut trail, &strict, ann(), &start()), "executing");
        assert_eq!(replay::check(&trail.request, &trail.audit, None), Ok(()));
    }
}

/// Or turned into a rejection, which ends the request.
#[test]
fn an_approval_that_does_not_count_any_more_is_turned_into_a_rejection() {
    let (lax, strict) = (policy(2), digest_required());
    for approvals in [1, 2] {
        let mut trail = Trail::open(HIGH);
        for actor in [bob(), carol()].into_iter().take(approvals) {
            trail = trail.then(&actor, &approve());
        }
        let refused = if approvals == 1 { "already_decided" } else { "not_pending" };
        assert_eq!(give(&mut trail, &lax, bob(), &reject()), refused);
        let replaced = trail.request.decisions[0].event_id;
        assert_eq!(give(&mut trail, &strict, bob(), &reject()), "rejected");
        let decisions = &trail.request.decisions;
        assert_eq!(decisions.len(), approvals);
        assert!(decisions.iter().all(|decision| decision.event_id != replaced));
        let last = decisions.last().unwrap();
        assert_eq!((&last.person, last.verdict), (&bob().person, Verdict::Rejected));
        let change = &trail.events.last().unwrap().change;
        assert!(matches!(change, Change::Rejected { replaces, .. } if *replaces == [replaced]), "{change:?}");
        assert_eq!(replay::check(&trail.request, &trail.audit, None), Ok(()));
    }
}

/// On an approved request whose approvals are too few, another person decides as on a pending one, and
/// an approver whose approval counts does not decide again.
#[test]
fn an_approved_request_with_too_few_approvals_waits_for_people_again() {
    let without_bob = disabled(&["bob"]);
    let approved = Trail::in_status(Status::Approved);
    for command in [approve(), reject()] {
        assert_eq!(give(&mut approved.clone(), &without_bob, carol(), &command), "already_decided");
        assert_eq!(give(&mut approved.clone(), &without_bob, bob(), &command), "door");
        assert_eq!(
            give(&mut approved.clone(), &policy(2), human("dan", &["approver"]), &command),
            "not_pending"
        );
        assert_eq!(give(&mut approved.clone(), &without_bob, ann(), &command), "self_approval");
    }
    assert_eq!(give(&mut approved.clone(), &without_bob, human("dan", &["approver"]), &reject()), "rejected");
    assert_eq!(give(&mut { approved }, &without_bob, human("dan", &["approver"]), &approve()), "approved");
    // Not past the time for approvals, unless it is enough.
    let late = |mut trail: Trail| {
        trail.clock = PENDING_MS + 1000;
        trail
    };
    let approved =
        Trail::open(HIGH).then(&bob(), &approve()).at(PENDING_MS - 2000).then(&carol(), &approve());
    let nobody = disabled(&["bob", "carol"]);
    let dan = || human("dan", &["approver"]);
    assert_eq!(give(&mut late(approved.clone()), &nobody, dan(), &approve()), "approvals_insufficient");
    assert_eq!(give(&mut late(approved.clone()), &without_bob, dan(), &approve()), "approved");
    // Nor past the deadline of the approval that it had.
    let mut trail = approved;
    trail.clock = PENDING_MS - 1000 + APPROVED_MS;
    assert_eq!(give(&mut trail, &without_bob, dan(), &approve()), "expired");
}

/// An approval is taken back while it is not spent, by its giver and by no other person.
#[test]
fn an_approver_takes_their_approval_back() {
    let mut trail = Trail::open(HIGH).then(&bob(), &approve());
    for actor in [carol(), human("dave", &["admin"]), ann()] {
        assert_eq!(word(&trail.give(&actor, &withdraw(), None)), "not_decided", "{}", actor.person);
    }
    assert_eq!(word(&trail.give(&service("pipeline", &["admin"]), &withdraw(), None)), "not_decided");
    // Without the permission to approve: to stop is safe.
    trail = trail.then(&human("bob", &["guest"]), &Command::Withdraw { reason: Some(text("wrong one")) });
    assert_eq!((trail.request.status, trail.request.decisions.len()), (Status::Pending, 0));
    let withdrawal = &trail.request.withdrawals[0];
    assert_eq!((&withdrawal.person, withdrawal.at), (&bob().person, trail.now()));
    assert_eq!(trail.request.comments[0].text.text(), Some("wrong one"));
    assert_eq!(word(&trail.give(&bob(), &withdraw(), None)), "not_decided");
    // And approves or rejects after all.
    assert_eq!(trail.clone().then(&bob(), &reject()).request.status, Status::Rejected);
    let trail = trail.then(&bob(), &approve()).then(&carol(), &approve());
    assert_eq!(trail.request.status, Status::Approved);
    // What had been approved waits again, with the time that is left, and lasts anew.
    let mut trail = trail.then(&carol(), &withdraw());
    assert_eq!(trail.request.status, Status::Pending);
    assert_eq!((trail.request.approved_at, trail.request.execute_by), (None, None));
    assert_eq!(word(&trail.give(&ann(), &start(), None)), "not_approved");
    let trail = trail.then(&carol(), &approve());
    assert_eq!(trail.request.execute_by, Some(after(trail.clock + APPROVED_MS)));
    assert_eq!(Trail::in_status(Status::Approved).request.withdrawals, []);
}

/// One rejection ends a request: there is nothing to take back.
#[test]
fn a_rejection_is_not_withdrawn() {
    let mut trail = Trail::in_status(Status::Rejected);
    for actor in [bob(), carol()] {
        assert_eq!(word(&trail.give(&actor, &withdraw(), None)), "not_pending");
    }
}

/// A request holds so many withdrawals: more would let one person fill it.
#[test]
fn approvals_of_a_request_are_not_withdrawn_for_ever() {
    let mut trail = Trail::open(MEDIUM);
    for _ in 0..MAX_WITHDRAWALS {
        trail = trail.then(&bob(), &approve()).then(&bob(), &withdraw());
    }
    let mut trail = trail.then(&bob(), &approve());
    assert_eq!(word(&trail.give(&bob(), &withdraw(), None)), "not_permitted");
    assert_eq!(trail.request.withdrawals.len(), MAX_WITHDRAWALS);
    assert_eq!(replay::check(&trail.request, &trail.audit, None), Ok(()));
    // It can still be stopped by those who may, and approvals that do not count can be replaced.
    assert_eq!(word(&trail.clone().give(&ann(), &cancel(), None)), "cancelled");
}
