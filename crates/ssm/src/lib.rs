//! The executor of runbooks of AWS Systems Manager: the calls. Which runbook in which version carries an operation out,
//! `countersign-executor` says.
//!
//! The client token of a start is the execution's id, so that a start whose answer is lost can be made again: Systems
//! Manager answers it with the automation that it began first.
#![warn(missing_docs)]

use aws_sdk_ssm::Client;
use aws_sdk_ssm::config::Builder;
use aws_sdk_ssm::config::http::HttpResponse;
use aws_sdk_ssm::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ssm::types::AutomationExecutionStatus;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use countersign_core::timestamp::Timestamp;
use countersign_executor::planner::{Call, Fault, Plan, Planner};
use countersign_executor::port::{Applied, Execution, Executor, Failure, ObserveError, Settled, Task};
use countersign_executor::ssm_automation::SsmAutomation;
use countersign_executor::target::Target;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

#[cfg(test)]
mod tests;

const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Codes that say nothing of the call, which may be made again.
const PASSING: [&str; 5] = [
    "ThrottlingException",
    "Throttling",
    "TooManyRequestsException",
    "InternalServerError",
    "AutomationExecutionLimitExceededException",
];

/// The format of the recorded target.
const FORMAT: &str = "countersign.ssm-target.v1";

/// The executor.
#[derive(Debug, Clone)]
pub struct SsmExecutor {
    client: Client,
    planner: SsmAutomation,
}

impl SsmExecutor {
    /// An executor with a client of its own.
    pub fn connect(aws: &SdkConfig, planner: SsmAutomation) -> Self {
        let times = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(ATTEMPT_TIMEOUT * 3);
        let configuration =
            Builder::from(aws).retry_config(RetryConfig::standard()).timeout_config(times.build());
        Self { client: Client::from_conf(configuration.build()), planner }
    }

    /// Begins the automation, or finds the one that was begun with the same token.
    async fn begin(&self, call: &Call) -> Result<String, Begun> {
        let text = |name: &str| call.parameters.get(name).and_then(Value::as_str);
        let (Some(document), Some(version), Some(token)) =
            (text("DocumentName"), text("DocumentVersion"), text("ClientToken"))
        else {
            return Err(Begun::Refused(Failure::new("invalid_plan", "the plan has no runbook")));
        };
        let parameters = call.parameters.get("Parameters").and_then(parameters).ok_or_else(|| {
            Begun::Refused(Failure::new("invalid_plan", "the plan's parameters are no lists of texts"))
        })?;
        let answer = self
            .client
            .start_automation_execution()
            .document_name(document)
            .document_version(version)
            .set_parameters(Some(parameters))
            .client_token(token)
            .send()
            .await;
        match answer {
            Ok(answer) => answer.automation_execution_id.ok_or(Begun::Unknown),
            Err(error) => Err(begun(&error)),
        }
    }

    fn call(&self, execution: &Execution) -> Option<Call> {
        let task = &execution.task;
        let plan = self.plan(&task.operation_type, &task.instance_id, &task.parameters, None).ok()?;
        plan.of_execution(&execution.execution_id).calls.into_iter().next()
    }
}

/// Why no automation is known.
enum Begun {
    Refused(Failure),
    Unknown,
}

fn begun<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Begun {
    let Some(service) = error.as_service_error() else { return Begun::Unknown };
    let code = service.code().unwrap_or_default();
    if code.is_empty() || PASSING.contains(&code) {
        return Begun::Unknown;
    }
    let message: String = service.message().unwrap_or_default().chars().take(500).collect();
    Begun::Refused(Failure::new("refused", format!("Systems Manager answered {code}: {message}")))
}

fn parameters(value: &Value) -> Option<HashMap<String, Vec<String>>> {
    let texts = |value: &Value| -> Option<Vec<String>> {
        value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
    };
    value.as_object()?.iter().map(|(name, value)| Some((name.clone(), texts(value)?))).collect()
}

impl Planner for SsmExecutor {
    fn knows(&self, operation_type: &str) -> bool {
        self.planner.knows(operation_type)
    }

    fn validate(&self, operation_type: &str, parameters: &Value) -> Result<(), Vec<Fault>> {
        self.planner.validate(operation_type, parameters)
    }

    fn plan(
        &self,
        operation_type: &str,
        instance_id: &str,
        parameters: &Value,
        target: Option<&Target>,
    ) -> Result<Plan, Vec<Fault>> {
        self.planner.plan(operation_type, instance_id, parameters, target)
    }
}

impl Executor for SsmExecutor {
    /// The runbook in its pinned version, by the hash of its text: what the runbook does to its target, it alone knows.
    async fn observe(&self, task: &Task) -> Result<Target, ObserveError> {
        let runbook = self.planner.runbooks.get(&task.operation_type);
        let runbook =
            runbook.ok_or_else(|| ObserveError::Refused("the operation has no runbook".to_owned()))?;
        let described = self
            .client
            .describe_document()
            .name(&runbook.document)
            .document_version(&runbook.version)
            .send()
            .await;
        let document = match described {
            Ok(described) => described.document,
            Err(error) => {
                let code = error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default();
                return Err(match code {
                    "InvalidDocument" | "InvalidDocumentVersion" => {
                        ObserveError::Missing(format!("{}:{}", runbook.document, runbook.version))
                    }
                    "AccessDeniedException" => ObserveError::Refused(
                        "the role of this executor may not describe the runbook".to_owned(),
                    ),
                    _ => {
                        ObserveError::Unavailable("Systems Manager does not describe the runbook".to_owned())
                    }
                });
            }
        };
        let document = document
            .ok_or_else(|| ObserveError::Unavailable("Systems Manager shows no runbook".to_owned()))?;
        let target = json!({
            "format": FORMAT,
            "instance_id": task.instance_id,
            "runbook": runbook.document,
            "version": runbook.version,
            "hash": document.hash(),
            "owner": document.owner(),
            "status": document.status().map(|status| status.as_str().to_owned()),
        });
        Target::new(target).map_err(|error| ObserveError::Refused(error.to_string()))
    }

    async fn apply(&self, execution: &Execution, plan: &Plan) -> Applied {
        let plan = plan.of_execution(&execution.execution_id);
        let [call] = plan.calls.as_slice() else {
            return Applied::Refused(Failure::new("invalid_plan", "the plan is not of one call"));
        };
        match self.begin(call).await {
            Ok(_) => Applied::Accepted,
            Err(Begun::Refused(failure)) => Applied::Refused(failure),
            Err(Begun::Unknown) => Applied::Unknown,
        }
    }

    /// The start is made again: its token finds the automation.
    async fn settle(&self, execution: &Execution, _: Timestamp) -> Settled {
        let Some(call) = self.call(execution) else { return Settled::Unknown };
        let id = match self.begin(&call).await {
            Ok(id) => id,
            Err(Begun::Refused(failure)) if !execution.is_accepted => return Settled::Failed(failure),
            Err(Begun::Refused(_) | Begun::Unknown) => return Settled::Unknown,
        };
        let shown = self.client.get_automation_execution().automation_execution_id(&id).send().await;
        let Some(shown) = shown.ok().and_then(|shown| shown.automation_execution) else {
            return Settled::Unknown;
        };
        let Some(status) = shown.automation_execution_status() else { return Settled::Unknown };
        settled(status, &id)
    }
}

/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_AutomationExecution.html>
fn settled(status: &AutomationExecutionStatus, id: &str) -> Settled {
    match status.as_str() {
        "Success" | "CompletedWithSuccess" => {
            Settled::Succeeded(json!({ "automation_execution_id": id, "status": status.as_str() }))
        }
        "Failed"
        | "TimedOut"
        | "Cancelled"
        | "CompletedWithFailure"
        | "Rejected"
        | "Exited"
        | "ChangeCalendarOverrideRejected" => {
            let detail = format!("the automation {id} is `{}`", status.as_str());
            Settled::Failed(Failure::new("automation_failed", detail))
        }
        _ => Settled::Running,
    }
}
