//! What agents are answered: where a request stands, why a call does not go on, and what to do next. No I/O, no clock.
//!
//! Refuses to know how an agent calls, and what it takes for an answer.

pub mod free_text;
pub mod link;
pub mod notice;
pub mod progress;
