//! The HTTP contract of Countersign: routes, wire types, operations, problems.
//!
//! Two doors: [`routes::ALL`] lists what there is, [`run::run`] carries out one [`call::Call`]
//! that a shell has routed and whose sender it has established. API Gateway, Lambda and the local
//! server stay outside; so do tokens.
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]

pub mod call;
pub mod fields;
pub mod openapi;
pub mod operations;
pub mod problem;
pub mod routes;
pub mod run;
pub mod wire;
