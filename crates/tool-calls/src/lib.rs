//! Calls of tools bound to approvals: asked for once, joined by retries, run once. Knows no agent and no protocol.
