//! A proxy before one MCP server: each call of a tool is run once it is approved, and once.
