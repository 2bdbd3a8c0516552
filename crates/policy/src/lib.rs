//! Policies as texts: the directory they are loaded from, what is odd about them ([`finding`]), the table of cases
//! they are held against ([`cases`]), and what they would have made of past requests ([`replay`]).
//!
//! Decides nothing: it asks the rules of `countersign-core` and the access policies of `countersign-access`; with the feature `cedar`
//! it reads policies by Cedar's own library as well. Knows no
//! command line, service or store.
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]

pub mod cases;
mod dry_run;
#[cfg(feature = "cedar")]
pub mod finding;
pub mod lint;
pub mod load;
pub mod replay;
