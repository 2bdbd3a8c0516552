//! The product over HTTP, as a user would use it: one binary, one module per subject.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod approve;
mod cancel;
mod comment;
mod create;
mod deadlines;
mod events;
mod finish;
mod get;
mod health;
mod idempotency;
mod list;
mod malformed;
mod not_yet;
mod paging;
mod races;
mod reject;
mod start;
