//! The list of tools that an agent gets: without those that it may not ask for, and those that are described otherwise than
//! they are pinned.

use crate::configuration::Mode;
use crate::definition::Definition;
use crate::described;
use crate::execution::blocking;
use crate::gate::Gate;
use crate::notes::note;
use crate::pins::Pinned;
use crate::upstream::{MAX_LIST_BYTES, length};
use crate::wanted::{Subject, Wanted};
use countersign_api::problem::Code;
use countersign_tool_calls::ToolCall;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long it is taken for granted whether a tool may be asked for.
const FRESH: Duration = Duration::from_secs(60);

/// What is known of who may ask for what. A list is no promise: each call is asked for anew.
#[derive(Debug, Default)]
pub struct Visible {
    known: Mutex<HashMap<String, (Instant, bool)>>,
}

impl Visible {
    fn recent(&self, digest: &str) -> Option<bool> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(digest).filter(|(at, _)| at.elapsed() < FRESH).map(|(_, is_visible)| *is_visible)
    }

    fn keep(&self, digest: &str, is_visible: bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (at, _)| at.elapsed() < FRESH);
        known.insert(digest.to_owned(), (Instant::now(), is_visible));
    }
}

/// Takes from a page of a list what the agent is not to see.
pub async fn reduce(gate: &Arc<Gate>, visible: &Visible, page: &mut Value) {
    if length(page) > MAX_LIST_BYTES {
        // Pinning it would fill the disk.
        *page = json!({ "tools": [] });
        note(&format!("a list of tools with more than {MAX_LIST_BYTES} bytes is not passed on"));
        return;
    }
    let Some(listed) = page.get_mut("tools").and_then(Value::as_array_mut) else { return };
    let tools: Vec<_> = listed.iter().filter_map(Definition::of).collect();
    // What cannot be compared is refused when it is called.
    let pinned = described::pinned(gate, &tools).await.unwrap_or_default();
    if gate.configuration.mode == Mode::Observe {
        return;
    }
    let mut hidden = HashSet::new();
    for (tool, pinned) in tools.iter().zip(pinned) {
        let is_twice = tools.iter().filter(|other| other.name == tool.name).count() > 1;
        let is_pinned = matches!(pinned, Pinned::Same | Pinned::New);
        if is_twice || !is_pinned || !may_be_asked_for(gate, visible, tool).await {
            hidden.insert(tool.name.clone());
        }
    }
    listed.retain(|tool| {
        let name = tool.get("name").and_then(Value::as_str);
        name.is_some_and(|name| !hidden.contains(name))
    });
}

/// Whether the agent may ask for a tool, as far as that does not depend on the arguments.
async fn may_be_asked_for(gate: &Arc<Gate>, visible: &Visible, tool: &Definition) -> bool {
    if gate.configuration.operation(&tool.name).is_none() {
        return false;
    }
    if !gate.configuration.has_fixed_instance(&tool.name) {
        return true;
    }
    if let Some(known) = visible.recent(&tool.digest) {
        return known;
    }
    let wanted =
        Wanted { subject: Subject::Tool(tool.name.clone()), arguments: json!({}), meta: None, input: None };
    let Ok(call) = wanted.call(&gate.configuration, Some(tool)) else { return true };
    match is_permitted(gate, call).await {
        Some(is_permitted) => {
            visible.keep(&tool.digest, is_permitted);
            is_permitted
        }
        None => true,
    }
}

/// Whether policy lets the agent ask; nothing if the service does not say.
async fn is_permitted(gate: &Arc<Gate>, call: ToolCall) -> Option<bool> {
    let calls = gate.calls().await.ok()?;
    let simulation = blocking(move || calls.connection().simulate(&call.body())).await.ok()?.ok()?;
    Some(!simulation.refusals.iter().any(|refusal| refusal.code == Code::NotPermitted.as_str()))
}
