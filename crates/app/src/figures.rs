//! Figures of the service that are measured in the store, and the names that they have for operations.
//!
//! What is counted as it happens is the business of an [`Observer`](crate::host::Observer).

use crate::damage;
use crate::dependencies::Dependencies;
use crate::error::AppError;
use crate::list::MAX_QUERIES;
use crate::ports::{ListQuery, ListRequests, RequestSummary};
use countersign_core::policy::Policy;
use countersign_core::request::Status;
use countersign_core::text::Identifier;
use countersign_core::timestamp::Timestamp;
use std::collections::BTreeSet;

/// The operations that figures tell apart: those of the catalogue. What else a caller may write is one more, so that no
/// caller makes figures many.
#[derive(Debug, Clone, Default)]
pub struct KnownOperations(BTreeSet<String>);

impl KnownOperations {
    /// Those of a policy.
    pub fn of(policy: &Policy) -> Self {
        Self(policy.rules().operations().map(str::to_owned).collect())
    }

    /// The name that an operation has in figures.
    pub fn name<'a>(&self, operation: &'a Identifier) -> &'a str {
        if self.0.contains(operation.as_str()) { operation.as_str() } else { "other" }
    }
}

/// The requests that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenRequests {
    /// How many wait for a decision, as far as they were counted.
    pub pending: usize,
    /// How many are approved and not started, as far as they were counted.
    pub approved: usize,
    /// How many executions are under way, as far as they were counted.
    pub executing: usize,
    /// When the oldest pending request was made. The index has them by deadline, not by age: of those that were
    /// counted. They are the oldest, but for such as policy gives less time than others.
    pub oldest_pending: Option<Timestamp>,
    /// When the oldest execution began.
    pub oldest_executing: Option<Timestamp>,
}

/// Measures what is open now. Counts up to `at_most` of each status. May lag behind.
///
/// # Errors
/// When the lists cannot be read.
pub async fn open_requests<S: ListRequests>(
    dependencies: &Dependencies<S>,
    at_most: usize,
) -> Result<OpenRequests, AppError> {
    let now = dependencies.host.now();
    let pending = requests(dependencies, Status::Pending, at_most, now).await?;
    let approved = requests(dependencies, Status::Approved, at_most, now).await?;
    // In the order in which they began.
    let executing = requests(dependencies, Status::Executing, at_most, now).await?;
    Ok(OpenRequests {
        pending: pending.len(),
        approved: approved.len(),
        executing: executing.len(),
        oldest_pending: pending.iter().map(|request| request.requested_at).min(),
        oldest_executing: executing.first().and_then(|oldest| oldest.execution_started_at),
    })
}

/// The first requests with a status.
async fn requests<S: ListRequests>(
    dependencies: &Dependencies<S>,
    status: Status,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<RequestSummary>, AppError> {
    let query = ListQuery { statuses: vec![status], ..ListQuery::unfiltered(limit, MAX_QUERIES, now) };
    let page = dependencies.store.list(&query, |_| true).await?;
    damage::report(dependencies.host.as_ref(), &page.damaged);
    Ok(page.items)
}
