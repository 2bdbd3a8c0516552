//! What another policy would have made of a past request: other terms, a refusal, another outcome.
//!
//! The request is made again under that policy, by the same person at the same time, and the approvals
//! on record are given again, in order, with the groups of then. What is not on record is taken as
//! follows. A risk that was declared is on record where it raised what policy said, else it is taken to
//! be none. The environment on record is taken to be the declared one. Where the address of a caller is
//! not known, one that the policy asks for is taken. A rejection stays one, unless the request would
//! have been approved before it.

use crate::dry_run::DryRun;
use countersign_core::approvals::Approvals;
use countersign_core::caller::Caller;
use countersign_core::command::{Command, Draft};
use countersign_core::creation;
use countersign_core::policy::Policy;
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::request::Status;
use countersign_core::requirements::MatchedRule;
use countersign_core::requirements::Requirements;
use countersign_core::risk::{Environment, RiskLevel};
use countersign_core::slots::Slots;
use countersign_core::source_address::SourceAddress;
use countersign_core::timestamp::Timestamp;
use std::collections::BTreeSet;

/// A past request, as far as it is on record.
#[derive(Debug, Clone)]
pub struct Past {
    /// What was asked for.
    pub draft: Draft,
    /// The requester.
    pub requester: Caller,
    /// The time of its creation.
    pub made_at: Timestamp,
    /// What has become of it.
    pub status: Status,
    /// What was demanded of it.
    pub requirements: PastRequirements,
    /// Who approved it, and when, in order.
    pub approvals: Vec<(Caller, Timestamp)>,
    /// Whether it became approved.
    pub was_approved: bool,
    /// Who started it, and when.
    pub start: Option<(Caller, Timestamp)>,
}

/// What was demanded of a past request, as far as it is on record.
#[derive(Debug, Clone, PartialEq)]
pub struct PastRequirements {
    /// The effective risk.
    pub risk_level: RiskLevel,
    /// The effective environment.
    pub environment: Environment,
    /// How many people had to agree.
    pub approvals_required: u8,
    /// Which groups some of them had to come from.
    pub slots: Slots,
    /// Whether an approver had to name the digest of what they were shown.
    pub digest_required: bool,
    /// How long it could stay pending, in seconds.
    pub pending_seconds: u32,
    /// How long its approval lasted, in seconds.
    pub execute_within_seconds: Option<u32>,
}

/// The risk that the requester declared, as far as it mattered: from the parts of the policy that held
/// for the request, and its effective risk.
pub fn declared_risk(rules: &[MatchedRule], risk_level: RiskLevel) -> Option<RiskLevel> {
    if rules.is_empty() {
        return Some(risk_level);
    }
    let declared = rules.iter().find(|rule| rule.name == "declared")?;
    let named = declared.demands.iter().find_map(|words| words.strip_prefix("risk "));
    Some(named.and_then(|name| name.parse().ok()).unwrap_or(risk_level))
}

/// Something that would be different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What: `outcome`, or one of the requirements.
    pub what: &'static str,
    /// What it is.
    pub before: String,
    /// What it would be.
    pub after: String,
}

impl Difference {
    fn of(what: &'static str, before: impl ToString, after: impl ToString) -> Option<Self> {
        let (before, after) = (before.to_string(), after.to_string());
        (before != after).then_some(Self { what, before, after })
    }
}

/// What another policy would have made of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replay {
    /// Another outcome.
    pub outcome: Option<Difference>,
    /// The reasons for the outcome.
    pub reasons: Vec<String>,
    /// Other requirements.
    pub requirements: Vec<Difference>,
    /// What does not follow from what is on record.
    pub unknown: Option<String>,
}

impl Replay {
    /// Whether nothing would be different.
    pub fn is_unchanged(&self) -> bool {
        *self == Self::default()
    }
}

/// What a policy would have made of a past request.
pub fn replay(past: &Past, policy: &Policy) -> Replay {
    let plain = replay_from(past, policy, None);
    if plain.outcome.is_none() {
        return plain;
    }
    let from = policy.addresses().into_iter().map(|address| replay_from(past, policy, Some(address.into())));
    from.into_iter().find(|replay| replay.outcome.is_none()).unwrap_or(plain)
}

/// The same, with an address for those whose address is not known.
fn replay_from(past: &Past, policy: &Policy, address: Option<SourceAddress>) -> Replay {
    let at_address = |actor: &Caller| Caller { source_ip: actor.source_ip.or(address), ..actor.clone() };
    let requester = at_address(&past.requester);
    let mut replay = Replay::default();
    if let Ok(requester) = policy.people().resolve(requester.clone()) {
        replay.requirements =
            differences(&past.requirements, &creation::assess(&past.draft, &requester, policy).requirements);
        replay.unknown = unknown_environment(past, &requester, policy);
    }
    let dry_run = DryRun::begin(past.draft.clone(), requester, past.made_at, policy);
    let (reached, after) = match dry_run {
        Err(refusal) => {
            replay.reasons = refusal.reasons();
            (Reached::Nothing, format!("refused ({})", refusal.code()))
        }
        Ok(dry_run) => relive(past, policy, dry_run, &at_address, &mut replay.reasons),
    };
    if reached != Reached::of(past) {
        let before = past.status.to_string();
        replay.outcome = Some(Difference { what: "outcome", before, after });
        replay.reasons.extend(unknown_groups(past, policy));
    } else {
        replay.reasons.clear();
    }
    replay
}

/// The groups that mattered then and that this policy does not know.
fn unknown_groups(past: &Past, policy: &Policy) -> Option<String> {
    let demanded = past.requirements.slots.iter().flat_map(|(groups, _)| groups);
    let approving = past.approvals.iter().flat_map(|(actor, _)| &actor.groups);
    let known = policy.people().groups();
    let unknown: BTreeSet<&String> = demanded
        .chain(approving)
        .chain(&past.requester.groups)
        .filter(|group| !known.contains(*group))
        .collect();
    let unknown: Vec<&str> = unknown.into_iter().map(String::as_str).collect();
    (!unknown.is_empty()).then(|| {
        format!(
            "{} does not know a group that mattered then, and being in it means nothing: {}",
            countersign_core::policy::people::FILE,
            unknown.join(", ")
        )
    })
}

/// How far a request came, as far as policy has a say in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// It could not be made.
    Nothing,
    /// It was made, and not approved.
    Made,
    /// It was approved.
    Approved,
    /// It was started.
    Started,
}

impl Reached {
    fn of(past: &Past) -> Self {
        match (&past.start, past.was_approved) {
            (Some(_), _) => Self::Started,
            (None, true) => Self::Approved,
            (None, false) => Self::Made,
        }
    }
}

/// Gives the approvals on record again, and the start.
fn relive(
    past: &Past,
    policy: &Policy,
    mut dry_run: DryRun<'_>,
    at_address: &impl Fn(&Caller) -> Caller,
    reasons: &mut Vec<String>,
) -> (Reached, String) {
    for (actor, at) in &past.approvals {
        if dry_run.request().status != Status::Pending {
            break;
        }
        let approve = Command::Approve { comment: None, shown: dry_run.shown() };
        if let Err(refusal) = dry_run.give(&approve, at_address(actor), *at) {
            reasons.push(without_effect("approval", actor, &refusal));
        }
    }
    if dry_run.request().status != Status::Approved {
        let request = dry_run.request();
        let requirements = policy.requirements_in_force(request);
        let slot_assignment =
            Approvals::of(request, &requirements, policy).slot_assignment(&requirements, None);
        return (Reached::Made, format!("not approved; missing: {slot_assignment}"));
    }
    let is_automatic = dry_run.request().decisions.is_empty();
    let approved = if is_automatic { "approved by policy, at once" } else { "approved" };
    let Some((actor, at)) = &past.start else { return (Reached::Approved, approved.to_owned()) };
    let start = Command::Start { shown: dry_run.shown() };
    match dry_run.give(&start, at_address(actor), *at) {
        Ok(_) => (Reached::Started, "started".to_owned()),
        Err(refusal) => {
            reasons.push(without_effect("start", actor, &refusal));
            (Reached::Approved, format!("{approved}, and not started"))
        }
    }
}

fn without_effect(what: &str, actor: &Caller, refusal: &Refusal) -> String {
    format!("the {what} by {} would be refused ({}): {refusal}", actor.person, refusal.code())
}

fn differences(before: &PastRequirements, after: &Requirements) -> Vec<Difference> {
    let slots = |slots: &Slots| if slots.is_empty() { "none".to_owned() } else { slots.to_string() };
    let within = before.execute_within_seconds.unwrap_or(after.execute_within_seconds);
    [
        Difference::of("risk_level", before.risk_level.as_str(), after.risk_level.as_str()),
        Difference::of("environment", before.environment.as_str(), after.environment.as_str()),
        Difference::of("approvals_required", before.approvals_required, after.approvals_required),
        Difference::of("slots", slots(&before.slots), slots(&after.slots)),
        Difference::of("digest_required", before.digest_required, after.digest_required),
        Difference::of("pending_seconds", before.pending_seconds, after.pending_seconds),
        Difference::of("execute_within_seconds", within, after.execute_within_seconds),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A request on record as production may have been declared so, or have been made so by policy.
fn unknown_environment(past: &Past, requester: &Principal, policy: &Policy) -> Option<String> {
    let draft = Draft { declared_environment: Environment::NonProduction, ..past.draft.clone() };
    let requirements = creation::assess(&draft, requester, policy).requirements;
    let may_differ = past.requirements.environment == Environment::Production
        && requirements.environment == Environment::NonProduction;
    may_differ.then(|| {
        format!(
            "{} is non-production to this policy; unless the requester declared production, it would take {} approvals at risk {}",
            past.draft.instance_id,
            requirements.approvals_required,
            requirements.risk_level.as_str()
        )
    })
}
