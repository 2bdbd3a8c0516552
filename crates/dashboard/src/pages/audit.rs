//! `/audit`: events by filter; of one request also whether its chain is whole, and its evidence.

use crate::answer::Answer;
use crate::calls::{Failure, with_query};
use crate::document::{self, DocumentLine};
use crate::frame::Frame;
use crate::labels;
use crate::pages::history::Choice;
use crate::ports::Api;
use crate::return_path::is_request_id;
use crate::shown::Shown;
use crate::times::{Moment, Times};
use crate::visitor::Visitor;
use crate::words::Words;
use askama::Template;
use countersign_api::wire::{AuditBody, EventsBody};
use countersign_core::event::EventType;
use serde_json::Value;
use strum::IntoEnumIterator as _;

/// The filters, by the names that the page and the API have for them.
const FILTERS: [(&str, &str); 6] = [
    ("user", "user"),
    ("event", "event_type"),
    ("instance", "instance_id"),
    ("request", "request_id"),
    ("from", "from"),
    ("to", "to"),
];

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    words: &'static Words,
    frame: Frame,
    events: Vec<EventView>,
    types: Vec<Choice>,
    filters: Filters,
    settled: Moment,
    findings: Vec<Shown>,
    /// Whether the chain of the request is whole, if it is one request.
    is_verified: Option<bool>,
    request: Option<Shown>,
    next: Option<String>,
}

#[derive(Debug)]
struct Filters {
    user: Shown,
    instance: Shown,
    request: Shown,
    from: Shown,
    to: Shown,
}

/// An event.
#[derive(Debug)]
struct EventView {
    what: Shown,
    who: Shown,
    kind: Shown,
    at: Moment,
    /// The request it is about, with its name.
    request: Option<(Shown, Shown)>,
    lines: Vec<DocumentLine>,
}

impl EventView {
    fn of(event: &Value, times: &Times) -> Self {
        let words = times.words;
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        let name = crate::words::filled(words.on, &[&text("operation_type"), &text("instance_id")]);
        let id = Some(text("request_id")).filter(|id| is_request_id(id));
        Self {
            what: labels::event(words, text("event_type")),
            who: Shown::line(text("user")),
            kind: labels::kind(words, text("kind")),
            at: times.moment(text("timestamp")),
            request: id.map(|id| (Shown::line(id), Shown::from(name))),
            lines: document::lines(event),
        }
    }
}

/// The page.
pub(crate) async fn page<P: Api>(visitor: &Visitor<'_, P>) -> Result<Answer, Failure> {
    let words = visitor.words();
    let fields = &visitor.fields;
    let calls = visitor.calls()?;
    let mut members: Vec<_> = FILTERS.map(|(field, name)| (name, fields.trimmed(field))).into();
    members.extend([("order", "desc"), ("limit", "50"), ("cursor", fields.get("cursor"))]);
    let page = calls.get::<AuditBody>(&with_query("/v1/audit-logs", &members)).await?.value;
    let request = fields.filled("request").filter(|id| is_request_id(id));
    let trail = match request {
        Some(id) => Some(calls.get::<EventsBody>(&format!("/v1/approvals/{id}/events")).await?.value),
        None => None,
    };
    let times = visitor.times();
    let findings = page.findings.iter().chain(trail.iter().flat_map(|trail| &trail.findings));
    let next = page.next_cursor.as_ref().map(|cursor| {
        let kept = FILTERS.map(|(field, _)| (field, fields.trimmed(field)));
        with_query("/audit", &[kept.as_slice(), &[("cursor", cursor)]].concat())
    });
    let types = EventType::iter().map(|event| {
        let value = event.as_str();
        Choice { value, name: labels::event(words, value), is_chosen: fields.get("event") == value }
    });
    let page = AuditPage {
        words,
        frame: visitor.frame(words.audit.to_owned()),
        events: page.items.iter().map(|event| EventView::of(event, &times)).collect(),
        types: types.collect(),
        filters: Filters {
            user: Shown::line(fields.get("user")),
            instance: Shown::line(fields.get("instance")),
            request: Shown::line(fields.get("request")),
            from: Shown::line(fields.get("from")),
            to: Shown::line(fields.get("to")),
        },
        settled: times.moment(&page.settled_until),
        findings: findings.map(Shown::from).collect(),
        is_verified: trail.as_ref().map(|trail| trail.verified),
        request: request.map(Shown::line),
        next,
    };
    Ok(visitor.page(&page))
}

/// The evidence of a request. That it was taken is an event, so that it is a form.
pub(crate) async fn evidence<P: Api>(visitor: &Visitor<'_, P>) -> Result<Answer, Failure> {
    let id = visitor.fields.filled("request").filter(|id| is_request_id(id)).ok_or(Failure::NotFound)?;
    let file = visitor.calls()?.file(&format!("/v1/approvals/{id}/evidence")).await?;
    Ok(Answer::file("application/json", &format!("evidence-{id}.json"), file))
}
