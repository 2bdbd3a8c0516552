//! The loop with a scripted service and a scripted executor: what is called, in which order, and what is never called.

use super::*;
use crate::planner::{Call, Plan, Planner};
use serde_json::json;
use std::cell::RefCell;
use std::rc::Rc;

type Log = Rc<RefCell<Vec<String>>>;

/// A service with one request, which a list may show several times.
struct Service {
    log: Log,
    open: usize,
    read: Result<(), &'static str>,
    stage: Stage,
    target: Option<Value>,
    claim: Result<bool, &'static str>,
    is_report_lost: bool,
}

impl Service {
    fn task() -> Task {
        Task {
            request_id: "R".to_owned(),
            operation_type: "rename".to_owned(),
            instance_id: "I".to_owned(),
            parameters: json!({}),
        }
    }

    fn claimed(&self) -> Claim {
        Claim {
            execution_id: "E".to_owned(),
            task: Self::task(),
            target: self.target.clone(),
            claimed_at: at(0),
            lease_until: at(3_600),
        }
    }
}

impl Approvals for Service {
    type Error = &'static str;

    async fn open(&self) -> Result<Vec<String>, Self::Error> {
        Ok(vec!["R".to_owned(); self.open])
    }

    async fn read(&self, _: &str) -> Result<Option<Open>, Self::Error> {
        self.read?;
        Ok(Some(Open { task: Self::task(), target: self.target.clone(), stage: self.stage }))
    }

    async fn record_target(&self, _: &str, target: &Target) -> Result<(), Self::Error> {
        self.log.borrow_mut().push(format!("record {}", target.to_value()));
        Ok(())
    }

    async fn start(&self, _: &str) -> Result<(), Self::Error> {
        self.log.borrow_mut().push("start".to_owned());
        Ok(())
    }

    async fn claim(&self, _: &str) -> Result<Option<Claim>, Self::Error> {
        self.log.borrow_mut().push("claim".to_owned());
        Ok(self.claim?.then(|| self.claimed()))
    }

    async fn claimed(&self, _: &str) -> Result<Option<Claim>, Self::Error> {
        Ok(Some(self.claimed()))
    }

    async fn report(&self, _: &str, _: &str, report: &Report) -> Result<Option<Timestamp>, Self::Error> {
        let text = match report {
            Report::Running => "running".to_owned(),
            Report::Succeeded(_) => "succeeded".to_owned(),
            Report::Failed(result) => format!("failed {}", result["code"].as_str().unwrap()),
        };
        self.log.borrow_mut().push(text);
        if self.is_report_lost { Err("lost") } else { Ok(Some(at(3_600))) }
    }
}

/// An executor with one target.
struct Scripted {
    log: Log,
    observed: Vec<Result<Value, ObserveError>>,
    seen: RefCell<usize>,
    broken: Vec<Fault>,
    faults: Vec<Fault>,
    applied: Applied,
    settled: Settled,
}

impl Planner for Scripted {
    fn knows(&self, _: &str) -> bool {
        true
    }

    fn validate(&self, _: &str, _: &Value) -> Result<(), Vec<Fault>> {
        if self.broken.is_empty() { Ok(()) } else { Err(self.broken.clone()) }
    }

    fn plan(&self, _: &str, _: &str, _: &Value, _: Option<&Target>) -> Result<Plan, Vec<Fault>> {
        if self.faults.is_empty() { Ok(Plan::of(Call::new("x"))) } else { Err(self.faults.clone()) }
    }
}

impl Executor for Scripted {
    /// In turn; the last one again and again.
    async fn observe(&self, _: &Task) -> Result<Target, ObserveError> {
        let mut seen = self.seen.borrow_mut();
        let observed = self.observed[(*seen).min(self.observed.len() - 1)].clone();
        *seen += 1;
        observed.map(|document| Target::new(document).unwrap())
    }

    async fn apply(&self, execution: &Execution, _: &Plan) -> Applied {
        self.log.borrow_mut().push(format!("apply {}", execution.execution_id));
        self.applied.clone()
    }

    async fn settle(&self, execution: &Execution, _: Timestamp) -> Settled {
        let is_accepted = if execution.is_accepted { " accepted" } else { "" };
        self.log.borrow_mut().push(format!("settle{is_accepted}"));
        self.settled.clone()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + second * 1_000)
}

fn worker(stage: Stage, target: Option<Value>) -> (Worker<Service, Scripted>, Log) {
    let log = Log::default();
    let service = Service {
        log: log.clone(),
        open: 1,
        read: Ok(()),
        stage,
        target,
        claim: Ok(true),
        is_report_lost: false,
    };
    let executor = Scripted {
        log: log.clone(),
        observed: vec![Ok(json!({ "size": 1 }))],
        seen: RefCell::new(0),
        broken: Vec::new(),
        faults: Vec::new(),
        applied: Applied::Accepted,
        settled: Settled::Running,
    };
    (Worker::new(service, executor), log)
}

fn recorded() -> Option<Value> {
    Some(json!({ "size": 1 }))
}

async fn pass_at(worker: &mut Worker<Service, Scripted>, log: &Log, second: i64) -> Vec<String> {
    worker.pass(|| at(second), None).await.unwrap();
    log.take()
}

#[tokio::test]
async fn a_target_is_recorded_once_and_for_approvers() {
    for (target, expected) in [(None, vec!["record {\"size\":1}"]), (recorded(), vec![])] {
        let (mut worker, log) = worker(Stage::Waiting, target);
        assert_eq!(pass_at(&mut worker, &log, 0).await, expected);
    }
}

#[tokio::test]
async fn what_is_due_is_started_after_its_target_is_recorded() {
    let (mut due, log) = worker(Stage::Due, recorded());
    assert_eq!(pass_at(&mut due, &log, 0).await, ["start", "claim", "apply E"]);
    let (mut unseen, log) = worker(Stage::Due, None);
    unseen.executor.observed = vec![Err(ObserveError::Missing("I".to_owned()))];
    assert_eq!(pass_at(&mut unseen, &log, 0).await, [""; 0]);
}

/// What keeps a call from being made, and what is reported of it.
#[tokio::test]
async fn nothing_is_called_but_for_a_claim_on_an_unchanged_target() {
    let check = async |name: &str, target, change: fn(&mut Worker<Service, Scripted>), expected: &[&str]| {
        let (mut worker, log) = worker(Stage::Started, target);
        change(&mut worker);
        assert_eq!(pass_at(&mut worker, &log, 0).await, expected, "{name}");
    };
    check("fine", recorded(), |_| (), &["claim", "apply E"]).await;
    check("another's", recorded(), |worker| worker.approvals.claim = Ok(false), &["claim"]).await;
    check("a lost claim", recorded(), |worker| worker.approvals.claim = Err("lost"), &["claim"]).await;
    check("never observed", None, |_| (), &["claim", "failed state_changed"]).await;
    let other = Some(json!({ "size": 2 }));
    check("changed", other, |_| (), &["claim", "failed state_changed"]).await;
    check(
        "changed while it is claimed",
        recorded(),
        |worker| worker.executor.observed = vec![Ok(json!({ "size": 1 })), Ok(json!({ "size": 2 }))],
        &["claim", "failed state_changed"],
    )
    .await;
    let missing: fn(&mut Worker<Service, Scripted>) =
        |worker| worker.executor.observed = vec![Err(ObserveError::Missing("I".to_owned()))];
    check("missing", recorded(), missing, &["claim", "failed state_changed"]).await;
    check(
        "not to be seen for now",
        recorded(),
        |worker| worker.executor.observed = vec![Err(ObserveError::Unavailable("x".to_owned()))],
        &[],
    )
    .await;
    check(
        "not to be touched",
        recorded(),
        |worker| worker.executor.observed = vec![Err(ObserveError::Refused("x".to_owned()))],
        &["claim", "failed not_allowed"],
    )
    .await;
    check(
        "in no state for it",
        recorded(),
        |worker| worker.executor.faults = vec![Fault::of_target("is protected")],
        &["claim", "failed refused"],
    )
    .await;
    let refuse: fn(&mut Worker<Service, Scripted>) =
        |worker| worker.executor.applied = Applied::Refused(Failure::new("throttled", ""));
    check("refused", recorded(), refuse, &["claim", "apply E", "failed throttled"]).await;
    check(
        "a lost answer",
        recorded(),
        |worker| worker.executor.applied = Applied::Unknown,
        &["claim", "apply E"],
    )
    .await;
}

#[tokio::test]
async fn an_executor_that_was_killed_after_a_claim_looks_and_does_not_call() {
    let (mut worker, log) = worker(Stage::Claimed, recorded());
    assert_eq!(pass_at(&mut worker, &log, 0).await, ["settle", "running"]);
    for (settled, expected) in [
        (Settled::Succeeded(json!({})), vec!["settle", "succeeded"]),
        (Settled::Failed(Failure::new("not_applied", "")), vec!["settle", "failed not_applied"]),
        (Settled::Unknown, vec!["settle"]),
    ] {
        worker.executor.settled = settled;
        assert_eq!(pass_at(&mut worker, &log, 1).await, expected);
    }
    worker.approvals.target = None;
    assert_eq!(pass_at(&mut worker, &log, 2).await, ["failed state_changed"]);
}

#[tokio::test]
async fn a_lease_is_renewed_at_a_third_of_it() {
    let (mut worker, log) = worker(Stage::Started, recorded());
    assert_eq!(pass_at(&mut worker, &log, 0).await, ["claim", "apply E"]);
    worker.approvals.stage = Stage::Claimed;
    assert_eq!(pass_at(&mut worker, &log, 1_199).await, ["settle accepted"]);
    assert_eq!(pass_at(&mut worker, &log, 1_200).await, ["settle accepted", "running"]);
    assert_eq!(pass_at(&mut worker, &log, 1_201).await, ["settle accepted"]);
}

#[tokio::test]
async fn a_report_that_is_lost_is_made_again() {
    let (mut worker, log) = worker(Stage::Claimed, recorded());
    worker.executor.settled = Settled::Succeeded(json!({}));
    worker.approvals.is_report_lost = true;
    let notes = worker.pass(|| at(0), None).await.unwrap().notes;
    assert_eq!(notes, [Note { request_id: "R".to_owned(), message: "lost".to_owned(), detail: None }]);
    assert_eq!(pass_at(&mut worker, &log, 1).await, ["settle", "succeeded", "settle", "succeeded"]);
}

#[tokio::test]
async fn no_turn_begins_once_time_is_up() {
    let (mut worker, log) = worker(Stage::Claimed, recorded());
    worker.approvals.open = 5;
    let turns = || log.borrow().iter().filter(|entry| *entry == "settle").count();
    // Each turn takes ten seconds.
    let now = || at(i64::try_from(turns()).unwrap() * 10);
    assert_eq!(worker.pass(now, Some(at(20))).await.unwrap().left, 3);
    assert_eq!(turns(), 2);
    log.take();
    assert_eq!(worker.pass(|| at(20), Some(at(20))).await.unwrap().left, 5);
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test]
async fn a_request_that_cannot_be_read_keeps_no_other_from_its_turn() {
    let (mut worker, log) = worker(Stage::Started, recorded());
    worker.approvals.open = 2;
    worker.approvals.read = Err("odd");
    let pass = worker.pass(|| at(0), None).await.unwrap();
    let note = Note { request_id: "R".to_owned(), message: "odd".to_owned(), detail: None };
    assert_eq!((pass.notes, pass.left), (vec![note.clone(), note], 0));
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test]
async fn what_a_requester_has_named_is_not_for_the_log() {
    let (mut worker, log) = worker(Stage::Waiting, None);
    worker.executor.broken = vec![Fault::of_parameter("secret-name", "is not a parameter of this operation")];
    let notes = worker.pass(|| at(0), None).await.unwrap().notes;
    assert_eq!(notes[0].message, "its parameters cannot be carried out");
    assert!(notes[0].detail.as_ref().unwrap().contains("/parameters/secret-name"), "{notes:?}");
    assert_eq!(log.take(), [""; 0], "nothing is observed or recorded");
}
