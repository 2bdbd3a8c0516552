//! A request as its page shows it: what will run, why, and who approves.

use crate::document::{self, DocumentLine};
use crate::labels::{self, Badge};
use crate::pages::rows::Held;
use crate::shown::Shown;
use crate::site::Site;
use crate::times::{Deadline, Moment, Times};
use crate::words::{Words, filled};
use countersign_api::wire::{DecisionBody, ExplainBody, RequestBody, RuleBody};
use countersign_core::canonical::CanonicalJson;
use serde_json::Value;

/// A request.
#[derive(Debug)]
pub(crate) struct RequestView {
    pub id: Shown,
    pub heading: Shown,
    pub status: Badge,
    pub risk: Badge,
    pub environment: Shown,
    pub operation: Shown,
    pub instance: Shown,
    /// What will run; `None` if policy does not show it.
    pub parameters: Option<Document>,
    /// Whether what is shown has the digests on record.
    pub is_whole: bool,
    pub content_digest: Option<Shown>,
    pub target: Option<Document>,
    pub result: Option<Document>,
    /// Further facts, with their names.
    pub facts: Vec<Fact>,
    pub times: Vec<(&'static str, Moment)>,
    /// Why there are no parameters, where there are none.
    pub hidden: &'static str,
    pub justification: Shown,
    pub rollback_plan: Option<Shown>,
    pub ticket: Option<TicketView>,
    pub rules: Vec<RuleView>,
    pub required: u8,
    pub received: usize,
    pub slots: Vec<Shown>,
    pub missing: Vec<Shown>,
    pub decisions: Vec<DecisionView>,
    /// Who still can approve: `None` of a request that is not pending.
    pub approvers: Option<Vec<Shown>>,
    pub blocked_by: Vec<Shown>,
    /// The approver who is looking at it.
    pub hold: Option<Held>,
    pub deadline: Option<Deadline>,
    pub otherwise: Option<&'static str>,
    pub next_step: &'static str,
}

/// A document with its digest.
#[derive(Debug)]
pub(crate) struct Document {
    pub lines: Vec<DocumentLine>,
    pub digest: Shown,
}

/// A fact with its name.
#[derive(Debug)]
pub(crate) struct Fact {
    pub name: &'static str,
    pub value: Shown,
}

/// A ticket, and where it is found.
#[derive(Debug)]
pub(crate) struct TicketView {
    pub text: Shown,
    pub url: Option<String>,
}

/// A part of the policy.
#[derive(Debug)]
pub(crate) struct RuleView {
    pub name: Shown,
    pub demands: Vec<Shown>,
}

/// A decision.
#[derive(Debug)]
pub(crate) struct DecisionView {
    pub person: Shown,
    pub decision: Shown,
    pub groups: Shown,
    /// Whether it counts; `None` where the question does not arise.
    pub counts: Option<bool>,
    pub reason: Shown,
    pub at: Moment,
}

impl RequestView {
    /// A request as a visitor of this site sees it.
    pub(crate) fn of(request: &RequestBody, explanation: &ExplainBody, site: &Site, times: &Times) -> Self {
        let words = times.words;
        let optional = |text: &Option<String>| text.as_ref().map(Shown::from);
        let rules =
            if explanation.current_rules.is_empty() { &request.rules } else { &explanation.current_rules };
        let is_open = matches!(request.status.as_str(), "pending" | "approved");
        Self {
            id: Shown::from(&request.request_id),
            heading: Shown::from(filled(words.on, &[&request.operation_type, &request.instance_id])),
            status: labels::status(words, &request.status),
            risk: labels::risk(words, &request.risk_level),
            environment: labels::environment(words, &request.environment),
            operation: Shown::from(&request.operation_type),
            instance: Shown::from(&request.instance_id),
            parameters: document(request.parameters.as_ref(), request.parameters_digest.as_ref()),
            is_whole: is_whole(request),
            content_digest: optional(&request.content_digest),
            target: document(request.target.as_ref(), request.target_digest.as_ref()),
            result: document(request.execution_result.as_ref(), None),
            facts: facts(request, words),
            times: moments(request, times),
            hidden: if request.erased_at.is_some() { words.erased } else { words.hidden },
            justification: Shown::lines(request.justification.as_deref().unwrap_or(words.erased)),
            rollback_plan: request.rollback_plan.as_deref().map(Shown::lines),
            ticket: request.ticket.as_ref().map(|ticket| TicketView::of(ticket, site)),
            rules: rules.iter().map(RuleView::of).collect(),
            required: request.approvals_required,
            received: request.approvals_received,
            slots: request.slots.iter().map(|slot| labels::slot(words, slot)).collect(),
            missing: if is_open { labels::missing(words, &explanation.missing) } else { Vec::new() },
            decisions: request.decisions.iter().map(|decision| DecisionView::of(decision, times)).collect(),
            approvers: (request.status == "pending").then(|| {
                explanation.approvers.iter().map(|groups| Shown::from(groups.join(words.and))).collect()
            }),
            blocked_by: explanation.blocked_by.iter().map(Shown::from).collect(),
            hold: request.hold.as_ref().map(|hold| Held::of(hold, times)),
            deadline: explanation.deadline.as_ref().map(|deadline| times.deadline(deadline)),
            otherwise: labels::otherwise(words, &request.status),
            next_step: labels::next_step(words, &request.status),
        }
    }
}

fn document(value: Option<&Value>, digest: Option<&String>) -> Option<Document> {
    let digest = digest.map(Shown::from).unwrap_or_default();
    value.map(|value| Document { lines: document::lines(value), digest })
}

/// Whether all that is shown of what was asked for is what the digests on record are over: the parameters those of the content,
/// and the content with the members that the page shows from beside it.
fn is_whole(request: &RequestBody) -> bool {
    let is_digest = |value: &Option<Value>, digest: &Option<String>| match (value, digest) {
        (Some(value), Some(digest)) => CanonicalJson::of(value).digest().to_string() == *digest,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    let is_in_content = |name: &str, shown: Option<&String>| match &request.content {
        None => true,
        Some(content) => content.get(name).and_then(Value::as_str) == shown.map(String::as_str),
    };
    // Nothing is decided on what was erased, and its digests are of what is not there.
    if request.erased_at.is_some() {
        return true;
    }
    is_digest(&request.parameters, &request.parameters_digest)
        && is_digest(&request.content, &request.content_digest)
        && is_digest(&request.target, &request.target_digest)
        && is_in_content("request_id", Some(&request.request_id))
        && is_in_content("operation_type", Some(&request.operation_type))
        && is_in_content("instance_id", Some(&request.instance_id))
        && is_in_content("requested_by", Some(&request.requested_by))
        && is_in_content("justification", request.justification.as_ref())
        && is_in_content("parameters_digest", request.parameters_digest.as_ref())
        && is_in_content("rollback_plan", request.rollback_plan.as_ref())
        && is_in_content("ticket", request.ticket.as_ref())
        && is_in_content("priority", request.priority.as_ref())
}

fn facts(request: &RequestBody, words: &Words) -> Vec<Fact> {
    let fact = |name, value: Option<Shown>| value.map(|value| Fact { name, value });
    let text = |text: &Option<String>| text.as_ref().map(Shown::from);
    let is_automatic = request.execution.as_deref() == Some("automatic");
    let executor = request.executor.as_ref().map(|executor| {
        let starts = if is_automatic { format!(". {}", words.starts_itself) } else { String::new() };
        Shown::from(format!("{executor}{starts}"))
    });
    let groups = Some(request.requester_groups.join(", ")).filter(|groups| !groups.is_empty());
    [
        fact(words.requester, Some(Shown::from(&request.requested_by))),
        fact(words.groups, groups.map(Shown::from)),
        fact(words.filed_by, text(&request.filed_by)),
        fact(words.owner, text(&request.owner)),
        fact(words.cost, labels::amount(request.estimated_cost)),
        fact(words.actual_cost, labels::amount(request.actual_cost)),
        fact(words.duration, text(&request.estimated_duration)),
        fact(words.priority, text(&request.priority)),
        fact(words.executor, executor),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn moments(request: &RequestBody, times: &Times) -> Vec<(&'static str, Moment)> {
    let words = times.words;
    let window = request.window.as_ref();
    let named = |name, text: Option<&String>| text.map(|text| (name, times.moment(text)));
    [
        named(words.requested, Some(&request.requested_at)),
        named(words.execute_at, request.execute_at.as_ref()),
        named(words.window, window.map(|window| &window.from)),
        named(words.window, window.map(|window| &window.to)),
        named(words.closed, request.closed_at.as_ref()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl TicketView {
    /// A link only where the site says where tickets are, or where the ticket stays in that place.
    fn of(ticket: &str, site: &Site) -> Self {
        let encoded: String = form_urlencoded::byte_serialize(ticket.as_bytes()).collect();
        let url = site.ticket_url.as_ref().map(|url| url.replace("{}", &encoded.replace('+', "%20")));
        Self { text: Shown::line(ticket), url }
    }
}

impl RuleView {
    pub(crate) fn of(rule: &RuleBody) -> Self {
        Self { name: Shown::from(&rule.name), demands: rule.demands.iter().map(Shown::from).collect() }
    }
}

impl DecisionView {
    fn of(decision: &DecisionBody, times: &Times) -> Self {
        Self {
            person: Shown::from(&decision.person),
            decision: labels::decision(times.words, &decision.decision),
            groups: Shown::from(decision.groups.join(", ")),
            counts: decision.counts,
            reason: decision.reason.as_ref().map(Shown::from).unwrap_or_default(),
            at: times.moment(&decision.at),
        }
    }
}
