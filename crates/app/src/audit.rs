//! Querying events across requests.

use crate::attempts;
use crate::cursor::Cursors;
use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::ports::{EventPage, EventQuery, LoadEvents, QueryEvents, RecordEvent};
use countersign_core::audit::call_record::Reading;
use countersign_core::policy::access::AccessDecision;
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use countersign_core::timestamp::Timestamp;

/// One page, as the caller gets it. In [`EventPage::next`] is a cursor.
///
/// A walk over all pages misses nothing up to [`EventPage::until`]: whatever is written down later happened later.
/// Who reads on from the next millisecond, some time after, misses nothing either.
///
/// That the caller has read this is recorded first, once an hour for the same filters.
///
/// # Errors
/// [`AppError::MalformedCursor`] before anything else; [`Refusal::NotPermitted`] for an actor who may not query.
pub async fn audit<S: QueryEvents + RecordEvent + LoadEvents>(
    dependencies: &Dependencies<S>,
    query: EventQuery,
    to: Option<Timestamp>,
    cursor: Option<&str>,
    reading: &Reading,
    actor: &Principal,
) -> Result<EventPage, AppError> {
    let cursors = Cursors::of_events(&query, to, actor, &dependencies.deployment_key);
    let after = cursor.map(|cursor| cursors.open(cursor)).transpose()?;
    let policy = &dependencies.policy;
    let is_own = !query.users.is_empty() && query.users.iter().all(|user| policy.is_actor(actor, user));
    permit(dependencies, actor, is_own)?;
    attempts::reading(dependencies, actor, reading).await?;
    let settled = dependencies.host.settled_until();
    let until = to.map_or(settled, |to| to.min(settled));
    let query = EventQuery { until, after, ..query };
    let mut page = dependencies.store.query_events(&query).await?;
    page.next = page.next.map(|position| cursors.seal(&position)).transpose()?;
    Ok(page)
}

/// Permits an actor to read what all callers did: in events, in the files of the log, in evidence and in figures.
///
/// # Errors
/// [`Refusal::NotPermitted`].
pub fn permit_all<S>(dependencies: &Dependencies<S>, actor: &Principal) -> Result<(), AppError> {
    permit(dependencies, actor, false)
}

fn permit<S>(dependencies: &Dependencies<S>, actor: &Principal, is_own: bool) -> Result<(), AppError> {
    match dependencies.policy.may_query_audit(actor, is_own, dependencies.host.now()) {
        AccessDecision::Permitted => Ok(()),
        AccessDecision::Denied(reasons) => Err(Refusal::NotPermitted(reasons).into()),
    }
}
