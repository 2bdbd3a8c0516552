//! The log of `countersign serve`, on stderr.

use countersign_host::logging;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};

/// Lines that wait for a reader before further ones are dropped.
const WAITING_LINES: usize = 10_000;

/// Starts logging with a filter such as `info`. What is waiting is written when the guard is
/// dropped.
///
/// A reader of stderr who has stopped reading must not stop the service: lines wait in memory, and
/// when there are too many, new ones are dropped. Events are not logs: they wait in the outbox.
///
/// # Errors
/// When the filter cannot be read.
pub fn start(filter: &str) -> Result<WorkerGuard, String> {
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(WAITING_LINES)
        .lossy(true)
        .finish(std::io::stderr());
    logging::start(filter, writer).map_err(|error| format!("--log {error}"))?;
    Ok(guard)
}
