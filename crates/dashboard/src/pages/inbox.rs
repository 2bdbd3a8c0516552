//! `/inbox`: what the visitor can decide, most urgent first.

use crate::answer::Answer;
use crate::calls::{Failure, with_query};
use crate::fields::Fields;
use crate::frame::{Frame, Live};
use crate::pages::rows::{Row, WaitingList};
use crate::ports::Api;
use crate::session::Session;
use crate::shown::Shown;
use crate::visitor::Visitor;
use crate::words::{Words, filled};
use askama::Template;

/// How often the inbox asks for changes.
const SECONDS: u32 = 10;

#[derive(Template)]
#[template(path = "inbox.html")]
struct InboxPage {
    words: &'static Words,
    frame: Frame,
    is_all: bool,
    rows: Vec<Row>,
    filters: Filters,
    damaged: Option<String>,
    next: Option<String>,
}

/// Filters of the inbox, as they were chosen.
#[derive(Debug)]
struct Filters {
    environment: String,
    risk: String,
    operation: Shown,
}

/// The page.
pub(crate) async fn page<P: Api>(visitor: &Visitor<'_, P>) -> Result<Answer, Failure> {
    let fields = &visitor.fields;
    let session = visitor.session()?;
    let is_all = fields.get("view") == "all";
    let path = path(fields, !is_all && session.is_known_by_name);
    let list = visitor.calls()?.get::<WaitingList>(&path).await?;
    let live = Live { seconds: SECONDS, version: list.digest.to_string() };
    Ok(visitor.unless_shown(&live, || rendered(visitor, session, is_all, list.value, live.clone())))
}

fn path(fields: &Fields, is_mine: bool) -> String {
    let risks: &[&str] = match fields.get("risk") {
        "medium" => &["medium", "high"],
        "high" => &["high"],
        _ => &[],
    };
    let mut members = vec![
        ("status", "pending"),
        ("waiting_for", if is_mine { "me" } else { "" }),
        ("environment", fields.trimmed("environment")),
        ("operation_type", fields.trimmed("operation")),
        ("cursor", fields.get("cursor")),
    ];
    members.extend(risks.iter().map(|risk| ("risk_level", *risk)));
    with_query("/v1/approvals", &members)
}

fn rendered<P>(
    visitor: &Visitor<'_, P>,
    session: &Session,
    is_all: bool,
    list: WaitingList,
    live: Live,
) -> Answer {
    let words = visitor.words();
    let fields = &visitor.fields;
    let now = visitor.visit.now.to_string();
    let mut items = list.items;
    items.retain(|waiting| {
        let summary = &waiting.summary;
        // A list may lag behind: what has ended is not shown, nor what this person can surely not decide.
        let is_open = summary.status == "pending" && summary.expires_at > now;
        let is_own = session
            .person
            .as_ref()
            .is_some_and(|person| *person == summary.requested_by || summary.approved_by.contains(person));
        is_open && (is_all || !is_own)
    });
    // Their times are of one width, so that their order is that of time.
    items.sort_by(|one, other| one.summary.expires_at.cmp(&other.summary.expires_at));
    let times = visitor.times();
    let rows: Vec<_> = items.iter().map(|waiting| Row::of(waiting, &times)).collect();
    let count = if is_all { words.inbox_pending } else { words.inbox_waiting };
    let mut frame = visitor
        .frame(words.inbox.to_owned())
        .with_update(filled(count, &[&words.counted(rows.len(), list.next_cursor.is_some())]));
    frame.waiting = Some(rows.len()).filter(|_| !is_all);
    frame.live = Some(live);
    let next = list.next_cursor.map(|cursor| {
        with_query(
            "/inbox",
            &[
                ("view", fields.get("view")),
                ("environment", fields.get("environment")),
                ("risk", fields.get("risk")),
                ("operation", fields.get("operation")),
                ("cursor", &cursor),
            ],
        )
    });
    visitor.page(&InboxPage {
        words,
        frame,
        is_all,
        rows,
        filters: Filters {
            environment: fields.get("environment").to_owned(),
            risk: fields.get("risk").to_owned(),
            operation: Shown::line(fields.get("operation")),
        },
        damaged: (list.damaged > 0).then(|| filled(words.damaged_rows, &[&list.damaged])),
        next,
    })
}
