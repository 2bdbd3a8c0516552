//! Which decisions are open to an actor on a request of which a list shows a part. [`crate::decide`] decides when one is given,
//! and looks at more: the digest, and what policy has come to demand of the request's own fields.

use crate::approvals::Approvals;
use crate::caller::PrincipalKind;
use crate::policy::Policy;
use crate::policy::access::Action;
use crate::policy::request_view::RequestView;
use crate::principal::Principal;
use crate::slots::SlotAssignment;
use crate::status::Status;
use crate::timestamp::Timestamp;

/// What an actor may decide, and what is missing.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenDecision {
    /// Whether an approval of the actor would count.
    pub may_approve: bool,
    /// Whether the actor may reject.
    pub may_reject: bool,
    /// How far the approvals that count fill what is demanded.
    pub slot_assignment: SlotAssignment,
}

impl OpenDecision {
    /// Of a request with its status at `now`.
    pub fn of(request: &impl RequestView, actor: &Principal, policy: &Policy, now: Timestamp) -> Self {
        let requirements = policy.requirements_in_force(request);
        let approvals = Approvals::of(request, &requirements, policy);
        let slot_assignment = approvals.slot_assignment(&requirements, None);
        let waits_for_people = waits(request.status(), &slot_assignment);
        let is_theirs = |decision: &&crate::request::Decision| {
            policy.is_actor(actor, &decision.person)
                || decision.addresses.iter().any(|address| actor.is(address))
        };
        let may_decide = waits_for_people
            && actor.kind == PrincipalKind::Human
            && !policy.has_conflict_of_interest(actor, request)
            && !approvals.counting.iter().any(is_theirs);
        let may = |action| policy.may(action, actor, request, now).is_permitted();
        let fills = || {
            slot_assignment.is_complete()
                || approvals.slot_assignment(&requirements, Some(&actor.groups)).filled
                    > slot_assignment.filled
        };
        Self {
            may_approve: may_decide
                && policy.restrictions().workflow_enabled
                && policy.blocked_by(request).is_empty()
                && may(Action::Approve)
                && may(Action::ViewParameters)
                && fills(),
            may_reject: may_decide && may(Action::Reject),
            slot_assignment,
        }
    }

    /// Whether the actor can decide anything.
    pub fn is_any(&self) -> bool {
        self.may_approve || self.may_reject
    }
}

/// Whether a request with this status waits for approvers, of whom so many have approved.
pub(crate) fn waits(status: Status, slot_assignment: &SlotAssignment) -> bool {
    match status {
        Status::Pending => true,
        // Approved on record, and too few of the approvals count now.
        Status::Approved => !slot_assignment.is_complete(),
        Status::Executing
        | Status::Rejected
        | Status::Expired
        | Status::Cancelled
        | Status::Executed
        | Status::Failed => false,
    }
}
