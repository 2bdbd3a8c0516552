//! Why a request stands where it stands: what is demanded of it and by which part of the policy,
//! what is missing, who can still give it, and what the asker may do.
//!
//! Nothing is decided here a second time: what the asker may do is asked of [`decide::decide`].

use crate::access::{Action, Target};
use crate::actor::{Actor, Kind};
use crate::approvals::Approvals;
use crate::command::{Command, CommandName, ExecutionOutcome};
use crate::decide;
use crate::ids::ExecutionId;
use crate::person::PersonId;
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::request::{Request, Status};
use crate::rules::{MAX_APPROVALS, MatchedRule};
use crate::slots::{Filling, Groups, Slots};
use crate::stamp::Stamp;
use crate::terms::Terms;
use crate::text::CommentText;
use crate::timestamp::Timestamp;
use std::ops::Range;

/// Why a request stands where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation<'a> {
    /// Its status now.
    pub status: Status,
    /// What holds for it now.
    pub terms: Terms,
    /// What the policy of now would demand, part by part, if it were made now.
    pub current_rules: Vec<MatchedRule>,
    /// Which approvals on record count.
    pub approvals: Approvals<'a>,
    /// How far they fill what is demanded.
    pub filling: Filling,
    /// Whoever is in all groups of one of these could give an approval that is missing. Empty
    /// unless the request is pending, and where it cannot be approved any more.
    pub approvers: Vec<Groups>,
    /// What the asker may do to it, or why not.
    pub actions: Vec<(CommandName, Result<(), Refusal>)>,
    /// When it ends by itself if nobody does anything.
    pub deadline: Option<Timestamp>,
}

/// Explains a request to somebody who may see it.
pub fn explain<'a>(request: &'a Request, actor: &Actor, stamp: &Stamp, policy: &Policy) -> Explanation<'a> {
    let terms = policy.terms_in_force(request);
    let status = request.status_under(&terms, stamp.now);
    let approvals = Approvals::of(request, policy);
    let filling = approvals.filling(&terms, None);
    let approvers = if status == Status::Pending && terms.unmet(request.stated()).is_empty() {
        let circumstances = Circumstances::of(actor, stamp.now);
        approvers(policy, &target(request), &circumstances, &terms.slots, |groups| {
            // What has enough since policy asks for less again waits for one more, of anybody.
            filling.is_complete() || approvals.filling(&terms, Some(groups)).filled > filling.filled
        })
    } else {
        Vec::new()
    };
    let (expires_at, execute_by) = request.deadlines_under(&terms);
    Explanation {
        status,
        current_rules: policy.reassess(request).rules,
        filling,
        approvers,
        actions: actions(request, actor, stamp, policy),
        deadline: match status {
            Status::Pending => Some(expires_at),
            Status::Approved => execute_by,
            Status::Executing
            | Status::Rejected
            | Status::Expired
            | Status::Cancelled
            | Status::Executed
            | Status::Failed => None,
        },
        approvals,
        terms,
    }
}

/// What each command on the request would come to.
fn actions(
    request: &Request,
    actor: &Actor,
    stamp: &Stamp,
    policy: &Policy,
) -> Vec<(CommandName, Result<(), Refusal>)> {
    let shown = Some(request.parameters_digest.to_string());
    let execution_id = request.execution.as_ref().map_or(stamp.execution_id, |execution| execution.id);
    // INVARIANT: a text of one letter is a comment.
    let Ok(text) = CommentText::parse("x") else { return Vec::new() };
    let commands = [
        Command::Approve { comment: None, parameters_digest: shown.clone() },
        Command::Reject { reason: text.clone() },
        Command::Cancel { reason: None },
        Command::Comment { text },
        Command::Start { parameters_digest: shown },
        finish(execution_id),
    ];
    commands
        .iter()
        .map(|command| {
            let outcome = decide::decide(request, command, actor, stamp, policy, None);
            (command.name(), outcome.map(|_| ()))
        })
        .collect()
}

/// As failed: that is what both may report who may report at all.
fn finish(execution_id: ExecutionId) -> Command {
    Command::Finish { execution_id, outcome: ExecutionOutcome::Failed, result: None, actual_cost: None }
}

/// Where and when somebody would approve.
#[derive(Debug, Clone)]
pub struct Circumstances {
    actor: Actor,
    now: Timestamp,
}

impl Circumstances {
    /// Where the asker is, at some time.
    pub fn of(asker: &Actor, now: Timestamp) -> Self {
        let mut actor = Actor::new(PersonId::somebody(), Kind::Human, asker.channel, []);
        actor.source_ip = asker.source_ip;
        Self { actor, now }
    }

    fn permits(&self, policy: &Policy, target: &Target<'_>, groups: &Groups) -> bool {
        let actor = Actor { groups: groups.clone(), ..self.actor.clone() };
        // Nobody approves what they may not see.
        [Action::Approve, Action::View]
            .into_iter()
            .all(|action| policy.ask(action, &actor, *target, false, self.now).is_permitted())
    }
}

fn target(request: &Request) -> Target<'_> {
    Target {
        operation_type: request.operation_type.as_str(),
        instance_id: request.instance_id.as_str(),
        environment: request.environment,
        risk_level: request.risk_level,
        estimated_cost: request.estimated_cost,
        requested_by: &request.requested_by,
    }
}

/// The smallest sets of groups whose members policy lets approve and whose approval would count:
/// single groups, and for slots whose group alone may not approve, that group with another.
fn approvers(
    policy: &Policy,
    target: &Target<'_>,
    circumstances: &Circumstances,
    slots: &Slots,
    counts: impl Fn(&Groups) -> bool,
) -> Vec<Groups> {
    let known = policy.people().groups();
    let could = |groups: &Groups| counts(groups) && circumstances.permits(policy, target, groups);
    let set = |names: &[&String]| -> Groups { names.iter().map(|name| (*name).clone()).collect() };
    let mut found: Vec<Groups> = known.iter().map(|group| set(&[group])).filter(could).collect();
    // Of all slots: whoever fills one that is taken may leave another to whoever is on it.
    for (slot, _) in slots.iter() {
        for group in slot {
            if found.contains(&set(&[group])) {
                continue;
            }
            for other in known.iter().filter(|other| *other != group) {
                let pair = set(&[group, other]);
                if !found.contains(&set(&[other])) && !found.contains(&pair) && could(&pair) {
                    found.push(pair);
                }
            }
        }
    }
    found
}

/// How many questions are put to policy before giving up on finding who could approve.
const MAX_QUESTIONS: usize = 5_000;
/// A week of hours: policies that ask for the time of day or the day of the week.
const HOURS: u32 = 7 * 24;

/// Whether people could be found who fill what is demanded: at any hour of the coming week, from
/// the asker's address or from one that policy itself names.
pub fn could_be_satisfied(
    terms: &Terms,
    target: &Target<'_>,
    asker: &Actor,
    now: Timestamp,
    policy: &Policy,
) -> bool {
    if terms.approvals_required > MAX_APPROVALS {
        return false;
    }
    let nobody = terms.slots.fill(terms.approvals_required, &[]);
    let known = policy.people().groups();
    let sources: Vec<_> =
        std::iter::once(asker.source_ip).chain(policy.addresses().into_iter().map(Some)).collect();
    let mut questions = 0;
    let mut one_could = |candidates: &[Groups], hours: Range<u32>| {
        for hour in hours {
            for source_ip in &sources {
                let mut circumstances = Circumstances::of(asker, now.plus_seconds(hour * 60 * 60));
                circumstances.actor.source_ip = *source_ip;
                for groups in candidates {
                    questions += 1;
                    if questions > MAX_QUESTIONS {
                        return false;
                    }
                    if circumstances.permits(policy, target, groups) {
                        return true;
                    }
                }
            }
        }
        false
    };
    // What is likely comes first: now, and at other hours whoever is in one group.
    let mut somebody_could = |wanted: &Groups| {
        let in_one: Vec<_> = wanted.iter().map(|group| Groups::from([group.clone()])).collect();
        let in_two: Vec<_> = wanted
            .iter()
            .flat_map(|group| known.iter().map(move |other| Groups::from([group.clone(), other.clone()])))
            .collect();
        one_could(&in_one, 0..1)
            || one_could(&in_two, 0..1)
            || one_could(&in_one, 1..HOURS)
            || one_could(&in_two, 1..HOURS)
    };
    let slots_can = nobody.missing_slots.iter().all(|(groups, _)| somebody_could(groups));
    slots_can && (nobody.missing_from_anybody == 0 || somebody_could(known))
}
