//! The operations, one file each: read the fields, run the use case, shape the reply.

pub mod approve;
pub mod cancel;
pub mod comment;
pub mod create;
pub mod dispatch;
pub mod events;
pub mod finish;
pub mod get;
pub mod health;
pub mod list;
pub mod reject;
pub mod start;

use crate::call::Reply;
use crate::problem::Problem;
use crate::wire::RequestBody;
use countersign_app::command::{self, Done};
use countersign_app::dependencies::Dependencies;
use countersign_app::ports::{CommitChange, FindEvent, LoadRequest};
use countersign_core::actor::Actor;
use countersign_core::command::Command;
use countersign_core::idempotency::Idempotency;
use countersign_core::ids::RequestId;

/// What every command on an existing request may do to the store.
pub trait CommandStore: LoadRequest + CommitChange + FindEvent {}
impl<S: LoadRequest + CommitChange + FindEvent> CommandStore for S {}

/// Runs a command and logs what it came to.
async fn execute_command<S: CommandStore>(
    dependencies: &Dependencies<S>,
    actor: &Actor,
    id: RequestId,
    command: &Command,
    idempotency: Option<&Idempotency>,
) -> Result<Reply, Problem> {
    let done = command::command(dependencies, id, command, actor, idempotency).await?;
    Ok(reply(dependencies, actor, &done, command.name().as_str(), 200))
}

/// One line per change: which event happened to which request. Nobody's name, nobody's words.
fn reply<S>(
    dependencies: &Dependencies<S>,
    actor: &Actor,
    done: &Done,
    operation: &'static str,
    status: u16,
) -> Reply {
    let request_id = done.request.id;
    match done.event_id {
        Some(event_id) => {
            tracing::info!(operation, %request_id, %event_id, request_status = %done.request.status, "done");
        }
        None => tracing::info!(operation, %request_id, "replayed"),
    }
    Reply::json(status, &RequestBody::done(done, actor, dependencies.host.now()))
}
