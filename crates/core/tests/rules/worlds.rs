//! Policies written from numbers, people who may or may not be the same human, and what they do:
//! chance's worlds for `approval_policy.rs`.

use crate::fixture::after;
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::digest::Digest;
use countersign_core::person::PersonId;
use countersign_core::policy::Policy;
use countersign_core::policy::access::{AccessDecision, AccessRequest, Action, Authorizer};
use countersign_core::policy::people::People;
use countersign_core::policy::rules::Rules;
use countersign_core::principal::Principal;
use countersign_core::risk::Environment;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

pub(crate) const GROUPS: [&str; 5] = ["approver", "dba", "security", "finance", "agent"];
/// Into [`GROUPS`].
pub(crate) const AGENT: usize = 4;
/// Addresses of people who may or may not be the same human.
pub(crate) const PEOPLE: usize = 6;
/// The address of a program.
pub(crate) const ROBO: usize = 6;
/// The service `ci`.
pub(crate) const CI: usize = 7;

pub(crate) type Set = BTreeSet<usize>;
/// For each set of groups, how many people.
pub(crate) type Seats = BTreeMap<Set, usize>;

pub(crate) fn id(address: usize) -> PersonId {
    match address {
        ROBO => PersonId::from_email("robo@example.com").unwrap(),
        CI => PersonId::service("ci").unwrap(),
        person => PersonId::from_email(&format!("p{person}@example.com")).unwrap(),
    }
}

pub(crate) fn names(groups: &Set) -> Vec<&'static str> {
    groups.iter().map(|group| GROUPS[*group]).collect()
}

/// A policy as numbers.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) high: usize,
    pub(crate) approvals: usize,
    pub(crate) slots: Seats,
    pub(crate) digest_required: bool,
    pub(crate) pending_seconds: i64,
    pub(crate) execute_within_seconds: i64,
    /// Who may approve.
    pub(crate) permitted: Set,
    /// Who may approve as well, but outside of production only.
    pub(crate) juniors: Option<usize>,
    /// A member of no other group is not shown what is to be run.
    pub(crate) blind: Option<usize>,
    /// Whether the instance is listed as one outside of production.
    pub(crate) non_production: bool,
    /// A group that this policy does not know.
    pub(crate) forgotten: Option<usize>,
    /// For each human's address, which entry it belongs to; none if it is not listed.
    pub(crate) entry_of: [Option<usize>; PEOPLE],
    /// For each human's address, the entry that it belonged to once.
    pub(crate) retired_by: [Option<usize>; PEOPLE],
    pub(crate) disabled: Set,
    /// A human's address that is listed as an agent.
    pub(crate) demoted: Option<usize>,
    pub(crate) owner_of_robo: Option<usize>,
    pub(crate) owner_of_ci: Option<usize>,
    pub(crate) owner_required: bool,
    pub(crate) unlisted_refused: bool,
    /// The second at which the store was restored from a backup.
    pub(crate) restored_at: Option<i64>,
}

impl Spec {
    pub(crate) fn knows(&self, group: usize) -> bool {
        self.forgotten != Some(group)
    }

    /// The entry an address is listed under; agents and services have their own.
    pub(crate) fn entry(&self, address: usize) -> Option<usize> {
        match address {
            ROBO => self.owner_of_robo.map(|_| 10 + ROBO),
            CI => self.owner_of_ci.map(|_| 10 + CI),
            person if self.demoted == Some(person) => Some(10 + person),
            person => self.entry_of[person],
        }
    }

    /// The lowest address of the same human.
    pub(crate) fn human(&self, address: usize) -> usize {
        match self.entry(address) {
            None => address,
            entry => (0..=CI).find(|other| self.entry(*other) == entry).unwrap(),
        }
    }

    /// The address that an entry goes by, which is what is written down: the highest.
    pub(crate) fn main(&self, address: usize) -> usize {
        match self.entry(address) {
            None => address,
            entry => (0..=CI).rfind(|other| self.entry(*other) == entry).unwrap(),
        }
    }

    /// The entry that an address belonged to once.
    pub(crate) fn retired(&self, address: usize) -> Option<usize> {
        self.retired_by.get(address).copied().flatten()
    }

    /// Who has an address: an entry, or the address itself.
    pub(crate) fn holder(&self, address: usize) -> usize {
        self.entry(address).map_or(address, |entry| 100 + entry)
    }

    /// Who made what was made under an address.
    pub(crate) fn maker(&self, address: usize) -> usize {
        self.retired(address).map_or_else(|| self.holder(address), |entry| 100 + entry)
    }

    /// All addresses that are, or were, one holder's.
    pub(crate) fn of_holder(&self, holder: usize) -> Set {
        let theirs = |address: &usize| {
            self.holder(*address) == holder
                || self.retired(*address).is_some_and(|entry| 100 + entry == holder)
        };
        (0..=CI).filter(theirs).collect()
    }

    /// All addresses that are, or were, those of the person with this one.
    pub(crate) fn addresses(&self, address: usize) -> Set {
        self.of_holder(self.holder(address))
    }

    pub(crate) fn is_disabled_holder(&self, holder: usize) -> bool {
        holder >= 100 && self.disabled.contains(&(holder - 100))
    }

    /// Leaves out what a file may not say of retired addresses.
    fn settle_retired(&mut self) {
        for address in 0..PEOPLE {
            let Some(former) = self.retired_by[address] else { continue };
            let is_known_by_it = self.entry(address).is_some() && self.main(address) == address;
            let owners =
                [self.owner_of_robo, self.owner_of_ci, self.demoted.map(|_| self.owner_of_demoted())];
            let has_entry = (0..PEOPLE).any(|other| self.entry(other) == Some(former));
            if !has_entry
                || is_known_by_it
                || self.entry(address) == Some(former)
                || owners.contains(&Some(address))
            {
                self.retired_by[address] = None;
            }
        }
    }

    pub(crate) fn owner(&self, address: usize) -> Option<usize> {
        match address {
            ROBO => self.owner_of_robo,
            CI => self.owner_of_ci,
            // An entry that is listed as an agent needs an owner; robo would be none, so another person.
            person if self.demoted == Some(person) => Some(self.owner_of_demoted()),
            _ => None,
        }
        .map(|owner| self.human(owner))
    }

    pub(crate) fn owner_of_demoted(&self) -> usize {
        (0..PEOPLE).find(|person| self.demoted != Some(*person)).unwrap()
    }

    pub(crate) fn is_disabled(&self, address: usize) -> bool {
        self.entry(address).is_some_and(|entry| self.disabled.contains(&entry))
    }

    pub(crate) fn is_listed_machine(&self, address: usize) -> bool {
        self.entry(address).is_some_and(|entry| entry >= 10)
    }

    pub(crate) fn policy(&self) -> Policy {
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
            let retired = (0..PEOPLE).filter(|person| self.retired(*person) == Some(entry));
            let retired: Vec<_> = retired.map(|person| id(person).to_string()).collect();
            writeln!(text, "retired = {retired:?}").unwrap();
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
        let restored = self.restored_at.map(|second| {
            let at = after(second * 1000);
            format!("restored_at = \"{at}\"\n")
        });
        let rules = format!(
            "{}[defaults]\npending_seconds = {}\nexecute_within_seconds = {}\n\
             [approvals]\nlow = 0\nmedium = 1\nhigh = {}\n\
             [environments]\nnon_production_instances = {:?}\n\
             [rules.r]\napprovals = {}\nslots = {{ {} }}\ndigest_required = {}\n",
            restored.unwrap_or_default(),
            self.pending_seconds,
            self.execute_within_seconds,
            self.high,
            if self.non_production { &["orders-db"][..] } else { &[] },
            self.approvals,
            slots.join(", "),
            self.digest_required,
        );
        let rules = Rules::parse(&rules, people.groups()).unwrap_or_else(|error| panic!("{error}\n{rules}"));
        let access = Groupwise {
            permitted: names(&self.permitted).into_iter().map(str::to_owned).collect(),
            juniors: self.juniors.map(|group| GROUPS[group].to_owned()),
            blind: self.blind.map(|group| GROUPS[group].to_owned()),
            known: people.groups().clone(),
        };
        let version = Digest::of(format!("{text}{rules:?}{access:?}"));
        Policy::new(version, rules, people, Arc::new(access))
    }
}

/// A member of any group sees everything, and in some groups approves; the rest is for one's own.
#[derive(Debug)]
pub(crate) struct Groupwise {
    pub(crate) permitted: BTreeSet<String>,
    pub(crate) juniors: Option<String>,
    pub(crate) blind: Option<String>,
    pub(crate) known: BTreeSet<String>,
}

impl Authorizer for Groupwise {
    fn answer(&self, question: &AccessRequest<'_>) -> AccessDecision {
        let mut groups = question.actor.groups.iter().filter(|group| self.known.contains(*group));
        let in_production =
            question.subject.is_none_or(|subject| subject.environment == Environment::Production);
        let permitted = match question.action {
            Action::Approve | Action::Reject => groups.any(|group| {
                self.permitted.contains(group) || !in_production && self.juniors.as_ref() == Some(group)
            }),
            Action::View | Action::Comment => question.is_own || groups.next().is_some(),
            Action::ViewParameters => {
                question.is_own || groups.any(|group| self.blind.as_ref() != Some(group))
            }
            Action::Create
            | Action::Audit
            | Action::Cancel
            | Action::Execute
            | Action::Claim
            | Action::Administer
            | Action::List
            | Action::QueryAudit
            | Action::ManageWebhooks => question.is_own,
        };
        if permitted { AccessDecision::Permitted } else { AccessDecision::Denied(vec!["no".to_owned()]) }
    }
}

/// A caller.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) address: usize,
    pub(crate) groups: Set,
}

impl Caller {
    pub(crate) fn actor(&self) -> Principal {
        let kind = if self.address == CI { PrincipalKind::Service } else { PrincipalKind::Human };
        Principal::assumed(id(self.address), kind, Channel::Api, names(&self.groups))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Approve,
    Reject,
    Withdraw,
    Cancel,
    Start,
    /// By the sweep.
    Expire,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Nothing,
    Right,
    Wrong,
    /// The digest of the parameters, which says nothing of what they are for.
    Parameters,
}

#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// `None` is the requester.
    pub(crate) caller: Option<Caller>,
    pub(crate) verb: Verb,
    pub(crate) shown: Shown,
    pub(crate) wait_seconds: i64,
    /// Which policy is in force from here on.
    pub(crate) policy: Option<usize>,
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) policies: Vec<Spec>,
    pub(crate) requester: Caller,
    pub(crate) filer: Option<usize>,
    pub(crate) steps: Vec<Step>,
}

pub(crate) fn any_groups() -> impl Strategy<Value = Set> {
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

pub(crate) fn any_spec() -> impl Strategy<Value = Spec> {
    let demands = (
        2..4usize,
        0..5usize,
        prop::collection::btree_map(prop::collection::btree_set(0..4usize, 1..3), 1..3usize, 0..3),
        prop::bool::weighted(0.3),
    );
    let times =
        (prop::sample::select(&[60i64, 3600, 3600][..]), prop::sample::select(&[60i64, 3600, 3600][..]));
    let access = (
        prop::collection::btree_set(0..4usize, 2..5),
        prop::option::weighted(0.15, 0..4usize),
        prop::option::weighted(0.3, 0..4usize),
        prop::option::weighted(0.2, 0..4usize),
        prop::bool::weighted(0.4),
    );
    let entry = prop::option::weighted(0.7, 0..PEOPLE);
    let people = (
        prop::array::uniform6(entry),
        prop::collection::btree_set(prop_oneof![8 => 0..PEOPLE, 1 => Just(10 + ROBO)], 0..2),
        prop::option::weighted(0.1, 0..PEOPLE),
        prop::option::weighted(0.7, 0..PEOPLE),
        prop::option::weighted(0.7, 0..PEOPLE),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
        prop::array::uniform6(prop::option::weighted(0.15, 0..PEOPLE)),
        prop::option::weighted(0.1, 0..12i64),
    );
    (demands, times, access, people).prop_map(|(demands, times, access, people)| {
        let (high, approvals, mut slots, digest_required) = demands;
        let (permitted, forgotten, juniors, blind, non_production) = access;
        let (
            entry_of,
            disabled,
            demoted,
            mut owner_of_robo,
            mut owner_of_ci,
            owner_required,
            unlisted,
            retired_by,
            restored_at,
        ) = people;
        slots.retain(|groups, _| forgotten.is_none_or(|group| !groups.contains(&group)));
        // An owner is a human.
        for owner in [&mut owner_of_robo, &mut owner_of_ci] {
            if *owner == demoted {
                *owner = None;
            }
        }
        let mut spec = Spec {
            high,
            approvals,
            slots,
            digest_required,
            pending_seconds: times.0,
            execute_within_seconds: times.1,
            permitted,
            juniors,
            blind,
            non_production,
            forgotten,
            entry_of,
            retired_by,
            disabled,
            demoted,
            owner_of_robo,
            owner_of_ci,
            owner_required,
            unlisted_refused: unlisted,
            restored_at,
        };
        spec.settle_retired();
        spec
    })
}

/// A later policy: mostly the first one with a few things changed, as policies change.
pub(crate) fn any_later(first: Spec) -> impl Strategy<Value = Spec> {
    (any_spec(), prop::array::uniform8(prop::bool::weighted(0.3))).prop_map(move |(other, change)| {
        let mut spec = first.clone();
        let [demands, times, access, merge, retire, disable, restore, rest] = change;
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
            (spec.juniors, spec.blind, spec.non_production) =
                (other.juniors, other.blind, other.non_production);
        }
        if merge {
            spec.entry_of = other.entry_of;
        }
        if retire {
            spec.retired_by = other.retired_by;
        }
        if restore {
            spec.restored_at = other.restored_at;
        }
        if disable {
            spec.disabled = other.disabled.clone();
        }
        if rest {
            return other;
        }
        spec.settle_retired();
        let forgotten = spec.forgotten;
        spec.slots.retain(|groups, _| forgotten.is_none_or(|group| !groups.contains(&group)));
        spec
    })
}

pub(crate) fn any_step(policies: usize) -> impl Strategy<Value = Step> {
    let address = prop_oneof![12 => 0..PEOPLE, 1 => Just(ROBO), 1 => Just(CI)];
    let caller = (address, any_groups()).prop_map(|(address, groups)| Caller { address, groups });
    let verb = prop_oneof![
        16 => Just(Verb::Approve),
        1 => Just(Verb::Reject),
        2 => Just(Verb::Withdraw),
        1 => Just(Verb::Cancel),
        6 => Just(Verb::Start),
        1 => Just(Verb::Expire),
    ];
    let shown = prop_oneof![
        2 => Just(Shown::Nothing),
        8 => Just(Shown::Right),
        1 => Just(Shown::Wrong),
        1 => Just(Shown::Parameters),
    ];
    let wait = prop_oneof![12 => Just(1i64), 1 => 30..70i64, 1 => Just(0i64), 1 => -8..0i64];
    let change = prop::option::weighted(0.25, 0..policies);
    (prop::option::weighted(0.85, caller), verb, shown, wait, change).prop_map(
        |(caller, verb, shown, wait_seconds, policy)| {
            // Others start in vain; mostly it is the requester who tries.
            let caller = if verb == Verb::Start && wait_seconds == 1 { None } else { caller };
            Step { caller, verb, shown, wait_seconds, policy }
        },
    )
}

pub(crate) fn any_world() -> impl Strategy<Value = World> {
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
