//! What is counted and measured of the running service, in the text format of Prometheus. Each metric is described in
//! docs/metrics.md.
//!
//! INVARIANT: every label has few values, which no caller chooses: no person, request, target or text is one.

use countersign_api::problem::Code;
use countersign_app::anomalies;
use countersign_app::courier::DeliveryFigures;
use countersign_app::figures::{KnownOperations, OpenRequests};
use countersign_app::ports::Backlog;
use countersign_core::event::{Change, Event};
use countersign_core::execution::ExecutionOutcome;
use countersign_core::policy::Policy;
use countersign_core::request::{Request, Status};
use countersign_core::timestamp::Timestamp;
use countersign_dynamodb::observed::{ObserveCalls, Outcome};
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};
use std::borrow::Cow;
use std::sync::atomic::AtomicU64;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;
use strum::{EnumIter, IntoEnumIterator, IntoStaticStr};

/// Names and values.
type Labels<const N: usize> = [(&'static str, Cow<'static, str>); N];
type Counters<const N: usize> = Family<Labels<N>, Counter>;
type Histograms = Family<Labels<1>, Histogram, fn() -> Histogram>;
type Seconds = Gauge<f64, AtomicU64>;

/// What a decision on a request was.
#[derive(Debug, Clone, Copy, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Decision {
    /// One person agreed, and others have to.
    Granted,
    /// The approval that completed it.
    Approved,
    /// Policy approved it when it was made.
    ApprovedByPolicy,
    Rejected,
    Withdrawn,
    Cancelled,
    Expired,
}

/// A sweep of the service.
#[derive(Debug, Clone, Copy, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum SweepName {
    /// Delivers what is in the outbox.
    Delivery,
    /// Sends what waits for webhooks.
    Courier,
    /// Puts events into the log.
    Sealing,
    /// Writes down deadlines that have passed.
    Expiry,
    /// Writes down leases that have ended.
    Leases,
    /// Measures what is open and what waits for delivery.
    Measurement,
}

/// All metrics of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    operations: RwLock<KnownOperations>,
    requests: Counters<2>,
    decisions: Counters<1>,
    time_to_decision: Histogram,
    executions: Counters<1>,
    execution_duration: Histogram,
    leases_ended: Counter,
    anomalies: Counters<1>,
    calls: Counters<2>,
    call_duration: Histograms,
    problems: Counters<1>,
    store_calls: Counters<2>,
    store_call_duration: Histograms,
    integrity_violations: Counter,
    damaged_rows: Counter,
    pending: Gauge,
    pending_age: Seconds,
    approved: Gauge,
    executing: Gauge,
    executing_age: Seconds,
    outbox: Gauge,
    outbox_age: Seconds,
    dead_letters: Gauge,
    waiting_deliveries: Family<Labels<1>, Gauge>,
    delivery_age: Family<Labels<1>, Seconds>,
    dead_deliveries: Family<Labels<1>, Gauge>,
    failing_destinations: Gauge,
    deliveries: Counters<1>,
    log_age: Seconds,
    sweeps: Family<Labels<1>, Seconds>,
}

/// From a millisecond to as long as a call is waited for.
fn of_calls() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
}

/// From ten seconds, in which no approver has read what they decide, to a week.
const OF_DECISIONS: [f64; 11] =
    [10.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 86_400.0, 604_800.0];

/// From a second to a day.
const OF_EXECUTIONS: [f64; 9] = [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0];

impl Metrics {
    /// All of them at their beginning, with the operations of a policy told apart.
    pub fn new(policy: &Policy) -> Self {
        let mut registry = Registry::with_prefix("countersign");
        let mut on = Registration(&mut registry);
        let metrics = Self {
            requests: on.add("requests", "Requests that were made", Family::default()),
            decisions: on.add("decisions", "Decisions on requests", Family::default()),
            time_to_decision: on.add(
                "time_to_decision_seconds",
                "Time from a request to the approval that completed it, or to its rejection",
                Histogram::new(OF_DECISIONS),
            ),
            executions: on.add("executions", "Executions that have ended", Family::default()),
            execution_duration: on.add(
                "execution_duration_seconds",
                "Time from the start of an execution to its end",
                Histogram::new(OF_EXECUTIONS),
            ),
            leases_ended: on.add(
                "leases_ended",
                "Executions of which nothing was heard for as long as their lease",
                Counter::default(),
            ),
            anomalies: on.add("anomalies", "Anomalies that were found in the audit log", Family::default()),
            calls: on.add("calls", "Calls that were answered", Family::default()),
            call_duration: on.add(
                "call_duration_seconds",
                "Time from a call that has arrived to its answer, without calls that wait for a change",
                Family::new_with_constructor(of_calls),
            ),
            problems: on.add("problems", "Calls that were refused or failed", Family::default()),
            store_calls: on.add("store_calls", "Calls of the store", Family::default()),
            store_call_duration: on.add(
                "store_call_duration_seconds",
                "Time that the store took for a call",
                Family::new_with_constructor(of_calls),
            ),
            integrity_violations: on.add(
                "integrity_violations",
                "Meetings with requests that are not what their events have made them",
                Counter::default(),
            ),
            damaged_rows: on.add(
                "damaged_rows",
                "Rows that could not be read and were left out",
                Counter::default(),
            ),
            pending: on.add("pending_requests", "Requests that wait for a decision", Gauge::default()),
            pending_age: on.add(
                "pending_oldest_age_seconds",
                "Age of the oldest request that waits for a decision",
                Gauge::default(),
            ),
            approved: on.add(
                "approved_requests",
                "Requests that are approved and not started",
                Gauge::default(),
            ),
            executing: on.add("executing_requests", "Executions that are under way", Gauge::default()),
            executing_age: on.add(
                "executing_oldest_age_seconds",
                "Age of the oldest execution that is under way",
                Gauge::default(),
            ),
            outbox: on.add("outbox_entries", "Events that wait for delivery", Gauge::default()),
            outbox_age: on.add(
                "outbox_oldest_age_seconds",
                "Age of the oldest event that waits for delivery",
                Gauge::default(),
            ),
            dead_letters: on.add(
                "outbox_dead_letters",
                "Events that are delivered no more until they are put back",
                Gauge::default(),
            ),
            waiting_deliveries: on.add(
                "deliveries_waiting",
                "Deliveries that wait for a destination",
                Family::default(),
            ),
            delivery_age: on.add(
                "deliveries_oldest_age_seconds",
                "Age of the oldest event that waits for a destination",
                Family::default(),
            ),
            dead_deliveries: on.add(
                "deliveries_dead",
                "Deliveries to a destination that are attempted no more until they are put back",
                Family::default(),
            ),
            failing_destinations: on.add(
                "destinations_failing",
                "Webhooks and configured destinations that are given up because they fail",
                Gauge::default(),
            ),
            deliveries: on.add("webhook_deliveries", "Attempts to deliver to webhooks", Family::default()),
            log_age: on.add(
                "log_oldest_age_seconds",
                "Age of the oldest event that is not in the log yet",
                Gauge::default(),
            ),
            sweeps: on.add(
                "sweep_last_success_timestamp_seconds",
                "When a sweep last did its work, in seconds since 1970",
                Family::default(),
            ),
            operations: RwLock::new(KnownOperations::of(policy)),
            registry: Registry::default(),
        };
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "The program that runs", Info::new(version));
        metrics.begin_at_zero();
        Self { registry, ..metrics }
    }

    /// What has not happened yet is zero, and not missing: so its first increase is one.
    fn begin_at_zero(&self) {
        for decision in Decision::iter() {
            drop(self.decisions.get_or_create(&label("decision", decision)));
        }
        for outcome in [ExecutionOutcome::Succeeded, ExecutionOutcome::Failed] {
            drop(self.executions.get_or_create(&label("outcome", outcome.as_str())));
        }
        for rule in anomalies::rule_names() {
            drop(self.anomalies.get_or_create(&label("rule", rule)));
        }
        for outcome in ["delivered", "failed"] {
            drop(self.deliveries.get_or_create(&[("outcome", Cow::Borrowed(outcome))]));
        }
        for sweep in SweepName::iter() {
            drop(self.sweeps.get_or_create(&label("sweep", sweep)));
        }
    }

    /// All metrics as they are now, as [`Self::CONTENT_TYPE`].
    pub fn exposition(&self) -> String {
        let mut text = String::new();
        // INVARIANT: writing to a text does not fail.
        let _ = prometheus_text::encode(&mut text, &self.registry);
        text
    }

    /// The media type of the exposition.
    pub const CONTENT_TYPE: &'static str = prometheus_text::CONTENT_TYPE;

    /// The operations of this policy are told apart from now on.
    pub fn policy_replaced(&self, policy: &Policy) {
        *self.operations.write().unwrap_or_else(PoisonError::into_inner) = KnownOperations::of(policy);
    }

    /// An event is committed.
    pub(crate) fn committed(&self, event: &Event, after: &Request) {
        let decided_after = seconds(after.content.requested_at, event.at);
        let decision = match &event.change {
            Change::Created(content) => {
                let operations = self.operations.read().unwrap_or_else(PoisonError::into_inner);
                let operation = operations.name(&content.operation_type).to_owned();
                let labels = [
                    ("operation", Cow::Owned(operation)),
                    ("risk", Cow::Borrowed(content.risk_level.as_str())),
                ];
                self.requests.get_or_create(&labels).inc();
                (event.status == Status::Approved).then_some(Decision::ApprovedByPolicy)
            }
            Change::Granted { execute_by: Some(_), .. } => {
                self.time_to_decision.observe(decided_after);
                Some(Decision::Approved)
            }
            Change::Granted { execute_by: None, .. } => Some(Decision::Granted),
            Change::Rejected { .. } => {
                self.time_to_decision.observe(decided_after);
                Some(Decision::Rejected)
            }
            Change::Withdrawn { .. } => Some(Decision::Withdrawn),
            Change::Cancelled { .. } => Some(Decision::Cancelled),
            Change::Expired { .. } => Some(Decision::Expired),
            Change::Finished { outcome, .. } => {
                self.executions.get_or_create(&label("outcome", outcome.as_str())).inc();
                if let Some(execution) = &after.execution {
                    self.execution_duration.observe(seconds(execution.started_at, event.at));
                }
                None
            }
            Change::LeaseEnded { .. } => {
                self.leases_ended.inc();
                None
            }
            Change::TargetObserved { .. }
            | Change::Started { .. }
            | Change::Claimed { .. }
            | Change::Renewed { .. }
            | Change::Commented { .. }
            | Change::Erased => None,
        };
        if let Some(decision) = decision {
            self.decisions.get_or_create(&label("decision", decision)).inc();
        }
    }

    /// A call of an operation was answered; `took` is left out if its time says nothing.
    pub(crate) fn answered(&self, operation: &'static str, status: u16, took: Option<Duration>) {
        let labels = [("operation", Cow::Borrowed(operation)), ("status", Cow::Owned(status.to_string()))];
        self.calls.get_or_create(&labels).inc();
        if let Some(took) = took {
            self.call_duration.get_or_create(&label("operation", operation)).observe(took.as_secs_f64());
        }
    }

    /// An answer was a problem.
    pub(crate) fn problem(&self, code: Code) {
        self.problems.get_or_create(&label("code", code.as_str())).inc();
    }

    /// A rule has found anomalies.
    pub(crate) fn found_anomalies(&self, rule: &'static str, count: u64) {
        self.anomalies.get_or_create(&label("rule", rule)).inc_by(count);
    }

    /// A call has met a damaged request.
    pub(crate) fn damaged_request(&self) {
        self.integrity_violations.inc();
    }

    /// So many rows were left out.
    pub(crate) fn damaged_rows(&self, count: usize) {
        self.damaged_rows.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// What is open and what waits for delivery, now.
    pub(crate) fn measured(&self, open: OpenRequests, backlog: Backlog, now: Timestamp) {
        let age = |since: Option<Timestamp>| since.map_or(0.0, |since| seconds(since, now));
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.pending.set(number(open.pending));
        self.pending_age.set(age(open.oldest_pending));
        self.approved.set(number(open.approved));
        self.executing.set(number(open.executing));
        self.executing_age.set(age(open.oldest_executing));
        self.outbox.set(number(backlog.waiting));
        self.outbox_age.set(age(backlog.oldest));
        self.dead_letters.set(number(backlog.dead));
        self.log_age.set(age(backlog.unlogged));
    }

    /// What waits for each destination, and what was given up, now. A destination that has nothing is shown no more.
    pub(crate) fn measured_deliveries(&self, figures: &DeliveryFigures, now: Timestamp) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.waiting_deliveries.clear();
        self.delivery_age.clear();
        self.dead_deliveries.clear();
        for (destination, backlog) in &figures.backlogs {
            let labels = [("destination", Cow::Owned(destination.clone()))];
            let age = backlog.oldest.map_or(0.0, |oldest| seconds(oldest, now));
            self.waiting_deliveries.get_or_create(&labels).set(number(backlog.waiting));
            self.delivery_age.get_or_create(&labels).set(age);
            self.dead_deliveries.get_or_create(&labels).set(number(backlog.dead));
        }
        self.failing_destinations.set(number(figures.failing));
    }

    /// So many attempts to deliver to webhooks were taken, and so many failed.
    pub(crate) fn delivered(&self, delivered: usize, failed: usize) {
        for (outcome, attempts) in [("delivered", delivered), ("failed", failed)] {
            let labels = [("outcome", Cow::Borrowed(outcome))];
            self.deliveries.get_or_create(&labels).inc_by(attempts as u64);
        }
    }

    /// A sweep has done its work.
    pub(crate) fn swept(&self, sweep: SweepName, now: Timestamp) {
        let seconds = now.as_millisecond() as f64 / 1000.0;
        self.sweeps.get_or_create(&label("sweep", sweep)).set(seconds);
    }
}

impl ObserveCalls for Metrics {
    fn called(&self, call: &str, outcome: Outcome, took: Duration) {
        let call: Cow<'static, str> = Cow::Owned(call.to_owned());
        self.store_call_duration.get_or_create(&[("call", call.clone())]).observe(took.as_secs_f64());
        let labels = [("call", call), ("outcome", Cow::Borrowed(outcome.into()))];
        self.store_calls.get_or_create(&labels).inc();
    }
}

/// Where metrics are registered as they are made.
struct Registration<'a>(&'a mut Registry);

impl Registration<'_> {
    /// Adds a metric; the format ends the name of a counter with `_total`, and the help with a full stop.
    fn add<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register(name, help, metric.clone());
        metric
    }
}

fn label(name: &'static str, value: impl Into<&'static str>) -> Labels<1> {
    [(name, Cow::Borrowed(value.into()))]
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.as_millisecond().saturating_sub(from.as_millisecond()).max(0) as f64 / 1000.0
}
