//! `access.cedar` by Cedar's own library (<https://docs.cedarpolicy.com>): its parser and validator, which say what is wrong
//! with a policy and where; what is odd about one that is valid; and its answers, with which those of
//! `countersign-access` are compared. Belongs where a policy is changed, and where a service reads one: `countersign policy
//! check`, `serve`, tests. No function links it.
//!
//! It reads no file, clock or environment: texts and time are arguments.
//!
//! ```
//! use countersign_access::BUNDLED;
//! use countersign_cedar::CedarPolicies;
//!
//! let groups = ["developer", "approver", "auditor", "admin", "guest", "agent"].map(str::to_owned).into();
//! let policies = CedarPolicies::parse("access.cedar", BUNDLED, &groups, "UTC")?;
//! assert!(policies.validate()?.is_empty());
//! # Ok::<(), countersign_access::InvalidAccess>(())
//! ```
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]

mod context;
mod lint;
mod named_policy;
mod policies;
mod problem;

#[cfg(test)]
mod tests;

pub use policies::CedarPolicies;
