//! What happens to the inbox, and what it wants done.

use super::key::Key;
use super::open::Decision;
use crate::error::CommandError;
use countersign_api::wire::{ExplainBody, RequestBody, SummaryBody};
use countersign_core::timestamp::Timestamp;
use std::collections::BTreeSet;

/// What the shell stamps on an event: time, and a key that no decision has yet.
#[derive(Debug, Clone)]
pub struct Given {
    /// Now.
    pub now: Timestamp,
    /// The key.
    pub key: String,
}

/// All that is pending, as the service answered at one time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pending {
    /// The requests, the most urgent first.
    pub items: Vec<SummaryBody>,
    /// Those of them that are not for the caller to decide now.
    pub refused: BTreeSet<String>,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// Time went by.
    Tick,
    /// What was drawn is no longer on the screen: the window has another size, or the process was stopped
    /// and continued.
    Disturbed,
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Pasted(String),
    /// The process received a signal to end.
    Interrupted,
    /// All that is pending, or why it is not known.
    Listed(Result<Pending, CommandError>),
    /// A request, or why it is not known.
    Loaded(String, Result<Box<RequestBody>, CommandError>),
    /// A request and its explanation, or why there is none.
    Explained(String, Result<Box<(RequestBody, ExplainBody)>, CommandError>),
    /// The request after a decision, or why there is none.
    Decided(Decision, Result<Box<RequestBody>, CommandError>),
}

/// Something that is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Ask for all that is pending.
    List,
    /// Ask for a request.
    Load(String),
    /// Ask why a request stands where it stands.
    Explain(String),
    /// Draw, then throw away what was typed and not taken: it was typed before that was on the screen.
    DropKeys,
    /// Send a decision.
    Decide(Decision),
    /// End.
    Quit,
}
