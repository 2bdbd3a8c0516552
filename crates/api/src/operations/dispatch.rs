//! POST /approvals: the original single endpoint, over the same operations.

use super::approve::Approve;
use super::cancel::Cancel;
use super::comment::Comment;
use super::create::{Create, cost};
use super::events::Events;
use super::finish::Finish;
use super::reject::Reject;
use super::start::Start;
use super::withdraw::Withdraw;
use super::{get, list, reply, shown};
use crate::fields::{Fields, string};
use crate::operation::{Operation, OriginalOperation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::run::Endpoint;
use crate::wire::FieldError;
use countersign_app::command::{self, CommandStore};
use countersign_app::dependencies::Dependencies;
use countersign_app::ports::{CountOpen, ListHolds, ListRequests, LoadHold};
use countersign_core::command::{self as commands, Command, ExecutionOutcome};
use countersign_core::principal::Principal;
use countersign_core::refusal::Refusal;
use strum::IntoEnumIterator;

/// Carries out the operation that the body names; without one, makes a request.
#[derive(Debug)]
pub struct Dispatch;

impl<S> Endpoint<S> for Dispatch
where
    S: CommandStore + CountOpen + ListHolds + ListRequests + LoadHold,
{
    const OPERATION: Operation = Operation::Dispatch;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let original = match fields.take("operation") {
            None => OriginalOperation::DEFAULT,
            Some(value) => {
                let name = string(&value).map_err(|error| refused(&error))?;
                name.parse().map_err(|_| unknown_operation())?
            }
        };
        match original {
            OriginalOperation::CreateRequest => Create::execute(dependencies, actor, fields).await,
            OriginalOperation::ApproveRequest => Approve::execute(dependencies, actor, fields).await,
            OriginalOperation::RejectRequest => Reject::execute(dependencies, actor, fields).await,
            OriginalOperation::WithdrawApproval => Withdraw::execute(dependencies, actor, fields).await,
            OriginalOperation::CancelRequest => Cancel::execute(dependencies, actor, fields).await,
            OriginalOperation::AddComment => Comment::execute(dependencies, actor, fields).await,
            OriginalOperation::GetRequest => get::original(dependencies, actor, fields).await,
            OriginalOperation::GetRequestEvents => Events::execute(dependencies, actor, fields).await,
            OriginalOperation::GetPendingApprovals => list::pending(dependencies, actor, fields).await,
            OriginalOperation::GetUserRequests => list::of_user(dependencies, actor, fields).await,
            OriginalOperation::GetInstanceRequests => list::of_instance(dependencies, actor, fields).await,
            OriginalOperation::StartExecution => Start::execute(dependencies, actor, fields).await,
            OriginalOperation::FinishExecution => Finish::execute(dependencies, actor, fields).await,
            OriginalOperation::MarkExecuted => mark_executed(dependencies, actor, fields).await,
        }
    }
}

/// The refusal of a body that names no original operation.
pub fn unknown_operation() -> Problem {
    let names: Vec<_> = OriginalOperation::iter().map(OriginalOperation::as_str).collect();
    refused(&format!("must be one of {}", names.join(", ")))
}

fn refused(message: &str) -> Problem {
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

    // What an executor carries out, its requester does not report: nothing is started for it.
    let request = countersign_app::get::get(dependencies, id, actor).await?;
    if let Some(executor) = &request.content.executor {
        let reason = format!("the executor `{executor}` carries it out, and reports what came of it");
        return Err(Refusal::not_permitted(reason).into());
    }
    let start = Command::Start { shown: shown.clone() };
    let started = command::command(dependencies, id, &start, actor, idempotency).await?;
    let Some(execution) = &started.request.execution else {
        return Err(Problem::internal("a started request has no execution"));
    };
    let outcome = ExecutionOutcome::Succeeded;
    let finish =
        Command::Finish { execution_id: execution.id, outcome, result, actual_cost, note: None, shown };
    let finished = command::command(dependencies, id, &finish, actor, idempotency).await?;
    Ok(reply(dependencies, actor, &finished, 200))
}
