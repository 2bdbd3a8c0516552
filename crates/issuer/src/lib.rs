//! An issuer's keys: where they are published, how long they are trusted, and when they are fetched again. Both
//! shells verify tokens with it; the HTTP client that fetches is theirs, and not known here.
#![warn(missing_docs)]

pub mod authenticator;
pub mod error;
pub mod source;
