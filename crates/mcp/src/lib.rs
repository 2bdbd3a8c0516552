//! The API as tools of the Model Context Protocol, for agents that ask, wait, start and report.
//!
//! A client of the API: a shell makes the calls, and lends clock and ids. Decides nothing, stores nothing, and has no tool by
//! which a request is approved, rejected, or demanded less of. Refuses to know listener, store and HTTP client.
#![warn(missing_docs)]

mod answer;
mod arguments;
mod asking;
mod calls;
pub mod http;
mod marking;
pub mod resource;
mod schemas;
pub mod server;
pub mod settings;
pub mod stdio;
mod strict;
mod task;
pub mod tool;
pub mod underway;
mod waiting;
