//! Asking: a call that asks for what an earlier one has asked for goes on with that, if its caller is gone.

use crate::call::{CallKey, Expected, LeftCall, ToolCall};
use crate::directory::{DirectoryLock, HeldCall};
use crate::error::{CallError, OpenError};
use crate::record::{Kept, Record, State, VERSION};
use crate::records::{CallRecords, Options};
use crate::running::{self, EndingCall};
use crate::service::Service;
use crate::waiting::{self, Standing, WaitingCall};
use countersign_agents::notice::Notice;
use countersign_api::wire::{MeBody, RequestBody};
use countersign_app::host::Ids as _;
use countersign_client::connection::Connection;
use countersign_client::credential::SignerOf;
use countersign_client::profile::Settings;
use countersign_core::canonical::CanonicalJson;
use countersign_core::command::MAX_PARAMETERS_BYTES;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// How long the record of a call is kept of which nothing more is heard: longer than a request waits by default.
const FORGOTTEN: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Makes calls. Copies share everything.
#[derive(Debug, Clone)]
pub struct ToolCalls {
    service: Service,
    caller: Arc<MeBody>,
}

/// What there is of a call.
#[derive(Debug)]
pub enum Begun {
    /// A call with the same arguments has ended a short while ago: its result.
    Kept(Value),
    /// A call with the same arguments was started, and it is not known what it has done.
    Unknown(Notice),
    /// It waits, or may be started.
    Waiting(Box<WaitingCall>),
}

impl ToolCalls {
    /// Asks the service who the token is for.
    ///
    /// # Errors
    /// When that is a person, and a person's token is not taken; when the service refuses, or cannot be reached; and when
    /// other users can enter the directory.
    pub fn open(settings: &Settings, signer: SignerOf, options: Options) -> Result<Self, OpenError> {
        Self::of(CallRecords::open(settings, signer, options)?)
    }

    /// The same, of records that are open.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn of(records: CallRecords) -> Result<Self, OpenError> {
        let (service, caller) = records.identify()?;
        Ok(Self { service, caller: Arc::new(caller) })
    }

    /// Who calls.
    pub fn caller(&self) -> &MeBody {
        &self.caller
    }

    /// The service.
    pub fn connection(&self) -> &Arc<Connection> {
        &self.service.connection
    }

    /// Asks for a call, unless it has been asked for already by a caller who is gone.
    ///
    /// # Errors
    /// What the service refuses, or that it cannot be reached: the next call that asks for the same makes the same request
    /// then, however far this one has come.
    pub fn begin(&self, call: &ToolCall) -> Result<Begun, CallError> {
        let bytes = CanonicalJson::of(&call.parameters).as_str().len();
        if bytes > MAX_PARAMETERS_BYTES {
            return Err(CallError::TooLarge { bytes });
        }
        let digest = call.digest(self.service.connection.url(), &self.service.caller);
        let expected = Expected::of(call);
        loop {
            let (held, record) = self.take(&digest, call)?;
            if let Some(begun) = self.go_on(held, record, &expected)? {
                return Ok(begun);
            }
        }
    }

    /// The oldest call that no caller holds, or a new one.
    fn take(&self, digest: &str, call: &ToolCall) -> Result<(HeldCall, Record), CallError> {
        let directory = &self.service.directory;
        let lock = directory.lock()?;
        let mut last = 0;
        for key in directory.keys(Some(digest))? {
            last = key.counter;
            let Some(held) = directory.take(&key, &lock)? else { continue };
            match held.read()? {
                Some(record) if !self.is_over(&record) => {
                    // Another process runs it: it is not for a retry, which is another call.
                    if !matches!(record.state, State::Running { detached: Some(_), .. }) {
                        return Ok((held, record));
                    }
                }
                _ => held.remove_under(&lock)?,
            }
        }
        // A counter that begins with the time is never that of a call whose record has been removed.
        let now = u64::try_from(self.service.now()).unwrap_or_default();
        let key = CallKey { digest: digest.to_owned(), counter: now.max(last.saturating_add(1)) };
        let record = Record {
            version: VERSION,
            service: self.service.connection.url().to_owned(),
            caller: self.service.caller.to_string(),
            // The random part keeps apart what two machines ask for in one millisecond.
            idempotency_key: format!("{key}.{}", short(&self.service.host.request_id().to_string())),
            request_id: None,
            left_at: None,
            is_put_off: false,
            state: State::Asked { body: Some(Box::new(call.body())) },
        };
        self.create(&key, record, &lock)
    }

    fn create(
        &self,
        key: &CallKey,
        record: Record,
        lock: &DirectoryLock,
    ) -> Result<(HeldCall, Record), CallError> {
        match self.service.directory.take(key, lock)? {
            Some(held) => {
                held.write(&record)?;
                Ok((held, record))
            }
            // A lock's file without a record, of a caller who is about to remove it.
            None => {
                let key = CallKey { counter: key.counter.saturating_add(1), ..key.clone() };
                self.create(&key, record, lock)
            }
        }
    }

    /// Whether nothing is left of a call for a retry.
    fn is_over(&self, record: &Record) -> bool {
        match &record.state {
            State::Ended { at, kept, is_reported, .. } => {
                let is_kept = *kept != Kept::Nothing && !self.service.is_past(*at, self.service.replay);
                *is_reported && !is_kept
            }
            State::Asked { .. } | State::Starting | State::Running { .. } => false,
        }
    }

    /// Goes on with a call from where its record says that it is; gives nothing if it is over.
    fn go_on(
        &self,
        held: HeldCall,
        mut record: Record,
        expected: &Expected,
    ) -> Result<Option<Begun>, CallError> {
        let service = &self.service;
        let left_at = record.left_at.take();
        match &record.state {
            State::Ended { .. } => self.kept(held, &record),
            State::Running { execution_id, .. } => {
                let execution_id = execution_id.clone();
                let ending = EndingCall::of(service.clone(), held, record, execution_id);
                let detail = "the program that ran it has ended without a report";
                let notice = ending.unknown(detail);
                // Whatever becomes of the report: nothing is known of the call.
                let _ = ending.lost(detail);
                Ok(Some(Begun::Unknown(notice)))
            }
            State::Asked { .. } | State::Starting => {
                let is_new = record.request_id.is_none();
                let request = match self.request_of(&record) {
                    Err(CallError::Service(error)) if is_new && !error.is_passing() => {
                        held.remove()?;
                        return Err(CallError::Service(error));
                    }
                    request => request?,
                };
                if is_new {
                    record.request_id = Some(request.request_id.clone());
                    record.state = State::Asked { body: None };
                    held.write(&record)?;
                }
                let is_over = waiting::standing_of(&request, &record) == Standing::Over;
                // A caller who left it long ago does not ask about that any more. By the clock of this machine alone.
                if is_over && left_at.is_some_and(|left_at| service.is_past(left_at, service.replay)) {
                    held.remove()?;
                    return Ok(None);
                }
                let waiting = WaitingCall::new(service.clone(), held, record, request, expected.clone())?;
                Ok(Some(Begun::Waiting(Box::new(waiting))))
            }
        }
    }

    /// The request of a record; it is made if it is not known that there is one.
    fn request_of(&self, record: &Record) -> Result<RequestBody, CallError> {
        let connection = &self.service.connection;
        match (&record.request_id, &record.state) {
            (None, State::Asked { body: Some(body) }) => {
                Ok(connection.create(body, &record.idempotency_key)?)
            }
            (id, _) => Ok(connection.request(id.as_deref().unwrap_or_default())?),
        }
    }

    /// What is kept of a call that has ended.
    fn kept(&self, held: HeldCall, record: &Record) -> Result<Option<Begun>, CallError> {
        let State::Ended { at, kept, .. } = &record.state else { return Ok(None) };
        let is_reported = match running::report(&self.service, &held, record) {
            Err(error) if error.is_passing() => false,
            // What is refused is on the service's record, and no matter of the caller who asks for the result.
            Ok(()) | Err(_) => true,
        };
        match kept {
            _ if self.service.is_past(*at, self.service.replay) => {}
            Kept::Nothing => {}
            Kept::Result(result) => return Ok(Some(Begun::Kept(result.clone()))),
            Kept::Notice(notice) => return Ok(Some(Begun::Unknown(notice.as_ref().clone()))),
        }
        if !is_reported {
            // Its end is not known to the service yet, which is no reason to hold up another call.
            return Err(CallError::NotApproved(Box::new(Notice::new(
                "service_unavailable",
                "an earlier call with the same arguments is not reported yet, and the service cannot be reached",
                "call again with the same arguments once the service is back; nothing was run",
            ))));
        }
        held.remove()?;
        Ok(None)
    }

    /// Goes on with the call that has made a request, if there is one that no caller holds. Makes no request.
    ///
    /// # Errors
    /// As for [`Self::begin`].
    pub fn rejoin(&self, call: &ToolCall, request_id: &str) -> Result<Option<Begun>, CallError> {
        let digest = call.digest(self.service.connection.url(), &self.service.caller);
        let directory = &self.service.directory;
        let mut found = None;
        {
            let lock = directory.lock()?;
            for key in directory.keys(Some(&digest))? {
                let Some(held) = directory.take(&key, &lock)? else { continue };
                if let Some(record) = held.read()?
                    && record.request_id.as_deref() == Some(request_id)
                {
                    found = Some((held, record));
                    break;
                }
            }
        }
        let go_on = |(held, record)| self.go_on(held, record, &Expected::of(call));
        found.map_or(Ok(None), go_on)
    }

    /// The call that was detached with this key, to be ended. [`CallRecords::end_detached`] finds it by its name.
    ///
    /// # Errors
    /// When records cannot be read.
    pub fn detached_call(&self, key: &CallKey) -> Result<Option<EndingCall>, CallError> {
        let directory = &self.service.directory;
        let held = directory.take(key, &directory.lock()?)?;
        let Some(held) = held else { return Ok(None) };
        let record = held.read()?.filter(|record| self.is_ours(record));
        let Some(record) = record else { return Ok(None) };
        match &record.state {
            State::Running { execution_id, detached: Some(_) } => {
                let execution_id = execution_id.clone();
                Ok(Some(EndingCall::of(self.service.clone(), held, record, execution_id)))
            }
            _ => Ok(None),
        }
    }

    /// Whether a record is of a call that is asked of this service by this caller: no other one's token is for it.
    fn is_ours(&self, record: &Record) -> bool {
        record.service == self.service.connection.url() && record.caller == *self.service.caller
    }

    /// Cancels the request of a call whose caller has left, unless another caller has joined it since; gives whether it did.
    ///
    /// # Errors
    /// What the service refuses, or that it cannot be reached.
    pub fn abandon(&self, left: &LeftCall, reason: &str) -> Result<bool, CallError> {
        let directory = &self.service.directory;
        let held = directory.take(&left.key, &directory.lock()?)?;
        let Some(held) = held else { return Ok(false) };
        match held.read()? {
            Some(record) if record.left_at == Some(left.left_at) => self.give_up(held, &record, reason),
            Some(_) => Ok(false),
            None => {
                held.remove()?;
                Ok(false)
            }
        }
    }

    fn give_up(&self, held: HeldCall, record: &Record, reason: &str) -> Result<bool, CallError> {
        let is_waiting = matches!(record.state, State::Asked { .. } | State::Starting);
        let Some(id) = record.request_id.as_deref().filter(|_| is_waiting) else { return Ok(false) };
        let request = self.service.connection.request(id)?;
        let is_open = waiting::standing_of(&request, record) != Standing::Over;
        // One whose start was answered to no caller has run nothing; only its report can end it.
        let is_open = is_open && request.status != "executing";
        if is_open {
            waiting::cancel(&self.service, record, id, reason)?;
        }
        held.remove()?;
        Ok(is_open)
    }

    /// The result of a call that no retry asks for any more: it is kept no longer. One that is not reported yet stays.
    ///
    /// # Errors
    /// When the record cannot be read or written.
    pub fn forget_result(&self, key: &CallKey) -> Result<(), CallError> {
        let directory = &self.service.directory;
        let held = directory.take(key, &directory.lock()?)?;
        let Some(held) = held else { return Ok(()) };
        let Some(mut record) = held.read()? else { return Ok(held.remove()?) };
        if let State::Ended { kept, is_reported, .. } = &mut record.state {
            if *is_reported {
                return Ok(held.remove()?);
            }
            *kept = Kept::Nothing;
            held.write(&record)?;
        }
        Ok(())
    }

    /// Reports what the service was not there to hear, cancels what callers have left for longer than `linger`, and removes
    /// what is over; of calls that this caller has asked of this service. What fails is tried again the next time.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn settle(&self, linger: Duration) -> Result<(), CallError> {
        let directory = &self.service.directory;
        for key in directory.keys(None)? {
            let held = directory.take(&key, &directory.lock()?)?;
            let Some(held) = held else { continue };
            // One that cannot be read holds up no other.
            let Ok(record) = held.read() else { continue };
            if record.as_ref().is_none_or(|record| self.is_ours(record)) {
                let _ = self.settle_one(held, record, &key, linger);
            }
        }
        Ok(())
    }

    fn settle_one(
        &self,
        held: HeldCall,
        record: Option<Record>,
        key: &CallKey,
        linger: Duration,
    ) -> Result<(), CallError> {
        let Some(record) = record else { return Ok(held.remove()?) };
        if self.is_over(&record) {
            return Ok(held.remove()?);
        }
        match (&record.state, record.left_at) {
            (State::Ended { .. }, _) => running::report(&self.service, &held, &record),
            (State::Asked { .. } | State::Starting, Some(left_at))
                if self.service.is_past(left_at, linger) =>
            {
                let reason = "its caller is gone, and no other has asked for the same";
                self.give_up(held, &record, reason).map(drop)
            }
            // Its caller was killed: no process has written down when that was.
            (State::Asked { .. } | State::Starting, None)
                if !record.is_put_off && !self.is_forgotten(key) =>
            {
                waiting::leave(&self.service, &held, &record).map(drop)
            }
            _ if self.is_forgotten(key) => Ok(held.remove()?),
            _ => Ok(()),
        }
    }

    /// Whether a call was made so long ago that its request is over in any case.
    fn is_forgotten(&self, key: &CallKey) -> bool {
        i64::try_from(key.counter).is_ok_and(|made| self.service.is_past(made, FORGOTTEN))
    }
}

/// The random end of an id.
fn short(id: &str) -> &str {
    id.rsplit('-').next().unwrap_or(id)
}
