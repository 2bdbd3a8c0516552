//! The hooks of agents: answered in the form of the agent whatever happens, written into its settings, and tried.

pub mod arguments;
pub mod check;
pub mod install;
pub mod run;
pub mod service;
pub mod usage;
