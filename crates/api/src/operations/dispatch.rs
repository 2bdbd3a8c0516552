//! POST /approvals: the original single endpoint, over the same operations.

use super::approve::Approve;
use super::cancel::Cancel;
use super::comment::Comment;
use super::create::{Create, cost};
use super::events::Events;
use super::finish::Finish;
use super::get::Get;
use super::reject::Reject;
use super::start::Start;
use super::withdraw::Withdraw;
use super::{execute_command, list, shown};
use crate::call::Reply;
use crate::fields::{Fields, string};
use crate::problem::Problem;
use crate::routes::{self, Route};
use crate::run::Operation;
use crate::wire::FieldError;
use countersign_app::command::{self, CommandStore};
use countersign_app::dependencies::Dependencies;
use countersign_app::ports::{CountOpen, ListRequests};
use countersign_core::command::{self as commands, Command, ExecutionOutcome};
use countersign_core::principal::Principal;

/// The original operations.
pub const OPERATIONS: [&str; 14] = [
    "create_request",
    "approve_request",
    "reject_request",
    "withdraw_approval",
    "cancel_request",
    "add_comment",
    "get_request",
    "get_request_events",
    "get_pending_approvals",
    "get_user_requests",
    "get_instance_requests",
    "start_execution",
    "finish_execution",
    "mark_executed",
];

/// Carries out the operation that the body names; without one, makes a request.
#[derive(Debug)]
pub struct Dispatch;

impl<S> Operation<S> for Dispatch
where
    S: CommandStore + CountOpen + ListRequests,
{
    const ROUTE: Route = routes::DISPATCH;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let operation = match fields.take("operation") {
            None => "create_request".to_owned(),
            Some(value) => string(&value).map_err(|error| unknown_operation(&error))?,
        };
        match operation.as_str() {
            "create_request" => Create::execute(dependencies, actor, fields).await,
            "approve_request" => Approve::execute(dependencies, actor, fields).await,
            "reject_request" => Reject::execute(dependencies, actor, fields).await,
            "withdraw_approval" => Withdraw::execute(dependencies, actor, fields).await,
            "cancel_request" => Cancel::execute(dependencies, actor, fields).await,
            "add_comment" => Comment::execute(dependencies, actor, fields).await,
            "get_request" => Get::execute(dependencies, actor, fields).await,
            "get_request_events" => Events::execute(dependencies, actor, fields).await,
            "get_pending_approvals" => list::pending(dependencies, actor, fields).await,
            "get_user_requests" => list::of_user(dependencies, actor, fields).await,
            "get_instance_requests" => list::of_instance(dependencies, actor, fields).await,
            "start_execution" => Start::execute(dependencies, actor, fields).await,
            "finish_execution" => Finish::execute(dependencies, actor, fields).await,
            "mark_executed" => mark_executed(dependencies, actor, fields).await,
            _ => Err(unknown_operation(&format!("must be one of {}", OPERATIONS.join(", ")))),
        }
    }
}

fn unknown_operation(message: &str) -> Problem {
    Problem::validation(vec![FieldError::new("/operation", message)])
}

/// `mark_executed`: starts and finishes at once, for callers who tell afterwards. Two events. If
/// only the first is written, the request stays visibly executing, and `finish_execution` ends it.
async fn mark_executed<S: CommandStore>(
    dependencies: &Dependencies<S>,
    actor: &Principal,
    mut fields: Fields,
) -> Result<Reply, Problem> {
    let id = fields.request_id();
    fields.caller("executed_by", actor);
    let result = fields.optional("execution_result", commands::result_document);
    let actual_cost = fields.optional("actual_cost", cost);
    let shown = shown(&mut fields);
    let values = (|| Some((id?, result?, actual_cost?, shown?)))();
    let ((id, result, actual_cost, shown), idempotency) = fields.finish(values)?;
    let idempotency = idempotency.as_ref();

    let start = Command::Start { shown: shown.clone() };
    let started = command::command(dependencies, id, &start, actor, idempotency).await?;
    let Some(execution) = &started.request.execution else {
        return Err(Problem::internal("a started request has no execution"));
    };
    let outcome = ExecutionOutcome::Succeeded;
    let finish = Command::Finish { execution_id: execution.id, outcome, result, actual_cost, shown };
    execute_command(dependencies, actor, id, &finish, idempotency).await
}
