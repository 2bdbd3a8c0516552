//! `/history`: closed requests, by status, time, person and instance, as far back as they are kept.

use crate::answer::Answer;
use crate::calls::{Failure, with_query};
use crate::fields::Fields;
use crate::frame::Frame;
use crate::labels::{self, CLOSED};
use crate::pages::rows::{Row, WaitingList};
use crate::ports::Api;
use crate::shown::Shown;
use crate::visitor::Visitor;
use crate::words::Words;
use askama::Template;
use countersign_core::timestamp::Timestamp;

/// What the API lists unless it is asked for another range.
const DAYS: u32 = 90;
const DAY_SECONDS: u32 = 24 * 60 * 60;
/// The filters, by the names that pages and the API have for them.
const FILTERS: [(&str, &str); 4] =
    [("requester", "requested_by"), ("instance", "instance_id"), ("from", "from"), ("to", "to")];

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage {
    words: &'static Words,
    frame: Frame,
    rows: Vec<Row>,
    filters: Filters,
    csv: String,
    earlier: Option<String>,
    next: Option<String>,
}

#[derive(Debug)]
struct Filters {
    statuses: Vec<Choice>,
    requester: Shown,
    instance: Shown,
    from: Shown,
    to: Shown,
}

/// A choice of a list.
#[derive(Debug)]
pub(crate) struct Choice {
    pub value: &'static str,
    pub name: Shown,
    pub is_chosen: bool,
}

/// The call that lists what these filters say.
pub(super) fn call(fields: &Fields, cursor: &str, limit: &str) -> String {
    let chosen: Vec<_> = CLOSED.into_iter().filter(|status| *status == fields.get("status")).collect();
    let statuses = if chosen.is_empty() { CLOSED.to_vec() } else { chosen };
    let mut members: Vec<_> = statuses.into_iter().map(|status| ("status", status)).collect();
    members.extend(FILTERS.map(|(field, name)| (name, fields.trimmed(field))));
    members.extend([("cursor", cursor), ("limit", limit)]);
    with_query("/v1/approvals", &members)
}

/// A path of ours with the same filters and some others.
fn with_filters(path: &str, fields: &Fields, others: &[(&str, &str)]) -> String {
    let names = ["status", "requester", "instance", "from", "to"];
    let kept = names.into_iter().filter(|name| !others.iter().any(|(other, _)| other == name));
    let members: Vec<_> =
        kept.map(|name| (name, fields.trimmed(name))).chain(others.iter().copied()).collect();
    with_query(path, &members)
}

/// The page.
pub(crate) async fn page<P: Api>(visitor: &Visitor<'_, P>) -> Result<Answer, Failure> {
    let words = visitor.words();
    let fields = &visitor.fields;
    let list = visitor.calls()?.get::<WaitingList>(&call(fields, fields.get("cursor"), "")).await?.value;
    let times = visitor.times();
    let statuses = CLOSED.map(|value| Choice {
        value,
        name: labels::status(words, value).text,
        is_chosen: fields.get("status") == value,
    });
    let page = HistoryPage {
        words,
        frame: visitor.frame(words.history.to_owned()),
        rows: list.items.iter().map(|waiting| Row::of(waiting, &times)).collect(),
        filters: Filters {
            statuses: statuses.into(),
            requester: Shown::line(fields.get("requester")),
            instance: Shown::line(fields.get("instance")),
            from: Shown::line(fields.get("from")),
            to: Shown::line(fields.get("to")),
        },
        csv: with_filters("/history.csv", fields, &[]),
        earlier: earlier(fields, visitor.visit.now)
            .filter(|_| list.next_cursor.is_none())
            .map(|(from, to)| with_filters("/history", fields, &[("from", &from), ("to", &to)])),
        next: list.next_cursor.map(|cursor| with_filters("/history", fields, &[("cursor", &cursor)])),
    };
    Ok(visitor.page(&page))
}

/// The days before those that are shown.
fn earlier(fields: &Fields, now: Timestamp) -> Option<(String, String)> {
    let last = fields.filled("to").and_then(|day| Timestamp::parse_first(day).ok()).unwrap_or(now);
    let to = match fields.filled("from") {
        Some(day) => Timestamp::parse_first(day).ok()?.minus_seconds(DAY_SECONDS),
        // What is listed without a first day begins within one: the rest of it is shown with what was before.
        None => last.minus_seconds(DAYS * DAY_SECONDS),
    };
    (to > Timestamp::EARLIEST).then(|| (to.minus_seconds(DAYS * DAY_SECONDS).day(), to.day()))
}
