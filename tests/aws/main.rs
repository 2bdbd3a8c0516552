//! The product as AWS runs it: the functions behind a gateway, in their runtime, on stores and topics
//! that are not ours.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod continuations;
mod dashboard;
mod delivery;
mod destinations;
mod equality;
mod executor;
mod expiry;
mod iam;
mod identity;
mod issuer;
mod lifecycle;
mod log;
mod mcp;
mod policy;
mod rds;
mod samples;
mod signatures;
mod signing_keys;
mod tls;
mod wait;

use std::path::{Path, PathBuf};

/// The built function of a name: all of them are built into one folder.
fn binary(function: &str) -> PathBuf {
    let one = Path::new(env!("CARGO_BIN_EXE_health-under-test"));
    one.with_file_name(format!("{function}-under-test"))
}
