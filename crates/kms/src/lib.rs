//! Keys in AWS KMS that sign permits, checkpoints of the audit log, and evidence: which of them signs is said by aliases, and
//! no private key ever leaves KMS.
//!
//! Owns the calls of KMS and how long their answers are kept. Knows no permit, no log, no function and no environment.
#![warn(missing_docs)]

pub mod alias;
pub mod audit_keys;
pub mod purpose;
pub mod rotation;
pub mod signing_keys;
