//! Whether a policy can hold at all. It is asked, with questions that stand for all others: what a
//! policy names, and what is next to it.

use crate::context::EntityTypes;
use crate::named_policy::NamedPolicy;
use countersign_access::literals::{Clock, Literals};
use countersign_access::{Access, Attribute};
use countersign_core::caller::{Channel, PrincipalKind};
use countersign_core::person::PersonId;
use countersign_core::policy::access::{AccessRequest, Action, Subject};
use countersign_core::principal::Principal;
use countersign_core::risk::{Cost, Environment, RiskLevel};
use countersign_core::source_address::SourceAddress;
use countersign_core::text::InstanceId;
use countersign_core::timestamp::Timestamp;
use std::collections::BTreeSet;
use std::net::IpAddr;
use strum::IntoEnumIterator;

/// The most questions that are put about one policy.
const MAX_QUESTIONS: usize = 50_000;
/// Prime, and more than there are choices of anything: a walk in such steps meets every combination once,
/// and soon something of everything.
const STRIDE: usize = 1_000_003;
/// The most groups of which every combination is tried.
const MAX_GROUPS: usize = 5;
/// The most patterns of which combinations are tried.
const MAX_PATTERNS: usize = 6;

/// What trying has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Somewhere,
    Nowhere,
    CannotTell,
}

/// What there is to choose from, of everything that a question is made of.
struct Choices {
    actions: Vec<Action>,
    actors: Vec<Principal>,
    owns: Vec<bool>,
    channels: Vec<Channel>,
    sources: Vec<Option<IpAddr>>,
    moments: Vec<Timestamp>,
    operations: Vec<String>,
    instances: Vec<String>,
    environments: Vec<Environment>,
    risks: Vec<RiskLevel>,
    costs: Vec<Option<Cost>>,
    requesters: Vec<PersonId>,
}

/// `alone` is the policy by itself, `from` the first moment that is tried.
pub(super) fn holds(
    named: &NamedPolicy,
    alone: &Access,
    entity_types: &EntityTypes,
    from: Timestamp,
) -> Holds {
    let literals = &alone.literals();
    let choices = Choices::of(named, literals, entity_types, from);
    let total = choices.len();
    for step in 0..total.min(MAX_QUESTIONS) {
        let put =
            choices.put(step.wrapping_mul(STRIDE) % total, |access_request| alone.speaks(access_request));
        let Some(holds) = put else {
            return Holds::CannotTell;
        };
        if holds {
            return Holds::Somewhere;
        }
    }
    let is_all = total <= MAX_QUESTIONS
        && !literals.is_beyond_reading
        && literals.patterns.len() <= MAX_PATTERNS
        && named_groups(literals, entity_types).len() <= MAX_GROUPS;
    if is_all { Holds::Nowhere } else { Holds::CannotTell }
}

impl Choices {
    fn of(named: &NamedPolicy, literals: &Literals, entity_types: &EntityTypes, from: Timestamp) -> Self {
        let wants = |attribute: Attribute| named.wanted.contains(&attribute);
        let actions = actions(named, literals, entity_types);
        let looks_at_person = named.names_principal || wants(Attribute::Groups) || wants(Attribute::Kind);
        let people = if looks_at_person || wants(Attribute::Requester) {
            people(literals)
        } else {
            vec![PersonId::somebody()]
        };
        let operations = if named.names_resource || wants(Attribute::Operation) {
            identifiers(literals.names("another-operation"))
        } else {
            vec!["another-operation".to_owned()]
        };
        let instances = if wants(Attribute::Instance) {
            identifiers(literals.names("another-instance"))
        } else {
            vec!["another-instance".to_owned()]
        };
        // A request that is being made is its requester's own.
        let is_creation = actions == [Action::Create];
        let clock = Clock::of(&named.wanted);
        Self {
            actors: if looks_at_person {
                actors(&people, literals, entity_types)
            } else {
                vec![Principal::assumed(PersonId::somebody(), PrincipalKind::Human, Channel::Api, [])]
            },
            owns: match (wants(Attribute::Own), is_creation) {
                (_, true) => vec![true],
                (true, false) => vec![false, true],
                (false, false) => vec![false],
            },
            channels: varied(wants(Attribute::Channel), Channel::iter()),
            sources: varied(wants(Attribute::SourceIp), literals.addresses()),
            moments: literals.moments(clock, from, entity_types.time_zone()).into_iter().collect(),
            environments: varied(wants(Attribute::Environment), Environment::iter()),
            risks: varied(wants(Attribute::Risk), RiskLevel::iter()),
            costs: varied(wants(Attribute::EstimatedCost), literals.costs()),
            requesters: varied(wants(Attribute::Requester), people),
            actions,
            operations,
            instances,
        }
    }

    fn len(&self) -> usize {
        [
            self.actions.len(),
            self.actors.len(),
            self.owns.len(),
            self.channels.len(),
            self.sources.len(),
            self.moments.len(),
            self.operations.len(),
            self.instances.len(),
            self.environments.len(),
            self.risks.len(),
            self.costs.len(),
            self.requesters.len(),
        ]
        .into_iter()
        .fold(1, usize::saturating_mul)
    }

    /// The question of this number, put.
    fn put(&self, number: usize, ask: impl Fn(&AccessRequest<'_>) -> Option<bool>) -> Option<bool> {
        let mut rest = number;
        let action = *chosen(&self.actions, &mut rest)?;
        let actor = chosen(&self.actors, &mut rest)?;
        let is_own = *chosen(&self.owns, &mut rest)?;
        let channel = *chosen(&self.channels, &mut rest)?;
        let source_ip = chosen(&self.sources, &mut rest)?.map(SourceAddress::from);
        let now = *chosen(&self.moments, &mut rest)?;
        let subject = Subject {
            operation_type: chosen(&self.operations, &mut rest)?,
            instance_id: chosen(&self.instances, &mut rest)?,
            environment: *chosen(&self.environments, &mut rest)?,
            risk_level: *chosen(&self.risks, &mut rest)?,
            estimated_cost: *chosen(&self.costs, &mut rest)?,
            requested_by: chosen(&self.requesters, &mut rest)?,
        };
        let actor = &Principal { channel, source_ip, ..actor.clone() };
        let subject = action.is_of_request().then_some(subject);
        ask(&AccessRequest { action, actor, subject, is_own, now })
    }
}

/// One choice of these, and what is left of the number for the others.
fn chosen<'a, T>(choices: &'a [T], rest: &mut usize) -> Option<&'a T> {
    let at = rest.checked_rem(choices.len())?;
    *rest /= choices.len();
    choices.get(at)
}

/// All of them, or the first where they make no difference.
fn varied<T>(is_looked_at: bool, all: impl IntoIterator<Item = T>) -> Vec<T> {
    all.into_iter().take(if is_looked_at { usize::MAX } else { 1 }).collect()
}

/// Of the actions that a policy is about, those that may make a difference.
fn actions(named: &NamedPolicy, literals: &Literals, entity_types: &EntityTypes) -> Vec<Action> {
    let concerned = Action::iter().filter(|action| named.concerns(&entity_types.action(*action)));
    let concerned: Vec<Action> = concerned.collect();
    if literals.looks_at_action {
        return concerned;
    }
    // Requests are alike to all actions but for what is asked for, and lists and queries are about no request.
    let is_of_requests = |action: &&Action| action.is_of_request() && **action != Action::Create;
    let of_request = concerned.iter().find(is_of_requests);
    let of_request = of_request.or_else(|| concerned.iter().find(|action| **action == Action::Create));
    let of_service = concerned.iter().find(|action| !action.is_of_request());
    of_request.into_iter().chain(of_service).copied().collect()
}

fn people(literals: &Literals) -> Vec<PersonId> {
    let named = literals.texts.iter().filter_map(|text| PersonId::from_stored(text).ok());
    let people: BTreeSet<PersonId> = named.chain([PersonId::somebody(), PersonId::expiry()]).collect();
    people.into_iter().collect()
}

fn actors(people: &[PersonId], literals: &Literals, entity_types: &EntityTypes) -> Vec<Principal> {
    let sets = sets_of(&named_groups(literals, entity_types));
    let mut actors = Vec::new();
    for person in people {
        for set in &sets {
            for kind in PrincipalKind::iter() {
                actors.push(Principal::assumed(person.clone(), kind, Channel::Api, set.iter().copied()));
            }
        }
    }
    actors
}

fn named_groups<'a>(literals: &Literals, entity_types: &'a EntityTypes) -> Vec<&'a str> {
    let (mut named, others): (Vec<_>, Vec<_>) =
        entity_types.groups().partition(|group| literals.texts.contains(*group));
    // Of the others one stands for all: `!context.groups.isEmpty()` names none.
    named.extend(others.first());
    named
}

/// Every set of a few groups; of many none, each alone, each two, and all.
fn sets_of<'a>(groups: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut sets: Vec<Vec<&str>> = vec![Vec::new()];
    for group in groups {
        let with = sets.iter().filter(|set| groups.len() <= MAX_GROUPS || set.len() < 2);
        let with: Vec<Vec<&str>> = with.map(|set| [set.as_slice(), &[*group]].concat()).collect();
        sets.extend(with);
    }
    if groups.len() > MAX_GROUPS {
        sets.push(groups.to_vec());
    }
    sets
}

fn identifiers(names: BTreeSet<String>) -> Vec<String> {
    names.into_iter().filter(|name| InstanceId::parse(name).is_ok()).collect()
}
