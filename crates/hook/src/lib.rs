//! The hooks of agents: what each sends before it uses a tool of its own, and what it takes for an answer.
//!
//! INVARIANT: an agent is answered that it may go on only after an approval of exactly its tool, its arguments and its
//! directory was spent. Whatever else happens here is a refusal in the form that the agent understands.

pub mod agent;
pub mod answer;
pub mod before;
pub mod call;
pub mod check;
pub mod deadline;
pub mod deferral;
pub mod input;
pub mod post;
pub mod recorded;
pub mod refusal;
pub mod settings;
pub mod tool_use;
pub mod tools;
pub mod words;

pub use countersign_agents::notice::Notice;
