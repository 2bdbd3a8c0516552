//! Who hears of what, when and by which way.
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]
