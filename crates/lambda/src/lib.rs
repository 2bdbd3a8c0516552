//! The Lambda shell: everything that a function has around its operation.
//!
//! A function's `main` starts [`boot::Boot`], builds the one adapter it needs and hands it over.
//! What arrives is read by [`invocation`]: an HTTP API event or a direct payload for the operations
//! of the API, a schedule for [`expire`] and [`executor`], a stream or a schedule for [`notify`]. Which
//! store stands behind a function is not known here.
#![warn(missing_docs)]

pub mod boot;
pub mod environment;

pub mod dashboard;
#[cfg(feature = "deliveries")]
pub mod deliver;
pub mod direct;
pub mod executor;
pub mod expire;
pub mod function;
pub mod gateway;
pub mod https;
pub mod iam;
pub mod invocation;
#[cfg(feature = "mcp")]
pub mod mcp;
pub mod notify;
mod outgoing;

pub mod metrics;
pub mod polling;
pub mod seal;
#[cfg(feature = "deliveries")]
mod secrets;
pub mod time;
pub mod visitor;
