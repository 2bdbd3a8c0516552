//! The message about an event: a JSON document for programs, a text for people, and attributes for
//! subscription filters.

use countersign_core::event::EventType;
use countersign_core::ids::RequestId;
use countersign_core::notification::{AnomalyNotice, Notification};
use countersign_core::person::PersonId;
use countersign_core::request::Status;
use countersign_core::risk::Cost;
use countersign_core::text::{escaped_line, escaped_lines};
use countersign_core::timestamp::Timestamp;
use serde::Serialize;
use serde_json::json;
use std::fmt::Write as _;

/// The longest subject that SNS takes, in ASCII characters: less than 100
/// (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>).
pub const MAX_SUBJECT: usize = 99;

/// The largest message that every kind of subscriber takes, in bytes, attributes included.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;

/// What is published about an event, or about a damaged request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The subject of an e-mail: ASCII, at most [`MAX_SUBJECT`] characters.
    pub subject: String,
    /// `{"default": …, "email": …}`: one text per protocol, as `MessageStructure=json` wants it.
    /// `default` is itself a JSON document, see [`Document`] and [`AnomalyDocument`].
    pub document: String,
    /// Names and values of the message attributes, all strings, none empty.
    pub attributes: Vec<(&'static str, String)>,
}

/// What programs are told. A member that has no value is absent.
#[derive(Debug, Serialize)]
pub struct Document {
    event_id: String,
    event_type: &'static str,
    timestamp: String,
    user: String,
    request_id: String,
    sequence: u64,
    /// The hash of the event: a subscriber that keeps it can tell an event that the store has lost.
    hash: String,
    status: &'static str,
    operation_type: String,
    instance_id: String,
    environment: &'static str,
    risk_level: &'static str,
    requested_by: String,
    approvals_required: u8,
    approvals_received: usize,
    approved_by: Vec<String>,
    justification: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_cost: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_duration: Option<String>,
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    execute_by: Option<String>,
    /// The comment or reason that came with the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

/// What programs learn of a damaged request. A member that has no value is absent.
#[derive(Debug, Serialize)]
pub struct AnomalyDocument {
    event_id: String,
    event_type: &'static str,
    timestamp: String,
    /// Whose command met the damage, which is not who has done it.
    user: String,
    request_id: String,
    finding: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

/// The message about an event. `dashboard_url` is where people look at requests.
pub fn message(notification: &Notification, dashboard_url: Option<&str>) -> Message {
    let link = dashboard_url.map(|url| link(url, notification.request_id));
    let email = email(notification, link.as_deref());
    // INVARIANT: the document is strings and numbers, which JSON has.
    let default = serde_json::to_string(&document(notification, link)).unwrap_or_default();
    Message {
        subject: subject(notification),
        document: json!({ "default": default, "email": email }).to_string(),
        attributes: attributes(notification),
    }
}

/// The message about a damaged request, for operators.
pub fn anomaly_message(notice: &AnomalyNotice, dashboard_url: Option<&str>) -> Message {
    let link = dashboard_url.map(|url| link(url, notice.request_id));
    let email = anomaly_email(notice, link.as_deref());
    let document = AnomalyDocument {
        event_id: notice.event_id.to_string(),
        event_type: EventType::AnomalyDetected.as_str(),
        timestamp: notice.timestamp.to_string(),
        user: notice.user.to_string(),
        request_id: notice.request_id.to_string(),
        finding: notice.finding.clone(),
        link,
    };
    // INVARIANT: the document is strings, which JSON has.
    let default = serde_json::to_string(&document).unwrap_or_default();
    Message {
        subject: format!("[integrity] A stored request is damaged: {}", notice.request_id),
        document: json!({ "default": default, "email": email }).to_string(),
        // What else a subscription can filter by stands on the request, which cannot be trusted.
        attributes: vec![
            ("event_type", EventType::AnomalyDetected.as_str().to_owned()),
            ("event_id", notice.event_id.to_string()),
        ],
    }
}

fn link(dashboard_url: &str, request_id: RequestId) -> String {
    format!("{}/approvals/{request_id}", dashboard_url.trim_end_matches('/'))
}

fn document(notification: &Notification, link: Option<String>) -> Document {
    Document {
        event_id: notification.event_id.to_string(),
        event_type: notification.event_type.as_str(),
        timestamp: notification.timestamp.to_string(),
        user: notification.user.to_string(),
        request_id: notification.request_id.to_string(),
        sequence: notification.sequence,
        hash: notification.hash.to_string(),
        status: notification.status.as_str(),
        operation_type: notification.operation_type.to_string(),
        instance_id: notification.instance_id.to_string(),
        environment: notification.environment.as_str(),
        risk_level: notification.risk_level.as_str(),
        requested_by: notification.requested_by.to_string(),
        approvals_required: notification.approvals_required,
        approvals_received: notification.approved_by.len(),
        approved_by: notification.approved_by.iter().map(PersonId::to_string).collect(),
        justification: notification.justification.as_str().to_owned(),
        estimated_cost: notification.estimated_cost.map(Cost::amount),
        estimated_duration: notification.estimated_duration.as_ref().map(|text| text.as_str().to_owned()),
        expires_at: notification.expires_at.to_string(),
        execute_by: notification.execute_by.map(|time| time.to_string()),
        remark: notification.remark.as_ref().map(|text| text.as_str().to_owned()),
        link,
    }
}

/// What a subscription can filter by.
fn attributes(notification: &Notification) -> Vec<(&'static str, String)> {
    vec![
        ("event_type", notification.event_type.as_str().to_owned()),
        ("status", notification.status.as_str().to_owned()),
        ("risk_level", notification.risk_level.as_str().to_owned()),
        ("environment", notification.environment.as_str().to_owned()),
        ("operation_type", notification.operation_type.to_string()),
        ("requested_by", notification.requested_by.to_string()),
        ("event_id", notification.event_id.to_string()),
    ]
}

/// Identifiers and ids of instances are ASCII, so the subject is.
fn subject(notification: &Notification) -> String {
    let risk = notification.risk_level.as_str();
    let Notification { operation_type, instance_id, .. } = notification;
    let text = format!("[{risk}] {}: {operation_type} on {instance_id}", headline(notification));
    if text.len() <= MAX_SUBJECT {
        return text;
    }
    let kept: String = text.chars().take(MAX_SUBJECT - 3).collect();
    format!("{kept}...")
}

/// What happened, in a few words.
fn headline(notification: &Notification) -> String {
    let required = notification.approvals_required;
    let received = notification.approved_by.len();
    match (notification.event_type, notification.status) {
        (EventType::ApprovalRequestCreated, Status::Approved) => "Approved by policy".to_owned(),
        (EventType::ApprovalRequestCreated, _) => "Approval needed".to_owned(),
        (EventType::ApprovalGranted, Status::Approved) => "Approved".to_owned(),
        (EventType::ApprovalGranted, _) => format!("Approval {received} of {required}"),
        (EventType::ApprovalRejected, _) => "Rejected".to_owned(),
        (EventType::ApprovalWithdrawn, Status::Approved) => "Approval withdrawn, still approved".to_owned(),
        (EventType::ApprovalWithdrawn, _) => "Approval withdrawn".to_owned(),
        (EventType::ApprovalCancelled, _) => "Cancelled".to_owned(),
        (EventType::ApprovalExpired, _) => "Expired".to_owned(),
        (EventType::ExecutionStarted, _) => "Execution started".to_owned(),
        (EventType::ExecutionSucceeded, _) => "Execution succeeded".to_owned(),
        (EventType::ExecutionFailed, _) => "Execution failed".to_owned(),
        (EventType::CommentAdded, _) => "Comment".to_owned(),
        // It is never an event of a request: its message is `anomaly_message`.
        (EventType::AnomalyDetected, _) => "Damaged".to_owned(),
    }
}

/// The text for people. What somebody wrote stands behind `| `, escaped: it cannot look like a
/// line of ours.
fn email(notification: &Notification, link: Option<&str>) -> String {
    let Notification { operation_type, instance_id, requested_by, request_id, user, .. } = notification;
    let mut text = format!("{}: {operation_type} on {instance_id}\n\n", headline(notification));
    let approvals = format!("{} of {}", notification.approved_by.len(), notification.approvals_required);
    let approved_by: Vec<_> = notification.approved_by.iter().map(PersonId::as_str).collect();
    let approved_by = if approved_by.is_empty() { "nobody yet".to_owned() } else { approved_by.join(", ") };
    let cost = notification.estimated_cost.map_or("not given".to_owned(), |cost| cost.amount().to_string());
    line(&mut text, "Status", notification.status.as_str());
    line(&mut text, "Risk", notification.risk_level.as_str());
    line(&mut text, "Environment", notification.environment.as_str());
    line(&mut text, "Operation", operation_type.as_str());
    line(&mut text, "Instance", instance_id.as_str());
    line(&mut text, "Requester", requested_by.as_str());
    line(&mut text, "Approvals", &approvals);
    line(&mut text, "Approved by", &approved_by);
    line(&mut text, "Estimated cost", &cost);
    if let Some(duration) = &notification.estimated_duration {
        line(&mut text, "Duration", &escaped_line(duration.as_str()));
    }
    match (notification.status, notification.execute_by) {
        (Status::Pending, _) => line(&mut text, "Decide by", &minute(notification.expires_at)),
        (Status::Approved, Some(time)) => line(&mut text, "Start by", &minute(time)),
        _ => {}
    }
    line(&mut text, "Request", &request_id.to_string());
    line(
        &mut text,
        "Event",
        &format!("{} by {user} at {}", notification.event_type.as_str(), minute(notification.timestamp)),
    );
    quote(&mut text, "Justification", notification.justification.as_str());
    if let Some(remark) = &notification.remark {
        quote(&mut text, &format!("{user} says"), remark.as_str());
    }
    match link {
        Some(link) => {
            let _ = write!(text, "\nWhat exactly will run, and where to decide:\n{link}\n");
        }
        None => {
            let _ = write!(text, "\nWhat exactly will run is shown by GET /v1/approvals/{request_id}\n");
        }
    }
    text
}

/// What an operator needs to find out what is damaged. The finding is in words of ours, and escaped like
/// the words of others: it is about what something else has written.
fn anomaly_email(notice: &AnomalyNotice, link: Option<&str>) -> String {
    let AnomalyNotice { event_id, timestamp, user, request_id, finding } = notice;
    let mut text = "A stored request is damaged\n\n".to_owned();
    line(&mut text, "Request", &request_id.to_string());
    line(&mut text, "Found", &escaped_line(finding));
    line(&mut text, "Met by", &format!("a command of {user} at {}", minute(*timestamp)));
    line(&mut text, "Event", &format!("{} {event_id}", EventType::AnomalyDetected.as_str()));
    let _ = write!(
        text,
        "
The stored record of this request is not what its events have made it: something else than this deployment
has written to its tables. The command that met the damage was refused and has changed nothing. So is every
other command that meets it. This message is sent once for each request.

What an operator does, before anything else is changed:
  1. `countersign verify {request_id}` says what is not as it was written.
  2. `countersign verify --all` says whether other requests are damaged.
  3. Find out who or what may write to the tables, and has: CloudTrail and the access policies say.
"
    );
    if let Some(link) = link {
        let _ = write!(text, "\nThe request, as far as it can be read:\n{link}\n");
    }
    text
}

/// One line of the table. Writing to a string does not fail.
fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "{name:<15}{value}");
}

/// What somebody wrote, line by line.
fn quote(text: &mut String, title: &str, words: &str) {
    let _ = writeln!(text, "\n{title}");
    for line in escaped_lines(words) {
        let _ = writeln!(text, "  | {line}");
    }
}

/// `2026-01-31 09:30 UTC`.
fn minute(time: Timestamp) -> String {
    let text = time.to_string();
    let minute: String = text.chars().take(16).collect();
    format!("{} UTC", minute.replace('T', " "))
}
