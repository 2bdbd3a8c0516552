//! The calls of the API that ask about requests, each with the type of its answer.

use crate::audit_query::{AuditQuery, StatsQuery};
use crate::change::Change;
use crate::connection::Connection;
use crate::error::Error;
use crate::list_query::query_string;
use countersign_api::bodies::{CreateBody, HoldBody};
use countersign_api::operation::Operation;
use countersign_api::wire::{
    AuditBody, EventsBody, ExecutionBody, ExplainBody, MeBody, ReportBody, RequestBody, SimulateBody,
    StatsBody,
};
use countersign_core::period::Period;
use serde_json::{Value, json};

impl Connection {
    /// Makes a request, once: `key` is sent with every try.
    ///
    /// # Errors
    /// What the service refuses or cannot do, or that it cannot be reached.
    pub fn create(&self, request: &CreateBody, key: &str) -> Result<RequestBody, Error> {
        self.change_by(Operation::Create, "", request, key)
    }

    /// What would come of making a request.
    ///
    /// # Errors
    /// As for [`Self::create`].
    pub fn simulate(&self, request: &CreateBody) -> Result<SimulateBody, Error> {
        self.ask(Operation::Simulate, request)
    }

    /// A request.
    ///
    /// # Errors
    /// As for [`Self::create`].
    pub fn request(&self, request_id: &str) -> Result<RequestBody, Error> {
        self.get(&Operation::Get.path(request_id))
    }

    /// Who calls, as policy knows them.
    ///
    /// # Errors
    /// As for [`Self::create`].
    pub fn me(&self) -> Result<MeBody, Error> {
        self.get(Operation::Me.path_template())
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

    /// A page of audit events of any streams.
    ///
    /// # Errors
    /// As for [`Self::create`].
    pub fn audit(&self, query: &AuditQuery) -> Result<AuditBody, Error> {
        self.get(&format!("{}{}", Operation::Audit.path_template(), query.text()))
    }

    /// Figures of a range of days.
    ///
    /// # Errors
    /// As for [`Self::create`].
    pub fn stats(&self, query: &StatsQuery) -> Result<StatsBody, Error> {
        self.get(&format!("{}{}", Operation::Stats.path_template(), query.text()))
    }

    /// The report on the period that has a day; on the last one that is over, if there is no day.
    ///
    /// # Errors
    /// As for [`Self::create`].
    pub fn period_report(&self, period: Period, date: Option<&str>) -> Result<ReportBody, Error> {
        let path = Operation::Report.path_template().replace("{period}", period.as_str());
        let query = query_string([("date", date.map(str::to_owned))]);
        self.get(&format!("{path}{query}"))
    }

    /// The execution of a request, with its permit for who may claim it.
    ///
    /// # Errors
    /// As for [`Self::create`].
    pub fn execution(&self, request_id: &str) -> Result<ExecutionBody, Error> {
        self.get(&Operation::Execution.path(request_id))
    }

    /// Changes a request, once: `key` is sent with every try. Whether the answer shows the change is for
    /// [`Change::check`].
    ///
    /// # Errors
    /// As for [`Self::create`].
    pub fn change(&self, request_id: &str, change: &Change, key: &str) -> Result<RequestBody, Error> {
        let operation = match change {
            Change::Approve(_) => Operation::Approve,
            Change::Reject(_) => Operation::Reject,
            Change::Comment(_) => Operation::Comment,
            Change::Withdraw(_) => Operation::Withdraw,
            Change::Cancel(_) => Operation::Cancel,
            Change::Start(_) => Operation::Start,
            Change::Claim(_) => Operation::Claim,
            Change::Observe(_) => Operation::Observe,
            Change::Finish(_) => Operation::Finish,
        };
        self.change_by(operation, request_id, change, key)
    }

    /// Claims a request, so that other approvers see who is looking at it.
    ///
    /// # Errors
    /// As for [`Self::create`].
    pub fn hold(&self, request_id: &str, terms: &HoldBody) -> Result<RequestBody, Error> {
        let held = self.claim_call(Operation::Hold, request_id, Some(&json!(terms)))?;
        if held.hold.is_some() { Ok(held) } else { Err(self.odd("it shows no claim of the request")) }
    }

    /// Gives a claim back.
    ///
    /// # Errors
    /// As for [`Self::create`].
    pub fn release(&self, request_id: &str) -> Result<RequestBody, Error> {
        self.claim_call(Operation::Release, request_id, None)
    }

    /// No key is sent: sent again it does the same.
    fn claim_call(
        &self,
        operation: Operation,
        request_id: &str,
        body: Option<&Value>,
    ) -> Result<RequestBody, Error> {
        let path = operation.path(request_id);
        Ok(self.sized_call(operation.method().into(), &path, body, None, self.retries)?.0)
    }
}
