//! `countersign`: the service in one process, and its commands.
//!
//! [`serve`] puts the same operations that run on AWS behind a local HTTP server, on the embedded
//! store. This crate is a shell: it alone reads the environment, the clock and random bytes, and
//! hands them inward.
#![warn(missing_docs)]

pub mod arguments;
pub mod client;
pub mod outbox;
pub mod policy;
pub mod serve;
pub mod token;
pub mod verify;

pub mod application;
pub mod callers;
pub mod connections;
pub mod http;
pub mod listener;
pub mod outbox_log;
pub mod sweeps;

pub mod authentication;
mod aws;
pub mod data_directory;
pub mod document;
pub mod endpoint;
pub mod examples;
pub mod exit;
pub mod issuer;
pub mod logging;
pub mod private_file;
pub mod refusal_log;
pub mod source_address;
mod stopped_service;
pub mod tls;
