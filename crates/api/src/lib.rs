//! The HTTP contract of Countersign: operations, wire types, problems.
//!
//! [`operation::Operation`] is the list of what there is, [`run::run`] carries out one [`call::Call`]
//! that a shell has routed and whose sender it has established. API Gateway, Lambda and the local
//! server stay outside; so do tokens.
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]

pub mod bodies;
pub mod call;
pub mod fields;
pub mod files;
#[cfg(test)]
mod openapi;
pub mod operation;
pub mod operations;
pub mod outgoing;
pub mod problem;
pub mod reply;
pub mod run;
pub mod wire;
