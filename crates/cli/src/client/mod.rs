//! The client commands: a local or deployed service, from a terminal or a script.
//!
//! Nothing here knows how the service works inside: it is the HTTP API and nothing else. Whatever
//! others have written is escaped before it is printed.

pub mod answer;
pub mod arguments;
pub mod command;
pub mod complete;
pub mod config;
pub mod connection;
pub mod content;
pub mod credential;
pub mod decide;
pub mod doctor;
pub mod effect;
pub mod environment;
pub mod explain;
pub mod inbox;
pub mod login;
pub mod manual;
pub mod moment;
pub mod oidc;
pub mod operations;
pub mod output;
pub mod profile;
pub mod refusal;
pub mod replay;
pub mod secret;
pub mod show;
pub mod simulate;
pub mod terminal;
pub mod token_store;
pub mod wait;
