//! What a shell gives to one attempt at a command: the time, fresh ids and random bytes.

use crate::ids::{EventId, ExecutionId};
use crate::text_key::TextKey;
use crate::timestamp::Timestamp;

/// The time, the fresh ids and the random bytes that one command may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandContext {
    /// The time of the decision.
    pub now: Timestamp,
    /// The id of the event, if the command yields one.
    pub event_id: EventId,
    /// The id of the execution, if the command starts one.
    pub execution_id: ExecutionId,
    /// The key of the digests of the event's texts.
    pub text_key: TextKey,
}
