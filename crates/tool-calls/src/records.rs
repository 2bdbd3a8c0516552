//! The records of calls before the service is asked who calls: what has ended is written down while it is away, too.

use crate::directory::CallDirectory;
use crate::error::{CallError, OpenError};
use crate::outcome::Outcome;
use crate::record::{Detached, Kept, Record, State};
use crate::service::Service;
use countersign_api::wire::MeBody;
use countersign_app::host::Clock as _;
use countersign_client::connection::Connection;
use countersign_client::credential::SignerOf;
use countersign_client::profile::Settings;
use countersign_system::system::SystemHost;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How often, and how long in between, a record is asked for that another process holds: reports of other calls hold each for a moment.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// What came of one try to end a call.
enum Tried {
    /// As [`CallRecords::end_detached`] says.
    Done(Option<bool>),
    /// Another process holds it.
    Held,
}

/// How calls are made.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where their records are; for this user alone.
    pub directory: PathBuf,
    /// Whether a person's token is taken.
    pub as_human: bool,
    /// How long the result of a call is kept for a retry.
    pub replay: Duration,
    /// Where people look at requests.
    pub dashboard_url: Option<String>,
}

/// The records of calls.
#[derive(Debug)]
pub struct CallRecords {
    connection: Connection,
    directory: CallDirectory,
    host: Arc<SystemHost>,
    options: Options,
}

impl CallRecords {
    /// Opens them. The service is not asked.
    ///
    /// # Errors
    /// When the settings are of no use, and when other users can enter the directory.
    pub fn open(settings: &Settings, signer: SignerOf, options: Options) -> Result<Self, OpenError> {
        Ok(Self {
            connection: Connection::open(settings, signer)?,
            directory: CallDirectory::open(options.directory.clone())?,
            host: Arc::new(SystemHost::default()),
            options,
        })
    }

    /// Asks the service who the token is for.
    ///
    /// # Errors
    /// When that is a person, and a person's token is not taken; when the service refuses, or cannot be reached.
    pub(crate) fn identify(self) -> Result<(Service, MeBody), OpenError> {
        let caller = self.connection.me()?;
        if caller.kind == "human" && !self.options.as_human {
            return Err(OpenError::Human { person: caller.person });
        }
        let service = Service {
            connection: Arc::new(self.connection),
            directory: self.directory,
            host: self.host,
            caller: Arc::from(caller.person.as_str()),
            replay: self.options.replay,
            dashboard_url: self.options.dashboard_url.map(Arc::from),
        };
        Ok((service, caller))
    }

    /// Writes down the end of a call that a process has detached by the name of `ended`: of the newest that was approved with its
    /// content, since one that an agent has given up without a word is older than the one that it has ended. If there is none, but one
    /// call of that name alone, that was run with other content than was approved, and has failed, whatever it has done.
    /// [`crate::ToolCalls::settle`] reports it. Gives whether the call was run as approved; nothing if none is found.
    ///
    /// # Errors
    /// When records cannot be read or written.
    pub fn end_detached(&self, ended: &Detached, outcome: Outcome) -> Result<Option<bool>, CallError> {
        for _ in 0..TRIES {
            match self.try_end(ended, &outcome)? {
                Tried::Done(found) => return Ok(found),
                // A process looks at it for a moment, or has just ended it.
                Tried::Held => std::thread::sleep(PAUSE),
            }
        }
        Ok(None)
    }

    fn try_end(&self, ended: &Detached, outcome: &Outcome) -> Result<Tried, CallError> {
        let mut named = Vec::new();
        for key in self.directory.keys(None)? {
            // One that cannot be read is no reason to report no other.
            let Ok(Some(record)) = self.directory.read(&key) else { continue };
            if let Some(detached) = self.detached(&record).filter(|detached| detached.name == ended.name) {
                named.push((detached.content == ended.content, key));
            }
        }
        let as_approved = named.iter().rev().find(|(is_as_approved, _)| *is_as_approved);
        let Some((is_as_approved, key)) = as_approved.or(named.first().filter(|_| named.len() == 1)) else {
            return Ok(Tried::Done(None));
        };
        let Some(held) = self.directory.take(key, &self.directory.lock()?)? else { return Ok(Tried::Held) };
        let Some(record) = held.read()?.filter(|record| self.detached(record).is_some()) else {
            return Ok(Tried::Held);
        };
        let State::Running { execution_id, .. } = &record.state else { return Ok(Tried::Held) };
        let outcome = if *is_as_approved { outcome.clone() } else { outcome.clone().of_other_arguments() };
        let state = State::Ended {
            execution_id: execution_id.clone(),
            at: self.host.now().as_millisecond(),
            is_success: !outcome.is_error,
            result: outcome.document(),
            is_reported: false,
            kept: Kept::Nothing,
        };
        held.write(&Record { state, ..record })?;
        Ok(Tried::Done(Some(*is_as_approved)))
    }

    /// By what the end of a call is found, if another process runs it. Its caller is compared before a report is sent.
    fn detached<'a>(&self, record: &'a Record) -> Option<&'a Detached> {
        match &record.state {
            State::Running { detached: Some(detached), .. } if record.service == self.connection.url() => {
                Some(detached)
            }
            _ => None,
        }
    }
}
