//! Webhooks as values: what a subscription takes, its secret and its signatures, and the trail of its changes.
//!
//! A [`webhook::Webhook`] has [`settings::Settings`], among them the [`filter::Filter`] of what it takes. A delivery is a
//! [`body::Body`], signed ([`signature`]) with the [`secret`]s in force. Refuses to know where webhooks are stored, which
//! addresses may be called, clock, random source and network: times, ids and random bytes are arguments.
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]

pub mod body;
pub mod filter;
pub mod headers;
pub mod rule;
pub mod secret;
pub mod settings;
pub mod signature;
pub mod trail;
pub mod webhook;
