//! What carries out what was approved: the five functions of an executor, and the loop around them.
//!
//! [`planner::Planner::validate`] and [`planner::Planner::plan`] are functions of values: they run where a request is
//! made and simulated. [`port::Executor`] is what calls another system: it observes a target, applies a plan and looks
//! what came of it. [`worker`] takes approved requests through them, each once. Refuses to know AWS, HTTP, processes,
//! clock and environment.
#![warn(missing_docs)]

pub mod planner;
pub mod port;
pub mod registry;
pub mod target;
pub mod worker;

pub mod rds;
pub mod ssm_automation;

mod fields;
