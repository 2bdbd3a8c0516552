//! Deliveries as values: in which state each is, when it is tried again, and how an endpoint fares.
//!
//! A committed event becomes one [`state::Delivery`] per destination. Each has its own attempts, on a
//! [`schedule::Schedule`]; what an endpoint answers makes its [`health::Health`], and a [`sweep::Sweep`] tells an outage
//! of the sender from failures of the others. Refuses to know what is sent, where deliveries are stored, clock and network:
//! times and random bytes are arguments.
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]

pub mod destination;
pub mod health;
pub mod outcome;
pub mod part;
pub mod schedule;
pub mod state;
pub mod sweep;
