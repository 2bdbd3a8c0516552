//! A request as people read it, all of it.

use crate::view::page::View;
use crate::view::text::Text;
use crate::view::tones::{environment_tone, risk_tone};
use crate::view::words::{approvals, in_groups, needs};
use countersign_api::wire::{DecisionBody, ExecutionBody, HoldBody, RequestBody};
use std::collections::BTreeMap;

impl View {
    /// A request, all of it.
    pub fn request(&self, request: &RequestBody) -> Text {
        let mut text = self.title(&request.operation_type, &request.instance_id);
        self.standing(&mut text, request);
        self.line(&mut text, "Request", &request.request_id, None);
        self.optional(&mut text, "Held by", request.hold.as_ref().map(|hold| self.held(hold)).as_deref());
        self.lines(&mut text, "Blocked", request.blocked_by.iter().cloned());
        self.line(&mut text, "Risk", &request.risk_level, risk_tone(&request.risk_level));
        self.line(&mut text, "Environment", &request.environment, environment_tone(&request.environment));
        let requester = in_groups(&request.requested_by, &request.requester_groups);
        self.line(&mut text, "Requester", &requester, None);
        self.optional(&mut text, "Filed by", request.filed_by.as_deref());
        self.optional(&mut text, "Owner", request.owner.as_deref());
        self.line(&mut text, "Requested", &self.moment.ago(&request.requested_at), None);
        let cost = request.estimated_cost.map_or("not given".to_owned(), |cost| cost.to_string());
        self.line(&mut text, "Cost", &cost, None);
        self.optional(&mut text, "Duration", request.estimated_duration.as_deref());
        self.optional(&mut text, "Ticket", request.ticket.as_deref());
        self.optional(&mut text, "Priority", request.priority.as_deref());
        if !request.slots.is_empty() {
            // Whether those who have agreed fill them is for the service to say: see `explain`.
            let (received, required) = (request.approvals_received, request.approvals_required);
            let verb = if request.status == "pending" { "takes" } else { "took" };
            let needs =
                format!("{received} of {required}; {verb} in all: {}", needs(required, &request.slots));
            self.line(&mut text, "Approvals", &needs, None);
        }
        if request.approved_by.is_empty() {
            self.line(&mut text, "Approved by", "nobody yet", None);
        }
        let approvals = decisions(request, "approved");
        let approved_by = request.approved_by.iter().map(|person| self.decided(&approvals, person));
        self.lines(&mut text, "Approved by", approved_by);
        self.execution(&mut text, request);
        if let Some(justification) = &request.justification {
            self.quote(&mut text, "Justification", justification);
        }
        if let Some(plan) = &request.rollback_plan {
            self.quote(&mut text, "Rollback plan", plan);
        }
        match &request.parameters {
            Some(parameters) => {
                self.block(&mut text, "Parameters", parameters);
                let digest = request.parameters_digest.as_deref().unwrap_or_default();
                self.line(&mut text, "  SHA-256", digest, None);
                self.optional(&mut text, "All of it", request.content_digest.as_deref());
            }
            None => match &request.erased_at {
                Some(erased_at) => {
                    let erased = format!("erased {}, with all texts", self.moment.ago(erased_at));
                    self.quote(&mut text, "Parameters", &erased);
                    self.optional(&mut text, "  SHA-256", request.parameters_digest.as_deref());
                }
                None => self.quote(&mut text, "Parameters", "not shown to you"),
            },
        }
        match (&request.target, &request.executor) {
            (Some(target), _) => {
                self.block(&mut text, "Target as found", target);
                let digest = request.target_digest.as_deref().unwrap_or_default();
                self.line(&mut text, "  SHA-256", digest, None);
            }
            (None, Some(_)) if request.target_observed_at.is_none() => {
                self.quote(&mut text, "Target as found", "not looked at yet by the executor");
            }
            (None, _) => {}
        }
        if let Some(result) = &request.execution_result {
            self.block(&mut text, "Result", result);
        }
        for comment in &request.comments {
            let title =
                format!("{} {}, {}", comment.user, comment.action, self.moment.ago(&comment.timestamp));
            self.quote(&mut text, &title, &comment.comment);
        }
        text
    }

    /// The execution of a request. The permit itself is for programs: it goes into a file.
    pub fn execution_of(&self, execution: &ExecutionBody) -> Text {
        let mut text = Text::default();
        self.line(&mut text, "Execution", &execution.execution_id, None);
        self.line(&mut text, "Request", &execution.request_id, None);
        self.line(&mut text, "State", &execution.execution_state, None);
        self.line(&mut text, "For", &execution.execution_audience, None);
        self.line(&mut text, "Started by", &execution.execution_started_by, None);
        self.line(&mut text, "Started", &self.moment.ago(&execution.execution_started_at), None);
        self.optional(&mut text, "Claimed by", execution.claimed_by.as_deref());
        let claimed = execution.claimed_at.as_deref().map(|time| self.moment.ago(time));
        self.optional(&mut text, "Claimed", claimed.as_deref());
        let lease = execution.lease_until.as_deref().map(|time| self.moment.deadline(time));
        self.optional(&mut text, "Lease", lease.as_deref());
        let permit = match &execution.permit {
            Some(_) => {
                format!("{}; write it with --permit FILE", self.moment.deadline(&execution.permit_expires_at))
            }
            None => "claimed, expired, or not for you".to_owned(),
        };
        self.line(&mut text, "Permit", &permit, None);
        text
    }

    /// Who is looking at a request, since when and for how long.
    fn held(&self, hold: &HoldBody) -> String {
        let HoldBody { by, since, until } = hold;
        format!("{by}, since {}, {}", self.moment.ago(since), self.moment.deadline(until))
    }

    /// A decision: by whom, in which groups, when.
    fn decided(&self, decisions: &BTreeMap<&str, &DecisionBody>, person: &str) -> String {
        match decisions.get(person) {
            Some(decision) => {
                let when = self.moment.ago(&decision.at);
                let decided = format!("{}, {when}", in_groups(person, &decision.groups));
                match (&decision.counts, &decision.reason) {
                    (Some(false), Some(reason)) => format!("{decided}; does not count: {reason}"),
                    (Some(false), None) => format!("{decided}; does not count"),
                    (Some(true) | None, _) => decided,
                }
            }
            None => person.to_owned(),
        }
    }

    /// Where a request stands: one line.
    fn standing(&self, text: &mut Text, request: &RequestBody) {
        let approvals = approvals(request);
        let rest = match (request.status.as_str(), &request.execute_by) {
            ("pending", _) => format!("{approvals}, {} to decide", self.moment.deadline(&request.expires_at)),
            ("approved", Some(time)) => format!("{approvals}, {} to start", self.moment.deadline(time)),
            _ => approvals,
        };
        self.status(text, &request.status, &format!(", {rest}"));
        text.blank();
    }

    fn execution(&self, text: &mut Text, request: &RequestBody) {
        self.optional(text, "Executor", request.executor.as_deref());
        self.optional(text, "Starts", request.execution.as_deref());
        self.optional(text, "Not before", request.execute_at.as_deref());
        let window = request.window.as_ref().map(|window| format!("{} to {}", window.from, window.to));
        self.optional(text, "Window", window.as_deref());
        self.optional(text, "Execution", request.execution_id.as_deref());
        self.optional(text, "State", request.execution_state.as_deref());
        self.optional(text, "Started by", request.execution_started_by.as_deref());
        let past = |time: &Option<String>| time.as_deref().map(|time| self.moment.ago(time));
        self.optional(text, "Started", past(&request.execution_started_at).as_deref());
        self.optional(text, "Claimed by", request.claimed_by.as_deref());
        self.optional(text, "Claimed", past(&request.claimed_at).as_deref());
        let lease = request.lease_until.as_deref().map(|time| self.moment.deadline(time));
        self.optional(text, "Lease", lease.as_deref());
        if let Some(note) = &request.execution_note {
            self.quote(text, "Note", note);
        }
        self.optional(text, "Ended", past(&request.executed_at).as_deref());
        self.optional(text, "Actual cost", request.actual_cost.map(|cost| cost.to_string()).as_deref());
        let rejections = decisions(request, "rejected");
        let rejected_by = request.rejected_by.iter().map(|person| self.decided(&rejections, person));
        self.lines(text, "Rejected by", rejected_by);
        self.optional(text, "Cancelled", past(&request.cancelled_at).as_deref());
        self.optional(text, "Cancelled by", request.cancelled_by.as_deref());
        if let Some(reason) = &request.cancellation_reason {
            self.quote(text, "Cancelled because", reason);
        }
    }
}

/// The first decision of each person that went one way.
fn decisions<'a>(request: &'a RequestBody, verdict: &str) -> BTreeMap<&'a str, &'a DecisionBody> {
    let of_verdict = request.decisions.iter().filter(|decision| decision.decision == verdict);
    of_verdict.rev().map(|decision| (decision.person.as_str(), decision)).collect()
}

/// A request as the service shows it; `changes` are members that are different.
#[cfg(test)]
pub(crate) fn example(changes: serde_json::Value) -> RequestBody {
    let mut body = serde_json::json!({
        "request_id": "01930000-0000-4000-8000-0000000000aa", "status": "pending",
        "operation_type": "reboot", "instance_id": "production-db-01", "parameters": { "force": true },
        "parameters_digest": "d".repeat(64), "environment": "production", "risk_level": "high",
        "requested_by": "ann@example.com", "requested_at": "2026-01-31T09:00:00.000Z",
        "justification": "it hangs", "requester_groups": ["developer"], "approvals_required": 2, "slots": [],
        "digest_required": false, "rules": [], "approvals_received": 0, "approved_by": [],
        "expires_at": "2026-01-31T13:30:00.000Z", "comments": [], "decisions": [], "version": 1,
        "policy_version": "a".repeat(64), "audit_head": "b".repeat(64),
    });
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    serde_json::from_value(body).unwrap()
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
