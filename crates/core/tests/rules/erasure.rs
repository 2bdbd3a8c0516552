//! Erasing what a closed request was made with: what goes, what stays, and that the trail still belongs to it.

use crate::audit::full_life;
use crate::fixture::{
    LOW, Trail, after, ann, answer, approve, bob, comment, deployment_key, erase, every_command, human, key,
    permitted_actor,
};
use countersign_core::audit::replay::check;
use countersign_core::audit::seal;
use countersign_core::caller::Channel;
use countersign_core::command::{Command, ExecutionOutcome};
use countersign_core::event::EventType;
use countersign_core::idempotency::Idempotency;
use countersign_core::origin::Origin;
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::request::{Request, Status};
use strum::IntoEnumIterator;

fn retention() -> Principal {
    Principal::retention(Channel::Local)
}

fn give(
    trail: &Trail,
    actor: &Principal,
    command: &Command,
    idempotency: Option<&Idempotency>,
) -> Result<(), Refusal> {
    trail.clone().give(actor, command, idempotency).map(|_| ())
}

fn is_whole(trail: &Trail) {
    let origin = Origin::of(&deployment_key());
    assert_eq!(check(&trail.request, &trail.audit, Some(&origin)), Ok(()));
}

/// Everything that was written is gone from what is stored, its digests are what they were, and the trail leads to it.
#[test]
fn nothing_that_was_written_is_left_and_every_digest_is() {
    for outcome in [ExecutionOutcome::Succeeded, ExecutionOutcome::Failed] {
        let before = full_life(outcome);
        let trail = before.clone().then(&retention(), &erase());
        is_whole(&trail);
        let (was, is) = (&before.request, &trail.request);
        assert!(was.texts().all(|is_kept| is_kept) && is.texts().all(|is_kept| !is_kept));
        assert!(format!("{was:?}").contains("secret"));
        assert!(!format!("{is:?}").contains("secret"), "{is:?}");
        assert_eq!(is.content.digest(), was.content.digest());
        assert_eq!(is.content.parameters_digest(), was.content.parameters_digest());
        assert_eq!(is.erased_at, Some(trail.now()));
        assert_eq!((is.status, is.closed_at()), (was.status, was.closed_at()));
        // What the trail has digests of stands in the state as before; that some words were sent twice does not.
        let digests = |request: &Request| {
            let state = request.state().as_str().to_owned();
            let members = state.split('"').filter(|text| text.len() == 64);
            members.map(str::to_owned).collect::<Vec<_>>()
        };
        let bodies: Vec<_> = was.idempotency.iter().map(|record| record.body_digest.to_string()).collect();
        let kept: Vec<_> = digests(was).into_iter().filter(|digest| !bodies.contains(digest)).collect();
        assert!(kept.iter().all(|digest| digests(is).contains(digest)));
        assert!(bodies.iter().all(|digest| !digests(is).contains(digest)));
        let event = trail.audit.last().unwrap();
        assert_eq!(event.event_type.known(), Some(EventType::ParametersErased));
        assert_eq!(event.user.as_str(), "system:retention");
    }
}

/// What is left of the content is bound by the event: its own digest cannot be computed any more.
#[test]
fn an_edit_of_what_is_left_is_found() {
    let mut trail = full_life(ExecutionOutcome::Succeeded).then(&retention(), &erase());
    let mut left = countersign_core::content::Content::clone(&trail.request.content);
    left.requester_groups.insert("admin".to_owned());
    let digest = trail.request.content.digest();
    trail.request.content = countersign_core::content::FixedContent::erased(left, digest);
    assert!(check(&trail.request, &trail.audit, None).is_err());
    // Nor does a text come back.
    let mut trail = Trail::in_status(Status::Cancelled).then(&retention(), &erase());
    let sealed = seal(&trail.request, &deployment_key());
    trail.request.erased_at = None;
    assert!(check(&trail.request, &trail.audit, None).is_err());
    assert_ne!(seal(&trail.request, &deployment_key()), sealed);
}

#[test]
fn only_what_has_closed_long_enough_ago_is_erased_and_once() {
    for status in Status::iter() {
        let trail = Trail::in_status(status);
        let sweep_with = |command: &Command| give(&trail, &retention(), command, None);
        let Some(closed_at) = trail.request.closed_at() else {
            assert_eq!(sweep_with(&erase()), Err(Refusal::NotDue), "{status}");
            continue;
        };
        let closed_before = |closed_before| Command::Erase { closed_before };
        assert_eq!(sweep_with(&closed_before(closed_at)), Err(Refusal::NotDue), "{status}");
        assert_eq!(sweep_with(&closed_before(closed_at.plus_seconds(1))), Ok(()), "{status}");
        let erased = trail.clone().then(&retention(), &erase());
        is_whole(&erased);
        assert_eq!(give(&erased, &retention(), &erase(), None), Err(Refusal::NotDue), "{status}");
    }
    // What has missed its deadline is not closed before that is written down.
    let late = Trail::in_status(Status::Pending).at(365 * 24 * 60 * 60 * 1000);
    assert_eq!(give(&late, &retention(), &erase(), None), Err(Refusal::NotDue));
}

/// No principal but the sweep erases, and that sweep does nothing else.
#[test]
fn no_caller_erases_and_nothing_is_said_of_what_is_erased() {
    let trail = Trail::in_status(Status::Executed);
    let expiry = Principal::expiry(Channel::Local);
    for actor in [ann(), bob(), human("root", &["admin"]), expiry] {
        assert_eq!(answer(&trail.request, &erase(), &actor, trail.now()), "not_permitted");
    }
    let expire = answer(&trail.request, &Command::Expire, &retention(), trail.now());
    assert_eq!(expire, "not_permitted");
    let erased = trail.then(&retention(), &erase());
    for command in every_command(&erased.request) {
        let actor = permitted_actor(&command);
        let found = give(&erased, &actor, &command, None);
        assert!(found.is_err(), "{command:?}: {found:?}");
    }
    assert_eq!(answer(&erased.request, &comment(), &ann(), after(9_000_000)), "not_pending");
}

/// The body of a command is not known any more: its key is known, and doubt means refuse.
#[test]
fn a_retry_of_what_was_erased_is_refused() {
    let retry = key("k", "body");
    let trail = Trail::open_as(crate::fixture::draft(LOW), &ann(), &crate::fixture::policy(2), None);
    let trail = trail.then_with(&ann(), &comment(), Some(&retry)).then(&ann(), &crate::fixture::cancel());
    assert!(give(&trail, &ann(), &comment(), Some(&retry)).is_ok());
    let erased = trail.then(&retention(), &erase());
    let again = give(&erased, &ann(), &comment(), Some(&retry));
    assert_eq!(again, Err(Refusal::IdempotencyConflict(Status::Cancelled)));
    assert!(give(&erased, &bob(), &approve(), None).is_err());
}
