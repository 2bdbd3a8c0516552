//! Structured logs: one JSON object a line, on stderr.
//!
//! What may be logged is decided where it is logged: ids, codes, counts. Never a body, a token,
//! an e-mail, parameters or anybody's words. See docs/logging.md.

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Libraries whose finer levels print requests and answers whole, parameters and all.
const TALKATIVE: [&str; 5] =
    ["aws_smithy_runtime", "aws_smithy_runtime_api", "aws_sdk_dynamodb", "dynoxide", "ureq"];

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
    let invalid = |error: &dyn std::fmt::Display| format!("--log {filter}: {error}");
    let mut parsed = EnvFilter::try_new(filter).map_err(|error| invalid(&error))?;
    for target in TALKATIVE {
        let directive = format!("{target}=warn").parse().map_err(|error| invalid(&error))?;
        parsed = parsed.add_directive(directive);
    }
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(WAITING_LINES)
        .lossy(true)
        .finish(std::io::stderr());
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(parsed)
        .with_writer(writer)
        .try_init()
        .map_err(|error| format!("logging does not start: {error}"))?;
    // A panic's own words may quote values: where it happened is enough to find it.
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, "panicked");
    }));
    Ok(guard)
}
