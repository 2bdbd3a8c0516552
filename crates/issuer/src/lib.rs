//! An issuer: where its keys are published, how long they are trusted, and when they are fetched again; and how people sign in
//! at it. Both shells verify tokens with it; the HTTP client is theirs, and not known here.
#![warn(missing_docs)]

pub mod authenticator;
pub mod error;
pub mod relying_party;
pub mod source;
