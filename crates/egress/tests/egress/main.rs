//! The guarantees of the crate, on sockets of this machine alone: no test sends a packet elsewhere.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken fixture is a failed test")]

mod calls;
mod environment;
mod hostile;
mod http2;
mod networks;
mod rebinding;
mod server;
