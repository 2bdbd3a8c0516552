//! Why a call does not go on, and what to do about it: one document for every way in.

use crate::free_text;
use crate::link::link;
use countersign_api::wire::{ProblemBody, RequestBody};
use countersign_core::text::escaped_line;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The code of a call that waits for approvers.
pub const APPROVAL_PENDING: &str = "approval_pending";
/// The code of a call of which it is not known whether it was carried out.
pub const OUTCOME_UNKNOWN: &str = "outcome_unknown";

/// Why a call does not go on. Its own words are plain; texts of people in `reasons` are marked as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// A stable name: a code of the API, the status of a request, or one of a way in.
    pub code: String,
    /// What has happened.
    pub message: String,
    /// Why, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// The request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Where people look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Until when it can be decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// What the agent does now.
    pub next_step: String,
}

impl Notice {
    /// One that is about no request.
    pub fn new(code: &str, message: &str, next_step: &str) -> Self {
        Self {
            code: code.to_owned(),
            message: message.to_owned(),
            reasons: Vec::new(),
            request_id: None,
            link: None,
            deadline: None,
            next_step: next_step.to_owned(),
        }
    }

    /// The same, with reasons.
    #[must_use]
    pub fn with_reasons(self, reasons: Vec<String>) -> Self {
        Self { reasons, ..self }
    }

    /// The same, about a request.
    #[must_use]
    pub fn about(self, request: &RequestBody, dashboard_url: Option<&str>) -> Self {
        let link = link(dashboard_url, &request.request_id);
        Self { request_id: Some(request.request_id.clone()), link, ..self }
    }

    /// That approvers have not decided yet.
    pub fn pending(request: &RequestBody, dashboard_url: Option<&str>) -> Self {
        let (received, required) = (request.approvals_received, request.approvals_required);
        let message = format!("it waits for approval: {received} of {required} so far");
        let next_step =
            "call again with the same arguments: that asks for nothing new, and goes on once it is approved";
        let notice = Self::new(APPROVAL_PENDING, &message, next_step).about(request, dashboard_url);
        let blocked = request.blocked_by.iter().map(|person| {
            format!("{} is disabled, so it cannot go ahead even with all approvals", escaped_line(person))
        });
        Self { deadline: Some(request.expires_at.clone()), ..notice }.with_reasons(blocked.collect())
    }

    /// What has become of a request that does not wait any more, who did that, and why.
    pub fn closed(request: &RequestBody, dashboard_url: Option<&str>) -> Self {
        let by = |person: &Option<String>| person.as_deref().map(escaped_line).unwrap_or_default();
        let quoted = |person: &Option<String>, text: &Option<String>| {
            text.iter().map(|text| free_text::marked(person.as_deref().unwrap_or_default(), text)).collect()
        };
        let (message, reasons, next_step) = match request.status.as_str() {
            "rejected" => (
                format!("{} has rejected it; nothing was run", by(&request.rejected_by)),
                quoted(&request.rejected_by, &request.rejection_reason),
                "do not repeat it: change what is asked for, or ask the approver",
            ),
            "cancelled" => (
                format!("{} has cancelled it; nothing was run", by(&request.cancelled_by)),
                quoted(&request.cancelled_by, &request.cancellation_reason),
                "call again only if it is still needed: that makes a new request",
            ),
            "expired" => (
                "it was not decided, or not started, in time; nothing was run".to_owned(),
                Vec::new(),
                "call again if it is still needed: that makes a new request",
            ),
            "executed" | "failed" => (
                format!("its approval is spent: it is {} already", request.status),
                Vec::new(),
                "call again only if it is to be done once more: that makes a new request",
            ),
            "executing" => (
                format!(
                    "its approval is spent: {} has started it, and has not reported what came of it",
                    by(&request.execution_started_by)
                ),
                Vec::new(),
                "find out what was done before asking for it again",
            ),
            status => (
                format!("it is {}", escaped_line(status)),
                Vec::new(),
                "read the request to see where it stands",
            ),
        };
        Self::new(&request.status, &message, next_step).about(request, dashboard_url).with_reasons(reasons)
    }

    /// That the execution of a request ended without news of what it has done.
    pub fn outcome_unknown(request_id: &str, dashboard_url: Option<&str>, detail: &str) -> Self {
        let message = format!("it was started, and it is not known what it has done: {detail}");
        let next_step = "find out what was done before asking for it again; its approval is spent, and it is not run again";
        Self {
            request_id: Some(request_id.to_owned()),
            link: link(dashboard_url, request_id),
            ..Self::new(OUTCOME_UNKNOWN, &message, next_step)
        }
    }

    /// What the service refuses.
    pub fn of_problem(problem: &ProblemBody) -> Self {
        let fields = problem
            .errors
            .iter()
            .map(|error| format!("{}: {}", error.pointer, error.message).trim().to_owned());
        let reasons: Vec<_> = match problem.errors.as_slice() {
            [] => problem.reasons.clone(),
            _ => fields.collect(),
        };
        let next_step = match problem.code.as_str() {
            "validation_failed" => "mend the fields and call again",
            "too_many_pending" => "wait until requests are decided, or cancel some",
            "too_many_requests" | "store_unavailable" => "call again in a moment, with the same arguments",
            "unauthenticated" => "the operator has to give this program a token that the service accepts",
            "agent_cannot_approve" | "self_approval" | "not_permitted" | "people_only" => {
                "do not repeat it: policy does not let you do this"
            }
            "workflow_disabled" => "the operator has switched approvals off; nothing can be asked for",
            _ => "read the request to see where it stands before you call again",
        };
        Self::new(&problem.code, &problem.detail, next_step).with_reasons(reasons)
    }

    /// The notice as JSON.
    pub fn document(&self) -> Value {
        json!(self)
    }

    /// The notice in lines. Everything in it is escaped.
    pub fn text(&self) -> String {
        let mut lines = vec![format!("{} ({})", escaped_line(&self.message), escaped_line(&self.code))];
        lines.extend(self.reasons.iter().map(|reason| format!("why: {}", escaped_line(reason))));
        let named = [("request", &self.request_id), ("link", &self.link), ("deadline", &self.deadline)];
        lines.extend(
            named
                .into_iter()
                .filter_map(|(name, value)| Some(format!("{name}: {}", escaped_line(value.as_deref()?)))),
        );
        lines.push(format!("next: {}", escaped_line(&self.next_step)));
        lines.join("\n")
    }
}
