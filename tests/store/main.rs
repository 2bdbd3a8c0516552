//! The store under pressure: interleavings, injected faults, kill -9, and the budget of calls.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests fail by panicking"
)]

mod anomalies;
mod audit_event;
mod capacity;
mod channels;
mod conditions;
mod courier;
mod crash;
mod crash_executions;
mod damage;
mod damaged_deliveries;
mod evidence;
mod faults;
mod figures;
mod figures_program;
mod floods;
mod integrity;
mod interleavings;
mod issuer;
mod log_damage;
mod log_program;
mod outbox;
mod permit;
mod preferences;
mod program;
mod readers;
mod reload;
mod reports;
mod round_trips;
mod sealing;
mod sealing_faults;
mod sign_in;
mod strangers;
mod waiting;
mod worst_item;
