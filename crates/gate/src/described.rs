//! A tool as its server describes it at this moment, if that is how it is pinned.

use crate::definition::Definition;
use crate::execution::blocking;
use crate::gate::Gate;
use crate::meta;
use crate::notes::{named, note};
use crate::pins::{MAX_PINNED, Pinned};
use crate::upstream::Upstream;
use countersign_agents::notice::Notice;
use serde_json::{Map, Value};

/// The tool of this name.
///
/// # Errors
/// When the server does not describe it, describes several, or otherwise than it is pinned.
pub async fn tool(
    gate: &Gate,
    upstream: &Upstream,
    name: &str,
    meta: Option<&Map<String, Value>>,
) -> Result<Definition, Notice> {
    let own = meta::of_own_request(meta, gate.configuration.allowed());
    let tools = upstream.tools(own.as_ref()).await.map_err(|error| {
        let message = format!("{error}; nothing was run");
        Notice::new("upstream_unreachable", &message, "call again once the server answers")
    })?;
    let mut same = tools.into_iter().filter(|tool| tool.name == name);
    let Some(tool) = same.next() else {
        let message = format!("the server {} has no tool {name}", gate.configuration.server);
        return Err(Notice::new("tool_unknown", &message, "list the tools"));
    };
    if same.next().is_some() {
        let message = format!("the server {} describes several tools {name}", gate.configuration.server);
        return Err(Notice::new(
            "tool_ambiguous",
            &message,
            "the operator has to look into it; nothing was run",
        ));
    }
    match pinned(gate, std::slice::from_ref(&tool)).await?.first() {
        Some(Pinned::Same | Pinned::New) => Ok(tool),
        Some(Pinned::OneTooMany) => Err(Notice::new(
            "tool_not_pinned",
            &format!("{MAX_PINNED} tools of this server are pinned, and no more are; nothing was run"),
            "the operator has to look into it: the server may change the names of its tools",
        )),
        Some(Pinned::Changed) | None => Err(changed(name)),
    }
}

/// Compares descriptions with the pins.
///
/// # Errors
/// When the pins cannot be used.
pub async fn pinned(gate: &Gate, tools: &[Definition]) -> Result<Vec<Pinned>, Notice> {
    let (pins, owned) = (gate.pins.clone(), tools.to_vec());
    let found =
        blocking(move || pins.compare(&owned.iter().collect::<Vec<_>>())).await?.map_err(|error| {
            note(&format!("no tool is called: {error}"));
            Notice::new(
                "pins_unusable",
                "the file that tools are pinned in cannot be used",
                "the operator has to look into it",
            )
        })?;
    let mut too_many = 0;
    for (tool, found) in tools.iter().zip(&found) {
        match found {
            Pinned::Same => {}
            Pinned::New => {
                note(&format!("{} is pinned as it was first seen: {}", named(&tool.name), tool.digest));
            }
            Pinned::OneTooMany => too_many += 1,
            Pinned::Changed => note(&format!(
                "{} is described otherwise than it is pinned, and is not called: `countersign gate accept {}` shows how",
                named(&tool.name),
                named(&tool.name)
            )),
        }
    }
    if too_many > 0 {
        note(&format!(
            "{too_many} tools are not pinned, and not called: {MAX_PINNED} of a server are the most"
        ));
    }
    Ok(found)
}

fn changed(name: &str) -> Notice {
    let message = format!("the server describes {name} otherwise than before; nothing was run");
    Notice::new("tool_changed", &message, "the operator has to look at it: countersign gate accept")
}
