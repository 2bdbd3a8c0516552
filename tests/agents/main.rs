//! Agents: the program as an MCP server, as a gate before one, and as a hook.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests fail by panicking"
)]
