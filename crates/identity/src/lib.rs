//! Who calls: a bearer token is verified, and its claims become an [`Principal`].
//!
//! Both shells use it: `countersign serve` for every token, the Lambda functions for tokens that
//! API Gateway has let through. Time is an argument; keys come from the shell. An answer never
//! depends on anything but the token: no body is ever seen here.
//!
//! [`Principal`]: countersign_core::principal::Principal
#![warn(missing_docs)]

pub mod claim_path;
pub mod claims;
pub mod error;
pub mod gateway;
pub mod jws;
pub mod key_set;
pub mod token;
