//! Whether people can be thought of who may do something, at some time and from somewhere: for saying
//! of a demand that approvers could meet it.
//!
//! People are made up: whether there is anybody in a group is not known here. Nothing is decided, policy
//! is asked. What stays open after so many questions is no "no".

use super::inspection;
use crate::caller::{Channel, PrincipalKind, is_agent_group};
use crate::person::PersonId;
use crate::policy::Policy;
use crate::policy::access::{AccessRequest, Action, RequestAttribute, Subject, TO_APPROVE};
use crate::policy::rules::MAX_APPROVALS;
use crate::principal::Principal;
use crate::requirements::Requirements;
use crate::slots::Groups;
use crate::source_address::SourceAddress;
use crate::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use strum::IntoEnumIterator;

/// A week, for policies that do not tell at which moments their answers change.
const HOURS: u32 = 7 * 24;
/// How far apart hours are that are asked about in turn: every hour of the day soon has its turn, and in
/// the end every hour of the week.
const STRIDE: u32 = 7 + 24;

/// What a search has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchResult {
    /// A person could.
    Somebody,
    /// No person could.
    Nobody,
    /// There were no questions left.
    CannotTell,
}

/// What a person would do: all of the actions.
#[derive(Debug, Clone, Copy)]
pub struct AccessCheck<'a> {
    /// What the person must be permitted to do, all of it.
    pub actions: &'a [Action],
    /// The request that it is about.
    pub subject: Subject<'a>,
    /// Whether the request is the person's own.
    pub is_own: bool,
}

impl<'a> AccessCheck<'a> {
    /// To approve what another person has asked for.
    pub fn approval(subject: Subject<'a>) -> Self {
        Self { actions: &TO_APPROVE, subject, is_own: false }
    }

    /// Whether policy permits it to a person.
    pub fn is_permitted(&self, policy: &Policy, actor: &Principal, now: Timestamp) -> bool {
        let permits = |action: &Action| policy.ask(*action, actor, self.subject, self.is_own, now);
        self.actions.iter().all(|action| permits(action).is_permitted())
    }

    /// Whether it may matter to policy.
    fn turns_on(&self, policy: &Policy, part: RequestAttribute) -> bool {
        self.actions.iter().any(|action| inspection::turns_on(policy, *action, part))
    }

    /// Whether policy would deny it to a person, whatever is put in place of some parts.
    fn is_denied_whatever(
        &self,
        policy: &Policy,
        actor: &Principal,
        now: Timestamp,
        open: &[RequestAttribute],
    ) -> bool {
        let Self { subject, is_own, .. } = *self;
        self.actions.iter().any(|action| {
            let access_request =
                AccessRequest { action: *action, actor, subject: Some(subject), is_own, now };
            inspection::denies_whatever(policy, &access_request, open)
        })
    }
}

/// When, from where and through which channel.
#[derive(Debug, Clone, Copy)]
struct Circumstances {
    now: Timestamp,
    source_ip: Option<SourceAddress>,
    channel: Channel,
}

/// All that decides what a search comes to: the actions, what matters of the target, and the people.
type Searched = (Vec<&'static str>, Vec<String>, Vec<(PersonId, &'static str, Groups)>);

/// A search, with what it has found so far.
#[derive(Debug)]
pub struct Search<'a> {
    policy: &'a Policy,
    now: Timestamp,
    sources: Vec<Option<SourceAddress>>,
    /// Where a person was found last: others are likely to be found there again.
    likely: Circumstances,
    /// Whom access policies name, by the ids that they act under.
    people: Vec<PersonId>,
    /// Groups that make a difference to access policies. Agents do not decide.
    named_groups: Groups,
    questions_left: usize,
    /// When to ask about these actions.
    moments: BTreeMap<Vec<&'static str>, Vec<Timestamp>>,
    found: BTreeMap<Searched, SearchResult>,
}

impl<'a> Search<'a> {
    /// A search in the week from `now` on: from an address, and from those that policy names.
    pub fn new(
        policy: &'a Policy,
        now: Timestamp,
        source_ip: Option<SourceAddress>,
        max_questions: usize,
    ) -> Self {
        let people = policy.people();
        let could_act = |id: &PersonId| people.person(id) == id && !people.is_disabled(id);
        let makes_a_difference = |group: &&String| !is_agent_group(group) && policy.names_group(group);
        let named = inspection::named_people(policy);
        let named = named.iter().filter_map(|naming| PersonId::from_stored(&naming.name).ok());
        Self {
            policy,
            now,
            likely: Circumstances { now, source_ip, channel: Channel::Api },
            sources: std::iter::once(source_ip)
                .chain(policy.addresses().into_iter().map(|address| Some(address.into())))
                .collect(),
            people: named.filter(could_act).collect::<BTreeSet<_>>().into_iter().collect(),
            named_groups: people.groups().iter().filter(makes_a_difference).cloned().collect(),
            questions_left: max_questions,
            moments: BTreeMap::new(),
            found: BTreeMap::new(),
        }
    }

    /// Whom access policies name.
    pub fn people(&self) -> &[PersonId] {
        &self.people
    }

    /// Whether it was given up somewhere.
    pub fn is_exhausted(&self) -> bool {
        self.questions_left == 0
    }

    /// Whether people could be found who fill the slots, and then give what is left to anybody.
    pub fn could_meet(&mut self, subject: Subject<'_>, requirements: &Requirements) -> bool {
        let left_to_anybody = requirements.approvals_required > requirements.slots.total();
        requirements.approvals_required <= MAX_APPROVALS
            && requirements
                .slots
                .iter()
                .all(|(groups, _)| self.somebody(subject, groups) != SearchResult::Nobody)
            && (!left_to_anybody || self.anybody(subject) != SearchResult::Nobody)
    }

    /// Whether a person in one of these groups could approve, in no other group or in another one.
    pub fn somebody(&mut self, subject: Subject<'_>, wanted: &Groups) -> SearchResult {
        match self.alone(subject, wanted) {
            SearchResult::Nobody => {
                let pairs = self.named_groups.iter().flat_map(|other| pairs(wanted, other)).collect();
                self.approver(subject, pairs)
            }
            found @ (SearchResult::Somebody | SearchResult::CannotTell) => found,
        }
    }

    /// Whether a person could approve who is in one of these groups and in no other.
    pub fn alone(&mut self, subject: Subject<'_>, wanted: &Groups) -> SearchResult {
        self.approver(subject, wanted.iter().map(|group| Groups::from([group.clone()])).collect())
    }

    /// The groups that a person could be in besides one of these, and then approve.
    pub fn helping(&mut self, subject: Subject<'_>, wanted: &Groups) -> Vec<String> {
        let named = self.named_groups.clone();
        let helps = |other: &String| self.approver(subject, pairs(wanted, other)) == SearchResult::Somebody;
        named.into_iter().filter(helps).collect()
    }

    /// Whether there is anybody who could approve.
    pub fn anybody(&mut self, subject: Subject<'_>) -> SearchResult {
        match self.approver(subject, BTreeSet::from([Groups::new()])) {
            SearchResult::Nobody => self.somebody(subject, self.policy.people().groups()),
            found @ (SearchResult::Somebody | SearchResult::CannotTell) => found,
        }
    }

    /// Whether a person could approve who is in one of these sets of groups.
    fn approver(&mut self, subject: Subject<'_>, sets: BTreeSet<Groups>) -> SearchResult {
        let check = AccessCheck::approval(subject);
        // Groups that no policy names make no difference, and groups that are not configured have no members.
        let known = self.policy.people().groups();
        let could_be = |set: &&Groups| set.is_subset(known) && !set.iter().any(|group| is_agent_group(group));
        let sets: BTreeSet<Groups> = sets
            .iter()
            .filter(could_be)
            .map(|set| set.intersection(&self.named_groups).cloned().collect())
            .collect();
        let somebody = PersonId::somebody();
        let could_decide =
            |id: &&PersonId| *id != subject.requested_by && kind_of(self.policy, id) == PrincipalKind::Human;
        let people = std::iter::once(&somebody).chain(self.people.iter().filter(could_decide));
        let mut actors: Vec<Principal> = people
            .flat_map(|person| {
                let actor = |set: &Groups| {
                    Principal::assumed(
                        person.clone(),
                        PrincipalKind::Human,
                        Channel::Api,
                        set.iter().map(String::as_str),
                    )
                };
                sets.iter().map(actor).collect::<Vec<_>>()
            })
            .collect();
        if !check.turns_on(self.policy, RequestAttribute::Person) {
            actors.truncate(1);
        }
        self.ever(&check, &actors)
    }

    /// Whether one of these people could do it at some time, from somewhere and through some channel.
    pub fn ever(&mut self, check: &AccessCheck<'_>, actors: &[Principal]) -> SearchResult {
        let key = self.key(check, actors);
        if let Some(found) = self.found.get(&key) {
            return *found;
        }
        let found = self.look(check, actors);
        self.found.insert(key, found);
        found
    }

    fn look(&mut self, check: &AccessCheck<'_>, actors: &[Principal]) -> SearchResult {
        const CIRCUMSTANCES: [RequestAttribute; 3] =
            [RequestAttribute::Channel, RequestAttribute::Address, RequestAttribute::Time];
        const ALL: [RequestAttribute; 4] = [
            RequestAttribute::Person,
            RequestAttribute::Channel,
            RequestAttribute::Address,
            RequestAttribute::Time,
        ];
        let policy = self.policy;
        // Most searches end at once: with a person who may, or with what no person may.
        if let Some(found) = self.look_at(self.likely, check, actors) {
            return found;
        }
        let now = self.likely.now;
        if actors.first().is_none_or(|actor| check.is_denied_whatever(policy, actor, now, &ALL)) {
            return SearchResult::Nobody;
        }
        let could = |actor: &&Principal| !check.is_denied_whatever(policy, actor, now, &CIRCUMSTANCES);
        let actors: Vec<Principal> = actors.iter().filter(could).cloned().collect();
        let moments =
            if check.turns_on(policy, RequestAttribute::Time) { self.moments(check) } else { vec![self.now] };
        let all_channels = check.turns_on(policy, RequestAttribute::Channel);
        let channels = if all_channels { Channel::iter().collect() } else { vec![Channel::Api] };
        let sources =
            if check.turns_on(policy, RequestAttribute::Address) { self.sources.clone() } else { vec![None] };
        for now in moments {
            for source_ip in &sources {
                for &channel in &channels {
                    let here = Circumstances { now, source_ip: *source_ip, channel };
                    if let Some(found) = self.look_at(here, check, &actors) {
                        return found;
                    }
                }
            }
        }
        SearchResult::Nobody
    }

    /// The edges of hours, days and dates that policies name; else each hour of the week.
    fn moments(&mut self, check: &AccessCheck<'_>) -> Vec<Timestamp> {
        let actions = check.actions.iter().map(|action| action.as_str()).collect();
        let (policy, now) = (self.policy, self.now);
        let hours = || (0..HOURS).map(|step| now.plus_seconds(step * STRIDE % HOURS * 60 * 60)).collect();
        let moments = self.moments.entry(actions);
        moments
            .or_insert_with(|| inspection::moments(policy, check.actions, now).unwrap_or_else(hours))
            .clone()
    }

    /// `None` if no person was found there.
    fn look_at(
        &mut self,
        here: Circumstances,
        check: &AccessCheck<'_>,
        actors: &[Principal],
    ) -> Option<SearchResult> {
        let Circumstances { now, source_ip, channel } = here;
        for actor in actors {
            if self.questions_left == 0 {
                return Some(SearchResult::CannotTell);
            }
            self.questions_left -= 1;
            let actor = Principal { source_ip, channel, ..actor.clone() };
            if check.is_permitted(self.policy, &actor, now) {
                self.likely = here;
                return Some(SearchResult::Somebody);
            }
        }
        None
    }

    fn key(&self, check: &AccessCheck<'_>, actors: &[Principal]) -> Searched {
        let Subject { operation_type, instance_id, environment, risk_level, estimated_cost, requested_by } =
            check.subject;
        let parts = [
            (RequestAttribute::Operation, operation_type.to_owned()),
            (RequestAttribute::Instance, instance_id.to_owned()),
            (RequestAttribute::Environment, environment.as_str().to_owned()),
            (RequestAttribute::Risk, risk_level.as_str().to_owned()),
            (RequestAttribute::Cost, estimated_cost.map_or(String::new(), |cost| cost.to_string())),
            (RequestAttribute::Requester, requested_by.to_string()),
        ];
        let matters = parts.into_iter().filter(|(part, _)| check.turns_on(self.policy, *part));
        (
            check.actions.iter().map(|action| action.as_str()).collect(),
            matters.map(|(part, value)| format!("{part:?} {value}")).collect(),
            actors
                .iter()
                .map(|actor| (actor.person.clone(), actor.kind.as_str(), actor.groups.clone()))
                .collect(),
        )
    }
}

/// The kind of a person who is named.
pub fn kind_of(policy: &Policy, id: &PersonId) -> PrincipalKind {
    match id.as_str().starts_with("service:") {
        true => PrincipalKind::Service,
        false if policy.people().is_non_human(id) => PrincipalKind::Agent,
        false => PrincipalKind::Human,
    }
}

/// Each of these groups together with another one.
fn pairs(groups: &Groups, other: &str) -> BTreeSet<Groups> {
    let others = groups.iter().filter(|group| *group != other);
    others.map(|group| Groups::from([group.clone(), other.to_owned()])).collect()
}
