//! Anomalies over whole logs: what is found, what is not, and that only the order of events matters.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod batches;
mod bounds;
mod calibration;
mod dice;
mod events;
mod people;
mod planted;
mod rules;
mod traffic;
