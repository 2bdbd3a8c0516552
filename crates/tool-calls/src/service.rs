//! What every call works with: the service, the directory, and how long results are kept.

use crate::directory::CallDirectory;
use countersign_client::connection::Connection;
use countersign_system::system::SystemHost;
use std::sync::Arc;
use std::time::Duration;

/// The service, the directory, and how long results are kept.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) connection: Arc<Connection>,
    pub(crate) directory: CallDirectory,
    pub(crate) host: Arc<SystemHost>,
    /// Who the token is for.
    pub(crate) caller: Arc<str>,
    /// How long the result of a call is kept for a retry.
    pub(crate) replay: Duration,
    /// Where people look at requests.
    pub(crate) dashboard_url: Option<Arc<str>>,
}

impl Service {
    /// The time, in milliseconds since the Unix epoch.
    pub(crate) fn now(&self) -> i64 {
        use countersign_app::host::Clock as _;
        self.host.now().as_millisecond()
    }

    /// Whether a time is longer ago than a span. A clock that was set back makes nothing old.
    pub(crate) fn is_past(&self, at: i64, span: Duration) -> bool {
        i64::try_from(span.as_millis()).is_ok_and(|span| self.now().saturating_sub(at) > span)
    }
}
