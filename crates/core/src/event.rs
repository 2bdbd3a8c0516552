//! What happened: the one event that each accepted command yields.

use crate::caller::{Authentication, Channel, PrincipalKind};
use crate::canonical::CanonicalJson;
use crate::command_context::CommandContext;
use crate::content::FixedContent;
use crate::digest::Digest;
use crate::execution::ExecutionOutcome;
use crate::idempotency::IdempotencyRecord;
use crate::ids::{EventId, ExecutionId, RequestId};
use crate::person::PersonId;
use crate::principal::Principal;
use crate::risk::Cost;
use crate::slots::Groups;
use crate::source_address::SourceAddress;
use crate::status::Status;
use crate::text::CommentText;
use crate::text_key::TextKey;
use crate::timestamp::Timestamp;
use std::collections::BTreeSet;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// One accepted command.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Names the event.
    pub id: EventId,
    /// The request it happened to.
    pub request_id: RequestId,
    /// 1 for the creation, then one more each; equals the request's version after the event.
    pub sequence: u64,
    /// The time of the event.
    pub at: Timestamp,
    /// The actor; `system:expiry` and `system:retention` are sweeps.
    pub user: PersonId,
    /// The kind of the actor.
    pub kind: PrincipalKind,
    /// The channel of the call.
    pub channel: Channel,
    /// All ids that are known to be theirs, `user` included.
    pub addresses: BTreeSet<PersonId>,
    /// From where, as far as the shell can vouch for it.
    pub source_ip: Option<SourceAddress>,
    /// How they were proven.
    pub authentication: Option<Authentication>,
    /// The key of the digests of its texts.
    pub text_key: TextKey,
    /// The request's status after the event.
    pub status: Status,
    /// What changed.
    pub change: Change,
    /// What the request is to remember of the command's idempotency key.
    pub idempotency: Option<IdempotencyRecord>,
}

/// What an event changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The request was made.
    Created(Box<FixedContent>),
    /// One person agreed; when they were the last one needed, the approval has a deadline.
    Granted {
        /// What they said.
        comment: Option<CommentText>,
        /// By when it must be started, if this made it approved.
        execute_by: Option<Timestamp>,
        /// The groups that they were in: what they come to be in later does not matter.
        groups: Groups,
        /// Whether they named the digest of what they were shown.
        digest_presented: bool,
        /// The policy of the decision.
        policy_version: Digest,
        /// Their own earlier approvals, which do not count any more: this one stands in their place.
        replaces: Vec<EventId>,
    },
    /// One person refused.
    Rejected {
        /// The reason for the rejection.
        reason: CommentText,
        /// The policy of the decision.
        policy_version: Digest,
        /// Their own earlier approvals, which do not count any more.
        replaces: Vec<EventId>,
    },
    /// One approver took their approval back: they have not decided.
    Withdrawn {
        /// The reason for the withdrawal.
        reason: Option<CommentText>,
        /// The events of the approvals that are taken back.
        withdraws: Vec<EventId>,
    },
    /// The request was given up: by its requester, by the owner of its requester, or by an admin.
    Cancelled {
        /// The reason for the cancellation.
        reason: Option<CommentText>,
    },
    /// Its deadline passed.
    Expired {
        /// Which one: the one on record, or a sooner one of the policy of now.
        deadline: Timestamp,
    },
    /// An executor recorded what it had found of the target.
    TargetObserved {
        /// What it has found.
        target: CanonicalJson,
    },
    /// The approval was spent.
    Started {
        /// The execution.
        execution_id: ExecutionId,
        /// The policy of the decision.
        policy_version: Digest,
        /// The time from which the permit claims nothing.
        permit_expires_at: Timestamp,
        /// How long the execution may be silent, in seconds.
        lease_seconds: u32,
        /// The time from which it has been silent for too long.
        lease_until: Timestamp,
    },
    /// The permit was spent.
    Claimed {
        /// The execution.
        execution_id: ExecutionId,
        /// The time from which it has been silent for too long.
        lease_until: Timestamp,
    },
    /// The execution is still under way.
    Renewed {
        /// The execution.
        execution_id: ExecutionId,
        /// The time from which it has been silent for too long.
        lease_until: Timestamp,
    },
    /// Nothing was heard of the execution for as long as its lease.
    LeaseEnded {
        /// The execution.
        execution_id: ExecutionId,
        /// The end of its lease.
        lease_until: Timestamp,
    },
    /// The execution ended.
    Finished {
        /// How it ended.
        outcome: ExecutionOutcome,
        /// What it gave.
        result: Option<CanonicalJson>,
        /// What it cost.
        actual_cost: Option<Cost>,
        /// What was found out.
        note: Option<CommentText>,
    },
    /// A caller commented on the request.
    Commented {
        /// The text.
        text: CommentText,
    },
    /// Its parameters, texts and result were erased, because they had been kept for as long as the operator says.
    Erased,
}

/// The names of events in the audit trail.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, EnumString, IntoStaticStr, EnumIter,
)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum EventType {
    /// See [`Change::Created`].
    ApprovalRequestCreated,
    /// See [`Change::Granted`].
    ApprovalGranted,
    /// See [`Change::Rejected`].
    ApprovalRejected,
    /// See [`Change::Withdrawn`].
    ApprovalWithdrawn,
    /// See [`Change::Cancelled`].
    ApprovalCancelled,
    /// See [`Change::Expired`].
    ApprovalExpired,
    /// See [`Change::Started`].
    ExecutionStarted,
    /// See [`Change::TargetObserved`].
    TargetObserved,
    /// See [`Change::Claimed`].
    ExecutionClaimed,
    /// See [`Change::Renewed`].
    ExecutionRenewed,
    /// See [`Change::LeaseEnded`].
    ExecutionUnknown,
    /// See [`Change::Finished`].
    ExecutionSucceeded,
    /// See [`Change::Finished`].
    ExecutionFailed,
    /// See [`Change::Commented`].
    CommentAdded,
    /// See [`Change::Erased`].
    ParametersErased,
    /// Something in the store is not as its events have made it. Never an event of a request's own
    /// trail, which is what may be damaged.
    AnomalyDetected,
    /// A call was refused, or several were. Never an event of a request's own trail.
    AttemptRefused,
    /// A caller read across requests. Never an event of a request's own trail.
    AuditRead,
}

impl EventType {
    /// The name in audit events and messages.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether it is an event of a request's own trail.
    pub fn is_of_request(self) -> bool {
        !matches!(self, Self::AnomalyDetected | Self::AttemptRefused | Self::AuditRead)
    }

    /// Whether the event is a decision of an approver on the request.
    pub fn is_decision(self) -> bool {
        matches!(self, Self::ApprovalGranted | Self::ApprovalRejected)
    }
}

impl Event {
    /// What a principal has done at the time of the context. `place` is the request and the event's sequence in its
    /// trail.
    pub(crate) fn by(
        actor: &Principal,
        context: &CommandContext,
        place: (RequestId, u64),
        status: Status,
        change: Change,
        idempotency: Option<IdempotencyRecord>,
    ) -> Self {
        let (request_id, sequence) = place;
        Self {
            id: context.event_id,
            request_id,
            sequence,
            at: context.now,
            user: actor.person.clone(),
            kind: actor.kind,
            channel: actor.channel,
            addresses: actor.addresses.clone(),
            source_ip: actor.source_ip,
            authentication: actor.authentication.clone(),
            text_key: context.text_key,
            status,
            change,
            idempotency,
        }
    }
}

impl Change {
    /// The type of the event that carries this change.
    pub fn event_type(&self) -> EventType {
        match self {
            Self::Created(_) => EventType::ApprovalRequestCreated,
            Self::Granted { .. } => EventType::ApprovalGranted,
            Self::Rejected { .. } => EventType::ApprovalRejected,
            Self::Withdrawn { .. } => EventType::ApprovalWithdrawn,
            Self::Cancelled { .. } => EventType::ApprovalCancelled,
            Self::Expired { .. } => EventType::ApprovalExpired,
            Self::TargetObserved { .. } => EventType::TargetObserved,
            Self::Started { .. } => EventType::ExecutionStarted,
            Self::Claimed { .. } => EventType::ExecutionClaimed,
            Self::Renewed { .. } => EventType::ExecutionRenewed,
            Self::LeaseEnded { .. } => EventType::ExecutionUnknown,
            Self::Finished { outcome: ExecutionOutcome::Succeeded, .. } => EventType::ExecutionSucceeded,
            Self::Finished { outcome: ExecutionOutcome::Failed, .. } => EventType::ExecutionFailed,
            Self::Commented { .. } => EventType::CommentAdded,
            Self::Erased => EventType::ParametersErased,
        }
    }
}
