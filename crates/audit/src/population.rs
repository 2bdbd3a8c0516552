//! The population of an audit: every request that was created in a span of time, as a log of a known size shows it.
//!
//! Nothing else than events decides what is in it, so that an auditor makes the same population of the same log. Refuses to
//! know where a log is, how it is verified, and files. Every byte is in `docs/population.md`.

use countersign_core::audit::{AuditEvent, AuditedRequest};
use countersign_core::event::EventType;
use countersign_core::execution::ExecutionOutcome;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::person::PersonId;
use countersign_core::status::Status;
use countersign_core::timestamp::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

pub mod discrepancy;
pub mod manifest;
pub mod recount;
pub mod statement;
pub mod table;

/// How an execution stands whose executor is silent for longer than its lease.
const UNKNOWN: &str = "unknown";

/// A span of time: what happened at `to` is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first millisecond.
    pub from: Timestamp,
    /// The millisecond after its last.
    pub to: Timestamp,
}

impl Span {
    /// Whether a time is in it.
    #[must_use]
    pub fn contains(&self, time: Timestamp) -> bool {
        (self.from..self.to).contains(&time)
    }
}

/// The requests of a span, in the order of their creation; those of one millisecond in that of their ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Population {
    span: Span,
    rows: BTreeMap<(Timestamp, RequestId), Row>,
    created_at: BTreeMap<RequestId, Timestamp>,
}

/// A request, as the events that were added have made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    about: AuditedRequest,
    created_at: Timestamp,
    approvals_required: Option<u64>,
    content_digest: Option<String>,
    policy_version: Option<String>,
    approvals: Vec<(EventId, PersonId)>,
    rejected_by: Option<PersonId>,
    decided_at: Option<Timestamp>,
    started_by: Option<PersonId>,
    ended_at: Option<Timestamp>,
    outcome: Option<&'static str>,
    first_entry: u64,
    events: u64,
}

impl Population {
    /// Of a span, before any event was added.
    #[must_use]
    pub fn of(span: Span) -> Self {
        Self { span, rows: BTreeMap::new(), created_at: BTreeMap::new() }
    }

    /// Adds the entry at a place of the log. All of them have to be added, in their order.
    pub fn add(&mut self, index: u64, event: &AuditEvent) {
        let Some(about) = &event.request else { return };
        let request_id = about.request_id;
        // The first event of a stream makes its request, also if another version has recorded it under another type.
        if event.sequence == 1 && self.span.contains(event.timestamp) {
            self.created_at.insert(request_id, event.timestamp);
            self.rows.insert((event.timestamp, request_id), Row::of(index, event, about));
        } else if let Some(created_at) = self.created_at.get(&request_id)
            && let Some(row) = self.rows.get_mut(&(*created_at, request_id))
        {
            row.follow(event, about);
        }
    }

    /// The span.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// The requests.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    /// How many requests there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.rows.len() as u64
    }
}

impl Row {
    fn of(index: u64, event: &AuditEvent, about: &AuditedRequest) -> Self {
        let details = event.details.to_value();
        let text = |name: &str| details.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            about: about.clone(),
            created_at: event.timestamp,
            approvals_required: details.get("approvals_required").and_then(Value::as_u64),
            content_digest: text("content_digest"),
            policy_version: text("policy_version"),
            approvals: Vec::new(),
            rejected_by: None,
            // A request that needs no approval is decided by the policy at once.
            decided_at: (about.status == Status::Approved).then_some(event.timestamp),
            started_by: None,
            ended_at: None,
            outcome: None,
            first_entry: index,
            events: 1,
        }
    }

    /// The request.
    #[must_use]
    pub fn request_id(&self) -> RequestId {
        self.about.request_id
    }

    fn follow(&mut self, event: &AuditEvent, about: &AuditedRequest) {
        self.events += 1;
        self.about.status = about.status;
        // What an event of an unknown type did is not known, but for the status, which every event repeats.
        let Some(event_type) = event.event_type.known() else { return };
        match event_type {
            EventType::ApprovalGranted => {
                self.forget(event, "replaces");
                self.approvals.push((event.event_id, event.user.clone()));
                if event.detail("execute_by").is_some() {
                    self.decided_at = Some(event.timestamp);
                }
                self.wait_again();
            }
            EventType::ApprovalRejected => {
                self.forget(event, "replaces");
                self.rejected_by = Some(event.user.clone());
                self.decided_at = Some(event.timestamp);
            }
            EventType::ApprovalWithdrawn => {
                self.forget(event, "withdraws");
                self.wait_again();
            }
            EventType::ExecutionStarted => self.started_by = Some(event.user.clone()),
            EventType::ExecutionRenewed => self.outcome = None,
            EventType::ExecutionUnknown => self.outcome = Some(UNKNOWN),
            EventType::ExecutionSucceeded => self.end(event, ExecutionOutcome::Succeeded),
            EventType::ExecutionFailed => self.end(event, ExecutionOutcome::Failed),
            EventType::ApprovalRequestCreated
            | EventType::ApprovalCancelled
            | EventType::ApprovalExpired
            | EventType::TargetObserved
            | EventType::ExecutionClaimed
            | EventType::CommentAdded
            | EventType::ParametersErased
            | EventType::AnomalyDetected
            | EventType::AttemptRefused
            | EventType::AuditRead => {}
        }
    }

    /// Approvals that an event names count no more.
    fn forget(&mut self, event: &AuditEvent, name: &str) {
        let forgotten = event.detail_events(name);
        self.approvals.retain(|(event_id, _)| !forgotten.contains(event_id));
    }

    /// A request that is not approved any more is not decided.
    fn wait_again(&mut self) {
        if self.about.status != Status::Approved {
            self.decided_at = None;
        }
    }

    fn end(&mut self, event: &AuditEvent, outcome: ExecutionOutcome) {
        self.ended_at = Some(event.timestamp);
        self.outcome = Some(outcome.as_str());
    }
}

#[cfg(test)]
pub(crate) mod tests;
