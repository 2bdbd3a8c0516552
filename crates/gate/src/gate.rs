//! What all conversations of a gate share.

use crate::approvals::{self, Approvals};
use crate::busy::Busy;
use crate::configuration::Configuration;
use crate::continuations::Continuations;
use crate::execution::blocking;
use crate::holding::Holding;
use crate::notes::note;
use crate::observed::Observed;
use crate::pins::Pins;
use crate::runs::Runs;
use crate::task_directory::TaskDirectory;
use crate::waiting::becomes_true;
use countersign_agents::notice::Notice;
use countersign_core::text::escaped_line;
use countersign_tool_calls::{LeftCall, ToolCalls};
use std::sync::Arc;
use tokio::sync::watch;

/// What all conversations share.
#[derive(Debug)]
pub struct Gate {
    /// What the operator has said.
    pub configuration: Configuration,
    /// The service.
    pub approvals: Arc<Approvals>,
    /// The tools as they were first seen.
    pub pins: Pins,
    /// Calls that have callers.
    pub holding: Holding,
    /// Calls that run.
    pub runs: Runs,
    /// Calls whose servers have asked something.
    pub continuations: Continuations,
    /// Long calls.
    pub tasks: TaskDirectory,
    /// What is recorded of calls that only were looked at.
    pub observed: Observed,
    /// What is under way.
    pub busy: Busy,
    /// Becomes true when this program is about to end.
    pub stop: watch::Sender<bool>,
}

impl Gate {
    /// What makes calls.
    ///
    /// # Errors
    /// `gate_unavailable`, if the service cannot be asked.
    pub async fn calls(&self) -> Result<ToolCalls, Notice> {
        let approvals = Arc::clone(&self.approvals);
        let opened = blocking(move || approvals.calls()).await?;
        opened.map_err(|error| {
            note(&format!("calls are refused: {error}"));
            approvals::unavailable(&escaped_line(&error.to_string()))
        })
    }

    /// The caller of a call is gone: its request is cancelled unless a retry goes on with it in time. A program that ends does
    /// not wait for that.
    pub fn linger(self: &Arc<Self>, calls: ToolCalls, left: LeftCall) {
        let gate = Arc::clone(self);
        let under_way = self.busy.begin();
        tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(gate.configuration.linger()) => {}
                () = becomes_true(gate.stop.subscribe()) => {}
            }
            let reason = "its caller is gone, and no other has asked for the same";
            let abandoned = blocking(move || calls.abandon(&left, reason)).await;
            if let Ok(Err(error)) = abandoned {
                note(&format!("a request without a caller was not cancelled: {error}"));
            }
            drop(under_way);
        });
    }
}
