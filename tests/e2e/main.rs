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
mod events;
mod finish;
mod get;
mod health;
mod list;
mod reject;
mod start;
