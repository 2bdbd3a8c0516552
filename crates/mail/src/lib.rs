//! E-mails about requests: MIME bytes for one recipient, and for whom they are.
//!
//! The same message, recipient and date give the same bytes. Refuses to know how they are sent and who is told.
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]

pub mod address;
mod body;
pub mod mail;
