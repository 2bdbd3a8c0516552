//! Deliveries, endpoints and sweeps as behaviour, on a virtual clock.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken fixture is a failed test")]

mod health;
mod outage;
mod transitions;
