//! A call that waits for its approvers, held by one caller.

use crate::call::{CallKey, Expected, LeftCall};
use crate::directory::HeldCall;
use crate::error::CallError;
use crate::record::{Record, State};
use crate::running::RunningCall;
use crate::service::Service;
use countersign_agents::notice::Notice;
use countersign_api::bodies::CancelBody;
use countersign_api::wire::RequestBody;
use countersign_client::change::Change;
use countersign_client::error::Error;
use countersign_client::long_poll::LongPoll;
use std::time::{Duration, Instant};

/// How often a service is asked that lets no call wait, and how often after a minute.
const INTERVAL: Duration = Duration::from_secs(1);
const LATER_INTERVAL: Duration = Duration::from_secs(5);
const LATER: Duration = Duration::from_secs(60);

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Approvers have not decided.
    Pending,
    /// It may be started.
    Approved,
    /// It is over, or another caller has started it.
    Over,
}

/// A call that waits. Its caller is gone once it is dropped; the next call that asks for the same goes on with it then.
#[derive(Debug)]
pub struct WaitingCall {
    service: Service,
    held: Option<HeldCall>,
    record: Record,
    request: RequestBody,
    /// What approvers are shown.
    expected: Expected,
    began: Instant,
}

/// Looks for news of a request, apart from the call that waits: a caller who leaves does not wait for an answer.
#[derive(Debug, Clone)]
pub struct Watch {
    service: Service,
    request: RequestBody,
    interval: Duration,
}

impl Watch {
    /// The request once it has changed, or as it is after some 20 seconds. Blocks.
    ///
    /// # Errors
    /// What the service refuses, or that it cannot be reached.
    pub fn next(&self) -> Result<RequestBody, Error> {
        LongPoll::every(self.interval).next(&self.service.connection, &self.request)
    }
}

impl WaitingCall {
    /// A call that was asked for, with the request as the service shows it.
    pub(crate) fn new(
        service: Service,
        held: HeldCall,
        record: Record,
        request: RequestBody,
        expected: Expected,
    ) -> Result<Self, CallError> {
        let call = Self { service, held: Some(held), record, request, expected, began: Instant::now() };
        call.shows_what_was_sent(&call.request)?;
        Ok(call)
    }

    fn shows_what_was_sent(&self, request: &RequestBody) -> Result<(), CallError> {
        // What is over was erased, perhaps, and is not run in any case.
        let is_over = standing_of(request, &self.record) == Standing::Over;
        match self.expected.is_shown_by(request, is_over) {
            true => Ok(()),
            false => Err(CallError::OtherParameters { request_id: request.request_id.clone() }),
        }
    }

    /// The request as it was last seen.
    pub fn request(&self) -> &RequestBody {
        &self.request
    }

    /// Names the call, also once it is dropped.
    pub fn key(&self) -> Option<CallKey> {
        self.held.as_ref().map(|held| held.key.clone())
    }

    /// Where it stands, as it was last seen.
    pub fn standing(&self) -> Standing {
        standing_of(&self.request, &self.record)
    }

    /// Why it does not go on now.
    pub fn notice(&self) -> Notice {
        let url = self.service.dashboard_url.as_deref();
        match self.standing() {
            Standing::Pending | Standing::Approved => Notice::pending(&self.request, url),
            Standing::Over => Notice::closed(&self.request, url),
        }
    }

    /// Looks for news of what was last seen.
    pub fn watch(&self) -> Watch {
        let interval = if self.began.elapsed() < LATER { INTERVAL } else { LATER_INTERVAL };
        Watch { service: self.service.clone(), request: self.request.clone(), interval }
    }

    /// Takes what a [`Watch`] has found.
    ///
    /// # Errors
    /// When the service shows another request than it was sent.
    pub fn update(&mut self, request: RequestBody) -> Result<(), CallError> {
        self.shows_what_was_sent(&request)?;
        self.request = request;
        Ok(())
    }

    /// Waits for news, some 20 seconds at most.
    ///
    /// # Errors
    /// As for [`Watch::next`] and [`Self::update`].
    pub fn refresh(&mut self) -> Result<(), CallError> {
        let request = self.watch().next()?;
        self.update(request)
    }

    /// Spends the approval. The call that this gives is to be run now, once.
    ///
    /// # Errors
    /// When it is not approved, or not any more; what the service refuses; or that it cannot be reached: nothing is to be run
    /// then, and the next call that asks for the same goes on with it.
    pub fn start(mut self) -> Result<RunningCall, CallError> {
        if self.standing() != Standing::Approved {
            return Err(CallError::NotApproved(Box::new(self.notice())));
        }
        let Some(held) = self.held.take() else {
            return Err(CallError::NotApproved(Box::new(self.notice())));
        };
        // Before the approval is spent: a process that is killed after that has run nothing, and the next one may.
        self.record =
            Record { state: State::Starting, left_at: None, is_put_off: false, ..self.record.clone() };
        held.write(&self.record)?;
        let key = format!("{}-start", self.record.idempotency_key);
        let started = match self.service.connection.start(&self.request, &key) {
            Ok(started) => started.request,
            Err(error) => {
                self.held = Some(held);
                return Err(self.not_started(error));
            }
        };
        self.shows_what_was_sent(&started)?;
        RunningCall::begin(self.service.clone(), held, self.record.clone(), started)
    }

    /// Why it was not started. The request may have been closed in the same moment.
    fn not_started(&mut self, error: Error) -> CallError {
        if !error.is_passing()
            && let Ok(now) = self.service.connection.request(&self.request.request_id)
        {
            self.request = now;
            if self.request.status == "executing" {
                // Its own start would have been answered again: another caller has started it.
                self.record.state = State::Asked { body: None };
            }
            if self.standing() == Standing::Over {
                return CallError::NotApproved(Box::new(self.notice()));
            }
        }
        CallError::Service(error)
    }

    /// Leaves the call: its caller is gone. Gives what [`crate::ToolCalls::abandon`] takes; nothing if it is over.
    pub fn leave(mut self) -> Option<LeftCall> {
        let held = self.held.take()?;
        if self.standing() == Standing::Over {
            let _ = held.remove();
            return None;
        }
        let left_at = leave(&self.service, &held, &self.record).ok()?;
        Some(LeftCall { key: held.key, left_at })
    }

    /// Leaves the call to the next one that asks for the same: its caller is answered that it waits, and to call again.
    pub fn put_off(mut self) {
        if self.standing() == Standing::Over {
            return;
        }
        if let Some(held) = self.held.take() {
            let _ = held.write(&Record { left_at: None, is_put_off: true, ..self.record.clone() });
        }
    }

    /// Cancels the request: its caller does not want it any more.
    ///
    /// # Errors
    /// What the service refuses, or that it cannot be reached; the call stays then, as if its caller had gone.
    pub fn cancel(mut self, reason: &str) -> Result<(), CallError> {
        let Some(held) = self.held.take() else { return Ok(()) };
        cancel(&self.service, &self.record, &self.request.request_id, reason).inspect_err(|_| {
            let _ = leave(&self.service, &held, &self.record);
        })?;
        Ok(held.remove()?)
    }
}

/// Cancels a request that no caller wants any more. Cancelled twice is cancelled once.
pub(crate) fn cancel(service: &Service, record: &Record, id: &str, reason: &str) -> Result<(), CallError> {
    let change = Change::Cancel(CancelBody { reason: Some(reason.to_owned()), ..CancelBody::default() });
    let key = format!("{}-cancel", record.idempotency_key);
    let after = service.connection.change(id, &change, &key)?;
    Ok(change.check(None, &after).map_err(Error::from)?)
}

/// Writes down that no caller waits; gives since when.
pub(crate) fn leave(service: &Service, held: &HeldCall, record: &Record) -> Result<i64, CallError> {
    let left_at = service.now();
    held.write(&Record { left_at: Some(left_at), is_put_off: false, ..record.clone() })?;
    Ok(left_at)
}

/// Where a request stands for the caller whose record this is.
pub(crate) fn standing_of(request: &RequestBody, record: &Record) -> Standing {
    match request.status.as_str() {
        "pending" => Standing::Pending,
        "approved" => Standing::Approved,
        // The answer to the start was lost. Asking again with the same key gives it.
        "executing" if record.state == State::Starting => Standing::Approved,
        _ => Standing::Over,
    }
}

impl Drop for WaitingCall {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        // A record that cannot be written is found by the next call as if the process had been killed.
        let _ = match self.standing() {
            // Its caller knows, and the next one asks anew.
            Standing::Over => held.remove().map_err(CallError::from),
            Standing::Pending | Standing::Approved => leave(&self.service, &held, &self.record).map(drop),
        };
    }
}
