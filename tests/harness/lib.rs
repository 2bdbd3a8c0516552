//! What the end-to-end tests run on: a service in this process with a clock that tests set, the
//! real program as a child process, a client, injected faults, and a check of the whole store.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a harness fails by panicking: that is what fails the test"
)]

pub mod audit_log;
pub mod browser;
pub mod chat_services;
pub mod client;
pub mod deployment;
pub mod endpoint;
pub mod exposition;
pub mod forged_commit;
pub mod functions;
pub mod gateway;
pub mod grants;
pub mod inspection;
pub mod issuer;
pub mod lagging;
pub mod manual_host;
pub mod moto;
pub mod notification_schema;
pub mod program;
pub mod pseudo_terminal;
pub mod random;
pub mod repetitions;
pub mod rows;
pub mod runtime_api;
pub mod service;
pub mod signature;
pub mod signing;
pub mod stub;
pub mod transport;
pub mod website;
