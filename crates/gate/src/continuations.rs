//! Calls whose server has asked something, until the agent calls again with the answer. They are one execution all along.

use crate::execution::Execution;
use countersign_app::host::Ids as _;
use countersign_system::system::SystemHost;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Calls that wait for an answer of their agents, by what the agent is given to name them.
#[derive(Debug, Clone, Default)]
pub struct Continuations {
    waiting: Arc<Mutex<HashMap<String, Continuation>>>,
}

/// A call that waits.
#[derive(Debug)]
pub struct Continuation {
    /// The call.
    pub execution: Execution,
    /// What its server wants to have back.
    pub state: Option<Value>,
    /// What was asked for: only the same goes on with it.
    pub identity: String,
}

impl Continuations {
    fn waiting(&self) -> MutexGuard<'_, HashMap<String, Continuation>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a call; gives what names it.
    pub fn keep(&self, continuation: Continuation) -> String {
        let name = SystemHost::default().request_id().to_string();
        self.waiting().insert(name.clone(), continuation);
        name
    }

    /// Whether a call waits by this name.
    pub fn has(&self, name: &str) -> bool {
        self.waiting().contains_key(name)
    }

    /// Takes a call, if the same is asked for.
    pub fn take(&self, name: &str, identity: &str) -> Option<Continuation> {
        let mut waiting = self.waiting();
        let is_same = waiting.get(name)?.identity == identity;
        if is_same { waiting.remove(name) } else { None }
    }

    /// Takes a call that has waited too long.
    pub fn expire(&self, name: &str) -> Option<Continuation> {
        self.waiting().remove(name)
    }

    /// Takes all calls.
    pub fn drain(&self) -> Vec<Continuation> {
        self.waiting().drain().map(|(_, continuation)| continuation).collect()
    }
}
