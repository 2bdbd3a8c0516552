//! Whose approvals count, and when they are enough: under the policy of the creation and under every
//! later one, whoever turns out to be whom.
//!
//! The reference in here knows nothing of `People`, `Slots`, `Terms` or `Approvals`. It works on the
//! numbers that a policy is written from, and tries out every way to seat people.

use crate::fixture::{Trail, after, approve, cancel, draft, reject, request_id, stamp, start, word};
use countersign_core::access::{Access, Action, Answer, Question};
use countersign_core::actor::{Actor, Channel, Kind};
use countersign_core::approvals::Approvals;
use countersign_core::command::Command;
use countersign_core::decide;
use countersign_core::digest::Digest;
use countersign_core::people::People;
use countersign_core::person::PersonId;
use countersign_core::policy::Policy;
use countersign_core::request::Status;
use countersign_core::rules::Rules;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

const GROUPS: [&str; 5] = ["approver", "dba", "security", "finance", "agent"];
/// Into [`GROUPS`].
const AGENT: usize = 4;
/// Addresses of people who may or may not be the same human.
const PEOPLE: usize = 6;
/// The address of a program.
const ROBO: usize = 6;
/// The service `ci`.
const CI: usize = 7;

type Set = BTreeSet<usize>;
/// For each set of groups, how many people.
type Seats = BTreeMap<Set, usize>;

fn id(address: usize) -> PersonId {
    match address {
        ROBO => PersonId::from_email("robo@example.com").unwrap(),
        CI => PersonId::service("ci").unwrap(),
        person => PersonId::from_email(&format!("p{person}@example.com")).unwrap(),
    }
}

fn names(groups: &Set) -> Vec<&'static str> {
    groups.iter().map(|group| GROUPS[*group]).collect()
}

/// A policy as numbers.
#[derive(Debug, Clone)]
struct Spec {
    high: usize,
    approvals: usize,
    slots: Seats,
    digest_required: bool,
    pending_seconds: i64,
    execute_within_seconds: i64,
    /// Who may approve.
    permitted: Set,
    /// A group that this policy does not know.
    forgotten: Option<usize>,
    /// For each human's address, which entry it belongs to; none if it is not listed.
    entry_of: [Option<usize>; PEOPLE],
    disabled: Set,
    /// A human's address that is listed as an agent.
    demoted: Option<usize>,
    owner_of_robo: Option<usize>,
    owner_of_ci: Option<usize>,
    owner_required: bool,
    unlisted_refused: bool,
}

impl Spec {
    fn knows(&self, group: usize) -> bool {
        self.forgotten != Some(group)
    }

    /// The entry an address is listed under; agents and services have their own.
    fn entry(&self, address: usize) -> Option<usize> {
        match address {
            ROBO => self.owner_of_robo.map(|_| 10 + ROBO),
            CI => self.owner_of_ci.map(|_| 10 + CI),
            person if self.demoted == Some(person) => Some(10 + person),
            person => self.entry_of[person],
        }
    }

    /// The lowest address of the same human.
    fn human(&self, address: usize) -> usize {
        match self.entry(address) {
            None => address,
            entry => (0..=CI).find(|other| self.entry(*other) == entry).unwrap(),
        }
    }

    /// The address that an entry goes by, which is what is written down: the highest.
    fn main(&self, address: usize) -> usize {
        match self.entry(address) {
            None => address,
            entry => (0..=CI).rfind(|other| self.entry(*other) == entry).unwrap(),
        }
    }

    fn owner(&self, address: usize) -> Option<usize> {
        match address {
            ROBO => self.owner_of_robo,
            CI => self.owner_of_ci,
            // Whoever is listed as an agent needs an owner; robo would be none, so somebody else.
            person if self.demoted == Some(person) => Some(self.owner_of_demoted()),
            _ => None,
        }
        .map(|owner| self.human(owner))
    }

    fn owner_of_demoted(&self) -> usize {
        (0..PEOPLE).find(|person| self.demoted != Some(*person)).unwrap()
    }

    fn is_disabled(&self, address: usize) -> bool {
        self.entry(address).is_some_and(|entry| self.disabled.contains(&entry))
    }

    fn is_listed_machine(&self, address: usize) -> bool {
        self.entry(address).is_some_and(|entry| entry >= 10)
    }

    fn policy(&self) -> Policy {
        let known: Vec<_> = (0..GROUPS.len()).filter(|group| self.knows(*group)).collect();
        let groups: Vec<_> = known.iter().map(|group| GROUPS[*group]).collect();
        let mut text = format!(
            "groups = {groups:?}\nowner_required = {}\nunlisted_refused = {}\n",
            self.owner_required, self.unlisted_refused
        );
        for entry in 0..PEOPLE {
            let mut addresses = (0..PEOPLE).filter(|person| self.entry(*person) == Some(entry));
            // The main address is the highest, where the reference takes the lowest.
            let Some(main) = addresses.next_back() else { continue };
            let others: Vec<_> = addresses.map(|person| id(person).to_string()).collect();
            writeln!(text, "[people.\"{}\"]\naddresses = {others:?}", id(main)).unwrap();
            writeln!(text, "disabled = {}", self.disabled.contains(&entry)).unwrap();
        }
        let mut machine = |table: &str, name: &str, address: usize, owner: usize| {
            let disabled = self.is_disabled(address);
            writeln!(text, "[{table}.\"{name}\"]\nowner = \"{}\"\ndisabled = {disabled}", id(owner)).unwrap();
        };
        if let Some(person) = self.demoted {
            machine("agents", id(person).as_str(), person, self.owner_of_demoted());
        }
        if let Some(owner) = self.owner_of_robo {
            machine("agents", id(ROBO).as_str(), ROBO, owner);
        }
        if let Some(owner) = self.owner_of_ci {
            machine("services", "ci", CI, owner);
        }
        let people = People::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let slots: Vec<_> = self
            .slots
            .iter()
            .map(|(groups, people)| format!("\"{}\" = {people}", names(groups).join("|")))
            .collect();
        let rules = format!(
            "[defaults]\npending_seconds = {}\nexecute_within_seconds = {}\n\
             [approvals]\nlow = 0\nmedium = 1\nhigh = {}\n[environments]\n\
             [rules.r]\napprovals = {}\nslots = {{ {} }}\ndigest_required = {}\n",
            self.pending_seconds,
            self.execute_within_seconds,
            self.high,
            self.approvals,
            slots.join(", "),
            self.digest_required,
        );
        let rules = Rules::parse(&rules, people.groups()).unwrap_or_else(|error| panic!("{error}\n{rules}"));
        let access = Groupwise {
            permitted: names(&self.permitted).into_iter().map(str::to_owned).collect(),
            known: people.groups().clone(),
        };
        let version = Digest::of(format!("{text}{rules:?}{access:?}"));
        Policy::new(version, rules, people, Arc::new(access))
    }
}

/// Whoever is in a group sees everything, and in some groups approves; the rest is for one's own.
#[derive(Debug)]
struct Groupwise {
    permitted: BTreeSet<String>,
    known: BTreeSet<String>,
}

impl Access for Groupwise {
    fn answer(&self, question: &Question<'_>) -> Answer {
        let groups = &question.actor.groups;
        let permitted = match question.action {
            Action::Approve | Action::Reject => {
                groups.iter().any(|group| self.permitted.contains(group) && self.known.contains(group))
            }
            Action::View | Action::Comment => {
                question.is_own || groups.iter().any(|group| self.known.contains(group))
            }
            Action::Create
            | Action::ViewParameters
            | Action::Audit
            | Action::Cancel
            | Action::Execute
            | Action::Administer
            | Action::List => question.is_own,
        };
        if permitted { Answer::Permitted } else { Answer::Denied(vec!["no".to_owned()]) }
    }
}

/// Somebody at the door.
#[derive(Debug, Clone)]
struct Caller {
    address: usize,
    groups: Set,
}

impl Caller {
    fn actor(&self) -> Actor {
        let kind = if self.address == CI { Kind::Service } else { Kind::Human };
        Actor::new(id(self.address), kind, Channel::Api, names(&self.groups))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Approve,
    Reject,
    Cancel,
    Start,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Nothing,
    Right,
    Wrong,
}

#[derive(Debug, Clone)]
struct Step {
    /// `None` is the requester.
    caller: Option<Caller>,
    verb: Verb,
    shown: Shown,
    wait_seconds: i64,
    /// Which policy is in force from here on.
    policy: Option<usize>,
}

#[derive(Debug, Clone)]
struct World {
    policies: Vec<Spec>,
    requester: Caller,
    filer: Option<usize>,
    steps: Vec<Step>,
}

fn any_groups() -> impl Strategy<Value = Set> {
    let group = prop_oneof![
        5 => Just(0usize), 4 => Just(1usize), 4 => Just(2usize), 2 => Just(3usize),
    ];
    let groups = prop::collection::btree_set(group, 1..4);
    (groups, prop::bool::weighted(0.03), prop::bool::weighted(0.03)).prop_map(|(mut groups, agent, none)| {
        if agent {
            groups.insert(AGENT);
        }
        if none {
            groups.clear();
        }
        groups
    })
}

fn any_spec() -> impl Strategy<Value = Spec> {
    let demands = (
        2..4usize,
        0..5usize,
        prop::collection::btree_map(prop::collection::btree_set(0..4usize, 1..3), 1..3usize, 0..3),
        prop::bool::weighted(0.3),
    );
    let times =
        (prop::sample::select(&[60i64, 3600, 3600][..]), prop::sample::select(&[60i64, 3600, 3600][..]));
    let access = (prop::collection::btree_set(0..4usize, 2..5), prop::option::weighted(0.15, 0..4usize));
    let entry = prop::option::weighted(0.7, 0..PEOPLE);
    let people = (
        prop::array::uniform6(entry),
        prop::collection::btree_set(prop_oneof![8 => 0..PEOPLE, 1 => Just(10 + ROBO)], 0..2),
        prop::option::weighted(0.1, 0..PEOPLE),
        prop::option::weighted(0.7, 0..PEOPLE),
        prop::option::weighted(0.7, 0..PEOPLE),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
    );
    (demands, times, access, people).prop_map(|(demands, times, access, people)| {
        let (high, approvals, mut slots, digest_required) = demands;
        let (permitted, forgotten) = access;
        let (entry_of, disabled, demoted, mut owner_of_robo, mut owner_of_ci, owner_required, unlisted) =
            people;
        slots.retain(|groups, _| forgotten.is_none_or(|group| !groups.contains(&group)));
        // An owner is a human.
        for owner in [&mut owner_of_robo, &mut owner_of_ci] {
            if *owner == demoted {
                *owner = None;
            }
        }
        Spec {
            high,
            approvals,
            slots,
            digest_required,
            pending_seconds: times.0,
            execute_within_seconds: times.1,
            permitted,
            forgotten,
            entry_of,
            disabled,
            demoted,
            owner_of_robo,
            owner_of_ci,
            owner_required,
            unlisted_refused: unlisted,
        }
    })
}

/// A later policy: mostly the first one with a few things changed, as policies change.
fn any_later(first: Spec) -> impl Strategy<Value = Spec> {
    (any_spec(), prop::array::uniform6(prop::bool::weighted(0.3))).prop_map(move |(other, change)| {
        let mut spec = first.clone();
        let [demands, times, access, merge, disable, rest] = change;
        if demands {
            (spec.high, spec.approvals, spec.digest_required) =
                (other.high, other.approvals, other.digest_required);
            spec.slots = other.slots.clone();
        }
        if times {
            (spec.pending_seconds, spec.execute_within_seconds) =
                (other.pending_seconds, other.execute_within_seconds);
        }
        if access {
            (spec.permitted, spec.forgotten) = (other.permitted.clone(), other.forgotten);
        }
        if merge {
            spec.entry_of = other.entry_of;
        }
        if disable {
            spec.disabled = other.disabled.clone();
        }
        if rest {
            return other;
        }
        let forgotten = spec.forgotten;
        spec.slots.retain(|groups, _| forgotten.is_none_or(|group| !groups.contains(&group)));
        spec
    })
}

fn any_step(policies: usize) -> impl Strategy<Value = Step> {
    let address = prop_oneof![12 => 0..PEOPLE, 1 => Just(ROBO), 1 => Just(CI)];
    let caller = (address, any_groups()).prop_map(|(address, groups)| Caller { address, groups });
    let verb = prop_oneof![
        16 => Just(Verb::Approve), 1 => Just(Verb::Reject), 1 => Just(Verb::Cancel), 6 => Just(Verb::Start),
    ];
    let shown = prop_oneof![2 => Just(Shown::Nothing), 5 => Just(Shown::Right), 1 => Just(Shown::Wrong)];
    let wait = prop_oneof![12 => Just(1i64), 1 => 30..70i64, 1 => Just(0i64)];
    let change = prop::option::weighted(0.25, 0..policies);
    (prop::option::weighted(0.85, caller), verb, shown, wait, change).prop_map(
        |(caller, verb, shown, wait_seconds, policy)| {
            // Others start in vain; mostly it is the requester who tries.
            let caller = if verb == Verb::Start && wait_seconds == 1 { None } else { caller };
            Step { caller, verb, shown, wait_seconds, policy }
        },
    )
}

fn any_world() -> impl Strategy<Value = World> {
    let policies = any_spec().prop_flat_map(|first| {
        prop::collection::vec(any_later(first.clone()), 1..4)
            .prop_map(move |later| std::iter::once(first.clone()).chain(later).collect::<Vec<_>>())
    });
    policies.prop_flat_map(|policies| {
        let address = prop_oneof![6 => 0..PEOPLE, 2 => Just(ROBO), 1 => Just(CI)];
        let requester = (address, any_groups()).prop_map(|(address, groups)| Caller { address, groups });
        let filer = prop::option::weighted(0.2, prop_oneof![2 => 0..PEOPLE, 1 => Just(ROBO), 1 => Just(CI)]);
        let steps = prop::collection::vec(any_step(policies.len()), 0..24);
        (Just(policies), requester, filer, steps).prop_map(|(policies, requester, filer, steps)| World {
            policies,
            requester,
            filer,
            steps,
        })
    })
}

/// A vote as the reference remembers it.
#[derive(Debug, Clone)]
struct Vote {
    address: usize,
    groups: Set,
    approves: bool,
}

/// What the reference knows of the request.
#[derive(Debug, Clone)]
struct Reference {
    requester: usize,
    filer: Option<usize>,
    owner: Option<usize>,
    approvals: usize,
    slots: Seats,
    digest_required: bool,
    pending_seconds: i64,
    execute_within_seconds: i64,
    votes: Vec<Vote>,
    status: &'static str,
    approved_at: i64,
    execute_by: i64,
}

/// Every seat: a set of groups, or none for anybody.
fn seats(slots: &Seats, approvals: usize) -> Vec<Option<Set>> {
    let mut seats: Vec<_> = slots
        .iter()
        .flat_map(|(groups, people)| std::iter::repeat_n(Some(groups.clone()), *people))
        .collect();
    while seats.len() < approvals {
        seats.push(None);
    }
    seats
}

/// Whether each seat can be given to somebody else, by trying each person on each seat.
fn all_seated(seats: &[Option<Set>], people: &[Set]) -> bool {
    let Some((seat, others)) = seats.split_first() else { return true };
    (0..people.len()).any(|place| {
        let fits = seat.as_ref().is_none_or(|groups| !groups.is_disjoint(&people[place]));
        let mut rest = people.to_vec();
        rest.remove(place);
        fits && all_seated(others, &rest)
    })
}

/// How many seats can be taken at most.
fn most_seated(seats: &[Option<Set>], people: &[Set]) -> usize {
    let Some((seat, others)) = seats.split_first() else { return 0 };
    let left_empty = most_seated(others, people);
    let taken = (0..people.len())
        .filter(|place| seat.as_ref().is_none_or(|groups| !groups.is_disjoint(&people[*place])));
    let best = taken.map(|place| {
        let mut rest = people.to_vec();
        rest.remove(place);
        1 + most_seated(others, &rest)
    });
    best.max().unwrap_or(0).max(left_empty)
}

impl Reference {
    fn is_own(&self, spec: &Spec, address: usize) -> bool {
        let me = spec.human(address);
        let makers = [Some(self.requester), self.filer];
        makers.iter().flatten().any(|maker| spec.human(*maker) == me || spec.owner(*maker) == Some(me))
            || self.owner.is_some_and(|owner| spec.human(owner) == me)
    }

    /// Whether somebody's approval with these groups counts under a policy.
    fn is_eligible(&self, spec: &Spec, vote: &Vote) -> bool {
        vote.approves
            && !spec.is_disabled(vote.address)
            && !spec.is_listed_machine(vote.address)
            && !(spec.unlisted_refused && spec.entry(vote.address).is_none())
            && !self.is_own(spec, vote.address)
            && vote.groups.iter().any(|group| spec.permitted.contains(group) && spec.knows(*group))
    }

    /// The groups of each human who counts, by the first of their votes that does.
    fn counting(&self, spec: &Spec) -> BTreeMap<usize, Set> {
        let mut humans = BTreeMap::new();
        for vote in self.votes.iter().filter(|vote| self.is_eligible(spec, vote)) {
            humans.entry(spec.human(vote.address)).or_insert_with(|| vote.groups.clone());
        }
        humans
    }

    /// What one policy demands by itself.
    fn demanded(spec: &Spec) -> Vec<Option<Set>> {
        seats(&spec.slots, spec.high.max(spec.approvals))
    }

    fn pinned(&self) -> Vec<Option<Set>> {
        seats(&self.slots, self.approvals)
    }

    /// What the creation and the policy of now demand together.
    fn in_force(&self, spec: &Spec) -> Vec<Option<Set>> {
        let mut slots = self.slots.clone();
        for (groups, people) in &spec.slots {
            let entry = slots.entry(groups.clone()).or_default();
            *entry = (*people).max(*entry);
        }
        seats(&slots, self.pinned().len().max(Self::demanded(spec).len()))
    }

    fn status(&self, spec: &Spec, now: i64) -> &'static str {
        let pending = self.pending_seconds.min(spec.pending_seconds);
        let executing = self.execute_within_seconds.min(spec.execute_within_seconds);
        let execute_by = self.execute_by.min(self.approved_at + executing * 1000);
        match self.status {
            "pending" if now >= pending * 1000 => "expired",
            "approved" if now >= execute_by => "expired",
            status => status,
        }
    }

    fn is_refused_at_the_door(spec: &Spec, caller: &Caller) -> bool {
        let entry = spec.entry(caller.address);
        let is_machine =
            caller.address == CI || caller.groups.contains(&AGENT) || spec.is_listed_machine(caller.address);
        let owner = spec.owner(caller.address);
        entry.is_none() && spec.unlisted_refused
            || spec.is_disabled(caller.address)
            || is_machine && owner.is_none() && spec.owner_required
            || owner.is_some_and(|owner| spec.is_disabled(owner))
    }

    /// What a step comes to, and what is remembered of it.
    fn answer(&mut self, spec: &Spec, caller: &Caller, verb: Verb, shown: Shown, now: i64) -> &'static str {
        if Self::is_refused_at_the_door(spec, caller) {
            return "door";
        }
        let groups: Set = caller.groups.iter().copied().filter(|group| spec.knows(*group)).collect();
        let own = self.is_own(spec, caller.address);
        if !own && groups.is_empty() {
            return "not_found";
        }
        let is_machine =
            caller.address == CI || caller.groups.contains(&AGENT) || spec.is_listed_machine(caller.address);
        let is_requester = spec.human(self.requester) == spec.human(caller.address);
        match verb {
            Verb::Approve | Verb::Reject => {
                if is_machine {
                    return "agent_cannot_approve";
                }
                if own {
                    return "self_approval";
                }
                if groups.is_disjoint(&spec.permitted) {
                    return "not_permitted";
                }
            }
            Verb::Cancel | Verb::Start if !is_requester => return "not_permitted",
            Verb::Cancel | Verb::Start => {}
        }
        let status = self.status(spec, now);
        let seats = self.in_force(spec);
        match (verb, status) {
            (_, "expired") => "expired",
            (Verb::Cancel, "pending" | "approved") => {
                self.status = "cancelled";
                "cancelled"
            }
            (Verb::Cancel, _) => "not_pending",
            (Verb::Start, "approved") => {
                let people: Vec<_> = self.counting(spec).into_values().collect();
                if !all_seated(&seats, &people) {
                    return "approvals_insufficient";
                }
                if shown == Shown::Wrong {
                    return "digest_mismatch";
                }
                self.status = "executing";
                "executing"
            }
            (Verb::Start, _) => "not_approved",
            (Verb::Approve | Verb::Reject, "pending") => {
                let me = spec.human(caller.address);
                if self.votes.iter().any(|vote| spec.human(vote.address) == me) {
                    return "already_decided";
                }
                if verb == Verb::Reject {
                    self.votes.push(Vote { address: spec.main(me), groups: Set::new(), approves: false });
                    self.status = "rejected";
                    return "rejected";
                }
                let mut people: Vec<_> = self.counting(spec).into_values().collect();
                let before = most_seated(&seats, &people);
                people.push(groups.clone());
                if before < seats.len() && most_seated(&seats, &people) == before {
                    return "not_permitted";
                }
                if shown == Shown::Wrong {
                    return "digest_mismatch";
                }
                if shown == Shown::Nothing && (self.digest_required || spec.digest_required) {
                    return "validation_failed";
                }
                self.votes.push(Vote { address: spec.main(me), groups, approves: true });
                if all_seated(&seats, &people) {
                    let within = self.execute_within_seconds.min(spec.execute_within_seconds);
                    (self.status, self.approved_at) = ("approved", now);
                    self.execute_by = now + within * 1000;
                }
                self.status
            }
            (Verb::Approve | Verb::Reject, _) => "not_pending",
        }
    }
}

/// The request of a world, and the reference's idea of it; none if its requester may not ask.
fn open(world: &World) -> Option<(Trail, Reference)> {
    let spec = &world.policies[0];
    if Reference::is_refused_at_the_door(spec, &world.requester) {
        assert!(spec.policy().people().identify(world.requester.actor()).is_err());
        return None;
    }
    let policy = spec.policy();
    let mut actor = world.requester.actor();
    actor.filed_by = world.filer.map(id);
    let actor = policy.people().identify(actor).unwrap();
    let trail = Trail::open_as(draft("unlisted"), &actor, &policy, None);
    let reference = Reference {
        requester: spec.main(world.requester.address),
        filer: world.filer,
        owner: spec.owner(world.requester.address).map(|owner| spec.main(owner)),
        approvals: Reference::demanded(spec).len(),
        slots: spec.slots.clone(),
        digest_required: spec.digest_required,
        pending_seconds: spec.pending_seconds,
        execute_within_seconds: spec.execute_within_seconds,
        votes: Vec::new(),
        status: "pending",
        approved_at: 0,
        execute_by: i64::MAX,
    };
    Some((trail, reference))
}

fn command(step: &Step, trail: &Trail) -> Command {
    let digest = trail.request.parameters_digest.to_string();
    let parameters_digest = match step.shown {
        Shown::Nothing => None,
        Shown::Right => Some(digest),
        Shown::Wrong => Some(digest.to_uppercase()),
    };
    match step.verb {
        Verb::Approve => Command::Approve { comment: None, parameters_digest },
        Verb::Reject => reject(),
        Verb::Cancel => cancel(),
        Verb::Start => Command::Start { parameters_digest },
    }
}

fn give(trail: &mut Trail, policy: &Policy, caller: &Caller, command: &Command) -> &'static str {
    match policy.people().identify(caller.actor()) {
        Err(_) => "door",
        Ok(actor) => word(&trail.give_under(policy, &actor, command, None)),
    }
}

/// The number of an address that is on record.
fn number(person: &PersonId) -> usize {
    (0..=CI).find(|address| id(*address) == *person).unwrap()
}

/// What must hold of whoever's approvals count under a policy.
fn check_counted(trail: &Trail, reference: &Reference, spec: &Spec, policy: &Policy) -> Vec<Set> {
    let approvals = Approvals::of(&trail.request, policy);
    let mut humans = BTreeSet::new();
    let mut people = Vec::new();
    for decision in &approvals.counting {
        let address = number(&decision.person);
        assert!(humans.insert(spec.human(address)), "one human counts twice");
        assert!(!spec.is_disabled(address), "somebody disabled counts");
        assert!(!spec.is_listed_machine(address), "a machine counts");
        assert_ne!(spec.human(address), spec.human(reference.requester), "the requester counts");
        for involved in [reference.filer, reference.owner].into_iter().flatten() {
            assert_ne!(spec.human(address), spec.human(involved), "the filer or the owner counts");
        }
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
            let address = id(caller.address);
            let is_theirs = |person: &PersonId| policy.people().is_same(person, &address);
            let has_decided = trail.request.decisions.iter().any(|decision| is_theirs(&decision.person));
            let mut promoted = caller.clone();
            if has_decided {
                promoted.groups.extend(&more);
            }
            let command = command(step, &trail);
            let found = give(&mut trail, policy, caller, &command);
            let with_more = give(&mut other, policy, &promoted, &command);
            if !has_decided {
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
    for answer in [
        "door",
        "not_found",
        "agent_cannot_approve",
        "self_approval",
        "not_permitted",
        "expired",
        "not_pending",
        "not_approved",
        "already_decided",
        "approvals_insufficient",
        "digest_mismatch",
        "validation_failed",
        "pending",
        "approved",
        "executing",
        "rejected",
        "cancelled",
    ] {
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
        forgotten: None,
        entry_of: [Some(0), Some(1), Some(2), Some(3), Some(4), None],
        disabled: Set::new(),
        demoted: None,
        owner_of_robo: None,
        owner_of_ci: None,
        owner_required: false,
        unlisted_refused: false,
    }
}

fn caller(address: usize, groups: &[usize]) -> Caller {
    Caller { address, groups: groups.iter().copied().collect() }
}

/// A request of p0's, made under a policy and approved there by p1 as dba and p2 as security, and
/// what a start under another policy comes to.
fn started_under(made: &Spec, later: &Spec) -> (Trail, &'static str) {
    let policy = made.policy();
    let requester = caller(0, &[0]);
    let actor = policy.people().identify(requester.actor()).unwrap();
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
            let requester = policy.people().identify(caller(0, &[0]).actor()).unwrap();
            let answer =
                decide::decide(&trail.request, &start(), &requester, &stamp(9, trail.now()), &policy, None);
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
    let actor = strict_policy.people().identify(caller(0, &[0]).actor()).unwrap();
    let mut trail = Trail::open_as(draft("unlisted"), &actor, &strict_policy, None);
    let terms = loose_policy.terms_in_force(&trail.request);
    assert_eq!((terms.approvals_required, terms.slots.total(), terms.digest_required), (3, 2, true));
    let shown = Command::Approve {
        comment: None,
        parameters_digest: Some(trail.request.parameters_digest.to_string()),
    };
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
        let actor = policy.people().identify(caller(0, &[0]).actor()).unwrap();
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
    assert_eq!(request_id(), trail.request.id);
}

/// THREATS 5: an address that turns out to be somebody's after the fact.
#[test]
fn an_address_that_is_listed_later_is_that_persons_from_then_on() {
    let before = plain();
    let policy = before.policy();
    let actor = policy.people().identify(caller(0, &[0]).actor()).unwrap();
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
        let robo = policy.people().identify(caller(ROBO, &[0, AGENT]).actor()).unwrap();
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
}
