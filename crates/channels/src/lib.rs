//! Sending to the destinations that `notifications.toml` names, each by its kind: what is said is made by
//! `countersign-chat` and `countersign-mail`, and sent by the client of `countersign-egress`, or by SMTP.
//!
//! Secrets are read when they are needed, by the references that the file has, and shown nowhere. What is sent through AWS is
//! behind a port ([`cloud`]), for programs that have it. Refuses to know who is told, when, the store and the clock.
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]

pub mod call;
pub mod cloud;
mod mail;
pub mod secret;
pub mod sender;
mod slack;
pub mod smtp;
mod summary;
