//! PUT /v1/approvals/{id}/execution

use super::create::cost;
use super::{CommandStore, execute_command};
use crate::call::Reply;
use crate::fields::{Fields, one_of, string};
use crate::problem::Problem;
use crate::routes::{self, Route};
use crate::run::Operation;
use countersign_app::dependencies::Dependencies;
use countersign_core::actor::Actor;
use countersign_core::command::{self, Command, ExecutionOutcome};
use countersign_core::ids::ExecutionId;

/// Reports what came of the execution.
#[derive(Debug)]
pub struct Finish;

impl<S: CommandStore> Operation<S> for Finish {
    const ROUTE: Route = routes::FINISH;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Actor,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let id = fields.request_id();
        fields.caller("executed_by", actor);
        let execution_id = fields.required("execution_id", |value| {
            ExecutionId::parse(&string(value)?).map_err(|error| error.to_string())
        });
        let outcome = fields.required("outcome", one_of(&ExecutionOutcome::ALL, ExecutionOutcome::as_str));
        let result = fields.optional("result", command::result_document);
        let actual_cost = fields.optional("actual_cost", cost);
        let values = (|| {
            let (execution_id, outcome) = (execution_id?, outcome?);
            let (result, actual_cost) = (result?, actual_cost?);
            Some((id?, Command::Finish { execution_id, outcome, result, actual_cost }))
        })();
        let ((id, command), idempotency) = fields.finish(values)?;
        execute_command(dependencies, actor, id, &command, idempotency.as_ref()).await
    }
}
