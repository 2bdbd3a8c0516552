//! Structured logs: one JSON object a line.
//!
//! What may be logged is decided where it is logged: ids, codes, counts. Never a body, a token,
//! an e-mail, parameters or anybody's words. See docs/logging.md.

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

/// Libraries that warn of what strangers send, once for each time: the connections of `serve` count it.
const WARNS_OF_STRANGERS: [&str; 2] = ["h2", "hyper"];

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

/// Starts logging with a filter: a level such as `info`, or targets with levels.
///
/// # Errors
/// When the filter cannot be read, or logging has been started before.
pub fn start<W>(filter: &str, writer: W) -> Result<(), String>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let targets = targets(filter)?;
    let discretion = filter_fn(|metadata| {
        let is_of = |name: &str| metadata.target().split("::").next() == Some(name);
        metadata.target() != REPEATS
            && (*metadata.level() <= LevelFilter::WARN
                || (metadata.is_span() && is_of(NAMES_INVOCATIONS))
                || !VERBOSE_TARGETS.into_iter().any(is_of))
            && (*metadata.level() <= LevelFilter::ERROR || !WARNS_OF_STRANGERS.into_iter().any(is_of))
    });
    let lines =
        tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(writer);
    tracing_subscriber::registry()
        .with(lines.with_filter(targets.and(discretion)))
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

    #[test]
    fn a_misspelt_level_is_an_error_and_not_silence() {
        for filter in ["info", "warn,countersign_api=debug", "OFF", "countersign=trace"] {
            assert!(targets(filter).is_ok(), "{filter}");
        }
        for filter in ["", "inof", "info,", "countersign=loud", "countersign"] {
            assert!(targets(filter).is_err(), "{filter}");
        }
    }
}
