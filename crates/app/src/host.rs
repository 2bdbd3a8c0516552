//! What a shell lends to the use cases: a clock, a source of ids, and an observer of what happened.

use countersign_core::command_context::CommandContext;
use countersign_core::event::Event;
use countersign_core::ids::{EventId, ExecutionId, RequestId};
use countersign_core::request::Request;
use countersign_core::text_key::TextKey;
use countersign_core::timestamp::Timestamp;
use countersign_webhook::webhook::{InvalidWebhookId, WebhookId};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A decision that is under way, as long as this is kept.
#[derive(Default)]
pub struct Deciding {
    _kept: Option<Box<dyn Send>>,
}

impl fmt::Debug for Deciding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deciding").finish_non_exhaustive()
    }
}

impl Deciding {
    /// Under way until `kept` is dropped.
    pub fn until_dropped(kept: impl Send + 'static) -> Self {
        Self { _kept: Some(Box::new(kept)) }
    }
}

/// Time, as the machine tells it.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// A decision begins: until the answer is dropped, an event may be written down whose time is now or later.
    fn deciding(&self) -> Deciding {
        Deciding::default()
    }

    /// The latest time of which it is known that every event up to it is written down, or never will be.
    fn settled_until(&self) -> Timestamp {
        self.now()
    }

    /// The time since some fixed moment; never goes back.
    fn elapsed(&self) -> Duration;

    /// Waits for a random time of at most `at_most`, so that callers who collided try again at different times.
    fn pause(&self, at_most: Duration) -> BoxFuture<'_, ()>;
}

/// Fresh ids and keys, each drawn when it is asked for.
pub trait Ids: Send + Sync + fmt::Debug {
    /// A fresh event id.
    fn event_id(&self) -> EventId;

    /// A fresh request id.
    fn request_id(&self) -> RequestId;

    /// A fresh execution id.
    fn execution_id(&self) -> ExecutionId;

    /// A fresh key for the digests of an event's texts.
    fn text_key(&self) -> TextKey;

    /// The random bytes of a fresh secret.
    fn secret(&self) -> [u8; 32];

    /// Random bytes that a secret is sealed with, never the same again.
    fn nonce(&self) -> [u8; 12];

    /// A fresh id of a webhook.
    ///
    /// # Errors
    /// Never: the id of an event is a UUID in its one spelling.
    fn webhook_id(&self) -> Result<WebhookId, InvalidWebhookId> {
        WebhookId::parse(&format!("wh_{}", self.event_id()))
    }
}

/// Is called after something happened, for metrics: nothing may depend on it, and after a crash it is not called for
/// what was committed before.
pub trait Observer: Send + Sync + fmt::Debug {
    /// An event is committed, and `after` is the request as the event left it.
    fn on_commit(&self, _event: &Event, _after: &Request) {}

    /// A request is not what its events have made it. Called each time that this is found.
    fn on_damaged_request(&self, _request_id: RequestId) {}

    /// A call had no authentication. Whether the host counts such calls itself: what strangers do is then not written down
    /// call by call.
    fn on_unauthenticated(&self) -> bool {
        false
    }

    /// So many rows could not be read and were left out.
    fn on_damaged_rows(&self, _count: usize) {}
}

/// All three of them.
pub trait Host: Clock + Ids + Observer {
    /// The time, and fresh ids for one command.
    fn command_context(&self) -> CommandContext {
        CommandContext {
            now: self.now(),
            event_id: self.event_id(),
            execution_id: self.execution_id(),
            text_key: self.text_key(),
        }
    }
}

impl<T: Clock + Ids + Observer> Host for T {}
