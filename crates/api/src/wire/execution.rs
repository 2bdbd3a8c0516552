//! The execution of a request.

use super::text;
use countersign_core::execution::{Execution, Window};
use countersign_core::request::Request;
use countersign_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// A span of time, both ends included.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowBody {
    /// Its begin.
    pub from: String,
    /// Its end.
    pub to: String,
}

impl WindowBody {
    pub(super) fn of(window: Window) -> Self {
        Self { from: window.from.to_string(), to: window.to.to_string() }
    }
}

/// The execution of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecutionBody {
    /// The request.
    pub request_id: String,
    /// Names the execution.
    pub execution_id: String,
    /// `started`, `claimed`, `unknown`, `succeeded` or `failed`.
    pub execution_state: String,
    /// For whom the permit is: `client`, or the executor.
    pub execution_audience: String,
    /// Who has started it.
    pub execution_started_by: String,
    /// The time of the start.
    pub execution_started_at: String,
    /// The time from which the permit claims nothing.
    pub permit_expires_at: String,
    /// The time from which it has been silent for too long. Absent once it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<String>,
    /// Who carries it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_by: Option<String>,
    /// The time of the claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_at: Option<String>,
    /// The permit, for the caller who may claim with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit: Option<String>,
}

impl ExecutionBody {
    /// The execution of a request at `now`; `None` if it was not started.
    pub fn of(request: &Request, permit: Option<String>, now: Timestamp) -> Option<Self> {
        let execution = request.execution.as_ref()?;
        let claim = execution.claim.as_ref();
        Some(Self {
            request_id: request.id().to_string(),
            execution_id: execution.id.to_string(),
            execution_state: execution.state_at(now).to_string(),
            execution_audience: request.content.audience().to_owned(),
            execution_started_by: execution.started_by.to_string(),
            execution_started_at: execution.started_at.to_string(),
            permit_expires_at: execution.permit_expires_at.to_string(),
            lease_until: lease_until(execution),
            claimed_by: text(claim.map(|claim| &claim.by)),
            claimed_at: text(claim.map(|claim| claim.at)),
            permit,
        })
    }
}

/// Of an execution that is not over.
pub(super) fn lease_until(execution: &Execution) -> Option<String> {
    execution.finish.is_none().then(|| execution.lease_until.to_string())
}
