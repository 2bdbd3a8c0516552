//! The audit log: a Merkle tree of all events of a deployment (RFC 6962 section 2), kept as tiles (C2SP `tlog-tiles`),
//! whose heads are signed as checkpoints (C2SP `tlog-checkpoint`).
//!
//! Everything here is a function of values: what tiles come of an entry, what a checkpoint says, whether one checkpoint
//! follows from another, whether a log is whole. Refuses to know where a log is kept, who signs, what an event means,
//! requests, clock and network. Every byte is in `docs/log.md`.
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]

pub mod tile;
pub mod tree;

pub mod checkpoint;
pub mod edge;
pub mod key;
pub mod key_set;
pub mod note;
pub mod proof;

pub mod entry;
pub mod monitor;
pub mod places;
pub mod streams;
pub mod verification;

pub mod evidence;

pub mod ocsf;
pub mod population;
