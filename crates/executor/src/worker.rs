//! The loop around an executor: what is open is observed, started when it is due, claimed, carried out once, and looked
//! after until it has ended. It keeps nothing that it needs: an executor that is killed and started again goes on from
//! what the service and the target show.

use crate::planner::Fault;
use crate::port::{Applied, Execution, Executor, Failure, ObserveError, STATE_CHANGED, Settled, Task};
use crate::target::Target;
use countersign_core::timestamp::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// A request that an executor has to do with.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// What is to be done.
    pub task: Task,
    /// The target, if it is recorded.
    pub target: Option<Value>,
    /// How far it is.
    pub stage: Stage,
}

/// How far a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It waits for approvals, for its time, or for the requester to start it.
    Waiting,
    /// It is to be started by itself, now.
    Due,
    /// It is started, and its permit is not claimed.
    Started,
    /// It is claimed by this executor, and not over.
    Claimed,
}

/// What the service says of a permit that this executor has claimed.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The execution.
    pub execution_id: String,
    /// What is to be done, as the permit names it by digest.
    pub task: Task,
    /// The target, as the permit names it by digest.
    pub target: Option<Value>,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// Until when there must be a report.
    pub lease_until: Timestamp,
}

/// What an executor reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// It is under way.
    Running,
    /// It is done.
    Succeeded(Value),
    /// It has failed.
    Failed(Value),
}

/// The service, as one of its executors sees it. Each call is made as the executor, which may neither approve nor reject.
pub trait Approvals {
    /// Why a call has failed.
    type Error: Display;

    /// The open requests that may be this executor's to carry out, by their ids: the most urgent first.
    fn open(&self) -> impl Future<Output = Result<Vec<String>, Self::Error>>;

    /// One of them, in full. `None` if nothing is to be done of it.
    fn read(&self, request_id: &str) -> impl Future<Output = Result<Option<Open>, Self::Error>>;

    /// Records the target of a request, once.
    fn record_target(
        &self,
        request_id: &str,
        target: &Target,
    ) -> impl Future<Output = Result<(), Self::Error>>;

    /// Starts an approved request.
    fn start(&self, request_id: &str) -> impl Future<Output = Result<(), Self::Error>>;

    /// Claims the permit of a started request. `None` if there is nothing to claim: it is another's, or over.
    ///
    /// INVARIANT: at most one claim of a permit ever answers `Some`.
    fn claim(&self, request_id: &str) -> impl Future<Output = Result<Option<Claim>, Self::Error>>;

    /// What was claimed before, perhaps by this executor before it was started again.
    fn claimed(&self, request_id: &str) -> impl Future<Output = Result<Option<Claim>, Self::Error>>;

    /// Reports. Gives the end of the lease while it runs.
    fn report(
        &self,
        request_id: &str,
        execution_id: &str,
        report: &Report,
    ) -> impl Future<Output = Result<Option<Timestamp>, Self::Error>>;
}

/// What happened to a request in a pass: neither parameters nor results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The request.
    pub request_id: String,
    /// What happened, for a log.
    pub message: String,
    /// The rest of it, for people at a terminal: names of parameters, which the requester has chosen.
    pub detail: Option<String>,
}

/// What is said of a turn.
#[derive(Debug)]
struct Remark {
    message: String,
    detail: Option<String>,
}

impl<T: Into<String>> From<T> for Remark {
    fn from(message: T) -> Self {
        Self { message: message.into(), detail: None }
    }
}

/// What came of a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// What happened.
    pub notes: Vec<Note>,
    /// How many requests had no turn, because time was up.
    pub left: usize,
}

/// The loop, between two passes.
#[derive(Debug)]
pub struct Worker<A, E> {
    approvals: A,
    executor: E,
    /// Executions whose call was taken. Another process finds out from the target.
    accepted: BTreeSet<String>,
    /// When the lease of an execution is renewed next.
    renewals: BTreeMap<String, Timestamp>,
}

impl<A: Approvals, E: Executor> Worker<A, E> {
    /// A loop that has not begun.
    pub fn new(approvals: A, executor: E) -> Self {
        Self { approvals, executor, accepted: BTreeSet::new(), renewals: BTreeMap::new() }
    }

    /// Each open request once. `now` is asked for the time. No turn begins after `until`, if that is given: a call that is
    /// broken off is only found out about, and never made again.
    ///
    /// # Errors
    /// When what is open is not known. What goes wrong with one request is a note, and keeps no other from its turn.
    pub async fn pass(
        &mut self,
        now: impl Fn() -> Timestamp,
        until: Option<Timestamp>,
    ) -> Result<Pass, A::Error> {
        let mut notes = Vec::new();
        let open = self.approvals.open().await?;
        let mut left = open.len();
        for request_id in open {
            if until.is_some_and(|until| now() >= until) {
                break;
            }
            left -= 1;
            let remark = match self.turn(&request_id, &now).await {
                Ok(remark) => remark,
                Err(error) => Some(error.to_string().into()),
            };
            notes.extend(remark.map(|Remark { message, detail }| Note { request_id, message, detail }));
        }
        Ok(Pass { notes, left })
    }

    async fn turn(
        &mut self,
        request_id: &str,
        now: &impl Fn() -> Timestamp,
    ) -> Result<Option<Remark>, A::Error> {
        let Some(Open { task, target, stage }) = self.approvals.read(request_id).await? else {
            return Ok(None);
        };
        match stage {
            Stage::Waiting if target.is_some() => Ok(None),
            Stage::Waiting => {
                self.record(&task).await.map(|recorded| Some(recorded.unwrap_or_else(|why| why)))
            }
            Stage::Due => {
                if target.is_none()
                    && let Err(why) = self.record(&task).await?
                {
                    return Ok(Some(why));
                }
                self.approvals.start(&task.request_id).await?;
                self.carry_out(&task, now).await
            }
            Stage::Started => self.carry_out(&task, now).await,
            Stage::Claimed => self.look_after(&task, now).await,
        }
    }

    /// Observes a target for approvers. What could not be carried out is not recorded, so it never will be.
    async fn record(&self, task: &Task) -> Result<Result<Remark, Remark>, A::Error> {
        if let Err(faults) = self.executor.validate(&task.operation_type, &task.parameters) {
            let message = "its parameters cannot be carried out".to_owned();
            return Ok(Err(Remark { message, detail: Some(joined(&faults)) }));
        }
        match self.executor.observe(task).await {
            Ok(target) => {
                self.approvals.record_target(&task.request_id, &target).await?;
                Ok(Ok("its target is recorded".into()))
            }
            Err(error) => Ok(Err(error.to_string().into())),
        }
    }

    async fn carry_out(
        &mut self,
        task: &Task,
        now: &impl Fn() -> Timestamp,
    ) -> Result<Option<Remark>, A::Error> {
        // An approval is not spent on a target that cannot even be looked at.
        if let Err(ObserveError::Unavailable(why)) = self.executor.observe(task).await {
            return Ok(Some(why.into()));
        }
        let Some(claim) = self.approvals.claim(&task.request_id).await? else { return Ok(None) };
        // INVARIANT: a call is made here and nowhere else, after a claim has been answered. An answer that is lost, or a
        // process that is killed, makes an execution that is looked after and never begun again.
        let (applied, message) = match self.execution(claim).await {
            Err(failure) => return self.fail(task, failure).await,
            Ok((execution, plan, lease_until)) => {
                let applied = self.executor.apply(&execution, &plan).await;
                let message = match applied {
                    Applied::Accepted => "its call is taken",
                    Applied::Refused(_) => "its call is refused",
                    Applied::Unknown => "its call has no answer",
                };
                let execution_id = execution.execution_id;
                if applied == Applied::Accepted {
                    self.accepted.insert(execution_id.clone());
                }
                self.renewals.insert(execution_id.clone(), a_third(now(), lease_until));
                (applied.refusal().map(|failure| (execution_id, failure)), message)
            }
        };
        match applied {
            Some(failure) => self.fail(task, failure).await,
            None => Ok(Some(message.into())),
        }
    }

    /// All that is looked at between a claim and its call.
    async fn execution(
        &self,
        claim: Claim,
    ) -> Result<(Execution, crate::planner::Plan, Timestamp), (String, Failure)> {
        let Claim { execution_id, task, target, claimed_at, lease_until } = claim;
        let fail = |code: &str, detail: String| (execution_id.clone(), Failure::new(code, detail));
        let changed = |detail: String| fail(STATE_CHANGED, detail);
        let recorded = target.ok_or_else(|| changed("the target was never observed".to_owned()))?;
        let recorded = Target::new(recorded).map_err(|error| changed(error.to_string()))?;
        let observed = self.executor.observe(&task).await.map_err(|error| match &error {
            ObserveError::Missing(_) => changed(error.to_string()),
            ObserveError::Refused(_) => fail("not_allowed", error.to_string()),
            ObserveError::Unavailable(_) => fail("not_observed", error.to_string()),
        })?;
        let changes = self.executor.changes(&recorded, &observed);
        if !changes.is_empty() {
            return Err(changed(format!("the target is not as it was recorded: {}", changes.join(", "))));
        }
        let plan = self
            .executor
            .plan(&task.operation_type, &task.instance_id, &task.parameters, Some(&recorded))
            .map_err(|faults| fail("refused", joined(&faults)))?;
        let execution = Execution { task, execution_id, target: recorded, claimed_at, is_accepted: false };
        Ok((execution, plan, lease_until))
    }

    async fn fail(
        &mut self,
        task: &Task,
        (execution_id, failure): (String, Failure),
    ) -> Result<Option<Remark>, A::Error> {
        let report = Report::Failed(failure.to_value());
        self.approvals.report(&task.request_id, &execution_id, &report).await?;
        self.forget(&execution_id);
        Ok(Some(format!("it has failed: {}", failure.code).into()))
    }

    fn forget(&mut self, execution_id: &str) {
        self.accepted.remove(execution_id);
        self.renewals.remove(execution_id);
    }

    async fn look_after(
        &mut self,
        task: &Task,
        now: &impl Fn() -> Timestamp,
    ) -> Result<Option<Remark>, A::Error> {
        let Some(claim) = self.approvals.claimed(&task.request_id).await? else { return Ok(None) };
        let id = claim.execution_id;
        let settled = match claim.target.map(Target::new) {
            Some(Ok(target)) => {
                let execution = Execution {
                    task: claim.task,
                    execution_id: id.clone(),
                    target,
                    claimed_at: claim.claimed_at,
                    is_accepted: self.accepted.contains(&id),
                };
                self.executor.settle(&execution, now()).await
            }
            // Nothing is ever done to a target that was not observed.
            Some(Err(_)) | None => {
                let detail = "the target was never observed";
                Settled::Failed(Failure::new(STATE_CHANGED, detail))
            }
        };
        match settled {
            Settled::Running => {
                let is_due = self.renewals.get(&id).is_none_or(|due| now() >= *due);
                if is_due {
                    let renewed = self.approvals.report(&task.request_id, &id, &Report::Running).await?;
                    let lease_until = renewed.unwrap_or(claim.lease_until);
                    self.renewals.insert(id, a_third(now(), lease_until));
                }
                Ok(None)
            }
            Settled::Succeeded(result) => {
                self.approvals.report(&task.request_id, &id, &Report::Succeeded(result)).await?;
                self.forget(&id);
                Ok(Some("it is done".into()))
            }
            Settled::Failed(failure) => self.fail(task, (id, failure)).await,
            // The lease is left to end, so that people are asked.
            Settled::Unknown => Ok(Some("it cannot be found out what came of it".into())),
        }
    }
}

impl Applied {
    fn refusal(self) -> Option<Failure> {
        match self {
            Self::Refused(failure) => Some(failure),
            Self::Accepted | Self::Unknown => None,
        }
    }
}

fn joined(faults: &[Fault]) -> String {
    let faults: Vec<_> = faults.iter().map(|fault| format!("{} {}", fault.pointer, fault.message)).collect();
    faults.join("; ")
}

/// When a third of a lease is over.
fn a_third(now: Timestamp, lease_until: Timestamp) -> Timestamp {
    let left = lease_until.as_millisecond().saturating_sub(now.as_millisecond());
    Timestamp::from_millisecond(now.as_millisecond().saturating_add(left / 3))
}

#[cfg(test)]
mod tests;
