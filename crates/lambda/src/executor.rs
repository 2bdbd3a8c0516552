//! The function that carries out what was approved, as an executor of an identity of its own: one pass of the worker at
//! each run of its schedule. Knows neither how the service is called nor what is carried out.

use countersign_core::timestamp::Timestamp;
use countersign_executor::port::Executor;
use countersign_executor::worker::{Approvals, Pass, Worker};
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};
use std::time::Duration;

/// The type of the error when the service does not say what is open.
const UNAVAILABLE: &str = "service_unavailable";

/// One pass. What invoked it says nothing that would be needed, and what is left over is the next run's.
///
/// # Errors
/// When what is open is not known, so that the run counts as failed.
pub async fn handle<A: Approvals, E: Executor>(
    worker: &mut Worker<A, E>,
    now: impl Fn() -> Timestamp,
    budget: Duration,
) -> Result<Value, Diagnostic> {
    let milliseconds = i64::try_from(budget.as_millis()).unwrap_or(i64::MAX);
    let until = Timestamp::from_millisecond(now().as_millisecond().saturating_add(milliseconds));
    let Pass { notes, left } = worker.pass(now, Some(until)).await.map_err(|error| {
        let error_message = error.to_string();
        tracing::error!(error = error_message, "what is open is not known");
        Diagnostic { error_type: UNAVAILABLE.to_owned(), error_message }
    })?;
    for note in &notes {
        tracing::info!(request_id = note.request_id, message = note.message, "executor");
    }
    tracing::info!(notes = notes.len(), left, "executor's pass");
    Ok(json!({ "notes": notes.len(), "left": left }))
}
