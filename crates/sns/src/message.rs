//! The message about an event: a JSON document for programs, a text for people, and attributes for
//! subscription filters.

use countersign_core::cloud_event::CloudEvent;
use countersign_core::event::EventType;
use countersign_core::notification::{AnomalyNotice, Notice, Notification};
use countersign_core::person::PersonId;
use countersign_core::status::Status;
use countersign_core::text::{escaped_line, escaped_lines};
use countersign_core::timestamp::Timestamp;
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
    /// `default` is itself a JSON document, the CloudEvent.
    pub document: String,
    /// Names and values of the message attributes, all strings, none empty.
    pub attributes: Vec<(&'static str, String)>,
}

/// The message of a CloudEvent. `dashboard_url` is where people look at requests.
pub fn message(event: &CloudEvent, dashboard_url: Option<&str>) -> Message {
    let event = match dashboard_url {
        Some(url) => event.clone().with_link(url),
        None => event.clone(),
    };
    let (subject, email, attributes) = match &event.notice {
        Notice::Event(notification) => (subject(notification), email(notification), attributes(notification)),
        Notice::Anomaly(notice) => {
            (anomaly_subject(notice), anomaly_email(notice), anomaly_attributes(notice))
        }
    };
    let document = json!({ "default": event.to_value().to_string(), "email": email }).to_string();
    Message { subject, document, attributes }
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

/// What stands on a damaged request, by which a subscription could filter too, cannot be trusted.
fn anomaly_attributes(notice: &AnomalyNotice) -> Vec<(&'static str, String)> {
    vec![
        ("event_type", EventType::AnomalyDetected.as_str().to_owned()),
        ("event_id", notice.event_id.to_string()),
    ]
}

fn anomaly_subject(notice: &AnomalyNotice) -> String {
    format!("[integrity] A stored request is damaged: {}", notice.request_id)
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
    let received = notification.approvals_received;
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
        (EventType::TargetObserved, _) => "Target looked at".to_owned(),
        (EventType::ExecutionClaimed, _) => "Execution claimed".to_owned(),
        (EventType::ExecutionRenewed, _) => "Execution under way".to_owned(),
        (EventType::ExecutionUnknown, _) => "Execution UNKNOWN: nothing was heard of it".to_owned(),
        (EventType::ExecutionSucceeded, _) => "Execution succeeded".to_owned(),
        (EventType::ExecutionFailed, _) => "Execution failed".to_owned(),
        (EventType::CommentAdded, _) => "Comment".to_owned(),
        // Never events of a request: the subject of the first is `anomaly_subject`, the others are not published.
        (EventType::AnomalyDetected, _) => "Damaged".to_owned(),
        (EventType::ParametersErased, _) => "Parameters and texts erased".to_owned(),
        (EventType::AttemptRefused | EventType::AuditRead, _) => "Recorded".to_owned(),
    }
}

/// The text for people. What a person wrote stands behind `| `, escaped: it cannot look like a
/// line of ours.
fn email(notification: &Notification) -> String {
    let Notification { operation_type, instance_id, requested_by, request_id, user, .. } = notification;
    let mut text = format!("{}: {operation_type} on {instance_id}\n\n", headline(notification));
    let approvals = format!("{} of {}", notification.approvals_received, notification.approvals_required);
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
    if let Some(justification) = &notification.justification {
        quote(&mut text, "Justification", justification.as_str());
    }
    if let Some(remark) = &notification.remark {
        quote(&mut text, &format!("{user} says"), remark.as_str());
    }
    match &notification.link {
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
fn anomaly_email(notice: &AnomalyNotice) -> String {
    let AnomalyNotice { event_id, timestamp, user, request_id, finding, .. } = notice;
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
    if let Some(link) = &notice.link {
        let _ = write!(text, "\nThe request, as far as it can be read:\n{link}\n");
    }
    text
}

/// One line of the table. Writing to a string does not fail.
fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "{name:<15}{value}");
}

/// What a person wrote, line by line.
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
