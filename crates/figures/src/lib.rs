//! The figures of a deployment: the events of its audit log, in their order, become counts of days.
//!
//! Everything here is a function of values: what an event adds to the figures of its day, and what a range of days says.
//! Refuses to know where events come from, where figures are stored, clock and network. What each figure counts is in
//! `docs/figures.md`.
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]

pub mod amounts;
pub mod answers;
pub mod counts;
pub mod day;
pub mod extremes;
pub mod fold;
pub mod histogram;
pub mod period_report;
pub mod report;
pub mod report_message;
