//! A command of this machine as what is approved: what it is bound to, and how it is run once it is.
//!
//! Owns which files, variables and settings decide what a command does, and the process that the command becomes.
//! Refuses to know requests, services and screens: what is bound becomes the parameters of a request elsewhere.
#![warn(missing_docs)]

pub mod bind;
pub mod error;
pub mod parameters;

pub mod child;
pub mod outcome;
pub mod signals;
pub mod streams;

mod environment;
mod executable;
mod file;
