//! The anomalies of a deployment: the events of its audit log, in their order, become findings of what is unlikely.
//!
//! Everything here is a function of values: what is remembered of persons, of open requests and of the deployment, and what
//! an event adds to it. The same events give the same documents and the same findings on every machine, whatever the batches.
//! Refuses to know where events come from, where documents are stored, clock and network. Every rule is in
//! `docs/anomaly.md`.
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]

mod attempts;
mod burst;
mod decisions;
pub mod deployment;
pub mod document;
pub mod finding;
pub mod fold;
mod hours;
mod partners;
pub mod person;
mod probability;
mod weight;
