//! What the shell lends to the use cases: time, fresh ids, a pause, and an ear for what happened.

use countersign_core::command_context::CommandContext;
use countersign_core::event::Event;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::request::Request;
use countersign_core::timestamp::Timestamp;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The shell's clock, its source of ids and its timer.
pub trait Host: Send + Sync + fmt::Debug {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// The time since some fixed moment; never goes back.
    fn elapsed(&self) -> Duration;

    /// A fresh event id.
    fn event_id(&self) -> EventId;

    /// A fresh request id.
    fn request_id(&self) -> RequestId;

    /// The time and fresh ids for one command.
    fn command_context(&self) -> CommandContext;

    /// Waits for a random time of at most `at_most`, so that those who collided come back apart.
    fn pause(&self, at_most: Duration) -> BoxFuture<'_, ()>;

    /// Hears of an event once it is committed, and of the request as the event left it. For
    /// metrics: nothing may depend on it, and after a crash an event may go unheard.
    fn on_commit(&self, _event: &Event, _after: &Request) {}

    /// Hears of a request that is not what its events have made it, each time that is met. For
    /// metrics.
    fn damaged(&self, _request_id: RequestId) {}
    /// Hears of rows that could not be read and were left out. For metrics, likewise.
    fn met_damaged_rows(&self, _count: usize) {}
}
