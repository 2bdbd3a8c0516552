//! Who hears of what, when and by which way: `notifications.toml`, and what follows from it for one event of a request. No
//! decision depends on it, and it gives nobody a right.
//!
//! Nothing here reads a clock, a file or a store, and nothing is sent: a shell hands in texts, requests and times, and gets
//! back the messages that are to be delivered.
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]

pub mod configuration;
pub mod destination;
mod file;
pub mod priority;
mod reading;
pub mod route;
pub mod secret;
pub mod warning;

pub mod audience;
pub mod outcome;
pub mod plan;
pub mod recipients;
pub mod reports;
pub mod timers;

pub mod local_time;
pub mod merge;
pub mod preferences;
pub mod quiet;
