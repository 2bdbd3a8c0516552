//! What the API says of a request.

use crate::calls::Failure;
use crate::ports::Api;
use crate::visitor::Visitor;
use countersign_api::wire::{EventsBody, ExplainBody, RequestBody};
use countersign_core::digest::Digest;
use futures_util::future::join;

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
