//! Claims of requests by approvers: who gets one, how long it is shown, and who gives it back.

use crate::fixture::{
    HIGH, MEDIUM, Trail, after, ann, approve, bob, carol, code, context, human, in_force, policy, reject,
    service,
};
use countersign_core::hold::{Hold, HoldTerms, MAX_MINUTES, hold, release};
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::request::Request;
use countersign_core::timestamp::Timestamp;

const MINUTE: i64 = 60_000;

fn claim(
    request: &Request,
    before: Option<&Hold>,
    actor: &Principal,
    now: Timestamp,
) -> Result<Hold, Refusal> {
    hold(request, before, HoldTerms::default(), actor, &context(9, now), in_force())
}

fn is_shown(hold: &Hold, request: &Request, now: Timestamp) -> bool {
    hold.is_shown(request, request.status_at(now), in_force(), now)
}

#[test]
fn who_may_approve_now_gets_one_and_nobody_else() {
    let trail = Trail::open(HIGH);
    let held = claim(&trail.request, None, &bob(), after(1)).unwrap();
    assert_eq!((held.by, held.since), (bob().person, after(1)));
    assert_eq!(held.until, after(1 + 15 * MINUTE));
    for (actor, refused) in [
        (ann(), "self_approval"),
        (human("eve", &["guest"]), "not_permitted"),
        (human("dev", &["developer"]), "not_found"),
        (service("robot", &["approver"]), "agent_cannot_approve"),
    ] {
        let refusal = claim(&trail.request, None, &actor, after(1)).unwrap_err();
        assert_eq!(code(&refusal), refused, "{}", actor.person);
    }
    let half = Trail::open(HIGH).then(&bob(), &approve());
    let refusal = claim(&half.request, None, &bob(), after(half.clock + 1)).unwrap_err();
    assert_eq!(code(&refusal), "already_decided");
    let done = Trail::open(MEDIUM).then(&bob(), &approve());
    let refusal = claim(&done.request, None, &carol(), after(done.clock + 1)).unwrap_err();
    assert_eq!(code(&refusal), "not_pending");
}

#[test]
fn another_approver_hears_who_holds_it_and_takes_it_only_by_saying_so() {
    let trail = Trail::open(HIGH);
    let held = claim(&trail.request, None, &bob(), after(1)).unwrap();
    let refusal = claim(&trail.request, Some(&held), &carol(), after(2)).unwrap_err();
    assert_eq!(refusal, Refusal::Claimed { holder: bob().person, until: held.until });
    let terms = HoldTerms { takes: true, ..HoldTerms::default() };
    let taken = hold(&trail.request, Some(&held), terms, &carol(), &context(9, after(2)), in_force());
    let taken = taken.unwrap();
    assert_eq!((taken.by, taken.since), (carol().person, after(2)));
    // Once it has ended nothing is taken.
    assert_eq!(claim(&trail.request, Some(&held), &carol(), held.until).unwrap().by, carol().person);
}

#[test]
fn the_same_person_prolongs_it_and_never_by_more_than_an_hour() {
    let trail = Trail::open(HIGH);
    let held = claim(&trail.request, None, &bob(), after(1)).unwrap();
    let later = claim(&trail.request, Some(&held), &bob(), after(MINUTE)).unwrap();
    assert_eq!((later.since, later.until), (held.since, after(16 * MINUTE)));
    let of = |minutes, before: Option<&Hold>| {
        let terms = HoldTerms { minutes, takes: false };
        hold(&trail.request, before, terms, &bob(), &context(9, after(MINUTE)), in_force()).unwrap()
    };
    assert_eq!(of(1, Some(&held)).until, held.until, "it is not shortened");
    assert_eq!(of(u32::MAX, None).until, after(MINUTE).plus_seconds(MAX_MINUTES * 60));
}

#[test]
fn it_is_shown_until_its_time_is_over_its_holder_has_decided_or_the_request_is() {
    let trail = Trail::open(HIGH);
    let held = claim(&trail.request, None, &bob(), after(1)).unwrap();
    let last = Timestamp::from_millisecond(held.until.as_millisecond() - 1);
    assert!(is_shown(&held, &trail.request, after(1)) && is_shown(&held, &trail.request, last));
    assert!(!is_shown(&held, &trail.request, held.until));
    let of_other = Trail::open(HIGH).then(&carol(), &approve());
    assert!(is_shown(&held, &of_other.request, after(of_other.clock)));
    let decided = Trail::open(HIGH).then(&bob(), &approve());
    assert!(!is_shown(&held, &decided.request, after(decided.clock)), "the holder has decided");
    for end in [approve(), reject()] {
        let over = Trail::open(HIGH).then(&carol(), &approve()).then(&human("dan", &["approver"]), &end);
        assert!(!is_shown(&held, &over.request, after(over.clock)), "{end:?}");
    }
    assert!(!is_shown(&held, &trail.request, trail.request.content.expires_at));
}

#[test]
fn only_its_holder_gives_it_back() {
    let trail = Trail::open(HIGH);
    let held = claim(&trail.request, None, &bob(), after(1)).unwrap();
    let give = |actor: &Principal, before: Option<Hold>, now: Timestamp| {
        release(&trail.request, before, actor, now, &policy(2))
    };
    assert_eq!(code(&give(&carol(), Some(held.clone()), after(2)).unwrap_err()), "claimed");
    let left = give(&bob(), Some(held.clone()), after(2)).unwrap().unwrap();
    assert_eq!(left.until, after(2));
    assert!(!is_shown(&left, &trail.request, after(2)));
    assert_eq!(give(&bob(), None, after(2)), Ok(None));
    assert_eq!(give(&carol(), Some(held.clone()), held.until), Ok(None), "it has ended by itself");
}
