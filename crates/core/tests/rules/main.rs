//! The rules of the core as behaviour: what each command does to a request in every status, at
//! every edge of time, by everybody who may try, and that the audit trail shows it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a broken fixture is a failed test"
)]

mod approval_policy;
mod approval_reference;
mod audit;
mod cases;
mod chain;
mod conditions;
mod creation;
mod deadlines;
mod demands;
mod digest;
mod erasure;
mod execution;
mod explain;
mod fixture;
mod flips;
mod hold;
mod idempotency;
mod integrity;
mod lifecycle;
mod lint;
mod model;
mod mutations;
mod order;
mod people;
mod people_file;
mod properties;
mod reapproval;
mod recycled;
mod replay;
mod signers;
mod slots;
mod threats;
mod worlds;
