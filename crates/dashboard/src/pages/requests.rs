//! `/requests`: what the visitor has asked for, each with its next step.

use crate::answer::Answer;
use crate::calls::{Failure, with_query};
use crate::frame::Frame;
use crate::pages::rows::{Row, WaitingList, open_first};
use crate::ports::Api;
use crate::visitor::Visitor;
use crate::words::Words;
use askama::Template;

#[derive(Template)]
#[template(path = "requests.html")]
struct RequestsPage {
    words: &'static Words,
    frame: Frame,
    rows: Vec<Row>,
    /// What there is instead of rows.
    empty: &'static str,
    next: Option<String>,
}

/// The page.
pub(crate) async fn page<P: Api>(visitor: &Visitor<'_, P>) -> Result<Answer, Failure> {
    let words = visitor.words();
    let frame = visitor.frame(words.my_requests.to_owned());
    let Some(person) = visitor.session()?.person.as_deref() else {
        let (rows, empty) = (Vec::new(), words.requests_unknown);
        return Ok(visitor.page(&RequestsPage { words, frame, rows, empty, next: None }));
    };
    let members = [("requested_by", person), ("cursor", visitor.fields.get("cursor"))];
    let list = visitor.calls()?.get::<WaitingList>(&open_first(&members)).await?.value;
    let times = visitor.times();
    let rows = list.items.iter().map(|waiting| Row::of(waiting, &times)).collect();
    let next = list.next_cursor.map(|cursor| with_query("/requests", &[("cursor", &cursor)]));
    Ok(visitor.page(&RequestsPage { words, frame, rows, empty: words.requests_empty, next }))
}
