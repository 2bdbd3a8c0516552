//! Listing requests, as far as the actor may see them.

use crate::dependencies::Dependencies;
use crate::failure::Failure;
use crate::ports::{ListQuery, ListRequests, Page};
use countersign_core::access::{self, Action};
use countersign_core::actor::Actor;
use countersign_core::refusal::Refusal;

/// One page of the requests that match and that the actor may see.
///
/// # Errors
/// [`Refusal::NotPermitted`] for whoever may see none, [`Failure::MalformedCursor`].
pub async fn list<S: ListRequests>(
    dependencies: &Dependencies<S>,
    mut query: ListQuery,
    actor: &Actor,
) -> Result<Page, Failure> {
    if !access::allows(actor, Action::ViewAll) {
        if !access::allows(actor, Action::ViewOwn) {
            return Err(Refusal::NotPermitted("none of your groups may see requests").into());
        }
        match &query.requested_by {
            Some(person) if *person != actor.person => {
                return Ok(Page { items: Vec::new(), next_cursor: None });
            }
            Some(_) | None => query.requested_by = Some(actor.person.clone()),
        }
    }
    Ok(dependencies.store.list(&query).await?)
}
