//! Webhooks as values: what a subscription takes, its secret and its signatures.
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]
