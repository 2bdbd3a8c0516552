//! The use cases of Countersign: load, decide, commit.
//!
//! Each file is one use case. What they need from the world are the traits of [`ports`] and
//! [`host`]; which technology stands behind them is not known here. The rules are in
//! `countersign-core`: a use case never decides anything itself.
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]

mod acknowledge;
pub mod anomalies;
pub mod attempts;
pub mod audit;
mod channel_parts;
mod channel_threads;
mod channels;
pub mod command;
pub mod continuations;
pub mod courier;
pub mod create;
pub mod deliver;
pub mod digests;
pub mod events;
pub mod evidence;
pub mod expire;
pub mod explain;
pub mod figures;
pub mod fold;
pub mod get;
pub mod hold;
pub mod list;
pub mod me;
pub mod notifies;
pub mod preferences;
pub mod report;
pub mod retention;
pub mod route;
pub mod seal;
mod sending;
pub mod simulate;
pub mod stats;
pub mod timers;
pub mod urge;
pub mod verify;
pub mod verify_log;
pub mod wait;
pub mod webhooks;

pub mod audit_keys;
mod cursor;
pub mod damage;
pub mod dependencies;
pub mod error;
pub mod figure_store;
pub mod held;
pub mod host;
mod inclusion;
pub mod integrity;
pub mod known_preferences;
pub mod log;
pub mod log_reader;
pub mod permit;
mod planning;
pub mod policy_texts;
pub mod ports;
pub mod retry;
pub mod signing;
pub mod waiting;
pub mod webhook_message;
