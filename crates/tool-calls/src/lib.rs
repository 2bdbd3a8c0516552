//! Calls of tools bound to approvals: asked for once, joined by retries, run once. Knows no agent and no protocol.
//!
//! INVARIANT: a call is handed over to be run only after its approval was spent on exactly its parameters, and after the
//! record of that is on the disk. A process that is killed from then on leaves a call of which nothing is known, and that is
//! never run again.
//!
//! INVARIANT: of two processes, or two callers in one, at most one holds a call. The lock of its file says which; the system
//! releases it however the process ends.

pub mod call;
pub mod calls;
pub mod directory;
pub mod error;
pub mod outcome;
pub mod record;
pub mod records;
pub mod running;
mod service;
pub mod waiting;

pub use call::{CallKey, LeftCall, ToolCall};
pub use calls::{Begun, ToolCalls};
pub use error::{CallError, OpenError};
pub use outcome::Outcome;
pub use record::Detached;
pub use records::{CallRecords, Options};
pub use running::{EndedCall, EndingCall, RunningCall};
pub use waiting::{Standing, WaitingCall, Watch};
