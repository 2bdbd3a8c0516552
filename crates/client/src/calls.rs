//! The calls of the API that ask about requests, each with the type of its answer.

use crate::change::Change;
use crate::connection::Connection;
use crate::error::Error;
use countersign_api::operation::Operation;
use countersign_api::wire::{EventsBody, ExplainBody, RequestBody, SimulateBody};
use serde::Serialize;
use serde_json::Value;

/// What is asked for.
#[derive(Debug, Clone, Serialize)]
pub struct NewRequest {
    /// What is to be done.
    pub operation_type: String,
    /// To what.
    pub instance_id: String,
    /// Exactly how.
    pub parameters: Value,
    /// Where.
    pub environment: &'static str,
    /// Why.
    pub justification: String,
    /// A risk higher than the policy's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk_level: Option<&'static str>,
    /// What it is expected to cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_cost: Option<f64>,
    /// How long it is expected to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_duration: Option<String>,
    /// The ticket that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// How to go back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback_plan: Option<String>,
}

impl Connection {
    /// Makes a request, once: `key` is sent with every try.
    ///
    /// # Errors
    /// What the service refuses or cannot do, or that it cannot be reached.
    pub fn create(&self, request: &NewRequest, key: &str) -> Result<RequestBody, Error> {
        self.change_by(Operation::Create, "", request, key)
    }

    /// What would come of making a request.
    ///
    /// # Errors
    /// As for [`Self::create`].
    pub fn simulate(&self, request: &NewRequest) -> Result<SimulateBody, Error> {
        self.ask(Operation::Simulate, request)
    }

    /// A request.
    ///
    /// # Errors
    /// As for [`Self::create`].
    pub fn request(&self, request_id: &str) -> Result<RequestBody, Error> {
        self.get(&Operation::Get.path(request_id))
    }

    /// Why a request stands where it stands.
    ///
    /// # Errors
    /// As for [`Self::create`].
    pub fn explanation(&self, request_id: &str) -> Result<ExplainBody, Error> {
        self.get(&Operation::Explain.path(request_id))
    }

    /// The audit trail of a request.
    ///
    /// # Errors
    /// As for [`Self::create`].
    pub fn events(&self, request_id: &str) -> Result<EventsBody, Error> {
        self.get(&Operation::Events.path(request_id))
    }

    /// Changes a request, once: `key` is sent with every try. Whether the answer shows the change is for
    /// [`Change::check`].
    ///
    /// # Errors
    /// As for [`Self::create`].
    pub fn change(&self, request_id: &str, change: &Change, key: &str) -> Result<RequestBody, Error> {
        let operation = match change {
            Change::Approve { .. } => Operation::Approve,
            Change::Reject { .. } => Operation::Reject,
            Change::Comment { .. } => Operation::Comment,
            Change::Withdraw { .. } => Operation::Withdraw,
            Change::Cancel { .. } => Operation::Cancel,
            Change::Start { .. } => Operation::Start,
            Change::Finish { .. } => Operation::Finish,
        };
        self.change_by(operation, request_id, change, key)
    }
}
