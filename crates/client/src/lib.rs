//! Calls of a service, local or deployed, as one of its users makes them.
//!
//! Owns which service is called and as whom, and whether an answer is to be believed. Knows the HTTP API and
//! nothing of how the service works inside; knows no screen, no command line and no exit code.
#![warn(missing_docs)]

pub mod calls;
pub mod change;
pub mod connection;
pub mod error;
pub mod execute_operation;
pub mod execution;
pub mod executor;
pub mod limits;
pub mod long_poll;
pub mod outgoing;

pub mod agent;
pub mod answer;
pub mod audit_query;
pub mod content;
pub mod list_query;
pub mod refusal;
pub mod request_name;
pub mod webhooks;

pub mod config;
pub mod credential;
pub mod environment;
pub mod lasting;
pub mod notifications;
pub mod oidc;
pub mod profile;
pub mod secret;
pub mod signing;
pub mod token_store;
