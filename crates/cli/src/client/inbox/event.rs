//! What happens to the inbox, and what it wants done.

use super::open::Decision;
use crate::exit::Exit;
use countersign_api::wire::{RequestBody, SummaryBody};
use countersign_core::timestamp::Timestamp;

/// What the shell stamps on an event: time, and a key that no decision has yet.
#[derive(Debug, Clone)]
pub struct Given {
    /// Now.
    pub now: Timestamp,
    /// The key.
    pub key: String,
}

/// A key of the keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// A character together with Control.
    Control(char),
    /// Enter.
    Enter,
    /// Escape.
    Escape,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// An arrow.
    Left,
    /// An arrow.
    Right,
    /// An arrow.
    Up,
    /// An arrow.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the beginning.
    Home,
    /// To the end.
    End,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// Time went by.
    Tick,
    /// The window has another size.
    Resized,
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Pasted(String),
    /// The process was told to end.
    Interrupted,
    /// All that is pending, or why it is not known.
    Listed(Result<Vec<SummaryBody>, Exit>),
    /// A request, or why it is not known.
    Loaded(String, Result<Box<RequestBody>, Exit>),
    /// The request after a decision, or why there is none.
    Decided(Decision, Result<Box<RequestBody>, Exit>),
}

/// Something that is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Ask for all that is pending.
    List,
    /// Ask for a request.
    Load(String),
    /// Send a decision.
    Decide(Decision),
    /// End.
    Quit,
}
