//! `countersign`: the commands, and what they show.
//!
//! A shell: it reads the command line and its environment, hands them inward, and says how it ended. What it
//! runs is `countersign-server`; what it asks a service goes through `countersign-client`.
#![warn(missing_docs)]

pub mod arguments;
pub mod commands;
pub mod error;
pub mod exit;

pub mod executor;
pub mod hook;
pub mod inbox;
pub mod run;
pub mod session;
pub mod view;

mod audit_log;
mod aws;
pub mod complete;
pub mod connection_arguments;
pub mod decision;
mod evidence_key;
pub mod examples;
pub mod json_argument;
mod log_source;
pub mod operation_names;
mod output_file;
pub mod patience;
pub mod value_parsers;
pub mod wait;
