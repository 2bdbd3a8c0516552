//! The documents that agents send, read into what they have in common.

mod claude;
mod copilot;
mod cursor;
mod gemini;
pub mod members;
mod own;

use crate::agent::Agent;
use crate::refusal::Refusal;
use crate::tool_use::{After, Before};
use members::Members;

/// Reads what an agent sends before it uses a tool.
///
/// # Errors
/// What is too large, can be read in two ways, or is not what the agent's documentation says.
pub fn before(agent: Agent, bytes: &[u8]) -> Result<Before, Refusal> {
    let members = Members::strict(bytes)?;
    match agent {
        Agent::Claude | Agent::Codex => claude::before(&members),
        Agent::Cursor => cursor::before(&members),
        Agent::Gemini => gemini::before(&members),
        Agent::Copilot => copilot::before(&members),
        Agent::Opencode | Agent::Generic => own::before(agent, &members),
    }
}

/// Reads what an agent sends after it has used a tool.
///
/// # Errors
/// What is not what the agent's documentation says.
pub fn after(agent: Agent, bytes: &[u8]) -> Result<After, Refusal> {
    let members = Members::lenient(bytes)?;
    match agent {
        Agent::Claude | Agent::Codex => claude::after(&members),
        Agent::Cursor => cursor::after(&members),
        Agent::Gemini => gemini::after(&members),
        Agent::Copilot => copilot::after(&members),
        Agent::Opencode | Agent::Generic => own::after(agent, &members),
    }
}
