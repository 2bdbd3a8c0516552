//! How a server is reached, by which each conversation gets one of its own.

use crate::child::Child;
use crate::exchange::Aside;
use crate::upstream::Upstream;
use crate::upstream_http::{Address, HttpUpstream};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::sync::Arc;

/// How a server is reached.
#[derive(Debug, Clone)]
pub enum Source {
    /// By a process.
    Command {
        /// The command and its arguments.
        command: Vec<OsString>,
        /// All variables that it gets.
        environment: BTreeMap<OsString, OsString>,
    },
    /// At a URL.
    Address(Box<Address>),
}

impl Source {
    /// A server for one conversation.
    ///
    /// # Errors
    /// When its process cannot be started.
    pub fn open(&self, unassociated: Aside) -> io::Result<Upstream> {
        Ok(match self {
            Self::Command { command, environment } => {
                Upstream::Child(Arc::new(Child::start(command, environment, unassociated)?))
            }
            Self::Address(address) => {
                Upstream::Http(Arc::new(HttpUpstream::new(address.as_ref().clone(), unassociated)))
            }
        })
    }
}
