//! The log of `countersign serve`, on stderr.

use countersign_system::logging;
use std::time::Duration;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};

/// Lines that wait for a reader before further ones are dropped.
const WAITING_LINES: usize = 10_000;
/// How often it is looked whether lines were dropped.
const LOSS_INTERVAL: Duration = Duration::from_secs(1);

/// Starts logging with a filter such as `info`. What is waiting is written when the guard is
/// dropped.
///
/// A reader of stderr who has stopped reading must not stop the service: lines wait in memory, and
/// when there are too many, new ones are dropped. Events are not logs: they wait in the outbox.
///
/// # Errors
/// When the filter cannot be read.
pub fn start(filter: &str) -> Result<(WorkerGuard, ErrorCounter), String> {
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(WAITING_LINES)
        .lossy(true)
        .finish(std::io::stderr());
    let dropped = writer.error_counter();
    logging::start(filter, writer).map_err(|error| format!("--log {error}"))?;
    Ok((guard, dropped))
}

/// Says how many lines were dropped as soon as there is room for a line that says so, for as long as
/// it is polled.
pub async fn say_losses(dropped: ErrorCounter) {
    let mut said = 0;
    loop {
        tokio::time::sleep(LOSS_INTERVAL).await;
        let lost = dropped.dropped_lines();
        if lost > said {
            tracing::error!(lines = lost - said, "lines of this log were dropped");
            if dropped.dropped_lines() == lost {
                said = lost;
            }
        }
    }
}
