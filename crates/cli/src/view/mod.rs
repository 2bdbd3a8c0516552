//! What commands show: answers as people and as programs read them, and the terminal.
//!
//! What people read is built once, as lines of spans (`text.rs`), and painted last: with escape sequences for
//! commands (`ansi.rs`), in the inbox by its own painter.

pub mod terminal;

pub mod ansi;
pub mod page;
pub mod text;
pub mod width;

pub mod events;
pub mod explanation;
pub mod list;
pub mod notifications;
pub mod report;
pub mod request;
pub mod simulation;
pub mod stats;
pub mod webhooks;

pub mod audit;
pub mod document;
pub mod output;
pub mod times;
pub mod tones;
pub mod words;
