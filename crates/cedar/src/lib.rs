//! Who may do what, decided by Cedar policies.
//!
//! `access.cedar` says who may create, view, approve and so on; `access.cedarschema` says what its
//! policies may speak of. [`CedarAuthorizer::parse`] reads the policies and is cheap enough for every
//! start; [`CedarAuthorizer::validate`] holds them against the schema, and belongs where a policy is
//! changed: `countersign policy check`, tests, a build.
//!
//! An answer is a permit only if every policy that concerns the action could be evaluated. Cedar
//! itself skips a policy that fails, and with it a `forbid`; here doubt means refusal.
//!
//! Only this crate knows Cedar. It reads no file, clock or environment: texts and time are arguments.
//!
//! ```
//! use countersign_cedar::{BUNDLED, CedarAuthorizer};
//!
//! let groups = ["developer", "approver", "auditor", "admin", "guest", "agent"].map(str::to_owned).into();
//! let access = CedarAuthorizer::parse("access.cedar", BUNDLED, &groups, "UTC")?;
//! assert!(access.validate()?.is_empty());
//! # Ok::<(), countersign_cedar::InvalidAccess>(())
//! ```
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]

mod access;
mod context;
mod decimal;
mod lint;
mod literals;
mod named_policy;
mod problem;
mod source;

#[cfg(test)]
mod tests;

pub use access::{BUNDLED, CedarAuthorizer};
pub use problem::{InvalidAccess, Problem, Reason, Warning};
