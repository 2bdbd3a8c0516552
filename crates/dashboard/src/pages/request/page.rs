//! The page of a request, as it is opened and as it comes back with a form that was refused.

use super::activity::{Activity, Entry};
use super::forms::{Forms, Kept};
use super::loaded::{Loaded, load};
use super::view::RequestView;
use crate::answer::Answer;
use crate::calls::Failure;
use crate::frame::{Frame, Live};
use crate::pages::message;
use crate::ports::Api;
use crate::problems::Alert;
use crate::ticket::Action;
use crate::visitor::Visitor;
use crate::words::{Words, filled};
use askama::Template;
use http::StatusCode;

/// How often the page of a request asks for changes.
const SECONDS: u32 = 5;

#[derive(Template)]
#[template(path = "request.html")]
struct RequestPage {
    words: &'static Words,
    frame: Frame,
    request: RequestView,
    activity: Activity,
    forms: Forms,
    changes: Option<Vec<Entry>>,
    /// What is said where these are none.
    no_changes: &'static str,
}

/// Something that went wrong with a form of the page, and what the visitor wrote in it.
#[derive(Debug)]
pub(crate) struct Refused {
    pub status: StatusCode,
    pub alert: Alert,
    /// Since when the request may have changed, if it may have.
    pub changed: Option<Changed>,
    /// The key of the form, if the call may have had its effect all the same: with it, the form counts once.
    pub key: Option<String>,
}

/// Since when a request may have changed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Changed {
    /// Since the version that the form was made for.
    Since(u64),
    /// The form does not say.
    Unknown,
}

/// The page of a request.
pub(crate) async fn page<P: Api>(visitor: &Visitor<'_, P>, id: &str) -> Result<Answer, Failure> {
    let loaded = load(visitor, id).await?;
    let live = Live { seconds: SECONDS, version: loaded.version.clone() };
    Ok(visitor.unless_shown(&live, || {
        rendered(visitor, &loaded, live.clone(), Kept::default(), None)
            .unwrap_or_else(|failure| message::failure(visitor, &failure))
    }))
}

/// The page of a request after a form was refused: as the request is now, with what the visitor wrote.
pub(crate) async fn page_again<P: Api>(
    visitor: &Visitor<'_, P>,
    id: &str,
    action: Action,
    refused: Refused,
) -> Result<Answer, Failure> {
    let loaded = load(visitor, id).await?;
    let live = Live { seconds: SECONDS, version: loaded.version.clone() };
    let key = refused.key.clone().map(|key| (action, key));
    rendered(visitor, &loaded, live, Kept { key, ..Kept::of(&visitor.fields) }, Some(refused))
}

fn rendered<P>(
    visitor: &Visitor<'_, P>,
    loaded: &Loaded,
    live: Live,
    kept: Kept,
    refused: Option<Refused>,
) -> Result<Answer, Failure> {
    let words = visitor.words();
    let times = visitor.times();
    let request = RequestView::of(&loaded.request, &loaded.explanation, visitor.site, &times);
    let forms = Forms::of(loaded, &request, visitor.tickets()?, words, kept);
    let activity = Activity::of(loaded, &times);
    let status = refused.as_ref().map_or(StatusCode::OK, |refused| refused.status);
    let changed = refused.as_ref().and_then(|refused| refused.changed);
    let (changes, no_changes) = match changed {
        None => (None, ""),
        Some(Changed::Unknown) => (Some(Vec::new()), words.changes_unknown),
        Some(Changed::Since(version)) => {
            let is_hidden = activity.is_verified.is_none();
            let no_changes = if is_hidden { words.changes_hidden } else { words.no_events_since };
            (Some(activity.since(version)), no_changes)
        }
    };
    let count = filled(words.k_of_n, &[&request.received, &request.required]);
    let mut update = format!("{}: {}. {}: {count}.", words.status, request.status.text, words.approvals);
    let person = visitor.session()?.person.as_ref();
    if loaded.request.decisions.iter().any(|decision| Some(&decision.person) == person) {
        update = format!("{update} {}", words.you_decided);
    }
    let mut frame = visitor.frame(request.heading.clone());
    // What comes back after a form has the address of the form.
    frame.address = format!("/approvals/{}", request.id);
    frame.live = Some(live);
    let frame = frame.with_alert(refused.map(|refused| refused.alert)).with_update(update);
    Ok(visitor
        .page_with(status, &RequestPage { words, frame, request, activity, forms, changes, no_changes }))
}
