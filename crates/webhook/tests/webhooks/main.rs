//! Settings, filters, bodies and trails of webhooks.
#![expect(clippy::unwrap_used, reason = "a broken fixture is a failed test")]

mod bodies;
mod events;
mod filters;
mod settings;
mod trails;
