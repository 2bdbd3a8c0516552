//! Waiting for a request to change: the service lets the call wait, or is asked every now and then if it does not.

use crate::connection::Connection;
use crate::error::Error;
use countersign_api::operation::Operation;
use countersign_api::problem::Code;
use countersign_api::wire::RequestBody;
use std::time::{Duration, Instant};

/// How long one call waits, in seconds: a service lets it wait for 25, and a connection for 30.
const WAIT_SECONDS: u32 = 20;

/// Asks for one request again and again.
#[derive(Debug)]
pub struct LongPoll {
    interval: Duration,
    /// Whether the service may know `wait`.
    is_known: bool,
}

impl LongPoll {
    /// A service that lets no call wait is asked once in each `interval`.
    pub fn every(interval: Duration) -> Self {
        Self { interval, is_known: true }
    }

    /// The request once it has changed since it was shown like this, or as it is after some time. An answer without
    /// news, and an error, come after `interval` at the earliest.
    ///
    /// # Errors
    /// As for [`Connection::request`].
    pub fn next(&mut self, connection: &Connection, seen: &RequestBody) -> Result<RequestBody, Error> {
        let began = Instant::now();
        let mut answer = if self.is_known { Some(waiting(connection, seen)) } else { None };
        if let Some(Err(error)) = &answer
            && is_older_service(error)
        {
            (self.is_known, answer) = (false, None);
        }
        let has_changed = |now: &RequestBody| (now.version, &now.status) != (seen.version, &seen.status);
        if !answer.as_ref().is_some_and(|answer| answer.as_ref().is_ok_and(has_changed)) {
            std::thread::sleep(self.interval.saturating_sub(began.elapsed()));
        }
        answer.unwrap_or_else(|| connection.request(&seen.request_id))
    }
}

fn waiting(connection: &Connection, seen: &RequestBody) -> Result<RequestBody, Error> {
    let path = Operation::Get.path(&seen.request_id);
    connection.get(&format!("{path}?wait={WAIT_SECONDS}&since_version={}", seen.version))
}

/// A service that does not know `wait` refuses it, as it refuses every parameter that it does not know.
fn is_older_service(error: &Error) -> bool {
    error.problem() == Some(Code::ValidationFailed)
}
