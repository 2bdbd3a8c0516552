//! Who hears of a request: those who could still approve it, and those whose request it is.
//!
//! Whether a person could approve is asked of [`decide::decide`], so nobody is found whom it would refuse. Which members a group has is said by
//! `notifications.toml`; a token that does not say so gives its holder no right.

use crate::configuration::Configuration;
use countersign_core::approvals::Approvals;
use countersign_core::caller::{Caller, Channel, PrincipalKind};
use countersign_core::command::{Command, Shown};
use countersign_core::command_context::CommandContext;
use countersign_core::decide;
use countersign_core::event::EventType;
use countersign_core::ids::{EventId, ExecutionId};
use countersign_core::person::PersonId;
use countersign_core::policy::Policy;
use countersign_core::policy::access::{AccessRequest, RequestAttribute, TO_APPROVE};
use countersign_core::policy::inspection;
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::request::{Request, Status, Verdict};
use countersign_core::slots::Groups;
use countersign_core::source_address::SourceAddress;
use countersign_core::text_key::TextKey;
use countersign_core::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use strum::IntoEnumIterator as _;
use uuid::Uuid;

/// How many decisions are tried for one request before the search ends: what is not found by then is not told. A policy
/// that depends on neither time, address nor channel takes one for each member.
const MAX_TRIALS: usize = 5_000;

/// The people of some moment and request, by the groups that `notifications.toml` lists them in.
fn members(configuration: &Configuration, policy: &Policy) -> BTreeMap<PersonId, Groups> {
    let mut members = BTreeMap::<PersonId, Groups>::new();
    for (name, group) in &configuration.groups {
        for member in &group.members {
            members.entry(policy.people().person(member).clone()).or_default().insert(name.clone());
        }
    }
    members
}

/// When, from where and through which channel a person might approve.
#[derive(Debug, Clone, Copy)]
struct Circumstances {
    at: Timestamp,
    channel: Channel,
    source_ip: Option<SourceAddress>,
}

/// Those who could approve a request, at some time from `now` until it expires: members of groups that fill a slot which the
/// approvals that count leave open. Never its requester or owner, who is disabled, or who has decided.
pub fn approvers(
    request: &Request,
    policy: &Policy,
    configuration: &Configuration,
    now: Timestamp,
) -> BTreeSet<PersonId> {
    let requirements = policy.requirements_in_force(request);
    let expires_at = request.deadlines_under(&requirements).0;
    let approvals = Approvals::of(request, &requirements, policy);
    let filled = approvals.slot_assignment(&requirements, None);
    // What the decision core refuses of everybody, or of these groups at any time, is not tried over and over.
    let fills = |groups: &Groups| {
        filled.is_complete() || approvals.slot_assignment(&requirements, Some(groups)).filled > filled.filled
    };
    if !requirements.violations(request.stated()).is_empty() || !policy.blocked_by(request).is_empty() {
        return BTreeSet::new();
    }
    let mut circumstances = circumstances(policy, now, expires_at);
    let mut trials = MAX_TRIALS;
    let mut found = BTreeSet::new();
    for (person, groups) in members(configuration, policy) {
        let groups = groups.iter().map(String::as_str);
        let caller = Caller::new(person, PrincipalKind::Human, Channel::Api, groups);
        let Ok(actor) = policy.people().resolve(caller) else { continue };
        if !fills(&actor.groups) || is_denied_everywhere(request, &actor, policy, now) {
            continue;
        }
        for place in 0..circumstances.len() {
            let Some(here) = circumstances.get(place).copied() else { break };
            if trials == 0 {
                return found;
            }
            trials -= 1;
            match approval(request, &actor, here, policy) {
                Ok(_) => {
                    found.insert(actor.person);
                    // Others are likely to be let then and there as well.
                    circumstances.swap(0, place);
                    break;
                }
                // Policy may let them at another time or from elsewhere.
                Err(Refusal::NotVisible | Refusal::NotPermitted(_)) => {}
                // Whatever the circumstances.
                Err(_) => break,
            }
        }
    }
    found
}

/// Whether policy lets a person approve at no time, from no address and through no channel, as far as it says so by itself.
fn is_denied_everywhere(request: &Request, actor: &Principal, policy: &Policy, now: Timestamp) -> bool {
    const OPEN: [RequestAttribute; 3] =
        [RequestAttribute::Channel, RequestAttribute::Address, RequestAttribute::Time];
    let subject = Some(policy.subject(request));
    TO_APPROVE.iter().any(|action| {
        let access_request = AccessRequest { action: *action, actor, subject, is_own: false, now };
        inspection::denies_whatever(policy, &access_request, &OPEN)
    })
}

/// What the decision core says of an approval.
fn approval(
    request: &Request,
    actor: &Principal,
    here: Circumstances,
    policy: &Policy,
) -> Result<decide::Outcome, Refusal> {
    let Circumstances { at: now, channel, source_ip } = here;
    let actor = Principal { channel, source_ip, ..actor.clone() };
    let command = Command::Approve { comment: None, shown: Shown::of(request) };
    let context = CommandContext {
        now,
        event_id: EventId::new(Uuid::nil()),
        execution_id: ExecutionId::new(Uuid::nil()),
        text_key: TextKey::new([0; 16]),
    };
    decide::decide(request, &command, &actor, &context, policy, None)
}

/// All circumstances that policy tells apart before a request expires: the likeliest first.
fn circumstances(policy: &Policy, now: Timestamp, expires_at: Timestamp) -> Vec<Circumstances> {
    const HOURS: u32 = 7 * 24;
    let turns_on = |part| TO_APPROVE.iter().any(|action| inspection::turns_on(policy, *action, part));
    let mut moments = vec![now];
    if turns_on(RequestAttribute::Time) {
        let hours = || (1..=HOURS).map(|hour| now.plus_seconds(hour * 60 * 60)).collect();
        let others = inspection::moments(policy, &TO_APPROVE, now).unwrap_or_else(hours);
        moments.extend(others.into_iter().filter(|at| *at > now && *at < expires_at));
    }
    let mut sources: Vec<Option<SourceAddress>> = vec![None];
    if turns_on(RequestAttribute::Address) {
        sources.extend(policy.addresses().into_iter().map(|address| Some(address.into())));
    }
    let channels: Vec<Channel> =
        if turns_on(RequestAttribute::Channel) { Channel::iter().collect() } else { vec![Channel::Api] };
    let mut all = Vec::new();
    for at in moments {
        for source_ip in &sources {
            all.extend(channels.iter().map(|channel| Circumstances {
                at,
                channel: *channel,
                source_ip: *source_ip,
            }));
        }
    }
    all
}

/// Those who had been asked for an approval that is missing no more, or that they cannot give any more: their message closes.
pub fn no_longer_asked(before: &BTreeSet<PersonId>, after: &BTreeSet<PersonId>) -> BTreeSet<PersonId> {
    before.difference(after).cloned().collect()
}

/// Those who could approve before an event, as far as it can be known from the request after it: who is asked no more is among them. May hold more: who was
/// never asked has no message that would close.
pub fn approvers_before(
    event_type: EventType,
    event_id: EventId,
    after: &Request,
    policy: &Policy,
    configuration: &Configuration,
) -> BTreeSet<PersonId> {
    let mut before = after.clone();
    match event_type {
        EventType::ApprovalGranted => before.decisions.retain(|decision| decision.event_id != event_id),
        EventType::ApprovalRejected => {
            before.decisions.retain(|decision| decision.verdict != Verdict::Rejected);
        }
        EventType::ApprovalExpired | EventType::ApprovalCancelled if after.approved_at.is_none() => {}
        // Nobody was asked for the approval of what waits for its start, and a withdrawal asks everybody anew.
        EventType::ApprovalRequestCreated
        | EventType::ApprovalWithdrawn
        | EventType::ApprovalCancelled
        | EventType::ApprovalExpired
        | EventType::ExecutionStarted
        | EventType::ExecutionClaimed
        | EventType::ExecutionRenewed
        | EventType::ExecutionUnknown
        | EventType::ExecutionSucceeded
        | EventType::ExecutionFailed
        | EventType::AnomalyDetected
        | EventType::AttemptRefused
        | EventType::AuditRead => return BTreeSet::new(),
        // These change nobody's part.
        EventType::TargetObserved | EventType::CommentAdded | EventType::ParametersErased => {
            return approvers(after, policy, configuration, after.updated_at);
        }
    }
    before.status = Status::Pending;
    before.approved_at = None;
    before.execute_by = None;
    // From its beginning on, so that who could approve while office hours lasted is among them.
    before.updated_at = before.content.requested_at;
    approvers(&before, policy, configuration, before.content.requested_at)
}

/// The requester and who answers for them, as far as they have an address and may act.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Askers {
    /// The requester, unless it is a program.
    pub requester: Option<PersonId>,
    /// Who answers for the agent or service that asks.
    pub owner: Option<PersonId>,
}

impl Askers {
    /// Those of a request. An agent hears by the API, and its owner in its place by messages; one without an owner is told
    /// by its own address.
    pub fn of(request: &Request, policy: &Policy) -> Self {
        let people = policy.people();
        let requester = people.maker(&request.content.requested_by);
        let recorded = request.content.owner.as_ref().map(|owner| &owner.person);
        let owner = people.owner(requester).or(recorded).map(|owner| people.maker(owner).clone());
        let has_address =
            |person: &PersonId| person.as_str().contains('@') && person.service_subject().is_none();
        let may_be_told = |person: &PersonId| has_address(person) && !people.is_disabled(person);
        let is_program = people.is_non_human(requester) && owner.is_some();
        Self {
            requester: Some(requester.clone()).filter(|person| !is_program && may_be_told(person)),
            owner: owner.filter(may_be_told),
        }
    }

    /// Both.
    pub fn people(&self) -> BTreeSet<PersonId> {
        self.requester.iter().chain(&self.owner).cloned().collect()
    }
}
