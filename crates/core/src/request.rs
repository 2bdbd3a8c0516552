//! The state of a request, and how events change it.

use crate::caller::Channel;
use crate::command::{Command, Shown};
use crate::content::FixedContent;
use crate::digest::Digest;
use crate::event::{Change, Event};
use crate::execution::{Claim, Execution, Finish, Target};
use crate::idempotency::IdempotencyRecord;
use crate::ids::{EventId, RequestId};
use crate::person::PersonId;
use crate::requirements::{MAX_APPROVED_LIMIT, MAX_PENDING_LIMIT};
use crate::requirements::{Requirements, StatedFields};
use crate::slots::Groups;
use crate::source_address::SourceAddress;
use crate::text::CommentText;
use crate::text_key::{DigestedDocument, KeyedText};
use crate::timestamp::Timestamp;
use std::collections::BTreeSet;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

pub use crate::status::Status;

/// The most comments a request holds, besides those that come with decisions.
///
/// With everything else at its limit (parameters, texts, result, decisions and withdrawals with every
/// address and group there may be, matched rules, and the idempotency records of all commands), a request
/// stays below the 409,600 bytes of a `DynamoDB` item, so that a decision always fits. A test of the store
/// builds that request.
pub const MAX_COMMENTS: usize = 100;
/// The most bytes of comment text a request holds, besides those that come with decisions.
pub const MAX_COMMENT_BYTES: usize = 32 * 1024;

/// The most decisions a request holds: [`crate::policy::rules::MAX_APPROVALS`], a rejection, and one more
/// in place of an approval that no longer counts.
pub const MAX_DECISIONS: usize = 12;

/// The most approvals of a request that can be taken back. After that the request itself can be.
pub const MAX_WITHDRAWALS: usize = 6;

/// What an approver decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "lowercase")]
pub enum Verdict {
    /// They agreed.
    Approved,
    /// They refused.
    Rejected,
}

impl Verdict {
    /// The name in requests and items.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One person's decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The approver.
    pub person: PersonId,
    /// All ids that were known to be theirs then: they are one person still under a policy
    /// that no longer lists one of them.
    pub addresses: BTreeSet<PersonId>,
    /// Whether they approved or rejected.
    pub verdict: Verdict,
    /// The time of the decision.
    pub at: Timestamp,
    /// What they said; the reason, if they refused.
    pub comment: Option<KeyedText<CommentText>>,
    /// The groups that they were in, if they agreed.
    pub groups: Groups,
    /// Whether they named the digest of what they were shown, if they agreed.
    pub digest_presented: bool,
    /// The channel of the call.
    pub channel: Channel,
    /// The source address of the call.
    pub source_ip: Option<SourceAddress>,
    /// The policy that it was made under.
    pub policy_version: Digest,
    /// The event that records it.
    pub event_id: EventId,
}

/// An approval that its approver took back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// The approver.
    pub person: PersonId,
    /// The time of the withdrawal.
    pub at: Timestamp,
    /// The event that records it.
    pub event_id: EventId,
}

/// A comment on a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Comment {
    /// The author of the comment.
    pub person: PersonId,
    /// The time of the comment.
    pub at: Timestamp,
    /// The text.
    pub text: KeyedText<CommentText>,
    /// The event that records it.
    pub event_id: EventId,
}

/// The end of a request that was given up.
#[derive(Debug, Clone, PartialEq)]
pub struct Cancellation {
    /// The time of the cancellation.
    pub at: Timestamp,
    /// By the requester, by the owner of the requester, or by an admin.
    pub by: PersonId,
    /// The reason for the cancellation.
    pub reason: Option<KeyedText<CommentText>>,
}

/// A request for approval, as its events have made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What it was made with.
    pub content: FixedContent,
    /// Where it is in its life, as last written down; see [`Request::status_at`].
    pub status: Status,
    /// Who has decided what. At most one decision per person.
    pub decisions: Vec<Decision>,
    /// When it became approved.
    pub approved_at: Option<Timestamp>,
    /// By when it must be started, once approved.
    pub execute_by: Option<Timestamp>,
    /// When it expired, if that is not the deadline on record: policy had come to set a sooner one, or
    /// too few approvals were left when the time for more was over.
    pub expired_at: Option<Timestamp>,
    /// When parameters, texts and results were erased, if they were.
    pub erased_at: Option<Timestamp>,
    /// Which approvals were taken back.
    pub withdrawals: Vec<Withdrawal>,
    /// How it was given up.
    pub cancellation: Option<Cancellation>,
    /// What an executor has found of the target.
    pub target: Option<Target>,
    /// Its execution.
    pub execution: Option<Execution>,
    /// What people said, besides what came with decisions.
    pub comments: Vec<Comment>,
    /// The commands that carried an idempotency key.
    pub idempotency: Vec<IdempotencyRecord>,
    /// How many events have happened: the sequence of the last one.
    pub version: u64,
    /// When the last event happened: no later event is before it.
    pub updated_at: Timestamp,
    /// The last event.
    pub last_event_id: EventId,
    /// The hash of the last audit event.
    pub audit_head: Digest,
    /// Binds the state and the head of its trail under the deployment's key, see
    /// [`crate::audit::seal`].
    pub seal: Digest,
}

/// The event is not the creation of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request begins with its creation")]
pub struct NotACreation;

impl Event {
    /// A text of the event with the event's key.
    fn keyed<T: Clone>(&self, text: Option<&T>) -> Option<KeyedText<T>> {
        text.map(|text| KeyedText::Kept { text: text.clone(), key: self.text_key })
    }
}

impl Request {
    /// The request that an event creates.
    ///
    /// # Errors
    /// When the event is not a creation.
    pub fn create(event: &Event) -> Result<Self, NotACreation> {
        let Change::Created(content) = &event.change else { return Err(NotACreation) };
        let approved = event.status == Status::Approved;
        Ok(Self {
            status: event.status,
            decisions: Vec::new(),
            approved_at: approved.then_some(event.at),
            execute_by: approved.then(|| content.execute_by(event.at, content.execute_within_seconds)),
            expired_at: None,
            erased_at: None,
            withdrawals: Vec::new(),
            cancellation: None,
            target: None,
            execution: None,
            comments: Vec::new(),
            idempotency: event.idempotency.clone().into_iter().collect(),
            version: event.sequence,
            updated_at: event.at,
            last_event_id: event.id,
            audit_head: Digest::ZERO,
            seal: Digest::ZERO,
            content: FixedContent::clone(content),
        })
    }

    /// Names the request.
    pub fn id(&self) -> RequestId {
        self.content.request_id
    }

    /// The status at a time, see [`Status::at`].
    pub fn status_at(&self, now: Timestamp) -> Status {
        self.status.at(now, self.content.expires_at, self.execute_by)
    }

    /// By when something must happen to the request as it stands.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.status.deadline(self.content.expires_at, self.execute_by)
    }

    /// When its execution has to be looked at: its lease ends then, unless it is heard of before.
    pub fn lease_end(&self) -> Option<Timestamp> {
        self.execution.as_ref().filter(|_| self.status == Status::Executing).and_then(Execution::lease_end)
    }

    /// When it closed, as far as `now` is concerned: a deadline that has passed closes a request,
    /// written down or not.
    pub fn closed_by(&self, now: Timestamp) -> Option<Timestamp> {
        self.closed_at().or_else(|| self.deadline().filter(|deadline| now >= *deadline))
    }

    /// When it closed. An expired request closed at the deadline it missed.
    pub fn closed_at(&self) -> Option<Timestamp> {
        match self.status {
            Status::Pending | Status::Approved | Status::Executing => None,
            Status::Rejected => self.rejection().map(|decision| decision.at),
            Status::Cancelled => self.cancellation.as_ref().map(|cancellation| cancellation.at),
            Status::Expired => self.expired_at.or(self.execute_by).or(Some(self.content.expires_at)),
            Status::Executed | Status::Failed => self.finish().map(|finish| finish.at),
        }
    }

    /// Who has approved, in order.
    pub fn approved_by(&self) -> impl Iterator<Item = &PersonId> {
        self.approvals().map(|decision| &decision.person)
    }

    /// How many distinct people have approved.
    pub fn approvals_received(&self) -> usize {
        self.approved_by().count()
    }

    /// The decision that ended it.
    pub fn rejection(&self) -> Option<&Decision> {
        self.decisions.iter().find(|decision| decision.verdict == Verdict::Rejected)
    }

    /// The end of its execution.
    pub fn finish(&self) -> Option<&Finish> {
        self.execution.as_ref().and_then(|execution| execution.finish.as_ref())
    }

    /// The decisions of those who agreed.
    pub fn approvals(&self) -> impl Iterator<Item = &Decision> {
        self.decisions.iter().filter(|decision| decision.verdict == Verdict::Approved)
    }

    /// What was demanded of it when it was made. Requirements that were met then are no part of it.
    pub fn requirements(&self) -> Requirements {
        let pending = self.content.expires_at.as_millisecond() - self.content.requested_at.as_millisecond();
        Requirements {
            risk_level: self.content.risk_level,
            environment: self.content.environment,
            approvals_required: self.content.approvals_required,
            slots: self.content.slots.clone(),
            pending_seconds: u32::try_from((pending + 999) / 1000).unwrap_or(0),
            execute_within_seconds: self.content.execute_within_seconds,
            // What a start pins is that of the policy of then.
            permit_seconds: u32::MAX,
            lease_seconds: u32::MAX,
            digest_required: self.content.digest_required,
            cost_limit: None,
            justification_min: 0,
            required_fields: BTreeSet::new(),
            pending_limit: MAX_PENDING_LIMIT,
            approved_limit: MAX_APPROVED_LIMIT,
        }
    }

    /// What it says of itself, for demands that it do.
    pub fn stated(&self) -> StatedFields {
        StatedFields {
            justification_length: self.content.justification.kept().map_or(0, |(text, _)| text.length()),
            ticket: self.content.ticket.is_some(),
            rollback_plan: self.content.rollback_plan.is_some(),
            estimated_cost: self.content.estimated_cost,
            estimated_duration: self.content.estimated_duration.is_some(),
        }
    }

    /// The deadlines under some requirements: that of the content and [`Request::execute_by`], or
    /// sooner.
    pub fn deadlines_under(&self, requirements: &Requirements) -> (Timestamp, Option<Timestamp>) {
        let expires_at =
            self.content.expires_at.min(self.content.requested_at.plus_seconds(requirements.pending_seconds));
        let execute_by = self.execute_by.map(|execute_by| match self.approved_at {
            Some(approved_at) => {
                execute_by.min(approved_at.plus_seconds(requirements.execute_within_seconds))
            }
            None => execute_by,
        });
        (expires_at, execute_by)
    }

    /// The status at a time under some requirements, see [`Status::at`].
    pub fn status_under(&self, requirements: &Requirements, now: Timestamp) -> Status {
        let (expires_at, execute_by) = self.deadlines_under(requirements);
        self.status.at(now, expires_at, execute_by)
    }

    /// Changes the state as an event says. Decides nothing: an event is a fact.
    pub fn apply(&mut self, event: &Event) {
        self.status = event.status;
        self.version = event.sequence;
        self.updated_at = event.at;
        self.last_event_id = event.id;
        self.idempotency.extend(event.idempotency.clone());
        match &event.change {
            // INVARIANT: a request's first state is made by `Request::create`.
            Change::Created(_) => {}
            Change::Granted { comment, execute_by, groups, digest_presented, policy_version, replaces } => {
                self.forget_decisions(replaces);
                self.decisions.push(Decision {
                    comment: event.keyed(comment.as_ref()),
                    groups: groups.clone(),
                    digest_presented: *digest_presented,
                    ..decision(event, Verdict::Approved, *policy_version)
                });
                if execute_by.is_some() {
                    self.approved_at = Some(event.at);
                    self.execute_by = *execute_by;
                }
                self.forget_approval_unless_approved();
            }
            Change::Rejected { reason, policy_version, replaces } => {
                self.forget_decisions(replaces);
                self.decisions.push(Decision {
                    comment: event.keyed(Some(reason)),
                    ..decision(event, Verdict::Rejected, *policy_version)
                });
            }
            Change::Withdrawn { reason, withdraws } => {
                self.forget_decisions(withdraws);
                self.withdrawals.push(Withdrawal {
                    person: event.user.clone(),
                    at: event.at,
                    event_id: event.id,
                });
                self.comments.extend(reason.as_ref().map(|text| comment(event, text)));
                // The approval had kept it open beyond its time to be pending.
                self.expired_at = (event.status == Status::Expired).then_some(event.at);
                self.forget_approval_unless_approved();
                // It had been approved past the deadline for that: it closes with the approval.
                self.expired_at = (self.status == Status::Expired).then_some(event.at);
            }
            Change::Expired { deadline } => {
                self.expired_at = self.deadline_missed(*deadline);
            }
            Change::Cancelled { reason } => {
                let by = event.user.clone();
                self.cancellation =
                    Some(Cancellation { at: event.at, by, reason: event.keyed(reason.as_ref()) });
            }
            Change::TargetObserved { target } => {
                let document = DigestedDocument::Kept(target.clone());
                self.target = Some(Target { by: event.user.clone(), at: event.at, document });
            }
            Change::Started {
                execution_id,
                policy_version,
                permit_expires_at,
                lease_seconds,
                lease_until,
            } => {
                self.execution = Some(Execution {
                    id: *execution_id,
                    started_by: event.user.clone(),
                    started_at: event.at,
                    policy_version: *policy_version,
                    permit_expires_at: *permit_expires_at,
                    lease_seconds: *lease_seconds,
                    lease_until: *lease_until,
                    claim: None,
                    unknown_since: None,
                    finish: None,
                });
            }
            Change::Claimed { .. }
            | Change::Renewed { .. }
            | Change::LeaseEnded { .. }
            | Change::Finished { .. } => {
                if let Some(execution) = &mut self.execution {
                    execution.apply(event);
                }
            }
            Change::Commented { text } => self.comments.push(comment(event, text)),
            Change::Erased => self.erase(event.at),
        }
    }

    /// Erases what people and executors wrote. Digests stay, so that the state and the trail still belong together; but
    /// not those of the bodies of commands, from which a text could be guessed.
    fn erase(&mut self, at: Timestamp) {
        self.erased_at = Some(at);
        self.content.erase();
        self.target.iter_mut().for_each(|target| target.document.erase());
        let decisions = self.decisions.iter_mut().filter_map(|decision| decision.comment.as_mut());
        let comments = self.comments.iter_mut().map(|comment| &mut comment.text);
        let cancellation = self.cancellation.iter_mut().filter_map(|end| end.reason.as_mut());
        decisions.chain(comments).chain(cancellation).for_each(KeyedText::erase);
        if let Some(finish) = self.execution.as_mut().and_then(|execution| execution.finish.as_mut()) {
            finish.result.iter_mut().for_each(KeyedText::erase);
            finish.note.iter_mut().for_each(KeyedText::erase);
        }
        self.idempotency.iter_mut().for_each(|record| record.body_digest = Digest::ZERO);
    }

    /// Of the parameters and of each text, whether it is kept: all are, or none is.
    pub fn texts(&self) -> impl Iterator<Item = bool> {
        let content = &self.content;
        let of_content = [content.parameters.kept().is_some(), content.justification.kept().is_some()];
        let optional = [content.estimated_duration.is_some(), content.rollback_plan.is_some()];
        let finish = self.finish();
        let result = finish.and_then(|finish| finish.result.as_ref());
        let note = finish.and_then(|finish| finish.note.as_ref());
        let reason = self.cancellation.as_ref().and_then(|end| end.reason.as_ref());
        let comments = self.comments.iter().map(|comment| &comment.text);
        let comments = comments.chain(self.decisions.iter().filter_map(|decision| decision.comment.as_ref()));
        let comments = comments.chain(note).chain(reason).map(|text| text.kept().is_some());
        of_content
            .into_iter()
            .chain(optional.into_iter().filter(|is_there| *is_there))
            .chain(self.target.iter().map(|target| target.document.kept().is_some()))
            .chain(result.map(|result| result.kept().is_some()))
            .chain(comments)
    }

    /// Takes decisions off the record that another event stands in the place of.
    fn forget_decisions(&mut self, events: &[EventId]) {
        self.decisions.retain(|decision| !events.contains(&decision.event_id));
    }

    /// A request that waits for people again has not been approved.
    fn forget_approval_unless_approved(&mut self) {
        if self.status != Status::Approved {
            self.approved_at = None;
            self.execute_by = None;
        }
    }

    /// `deadline`, unless it is the one on record.
    fn deadline_missed(&self, deadline: Timestamp) -> Option<Timestamp> {
        let on_record = self.execute_by.unwrap_or(self.content.expires_at);
        (deadline != on_record).then_some(deadline)
    }
}

impl Execution {
    /// Changes what an event after the start says of the execution.
    fn apply(&mut self, event: &Event) {
        match &event.change {
            Change::Claimed { lease_until, .. } => {
                self.claim = Some(Claim { by: event.user.clone(), at: event.at });
                self.lease_until = *lease_until;
            }
            Change::Renewed { lease_until, .. } => {
                self.lease_until = *lease_until;
                self.unknown_since = None;
            }
            Change::LeaseEnded { .. } => self.unknown_since = Some(event.at),
            Change::Finished { outcome, result, actual_cost, note } => {
                self.finish = Some(Finish {
                    at: event.at,
                    outcome: *outcome,
                    result: event.keyed(result.as_ref()),
                    actual_cost: *actual_cost,
                    note: event.keyed(note.as_ref()),
                });
            }
            Change::Created(_)
            | Change::Granted { .. }
            | Change::Rejected { .. }
            | Change::Withdrawn { .. }
            | Change::Cancelled { .. }
            | Change::Expired { .. }
            | Change::TargetObserved { .. }
            | Change::Started { .. }
            | Change::Commented { .. }
            | Change::Erased => {}
        }
    }
}

fn comment(event: &Event, text: &CommentText) -> Comment {
    let text = KeyedText::Kept { text: text.clone(), key: event.text_key };
    Comment { person: event.user.clone(), at: event.at, text, event_id: event.id }
}

/// What any decision says of itself.
fn decision(event: &Event, verdict: Verdict, policy_version: Digest) -> Decision {
    Decision {
        person: event.user.clone(),
        addresses: event.addresses.clone(),
        verdict,
        at: event.at,
        comment: None,
        groups: Groups::new(),
        digest_presented: false,
        channel: event.channel,
        source_ip: event.source_ip,
        policy_version,
        event_id: event.id,
    }
}

impl Shown {
    /// A caller who was shown this request, whatever has happened to it since.
    pub fn of(request: &Request) -> Self {
        Self {
            content_digest: Some(request.content.digest().to_string()),
            parameters_digest: Some(request.content.parameters_digest().to_string()),
            version: None,
        }
    }

    /// Whether nothing has happened to the request since, as far as it names a version.
    pub(crate) fn is_current(&self, request: &Request) -> bool {
        self.version.is_none_or(|version| version == request.version)
    }

    /// Whether nothing that it names is another request's.
    pub(crate) fn is_of(&self, request: &Request) -> bool {
        let matches = |shown: &Option<String>, digest: Digest| {
            shown.as_ref().is_none_or(|shown| *shown == digest.to_string())
        };
        matches(&self.parameters_digest, request.content.parameters_digest())
            && (self.content_digest.is_none() || matches(&self.content_digest, request.content.digest()))
    }
}

impl Command {
    /// What the caller says they were shown, if the command has it.
    pub(crate) fn shown(&self) -> Option<&Shown> {
        match self {
            Self::Approve { shown, .. }
            | Self::Reject { shown, .. }
            | Self::Start { shown }
            | Self::Claim { shown, .. }
            | Self::Finish { shown, .. } => Some(shown),
            Self::Withdraw { .. }
            | Self::Cancel { .. }
            | Self::Comment { .. }
            | Self::Observe { .. }
            | Self::Renew { .. }
            | Self::EndLease
            | Self::Expire
            | Self::Erase { .. } => None,
        }
    }
}
