//! A call whose approval is spent: it is run once, and reported.

use crate::call::CallKey;
use crate::directory::HeldCall;
use crate::error::CallError;
use crate::outcome::Outcome;
use crate::record::{Detached, Kept, Record, State};
use crate::service::Service;
use countersign_agents::notice::{Notice, OUTCOME_UNKNOWN};
use countersign_api::bodies::FinishBody;
use countersign_api::wire::RequestBody;
use countersign_app::host::Ids as _;
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
    ending: EndingCall,
    request: RequestBody,
}

/// A call that was run, by this process or another, and has no end yet.
#[derive(Debug)]
pub struct EndingCall {
    service: Service,
    held: HeldCall,
    record: Record,
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
        Ok(Self { ending: EndingCall { service, held, record, execution_id }, request })
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
        let (service, request) = (self.ending.service.clone(), self.request.clone());
        let execution_id = self.ending.execution_id.clone();
        move || {
            let change = Change::Finish(FinishBody {
                execution_id: execution_id.clone(),
                outcome: "running".to_owned(),
                ..FinishBody::default()
            });
            let key = service.host.request_id().to_string();
            let after = service.connection.change(&request.request_id, &change, &key)?;
            Ok(change.check(Some(&request), &after).map_err(Error::from)?)
        }
    }

    /// The call without what it was started with: what is left is its end.
    pub fn ending(self) -> EndingCall {
        self.ending
    }

    /// As [`EndingCall::finish`].
    ///
    /// # Errors
    /// As there.
    pub fn finish(self, outcome: &Outcome, kept: Option<Value>) -> Result<(), CallError> {
        self.ending.finish(outcome, kept)
    }

    /// As [`EndingCall::finish_here`].
    ///
    /// # Errors
    /// As there.
    pub fn finish_here(self, outcome: &Outcome, kept: Option<Value>) -> Result<EndedCall, CallError> {
        self.ending.finish_here(outcome, kept)
    }

    /// As [`EndingCall::lost`].
    ///
    /// # Errors
    /// As there.
    pub fn lost(self, detail: &str) -> Result<Notice, CallError> {
        self.ending.lost(detail)
    }

    /// As [`EndingCall::not_run`].
    ///
    /// # Errors
    /// As there.
    pub fn not_run(self, detail: &str) -> Result<(), CallError> {
        self.ending.not_run(detail)
    }

    /// Leaves the end to another process, which finds the call by this.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub fn detach(self, by: Detached) -> Result<CallKey, CallError> {
        let EndingCall { held, record, execution_id, .. } = self.ending;
        let state = State::Running { execution_id, detached: Some(by) };
        held.write(&Record { state, ..record })?;
        Ok(held.key)
    }
}

impl EndingCall {
    /// A call that another process has begun.
    pub(crate) fn of(service: Service, held: HeldCall, record: Record, execution_id: String) -> Self {
        Self { service, held, record, execution_id }
    }

    /// The request.
    pub fn request_id(&self) -> &str {
        self.record.request_id.as_deref().unwrap_or_default()
    }

    /// Reports the end, and keeps the result for a retry. To a service that is away it is reported later, by
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

    /// Reports that it is not known what was done, and gives what an agent is answered.
    ///
    /// # Errors
    /// As for [`Self::finish`].
    pub fn lost(self, detail: &str) -> Result<Notice, CallError> {
        let notice = self.unknown(detail);
        let result = json!({ "error": OUTCOME_UNKNOWN, "detail": detail });
        self.end(false, result, Kept::Notice(Box::new(notice.clone())))?.report()?;
        Ok(notice)
    }

    /// What an agent is answered of a call of which it is not known what it has done.
    pub fn unknown(&self, detail: &str) -> Notice {
        Notice::outcome_unknown(self.request_id(), self.service.dashboard_url.as_deref(), detail)
    }

    /// Reports that nothing was run, though the approval is spent. A retry asks anew.
    ///
    /// # Errors
    /// As for [`Self::finish`].
    pub fn not_run(self, detail: &str) -> Result<(), CallError> {
        self.end(false, json!({ "error": "not_run", "detail": detail }), Kept::Nothing)?.report()
    }

    fn end(self, is_success: bool, result: Value, kept: Kept) -> Result<EndedCall, CallError> {
        let (at, execution_id) = (self.service.now(), self.execution_id);
        let state = State::Ended { execution_id, at, is_success, result, is_reported: false, kept };
        let record = Record { state, ..self.record };
        self.held.write(&record)?;
        Ok(EndedCall { service: self.service, held: self.held, record })
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
    /// Reports the end. To a service that is away it is reported later, by [`crate::ToolCalls::settle`].
    ///
    /// # Errors
    /// When the service refuses the report.
    pub fn report(self) -> Result<(), CallError> {
        match report(&self.service, &self.held, &self.record) {
            Err(error) if error.is_passing() => Ok(()),
            // Nothing is left of it for a retry.
            Ok(()) if matches!(self.record.state, State::Ended { kept: Kept::Nothing, .. }) => {
                Ok(self.held.remove()?)
            }
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
