//! What a shell stamps on one attempt at a command: the time and fresh ids.

use crate::ids::{EventId, ExecutionId};
use crate::timestamp::Timestamp;

/// The time and the fresh ids that one command may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandContext {
    /// The time of the decision.
    pub now: Timestamp,
    /// The id of the event, if the command yields one.
    pub event_id: EventId,
    /// The id of the execution, if the command starts one.
    pub execution_id: ExecutionId,
}
