//! The service as one of its executors sees it: its own identity, and no call that approves or rejects.

use crate::change::{Change, ChangeError};
use crate::connection::Connection;
use crate::content::{ContentError, digest_of_shown};
use crate::error::Error;
use crate::execution::fresh_key;
use crate::list_query::ListQuery;
use countersign_api::bodies::{ClaimBody, FinishBody, ObserveBody, StartBody};
use countersign_api::operations::finish;
use countersign_api::problem::Code;
use countersign_api::wire::RequestBody;
use countersign_app::host::Clock as _;
use countersign_core::canonical::CanonicalJson;
use countersign_core::execution::{ExecutionMode, ExecutionState};
use countersign_core::request::Status;
use countersign_core::timestamp::Timestamp;
use countersign_executor::port::Task;
use countersign_executor::target::Target;
use countersign_executor::worker::{Approvals, Claim, Open, Report, Stage};
use countersign_permit::{Expected, KeySet, parameters_digest, verify};
use countersign_system::system::SystemHost;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// How many operations one list is asked for: the API takes as many values.
const OPERATIONS_AT_ONCE: usize = 20;

/// What permits are verified with before they are claimed.
#[derive(Debug)]
pub struct Verifier {
    /// The service's public keys, from a place that the service cannot change.
    pub keys: KeySet,
    /// Its origin.
    pub issuer: String,
}

/// Why an executor does not get on with a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecutorError {
    /// A call has failed.
    #[error(transparent)]
    Call(#[from] Error),
    /// The permit is not what it must be.
    #[error("the permit is not claimed: {0}")]
    NotClaimed(String),
    /// The executor may not see what it is to do.
    #[error("its parameters are not shown to this executor")]
    Hidden,
    /// The target that was recorded has become another one.
    #[error("the service shows another target than before the claim")]
    AnotherTarget,
    /// Nothing is said of the claim.
    #[error("the service does not show the claim")]
    NoClaim,
}

impl From<ContentError> for ExecutorError {
    fn from(error: ContentError) -> Self {
        Self::Call(error.into())
    }
}

impl From<ChangeError> for ExecutorError {
    fn from(error: ChangeError) -> Self {
        Self::Call(error.into())
    }
}

/// The service.
#[derive(Debug)]
pub struct ServiceApprovals {
    connection: Connection,
    host: SystemHost,
    /// The executor, as policy names it.
    name: String,
    /// What it carries out.
    operations: Vec<String>,
    verifier: Option<Verifier>,
    /// This executor, as answers name it; empty if that is not known.
    me: Vec<String>,
    /// Requests of which nothing is to be done as long as they have this status.
    settled: RefCell<BTreeMap<String, String>>,
}

impl ServiceApprovals {
    /// The service that a connection is with, for the executor that policy names so. `me` is by which names answers may
    /// call this executor; none if that is not known.
    pub fn new(
        connection: Connection,
        name: String,
        operations: Vec<String>,
        verifier: Option<Verifier>,
        me: Vec<String>,
    ) -> Self {
        let host = SystemHost::default();
        Self { connection, host, name, operations, verifier, me, settled: RefCell::default() }
    }

    /// Whether nothing is to be done of a request that is as it is shown, until it has another status.
    fn is_settled(&self, request: &RequestBody) -> bool {
        let is_automatic = request.execution.as_deref() == Some(ExecutionMode::Automatic.into());
        let is_for_others = request.executor.as_deref() != Some(self.name.as_str());
        let waits_for_people = request.status == Status::Pending.as_str()
            || (request.status == Status::Approved.as_str() && !is_automatic);
        is_for_others || (waits_for_people && request.target_observed_at.is_some())
    }

    fn stage(&self, request: &RequestBody) -> Option<Stage> {
        let is_mine = || {
            let claimed_by = request.claimed_by.as_deref();
            self.me.is_empty() || claimed_by.is_some_and(|by| self.me.iter().any(|me| me == by))
        };
        match request.status.parse().ok()? {
            Status::Pending => Some(Stage::Waiting),
            Status::Approved if self.is_due(request) => Some(Stage::Due),
            Status::Approved => Some(Stage::Waiting),
            Status::Executing => match request.execution_state.as_deref()?.parse().ok()? {
                ExecutionState::Started => Some(Stage::Started),
                // Whose it is shows in `claimed_by`: an execution can become unknown before it is claimed.
                ExecutionState::Claimed | ExecutionState::Unknown if is_mine() => Some(Stage::Claimed),
                ExecutionState::Claimed
                | ExecutionState::Unknown
                | ExecutionState::Succeeded
                | ExecutionState::Failed => None,
            },
            Status::Rejected | Status::Expired | Status::Cancelled | Status::Executed | Status::Failed => {
                None
            }
        }
    }

    /// The service looks at its own clock when it is asked to start it.
    fn is_due(&self, request: &RequestBody) -> bool {
        let is_automatic = request.execution.as_deref() == Some(ExecutionMode::Automatic.into());
        let now = self.host.now();
        let window = request.window.as_ref().map(|window| window.from.as_str());
        let times = [request.execute_at.as_deref(), window];
        let is_past = |time: &str| Timestamp::parse(time).is_ok_and(|time| time <= now);
        is_automatic && times.into_iter().flatten().all(is_past)
    }

    fn change(&self, before: &RequestBody, change: &Change) -> Result<RequestBody, ExecutorError> {
        let id = &before.request_id;
        let after = self.connection.change(id, change, &fresh_key())?;
        change.check(Some(before), &after)?;
        Ok(after)
    }

    /// Compares what the permit says with what is about to be done. The service does the same; this executor need not
    /// believe that.
    fn verify(&self, permit: &str, request: &RequestBody, content_digest: &str) -> Result<(), ExecutorError> {
        let Some(verifier) = &self.verifier else { return Ok(()) };
        let parameters = parameters_digest(request.parameters.as_ref().unwrap_or_default());
        let seconds = self.host.now().as_millisecond() / 1_000;
        let expected = Expected {
            issuer: &verifier.issuer,
            audience: &self.name,
            now: seconds.try_into().unwrap_or_default(),
            parameters_digest: Some(&parameters),
        };
        let claims = verify(permit, &verifier.keys, &expected)
            .map_err(|error| ExecutorError::NotClaimed(error.to_string()))?;
        let target = request.target.as_ref().map(|target| CanonicalJson::of(target).digest().to_string());
        let is_of_request = claims.sub == request.request_id
            && Some(claims.jti.as_str()) == request.execution_id.as_deref()
            && claims.operation_type == request.operation_type
            && claims.instance_id == request.instance_id
            && claims.content_digest == content_digest
            && claims.target_digest == target;
        if is_of_request {
            Ok(())
        } else {
            Err(ExecutorError::NotClaimed("it is for something else than is shown".to_owned()))
        }
    }
}

impl Approvals for ServiceApprovals {
    type Error = ExecutorError;

    async fn open(&self) -> Result<Vec<String>, ExecutorError> {
        let mut open = Vec::new();
        let mut settled = BTreeMap::new();
        for operations in self.operations.chunks(OPERATIONS_AT_ONCE) {
            let query = ListQuery {
                status: vec![Status::Executing, Status::Approved, Status::Pending],
                operation_type: operations.to_vec(),
                ..ListQuery::default()
            };
            for item in self.connection.list(&query, true)?.items {
                if self.settled.borrow().get(&item.request_id) == Some(&item.status) {
                    settled.insert(item.request_id, item.status);
                } else {
                    open.push(item.request_id);
                }
            }
        }
        // What is closed is forgotten.
        self.settled.replace(settled);
        Ok(open)
    }

    async fn read(&self, request_id: &str) -> Result<Option<Open>, ExecutorError> {
        let request = self.connection.request(request_id)?;
        if self.is_settled(&request) {
            self.settled.borrow_mut().insert(request_id.to_owned(), request.status);
            return Ok(None);
        }
        let Some(stage) = self.stage(&request) else { return Ok(None) };
        Ok(Some(Open { task: task(&request)?, target: request.target, stage }))
    }

    async fn record_target(&self, request_id: &str, target: &Target) -> Result<(), ExecutorError> {
        let change = Change::Observe(ObserveBody { target: target.to_value(), executed_by: None });
        let key = fresh_key();
        match self.connection.change(request_id, &change, &key) {
            Err(Error::Refused(refusal)) if refusal.code == Some(Code::AlreadyObserved) => Ok(()),
            answer => Ok(change.check(None, &answer?)?),
        }
    }

    async fn start(&self, request_id: &str) -> Result<(), ExecutorError> {
        let before = self.connection.request(request_id)?;
        let content_digest = Some(digest_of_shown(&before)?);
        self.change(&before, &Change::Start(StartBody { content_digest, ..StartBody::default() }))?;
        Ok(())
    }

    async fn claim(&self, request_id: &str) -> Result<Option<Claim>, ExecutorError> {
        let Some(permit) = self.connection.execution(request_id)?.permit else { return Ok(None) };
        let before = self.connection.request(request_id)?;
        let content_digest = digest_of_shown(&before)?;
        self.verify(&permit, &before, &content_digest)?;
        let body = ClaimBody { permit, content_digest: Some(content_digest), ..ClaimBody::default() };
        match self.change(&before, &Change::Claim(body)) {
            Ok(after) if after.target != before.target => Err(ExecutorError::AnotherTarget),
            Ok(after) => Ok(Some(claim_of(&after)?)),
            Err(ExecutorError::Call(Error::Refused(refusal)))
                if matches!(refusal.code, Some(Code::PermitSpent | Code::PermitExpired)) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn claimed(&self, request_id: &str) -> Result<Option<Claim>, ExecutorError> {
        let request = self.connection.request(request_id)?;
        let is_open = request.status == Status::Executing.as_str() && request.claimed_by.is_some();
        if is_open { Ok(Some(claim_of(&request)?)) } else { Ok(None) }
    }

    async fn report(
        &self,
        request_id: &str,
        execution_id: &str,
        report: &Report,
    ) -> Result<Option<Timestamp>, ExecutorError> {
        let (outcome, result) = match report {
            Report::Running => (finish::Report::Running, None),
            Report::Succeeded(result) => (finish::Report::Succeeded, Some(result.clone())),
            Report::Failed(result) => (finish::Report::Failed, Some(result.clone())),
        };
        let change = Change::Finish(FinishBody {
            execution_id: execution_id.to_owned(),
            outcome: <&str>::from(outcome).to_owned(),
            result,
            ..FinishBody::default()
        });
        let after = self.connection.change(request_id, &change, &fresh_key())?;
        change.check(None, &after)?;
        Ok(after.lease_until.as_deref().and_then(|time| Timestamp::parse(time).ok()))
    }
}

fn task(request: &RequestBody) -> Result<Task, ExecutorError> {
    Ok(Task {
        request_id: request.request_id.clone(),
        operation_type: request.operation_type.clone(),
        instance_id: request.instance_id.clone(),
        parameters: request.parameters.clone().ok_or(ExecutorError::Hidden)?,
    })
}

fn claim_of(request: &RequestBody) -> Result<Claim, ExecutorError> {
    let time = |time: Option<&String>| time.and_then(|time| Timestamp::parse(time).ok());
    Ok(Claim {
        execution_id: request.execution_id.clone().ok_or(ExecutorError::NoClaim)?,
        task: task(request)?,
        target: request.target.clone(),
        claimed_at: time(request.claimed_at.as_ref()).ok_or(ExecutorError::NoClaim)?,
        lease_until: time(request.lease_until.as_ref()).ok_or(ExecutorError::NoClaim)?,
    })
}
