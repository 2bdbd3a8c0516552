//! The files of the audit log in a bucket of Amazon S3, and beside them the texts of policies. What is written once is
//! neither replaced nor deleted before its time, by Object Lock in compliance mode.
//!
//! Owns the calls of S3. Knows the names of files and nothing of what is signed.
#![warn(missing_docs)]

pub mod log_bucket;
pub mod policy_texts;
