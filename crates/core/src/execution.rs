//! The execution of a request: how it is to be carried out, and how far it has come.
//!
//! An approval is spent by the start, which pins how long a permit for it lasts and for how long an execution may be
//! silent. The permit is spent by the claim. An execution that stays silent beyond its lease is unknown: it may have
//! happened, and nothing carries it out again.

use crate::canonical::CanonicalJson;
use crate::digest::Digest;
use crate::ids::ExecutionId;
use crate::person::PersonId;
use crate::risk::Cost;
use crate::text::CommentText;
use crate::text_key::{DigestedDocument, KeyedText};
use crate::timestamp::Timestamp;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// The audience of a permit that no executor of the policy carries out: the program of the caller who starts it.
pub const CLIENT: &str = "client";

/// Who starts an approved request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Display, EnumString, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "lowercase")]
pub enum ExecutionMode {
    /// Its requester.
    #[default]
    Manual,
    /// The executor that policy names, as soon as it is approved and its time has come.
    Automatic,
}

/// The span in which an approved request may be started, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its begin.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
}

/// How and when a request is to be carried out, as its requester says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Who starts it.
    pub mode: ExecutionMode,
    /// Not before this time.
    pub execute_at: Option<Timestamp>,
    /// Not outside this span.
    pub window: Option<Window>,
}

impl Schedule {
    /// The time before which it is not started.
    pub fn not_before(&self) -> Option<Timestamp> {
        self.execute_at.max(self.window.map(|window| window.from))
    }

    /// The time after which it is not started any more.
    pub fn not_after(&self) -> Option<Timestamp> {
        self.window.map(|window| window.to)
    }

    /// A deadline, or the end of the window if that is sooner.
    pub fn limit(&self, deadline: Timestamp) -> Timestamp {
        self.not_after().map_or(deadline, |end| deadline.min(end))
    }
}

/// The state of the instance that an executor has found before the execution, for approvers to see and to compare
/// with what it is when the execution begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The executor.
    pub by: PersonId,
    /// The time of the observation.
    pub at: Timestamp,
    /// What it has found: an object.
    pub document: DigestedDocument,
}

impl Target {
    /// SHA-256 of the document.
    pub fn digest(&self) -> Digest {
        self.document.digest()
    }
}

/// The one execution of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// Names it.
    pub id: ExecutionId,
    /// Who started it.
    pub started_by: PersonId,
    /// The time of the start.
    pub started_at: Timestamp,
    /// The policy that it was started under.
    pub policy_version: Digest,
    /// The time from which its permit claims nothing any more.
    pub permit_expires_at: Timestamp,
    /// How long it may be silent, in seconds.
    pub lease_seconds: u32,
    /// The time from which it has been silent for too long.
    pub lease_until: Timestamp,
    /// Who carries it out.
    pub claim: Option<Claim>,
    /// The time at which it was written down that its lease had ended, unless it was heard of since.
    pub unknown_since: Option<Timestamp>,
    /// How it ended, once it has.
    pub finish: Option<Finish>,
}

/// Who has spent the permit of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The executor, or the starter.
    pub by: PersonId,
    /// The time of the claim.
    pub at: Timestamp,
}

/// The end of an execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Finish {
    /// The time of the end.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: ExecutionOutcome,
    /// What it gave.
    pub result: Option<KeyedText<CanonicalJson>>,
    /// What it cost.
    pub actual_cost: Option<Cost>,
    /// What was found out, in the words of the principal who reported it.
    pub note: Option<KeyedText<CommentText>>,
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "lowercase")]
pub enum ExecutionOutcome {
    /// It did what was approved.
    Succeeded,
    /// It did not, or not wholly.
    Failed,
}

impl ExecutionOutcome {
    /// The name in requests and items.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How far an execution has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "lowercase")]
pub enum ExecutionState {
    /// The approval is spent, and the permit is not.
    Started,
    /// The permit is spent: it is being carried out.
    Claimed,
    /// It was silent for longer than its lease: it may have happened.
    Unknown,
    /// It did what was approved.
    Succeeded,
    /// It did not, or not wholly.
    Failed,
}

impl ExecutionState {
    /// The name in requests.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Execution {
    /// How far it has come at a time: past its lease it is unknown, whether or not a sweep has written that down.
    pub fn state_at(&self, now: Timestamp) -> ExecutionState {
        match &self.finish {
            Some(Finish { outcome: ExecutionOutcome::Succeeded, .. }) => ExecutionState::Succeeded,
            Some(Finish { outcome: ExecutionOutcome::Failed, .. }) => ExecutionState::Failed,
            None if now >= self.lease_until => ExecutionState::Unknown,
            None if self.claim.is_some() => ExecutionState::Claimed,
            None => ExecutionState::Started,
        }
    }

    /// Who carries it out and reports: the claimant, or the starter while there is none.
    pub fn holder(&self) -> &PersonId {
        self.claim.as_ref().map_or(&self.started_by, |claim| &claim.by)
    }

    /// Whether the permit can still be spent.
    pub fn is_claimable(&self, now: Timestamp) -> bool {
        self.claim.is_none() && self.finish.is_none() && now < self.permit_expires_at
    }

    /// The time at which it has to be looked at: its lease ends then, unless it is renewed before.
    pub fn lease_end(&self) -> Option<Timestamp> {
        (self.finish.is_none() && self.unknown_since.is_none()).then_some(self.lease_until)
    }

    /// Whether a renewal at a time would change next to nothing: less than a quarter of the lease is used.
    pub fn is_lease_fresh(&self, now: Timestamp) -> bool {
        let used_at = self.lease_until.as_millisecond() - i64::from(self.lease_seconds) * 750;
        self.unknown_since.is_none() && now.as_millisecond() < used_at
    }
}
