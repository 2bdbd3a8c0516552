//! The function that carries out what was approved, as an executor of an identity of its own: one pass of the worker at
//! each run of its schedule. Knows neither how the service is called nor what is carried out.

use countersign_core::timestamp::Timestamp;
use countersign_executor::port::Executor;
use countersign_executor::worker::{Approvals, Pass, Worker};
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};
use std::time::Duration;

/// The type of the error when the service does not say what is open.
const UNAVAILABLE: &str = "service_unavailable";

/// One pass. What invoked it says nothing that would be needed, and what is left over is the next run's.
///
/// # Errors
/// When what is open is not known, so that the run counts as failed.
pub async fn handle<A: Approvals, E: Executor>(
    worker: &mut Worker<A, E>,
    now: impl Fn() -> Timestamp,
    budget: Duration,
) -> Result<Value, Diagnostic> {
    let milliseconds = i64::try_from(budget.as_millis()).unwrap_or(i64::MAX);
    let until = Timestamp::from_millisecond(now().as_millisecond().saturating_add(milliseconds));
    let Pass { notes, left } = worker.pass(now, Some(until)).await.map_err(|error| {
        let error_message = error.to_string();
        tracing::error!(error = error_message, "what is open is not known");
        Diagnostic { error_type: UNAVAILABLE.to_owned(), error_message }
    })?;
    for note in &notes {
        tracing::info!(request_id = note.request_id, what = note.message, "executor");
    }
    tracing::info!(notes = notes.len(), left, "the executor's pass");
    Ok(json!({ "notes": notes.len(), "left": left }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_executor::planner::{Fault, Plan, Planner};
    use countersign_executor::port::{Applied, Execution, ObserveError, Settled, Task};
    use countersign_executor::target::Target;
    use countersign_executor::worker::{Claim, Open, Report, Stage};

    /// A service with requests that wait for approvals, or one that does not answer.
    struct Service(Result<usize, &'static str>);

    impl Approvals for Service {
        type Error = &'static str;

        async fn open(&self) -> Result<Vec<String>, Self::Error> {
            self.0.map(|requests| vec!["R".to_owned(); requests])
        }

        async fn read(&self, id: &str) -> Result<Option<Open>, Self::Error> {
            let task = Task {
                request_id: id.to_owned(),
                operation_type: "reboot".to_owned(),
                instance_id: "I".to_owned(),
                parameters: json!({}),
            };
            Ok(Some(Open { task, target: None, stage: Stage::Waiting }))
        }

        async fn record_target(&self, _: &str, _: &Target) -> Result<(), Self::Error> {
            Ok(())
        }

        async fn start(&self, _: &str) -> Result<(), Self::Error> {
            panic!("nothing is approved")
        }

        async fn claim(&self, _: &str) -> Result<Option<Claim>, Self::Error> {
            panic!("nothing is approved")
        }

        async fn claimed(&self, _: &str) -> Result<Option<Claim>, Self::Error> {
            panic!("nothing is approved")
        }

        async fn report(&self, _: &str, _: &str, _: &Report) -> Result<Option<Timestamp>, Self::Error> {
            panic!("nothing is approved")
        }
    }

    struct Observer;

    impl Planner for Observer {
        fn knows(&self, _: &str) -> bool {
            true
        }

        fn validate(&self, _: &str, _: &Value) -> Result<(), Vec<Fault>> {
            Ok(())
        }

        fn plan(&self, _: &str, _: &str, _: &Value, _: Option<&Target>) -> Result<Plan, Vec<Fault>> {
            panic!("nothing is approved")
        }
    }

    impl Executor for Observer {
        async fn observe(&self, _: &Task) -> Result<Target, ObserveError> {
            Ok(Target::new(json!({ "size": 1 })).unwrap())
        }

        async fn apply(&self, _: &Execution, _: &Plan) -> Applied {
            panic!("nothing is approved")
        }

        async fn settle(&self, _: &Execution, _: Timestamp) -> Settled {
            panic!("nothing is approved")
        }
    }

    async fn run(service: Service, budget: Duration) -> Result<Value, String> {
        let now = || Timestamp::from_millisecond(1_800_000_000_000);
        let handled = handle(&mut Worker::new(service, Observer), now, budget).await;
        handled.map_err(|error| error.error_type)
    }

    #[tokio::test]
    async fn a_run_is_a_pass_within_its_time() {
        assert_eq!(run(Service(Ok(2)), Duration::from_secs(1)).await, Ok(json!({ "notes": 2, "left": 0 })));
        assert_eq!(run(Service(Ok(2)), Duration::ZERO).await, Ok(json!({ "notes": 0, "left": 2 })));
        assert_eq!(run(Service(Err("no")), Duration::from_secs(1)).await, Err(UNAVAILABLE.to_owned()));
    }
}
