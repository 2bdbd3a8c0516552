//! The hooks of agents: what each sends before it uses a tool of its own, and what it takes for an answer.
