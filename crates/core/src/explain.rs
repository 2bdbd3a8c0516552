//! Why a request stands where it stands: what is demanded of it and by which part of the policy,
//! what is missing, who can still give it, and what the asker may do.
//!
//! Nothing is decided here a second time: what the asker may do is asked of [`decide::decide`].

use crate::approvals::Approvals;
use crate::caller::{PrincipalKind, is_agent_group};
use crate::command::{Command, CommandName, ExecutionOutcome, Shown};
use crate::command_context::CommandContext;
use crate::decide;
use crate::ids::ExecutionId;
use crate::person::PersonId;
use crate::policy::Policy;
use crate::policy::access::Subject;
use crate::policy::search::{AccessCheck, Search};
use crate::principal::Principal;
use crate::refusal::Refusal;
use crate::request::{Request, Status};
use crate::requirements::MatchedRule;
use crate::requirements::Requirements;
use crate::slots::{Groups, SlotAssignment, Slots};
use crate::text::CommentText;
use crate::timestamp::Timestamp;

/// Why a request stands where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation<'a> {
    /// Its status now, by the deadlines on record.
    pub status: Status,
    /// Why it cannot go ahead even with all approvals: see [`Policy::blocked_by`]; and while it waits for
    /// people, the groups that it waits for and that policy does not know any more.
    pub blocked: Vec<String>,
    /// What holds for it now.
    pub requirements: Requirements,
    /// What the policy of now would demand, part by part, if it were made now.
    pub current_rules: Vec<MatchedRule>,
    /// Which approvals on record count.
    pub approvals: Approvals<'a>,
    /// How far they fill what is demanded.
    pub slot_assignment: SlotAssignment,
    /// An approver in all groups of one of these could give an approval that is missing. Empty
    /// unless the request is pending, and where it cannot be approved any more.
    pub approvers: Vec<Groups>,
    /// What the asker may do to it, or why not.
    pub actions: Vec<(CommandName, Result<(), Refusal>)>,
    /// When it ends by itself if no command changes it.
    pub deadline: Option<Timestamp>,
}

/// Explains a request to a caller who may see it.
pub fn explain<'a>(
    request: &'a Request,
    actor: &Principal,
    context: &CommandContext,
    policy: &Policy,
) -> Explanation<'a> {
    let requirements = policy.requirements_in_force(request);
    let status = request.status_at(context.now);
    let approvals = Approvals::of(request, &requirements, policy);
    let slot_assignment = approvals.slot_assignment(&requirements, None);
    let waits_for_people = match request.status_under(&requirements, context.now) {
        Status::Pending => true,
        // Approved on record, and too few of the approvals count now.
        Status::Approved => !slot_assignment.is_complete(),
        Status::Executing
        | Status::Rejected
        | Status::Expired
        | Status::Cancelled
        | Status::Executed
        | Status::Failed => false,
    };
    let can_be_approved = waits_for_people
        && requirements.violations(request.stated()).is_empty()
        && policy.blocked_by(request).is_empty();
    let approvers = if can_be_approved {
        let check = AccessCheck::approval(policy.subject(request));
        approvers(policy, &requirements.slots, |groups| {
            // What has enough since policy asks for less again waits for one more, of anybody.
            let counts = || {
                slot_assignment.is_complete()
                    || approvals.slot_assignment(&requirements, Some(groups)).filled > slot_assignment.filled
            };
            counts() && check.is_permitted(policy, &in_place_of(actor, groups), context.now)
        })
    } else {
        Vec::new()
    };
    let (expires_at, execute_by) = request.deadlines_under(&requirements);
    Explanation {
        status,
        blocked: policy
            .blocked_by(request)
            .into_iter()
            .chain(unknown_groups(policy, &slot_assignment.missing_slots).filter(|_| waits_for_people))
            .collect(),
        current_rules: policy.reassess(request).rules,
        slot_assignment,
        approvers,
        actions: actions(request, actor, context, policy),
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
        requirements,
    }
}

/// The slots that no approver can fill, because people.toml has other groups now.
fn unknown_groups<'a>(policy: &'a Policy, missing: &'a Slots) -> impl Iterator<Item = String> + 'a {
    let known = policy.people().groups();
    let unknown = missing.iter().filter(|(groups, _)| groups.is_disjoint(known));
    unknown.map(|(groups, people)| {
        let demand = Slots::new([(groups.clone(), people)]);
        format!(
            "it waits for {demand}, and {} has no such group any more: nobody can be in it; make a new request, or list the group again",
            crate::policy::people::FILE
        )
    })
}

/// What each command on the request would come to.
fn actions(
    request: &Request,
    actor: &Principal,
    context: &CommandContext,
    policy: &Policy,
) -> Vec<(CommandName, Result<(), Refusal>)> {
    let shown = Shown::of(request);
    let execution_id = request.execution.as_ref().map_or(context.execution_id, |execution| execution.id);
    // INVARIANT: a text of one letter is a comment.
    let Ok(text) = CommentText::parse("x") else { return Vec::new() };
    let commands = [
        Command::Approve { comment: None, shown: shown.clone() },
        Command::Reject { reason: text.clone(), shown: shown.clone() },
        Command::Withdraw { reason: None },
        Command::Cancel { reason: None },
        Command::Comment { text },
        Command::Start { shown },
        finish(execution_id),
    ];
    commands
        .iter()
        .map(|command| {
            let outcome = decide::decide(request, command, actor, context, policy, None);
            (command.name(), outcome.map(|_| ()))
        })
        .collect()
}

/// As failed and with a note: so may report who may report at all.
fn finish(execution_id: ExecutionId) -> Command {
    Command::Finish {
        execution_id,
        outcome: ExecutionOutcome::Failed,
        result: None,
        actual_cost: None,
        note: CommentText::parse("x").ok(),
        shown: Shown::default(),
    }
}

/// A person in some groups who comes from where the asker comes from.
fn in_place_of(asker: &Principal, groups: &Groups) -> Principal {
    let groups = groups.iter().map(String::as_str);
    let mut somebody = Principal::assumed(PersonId::somebody(), PrincipalKind::Human, asker.channel, groups);
    somebody.source_ip = asker.source_ip;
    somebody
}

/// The smallest sets of groups whose members could give an approval: single groups, and for slots whose
/// group alone does not do, that group with another. Of groups that an approver can be in and decide.
fn approvers(policy: &Policy, slots: &Slots, could: impl Fn(&Groups) -> bool) -> Vec<Groups> {
    let mut known = policy.people().groups().clone();
    known.retain(|group| !is_agent_group(group));
    let set = |names: &[&String]| -> Groups { names.iter().map(|name| (*name).clone()).collect() };
    let mut found: Vec<Groups> = known.iter().map(|group| set(&[group])).filter(&could).collect();
    // Of all slots: an approver who fills one that is taken may leave another to the one who is on it.
    for (slot, _) in slots.iter() {
        for group in slot.intersection(&known) {
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

/// How many questions are put to policy before giving up on finding out who could approve.
const MAX_QUESTIONS: usize = 5_000;

/// Whether people could be found who fill what is demanded: at any hour of the coming week, from the
/// asker's address or from one that policy itself names. Where the search gives up, the answer is yes.
pub fn could_be_satisfied(
    requirements: &Requirements,
    subject: &Subject<'_>,
    asker: &Principal,
    now: Timestamp,
    policy: &Policy,
) -> bool {
    Search::new(policy, now, asker.source_ip, MAX_QUESTIONS).could_meet(*subject, requirements)
}
