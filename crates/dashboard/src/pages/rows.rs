//! Requests in lists.

use crate::calls::with_query;
use crate::labels::{self, Badge, CLOSED, OPEN};
use crate::shown::Shown;
use crate::times::{Deadline, Moment, Times};
use crate::words::filled;
use countersign_api::wire::{HoldBody, MissingBody, SummaryBody};
use serde::Deserialize;
use serde_json::Value;

/// A request in a list.
#[derive(Debug)]
pub(crate) struct Row {
    pub id: Shown,
    pub name: Shown,
    pub select: Shown,
    pub status: Badge,
    pub risk: Badge,
    pub environment: Shown,
    pub requester: Shown,
    pub approvals: String,
    pub missing: Vec<Shown>,
    /// The approver who is looking at it.
    pub hold: Option<Held>,
    pub cost: Option<Shown>,
    /// By when it is decided or started; of what has closed, nothing.
    pub deadline: Option<Deadline>,
    pub requested: Moment,
    pub closed: Option<Moment>,
    pub next_step: &'static str,
    /// Whether more can become of it.
    pub is_open: bool,
}

/// The approver who is looking at a request.
#[derive(Debug)]
pub(crate) struct Held {
    pub by: Shown,
    pub since: Moment,
    pub until: Deadline,
}

impl Held {
    /// As the API says it.
    pub(crate) fn of(hold: &HoldBody, times: &Times) -> Self {
        Self {
            by: Shown::from(&hold.by),
            since: times.moment(&hold.since),
            until: times.deadline(&hold.until),
        }
    }
}

/// A page of a list, of an API that may say more of each request than another.
#[derive(Debug, Deserialize)]
pub(crate) struct WaitingList {
    pub items: Vec<Waiting>,
    pub next_cursor: Option<String>,
    #[serde(default)]
    pub damaged: usize,
}

/// A request in a list, with what is missing if the API says so.
#[derive(Debug, Deserialize)]
pub(crate) struct Waiting {
    #[serde(flatten)]
    pub summary: SummaryBody,
    #[serde(default)]
    pub missing: Option<Value>,
}

/// The call that lists requests of every status: the open ones first, wherever they were made in time, which no list without
/// statuses does.
pub(crate) fn open_first(members: &[(&str, &str)]) -> String {
    let statuses = OPEN.into_iter().chain(CLOSED).map(|status| ("status", status));
    let members: Vec<_> = members.iter().copied().chain(statuses).collect();
    with_query("/v1/approvals", &members)
}

impl Row {
    /// A row of a list.
    pub(crate) fn of(waiting: &Waiting, times: &Times) -> Self {
        let words = times.words;
        let summary = &waiting.summary;
        let missing: Option<MissingBody> =
            waiting.missing.as_ref().and_then(|missing| serde_json::from_value(missing.clone()).ok());
        let deadline = match summary.status.as_str() {
            "pending" => Some(&summary.expires_at),
            "approved" => summary.execute_by.as_ref(),
            _ => None,
        };
        let place = |text: &str| Shown::from(filled(text, &[&summary.operation_type, &summary.instance_id]));
        Self {
            id: Shown::from(&summary.request_id),
            name: place(words.on),
            select: place(words.select),
            status: labels::status(words, &summary.status),
            risk: labels::risk(words, &summary.risk_level),
            environment: labels::environment(words, &summary.environment),
            requester: Shown::from(&summary.requested_by),
            approvals: filled(words.k_of_n, &[&summary.approvals_received, &summary.approvals_required]),
            missing: missing.map(|missing| labels::missing(words, &missing)).unwrap_or_default(),
            hold: summary.hold.as_ref().map(|hold| Held::of(hold, times)),
            cost: labels::amount(summary.estimated_cost),
            deadline: deadline.map(|deadline| times.deadline(deadline)),
            requested: times.moment(&summary.requested_at),
            closed: times.optional(summary.closed_at.as_ref()),
            next_step: labels::next_step(words, &summary.status),
            is_open: OPEN.contains(&summary.status.as_str()),
        }
    }
}
