//! A retry with the same key has no second effect; the same key with another body is refused.

use crate::fixture::{
    HIGH, LOW, PENDING_MS, Trail, after, ann, approve, bob, cancel, carol, comment, draft, finish, human,
    key, person, policy, reject, start, withdraw, word,
};
use countersign_core::command::{Command, CommandName, ExecutionOutcome, Shown};
use countersign_core::decide::Outcome;
use countersign_core::idempotency::{IdempotencyKey, Seen, seen};
use countersign_core::ids::RequestId;
use countersign_core::person::PersonId;
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::request::Status;

/// Each command that clients send, with an actor who may give it and a request that takes it.
fn commands() -> Vec<(Trail, Principal, Command)> {
    let running = Trail::in_status(Status::Executing);
    let report = finish(&running.request, ExecutionOutcome::Succeeded);
    vec![
        (Trail::open(HIGH), bob(), approve()),
        (Trail::open(HIGH), bob(), reject()),
        (Trail::open(HIGH).then(&bob(), &approve()), bob(), withdraw()),
        (Trail::open(HIGH), ann(), cancel()),
        (Trail::open(HIGH), ann(), comment()),
        (Trail::open(LOW), ann(), start()),
        (running, ann(), report),
    ]
}

#[test]
fn a_retry_is_one_effect_and_no_refusal() {
    for (trail, actor, command) in commands() {
        let mut trail = trail.then_with(&actor, &command, Some(&key("k", "body")));
        let before = trail.request.clone();
        for _ in 0..3 {
            let answer = trail.give(&actor, &command, Some(&key("k", "body")));
            assert_eq!(answer, Ok(Outcome::AlreadyApplied), "{command:?}");
        }
        assert_eq!(trail.request, before, "{command:?}");
    }
}

#[test]
fn a_retry_is_recognised_however_far_the_request_has_come() {
    let first = key("k", "body");
    let trail = Trail::open(HIGH).then_with(&bob(), &approve(), Some(&first)).then(&carol(), &approve());
    let mut executed = trail.clone().then(&ann(), &start());
    let command = finish(&executed.request, ExecutionOutcome::Failed);
    executed = executed.then(&ann(), &command);
    let late = trail.clone().at(PENDING_MS * 2);
    let swept =
        late.clone().then(&Principal::expiry(countersign_core::caller::Channel::Local), &Command::Expire);
    for mut trail in [trail.clone().then(&ann(), &cancel()), executed, late, swept, trail] {
        let status = trail.request.status;
        assert_eq!(trail.give(&bob(), &approve(), Some(&first)), Ok(Outcome::AlreadyApplied), "{status}");
    }
}

/// The retry of an approval that was taken back meanwhile asks what came of the first try: it gives
/// nothing again.
#[test]
fn a_retry_of_an_approval_that_was_withdrawn_approves_nothing() {
    let first = key("k", "body");
    let mut trail = Trail::open(HIGH).then_with(&bob(), &approve(), Some(&first)).then_with(
        &bob(),
        &withdraw(),
        Some(&first),
    );
    for command in [approve(), withdraw()] {
        assert_eq!(trail.give(&bob(), &command, Some(&first)), Ok(Outcome::AlreadyApplied), "{command:?}");
    }
    assert_eq!(trail.request.approvals_received(), 0);
    let trail = trail.then_with(&bob(), &approve(), Some(&key("l", "body")));
    assert_eq!(trail.request.approvals_received(), 1);
}

#[test]
fn the_same_key_with_another_body_is_a_conflict_and_changes_nothing() {
    for (trail, actor, command) in commands() {
        let mut trail = trail.then_with(&actor, &command, Some(&key("k", "body")));
        let before = trail.request.clone();
        let answer = trail.give(&actor, &command, Some(&key("k", "another body")));
        assert_eq!(answer, Err(Refusal::IdempotencyConflict(before.status)), "{command:?}");
        assert_eq!(trail.request, before, "{command:?}");
    }
}

#[test]
fn a_conflict_names_the_status_as_it_is_now() {
    let mut trail = Trail::open(HIGH).then_with(&bob(), &approve(), Some(&key("k", "body"))).at(PENDING_MS);
    assert_eq!(
        trail.give(&bob(), &approve(), Some(&key("k", "another body"))),
        Err(Refusal::IdempotencyConflict(Status::Expired))
    );
}

#[test]
fn a_key_means_nothing_without_its_sender() {
    let k = key("k", "body");
    let mut trail = Trail::open(HIGH).then_with(&bob(), &approve(), Some(&k));
    assert!(matches!(trail.give(&carol(), &approve(), Some(&k)), Ok(Outcome::Event(_))));
    assert_eq!(trail.request.approvals_received(), 2);

    let trail = Trail::open(HIGH).then_with(&bob(), &comment(), Some(&k));
    let mut trail = trail.then_with(&ann(), &comment(), Some(&key("k", "another body")));
    assert_eq!(trail.request.comments.len(), 2);
    assert_eq!(trail.give(&bob(), &comment(), Some(&k)), Ok(Outcome::AlreadyApplied));
}

#[test]
fn a_key_belongs_to_one_command() {
    let k = key("k", "body");
    let mut trail = Trail::open(HIGH).then_with(&bob(), &comment(), Some(&k));
    assert!(matches!(trail.give(&bob(), &approve(), Some(&k)), Ok(Outcome::Event(_))));
    assert_eq!(trail.give(&bob(), &reject(), Some(&k)), Err(Refusal::AlreadyDecided(Status::Pending)));
}

#[test]
fn another_key_is_another_command() {
    let mut trail = Trail::open(HIGH).then_with(&bob(), &approve(), Some(&key("k", "body")));
    for again in [Some(key("l", "body")), Some(key("K", "body")), Some(key("k ", "body")), None] {
        let answer = trail.give(&bob(), &approve(), again.as_ref());
        assert_eq!(answer, Err(Refusal::AlreadyDecided(Status::Pending)), "{again:?}");
    }
    let trail = Trail::open(HIGH).then_with(&ann(), &comment(), Some(&key("k", "body")));
    let trail = trail.then_with(&ann(), &comment(), Some(&key("l", "body"))).then(&ann(), &comment());
    assert_eq!(trail.request.comments.len(), 3, "without a key nothing is a retry");
}

/// Or a client that corrects its mistake would learn that it had succeeded.
#[test]
fn a_refused_command_is_not_remembered() {
    let mut trail = Trail::open(HIGH);
    let wrong = Command::Approve {
        comment: None,
        shown: Shown { content_digest: Some("wrong".to_owned()), parameters_digest: None, version: None },
    };
    assert!(trail.give(&bob(), &wrong, Some(&key("k", "body"))).is_err());
    assert_eq!(trail.request.idempotency, []);
    assert!(matches!(trail.give(&bob(), &approve(), Some(&key("k", "another body"))), Ok(Outcome::Event(_))));
}

#[test]
fn a_request_remembers_the_key_of_its_creation() {
    let request = Trail::open_as(draft(HIGH), &ann(), &policy(2), Some(&key("k", "body"))).request;
    for (who, sent, expected) in [
        ("ann", Some(key("k", "body")), Seen::Before),
        ("ann", Some(key("k", "another body")), Seen::WithAnotherBody),
        ("ann", Some(key("l", "body")), Seen::Never),
        ("bob", Some(key("k", "body")), Seen::Never),
        ("ann", None, Seen::Never),
    ] {
        let is_sender = |person: &PersonId| human(who, &[]).is(person);
        let found = seen(&request.idempotency, is_sender, CommandName::Create, sent.as_ref());
        assert_eq!(found, expected, "{who} with {sent:?}");
    }
}

#[test]
fn the_id_of_a_request_made_with_a_key_belongs_to_its_maker() {
    let ids = [
        RequestId::derived(&person("ann"), "k"),
        RequestId::derived(&person("ann"), "l"),
        RequestId::derived(&person("bob"), "k"),
        RequestId::derived(&person("an"), "nk"),
    ];
    for (i, id) in ids.iter().enumerate() {
        assert!(!ids[..i].contains(id), "{id}");
    }
    assert_eq!(RequestId::derived(&human("ANN", &[]).person, "k"), ids[0]);
}

#[test]
fn a_key_is_1_to_128_printable_ascii_characters() {
    for good in ["k", " ", "a b", "~!\"{}", "0b9c2f6e-5b1c-4a51-9d0c-7b1f7c1f0f0e", &"k".repeat(128)] {
        assert_eq!(IdempotencyKey::parse(good).unwrap().as_str(), good);
    }
    for bad in ["", "é", "a\nb", "a\0", "a\u{7f}", "k\u{200b}", &"k".repeat(129)] {
        assert!(IdempotencyKey::parse(bad).is_err(), "{bad:?}");
    }
}

/// The last approver's click, sent twice with nothing to tell the two apart, must not count as two.
#[test]
fn a_double_click_without_a_key_is_refused() {
    let mut trail = Trail::open(HIGH);
    let answers: Vec<_> = (0..10).map(|_| word(&trail.give(&bob(), &approve(), None))).collect();
    assert_eq!(answers[0], "pending");
    assert!(answers[1..].iter().all(|answer| *answer == "already_decided"), "{answers:?}");
    assert_eq!((trail.request.version, trail.now()), (2, after(0)));
}
