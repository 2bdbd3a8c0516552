//! Deliveries as values: in which state each is, when it is tried again, and how an endpoint fares.
//!
//! Refuses to know what is sent, where deliveries are stored, clock and network.
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]

pub mod outcome;
