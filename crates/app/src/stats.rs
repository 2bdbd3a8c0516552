//! Reading the figures of a range of days.

use crate::attempts;
use crate::audit::permit_all;
use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::figure_store::{ReadFigures, StoredFigures};
use crate::ports::{LoadEvents, RecordEvent};
use countersign_core::audit::call_record::Reading;
use countersign_core::principal::Principal;

/// The figures of the days from `from` to `to`, such as `2026-01-31`.
///
/// That the caller has read them is recorded first, once an hour for the same filters.
///
/// # Errors
/// [`Refusal::NotPermitted`](countersign_core::refusal::Refusal::NotPermitted) for an actor who may not query what all callers did.
pub async fn stats<S: ReadFigures + RecordEvent + LoadEvents>(
    dependencies: &Dependencies<S>,
    (from, to): (&str, &str),
    reading: &Reading,
    actor: &Principal,
) -> Result<StoredFigures, AppError> {
    permit_all(dependencies, actor)?;
    attempts::reading(dependencies, actor, reading).await?;
    Ok(dependencies.store.read_figures(from, to).await?)
}
