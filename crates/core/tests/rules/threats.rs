//! Rows of THREATS.md that other files have no place for: two identities of one human, executors that die,
//! clocks, policies that change under a request, restored stores, what is shown.

use crate::fixture::text;
use crate::fixture::{
    APPROVED_MS, HIGH, LOW, PENDING_MS, Trail, after, ann, answer, approve, bob, cancel, carol, classed,
    code, comment, context, counting, create, disabled, draft, entry, every_command, finish, give, human,
    identified, in_force, people, permitted_actor, person, policy, policy_of, policy_of_people, reject,
    sooner, start, withdraw, word,
};
use countersign_core::audit::replay;
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::command::{Command, Draft, ExecutionOutcome};
use countersign_core::decide::{MAX_CLOCK_SKEW_SECONDS, Outcome, decide};
use countersign_core::digest::Digest;
use countersign_core::event::{Change, EventType};
use countersign_core::explain::explain;
use countersign_core::person::PersonId;
use countersign_core::policy::{BUNDLED_OPERATIONS, BUNDLED_PEOPLE, Policy, PolicyText, mistake::Mistake};
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::request::{Request, Status};
use countersign_core::timestamp::Timestamp;
use serde_json::json;
use strum::IntoEnumIterator;

/// Two tokens, one human, who counts once, and not for their own request.
#[test]
fn threat_5_two_identities_of_one_human_are_one_person() {
    let linked = people(
        &[
            entry("bob", "addresses = [\"bob@gmail.example\", \"robert@example.com\"]"),
            entry("ann", "addresses = [\"ann@gmail.example\"]"),
        ]
        .concat(),
    );
    let at = |email: &str, groups: &[&str]| {
        let id = PersonId::from_email(email).unwrap();
        Principal::assumed(id, PrincipalKind::Human, Channel::Api, groups.iter().copied())
    };
    let requester = identified(&linked, at("ann@gmail.example", &["developer"]));
    let mut trail = Trail::open_as(draft(HIGH), &requester, &linked, None);
    assert_eq!(trail.request.content.requested_by, person("ann"));
    for own in ["ann@example.com", "Ann@Gmail.Example"] {
        for command in [approve(), reject()] {
            assert_eq!(give(&mut trail, &linked, at(own, &["approver"]), &command), "self_approval");
        }
    }
    assert_eq!(give(&mut trail, &linked, at("robert@example.com", &["approver"]), &approve()), "pending");
    for again in ["bob@example.com", "bob@gmail.example", "robert@example.com"] {
        for command in [approve(), reject()] {
            assert_eq!(give(&mut trail, &linked, at(again, &["approver"]), &command), "already_decided");
        }
    }
    // Whichever identity gave it, any of them takes it back.
    assert_eq!(give(&mut trail, &linked, at("bob@gmail.example", &["approver"]), &withdraw()), "pending");
    assert_eq!(trail.request.approvals_received(), 0);
    // Where only those who are listed act, an identity without a person is refused.
    let closed = BUNDLED_PEOPLE.replace("unlisted_refused = false", "unlisted_refused = true");
    assert_ne!(closed, BUNDLED_PEOPLE);
    let closed = format!("{closed}\n{}{}", entry("bob", ""), entry("ann", ""));
    let closed = policy_of_people(2, &closed);
    assert_eq!(give(&mut trail, &closed, at("bob@gmail.example", &["approver"]), &approve()), "door");
    assert_eq!(give(&mut trail, &closed, at("bob@example.com", &["approver"]), &approve()), "pending");
}

/// The executor dies after its start: the request stays executing, visibly, and is never run again.
#[test]
fn threat_24_an_execution_without_a_report_stays_executing() {
    const YEAR: i64 = 365 * 86_400_000;
    let trail = Trail::in_status(Status::Executing);
    for wait in [1, PENDING_MS, APPROVED_MS * 2, YEAR, 10 * YEAR] {
        let now = after(trail.clock + wait);
        assert_eq!(trail.request.status_at(now), Status::Executing);
        for command in every_command(&trail.request) {
            let actor = permitted_actor(&command);
            let found = answer(&trail.request, &command, &actor, now);
            let expected = match &command {
                Command::Approve { .. } | Command::Reject { .. } | Command::Cancel { .. } => "not_pending",
                Command::Withdraw { .. } => "not_pending",
                Command::Comment { .. } => "executing",
                Command::Start { .. } => "not_approved",
                Command::Finish { outcome: ExecutionOutcome::Succeeded, .. } => "executed",
                Command::Finish { outcome: ExecutionOutcome::Failed, .. } => "failed",
                Command::Expire | Command::Erase { .. } => "not_due",
                Command::Observe { .. } => "not_pending",
                Command::Claim { .. } if wait < 900_000 => "executing",
                Command::Claim { .. } => "permit_expired",
                // Less than a quarter of the lease is used: there is nothing to renew.
                Command::Renew { .. } if wait < 900_000 => "replayed",
                Command::Renew { .. } => "executing",
                Command::EndLease if wait < 3_600_000 => "not_due",
                Command::EndLease => "executing",
            };
            assert_eq!(found, expected, "{command:?} after {wait} ms");
        }
    }
    // An admin who has nothing to do with it settles it: as failed at any time, as executed once it is unknown,
    // and then with a note of what was found.
    let dave = human("dave", &["admin"]);
    let succeeded = finish(&trail.request, ExecutionOutcome::Succeeded);
    let failed = finish(&trail.request, ExecutionOutcome::Failed);
    let now = after(YEAR);
    let soon = after(trail.clock + 1);
    assert_eq!(answer(&trail.request, &succeeded, &dave, soon), "not_permitted");
    assert_eq!(answer(&trail.request, &failed, &dave, soon), "failed");
    for (report, outcome) in [(succeeded, "executed"), (failed, "failed")] {
        assert_eq!(answer(&trail.request, &report, &dave, now), "validation_failed");
        let Command::Finish { execution_id, outcome: reported, shown, .. } = report else {
            panic!("no report")
        };
        let with_note = Command::Finish {
            execution_id,
            outcome: reported,
            result: None,
            actual_cost: None,
            note: Some(text("looked at the instance")),
            shown,
        };
        assert_eq!(answer(&trail.request, &with_note, &dave, now), outcome);
        // Not by those whose request it is.
        let owner = human("ann", &["admin"]);
        assert_ne!(answer(&trail.request, &with_note, &owner, now), "not_permitted", "she has started it");
    }
    assert_eq!(answer(&trail.request, &cancel(), &dave, now), "not_pending");
}

/// Every command on a request in every status, by a clock that is off by so many milliseconds from the last
/// event.
fn decided_by_clocks(offsets: &[i64], commands: impl Fn(&Request) -> Vec<Command>) {
    for status in Status::iter() {
        let trail = Trail::in_status(status);
        let request = &trail.request;
        let last = request.updated_at.as_millisecond();
        for command in commands(request) {
            let actor = permitted_actor(&command);
            let at_last = classed(&decide(
                request,
                &command,
                &actor,
                &context(9, request.updated_at),
                in_force(),
                None,
            ));
            for offset in offsets {
                let now = Timestamp::from_millisecond(last + offset);
                let found = decide(request, &command, &actor, &context(9, now), in_force(), None);
                if *offset < -1000 * i64::from(MAX_CLOCK_SKEW_SECONDS) {
                    // What the state refuses anyway is refused for that.
                    let expected = at_last.and(Err("clock_skew"));
                    assert_eq!(classed(&found), expected, "{command:?}, {status}, {offset} ms");
                    continue;
                }
                if *offset <= 0 {
                    assert_eq!(classed(&found), at_last, "{command:?}, {status}, {offset} ms");
                }
                let Ok(Outcome::Event(event)) = found else { continue };
                assert_eq!(event.at, now.max(request.updated_at), "{command:?}, {status}, {offset} ms");
                if !status.is_open() {
                    assert_eq!(event.status, status, "a terminal status is left, {offset} ms");
                    assert_eq!(event.change.event_type(), EventType::CommentAdded);
                }
                let mut after = request.clone();
                after.apply(&event);
                assert!(after.execute_by.is_none_or(|by| by >= event.at || after.status != Status::Approved));
            }
        }
    }
}

#[test]
fn threat_28_a_clock_that_is_an_hour_or_a_day_off_decides_nothing_backwards() {
    const HOUR: i64 = 3_600_000;
    let offsets = [-365 * 24 * HOUR, -24 * HOUR, -HOUR, -60_000, 60_000, HOUR, 24 * HOUR, 365 * 24 * HOUR];
    decided_by_clocks(&offsets, |request| every_command(request).to_vec());
    let edges: Vec<i64> = [-5000i64, 0, 5000].iter().flat_map(|edge| edge - 3..=edge + 3).collect();
    decided_by_clocks(&edges, |request| every_command(request).to_vec());
}

#[test]
fn threat_28_around_the_last_event_every_millisecond_is_decided_alike() {
    let offsets: Vec<i64> = (-5_100..=5_100).collect();
    decided_by_clocks(&offsets, |_| vec![Command::Expire]);
    let offsets: Vec<i64> = (-5_100..=5_100).step_by(20).collect();
    decided_by_clocks(&offsets, |_| vec![comment()]);
}

/// A day ahead, and back again: what the fast clock wrote stands, and by the right one nothing
/// happens to it that is not said to be over already.
#[test]
fn threat_28_what_a_clock_wrote_that_was_a_day_ahead_is_not_undone_by_the_right_one() {
    const DAY: i64 = 86_400_000;
    let mut trail = Trail::in_status(Status::Pending);
    let right = trail.clock;
    trail.clock += DAY;
    let sweep = Principal::expiry(Channel::Local);
    assert_eq!(word(&trail.give(&sweep, &Command::Expire, None)), "expired");
    for clock in [right, right + DAY - 5001] {
        trail.clock = clock;
        for command in every_command(&trail.request) {
            let found = word(&trail.give(&permitted_actor(&command), &command, None));
            assert_eq!(found, if command.is_of_the_sweep() { "not_due" } else { "expired" }, "{command:?}");
        }
        assert_eq!(trail.request.status_at(trail.now()), Status::Expired, "it was written down");
    }
    trail.clock = right + DAY - 5000;
    assert_eq!(word(&trail.give(&ann(), &comment(), None)), "expired");
    assert_eq!(replay::check(&trail.request, &trail.audit, None), Ok(()));
}

/// Two instances, of which one is three seconds behind: no event before its predecessor, no approval that
/// was over before it was given, and no request pending again after it had expired.
#[test]
fn threat_57_two_instances_with_different_clocks_write_one_order() {
    let mut trail = Trail::in_status(Status::Pending).at(PENDING_MS - 1000);
    assert_eq!(word(&trail.give(&ann(), &comment(), None)), "pending");
    trail.clock -= 3000;
    assert_eq!(word(&trail.give(&carol(), &approve(), None)), "approved");
    assert_eq!(trail.request.approved_at, Some(after(PENDING_MS - 1000)));
    assert_eq!(trail.request.execute_by, Some(after(PENDING_MS - 1000 + APPROVED_MS)));
    trail.clock += 3000 + 1500;
    assert_eq!(word(&trail.give(&ann(), &comment(), None)), "approved");
    // The time for approvals is over by the last event, whatever the slow clock says.
    trail.clock -= 3000;
    assert_eq!(word(&trail.give(&carol(), &withdraw(), None)), "expired");
    assert_eq!(trail.request.closed_at(), Some(trail.request.updated_at));
    assert!(trail.events.windows(2).all(|pair| pair[0].at <= pair[1].at));
    assert_eq!(replay::check(&trail.request, &trail.audit, None), Ok(()));
}

/// The sweep of an instance whose clock is behind writes nothing.
#[test]
fn threat_57_a_sweep_with_a_clock_that_is_behind_writes_nothing() {
    let sweep = Principal::expiry(Channel::Local);
    // A comment by a clock that is behind nothing, after the deadline of a policy of now.
    let strict = sooner(60, 86_400);
    let mut trail = Trail::in_status(Status::Pending).at(90_000).then(&ann(), &comment());
    trail.clock -= 5001;
    let found = trail.give_under(&strict, &sweep, &Command::Expire, None);
    assert_eq!(found, Err(Refusal::ClockSkew));
    trail.clock += 1;
    assert_eq!(word(&trail.give_under(&strict, &sweep, &Command::Expire, None)), "expired");
    assert_eq!(trail.events.last().unwrap().at, after(91_000));
    let mut trail = Trail::in_status(Status::Approved);
    trail.clock -= 60_000;
    assert_eq!(trail.give(&sweep, &Command::Expire, None), Err(Refusal::NotDue));
}

/// Between approval and start an approver is disabled, or their group loses the right to approve: their
/// approval does not count, and says so; and counts again if they come back.
#[test]
fn threat_30_an_approver_who_may_no_longer_approve_does_not_count_at_the_start() {
    let trail = Trail::in_status(Status::Approved);
    let both = disabled(&[]);
    let without_bob = disabled(&["bob"]);
    let answer = |trail: &Trail, policy: &Policy| {
        let context = context(trail.request.version + 1, trail.now());
        decide(&trail.request, &start(), &ann(), &context, policy, None)
    };
    let Err(refusal) = answer(&trail, &without_bob) else { panic!("bob is disabled") };
    assert_eq!(code(&refusal), "approvals_insufficient");
    let reasons = refusal.reasons();
    assert!(reasons[0].contains("`bob@example.com` has been disabled"), "{reasons:?}");
    assert!(reasons[1].starts_with("missing: "), "{reasons:?}");
    assert_eq!(word(&answer(&trail, &both)), "executing", "somebody enabled again counts again");

    // Another approver in their place, while it is approved.
    let mut replaced = trail.clone();
    assert_eq!(give(&mut replaced, &without_bob, human("dan", &["approver"]), &approve()), "approved");
    assert_eq!(replaced.request.execute_by, trail.request.execute_by, "it lasts no longer than it did");
    assert_eq!(counting(&replaced.request, &without_bob), 2);
    assert_eq!(give(&mut replaced, &without_bob, ann(), &start()), "executing");
    assert_eq!(replay::check(&replaced.request, &replaced.audit, None), Ok(()));
}

/// Requirements that policy comes to make hold for what waits, and those of the creation hold for good.
#[test]
fn threat_32_tightening_counts_and_loosening_does_not() {
    let (two, three) = (policy(2), policy(3));
    // Tightened while pending: two approvals are not enough any more.
    let mut trail = Trail::open(HIGH).then(&bob(), &approve());
    assert_eq!(give(&mut trail, &three, carol(), &approve()), "pending");
    assert_eq!(give(&mut trail, &three, human("dan", &["approver"]), &approve()), "approved");
    // Loosened again: three were pinned by nothing, two are enough.
    assert_eq!(give(&mut trail, &two, carol(), &withdraw()), "approved");
    assert_eq!(give(&mut trail, &three, ann(), &start()), "approvals_insufficient");
    assert_eq!(give(&mut trail, &two, ann(), &start()), "executing");

    // Tightened while approved: the start is refused, a third approval lets it go on.
    let mut trail = Trail::in_status(Status::Approved);
    let execute_by = trail.request.execute_by;
    assert_eq!(give(&mut trail, &three, ann(), &start()), "approvals_insufficient");
    assert_eq!(give(&mut trail, &two, human("dan", &["approver"]), &approve()), "not_pending");
    assert_eq!(give(&mut trail, &three, human("dan", &["approver"]), &approve()), "approved");
    assert_eq!(trail.request.execute_by, execute_by);
    assert_eq!(give(&mut trail, &three, ann(), &start()), "executing");

    // Tightened by two while approved: it waits for people again, and says so.
    let four = policy(4);
    let mut trail = Trail::in_status(Status::Approved);
    assert_eq!(give(&mut trail, &four, human("dan", &["approver"]), &approve()), "pending");
    assert_eq!((trail.request.approved_at, trail.request.execute_by), (None, None));
    assert_eq!(give(&mut trail, &four, ann(), &start()), "not_approved");
    trail.clock += 1000;
    assert_eq!(give(&mut trail, &four, human("erin", &["approver"]), &approve()), "approved");
    assert_eq!(trail.request.execute_by, Some(after(trail.clock + APPROVED_MS)));
    assert_eq!(give(&mut trail, &four, ann(), &start()), "executing");
    assert_eq!(replay::check(&trail.request, &trail.audit, None), Ok(()));

    // Made under three: no policy makes it two.
    let mut trail = Trail::open_as(draft(HIGH), &ann(), &three, None);
    for (name, expected) in [("bob", "pending"), ("carol", "pending"), ("dan", "approved")] {
        assert_eq!(give(&mut trail, &two, human(name, &["approver"]), &approve()), expected);
    }
}

/// A store that was restored from a backup may have forgotten that an approval was spent: none from before
/// counts, and what policy approved at once before is not started either.
#[test]
fn threat_41_approvals_from_before_a_restore_do_not_count() {
    let restored = |ms: i64| policy_of(2, BUNDLED_PEOPLE, &format!("restored_at = \"{}\"", after(ms)));
    let approved = Trail::in_status(Status::Approved);
    // Bob approved at 1 s, carol at 2 s.
    for (restored_at, expected, counted) in [
        (500, "executing", 2),
        (1000, "executing", 2),
        (1001, "approvals_insufficient", 1),
        (2000, "approvals_insufficient", 1),
        (2001, "approvals_insufficient", 0),
        (86_400_000, "approvals_insufficient", 0),
    ] {
        let policy = restored(restored_at);
        let mut trail = approved.clone();
        assert_eq!(counting(&trail.request, &policy), counted, "restored at {restored_at} ms");
        assert_eq!(give(&mut trail, &policy, ann(), &start()), expected, "restored at {restored_at} ms");
    }
    // Both look at it again.
    let policy = restored(2500);
    let mut trail = approved.at(3000);
    assert_eq!(give(&mut trail, &policy, bob(), &approve()), "pending");
    trail.clock += 1000;
    assert_eq!(give(&mut trail, &policy, carol(), &approve()), "approved");
    assert_eq!(trail.request.approvals_received(), 2);
    assert_eq!(give(&mut trail, &policy, ann(), &start()), "executing");
    assert_eq!(replay::check(&trail.request, &trail.audit, None), Ok(()));

    let mut trail = Trail::open(LOW);
    let Err(refusal) = trail.give_under(&restored(1), &ann(), &start(), None) else {
        panic!("it was approved before the restore")
    };
    assert_eq!(code(&refusal), "approvals_insufficient");
    assert!(refusal.to_string().contains("before the store was restored"), "{refusal}");
    assert_eq!(give(&mut trail.clone(), &restored(0), ann(), &start()), "executing");

    // A person who looks at it can say what policy cannot: once they do not count, it is as before.
    trail.clock = 5000;
    assert_eq!(give(&mut trail, &restored(1), bob(), &approve()), "approved");
    assert_eq!(give(&mut trail.clone(), &restored(1), ann(), &start()), "executing");
    assert_eq!(give(&mut trail.clone(), &restored(6000), ann(), &start()), "approvals_insufficient");
    let without_bob = format!("{BUNDLED_PEOPLE}\n{}", entry("bob", "disabled = true"));
    let without_bob = policy_of(2, &without_bob, &format!("restored_at = \"{}\"", after(1)));
    assert_eq!(give(&mut trail, &without_bob, ann(), &start()), "approvals_insufficient");
}

#[test]
fn threat_41_a_time_of_restoring_that_is_none_is_refused() {
    for time in ["yesterday", "2026-01-01", "2026-01-01T00:00:00", ""] {
        let operations = format!("restored_at = \"{time}\"\n{}", BUNDLED_OPERATIONS);
        let text = PolicyText {
            operations: &operations,
            people: BUNDLED_PEOPLE,
            access: countersign_access::BUNDLED,
        };
        let Err(error) = countersign_policy::load::parse(&text) else { panic!("{time:?} is no time") };
        assert!(matches!(error.0.as_slice(), [Mistake { line: Some(1), .. }]), "{time:?}: {error}");
    }
}

/// What was answered to have expired has expired: by a sooner deadline of a policy, and for good.
#[test]
fn threat_58_an_expiry_that_was_written_down_is_final() {
    let sweep = Principal::expiry(Channel::Local);
    let later = policy(2);
    for (trail, strict, deadline) in [
        (Trail::in_status(Status::Pending), sooner(60, 86_400), 60_000),
        (Trail::in_status(Status::Approved), sooner(86_400, 60), 62_000),
    ] {
        let mut trail = trail.at(deadline - 1);
        assert_eq!(trail.give_under(&strict, &sweep, &Command::Expire, None), Err(Refusal::NotDue));
        trail.clock = deadline + 10_000;
        // Until it is written down, it is what the deadline on record says.
        let status = trail.request.status;
        assert_eq!(trail.request.status_at(trail.now()), status);
        assert_eq!(give(&mut trail.clone(), &later, ann(), &comment()), status.as_str());
        assert_eq!(give(&mut trail, &strict, ann(), &comment()), "expired");
        assert_eq!(word(&trail.give_under(&strict, &sweep, &Command::Expire, None)), "expired");
        let event = trail.events.last().unwrap();
        assert_eq!(event.change, Change::Expired { deadline: after(deadline) });
        assert_eq!(trail.request.closed_at(), Some(after(deadline)));
        // Under the later deadline it is not pending again, and nothing happens to it.
        for command in every_command(&trail.request) {
            let found = word(&trail.give_under(&later, &permitted_actor(&command), &command, None));
            assert_eq!(found, if command.is_of_the_sweep() { "not_due" } else { "expired" }, "{command:?}");
        }
        assert_eq!(trail.request.status_at(trail.now()), Status::Expired);
        assert_eq!(replay::check(&trail.request, &trail.audit, None), Ok(()));
    }
}

/// What an explanation counts is what counts now, not what is on record.
#[test]
fn threat_58_counts_are_of_what_counts_now() {
    let trail = Trail::in_status(Status::Approved);
    let context = context(9, trail.now());
    for (policy, counted, filled) in [(disabled(&[]), 2, true), (disabled(&["bob"]), 1, false)] {
        let explanation = explain(&trail.request, &ann(), &context, &policy);
        assert_eq!(explanation.status, Status::Approved);
        assert_eq!(explanation.approvals.counting.len(), counted);
        assert_eq!(explanation.approvals.discounted.len(), 2 - counted);
        assert_eq!(explanation.slot_assignment.is_complete(), filled);
        // Where some do not count, it says who could approve in their place.
        assert_eq!(explanation.approvers.is_empty(), filled, "{:?}", explanation.approvers);
    }
}

/// The label of a request is what its approvers are shown and bound to; what an executor names as run is
/// held against the same. THREATS 15.
#[test]
fn threat_15_labels_are_pinned_by_the_server_and_bound() {
    let policy = policy(2);
    let declared = |environment: &str, risk: Option<&str>| {
        let mut draft =
            Draft::new(HIGH, "orders-db", &json!({}), environment, "CPU is at 95 % since Monday").unwrap();
        draft.declared_risk = risk.map(|risk| risk.parse().unwrap());
        let event = create(draft, &ann(), &policy, None);
        Request::create(&event.unwrap()).unwrap()
    };
    // A harmless label on a dangerous target changes nothing of what is shown.
    let honest = declared("production", None);
    for lie in [declared("non-production", None), declared("non-production", Some("low"))] {
        assert_eq!(
            (lie.content.environment, lie.content.risk_level),
            (honest.content.environment, honest.content.risk_level)
        );
        assert_eq!(lie.content.digest(), honest.content.digest(), "the content is what policy makes of it");
    }
    // A label that only raises is part of the content.
    assert_ne!(declared("production", Some("low")).content.digest(), Digest::ZERO);
}
