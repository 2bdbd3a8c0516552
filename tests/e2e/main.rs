//! The product over HTTP, as a user would use it: one binary, one module per subject.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests fail by panicking"
)]

mod anomalies;
mod approve;
mod approved_limit;
mod attempts;
mod audit;
mod cancel;
mod circumstances;
mod claim;
mod clocks;
mod comment;
mod create;
mod cursors;
mod dashboard;
mod deadlines;
mod delivery;
mod dispatch;
mod events;
mod evidence;
mod execution;
mod explain;
mod finish;
mod get;
mod health;
mod hold;
mod hostile_text;
mod idempotency;
mod identity;
mod keys;
mod limits;
mod list;
mod log;
mod malformed;
mod me;
mod metrics;
mod notifications;
mod observe;
mod paging;
mod pending_limit;
mod people;
mod planning;
mod policy;
mod races;
mod recycled;
mod refusal_order;
mod reject;
mod report;
mod retention;
mod routes;
mod simulate;
mod start;
mod stats;
mod visibility;
mod wait;
mod webhooks;
mod wire;
mod withdraw;
