//! The executor of operations on Amazon RDS: the calls. What is called, and what is made of the answers, is said by
//! `countersign-executor`, without a call.
//!
//! A call that changes something is made once: RDS has no client tokens, so the SDK's own retries are off for it. Only
//! what RDS says it has not even looked at (throttling) is sent again.
#![warn(missing_docs)]

mod answer;
mod call;
mod describe;

use answer::Answer;
use aws_sdk_rds::Client;
use aws_sdk_rds::config::Builder;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use countersign_core::timestamp::Timestamp;
use countersign_executor::planner::{Call, Fault, Plan, Planner};
use countersign_executor::port::{Applied, Execution, Executor, Failure, ObserveError, Settled, Task};
use countersign_executor::rds::Rds;
use countersign_executor::rds::change::Change;
use countersign_executor::rds::instance::{self, Instance};
use countersign_executor::rds::settle::settle;
use countersign_executor::target::Target;
use serde_json::Value;
use std::time::Duration;
use wildmatch::WildMatch;

/// RDS answers a change within seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const READ_TIMEOUT: Duration = Duration::from_secs(25);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How often a call is sent that RDS throttles, and the pause after the first; it doubles.
const MAX_THROTTLED: u32 = 4;
const THROTTLE_PAUSE: Duration = Duration::from_millis(200);

/// What the operator configures.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The ARNs of what may be touched: instances, clusters, parameter groups. `*` stands for any characters. None is
    /// none at all.
    pub allowed_arns: Vec<String>,
    /// The role by which Enhanced Monitoring writes its metrics.
    pub monitoring_role_arn: Option<String>,
}

/// The executor.
#[derive(Debug, Clone)]
pub struct RdsExecutor {
    reader: Client,
    changer: Client,
    settings: Settings,
}

impl RdsExecutor {
    /// An executor with clients of its own.
    pub fn connect(aws: &SdkConfig, settings: Settings) -> Self {
        let times = |operation| {
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .operation_timeout(operation)
                .build()
        };
        let client = |retries, operation| {
            let configuration = Builder::from(aws).retry_config(retries).timeout_config(times(operation));
            Client::from_conf(configuration.build())
        };
        Self {
            reader: client(RetryConfig::standard(), READ_TIMEOUT),
            changer: client(RetryConfig::disabled(), ATTEMPT_TIMEOUT),
            settings,
        }
    }

    fn is_allowed(&self, arn: &str) -> bool {
        self.settings.allowed_arns.iter().any(|allowed| WildMatch::new(allowed).matches(arn))
    }

    /// The first of all resources that a change touches which this executor may not.
    fn forbidden(&self, change: &Change, instance: &Instance) -> Option<String> {
        let mut arns = vec![Some(instance.arn.clone())];
        match change {
            Change::Failover { to } => {
                arns.extend(
                    instance.cluster.as_ref().map(|cluster| instance.sibling_arn("cluster", &cluster.id)),
                );
                arns.extend(to.as_ref().map(|to| instance.sibling_arn("db", to)));
            }
            Change::ParameterGroup { group } | Change::Parameters { group, .. } => {
                arns.push(instance.sibling_arn("pg", group));
            }
            Change::Restore { instance: made, .. } => arns.push(instance.sibling_arn("db", made)),
            Change::InstanceClass { .. }
            | Change::Storage { .. }
            | Change::Monitoring { .. }
            | Change::Reboot { .. }
            | Change::Snapshot { .. }
            | Change::Delete { .. } => {}
        }
        let arns = arns.into_iter().map(Option::unwrap_or_default);
        arns.into_iter().find(|arn| !self.is_allowed(arn))
    }

    /// What the configuration adds to a call.
    fn configured(&self, call: &Call) -> Result<Call, Failure> {
        let mut call = call.clone();
        for name in std::mem::take(&mut call.configured) {
            let value = match name.as_str() {
                "MonitoringRoleArn" => self.settings.monitoring_role_arn.as_deref(),
                _ => None,
            };
            let Some(value) = value else {
                return Err(Failure::new("not_configured", format!("the executor has no `{name}`")));
            };
            call = call.with(&name, value);
        }
        Ok(call)
    }
}

impl Planner for RdsExecutor {
    fn knows(&self, operation_type: &str) -> bool {
        Rds.knows(operation_type)
    }

    fn validate(&self, operation_type: &str, parameters: &Value) -> Result<(), Vec<Fault>> {
        Rds.validate(operation_type, parameters)
    }

    fn plan(
        &self,
        operation_type: &str,
        instance_id: &str,
        parameters: &Value,
        target: Option<&Target>,
    ) -> Result<Plan, Vec<Fault>> {
        Rds.plan(operation_type, instance_id, parameters, target)
    }
}

fn change_of(task: &Task) -> Result<Change, Failure> {
    Change::read(&task.operation_type, &task.parameters)
        .map_err(|_| Failure::new("invalid_parameters", "the parameters are not those of the operation"))
}

impl Executor for RdsExecutor {
    async fn observe(&self, task: &Task) -> Result<Target, ObserveError> {
        let change = change_of(task).map_err(|failure| ObserveError::Refused(failure.detail))?;
        let found = describe::instance(&self.reader, &task.instance_id, Some(&change)).await?;
        let instance = found.ok_or_else(|| ObserveError::Missing(task.instance_id.clone()))?;
        if let Some(arn) = self.forbidden(&change, &instance) {
            return Err(ObserveError::Refused(format!("this executor may not touch `{arn}`")));
        }
        instance.to_target().map_err(|error| ObserveError::Refused(error.to_string()))
    }

    fn changes(&self, recorded: &Target, now: &Target) -> Vec<String> {
        instance::changes(recorded, now)
    }

    async fn apply(&self, execution: &Execution, plan: &Plan) -> Applied {
        let instance = match Instance::read(&execution.target) {
            Ok(instance) => instance,
            Err(error) => return Applied::Refused(Failure::new("invalid_target", error.to_string())),
        };
        let change = match change_of(&execution.task) {
            Ok(change) => change,
            Err(failure) => return Applied::Refused(failure),
        };
        if let Some(arn) = self.forbidden(&change, &instance) {
            let detail = format!("this executor may not touch `{arn}`");
            return Applied::Refused(Failure::new("not_allowed", detail));
        }
        let plan = plan.of_execution(&execution.execution_id);
        let [call] = plan.calls.as_slice() else {
            return Applied::Refused(Failure::new("invalid_plan", "the plan is not of one call"));
        };
        let call = match self.configured(call) {
            Ok(call) => call,
            Err(failure) => return Applied::Refused(failure),
        };
        let mut pause = THROTTLE_PAUSE;
        for _ in 1..MAX_THROTTLED {
            match call::make(&self.changer, &call).await {
                Answer::Throttled => {}
                answer => return applied(answer),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        applied(call::make(&self.changer, &call).await)
    }

    async fn settle(&self, execution: &Execution, now: Timestamp) -> Settled {
        let (Ok(recorded), Ok(change)) = (Instance::read(&execution.target), change_of(&execution.task))
        else {
            return Settled::Unknown;
        };
        let milliseconds = now.as_millisecond().saturating_sub(execution.claimed_at.as_millisecond());
        let seconds = u64::try_from(milliseconds / 1_000).unwrap_or(0);
        match describe::evidence(&self.reader, execution, &change, &recorded).await {
            Ok(evidence) => settle(&change, &recorded, execution.is_accepted, seconds, &evidence),
            // It is asked again; its lease is not renewed meanwhile, or people would never hear of it.
            Err(_) => Settled::Unknown,
        }
    }
}

fn applied(answer: Answer) -> Applied {
    match answer {
        Answer::Done => Applied::Accepted,
        Answer::Lost => Applied::Unknown,
        Answer::Throttled => {
            Applied::Refused(Failure::new("throttled", "RDS takes no more calls for now; nothing was done"))
        }
        // Whose it is, its name or tag says.
        Answer::Refused { code, .. } if code.ends_with("AlreadyExists") => Applied::Accepted,
        Answer::Refused { code, message } => {
            Applied::Refused(Failure::new("refused", format!("RDS answered {code}: {message}")))
        }
        Answer::Unbuildable(why) => Applied::Refused(Failure::new("invalid_plan", why)),
    }
}
