//! `/approvals/{id}`: a request with every byte of what will run, and what the visitor may do about it.

pub(crate) mod act;
pub(crate) mod activity;
pub(crate) mod forms;
pub(crate) mod view;

use self::activity::{Activity, Entry};
use self::forms::{Forms, Kept};
use self::view::RequestView;
use crate::answer::Answer;
use crate::calls::Failure;
use crate::frame::{Frame, Live};
use crate::ports::Api;
use crate::problems::Alert;
use crate::visitor::Visitor;
use crate::words::{Words, filled};
use askama::Template;
use countersign_api::wire::{EventsBody, ExplainBody, RequestBody};
use countersign_core::digest::Digest;
use futures_util::future::join;
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
}

/// What the API says of a request.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub request: RequestBody,
    pub explanation: ExplainBody,
    /// `None` if policy does not show the trail to the visitor.
    pub events: Option<EventsBody>,
    /// What the page is made from.
    pub version: String,
}

/// Something that went wrong with a form of the page, and what the visitor wrote in it.
#[derive(Debug)]
pub(crate) struct Refused {
    pub status: StatusCode,
    pub alert: Alert,
    /// The version that the form was made for, if the request may have changed since.
    pub changed_since: Option<u64>,
}

/// Asks for a request, with its trail.
pub(crate) async fn load<P: Api>(visitor: &Visitor<'_, P>, id: &str) -> Result<Loaded, Failure> {
    let calls = visitor.calls()?;
    let path = format!("/v1/approvals/{id}/events");
    let (loaded, events) = join(load_without_trail(visitor, id), calls.get::<EventsBody>(&path)).await;
    let loaded = loaded?;
    match events {
        Ok(events) => {
            let version = Digest::of(format!("{}{}", loaded.version, events.digest)).to_string();
            Ok(Loaded { events: Some(events.value), version, ..loaded })
        }
        Err(Failure::Problem(_) | Failure::NotFound) => Ok(loaded),
        Err(failure @ (Failure::SignedOut | Failure::Unavailable)) => Err(failure),
    }
}

/// Asks for a request.
pub(crate) async fn load_without_trail<P: Api>(
    visitor: &Visitor<'_, P>,
    id: &str,
) -> Result<Loaded, Failure> {
    let calls = visitor.calls()?;
    let path = format!("/v1/approvals/{id}");
    let explain = format!("{path}/explain");
    let (request, explanation) =
        join(calls.get::<RequestBody>(&path), calls.get::<ExplainBody>(&explain)).await;
    let (request, explanation) = (request?, explanation?);
    Ok(Loaded {
        version: Digest::of(format!("{}{}", request.digest, explanation.digest)).to_string(),
        request: request.value,
        explanation: explanation.value,
        events: None,
    })
}

/// The page of a request.
pub(crate) async fn page<P: Api>(visitor: &Visitor<'_, P>, id: &str) -> Result<Answer, Failure> {
    let loaded = load(visitor, id).await?;
    let live = Live { seconds: SECONDS, version: loaded.version.clone() };
    Ok(visitor.unless_shown(&live, || {
        rendered(visitor, &loaded, live.clone(), Kept::default(), None)
            .unwrap_or_else(|failure| crate::pages::message::failure(visitor, &failure))
    }))
}

/// The page of a request after a form was refused: as the request is now, with what the visitor wrote.
async fn page_again<P: Api>(visitor: &Visitor<'_, P>, id: &str, refused: Refused) -> Result<Answer, Failure> {
    let loaded = load(visitor, id).await?;
    let live = Live { seconds: SECONDS, version: loaded.version.clone() };
    rendered(visitor, &loaded, live, Kept::of(&visitor.fields), Some(refused))
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
    let since = refused.as_ref().and_then(|refused| refused.changed_since);
    let changes = since.map(|version| activity.since(version));
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
    Ok(visitor.page_with(status, &RequestPage { words, frame, request, activity, forms, changes }))
}
