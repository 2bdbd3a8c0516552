//! Metrics in CloudWatch's embedded format: one JSON line on stdout each, from which CloudWatch makes
//! the metrics (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//!
//! A line names no person and quotes no text. What AWS measures itself, such as the time that calls take, is not here.

use countersign_app::courier::DeliveryFigures;
use countersign_app::figures::{KnownOperations, OpenRequests};
use countersign_app::host::{BoxFuture, Clock, Ids, Observer};
use countersign_app::ports::Backlog;
use countersign_core::event::{Event, EventType};
use countersign_core::ids::{EventId, ExecutionId, RequestId};
use countersign_core::request::{Request, Status};
use countersign_core::text_key::TextKey;
use countersign_core::timestamp::Timestamp;
use countersign_system::system::SystemHost;
use serde_json::{Map, Value, json};
use std::io::Write as _;
use std::time::Duration;

/// The namespace of all metrics.
pub const NAMESPACE: &str = "Countersign";

/// How old an event is before a query gives it.
const SETTLING: Duration = Duration::from_secs(5);

/// One value of one metric: name, unit, value.
type Measurement = (&'static str, &'static str, f64);

/// Writes metrics for one deployment.
#[derive(Debug, Clone)]
pub struct Metrics {
    environment: String,
    write: fn(&str),
}

impl Metrics {
    /// For a deployment such as `prod`, the value of the dimension `Environment`; each line goes to
    /// `write`, as to [`to_stdout`].
    pub fn new(environment: String, write: fn(&str)) -> Self {
        Self { environment, write }
    }

    /// A refusal, as the answer to one call. Codes are few.
    pub fn refusal(&self, operation: &str, code: &str, now: Timestamp) {
        let properties = json!({ "Operation": operation, "Code": code });
        self.write(self.line(&[("Refusals", "Count", 1.0)], &properties, &[&[], &["Code"]], now));
    }

    /// A bug or an unavailable store, as the answer to one call.
    pub fn fault(&self, operation: &str, code: &str, now: Timestamp) {
        let properties = json!({ "Operation": operation, "code": code });
        self.write(self.line(&[("Faults", "Count", 1.0)], &properties, &[&[], &["Operation"]], now));
    }

    /// A request that is not what its events have made it, each time that a call meets it.
    pub fn damaged(&self, request_id: RequestId, now: Timestamp) {
        let properties = json!({ "request_id": request_id.to_string() });
        self.write(self.line(&[("IntegrityViolations", "Count", 1.0)], &properties, &[&[]], now));
    }

    /// What is left to deliver.
    pub fn backlog(&self, backlog: Backlog, now: Timestamp) {
        let age = backlog.oldest.map_or(0.0, |oldest| seconds(oldest, now));
        let measurements = [
            ("OutboxOldestAge", "Seconds", age),
            ("OutboxEntries", "Count", backlog.waiting as f64),
            ("OutboxDeadLetters", "Count", backlog.dead as f64),
        ];
        self.write(self.line(&measurements, &json!({}), &[&[]], now));
    }

    /// What waits for each destination and what was given up, and of all together.
    pub fn deliveries(&self, figures: &DeliveryFigures, now: Timestamp) {
        let age = |oldest: Option<Timestamp>| oldest.map_or(0.0, |oldest| seconds(oldest, now));
        let backlogs = figures.backlogs.values();
        let dead: usize = backlogs.clone().map(|backlog| backlog.dead).sum();
        let all = [
            (
                "DeliveriesWaiting",
                "Count",
                backlogs.clone().map(|backlog| backlog.waiting).sum::<usize>() as f64,
            ),
            ("DeliveriesOldestAge", "Seconds", age(backlogs.filter_map(|backlog| backlog.oldest).min())),
            ("DeadDeliveries", "Count", dead as f64),
            ("FailingDestinations", "Count", figures.failing as f64),
        ];
        self.write(self.line(&all, &json!({}), &[&[]], now));
        for (destination, backlog) in &figures.backlogs {
            let measurements = [
                ("DeliveriesWaiting", "Count", backlog.waiting as f64),
                ("DeliveriesOldestAge", "Seconds", age(backlog.oldest)),
                ("DeadDeliveries", "Count", backlog.dead as f64),
            ];
            self.write(self.line(
                &measurements,
                &json!({ "Destination": destination }),
                &[&["Destination"]],
                now,
            ));
        }
    }

    /// Since when an event waits for its place in the audit log, if one does.
    pub fn unlogged(&self, oldest: Option<Timestamp>, now: Timestamp) {
        let age = oldest.map_or(0.0, |oldest| seconds(oldest, now));
        self.write(self.line(&[("LogOldestAge", "Seconds", age)], &json!({}), &[&[]], now));
    }

    /// How often a rule has found something unusual in the audit log.
    pub fn anomalies(&self, rule: &str, count: u64, now: Timestamp) {
        let measurements = [("Anomalies", "Count", count as f64)];
        self.write(self.line(&measurements, &json!({ "Rule": rule }), &[&[], &["Rule"]], now));
    }

    /// What is open.
    pub fn open_requests(&self, open: OpenRequests, now: Timestamp) {
        let age = |since: Option<Timestamp>| since.map_or(0.0, |since| seconds(since, now));
        let measurements = [
            ("PendingRequests", "Count", open.pending as f64),
            ("PendingOldestAge", "Seconds", age(open.oldest_pending)),
            ("ApprovedRequests", "Count", open.approved as f64),
            ("ExecutingOldestAge", "Seconds", age(open.oldest_executing)),
        ];
        self.write(self.line(&measurements, &json!({}), &[&[]], now));
    }

    /// Rows of an index that could not be read and were left out.
    pub fn damaged_rows(&self, count: usize, now: Timestamp) {
        self.write(self.line(&[("DamagedRows", "Count", count as f64)], &json!({}), &[&[]], now));
    }

    fn event(&self, event: &Event, after: &Request, operations: &KnownOperations) -> Value {
        let properties = json!({
            "event_id": event.id.to_string(),
            "event_type": event.change.event_type().as_str(),
            "request_id": event.request_id.to_string(),
            "sequence": event.sequence,
            "request_status": event.status.as_str(),
            "risk_level": after.content.risk_level.as_str(),
            "operation_type": after.content.operation_type.as_str(),
            "channel": event.channel.as_str(),
            "OperationType": operations.name(&after.content.operation_type),
            "RiskLevel": after.content.risk_level.as_str(),
        });
        let dimensions: &[&[&str]] = match event.change.event_type() == EventType::ApprovalRequestCreated {
            true => &[&[], &["OperationType", "RiskLevel"]],
            false => &[&[]],
        };
        self.line(&measurements(event, after), &properties, dimensions, event.at)
    }

    /// A line with these measurements and properties, under each set of dimensions. Every set has
    /// `Environment`; a further dimension is the name of a property.
    fn line(
        &self,
        measurements: &[Measurement],
        properties: &Value,
        dimensions: &[&[&str]],
        at: Timestamp,
    ) -> Value {
        let dimensions: Vec<_> =
            dimensions.iter().map(|set| ["Environment"].iter().chain(*set).collect::<Vec<_>>()).collect();
        let definitions: Vec<_> =
            measurements.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
        let mut line = Map::new();
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": at.as_millisecond(),
                "CloudWatchMetrics":
                    [{ "Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": definitions }],
            }),
        );
        line.insert("Environment".to_owned(), json!(self.environment));
        if let Value::Object(properties) = properties {
            line.extend(properties.clone());
        }
        line.extend(measurements.iter().map(|(name, _, value)| ((*name).to_owned(), json!(value))));
        Value::Object(line)
    }

    fn write(&self, line: Value) {
        (self.write)(&format!("{line}\n"));
    }
}

/// One write, so that no other line ends up inside this one. No behaviour depends on a metric.
pub fn to_stdout(line: &str) {
    let _ = std::io::stdout().lock().write_all(line.as_bytes());
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    (to.as_millisecond().saturating_sub(from.as_millisecond())).max(0) as f64 / 1000.0
}

/// What an event counts as.
fn measurements(event: &Event, after: &Request) -> Vec<Measurement> {
    let counted = |name| (name, "Count", 1.0);
    let decided_after = ("TimeToDecision", "Seconds", seconds(after.content.requested_at, event.at));
    match event.change.event_type() {
        EventType::ApprovalRequestCreated => vec![counted("Created")],
        EventType::ApprovalGranted if event.status == Status::Approved => {
            vec![counted("Granted"), counted("Approved"), decided_after]
        }
        EventType::ApprovalGranted => vec![counted("Granted")],
        EventType::ApprovalRejected => vec![counted("Rejected"), decided_after],
        EventType::ApprovalWithdrawn => vec![counted("Withdrawn")],
        EventType::ApprovalCancelled => vec![counted("Cancelled")],
        EventType::ApprovalExpired => vec![counted("Expired")],
        EventType::ExecutionStarted => vec![counted("ExecutionStarted")],
        EventType::TargetObserved => vec![counted("TargetObserved")],
        EventType::ExecutionClaimed => vec![counted("ExecutionClaimed")],
        EventType::ExecutionRenewed => vec![counted("ExecutionRenewed")],
        EventType::ExecutionUnknown => vec![counted("ExecutionUnknown")],
        EventType::ExecutionSucceeded => vec![counted("ExecutionSucceeded"), executed_for(event, after)],
        EventType::ExecutionFailed => vec![counted("ExecutionFailed"), executed_for(event, after)],
        EventType::CommentAdded => vec![counted("CommentAdded")],
        EventType::ParametersErased => vec![counted("ParametersErased")],
        // Never events of a request: of the first see `Metrics::damaged`.
        EventType::AnomalyDetected | EventType::AttemptRefused | EventType::AuditRead => vec![],
    }
}

fn executed_for(event: &Event, after: &Request) -> Measurement {
    let started_at = after.execution.as_ref().map_or(event.at, |execution| execution.started_at);
    ("ExecutionTime", "Seconds", seconds(started_at, event.at))
}

/// The machine's clock and ids, and a line for every event that is committed.
#[derive(Debug)]
pub struct MeteredHost {
    machine: SystemHost,
    metrics: Metrics,
    operations: KnownOperations,
}

impl MeteredHost {
    /// A host that writes events to these metrics, and tells these operations apart.
    pub fn new(metrics: Metrics, operations: KnownOperations) -> Self {
        Self { machine: SystemHost::default(), metrics, operations }
    }
}

impl Clock for MeteredHost {
    fn now(&self) -> Timestamp {
        self.machine.now()
    }

    /// Functions do not know of each other: a decision takes a few seconds at most, and an index lags by less than one.
    fn settled_until(&self) -> Timestamp {
        let settling = i64::try_from(SETTLING.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(self.now().as_millisecond().saturating_sub(settling))
    }

    fn elapsed(&self) -> Duration {
        self.machine.elapsed()
    }

    fn pause(&self, at_most: Duration) -> BoxFuture<'_, ()> {
        self.machine.pause(at_most)
    }
}

impl Ids for MeteredHost {
    fn event_id(&self) -> EventId {
        self.machine.event_id()
    }

    fn request_id(&self) -> RequestId {
        self.machine.request_id()
    }

    fn execution_id(&self) -> ExecutionId {
        self.machine.execution_id()
    }

    fn text_key(&self) -> TextKey {
        self.machine.text_key()
    }

    fn secret(&self) -> [u8; 32] {
        self.machine.secret()
    }

    fn nonce(&self) -> [u8; 12] {
        self.machine.nonce()
    }
}

impl Observer for MeteredHost {
    fn on_commit(&self, event: &Event, after: &Request) {
        self.metrics.write(self.metrics.event(event, after, &self.operations));
    }

    fn on_damaged_request(&self, request_id: RequestId) {
        self.metrics.damaged(request_id, self.now());
    }

    fn on_damaged_rows(&self, count: usize) {
        self.metrics.damaged_rows(count, self.now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    static WRITTEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

    #[test]
    fn a_damaged_request_is_counted_in_one_line_that_names_no_person() {
        let metrics = Metrics::new("test".to_owned(), |line| WRITTEN.lock().unwrap().push(line.to_owned()));
        let request_id = RequestId::parse("01930000-0000-4000-8000-0000000000bb").unwrap();
        MeteredHost::new(metrics, KnownOperations::default()).on_damaged_request(request_id);
        let written = WRITTEN.lock().unwrap();
        assert_eq!(written.len(), 1, "{written:?}");
        let mut line: Value = serde_json::from_str(&written[0]).unwrap();
        assert!(line["_aws"]["Timestamp"].take().is_i64());
        assert_eq!(
            line,
            json!({
                "_aws": {
                    "Timestamp": null,
                    "CloudWatchMetrics": [{
                        "Namespace": "Countersign",
                        "Dimensions": [["Environment"]],
                        "Metrics": [{ "Name": "IntegrityViolations", "Unit": "Count" }],
                    }],
                },
                "Environment": "test",
                "request_id": "01930000-0000-4000-8000-0000000000bb",
                "IntegrityViolations": 1.0,
            })
        );
    }
}
