//! The service over HTTP, as one of its executors sees it: its own token, and no call that approves or rejects.

use crate::error::CommandError;
use crate::session::Session;
use countersign_api::bodies::{ClaimBody, FinishBody, ObserveBody, StartBody};
use countersign_api::operations::finish;
use countersign_api::problem::Code;
use countersign_api::wire::RequestBody;
use countersign_app::host::Clock as _;
use countersign_client::change::Change;
use countersign_client::content::digest_of_shown;
use countersign_client::error::Error;
use countersign_client::list_query::ListQuery;
use countersign_core::canonical::CanonicalJson;
use countersign_core::execution::{ExecutionMode, ExecutionState};
use countersign_core::person::PersonId;
use countersign_core::request::Status;
use countersign_core::text::escaped_line;
use countersign_core::timestamp::Timestamp;
use countersign_executor::port::Task;
use countersign_executor::target::Target;
use countersign_executor::worker::{Approvals, Claim, Open, Report, Stage};
use countersign_permit::{Expected, KeySet, parameters_digest, verify};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Write as _;

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

/// The service.
#[derive(Debug)]
pub struct ServiceApprovals {
    /// The connection.
    session: Session,
    /// The executor, as policy names it.
    name: String,
    /// What it carries out.
    operations: Vec<String>,
    verifier: Option<Verifier>,
    /// This executor, as answers name it; empty if its token does not say.
    me: Vec<String>,
    /// Pending requests whose target is recorded, and those that are for others: nothing of them changes.
    settled: RefCell<BTreeSet<String>>,
}

impl ServiceApprovals {
    /// The service that a session is with.
    ///
    /// # Errors
    /// Without a token.
    pub fn new(
        session: Session,
        name: String,
        operations: Vec<String>,
        verifier: Option<Verifier>,
    ) -> Result<Self, CommandError> {
        let person = session.person()?;
        let service = PersonId::service(&person).map(|service| service.to_string());
        let me = [Some(person), service.ok()].into_iter().flatten().filter(|name| !name.is_empty()).collect();
        Ok(Self { session, name, operations, verifier, me, settled: RefCell::default() })
    }

    /// A request that is shown in full, if it is for this executor.
    fn read(&self, id: &str, status: &str) -> Result<Option<Open>, CommandError> {
        let is_pending = status == Status::Pending.as_str();
        if is_pending && self.settled.borrow().contains(id) {
            return Ok(None);
        }
        let request = self.session.connection.request(id)?;
        if request.executor.as_deref() != Some(self.name.as_str()) {
            self.settled.borrow_mut().insert(id.to_owned());
            return Ok(None);
        }
        if is_pending && request.target_observed_at.is_some() {
            self.settled.borrow_mut().insert(id.to_owned());
        }
        let Some(stage) = self.stage(&request) else { return Ok(None) };
        Ok(Some(Open { task: task(&request)?, target: request.target, stage }))
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
        let now = self.session.host.now();
        let window = request.window.as_ref().map(|window| window.from.as_str());
        let times = [request.execute_at.as_deref(), window];
        let is_past = |time: &str| Timestamp::parse(time).is_ok_and(|time| time <= now);
        is_automatic && times.into_iter().flatten().all(is_past)
    }

    fn change(&self, before: &RequestBody, change: &Change) -> Result<RequestBody, CommandError> {
        let id = &before.request_id;
        let after = self.session.connection.change(id, change, &self.session.fresh_key())?;
        change.check(Some(before), &after)?;
        Ok(after)
    }

    /// Compares what the permit says with what is about to be done. The service does the same; this executor need not
    /// believe that.
    fn verify(&self, permit: &str, request: &RequestBody, content_digest: &str) -> Result<(), CommandError> {
        let Some(verifier) = &self.verifier else { return Ok(()) };
        let parameters = parameters_digest(request.parameters.as_ref().unwrap_or_default());
        let seconds = self.session.host.now().as_millisecond() / 1_000;
        let expected = Expected {
            issuer: &verifier.issuer,
            audience: &self.name,
            now: seconds.try_into().unwrap_or_default(),
            parameters_digest: Some(&parameters),
        };
        let refused = |why: String| CommandError::Refused(format!("the permit is not claimed: {why}"));
        let claims = verify(permit, &verifier.keys, &expected).map_err(|error| refused(error.to_string()))?;
        let target = request.target.as_ref().map(|target| CanonicalJson::of(target).digest().to_string());
        let is_of_request = claims.sub == request.request_id
            && Some(claims.jti.as_str()) == request.execution_id.as_deref()
            && claims.operation_type == request.operation_type
            && claims.instance_id == request.instance_id
            && claims.content_digest == content_digest
            && claims.target_digest == target;
        if is_of_request { Ok(()) } else { Err(refused("it is for something else than is shown".to_owned())) }
    }
}

impl Approvals for ServiceApprovals {
    type Error = CommandError;

    async fn open(&self) -> Result<Vec<Open>, CommandError> {
        let mut open = Vec::new();
        for operations in self.operations.chunks(OPERATIONS_AT_ONCE) {
            let query = ListQuery {
                status: vec![Status::Executing, Status::Approved, Status::Pending],
                operation_type: operations.to_vec(),
                ..ListQuery::default()
            };
            for item in self.session.connection.list(&query, true)?.items {
                match self.read(&item.request_id, &item.status) {
                    Ok(read) => open.extend(read),
                    Err(CommandError::Client(error)) if error.is_passing() => return Err(error.into()),
                    // One that cannot be read, or is not shown as its digest names it, holds up no other.
                    Err(error) => say(&item.request_id, &error.to_string()),
                }
            }
        }
        Ok(open)
    }

    async fn record_target(&self, request_id: &str, target: &Target) -> Result<(), CommandError> {
        let change = Change::Observe(ObserveBody { target: target.to_value(), executed_by: None });
        let key = self.session.fresh_key();
        match self.session.connection.change(request_id, &change, &key) {
            Err(Error::Refused(refusal)) if refusal.code == Some(Code::AlreadyObserved) => Ok(()),
            answer => Ok(change.check(None, &answer?)?),
        }
    }

    async fn start(&self, request_id: &str) -> Result<(), CommandError> {
        let before = self.session.connection.request(request_id)?;
        let content_digest =
            Some(digest_of_shown(&before).map_err(|error| CommandError::Refused(error.to_string()))?);
        self.change(&before, &Change::Start(StartBody { content_digest, ..StartBody::default() }))?;
        Ok(())
    }

    async fn claim(&self, request_id: &str) -> Result<Option<Claim>, CommandError> {
        let Some(permit) = self.session.connection.execution(request_id)?.permit else { return Ok(None) };
        let before = self.session.connection.request(request_id)?;
        let content_digest =
            digest_of_shown(&before).map_err(|error| CommandError::Refused(error.to_string()))?;
        self.verify(&permit, &before, &content_digest)?;
        let body = ClaimBody { permit, content_digest: Some(content_digest), ..ClaimBody::default() };
        match self.change(&before, &Change::Claim(body)) {
            Ok(after) if after.target != before.target => Err(CommandError::Refused(
                "the service shows another target than before the claim".to_owned(),
            )),
            Ok(after) => Ok(Some(claim_of(&after)?)),
            Err(CommandError::Client(Error::Refused(refusal)))
                if matches!(refusal.code, Some(Code::PermitSpent | Code::PermitExpired)) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn claimed(&self, request_id: &str) -> Result<Option<Claim>, CommandError> {
        let request = self.session.connection.request(request_id)?;
        let is_open = request.status == Status::Executing.as_str() && request.claimed_by.is_some();
        if is_open { Ok(Some(claim_of(&request)?)) } else { Ok(None) }
    }

    async fn report(
        &self,
        request_id: &str,
        execution_id: &str,
        report: &Report,
    ) -> Result<Option<Timestamp>, CommandError> {
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
        let after = self.session.connection.change(request_id, &change, &self.session.fresh_key())?;
        change.check(None, &after)?;
        Ok(after.lease_until.as_deref().and_then(|time| Timestamp::parse(time).ok()))
    }
}

fn task(request: &RequestBody) -> Result<Task, CommandError> {
    let hidden = || CommandError::Refused("its parameters are not shown to this executor".to_owned());
    Ok(Task {
        request_id: request.request_id.clone(),
        operation_type: request.operation_type.clone(),
        instance_id: request.instance_id.clone(),
        parameters: request.parameters.clone().ok_or_else(hidden)?,
    })
}

fn claim_of(request: &RequestBody) -> Result<Claim, CommandError> {
    let time = |time: Option<&String>| time.and_then(|time| Timestamp::parse(time).ok());
    let odd = || CommandError::Failed("the service does not show the claim".to_owned());
    Ok(Claim {
        execution_id: request.execution_id.clone().ok_or_else(odd)?,
        task: task(request)?,
        target: request.target.clone(),
        claimed_at: time(request.claimed_at.as_ref()).ok_or_else(odd)?,
        lease_until: time(request.lease_until.as_ref()).ok_or_else(odd)?,
    })
}

/// A line on stderr. Texts of others are escaped.
pub(crate) fn say(request_id: &str, message: &str) {
    let (request_id, message) = (escaped_line(request_id), escaped_line(message));
    // Nothing is lost if it cannot be written.
    let _ = writeln!(std::io::stderr(), "{request_id}: {message}");
}
