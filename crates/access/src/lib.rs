//! Who may do what: `access.cedar` read, held against its schema, and asked.
//!
//! The language is Cedar (<https://docs.cedarpolicy.com>), as far as the schema gives a use for it. Cedar's own library
//! stands behind `countersign-cedar`, which checks a policy where it is changed; this crate decides in every program, and is
//! small enough for a function that starts cold. Both read the same texts, and a test puts the same questions to both.
//!
//! An answer is a permit only if every policy that concerns the action could be evaluated. Cedar itself skips a policy that
//! fails, and with it a `forbid`; here doubt means refusal. Refuses to know files, clock and environment: texts and time are
//! arguments.
//!
//! ```
//! use countersign_access::{Access, BUNDLED};
//!
//! let groups = ["developer", "approver", "auditor", "admin", "guest", "agent"].map(str::to_owned).into();
//! let access = Access::parse("access.cedar", BUNDLED, &groups, "UTC")?;
//! access.check()?;
//! # Ok::<(), countersign_access::InvalidAccess>(())
//! ```
#![warn(missing_docs)]

mod access;
mod attribute;
mod decimal;
mod entity;
mod literal;
pub mod literals;
mod parse;
mod policy;
mod problem;
mod question;
mod schema;
mod source;
mod token;

pub use access::{Access, BUNDLED, LowerCase};
pub use attribute::Attribute;
pub use decimal::decimal;
pub use policy::AuthorsWords;
pub use problem::{InvalidAccess, Problem, Reason, Warning};
pub use source::{Code, MAX_OPERATORS, Source};
