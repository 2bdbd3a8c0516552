//! What a shell lends to a call that waits for a request to change: how it learns of changes, and when it has waited
//! long enough. Knows neither stores nor what a caller is shown.

use crate::host::BoxFuture;
use countersign_core::ids::RequestId;
use countersign_core::policy::Policy;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Lets one call wait.
pub trait Waiting: Send + Sync + fmt::Debug {
    /// Begins to watch a request, for at most so long. What is committed from now on is noticed, so a call watches
    /// before it reads. `None` where the call is to be answered at once: too many others wait, or the shell stops.
    fn watch(&self, request_id: RequestId, at_most: Duration) -> Option<Box<dyn Watch>>;
}

/// The watching of one request.
pub trait Watch: Send {
    /// Waits for what happens next. A deadline passes in `deadline_in`, if there is one.
    fn next(&mut self, deadline_in: Option<Duration>) -> BoxFuture<'_, Woken>;
}

/// What ends a call's sleep.
#[derive(Debug, Clone)]
pub enum Woken {
    /// A change of the request has been committed since the watch began.
    Change,
    /// Nothing is known: the request is to be read again.
    Look,
    /// Its deadline may have passed.
    Deadline,
    /// This policy is in force now.
    Policy(Arc<Policy>),
    /// The call has waited long enough, or the shell stops.
    End,
}

/// Lets no call wait.
#[derive(Debug, Clone, Copy)]
pub struct NoWaiting;

impl Waiting for NoWaiting {
    fn watch(&self, _: RequestId, _: Duration) -> Option<Box<dyn Watch>> {
        None
    }
}
