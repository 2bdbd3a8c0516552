//! E-mails about requests.
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]
