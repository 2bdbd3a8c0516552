//! Audit events as the Open Cybersecurity Schema Framework has them (OCSF 1.6.0, <https://schema.ocsf.io/1.6.0/>), for systems that
//! collect events of many products. The table is in `docs/audit-export.md`.
//!
//! Nothing is added to an event, and all of its bytes are in `raw_data`, so that the mapped event can still be verified. Refuses
//! to know how events are read and where they go.

use countersign_core::audit::AuditEvent;
use countersign_core::caller::PrincipalKind;
use countersign_core::event::EventType;
use countersign_core::source_address::SourceAddress;
use serde_json::{Map, Value, json};

/// The version of the schema.
pub const VERSION: &str = "1.6.0";
/// What the schema calls this program.
const PRODUCT: &str = "Countersign";
/// The operation of events that are about several.
const SEVERAL: &str = "several";
/// How the person begins that stands for a part of the system.
const SYSTEM_PREFIX: &str = "system:";

/// A class of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Detection Finding, of the category Findings.
    DetectionFinding,
    /// API Activity, of the category Application Activity.
    ApiActivity,
}

impl Class {
    fn uid(self) -> u32 {
        match self {
            Self::DetectionFinding => 2004,
            Self::ApiActivity => 6003,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::DetectionFinding => "Detection Finding",
            Self::ApiActivity => "API Activity",
        }
    }

    /// The category: the thousands of the class.
    fn category_uid(self) -> u32 {
        self.uid() / 1000
    }
}

/// What is done, as both classes number it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activity {
    Create = 1,
    Read = 2,
    Update = 3,
    Delete = 4,
    Other = 99,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    Informational = 1,
    Low = 2,
    Medium = 3,
    Critical = 5,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Unknown = 0,
    Success = 1,
    Failure = 2,
}

/// What the schema says of a type of event.
#[derive(Debug, Clone, Copy)]
struct Mapping {
    class: Class,
    activity: Activity,
    severity: Severity,
    outcome: Outcome,
    /// The operation of the API; none if the event names it itself.
    operation: Option<&'static str>,
}

impl Mapping {
    fn of(event_type: EventType) -> Self {
        let done = |activity, operation| Self {
            class: Class::ApiActivity,
            activity,
            severity: Severity::Informational,
            outcome: Outcome::Success,
            operation: Some(operation),
        };
        let updated = |operation| done(Activity::Update, operation);
        match event_type {
            EventType::ApprovalRequestCreated => done(Activity::Create, "create"),
            EventType::ApprovalGranted => updated("approve"),
            EventType::ApprovalRejected => updated("reject"),
            EventType::ApprovalWithdrawn => updated("withdraw"),
            EventType::ApprovalCancelled => updated("cancel"),
            EventType::ApprovalExpired => updated("expire"),
            EventType::TargetObserved => updated("observe"),
            EventType::ExecutionStarted => updated("start"),
            EventType::ExecutionClaimed => updated("claim"),
            EventType::ExecutionRenewed => updated("renew"),
            EventType::ExecutionUnknown => {
                Self { severity: Severity::Medium, outcome: Outcome::Unknown, ..updated("expire") }
            }
            EventType::ExecutionSucceeded => updated("finish"),
            EventType::ExecutionFailed => {
                Self { severity: Severity::Medium, outcome: Outcome::Failure, ..updated("finish") }
            }
            EventType::CommentAdded => updated("comment"),
            EventType::ParametersErased => done(Activity::Delete, "erase"),
            EventType::AuditRead => Self { operation: None, ..done(Activity::Read, SEVERAL) },
            EventType::AttemptRefused => Self {
                severity: Severity::Low,
                outcome: Outcome::Failure,
                operation: None,
                ..done(Activity::Other, SEVERAL)
            },
            EventType::AnomalyDetected => Self {
                class: Class::DetectionFinding,
                severity: Severity::Critical,
                outcome: Outcome::Unknown,
                operation: None,
                ..done(Activity::Create, SEVERAL)
            },
        }
    }

    /// What an event of another version did is not known.
    fn of_unknown() -> Self {
        Self {
            class: Class::ApiActivity,
            activity: Activity::Other,
            severity: Severity::Informational,
            outcome: Outcome::Unknown,
            operation: None,
        }
    }
}

/// An event as the schema has it.
#[must_use]
pub fn to_value(event: &AuditEvent) -> Value {
    let mut mapping = event.event_type.known().map_or_else(Mapping::of_unknown, Mapping::of);
    if mapping.class == Class::DetectionFinding && rule(event).is_some() {
        mapping.severity = Severity::Medium;
    }
    let mut members = base(event, mapping);
    match mapping.class {
        Class::ApiActivity => activity(event, mapping, &mut members),
        Class::DetectionFinding => finding(event, &mut members),
    }
    Value::Object(members)
}

/// What events of every class have.
fn base(event: &AuditEvent, mapping: Mapping) -> Map<String, Value> {
    let Mapping { class, activity, severity, outcome, .. } = mapping;
    let (event_type, activity_uid) = (event.event_type.as_str(), activity as u32);
    let activity_name = match activity {
        Activity::Create | Activity::Read | Activity::Update | Activity::Delete => format!("{activity:?}"),
        // The schema has no name for it: the product's stands there.
        Activity::Other => event_type.to_owned(),
    };
    let mut unmapped = Map::from_iter([("details".to_owned(), event.details.to_value())]);
    if let Some(request) = &event.request {
        unmapped.extend([
            ("operation_type".to_owned(), json!(request.operation_type.as_str())),
            ("environment".to_owned(), json!(request.environment.as_str())),
            ("risk_level".to_owned(), json!(request.risk_level.as_str())),
            ("requested_by".to_owned(), json!(request.requested_by.as_str())),
            ("status".to_owned(), json!(request.status.as_str())),
        ]);
    }
    let members = [
        ("class_uid", json!(class.uid())),
        ("class_name", json!(class.name())),
        ("category_uid", json!(class.category_uid())),
        ("activity_id", json!(activity_uid)),
        ("activity_name", json!(activity_name)),
        ("type_uid", json!(class.uid() * 100 + activity_uid)),
        ("severity_id", json!(severity as u32)),
        ("severity", json!(format!("{severity:?}"))),
        ("status_id", json!(outcome as u32)),
        ("time", json!(event.timestamp.as_millisecond())),
        (
            "metadata",
            json!({
                "version": VERSION,
                "product": { "name": PRODUCT, "vendor_name": PRODUCT },
                "uid": event.event_id.to_string(),
                "event_code": event_type,
                "log_name": event.stream.to_string(),
                "log_provider": event.origin.as_str(),
                "sequence": event.sequence,
                "original_time": event.timestamp.to_string(),
            }),
        ),
        ("resources", Value::Array(resources(event))),
        ("raw_data", json!(event.document().as_str())),
        ("unmapped", Value::Object(unmapped)),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The request and its instance.
fn resources(event: &AuditEvent) -> Vec<Value> {
    if let Some(request) = &event.request {
        return vec![
            json!({ "type": "request", "uid": request.request_id.to_string() }),
            json!({ "type": "instance", "uid": request.instance_id.as_str() }),
        ];
    }
    if let Some(person) = event.detail("person") {
        return vec![json!({ "type": "person", "uid": person })];
    }
    let named = event.detail("request_id");
    named.map(|request_id| json!({ "type": "request", "uid": request_id })).into_iter().collect()
}

fn activity(event: &AuditEvent, mapping: Mapping, members: &mut Map<String, Value>) {
    let named = mapping.operation.map(str::to_owned).or_else(|| event.detail("operation"));
    let operation = match event.event_type.known() {
        Some(_) => named.unwrap_or_else(|| SEVERAL.to_owned()),
        None => event.event_type.as_str().to_owned(),
    };
    let mut api = json!({ "operation": operation, "service": { "name": PRODUCT } });
    if let (Some(code), Value::Object(api)) = (event.detail("code"), &mut api) {
        api.insert("response".to_owned(), json!({ "error": code }));
    }
    members.insert("api".to_owned(), api);
    members.insert("actor".to_owned(), json!({ "user": user(event) }));
    members.insert("src_endpoint".to_owned(), source(event));
}

fn user(event: &AuditEvent) -> Value {
    let person = event.user.as_str();
    let type_uid = match event.kind {
        _ if person.starts_with(SYSTEM_PREFIX) => 3,
        PrincipalKind::Human => 1,
        PrincipalKind::Agent | PrincipalKind::Service => 99,
    };
    json!({ "uid": person, "name": person, "type_id": type_uid, "type": event.kind.as_str() })
}

/// From where, or by which channel: the schema wants an endpoint to have a name at least.
fn source(event: &AuditEvent) -> Value {
    match event.source_ip {
        Some(SourceAddress::Known(address)) => json!({ "ip": address.to_string() }),
        Some(SourceAddress::Unknown) => json!({ "name": "unknown" }),
        None => json!({ "name": event.channel.as_str() }),
    }
}

/// The rule that has found something unusual; none of a damaged request.
fn rule(event: &AuditEvent) -> Option<String> {
    event.detail("rule")
}

fn finding(event: &AuditEvent, members: &mut Map<String, Value>) {
    let title = match rule(event) {
        Some(_) => "The acts of a person are unusual",
        None => "A request is not what its events have made it",
    };
    let mut information = json!({
        "uid": event.event_id.to_string(),
        "title": title,
        "created_time": event.timestamp.as_millisecond(),
        "product": { "name": PRODUCT, "vendor_name": PRODUCT },
    });
    if let Value::Object(information) = &mut information {
        let kind = event.detail("anomaly").or_else(|| rule(event));
        information.extend(kind.map(|kind| ("types".to_owned(), json!([kind]))));
        information.extend(description(event).map(|text| ("desc".to_owned(), json!(text))));
    }
    members.insert("finding_info".to_owned(), information);
    members.insert("is_alert".to_owned(), json!(true));
}

/// What was found, in words.
fn description(event: &AuditEvent) -> Option<String> {
    event.detail("finding").or_else(|| {
        let (person, observed) = (event.detail("person")?, event.detail("observed")?);
        let (expected, probability) = (event.detail("expected")?, event.detail("probability")?);
        Some(format!("{person}: {observed} observed, {expected} expected, probability {probability}"))
    })
}

#[cfg(test)]
mod tests;
