//! A call whose approval is spent: it is run once, and reported.

use crate::directory::HeldCall;
use crate::error::CallError;
use crate::outcome::Outcome;
use crate::record::{Kept, Record, State};
use crate::service::Service;
use countersign_agents::notice::{Notice, OUTCOME_UNKNOWN};
use countersign_api::bodies::FinishBody;
use countersign_api::wire::RequestBody;
use countersign_client::change::Change;
use countersign_client::error::Error;
use countersign_core::timestamp::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// How long a service waits for news of an execution whose answer does not say.
const LEASE: Duration = Duration::from_secs(3600);

/// A call that is run now. One that is dropped without an end counts as lost: nothing is known of what it has done.
#[derive(Debug)]
pub struct RunningCall {
    service: Service,
    held: HeldCall,
    record: Record,
    request: RequestBody,
    execution_id: String,
}

impl RunningCall {
    /// Writes down that it may be run from now on.
    pub(crate) fn begin(
        service: Service,
        held: HeldCall,
        record: Record,
        request: RequestBody,
    ) -> Result<Self, CallError> {
        let id = &request.request_id;
        let Some(execution_id) = request.execution_id.clone() else {
            return Err(CallError::Service(Error::NoPermit { request_id: id.clone() }));
        };
        let state = State::Running { execution_id: execution_id.clone(), detached: None };
        let record = Record { state, ..record };
        held.write(&record)?;
        Ok(Self { service, held, record, request, execution_id })
    }

    /// A call that another process has begun.
    pub(crate) fn resume(
        service: Service,
        held: HeldCall,
        record: Record,
        execution_id: String,
    ) -> Result<Self, CallError> {
        let id = record.request_id.clone().unwrap_or_default();
        let request = service.connection.request(&id)?;
        Ok(Self { service, held, record, request, execution_id })
    }

    /// The request as it was started.
    pub fn request(&self) -> &RequestBody {
        &self.request
    }

    /// What was approved: exactly this is to be run.
    pub fn parameters(&self) -> &Value {
        self.request.parameters.as_ref().unwrap_or(&Value::Null)
    }

    /// How long the execution may be silent. A third of it is a good interval for [`Self::renewal`].
    pub fn lease(&self) -> Duration {
        let time = |text: &Option<String>| text.as_deref().and_then(|text| Timestamp::parse(text).ok());
        let (until, at) = (time(&self.request.lease_until), time(&self.request.execution_started_at));
        let silence = until.zip(at).map(|(until, at)| until.as_millisecond() - at.as_millisecond());
        silence.and_then(|silence| u64::try_from(silence).ok()).map_or(LEASE, Duration::from_millis)
    }

    /// What says that the execution goes on, apart from the call. Blocks.
    pub fn renewal(&self) -> impl Fn() -> Result<(), CallError> + Send + Sync + use<> {
        let (service, request) = (self.service.clone(), self.request.clone());
        let execution_id = self.execution_id.clone();
        move || {
            let change = Change::Finish(FinishBody {
                execution_id: execution_id.clone(),
                outcome: "running".to_owned(),
                ..FinishBody::default()
            });
            use countersign_app::host::Ids as _;
            let key = service.host.request_id().to_string();
            let after = service.connection.change(&request.request_id, &change, &key)?;
            Ok(change.check(Some(&request), &after).map_err(Error::from)?)
        }
    }

    /// Reports the end, and keeps the result for a retry. A service that is away is told later, by
    /// [`crate::ToolCalls::settle`].
    ///
    /// # Errors
    /// When the end cannot be written down, or the service refuses the report.
    pub fn finish(self, outcome: &Outcome, kept: Option<Value>) -> Result<(), CallError> {
        self.finish_here(outcome, kept)?.report()
    }

    /// Writes the end down, for a caller who is answered before the service has heard of it.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn finish_here(self, outcome: &Outcome, kept: Option<Value>) -> Result<EndedCall, CallError> {
        let kept = kept.map_or(Kept::Nothing, Kept::Result);
        self.end(!outcome.is_error, outcome.document(), kept)
    }

    /// Reports that it is not known what was done.
    ///
    /// # Errors
    /// As for [`Self::finish`].
    pub fn lost(self, detail: &str) -> Result<Notice, CallError> {
        let url = self.service.dashboard_url.as_deref();
        let notice = Notice::outcome_unknown(&self.request.request_id, url, detail);
        let result = json!({ "error": OUTCOME_UNKNOWN, "detail": detail });
        self.end(false, result, Kept::Notice(Box::new(notice.clone())))?.report()?;
        Ok(notice)
    }

    /// Reports that nothing was run, though the approval is spent. A retry asks anew.
    ///
    /// # Errors
    /// As for [`Self::finish`].
    pub fn not_run(self, detail: &str) -> Result<(), CallError> {
        self.end(false, json!({ "error": "not_run", "detail": detail }), Kept::Nothing)?.report()
    }

    fn end(self, is_success: bool, result: Value, kept: Kept) -> Result<EndedCall, CallError> {
        let (at, execution_id) = (self.service.now(), self.execution_id.clone());
        let state = State::Ended { execution_id, at, is_success, result, is_reported: false, kept };
        let record = Record { state, ..self.record };
        self.held.write(&record)?;
        Ok(EndedCall { service: self.service, held: self.held, record })
    }

    /// Leaves the end to another process, which finds the call by this name.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub fn detach(self, name: &str) -> Result<(), CallError> {
        let state =
            State::Running { execution_id: self.execution_id.clone(), detached: Some(name.to_owned()) };
        Ok(self.held.write(&Record { state, ..self.record })?)
    }
}

/// A call that has ended, as far as this machine knows. One that is dropped is reported by [`crate::ToolCalls::settle`].
#[derive(Debug)]
pub struct EndedCall {
    service: Service,
    held: HeldCall,
    record: Record,
}

impl EndedCall {
    /// Reports the end. A service that is away is told later, by [`crate::ToolCalls::settle`].
    ///
    /// # Errors
    /// When the service refuses the report.
    pub fn report(self) -> Result<(), CallError> {
        match report(&self.service, &self.held, &self.record) {
            Err(error) if error.is_passing() => Ok(()),
            reported => reported,
        }
    }
}

/// Reports an end that is written down, once.
pub(crate) fn report(service: &Service, held: &HeldCall, record: &Record) -> Result<(), CallError> {
    let State::Ended { execution_id, is_success, result, is_reported: false, .. } = &record.state else {
        return Ok(());
    };
    let change = Change::Finish(FinishBody {
        execution_id: execution_id.clone(),
        outcome: if *is_success { "succeeded" } else { "failed" }.to_owned(),
        result: Some(result.clone()),
        ..FinishBody::default()
    });
    let id = record.request_id.as_deref().unwrap_or_default();
    let reported = service.connection.change(id, &change, &format!("report-{execution_id}"));
    let mut record = record.clone();
    let failure = match reported {
        Ok(after) => change.check(None, &after).err().map(|error| CallError::Service(error.into())),
        Err(error) => Some(CallError::Service(error)),
    };
    // What the service refuses it refuses again.
    if !failure.as_ref().is_some_and(CallError::is_passing)
        && let State::Ended { is_reported, .. } = &mut record.state
    {
        *is_reported = true;
        held.write(&record)?;
    }
    failure.map_or(Ok(()), Err)
}
