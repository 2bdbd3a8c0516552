//! POST /v1/approvals

use super::{CommandStore, reply};
use crate::fields::{self, Fields, free_text, identifier, one_of, string};
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::run::Endpoint;
use countersign_app::dependencies::Dependencies;
use countersign_app::ports::CountOpen;
use countersign_core::command::{self, Draft};
use countersign_core::execution::{ExecutionMode, Schedule, Window};
use countersign_core::principal::Principal;
use countersign_core::risk::{Cost, Environment, RiskLevel};
use countersign_core::text::DurationText;
use countersign_core::timestamp::Timestamp;
use serde_json::Value;

/// Makes a request: 201, or 200 for a retry.
#[derive(Debug)]
pub struct Create;

impl<S: CommandStore + CountOpen> Endpoint<S> for Create {
    const OPERATION: Operation = Operation::Create;

    async fn execute(
        dependencies: &Dependencies<S>,
        actor: &Principal,
        mut fields: Fields,
    ) -> Result<Reply, Problem> {
        let draft = read(&mut fields, actor);
        let (draft, idempotency) = fields.finish(draft)?;
        let done = countersign_app::create::create(dependencies, &draft, actor, idempotency.as_ref()).await?;
        let status = if done.is_replay() { 200 } else { 201 };
        let location = Operation::Get.path(done.request.id());
        Ok(reply(dependencies, actor, &done, status).with_header("location", location))
    }
}

/// The request as the fields describe it.
pub(crate) fn read(fields: &mut Fields, actor: &Principal) -> Option<Draft> {
    fields.caller("requested_by", actor);
    let operation_type = fields.required("operation_type", identifier);
    let instance_id = fields.required("instance_id", fields::instance_id);
    let parameters = fields.required("parameters", command::parameters_document);
    let environment = fields.required("environment", one_of::<Environment>);
    let risk_level = fields.optional("risk_level", one_of::<RiskLevel>);
    let justification = fields.required("justification", free_text);
    let estimated_cost = fields.optional("estimated_cost", cost);
    let estimated_duration = fields.optional("estimated_duration", |value| {
        DurationText::parse(&string(value)?).map_err(|error| error.to_string())
    });
    let ticket = fields.optional("ticket", fields::ticket);
    let rollback_plan = fields.optional("rollback_plan", free_text);
    let schedule = schedule(fields);
    Some(Draft {
        operation_type: operation_type?,
        instance_id: instance_id?,
        parameters: parameters?,
        declared_environment: environment?,
        declared_risk: risk_level?,
        justification: justification?,
        estimated_cost: estimated_cost?,
        estimated_duration: estimated_duration?,
        ticket: ticket?,
        rollback_plan: rollback_plan?,
        schedule: schedule?,
    })
}

/// How and when it is to be carried out.
fn schedule(fields: &mut Fields) -> Option<Schedule> {
    let mode = fields.optional("execution", one_of::<ExecutionMode>);
    let execute_at = fields.optional("execute_at", time);
    let window = fields.optional("window", window);
    Some(Schedule { mode: mode?.unwrap_or_default(), execute_at: execute_at?, window: window? })
}

fn time(value: &Value) -> Result<Timestamp, String> {
    Timestamp::parse(&string(value)?).map_err(|error| error.to_string())
}

/// An object of two times.
fn window(value: &Value) -> Result<Window, String> {
    let bounds = value.as_object().filter(|bounds| bounds.len() == 2);
    let bound = |name: &str| bounds.and_then(|bounds| bounds.get(name));
    let (Some(from), Some(to)) = (bound("from"), bound("to")) else {
        return Err("must be an object of `from` and `to`".to_owned());
    };
    Ok(Window {
        from: time(from).map_err(|error| format!("`from` {error}"))?,
        to: time(to).map_err(|error| format!("`to` {error}"))?,
    })
}

/// An amount of money.
pub(super) fn cost(value: &Value) -> Result<Cost, String> {
    let amount = value.as_f64().ok_or_else(|| "must be a number".to_owned())?;
    Cost::new(amount).map_err(|error| error.to_string())
}
