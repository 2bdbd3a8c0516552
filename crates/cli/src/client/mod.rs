//! The client commands: a local or deployed service, from a terminal or a script.
//!
//! Nothing here knows how the service works inside: it is the HTTP API and nothing else. Whatever
//! others have written is escaped before it is printed.

pub mod arguments;
pub mod command;
pub mod connection;
pub mod decide;
pub mod moment;
pub mod show;
pub mod terminal;
