//! Evidence of one request: a signed document that shows offline what was asked for, who decided under which policy, and
//! what came of it.
//!
//! The document has one form, so that no byte of it can be changed. It is made in two steps, since a key may be far away:
//! [`assembly::Draft`] gives the bytes to sign, and takes the signature. [`verification`] believes nothing but the
//! published keys. Refuses to know where events, proofs and keys come from. Every byte is in `docs/evidence.md`.

pub mod assembly;
pub mod document;
pub mod dsse;
pub mod mismatch;
pub mod sample;
pub mod verification;

mod consistency;
mod events;
mod limits;
mod permit;
mod replay;
mod texts;
