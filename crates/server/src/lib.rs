//! The service in one process: the same operations that run on AWS, behind a local HTTP server and on the
//! embedded store.
//!
//! Owns what a running service owns: connections, keys, the data directory, both sweeps. Knows no command
//! line and no exit code, and reads neither.
#![warn(missing_docs)]

pub mod serve;

mod answer;
pub mod application;
pub mod callers;
pub mod connections;
mod courier;
pub mod dashboard;
mod evidence_route;
pub mod http;
mod in_process;
mod incoming;
pub mod listener;
pub mod log_directory;
mod log_route;
pub mod mcp;
pub mod mcp_resource;
pub mod metrics;
mod metrics_route;
pub mod observed_host;
pub mod outbox_log;
mod plain_route;
mod sign_in_codes;
pub mod sweeps;
pub mod waiters;

pub mod audit_keys;
pub mod data_directory;
pub mod issuer;
pub mod logging;
pub mod policy_directory;
pub mod refusal_log;
pub mod signing_keys;
pub mod source_address;
pub mod stopped_service;
pub mod tls;
