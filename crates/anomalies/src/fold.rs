//! What an event adds to what is remembered, and what is found by it. The events of a stream have to come in their order.

use crate::decisions::Decision;
use crate::deployment::DeploymentHistory;
use crate::document::{DocumentKey, UnreadableDocument, read, write};
use crate::finding::{Finding, Measure, Rule};
use crate::partners::{Side, reciprocity};
use crate::person::PersonHistory;
use countersign_core::audit::AuditEvent;
use countersign_core::caller::PrincipalKind;
use countersign_core::event::EventType;
use countersign_core::ids::RequestId;
use countersign_core::person::PersonId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is remembered of a request until it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRequest {
    /// When it was made, in milliseconds since 1970.
    pub requested_at: i64,
}

/// What of stored documents events read or change: at most four for each event. All of them are loaded before the events are
/// added, as far as there are any, and stored afterwards, or removed where there is none any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// The documents.
    pub documents: BTreeSet<DocumentKey>,
}

impl Touched {
    /// Adds what an event reads or changes.
    pub fn add(&mut self, event: &AuditEvent) {
        let Some(act) = Act::of(event) else { return };
        if is_judged(&event.user) {
            self.documents.insert(DocumentKey::Person(event.user.clone()));
        }
        let Some(request) = &event.request else { return };
        if matches!(act, Act::Approval | Act::Rejection) {
            self.documents.insert(DocumentKey::Deployment);
        }
        if act == Act::Approval {
            self.documents.insert(DocumentKey::Person(request.requested_by.clone()));
        }
        if matches!(act, Act::Request | Act::Approval | Act::Rejection | Act::End) {
            self.documents.insert(DocumentKey::Request(request.request_id));
        }
    }

    /// How many documents that are.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Whether that is nothing.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }
}

/// What an event is to the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// A request is made.
    Request,
    Approval,
    /// A rejection, which is an end as well.
    Rejection,
    /// The end of a request that is no decision.
    End,
    /// A call is refused, or several are.
    Refused,
    /// Anything else that a person does.
    Other,
}

impl Act {
    /// `None` of what no rule is about: events of other versions, and the anomalies themselves.
    fn of(event: &AuditEvent) -> Option<Self> {
        match event.event_type.known()? {
            EventType::ApprovalRequestCreated => Some(Self::Request),
            EventType::ApprovalGranted => Some(Self::Approval),
            EventType::ApprovalRejected => Some(Self::Rejection),
            EventType::ApprovalCancelled
            | EventType::ApprovalExpired
            | EventType::ExecutionSucceeded
            | EventType::ExecutionFailed => Some(Self::End),
            EventType::AttemptRefused => Some(Self::Refused),
            EventType::ApprovalWithdrawn
            | EventType::ExecutionStarted
            | EventType::ExecutionUnknown
            | EventType::TargetObserved
            | EventType::ExecutionClaimed
            | EventType::ExecutionRenewed
            | EventType::CommentAdded
            | EventType::AuditRead => Some(Self::Other),
            EventType::AnomalyDetected | EventType::ParametersErased => None,
        }
    }
}

/// Whether rules are about this person: the system acts by the clock, and unknown callers are not one person.
fn is_judged(person: &PersonId) -> bool {
    !person.is_of_the_system()
}

/// What is remembered: all of it, or what events touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnomalyState {
    /// What is remembered of persons.
    pub persons: BTreeMap<PersonId, PersonHistory>,
    /// What is remembered of requests.
    pub requests: BTreeMap<RequestId, OpenRequest>,
    /// What is remembered of all persons together.
    pub deployment: DeploymentHistory,
}

impl AnomalyState {
    /// Takes a stored document.
    ///
    /// # Errors
    /// The text is no document of this form.
    pub fn load(&mut self, key: &DocumentKey, text: &str) -> Result<(), UnreadableDocument> {
        match key {
            DocumentKey::Deployment => self.deployment = read(key, text)?,
            DocumentKey::Person(person) => {
                self.persons.insert(person.clone(), read(key, text)?);
            }
            DocumentKey::Request(request) => {
                self.requests.insert(*request, read(key, text)?);
            }
        }
        Ok(())
    }

    /// The document to be stored, or `None` if there is none, or none any more. Equal states have equal documents, byte by
    /// byte.
    ///
    /// # Errors
    /// The document cannot be written as JSON, which no state is known to cause.
    pub fn document(&self, key: &DocumentKey) -> Result<Option<String>, serde_json::Error> {
        match key {
            DocumentKey::Deployment => write(&self.deployment).map(Some),
            DocumentKey::Person(person) => self.persons.get(person).map(write).transpose(),
            DocumentKey::Request(request) => self.requests.get(request).map(write).transpose(),
        }
    }

    /// Adds an event, and gives what is found by it. What it touches has to be here, as far as there is any.
    pub fn add(&mut self, event: &AuditEvent) -> Vec<Finding> {
        let Some(act) = Act::of(event) else { return Vec::new() };
        let mut findings = Vec::new();
        if is_judged(&event.user) {
            self.add_act(act, event, &mut findings);
        }
        if let Some(request) = &event.request {
            match act {
                Act::Request => {
                    let requested_at = event.timestamp.as_millisecond();
                    self.requests.insert(request.request_id, OpenRequest { requested_at });
                }
                Act::Approval => findings.extend(self.add_pair(event, &request.requested_by)),
                Act::Rejection | Act::End => {
                    self.requests.remove(&request.request_id);
                }
                Act::Refused | Act::Other => {}
            }
        }
        findings
    }

    /// What follows from a person's own history.
    fn add_act(&mut self, act: Act, event: &AuditEvent, findings: &mut Vec<Finding>) {
        let person = self.persons.entry(event.user.clone()).or_default();
        let now = person.move_on(event.timestamp);
        let mut found = |person: &mut PersonHistory, rule: Rule, measure: Option<Measure>| {
            if let Some(measure) = measure
                && person.report(rule)
            {
                findings.push(Finding::of(rule, &event.user, None, measure, event));
            }
        };
        // Only people have a day and a night. Attempts that are counted are recorded when their count ends.
        if event.kind == PrincipalKind::Human && act != Act::Refused {
            let measure = person.hours.add(now);
            found(person, Rule::UnusualHour, measure);
        }
        match act {
            Act::Request => {
                let measure = person.requests.add(now);
                found(person, Rule::RequestBurst, measure);
            }
            Act::Refused => {
                let measure = person.attempts.add(event, now);
                found(person, Rule::RefusedAttempts, measure);
            }
            Act::Approval | Act::Rejection => {
                self.deployment.move_on(event.timestamp);
                let others = self.deployment.decisions.without(&person.decisions.counts);
                let request =
                    event.request.as_ref().and_then(|request| self.requests.get(&request.request_id));
                let decision = if act == Act::Rejection {
                    Decision::Refusal
                } else {
                    person.decisions.approval(request.map(|request| request.requested_at), now)
                };
                person.decisions.add(decision, now);
                self.deployment.decisions.add(decision);
                let measure = person.decisions.take_quick_row(&others);
                found(person, Rule::QuickApprovals, measure);
                let measure = person.decisions.take_unrefused_row(&others);
                found(person, Rule::NoRejections, measure);
            }
            Act::End | Act::Other => {}
        }
    }

    /// What follows from who approves whom.
    fn add_pair(&mut self, event: &AuditEvent, requester: &PersonId) -> Option<Finding> {
        let approver = &event.user;
        // Nobody approves a request of their own, and the system approves none.
        if requester == approver || !is_judged(approver) {
            return None;
        }
        self.deployment.approvers.add(approver);
        let mut requested = self.persons.remove(requester).unwrap_or_default();
        let now = requested.move_on(event.timestamp);
        requested.approvers.add(approver);
        let approved = self.persons.entry(approver.clone()).or_default();
        approved.move_on(event.timestamp);
        let measure = reciprocity(
            Side { person: requester, approvers: &mut requested.approvers },
            Side { person: approver, approvers: &mut approved.approvers },
            &self.deployment.approvers,
            now,
        );
        self.persons.insert(requester.clone(), requested);
        let rule = Rule::ReciprocalApproval;
        measure.map(|measure| Finding::of(rule, approver, Some(requester), measure, event))
    }
}
