//! `/instances`: what is open and what was done for one instance, or which instances have pending requests.

use crate::answer::Answer;
use crate::calls::{Failure, with_query};
use crate::frame::Frame;
use crate::labels::CLOSED;
use crate::pages::request::forms::{Forms, Kept};
use crate::pages::request::loaded::load_without_trail;
use crate::pages::request::view::RequestView;
use crate::pages::rows::{Row, Waiting, WaitingList, open_first};
use crate::ports::Api;
use crate::return_path::is_request_id;
use crate::shown::Shown;
use crate::visitor::Visitor;
use crate::words::{Words, filled};
use askama::Template;
use std::collections::BTreeMap;

#[derive(Template)]
#[template(path = "instance.html")]
struct InstancePage {
    words: &'static Words,
    frame: Frame,
    open: Vec<OpenRow>,
    closed: Vec<Row>,
    /// Where what closed earlier is.
    history: String,
    /// A request for the instance.
    ask: String,
    /// The request that is shown whole.
    inline: Option<(RequestView, Forms)>,
    next: Option<String>,
    /// Whether it is the first page of the list: the open ones are there.
    is_first: bool,
}

/// A request that is open, with where it is shown whole.
#[derive(Debug)]
struct OpenRow {
    row: Row,
    review: String,
}

#[derive(Template)]
#[template(path = "instances.html")]
struct InstancesPage {
    words: &'static Words,
    frame: Frame,
    instances: Vec<InstanceLink>,
    /// Whether there are more pending requests than were counted.
    is_more: bool,
}

/// An instance with pending requests.
#[derive(Debug)]
struct InstanceLink {
    name: Shown,
    path: String,
    count: String,
}

/// The page of an instance, or of all.
pub(crate) async fn page<P: Api>(visitor: &Visitor<'_, P>) -> Result<Answer, Failure> {
    match visitor.fields.filled("id") {
        Some(id) => instance(visitor, id).await,
        None => all(visitor).await,
    }
}

async fn instance<P: Api>(visitor: &Visitor<'_, P>, id: &str) -> Result<Answer, Failure> {
    let words = visitor.words();
    let times = visitor.times();
    let members = [("instance_id", id), ("cursor", visitor.fields.get("cursor"))];
    let list = visitor.calls()?.get::<WaitingList>(&open_first(&members)).await?.value;
    let is_closed = |waiting: &&Waiting| CLOSED.contains(&waiting.summary.status.as_str());
    let (closed, open): (Vec<_>, Vec<_>) = list.items.iter().partition(is_closed);
    let open = open.into_iter().map(|waiting| OpenRow {
        row: Row::of(waiting, &times),
        review: with_query("/instances", &[("id", id), ("open", &waiting.summary.request_id)]),
    });
    let inline = match visitor.fields.filled("open").filter(|request| is_request_id(request)) {
        Some(request) => {
            let loaded = load_without_trail(visitor, request).await?;
            // The page is of one instance.
            if loaded.request.instance_id != id {
                return Err(Failure::NotFound);
            }
            let view = RequestView::of(&loaded.request, &loaded.explanation, visitor.site, &times);
            let forms = Forms::of(&loaded, &view, visitor.tickets()?, words, Kept::default());
            Some((view, forms))
        }
        None => None,
    };
    let next = list.next_cursor.map(|cursor| with_query("/instances", &[("id", id), ("cursor", &cursor)]));
    let page = InstancePage {
        words,
        frame: visitor.frame(id.to_owned()),
        open: open.collect(),
        closed: closed.into_iter().map(|waiting| Row::of(waiting, &times)).collect(),
        inline,
        history: with_query("/history", &[("instance", id)]),
        ask: with_query("/requests/new", &[("instance", id)]),
        next,
        is_first: visitor.fields.filled("cursor").is_none(),
    };
    Ok(visitor.page(&page))
}

async fn all<P: Api>(visitor: &Visitor<'_, P>) -> Result<Answer, Failure> {
    let words = visitor.words();
    let list = visitor.calls()?.get::<WaitingList>("/v1/approvals?status=pending&limit=100").await?.value;
    let mut counts = BTreeMap::<&str, usize>::new();
    for waiting in &list.items {
        *counts.entry(&waiting.summary.instance_id).or_default() += 1;
    }
    let is_more = list.next_cursor.is_some();
    let link = |(id, count): (&str, usize)| InstanceLink {
        name: Shown::line(id),
        path: with_query("/instances", &[("id", id)]),
        count: filled(words.inbox_pending, &[&words.counted(count, is_more)]),
    };
    let page = InstancesPage {
        words,
        frame: visitor.frame(words.instances.to_owned()),
        instances: counts.into_iter().map(link).collect(),
        is_more,
    };
    Ok(visitor.page(&page))
}
