//! Agents: the program as an MCP server, as a gate before one, and as a hook.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests fail by panicking"
)]

mod forwarding;
mod gate;
mod gate_faults;
mod gate_http;
mod gate_place;
mod gate_tasks;
mod hook;
mod hook_faults;
mod hook_install;
mod hook_rows;
mod hook_settings;
mod mcp;
mod mcp_client;
mod mcp_http;
mod mcp_tools;
mod observed;
mod rights;
mod tool_calls;
