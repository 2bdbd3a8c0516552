//! Carrying out a call: the one place where a change or a failure is logged.

use crate::call::{Call, Input};
use crate::fields::{Fields, Waiter};
use crate::operation::Operation;
use crate::problem::{Code, Problem};
use crate::reply::{ChangeMade, Reply};
use countersign_app::attempts;
use countersign_app::command::CommandStore;
use countersign_app::dependencies::Dependencies;
use countersign_app::ports::{CountAttempts, CountOpen, ListHolds, PutHold, QueryEvents, RecordEvent};
use countersign_app::preferences::PreferencesStore;
use countersign_app::report::ReportStore;
use countersign_app::webhooks::WebhookStore;
use countersign_core::audit::call_record::Attempt;
use countersign_core::caller::{Caller, Channel};
use countersign_core::ids::RequestId;
use countersign_core::principal::Principal;
use std::future::Future;

/// What carries out one operation of the API over a store `S`. The bounds of an implementation on `S` are what the
/// operation may do to the store.
pub trait Endpoint<S> {
    /// The operation.
    const OPERATION: Operation;

    /// Reads the fields and carries out the operation.
    fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        fields: Fields,
    ) -> impl Future<Output = Result<Reply, Problem>> + Send;
}

/// What answers a public operation: without knowing who calls, and without the store.
pub trait PublicEndpoint {
    /// The operation.
    const OPERATION: Operation;

    /// The answer.
    fn answer<S: Sync>(dependencies: &Dependencies<S>)
    -> impl Future<Output = Result<Reply, Problem>> + Send;
}

/// A store over which every operation can be carried out.
pub trait Store:
    CommandStore
    + CountAttempts
    + CountOpen
    + ListHolds
    + PreferencesStore
    + PutHold
    + QueryEvents
    + ReportStore
    + WebhookStore
{
}

impl<S> Store for S where
    S: CommandStore
        + CountAttempts
        + CountOpen
        + ListHolds
        + PreferencesStore
        + PutHold
        + QueryEvents
        + ReportStore
        + WebhookStore
{
}

/// Carries out a call. Over HTTP the caller is known from the headers, and nothing that a stranger
/// sends is looked at: refusals are found in the order known caller, readable, and then what the
/// operation finds. A direct payload has to be readable before it can say whom it acts for.
///
/// # Errors
/// The problem to answer with. It has been logged.
pub async fn run<E: Endpoint<S>, S: RecordEvent + CountAttempts>(
    dependencies: &Dependencies<S>,
    call: Call,
) -> Result<Reply, Problem> {
    let path_id = match &call.input {
        // What is no id is anything at all, and does not belong into a log.
        Input::Http { path, .. } => path.get("id").and_then(|id| RequestId::parse(id).ok()),
        Input::Direct { .. } => None,
    };
    let channel = match &call.input {
        Input::Http { .. } => Channel::Api,
        Input::Direct { .. } => Channel::Direct,
    };
    let correlation_id = call.correlation_id.clone();
    let caller = call.identity.as_ref().ok().cloned();
    let result = attempt::<E, S>(dependencies, call).await;
    match &result {
        Ok(Reply { change: Some(change), .. }) => log_change(*change, E::OPERATION, &correlation_id),
        Ok(_) => {}
        Err(problem) => {
            log_problem(problem, E::OPERATION.slug(), &correlation_id, path_id);
            let is_counted = !E::OPERATION.changes();
            let attempted =
                Attempted { operation: E::OPERATION.slug(), is_counted, channel, request_id: path_id };
            record_refusal(dependencies, problem, caller, attempted).await;
        }
    }
    result
}

/// Logs and records what is refused by a route that is no operation of the API, as [`run`] does for those that are. What is
/// not permitted there is counted, since such routes only read.
pub async fn refuse<S: RecordEvent + CountAttempts>(
    dependencies: &Dependencies<S>,
    problem: &Problem,
    caller: Option<Caller>,
    operation: &'static str,
    correlation_id: &str,
    request_id: Option<RequestId>,
) {
    log_problem(problem, operation, correlation_id, request_id);
    let attempted = Attempted { operation, is_counted: true, channel: Channel::Api, request_id };
    record_refusal(dependencies, problem, caller, attempted).await;
}

/// What was refused.
struct Attempted {
    operation: &'static str,
    /// Whether it is counted and no event by itself.
    is_counted: bool,
    channel: Channel,
    request_id: Option<RequestId>,
}

/// What an auditor has to know of a call that was refused.
async fn record_refusal<S: RecordEvent + CountAttempts>(
    dependencies: &Dependencies<S>,
    problem: &Problem,
    caller: Option<Caller>,
    attempted: Attempted,
) {
    let Attempted { operation, is_counted, channel, request_id } = attempted;
    let code = problem.code.as_str();
    match caller {
        Some(caller) if problem.code.is_recorded() => {
            let people = dependencies.policy.people();
            let actor = people.resolve(caller.clone()).unwrap_or_else(|_| people.refused(caller));
            attempts::refused(dependencies, &actor, Attempt { operation, code, request_id }, is_counted)
                .await;
        }
        None if problem.code == Code::Unauthenticated && !dependencies.host.on_unauthenticated() => {
            attempts::unauthenticated(dependencies, channel, code, 1).await;
        }
        Some(_) | None => {}
    }
}

/// Answers a public operation.
///
/// # Errors
/// As for [`run`].
pub async fn run_public<E: PublicEndpoint, S: Sync>(
    dependencies: &Dependencies<S>,
    correlation_id: &str,
) -> Result<Reply, Problem> {
    let result = E::answer(dependencies).await;
    if let Err(problem) = &result {
        log_problem(problem, E::OPERATION.slug(), correlation_id, None);
    }
    result
}

async fn attempt<E: Endpoint<S>, S: Sync>(
    dependencies: &Dependencies<S>,
    call: Call,
) -> Result<Reply, Problem> {
    let (identity, is_http) = (call.identity, matches!(call.input, Input::Http { .. }));
    let identity = if is_http { Ok(identity?) } else { identity };
    let mut fields = Fields::read(call.input, E::OPERATION.body())?;
    let caller = identity?;
    // Every call passes here: from here on the caller has one id, whatever address they came with, and a
    // caller who is disabled is refused.
    let actor = dependencies.policy.people().resolve(caller.clone())?;
    fields.resumes = call.resumes;
    fields.waiter = Some(Waiter { caller, waiting: call.waiting });
    E::execute(dependencies, &actor, fields).await
}

/// One line per change: which event happened to which request, or which webhook was changed. No names of people, no words of theirs.
fn log_change(change: ChangeMade, operation: Operation, correlation_id: &str) {
    let operation = operation.slug();
    let (request_id, event_id, status) = match change {
        ChangeMade::Request { request_id, event_id, status } => (request_id.to_string(), event_id, status),
        ChangeMade::Hold(request_id) => {
            let request_id = request_id.to_string();
            tracing::info!(correlation_id, operation, request_id, "done");
            return;
        }
        ChangeMade::Webhook(webhook_id) => {
            let webhook_id = webhook_id.to_string();
            tracing::info!(correlation_id, operation, webhook_id, "done");
            return;
        }
        // Whose they are is in no log.
        ChangeMade::Preferences => {
            tracing::info!(correlation_id, operation, "done");
            return;
        }
    };
    let request_status = status.as_str();
    match event_id.map(|id| id.to_string()) {
        Some(event_id) => {
            tracing::info!(correlation_id, operation, request_id, event_id, request_status, "done");
        }
        None => tracing::info!(correlation_id, operation, request_id, request_status, "replayed"),
    }
}

/// One line per failure. No body, token, e-mail or free text: `detail` may quote none of them.
fn log_problem(
    problem: &Problem,
    operation: &'static str,
    correlation_id: &str,
    request_id: Option<RequestId>,
) {
    let request_id = request_id.map(|id| id.to_string());
    let code = problem.code.as_str();
    let status = problem.code.status();
    let cause = problem.cause.as_deref();
    match problem.code.status() {
        _ if problem.code == Code::Integrity => {
            tracing::error!(correlation_id, operation, request_id, code, status, cause, "refused");
        }
        500.. => tracing::error!(correlation_id, operation, request_id, code, status, cause, "failed"),
        401 | 403 => tracing::warn!(correlation_id, operation, request_id, code, status, cause, "refused"),
        _ => tracing::info!(correlation_id, operation, request_id, code, status, "refused"),
    }
}
