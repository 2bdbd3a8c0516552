//! Calls of addresses that people have given: which of them may be called, and the client that calls no other.
//!
//! An address is checked as a text ([`address`]), and every IP address that its name resolves to ([`networks`]) in the one
//! resolution that the connection is made from ([`resolver`]). The operator's settings are read from the file beside a
//! policy ([`configured`]). Refuses to know what is sent, the environment, and who may register an address.
#![warn(missing_docs)]

pub mod address;
pub mod answer;
pub mod client;
pub mod configured;
mod failure;
pub mod networks;
pub mod resolver;
mod roots;
pub mod rules;
mod webhook;

pub use address::{Address, InvalidAddress};
pub use answer::Answer;
pub use client::Client;
pub use networks::ForbiddenAddress;
pub use resolver::CheckedResolver;
pub use roots::InvalidRoots;
pub use rules::{EgressRules, InvalidRules, check_ip};
