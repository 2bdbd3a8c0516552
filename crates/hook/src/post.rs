//! What happens after a tool was used: its execution ends, with the digest of its result.

use crate::call::Place;
use crate::tool_use::After;
use countersign_core::canonical::CanonicalJson;
use countersign_tool_calls::{CallError, Outcome, ToolCalls};
use std::time::Duration;

/// How long a request that no hook waits for is left alone: policy says when it expires.
const LINGER: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Reports the end of a use; gives whether there was one to report. One that was refused has none.
///
/// # Errors
/// When records cannot be read, or the service refuses the report.
pub fn report(calls: &ToolCalls, place: &Place, after: &After) -> Result<bool, CallError> {
    let running = calls.detached(&place.name(&after.tool_use))?;
    let is_found = running.is_some();
    if let Some(running) = running {
        running.finish(&outcome(after), None)?;
    }
    // What earlier events could not report.
    calls.settle(LINGER)?;
    Ok(is_found)
}

/// The result by its digest: that of its canonical JSON.
fn outcome(after: &After) -> Outcome {
    Outcome::of(CanonicalJson::of(&after.result).as_ref().as_bytes(), after.is_error)
}
