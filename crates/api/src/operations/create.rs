//! POST /v1/approvals

use super::{CommandStore, reply_with};
use crate::fields::{self, Fields, free_text, identifier, one_of, string};
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::run::Endpoint;
use crate::wire::RequestBody;
use countersign_app::create::create_and_resume;
use countersign_app::dependencies::Dependencies;
use countersign_app::notifies;
use countersign_app::ports::CountOpen;
use countersign_core::command::{self, Draft};
use countersign_core::continuation::{Continuation, Handle, ResumeOn};
use countersign_core::execution::{ExecutionMode, Schedule, Window};
use countersign_core::principal::Principal;
use countersign_core::priority::Priority;
use countersign_core::risk::{Cost, Environment, RiskLevel};
use countersign_core::text::DurationText;
use countersign_core::timestamp::Timestamp;
use serde_json::Value;

/// The rule that a service breaks for which no state machine or function is named.
const RESUMES_NONE: &str = "is for deployments on AWS that may resume a state machine or a durable function: \
                            `StateMachineArns` or `DurableFunctionArns` names none here";

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
        let continuation = continuation(&mut fields);
        let ((draft, continuation), idempotency) = fields.finish(draft.zip(continuation))?;
        let (idempotency, continuation) = (idempotency.as_ref(), continuation.as_ref());
        let done = create_and_resume(dependencies, &draft, actor, idempotency, continuation).await?;
        let status = if done.is_replay() { 200 } else { 201 };
        let location = Operation::Get.path(done.request.id());
        // A retry may come late, but is answered like its first as far as that is still so.
        let notifies = notifies::of_creation(dependencies, &done.request).map(Into::into);
        let with = |body| RequestBody { notifies, ..body };
        Ok(reply_with(dependencies, actor, &done, status, with).with_header("location", location))
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
    let priority = fields.optional("priority", one_of::<Priority>);
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
        priority: priority?,
        schedule: schedule?,
    })
}

/// Who waits for the request.
pub(crate) fn continuation(fields: &mut Fields) -> Option<Option<Continuation>> {
    let token = fields.optional("task_token", |value| {
        Handle::task_token(&string(value)?).map_err(|error| error.to_string())
    });
    let callback = fields.optional("callback_id", |value| {
        Handle::callback_id(&string(value)?).map_err(|error| error.to_string())
    });
    let resume_on = fields.optional("resume_on", one_of::<ResumeOn>);
    let (token, callback, resume_on) = (token?, callback?, resume_on?);
    let (name, handle) = match (token, callback) {
        (None, None) if resume_on.is_none() => return Some(None),
        (None, None) => {
            fields.refuse("resume_on", "is for a request with `task_token` or `callback_id`");
            return None;
        }
        (Some(_), Some(_)) => {
            fields.refuse("callback_id", "must not be there together with `task_token`");
            return None;
        }
        (Some(token), None) => ("task_token", token),
        (None, Some(callback)) => ("callback_id", callback),
    };
    if !fields.resumes {
        fields.refuse(name, RESUMES_NONE);
        return None;
    }
    Some(Some(Continuation { handle, resume_on: resume_on.unwrap_or_default() }))
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
