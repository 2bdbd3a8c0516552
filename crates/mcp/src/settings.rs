//! How a server is set up by the shell that it runs in.

use crate::underway::Underway;
use countersign_app::host::Host;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long a call is held that waits for approvers. Clients give up after 60 seconds, and some of them later where they hear of
/// progress (<https://modelcontextprotocol.io/specification/2025-11-25/basic/lifecycle#timeouts>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holds {
    /// A call that takes no news of progress.
    pub silent: Duration,
    /// A call that takes news of progress; none where no news can be sent before the answer.
    pub with_progress: Option<Duration>,
    /// How often there is news.
    pub interval: Duration,
}

impl Default for Holds {
    fn default() -> Self {
        Self {
            silent: Duration::from_secs(50),
            with_progress: Some(Duration::from_secs(280)),
            interval: Duration::from_secs(10),
        }
    }
}

/// The setup of a server.
#[derive(Clone)]
pub struct Settings {
    /// The token of each call; empty where the shell has one of its own.
    pub token: String,
    /// How long calls are held.
    pub holds: Holds,
    /// Where people look at requests, if that is known.
    pub dashboard_url: Option<String>,
    /// Whether an agent may act with the token of a human.
    pub takes_humans: bool,
    /// What else is under way in the shell.
    pub underway: Underway,
    /// Clock and ids.
    pub host: Arc<dyn Host>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("holds", &self.holds).finish_non_exhaustive()
    }
}
