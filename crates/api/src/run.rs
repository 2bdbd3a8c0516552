//! Carrying out a call: the one place where a failure is logged.

use crate::call::{Call, Input, Reply};
use crate::fields::Fields;
use crate::problem::{Code, Problem};
use crate::routes::Route;
use countersign_app::dependencies::Dependencies;
use countersign_core::actor::Actor;
use std::future::Future;

/// One operation of the API over a store `S`. The bounds of an implementation on `S` are what the
/// operation may do to the store.
pub trait Operation<S> {
    /// Where it is.
    const ROUTE: Route;

    /// Reads the fields and carries out the operation.
    fn execute(
        dependencies: &Dependencies<S>,
        actor: &Actor,
        fields: Fields,
    ) -> impl Future<Output = Result<Reply, Problem>> + Send;
}

/// Carries out a call. Refusals are found in this order: readable, known caller, and then what
/// the operation finds.
///
/// # Errors
/// The problem to answer with. It has been logged.
pub async fn run<O: Operation<S>, S: Sync>(
    dependencies: &Dependencies<S>,
    call: Call,
) -> Result<Reply, Problem> {
    let path_id = match &call.input {
        Input::Http { request_id, .. } => request_id.clone(),
        Input::Direct { .. } => None,
    };
    let correlation_id = call.correlation_id.clone();
    let result = attempt::<O, S>(dependencies, call).await;
    if let Err(problem) = &result {
        log(problem, O::ROUTE, &correlation_id, path_id.as_deref());
    }
    result
}

async fn attempt<O: Operation<S>, S: Sync>(
    dependencies: &Dependencies<S>,
    call: Call,
) -> Result<Reply, Problem> {
    let fields = Fields::read(call.input, O::ROUTE.body)?;
    let actor = call.identity.map_err(|reason| Problem {
        cause: Some(reason.0),
        ..Problem::new(Code::Unauthenticated, "send a valid bearer token")
    })?;
    O::execute(dependencies, &actor, fields).await
}

/// One line per failure. No body, token, e-mail or free text: `detail` may quote none of them.
fn log(problem: &Problem, route: Route, correlation_id: &str, request_id: Option<&str>) {
    let code = problem.code.as_str();
    let status = problem.code.status();
    let operation = route.operation;
    let cause = problem.cause.as_deref();
    match problem.code.status() {
        500.. => tracing::error!(correlation_id, operation, request_id, code, status, cause, "failed"),
        401 | 403 => tracing::warn!(correlation_id, operation, request_id, code, status, cause, "refused"),
        _ => tracing::info!(correlation_id, operation, request_id, code, status, "refused"),
    }
}
