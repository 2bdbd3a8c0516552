//! A table of cases for a policy: what is asked for, who then does what, and what it should come to.
//! Reads `tests.toml` from text, and runs each case with the functions that decide for the service.
//!
//! ```toml
//! # Who is in which groups, unless a request or step says otherwise.
//! [people]
//! "ann@example.com" = ["developer"]
//! "dan@example.com" = ["approver", "dba"]
//! "fay@example.com" = ["approver", "finance"]
//!
//! [[cases]]
//! name = "an expensive change needs a dba and finance"
//! request = { by = "ann@example.com", operation_type = "modify_storage", instance_id = "orders-db",
//!             environment = "production", estimated_cost = 600 }
//! steps = [
//!     { by = "dan@example.com", expect = "pending" },
//!     { by = "ann@example.com", expect = "self_approval" },
//!     { by = "fay@example.com", expect = "approved" },
//!     { action = "start", by = "ann@example.com" },
//! ]
//! expect = { status = "executing", risk_level = "high", slots = { dba = 1, finance = 1 } }
//! ```
//!
//! - `request`: `by`, `operation_type`, `instance_id` and `environment`; optionally `groups`, `kind`
//!   (`human`, `agent`, `service`), `risk_level`, `estimated_cost`, `estimated_duration`, `ticket`,
//!   `rollback_plan`, `justification`, `at`, `source_ip`, `channel` (`api`, `direct`, `local`).
//! - `steps`, in order: `by`; optionally `action` (`approve` unless given, `reject`, `cancel`,
//!   `comment`, `view`, `view_parameters`, `start`, `succeed`, `fail`), `groups`, `kind`, `at`, `source_ip`, `channel`, `expect`
//!   and `reason`. `expect` is the status that it leads to, or the code of the refusal; a step without
//!   it must not be refused.
//! - `expect`: of the request `status` at the end, `risk_level`, `environment`, `approvals_required`,
//!   `slots`, `digest_required`, `pending_seconds`, `execute_within_seconds`, `pending_limit`,
//!   `approved_limit`, `cost_limit`, `justification_min`, `required_fields`, and `rules`: parts of the policy that must be among those that
//!   hold. A request that must be refused has `refused`, the code, and perhaps `reason`, which must be
//!   part of one of the reasons. One key at least, unless a step expects something.
//!
//! An actor in no group has `groups = []`; an actor without `groups` is a mistake, and so is a group
//! in `[people]` that policy does not know. Without `at` a request is made on Monday, 2026-03-02 at 10:00
//! UTC, and each step is a minute after what came before it, so that a table comes to the same on every
//! day. How many requests a requester has, pending or approved, is not looked at.

mod expectation;
mod table;

pub use expectation::Mismatch;
pub use table::{Case, FILE, parse};

use countersign_core::policy::Policy;

/// Runs a case: nothing if all is as expected, or everything that is not.
pub fn run(case: &Case, policy: &Policy) -> Vec<Mismatch> {
    expectation::run(case, policy)
}
