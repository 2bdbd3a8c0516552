//! An approved request carried out by this client: its approval spent, its permit claimed, its lease renewed, and what came
//! of it reported. Knows nothing of what is carried out.

use crate::change::Change;
use crate::connection::Connection;
use crate::error::Error;
use countersign_api::bodies::{ClaimBody, FinishBody, StartBody};
use countersign_api::wire::RequestBody;
use countersign_app::host::Ids as _;
use countersign_core::timestamp::Timestamp;
use countersign_system::system::SystemHost;
use serde_json::Value;
use std::time::Duration;

/// How long a service waits for news of an execution whose answer does not say.
const LEASE: Duration = Duration::from_secs(3600);

/// An approval that is spent, and the permit that it has given.
#[derive(Debug, Clone, PartialEq)]
pub struct Started {
    /// The request as it was started: what it shows is what its digest names.
    pub request: RequestBody,
    /// Lets one client carry it out.
    pub permit: String,
}

/// An execution that this client has begun: nothing else carries it out.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// The request as it was started: what it shows is what its digest names.
    pub request: RequestBody,
    /// Names the execution.
    pub execution_id: String,
    /// How long after it was last heard of an execution counts as unknown.
    pub lease: Duration,
}

impl Connection {
    /// Spends an approval of exactly this request, and the permit that this gives.
    ///
    /// # Errors
    /// As for [`Self::start`] and [`Self::claim`].
    pub fn begin(&self, request: &RequestBody, key: &str) -> Result<Execution, Error> {
        self.claim(&self.start(request, key)?, key)
    }

    /// Spends an approval of exactly this request. Called again with the same key, after an answer was lost, it gives the
    /// same permit.
    ///
    /// # Errors
    /// What the service refuses, or that it cannot be reached. Nothing may be carried out then, though the approval may be
    /// spent: such a request stays `executing`, and is found `unknown` once its lease ends.
    pub fn start(&self, request: &RequestBody, key: &str) -> Result<Started, Error> {
        let id = &request.request_id;
        let start = Change::Start(StartBody {
            content_digest: request.content_digest.clone(),
            parameters_digest: request.parameters_digest.clone(),
            executed_by: None,
            expected_version: None,
        });
        let started = self.change(id, &start, key)?;
        start.check(Some(request), &started)?;
        let permit = match started.permit.clone() {
            Some(permit) => permit,
            None => self.execution(id)?.permit.ok_or_else(|| Error::NoPermit { request_id: id.clone() })?,
        };
        Ok(Started { request: started, permit })
    }

    /// Spends a permit. Called again with the same key, after an answer was lost, it goes on with the same execution.
    ///
    /// # Errors
    /// As for [`Self::start`].
    pub fn claim(&self, started: &Started, key: &str) -> Result<Execution, Error> {
        let request = &started.request;
        let claim = Change::Claim(ClaimBody {
            permit: started.permit.clone(),
            content_digest: request.content_digest.clone(),
            parameters_digest: request.parameters_digest.clone(),
            executed_by: None,
            expected_version: None,
        });
        let claimed = self.change(&request.request_id, &claim, &format!("{key}-claim"))?;
        claim.check(Some(request), &claimed)?;
        match claimed.execution_id.clone().filter(|id| request.execution_id.as_ref() == Some(id)) {
            Some(execution_id) => Ok(Execution { execution_id, lease: lease(&claimed), request: claimed }),
            None => Err(Error::NoPermit { request_id: request.request_id.clone() }),
        }
    }

    /// Says that an execution goes on.
    ///
    /// # Errors
    /// As for [`Self::begin`].
    pub fn renew(&self, execution: &Execution) -> Result<(), Error> {
        let change = Change::Finish(FinishBody {
            execution_id: execution.execution_id.clone(),
            outcome: "running".to_owned(),
            ..FinishBody::default()
        });
        let after = self.change(&execution.request.request_id, &change, &fresh_key())?;
        Ok(change.check(Some(&execution.request), &after)?)
    }

    /// Reports what came of an execution, once: `key` is sent with every try.
    ///
    /// # Errors
    /// As for [`Self::begin`].
    pub fn report(
        &self,
        execution: &Execution,
        is_success: bool,
        result: Option<Value>,
        key: &str,
    ) -> Result<RequestBody, Error> {
        let change = Change::Finish(FinishBody {
            execution_id: execution.execution_id.clone(),
            outcome: if is_success { "succeeded" } else { "failed" }.to_owned(),
            result,
            ..FinishBody::default()
        });
        let after = self.change(&execution.request.request_id, &change, key)?;
        change.check(Some(&execution.request), &after)?;
        Ok(after)
    }
}

/// How long an execution may be silent, by the clock of the service alone.
fn lease(claimed: &RequestBody) -> Duration {
    let time = |text: &Option<String>| {
        text.as_deref().and_then(|text| Timestamp::parse(text).ok()).map(Timestamp::as_millisecond)
    };
    let silence = time(&claimed.lease_until).zip(time(&claimed.claimed_at)).map(|(until, at)| until - at);
    silence.and_then(|silence| u64::try_from(silence).ok()).map_or(LEASE, Duration::from_millis)
}

/// A key that names one change.
pub(crate) fn fresh_key() -> String {
    SystemHost::default().request_id().to_string()
}
