//! Whose approvals count, and when they are enough: under the policy of the creation and under every
//! later one, whoever turns out to be whom.

use crate::approval_reference::{Reference, all_seated};
use crate::fixture::{
    Trail, after, approve, as_caller, cancel, context, draft, reject, request_id, start, text, withdraw, word,
};
use crate::worlds::{
    AGENT, CI, Caller, GROUPS, ROBO, Seats, Set, Shown, Spec, Step, Verb, World, any_groups, any_world, id,
};
use countersign_core::approvals::Approvals;
use countersign_core::audit::replay;
use countersign_core::caller::Channel;
use countersign_core::command::{self, Command, Draft};
use countersign_core::decide;
use countersign_core::person::PersonId;
use countersign_core::policy::Policy;
use countersign_core::principal::Principal;
use countersign_core::request::Status;
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The request of a world, and the reference's idea of it; none if its requester may not ask.
fn open(world: &World) -> Option<(Trail, Reference)> {
    let spec = &world.policies[0];
    if Reference::is_refused_at_the_door(spec, &world.requester) {
        assert!(spec.policy().people().resolve(as_caller(world.requester.actor())).is_err());
        return None;
    }
    let policy = spec.policy();
    let mut actor = world.requester.actor();
    actor.filed_by = world.filer.map(id);
    let actor = policy.people().resolve(as_caller(actor)).unwrap();
    let draft = Draft::new("unlisted", "orders-db", &json!({}), "non-production", "it is full").unwrap();
    let trail = Trail::open_as(draft, &actor, &policy, None);
    let reference = Reference {
        requester: spec.main(world.requester.address),
        requester_known: spec.addresses(world.requester.address),
        filer: world.filer,
        owner: spec.owner(world.requester.address).map(|owner| (spec.main(owner), spec.addresses(owner))),
        in_production: !spec.non_production,
        approvals: Reference::demanded(spec).len(),
        slots: spec.slots.clone(),
        digest_required: spec.digest_required,
        pending_seconds: spec.pending_seconds,
        execute_within_seconds: spec.execute_within_seconds,
        votes: Vec::new(),
        withdrawals: 0,
        updated_at: 0,
        status: "pending",
        approved_at: 0,
        execute_by: i64::MAX,
    };
    Some((trail, reference))
}

fn command(step: &Step, trail: &Trail) -> Command {
    let right = command::Shown::of(&trail.request);
    let shown = match step.shown {
        Shown::Nothing => command::Shown::default(),
        Shown::Right => command::Shown { parameters_digest: None, ..right },
        Shown::Wrong => {
            let content_digest = right.content_digest.map(|digest| digest.to_uppercase());
            command::Shown { content_digest, ..right }
        }
        Shown::Parameters => command::Shown { content_digest: None, ..right },
    };
    match step.verb {
        Verb::Approve => Command::Approve { comment: None, shown },
        Verb::Reject => Command::Reject { reason: text("no"), shown },
        Verb::Withdraw => withdraw(),
        Verb::Cancel => cancel(),
        Verb::Start => Command::Start { shown },
        Verb::Expire => Command::Expire,
    }
}

fn give(trail: &mut Trail, policy: &Policy, caller: &Caller, command: &Command) -> &'static str {
    if *command == Command::Expire {
        return word(&trail.give_under(policy, &Principal::expiry(Channel::Local), command, None));
    }
    match policy.people().resolve(as_caller(caller.actor())) {
        Err(_) => "door",
        Ok(actor) => word(&trail.give_under(policy, &actor, command, None)),
    }
}

/// The number of an address that is on record.
fn number(person: &PersonId) -> usize {
    (0..=CI).find(|address| id(*address) == *person).unwrap()
}

fn approvals_of<'a>(trail: &'a Trail, policy: &Policy) -> Approvals<'a> {
    Approvals::of(&trail.request, &policy.requirements_in_force(&trail.request), policy)
}

/// What must hold of whoever's approvals count under a policy.
fn check_counted(trail: &Trail, reference: &Reference, spec: &Spec, policy: &Policy) -> Vec<Set> {
    let approvals = approvals_of(trail, policy);
    let mut humans = BTreeSet::new();
    let mut people = Vec::new();
    for decision in &approvals.counting {
        // Whoever has any of the addresses now, and whoever gave it; of a retired address only the latter.
        let mut theirs: BTreeSet<_> = decision
            .addresses
            .iter()
            .map(number)
            .filter(|address| spec.retired(*address).is_none())
            .map(|address| spec.holder(address))
            .collect();
        theirs.insert(spec.maker(number(&decision.person)));
        assert!(theirs.iter().all(|holder| humans.insert(*holder)), "one human counts twice");
        assert!(!theirs.iter().any(|holder| spec.is_disabled_holder(*holder)), "somebody disabled counts");
        assert!(!theirs.iter().any(|holder| *holder >= 110), "a machine counts");
        let owner = reference.owner.iter().flat_map(|(_, addresses)| addresses);
        assert!(reference.filer.is_none_or(|filer| !theirs.contains(&spec.maker(filer))), "the filer counts");
        for involved in reference.requester_known.iter().chain(owner) {
            assert!(!theirs.contains(&spec.holder(*involved)), "the requester or owner counts");
            assert!(!theirs.contains(&spec.maker(*involved)), "whoever had been one of those counts");
        }
        let restored = spec.restored_at.map(|second| after(second * 1000));
        assert!(restored.is_none_or(|at| decision.at >= at), "an approval from before the restore counts");
        let groups =
            decision.groups.iter().map(|name| GROUPS.iter().position(|group| group == name).unwrap());
        people.push(groups.collect());
    }
    let on_record = trail.request.approvals_received();
    assert_eq!(approvals.counting.len() + approvals.discounted.len(), on_record);
    assert!(approvals.discounted.iter().all(|(_, reason)| !reason.is_empty()));
    people
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    /// THREATS 7, 30 and 32; FIELD, integrity failures 6 and 7: at every step the core and a
    /// reference that tries everything out give the same answer, under whichever policy is in force,
    /// and refusals are found in the documented order.
    #[test]
    fn the_core_counts_as_one_who_tries_everything(world in any_world()) {
        let Some((mut trail, mut reference)) = open(&world) else { return Ok(()) };
        let policies: Vec<_> = world.policies.iter().map(Spec::policy).collect();
        let mut now = 0;
        for step in &world.steps {
            now = step.policy.unwrap_or(now);
            let (spec, policy) = (&world.policies[now], &policies[now]);
            trail.clock += step.wait_seconds * 1000;
            let caller = step.caller.as_ref().unwrap_or(&world.requester);
            let command = command(step, &trail);
            let expected = reference.answer(spec, caller, step.verb, step.shown, trail.clock);
            let found = give(&mut trail, policy, caller, &command);
            prop_assert_eq!(found, expected, "{:?} of {:?} under {:?}", step, reference, spec);
            let people = check_counted(&trail, &reference, spec, policy);
            // By itself, and not as the stricter of both.
            if found == "approved" || found == "executing" {
                prop_assert!(people.len() >= 2);
                prop_assert!(all_seated(&reference.pinned(), &people), "less than was pinned");
                prop_assert!(all_seated(&Reference::demanded(spec), &people), "less than is demanded");
            }
            prop_assert_eq!(trail.request.status.as_str(), reference.status);
            prop_assert_eq!(replay::check(&trail.request, &trail.audit, None), Ok(()), "a false alarm");
        }
    }

    /// What somebody's token comes to say after they have approved changes nothing for anybody.
    #[test]
    fn more_groups_for_somebody_who_has_decided_change_nothing(world in any_world(), more in any_groups()) {
        let Some((mut trail, _)) = open(&world) else { return Ok(()) };
        let (mut other, _) = open(&world).unwrap();
        let policies: Vec<_> = world.policies.iter().map(Spec::policy).collect();
        let more: Set = more.into_iter().filter(|group| *group != AGENT).collect();
        let mut now = 0;
        for step in &world.steps {
            now = step.policy.unwrap_or(now);
            let policy = &policies[now];
            trail.clock += step.wait_seconds * 1000;
            other.clock = trail.clock;
            let caller = step.caller.as_ref().unwrap_or(&world.requester);
            let identified = policy.people().resolve(as_caller(caller.actor()));
            let approvals = approvals_of(&trail, policy);
            let has_decided = identified.is_ok_and(|actor| {
                approvals.counting.iter().any(|decision| {
                    policy.is_actor(&actor, &decision.person)
                        || decision.addresses.iter().any(|address| actor.is(address))
                })
            });
            let was_open = trail.request.status.is_decidable();
            let mut promoted = caller.clone();
            if has_decided && was_open && step.verb != Verb::Withdraw {
                promoted.groups.extend(&more);
            }
            let command = command(step, &trail);
            let found = give(&mut trail, policy, caller, &command);
            let with_more = give(&mut other, policy, &promoted, &command);
            if promoted.groups == caller.groups {
                prop_assert_eq!(found, with_more, "{:?}", step);
            } else if matches!(step.verb, Verb::Approve | Verb::Reject) {
                let accepted = |word: &str| ["pending", "approved", "rejected"].contains(&word);
                prop_assert!(!accepted(found) && !accepted(with_more), "{found} and {with_more}");
            }
            prop_assert_eq!(&trail.request, &other.request);
        }
    }
}

/// The worlds above are worth something only if they get everywhere.
#[test]
fn random_worlds_reach_every_answer() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut found: BTreeMap<&'static str, usize> = BTreeMap::new();
    for _ in 0..4_000 {
        let world = any_world().new_tree(&mut runner).unwrap().current();
        let Some((_, mut reference)) = open(&world) else { continue };
        let (mut now, mut clock) = (0, 0);
        for step in &world.steps {
            now = step.policy.unwrap_or(now);
            clock += step.wait_seconds * 1000;
            let caller = step.caller.as_ref().unwrap_or(&world.requester);
            let answer = reference.answer(&world.policies[now], caller, step.verb, step.shown, clock);
            *found.entry(answer).or_default() += 1;
        }
    }
    let all = "door not_found agent_cannot_approve self_approval not_permitted expired not_pending not_approved already_decided not_decided \
               clock_skew not_due approvals_insufficient digest_mismatch validation_failed pending approved executing rejected cancelled";
    for answer in all.split(' ') {
        assert!(found.get(answer).is_some_and(|times| *times >= 20), "{answer}: {found:?}");
    }
}

/// Two people, each in `approver`, nobody listed, nothing but the floor.
fn plain() -> Spec {
    Spec {
        high: 2,
        approvals: 0,
        slots: Seats::new(),
        digest_required: false,
        pending_seconds: 3600,
        execute_within_seconds: 3600,
        permitted: Set::from([0, 1, 2]),
        juniors: None,
        blind: None,
        non_production: false,
        forgotten: None,
        entry_of: [Some(0), Some(1), Some(2), Some(3), Some(4), None],
        retired_by: [None; 6],
        disabled: Set::new(),
        demoted: None,
        owner_of_robo: None,
        owner_of_ci: None,
        owner_required: false,
        unlisted_refused: false,
        restored_at: None,
    }
}

fn caller(address: usize, groups: &[usize]) -> Caller {
    Caller { address, groups: groups.iter().copied().collect() }
}

/// THREATS 5: a policy that forgets an address makes nobody two people, whether what they did was
/// asking or approving.
#[test]
fn an_address_that_is_unlinked_is_nobody_new() {
    let mut linked = plain();
    linked.entry_of = [Some(0), Some(1), Some(1), Some(3), Some(0), None];
    let (linked, unlinked) = (linked.policy(), plain().policy());
    let opened = || {
        let actor = linked.people().resolve(as_caller(caller(0, &[0]).actor())).unwrap();
        Trail::open_as(draft("unlisted"), &actor, &linked, None)
    };
    let mut trail = opened();
    assert_eq!(give(&mut trail, &linked, &caller(1, &[0]), &approve()), "pending");
    for address in [1, 2] {
        assert_eq!(give(&mut trail, &unlinked, &caller(address, &[0]), &approve()), "already_decided");
    }
    let mut trail = opened();
    for address in [0, 4] {
        assert_eq!(give(&mut trail, &unlinked, &caller(address, &[0]), &approve()), "self_approval");
    }
    // They asked as p4. Whoever has p0 now inherits nothing but that.
    for (address, to_start, to_cancel) in
        [(0, "not_permitted", "not_permitted"), (4, "not_approved", "cancelled")]
    {
        assert_eq!(give(&mut trail, &unlinked, &caller(address, &[0]), &start()), to_start);
        assert_eq!(give(&mut trail, &unlinked, &caller(address, &[0]), &cancel()), to_cancel);
    }
    // Linked only later, they were two people who both approved: one of them counts.
    let mut trail = opened();
    assert_eq!(give(&mut trail, &unlinked, &caller(1, &[0]), &approve()), "pending");
    assert_eq!(give(&mut trail, &unlinked, &caller(2, &[0]), &approve()), "approved");
    assert_eq!(give(&mut trail, &linked, &caller(0, &[0]), &start()), "approvals_insufficient");
}

/// THREATS 5: an address that was the requester's and is now an approver's makes them one human, and
/// an address that went from one approver to another makes those one. Whichever is the main address.
#[test]
fn an_address_that_moves_to_somebody_else_makes_them_one_human() {
    let policy_of = |entry_of| Spec { entry_of, ..plain() }.policy();
    // p4 asked while `moved` was theirs; p2 has approved; now `moved` is p2's.
    for moved in [1, 3] {
        let mut entries = [None; 6];
        (entries[4], entries[moved]) = (Some(4), Some(4));
        let then = policy_of(entries);
        (entries[2], entries[moved]) = (Some(2), Some(2));
        let now = policy_of(entries);
        let actor = then.people().resolve(as_caller(caller(4, &[0]).actor())).unwrap();
        let mut trail = Trail::open_as(draft("unlisted"), &actor, &then, None);
        assert_eq!(give(&mut trail, &then, &caller(2, &[0]), &approve()), "pending");
        assert!(approvals_of(&trail, &now).counting.is_empty(), "p2 is p{moved} now, who asked");
        assert_eq!(give(&mut trail, &now, &caller(0, &[0]), &approve()), "pending");
        assert_eq!(give(&mut trail, &now, &caller(5, &[0]), &approve()), "approved");
    }
    // p1 approved while `moved` was theirs, p2 on their own; now `moved` is p2's.
    for moved in [3, 1] {
        let first = if moved == 1 { 3 } else { 1 };
        let mut entries = [Some(0), None, None, None, None, None];
        (entries[first], entries[moved]) = (Some(1), Some(1));
        let then = policy_of(entries);
        (entries[moved], entries[2]) = (Some(2), Some(2));
        let now = policy_of(entries);
        let actor = then.people().resolve(as_caller(caller(0, &[0]).actor())).unwrap();
        let mut trail = Trail::open_as(draft("unlisted"), &actor, &then, None);
        assert_eq!(give(&mut trail, &then, &caller(first, &[0]), &approve()), "pending");
        assert_eq!(give(&mut trail, &then, &caller(2, &[0]), &approve()), "approved");
        assert_eq!(approvals_of(&trail, &now).counting.len(), 1, "p{moved} was p{first}'s, is p2's");
        assert_eq!(give(&mut trail, &now, &caller(0, &[0]), &start()), "approvals_insufficient");
    }
}

/// THREATS 5: an address under which somebody approved, and which turns out to be the requester's, the
/// owner's or a machine's, makes the approval theirs. Whichever is the main address.
#[test]
fn an_approval_counts_for_whoever_has_its_address_now() {
    let owned = || Spec { owner_of_robo: Some(4), ..plain() };
    for moved in [1, 3] {
        let mut then = owned();
        then.entry_of = [None; 6];
        (then.entry_of[2], then.entry_of[moved]) = (Some(2), Some(2));
        let mut of_requester = owned();
        of_requester.entry_of = [None; 6];
        (of_requester.entry_of[0], of_requester.entry_of[moved]) = (Some(0), Some(0));
        let mut of_owner = owned();
        of_owner.entry_of = [None; 6];
        (of_owner.entry_of[4], of_owner.entry_of[moved]) = (Some(4), Some(4));
        let mut of_machine = Spec { demoted: Some(moved), owner_of_robo: None, ..plain() };
        of_machine.entry_of = [None; 6];
        for (now, requester) in [(of_requester, 0), (of_owner, ROBO), (of_machine, 0)] {
            let (then, now) = (then.policy(), now.policy());
            let actor = then.people().resolve(as_caller(caller(requester, &[0]).actor())).unwrap();
            let mut trail = Trail::open_as(draft("unlisted"), &actor, &then, None);
            assert_eq!(give(&mut trail, &then, &caller(moved, &[0]), &approve()), "pending");
            assert_eq!(give(&mut trail, &then, &caller(5, &[0]), &approve()), "approved");
            assert_eq!(approvals_of(&trail, &now).counting.len(), 1, "p{moved} approved as p2's");
            let found = give(&mut trail, &now, &caller(requester, &[0]), &start());
            assert_eq!(found, "approvals_insufficient", "p{moved} approved as p2's");
        }
    }
}

/// An access policy that tells environments apart is asked about the environment of now, while the
/// request is open: what has become production since is production.
#[test]
fn who_may_approve_follows_the_environment_of_now() {
    let outside = Spec { juniors: Some(3), non_production: true, ..plain() };
    let inside = Spec { non_production: false, ..outside.clone() };
    let (outside, inside) = (outside.policy(), inside.policy());
    let open = || {
        let actor = outside.people().resolve(as_caller(caller(0, &[0]).actor())).unwrap();
        let draft = Draft::new("unlisted", "orders-db", &json!({}), "non-production", "it is full").unwrap();
        Trail::open_as(draft, &actor, &outside, None)
    };
    let mut trail = open();
    assert_eq!(give(&mut trail, &inside, &caller(1, &[3]), &approve()), "not_permitted");
    assert_eq!(give(&mut trail, &outside, &caller(1, &[3]), &approve()), "pending");
    assert_eq!(give(&mut trail, &outside, &caller(2, &[3]), &approve()), "approved");
    assert!(approvals_of(&trail, &inside).counting.is_empty());
    assert_eq!(give(&mut trail, &inside, &caller(0, &[0]), &start()), "approvals_insufficient");
    assert_eq!(give(&mut trail, &outside, &caller(0, &[0]), &start()), "executing");
}

/// G4: nobody approves what they are not shown, whatever policy permits; to refuse needs no look.
#[test]
fn whoever_may_not_see_the_parameters_does_not_approve() {
    let (seeing, blind) = (plain().policy(), Spec { blind: Some(2), ..plain() }.policy());
    let open = || {
        let actor = seeing.people().resolve(as_caller(caller(0, &[0]).actor())).unwrap();
        Trail::open_as(draft("unlisted"), &actor, &seeing, None)
    };
    let mut trail = open();
    assert_eq!(give(&mut trail, &blind, &caller(1, &[2]), &approve()), "not_permitted");
    assert_eq!(give(&mut trail, &blind, &caller(1, &[1, 2]), &approve()), "pending");
    assert_eq!(give(&mut trail, &seeing, &caller(2, &[2]), &approve()), "approved");
    // What they were shown then, they were shown.
    assert_eq!(give(&mut trail, &blind, &caller(0, &[0]), &start()), "executing");
    assert_eq!(give(&mut open(), &blind, &caller(1, &[2]), &reject()), "rejected");
}

/// What policy comes to require of approvals, it requires of those on record.
#[test]
fn an_approval_without_the_digest_does_not_count_once_policy_requires_it() {
    let (lax, strict) = (plain().policy(), Spec { digest_required: true, ..plain() }.policy());
    let actor = lax.people().resolve(as_caller(caller(0, &[0]).actor())).unwrap();
    let mut trail = Trail::open_as(draft("unlisted"), &actor, &lax, None);
    let shown = Command::Approve { comment: None, shown: command::Shown::of(&trail.request) };
    assert_eq!(give(&mut trail, &lax, &caller(1, &[0]), &approve()), "pending");
    assert_eq!(give(&mut trail, &strict, &caller(2, &[0]), &shown), "pending");
    assert_eq!(give(&mut trail, &strict, &caller(3, &[0]), &shown), "approved");
    assert_eq!(give(&mut trail, &strict, &caller(0, &[0]), &start()), "executing");
    let named: Vec<_> = trail.request.decisions.iter().map(|decision| decision.digest_presented).collect();
    assert_eq!(named, [false, true, true]);
}

/// A request of p0's, made under a policy and approved there by p1 as dba and p2 as security, and
/// what a start under another policy comes to.
fn started_under(made: &Spec, later: &Spec) -> (Trail, &'static str) {
    let policy = made.policy();
    let requester = caller(0, &[0]);
    let actor = policy.people().resolve(as_caller(requester.actor())).unwrap();
    let mut trail = Trail::open_as(draft("unlisted"), &actor, &policy, None);
    for approver in [caller(1, &[1]), caller(2, &[2])] {
        trail.clock += 1000;
        give(&mut trail, &policy, &approver, &approve());
    }
    assert_eq!(trail.request.status, Status::Approved);
    let (events, request) = (trail.events.len(), trail.request.clone());
    trail.clock += 1000;
    let found = give(&mut trail, &later.policy(), &requester, &start());
    if found != "executing" {
        assert_eq!((trail.events.len(), &trail.request), (events, &request), "a refusal leaves no trace");
    }
    (trail, found)
}

/// THREATS 30, 31 and 32, and whoever else an approval was needed of.
#[test]
fn a_start_asks_again_whether_the_approvals_are_enough() {
    let made = plain();
    let slots = |slots: &[(usize, usize)]| -> Seats {
        slots.iter().map(|(group, people)| (Set::from([*group]), *people)).collect()
    };
    let mut merged_approvers = plain();
    merged_approvers.entry_of[2] = Some(1);
    let mut merged_with_requester = plain();
    merged_with_requester.entry_of[1] = Some(0);
    let mut only_dba_listed = plain();
    only_dba_listed.entry_of[2] = None;
    for (later, expected) in [
        (plain(), "executing"),
        (Spec { disabled: Set::from([1]), ..plain() }, "approvals_insufficient"),
        (Spec { disabled: Set::from([2]), ..plain() }, "approvals_insufficient"),
        (Spec { disabled: Set::from([3]), ..plain() }, "executing"),
        (Spec { demoted: Some(1), ..plain() }, "approvals_insufficient"),
        (merged_approvers, "approvals_insufficient"),
        (merged_with_requester, "approvals_insufficient"),
        (only_dba_listed.clone(), "executing"),
        (Spec { unlisted_refused: true, ..only_dba_listed }, "approvals_insufficient"),
        (Spec { permitted: Set::from([0, 1]), ..plain() }, "approvals_insufficient"),
        (Spec { forgotten: Some(2), ..plain() }, "approvals_insufficient"),
        (Spec { high: 3, ..plain() }, "approvals_insufficient"),
        (Spec { approvals: 3, ..plain() }, "approvals_insufficient"),
        (Spec { slots: slots(&[(1, 1), (2, 1)]), ..plain() }, "executing"),
        (Spec { slots: slots(&[(1, 2)]), ..plain() }, "approvals_insufficient"),
        (Spec { slots: slots(&[(0, 1)]), ..plain() }, "approvals_insufficient"),
        (Spec { execute_within_seconds: 1, ..plain() }, "expired"),
    ] {
        let (trail, found) = started_under(&made, &later);
        assert_eq!(found, expected, "{later:?}");
        if found == "approvals_insufficient" {
            let policy = later.policy();
            let requester = policy.people().resolve(as_caller(caller(0, &[0]).actor())).unwrap();
            let answer =
                decide::decide(&trail.request, &start(), &requester, &context(9, trail.now()), &policy, None);
            let reasons = answer.unwrap_err().reasons();
            assert!(reasons.iter().any(|reason| reason.starts_with("missing: ")), "{reasons:?}");
        }
    }
}

/// THREATS 32: what was demanded when a request was made is demanded of it for good.
#[test]
fn loosening_a_policy_never_lowers_what_a_request_was_made_under() {
    let made = Spec { high: 3, slots: Seats::from([(Set::from([1]), 2)]), digest_required: true, ..plain() };
    let loose = Spec { pending_seconds: 2_000_000, execute_within_seconds: 2_000_000, ..plain() };
    let (strict_policy, loose_policy) = (made.policy(), loose.policy());
    let actor = strict_policy.people().resolve(as_caller(caller(0, &[0]).actor())).unwrap();
    let mut trail = Trail::open_as(draft("unlisted"), &actor, &strict_policy, None);
    let requirements = loose_policy.requirements_in_force(&trail.request);
    assert_eq!(
        (requirements.approvals_required, requirements.slots.total(), requirements.digest_required),
        (3, 2, true)
    );
    let shown = Command::Approve { comment: None, shown: command::Shown::of(&trail.request) };
    let mut answers = Vec::new();
    for (approver, command) in [
        (caller(1, &[1]), approve()),
        (caller(1, &[1]), shown.clone()),
        // The one seat for anybody, and after it only dba's are open.
        (caller(2, &[2]), shown.clone()),
        (caller(3, &[0, 2]), shown.clone()),
        (caller(3, &[0, 1]), shown),
    ] {
        trail.clock += 1000;
        answers.push(give(&mut trail, &loose_policy, &approver, &command));
    }
    assert_eq!(answers, ["validation_failed", "pending", "pending", "not_permitted", "approved"]);
    // And not past the deadlines that it was made under.
    assert_eq!(trail.request.execute_by, Some(after(trail.clock + 3_600_000)));
    trail.clock += 3_600_000;
    assert_eq!(give(&mut trail, &loose_policy, &caller(0, &[0]), &start()), "expired");
}

/// Policy may ask for more while a request waits and for less again: the approvals on record do not
/// turn it approved by themselves, the next one does.
#[test]
fn a_request_that_needs_less_again_is_approved_by_the_next_approval() {
    let strict = Spec { approvals: 4, ..plain() };
    let mut trail = {
        let policy = plain().policy();
        let actor = policy.people().resolve(as_caller(caller(0, &[0]).actor())).unwrap();
        Trail::open_as(draft("unlisted"), &actor, &policy, None)
    };
    let (strict, plain) = (strict.policy(), plain().policy());
    for address in [1, 2] {
        assert_eq!(give(&mut trail, &strict, &caller(address, &[0]), &approve()), "pending");
    }
    assert_eq!(give(&mut trail, &plain, &caller(0, &[0]), &start()), "not_approved");
    assert_eq!(give(&mut trail, &plain, &caller(2, &[0]), &approve()), "already_decided");
    assert_eq!(give(&mut trail, &plain, &caller(3, &[0]), &approve()), "approved");
    assert_eq!(trail.request.approvals_received(), 3);
    assert_eq!(request_id(), trail.request.id());
}

/// THREATS 5: an address that turns out to be somebody's after the fact.
#[test]
fn an_address_that_is_listed_later_is_that_persons_from_then_on() {
    let before = plain();
    let policy = before.policy();
    let actor = policy.people().resolve(as_caller(caller(0, &[0]).actor())).unwrap();
    let mut trail = Trail::open_as(draft("unlisted"), &actor, &policy, None);
    assert_eq!(give(&mut trail, &policy, &caller(1, &[0]), &approve()), "pending");
    let mut merged = plain();
    // p2 is p1, and p3 is the requester.
    (merged.entry_of[2], merged.entry_of[3]) = (Some(1), Some(0));
    let merged = merged.policy();
    assert_eq!(give(&mut trail, &merged, &caller(2, &[0]), &approve()), "already_decided");
    assert_eq!(give(&mut trail, &merged, &caller(2, &[0]), &reject()), "already_decided");
    assert_eq!(give(&mut trail, &merged, &caller(3, &[0]), &approve()), "self_approval");
    assert_eq!(give(&mut trail, &merged, &caller(3, &[0]), &reject()), "self_approval");
    assert_eq!(give(&mut trail, &merged, &caller(4, &[0]), &approve()), "approved");
    // And for whoever may withdraw it, too.
    assert_eq!(give(&mut trail, &merged, &caller(3, &[0]), &cancel()), "cancelled");
}

/// THREATS 6: whoever answers for an agent does not approve for it, whether its owner was listed
/// when it asked or only later, and whoever answered for it then does not either.
#[test]
fn the_owner_of_an_agent_never_approves_for_it() {
    let owned = |owner| Spec { owner_of_robo: owner, ..plain() };
    for (then, now) in [(Some(1), Some(1)), (None, Some(1)), (Some(1), None), (Some(1), Some(2))] {
        let policy = owned(then).policy();
        let robo = policy.people().resolve(as_caller(caller(ROBO, &[0, AGENT]).actor())).unwrap();
        let mut trail = Trail::open_as(draft("unlisted"), &robo, &policy, None);
        let policy = owned(now).policy();
        for owner in [then, now].into_iter().flatten() {
            for command in [approve(), reject()] {
                let found = give(&mut trail, &policy, &caller(owner, &[0, 1, 2, 3]), &command);
                assert_eq!(found, "self_approval", "{then:?}, now {now:?}: {owner}");
            }
        }
        // Without its group it is an agent only where it is listed as one, and it is its own anyway.
        let itself = if now.is_some() { "agent_cannot_approve" } else { "self_approval" };
        assert_eq!(give(&mut trail, &policy, &caller(ROBO, &[0]), &approve()), itself);
        assert_eq!(give(&mut trail, &policy, &caller(3, &[0]), &approve()), "pending");
        assert_eq!(give(&mut trail, &policy, &caller(4, &[0]), &approve()), "approved");
    }
    // By whichever address, and where the file has forgotten that it was theirs.
    let linked = Spec { entry_of: [Some(0), Some(1), Some(1), None, None, None], ..owned(Some(1)) };
    let policy = linked.policy();
    let robo = policy.people().resolve(as_caller(caller(ROBO, &[0, AGENT]).actor())).unwrap();
    for later in [linked, owned(Some(1)), owned(Some(3)), owned(None)] {
        let mut trail = Trail::open_as(draft("unlisted"), &robo, &policy, None);
        for address in [1, 2] {
            let found = give(&mut trail, &later.policy(), &caller(address, &[0]), &approve());
            assert_eq!(found, "self_approval", "p{address} under {later:?}");
        }
    }
}
