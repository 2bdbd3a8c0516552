//! What an executor does to another system, and how that ends.

use crate::planner::{Plan, Planner};
use crate::target::Target;
use countersign_core::timestamp::Timestamp;
use serde_json::{Value, json};

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// The request.
    pub request_id: String,
    /// The operation.
    pub operation_type: String,
    /// Its target.
    pub instance_id: String,
    /// The parameters, as approvers saw them.
    pub parameters: Value,
}

/// What was claimed, and is carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// What is to be done.
    pub task: Task,
    /// The id of the execution, which is that of its permit (`jti`).
    pub execution_id: String,
    /// The target as it was recorded.
    pub target: Target,
    /// Since when it may have had an effect.
    pub claimed_at: Timestamp,
    /// Whether the called system has said that it takes the call. It may have taken the call without.
    pub is_accepted: bool,
}

/// Why a target cannot be observed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObserveError {
    /// There is no such target.
    #[error("there is no such target: {0}")]
    Missing(String),
    /// This executor may not touch it, or cannot describe it.
    #[error("{0}")]
    Refused(String),
    /// No answer for now.
    #[error("the target cannot be observed now: {0}")]
    Unavailable(String),
}

/// What became of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// The called system has taken it.
    Accepted,
    /// Nothing was done, and nothing will be.
    Refused(Failure),
    /// It is not known whether the call was taken.
    Unknown,
}

/// What an execution has come to.
#[derive(Debug, Clone, PartialEq)]
pub enum Settled {
    /// It is under way.
    Running,
    /// It is done, with a result.
    Succeeded(Value),
    /// It has failed.
    Failed(Failure),
    /// It cannot be found out.
    Unknown,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For programs.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// The code of a target that is not as it was recorded, or was never recorded.
pub const STATE_CHANGED: &str = "state_changed";

impl Failure {
    /// A failure.
    pub fn new(code: &str, detail: impl Into<String>) -> Self {
        Self { code: code.to_owned(), detail: detail.into() }
    }

    /// As the result of an execution.
    pub fn to_value(&self) -> Value {
        json!({ "code": self.code, "detail": self.detail })
    }
}

/// The half of an executor that calls another system. It runs where the credentials for that system are.
pub trait Executor: Planner {
    /// The state of a target, as far as the operation depends on it.
    fn observe(&self, task: &Task) -> impl Future<Output = Result<Target, ObserveError>>;

    /// What differs between a target as it was recorded and as it is, so that nothing may be done: names of members.
    fn changes(&self, recorded: &Target, now: &Target) -> Vec<String> {
        recorded.differences(now)
    }

    /// Carries out a plan, once: a call whose answer is lost is not made again.
    fn apply(&self, execution: &Execution, plan: &Plan) -> impl Future<Output = Applied>;

    /// What has become of it. It may be asked at any time after the claim, any number of times, by a process that did
    /// not make the call.
    fn settle(&self, execution: &Execution, now: Timestamp) -> impl Future<Output = Settled>;
}
