//! A proxy before one MCP server: each call of a tool is run once it is approved, and once.
//!
//! Knows the protocol as far as it decides what passes, and nothing of any tool. Refuses to know policy: what a call demands is
//! the service's to say, and what a server says of itself lowers nothing. docs/agents-gate.md
#![warn(missing_docs)]

pub mod agent_http;
pub mod agent_stdio;
pub mod answers;
pub mod approvals;
pub mod busy;
pub mod call;
pub mod child;
pub mod configuration;
pub mod continuations;
pub mod conversation;
pub mod definition;
pub mod described;
pub mod exchange;
pub mod execution;
pub mod gate;
pub mod holding;
pub mod listing;
pub mod message;
pub mod meta;
pub mod notes;
pub mod observe;
pub mod observed;
pub mod outbox;
pub mod pins;
pub mod questions;
pub mod runs;
pub mod serve;
pub mod source;
pub mod sse;
pub mod state_directory;
pub mod status;
pub mod task_directory;
pub mod tasks;
pub mod upstream;
pub mod upstream_http;
pub mod waiting;
pub mod wanted;
