//! Structured logs: one JSON object a line.
//!
//! What may be logged is decided where it is logged: ids, codes, counts. Never a body, a token,
//! an e-mail, parameters or anybody's words. See docs/logging.md.

use tracing::Metadata;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, Targets, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Libraries whose finer levels print requests and answers whole, parameters and all.
const VERBOSE_TARGETS: [&str; 12] = [
    "aws_config",
    "aws_runtime",
    "aws_sdk_dynamodb",
    "aws_sdk_secretsmanager",
    "aws_sdk_sns",
    "aws_sigv4",
    "aws_smithy_http_client",
    "aws_smithy_runtime",
    "aws_smithy_runtime_api",
    "dynoxide",
    "lambda_runtime",
    "ureq",
];

/// Libraries that warn of what strangers send, once for each time: the connections of `serve` count it. That of the Model Context
/// Protocol warns of ids which clients choose, and prints arguments, answers and permits at finer levels.
const WARNS_OF_STRANGERS: [&str; 3] = ["h2", "hyper", "rmcp"];

/// A layer of the Lambda runtime that prints every error a function answers with: ours have been
/// logged where they were found.
const REPEATS: &str = "lambda_runtime::layers::panic";

/// The library whose spans say which invocation a line is of: `requestId` and `xrayTraceId`.
const NAMES_INVOCATIONS: &str = "lambda_runtime";

/// Reads a filter. A word that is neither a level nor says one is a misspelt level, and would mean
/// no log at all.
fn targets(filter: &str) -> Result<Targets, String> {
    for part in filter.split(',') {
        let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
        // An empty level would be read as `error`.
        if level.trim().is_empty() || level.trim().parse::<LevelFilter>().is_err() {
            let rule = "is neither a level (error, warn, info, debug, trace, off) nor target=level";
            return Err(format!("`{}` {rule}", part.escape_debug()));
        }
    }
    filter.parse().map_err(|error| format!("`{}`: {error}", filter.escape_debug()))
}

/// Whether a line may be written, whatever level is asked for.
fn is_discreet(metadata: &Metadata<'_>) -> bool {
    let is_of = |name: &str| metadata.target().split("::").next() == Some(name);
    metadata.target() != REPEATS
        && (*metadata.level() <= LevelFilter::WARN
            || (metadata.is_span() && is_of(NAMES_INVOCATIONS))
            || !VERBOSE_TARGETS.into_iter().any(is_of))
        && (*metadata.level() <= LevelFilter::ERROR || !WARNS_OF_STRANGERS.into_iter().any(is_of))
}

/// Starts logging with a filter: a level such as `info`, or targets with levels.
///
/// # Errors
/// When the filter cannot be read, or logging has been started before.
pub fn start<W>(filter: &str, writer: W) -> Result<(), String>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let targets = targets(filter)?;
    let lines =
        tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(writer);
    tracing_subscriber::registry()
        .with(lines.with_filter(targets.and(filter_fn(is_discreet))))
        .try_init()
        .map_err(|error| format!("logging does not start: {error}"))?;
    // A panic's own words may quote values: where it happened is enough to find it.
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, "panicked");
    }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_misspelt_level_is_an_error_and_not_silence() {
        for filter in ["info", "warn,countersign_api=debug", "OFF", "countersign=trace"] {
            assert!(targets(filter).is_ok(), "{filter}");
        }
        for filter in ["", "inof", "info,", "countersign=loud", "countersign"] {
            assert!(targets(filter).is_err(), "{filter}");
        }
    }

    #[test]
    fn libraries_that_print_what_clients_send_are_held_at_error() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&written);
        let lines = tracing_subscriber::fmt::layer().with_writer(move || Kept(Arc::clone(&writer)));
        let filter = targets("trace,rmcp=trace").unwrap().and(filter_fn(is_discreet));
        let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter));
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!(target: "rmcp::service", "secret argument");
            tracing::warn!(target: "rmcp::transport::async_rw", "secret id");
            tracing::error!(target: "rmcp", "it has failed");
            tracing::debug!(target: "countersign_mcp", "ours");
        });
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert!(!text.contains("secret"), "{text}");
        assert!(text.contains("it has failed") && text.contains("ours"), "{text}");
    }

    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}
