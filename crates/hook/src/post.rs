//! What happens after a tool was used: its execution ends, with the digest of its result.

use crate::call::Place;
use crate::tool_use::After;
use countersign_agents::notice::Notice;
use countersign_core::canonical::CanonicalJson;
use countersign_tool_calls::{CallError, CallRecords, Outcome, ToolCalls};
use std::time::Duration;

/// How long a request that no hook waits for is left alone: policy says when it expires.
const LINGER: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What became of a report.
#[derive(Debug)]
pub enum Report {
    /// It is done, or there was none to make: a use that was refused has none.
    Done,
    /// The tool was run with other arguments than were approved, and that is reported.
    OtherArguments,
    /// The service could not be asked: as far as there is an end, it is written down and reported later.
    Later {
        /// Whether the tool was run as approved; nothing if there is no call of it.
        ended: Option<bool>,
        /// Why.
        notice: Box<Notice>,
    },
}

/// Reports the end of a use.
///
/// # Errors
/// When records cannot be read or written.
pub fn report(records: CallRecords, place: &Place, after: &After) -> Result<Report, CallError> {
    let ended = records.end_detached(&place.detached(&after.tool_use), outcome(after))?;
    // What earlier events could not report, too.
    match ToolCalls::of(records) {
        Ok(calls) => calls.settle(LINGER)?,
        Err(error) => return Ok(Report::Later { ended, notice: Box::new(error.notice()) }),
    }
    Ok(if ended == Some(false) { Report::OtherArguments } else { Report::Done })
}

/// The result by its digest: that of its canonical JSON.
fn outcome(after: &After) -> Outcome {
    Outcome::of(CanonicalJson::of(&after.result).as_ref().as_bytes(), after.is_error)
}
