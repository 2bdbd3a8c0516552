//! Keys in AWS KMS that sign permits: which of them signs is said by aliases, and no private key ever leaves KMS.
//!
//! Owns the calls of KMS and how long their answers are kept. Knows no permit, no function and no environment.
#![warn(missing_docs)]

pub mod alias;
pub mod rotation;
pub mod signing_keys;
