//! The texts about an event and about a damaged request, as all channels have them.

use crate::summary::{Ask, Context, Fact, Note, Quote, Summary, Target, Tone};
use countersign_core::cloud_event::CloudEvent;
use countersign_core::event::EventType;
use countersign_core::notification::{AnomalyNotice, Notice, Notification};
use countersign_core::origin::Origin;
use countersign_core::person::PersonId;
use countersign_core::status::Status;
use countersign_core::timestamp::Timestamp;

/// How many names are listed: who reads a message need not scroll past the names of a department.
const MAX_NAMES: usize = 10;

impl Summary {
    /// What there is to say about an event. A link in it becomes that of the message.
    pub fn of(event: &CloudEvent, context: &Context) -> Self {
        match &event.notice {
            Notice::Event(notification) => of_event(&event.source, notification, context),
            Notice::Anomaly(notice) => of_anomaly(&event.source, notice),
        }
    }

    /// The headline behind its label, such as `[high] Approval needed: delete_instance on prod-db-01`.
    pub fn title(&self) -> String {
        match self.label {
            Some(label) => format!("[{label}] {}", self.headline),
            None => self.headline.clone(),
        }
    }

    /// Who should act until when, in one line.
    pub fn ask_line(&self) -> Option<String> {
        let Ask { who, until } = self.ask.as_ref()?;
        let who = list(who);
        Some(match until {
            Some(until) => format!("Who should act: {who}, until {}", minute(*until)),
            None => format!("Who should act: {who}"),
        })
    }
}

/// The summary of an event.
pub(crate) fn of_event(source: &Origin, notification: &Notification, context: &Context) -> Summary {
    let Notification { event_id, request_id, operation_type, instance_id, user, risk_level, .. } =
        notification;
    let deadline = match notification.status {
        Status::Pending => Some(notification.expires_at),
        Status::Approved => notification.execute_by,
        Status::Executing
        | Status::Rejected
        | Status::Expired
        | Status::Cancelled
        | Status::Executed
        | Status::Failed => None,
    };
    let what = context.notes.iter().find_map(|note| headline_of_note(note, notification));
    let what = what.unwrap_or_else(|| headline(notification));
    let mut quotes = vec![];
    if let Some(text) = &notification.justification {
        quotes.push(Quote { title: "Justification".to_owned(), text: text.as_str().to_owned() });
    }
    if let Some(text) = &notification.remark {
        quotes.push(Quote { title: format!("{user} says"), text: text.as_str().to_owned() });
    }
    let has_ask = !context.who.is_empty();
    Summary {
        event_id: *event_id,
        request_id: Some(*request_id),
        source: source.clone(),
        timestamp: notification.timestamp,
        risk_level: Some(*risk_level),
        target: Some(Target {
            operation: operation_type.to_string(),
            instance: instance_id.to_string(),
            environment: notification.environment.as_str(),
        }),
        tone: tone(notification.status),
        label: Some(risk_level.as_str()),
        headline: format!("{what}: {operation_type} on {instance_id}"),
        notes: context.notes.iter().map(|note| line_of_note(note, notification)).collect(),
        ask: has_ask.then(|| Ask { who: context.who.clone(), until: context.until.or(deadline) }),
        facts: facts(notification),
        table: None,
        quotes,
        // Programs have no page to open.
        advice: notification
            .link
            .is_none()
            .then(|| format!("What exactly will run is shown by GET /v1/approvals/{request_id}")),
        link: notification.link.clone(),
        link_title: "What exactly will run, and where to decide:",
    }
}

/// The summary of a damaged request: what an operator needs to find out what is damaged.
pub(crate) fn of_anomaly(source: &Origin, notice: &AnomalyNotice) -> Summary {
    let AnomalyNotice { event_id, timestamp, user, request_id, finding, link, .. } = notice;
    let fact = |name, value| Fact { name, value };
    Summary {
        event_id: *event_id,
        request_id: Some(*request_id),
        source: source.clone(),
        timestamp: *timestamp,
        risk_level: None,
        target: None,
        tone: Tone::Bad,
        label: Some("integrity"),
        headline: format!("A stored request is damaged: {request_id}"),
        notes: vec![],
        ask: None,
        facts: vec![
            fact("Request", request_id.to_string()),
            fact("Found", finding.clone()),
            fact("Met by", format!("a command of {user} at {}", minute(*timestamp))),
            fact("Event", format!("{} {event_id}", EventType::AnomalyDetected.as_str())),
        ],
        table: None,
        quotes: vec![],
        advice: Some(format!(
            "The stored record of this request is not what its events have made it: something else than this \
             deployment has written to its tables. The command that met the damage was refused and has changed \
             nothing. So is every other command that meets it.\n\
             What an operator does, before anything else is changed:\n\
             1. `countersign verify {request_id}` says what is not as it was written.\n\
             2. `countersign verify --all` says whether other requests are damaged.\n\
             3. Find out who or what may write to the tables, and has: CloudTrail and the access policies say."
        )),
        link: link.clone(),
        link_title: "The request, as far as it can be read:",
    }
}

/// What happened, in a few words.
fn headline(notification: &Notification) -> String {
    let required = notification.approvals_required;
    let received = notification.approvals_received;
    let text = match (notification.event_type, notification.status) {
        (EventType::ApprovalRequestCreated, Status::Approved) => "Approved by policy",
        (EventType::ApprovalRequestCreated, _) => "Approval needed",
        (EventType::ApprovalGranted, Status::Approved) => "Approved",
        (EventType::ApprovalGranted, _) => return format!("Approval {received} of {required}"),
        (EventType::ApprovalRejected, _) => "Rejected",
        (EventType::ApprovalWithdrawn, Status::Approved) => "Approval withdrawn, still approved",
        (EventType::ApprovalWithdrawn, _) => "Approval withdrawn",
        (EventType::ApprovalCancelled, _) => "Cancelled",
        (EventType::ApprovalExpired, _) => "Expired",
        (EventType::ExecutionStarted, _) => "Execution started",
        (EventType::TargetObserved, _) => "Target looked at",
        (EventType::ExecutionClaimed, _) => "Execution claimed",
        (EventType::ExecutionRenewed, _) => "Execution under way",
        (EventType::ExecutionUnknown, _) => "Execution UNKNOWN: nothing was heard of it",
        (EventType::ExecutionSucceeded, _) => "Execution succeeded",
        (EventType::ExecutionFailed, _) => "Execution failed",
        (EventType::CommentAdded, _) => "Comment",
        // Never events of a request that are published.
        (EventType::AnomalyDetected, _) => "Damaged",
        (EventType::ParametersErased, _) => "Parameters and texts erased",
        (EventType::AttemptRefused | EventType::AuditRead, _) => "Recorded",
    };
    text.to_owned()
}

/// The headline of a message that is not sent for the event alone.
fn headline_of_note(note: &Note, notification: &Notification) -> Option<String> {
    match note {
        Note::ExpiresIn { seconds } => Some(format!("Expires in {}", duration(*seconds))),
        Note::EscalatedAfter { .. } => Some("Escalated".to_owned()),
        Note::NotNeeded => Some("No longer waits for you".to_owned()),
        Note::Closed => Some(format!("Closed, {}", notification.status)),
        Note::Priority { .. } | Note::Claimed { .. } | Note::Line(_) => None,
    }
}

fn line_of_note(note: &Note, notification: &Notification) -> String {
    match note {
        Note::ExpiresIn { seconds } => format!("The request expires in {}.", duration(*seconds)),
        Note::EscalatedAfter { seconds: 0 } => "Escalated at once.".to_owned(),
        Note::EscalatedAfter { seconds } => format!("Escalated after {}.", duration(*seconds)),
        Note::Priority { name, response_seconds: None } => format!("Priority {name}."),
        Note::Priority { name, response_seconds: Some(0) } => {
            format!("Priority {name}: to be answered at once.")
        }
        Note::Priority { name, response_seconds: Some(seconds) } => {
            format!("Priority {name}: to be answered within {}.", duration(*seconds))
        }
        Note::Claimed { holder, until } => {
            format!("{holder} is looking at it until {}.", minute(*until))
        }
        Note::NotNeeded => "Your approval is not needed any more: others have given theirs.".to_owned(),
        Note::Closed => format!("The request is closed: {}.", ending(notification)),
        Note::Line(text) => text.clone(),
    }
}

/// How a request ended, and by whom as far as the event says.
fn ending(notification: &Notification) -> String {
    let user = &notification.user;
    match (notification.status, notification.event_type) {
        (Status::Approved, _) if notification.approved_by.is_empty() => "approved by policy".to_owned(),
        (Status::Approved, _) => format!("approved by {}", people(&notification.approved_by)),
        (Status::Rejected, EventType::ApprovalRejected) => format!("rejected by {user}"),
        (Status::Cancelled, EventType::ApprovalCancelled) => format!("cancelled by {user}"),
        (Status::Expired, _) => "its time has passed".to_owned(),
        (Status::Executed, _) => "the operation has been carried out".to_owned(),
        (Status::Failed, _) => "the operation was carried out and has failed".to_owned(),
        (Status::Executing, _) => "the operation is being carried out".to_owned(),
        (status @ (Status::Pending | Status::Rejected | Status::Cancelled), _) => status.to_string(),
    }
}

fn tone(status: Status) -> Tone {
    match status {
        Status::Pending => Tone::Waiting,
        Status::Approved | Status::Executed => Tone::Good,
        Status::Rejected | Status::Failed => Tone::Bad,
        Status::Executing | Status::Expired | Status::Cancelled => Tone::Neutral,
    }
}

fn facts(notification: &Notification) -> Vec<Fact> {
    let Notification { operation_type, instance_id, requested_by, request_id, user, .. } = notification;
    let mut facts = vec![];
    let mut fact = |name, value: String| facts.push(Fact { name, value });
    let approved_by = match notification.approved_by.as_slice() {
        [] => "nobody yet".to_owned(),
        people_of_it => people(people_of_it),
    };
    fact("Status", notification.status.to_string());
    fact("Risk", notification.risk_level.as_str().to_owned());
    fact("Environment", notification.environment.as_str().to_owned());
    fact("Operation", operation_type.to_string());
    fact("Instance", instance_id.to_string());
    fact("Requester", requested_by.to_string());
    fact("Approvals", format!("{} of {}", notification.approvals_received, notification.approvals_required));
    fact("Approved by", approved_by);
    let cost = notification.estimated_cost.map(|cost| cost.amount().to_string());
    fact("Estimated cost", cost.unwrap_or_else(|| "not given".to_owned()));
    if let Some(duration) = &notification.estimated_duration {
        fact("Duration", duration.as_str().to_owned());
    }
    match (notification.status, notification.execute_by) {
        (Status::Pending, _) => fact("Decide by", minute(notification.expires_at)),
        (Status::Approved, Some(time)) => fact("Start by", minute(time)),
        _ => {}
    }
    fact("Request", request_id.to_string());
    let event = notification.event_type.as_str();
    fact("Event", format!("{event} by {user} at {}", minute(notification.timestamp)));
    facts
}

fn people(people: &[PersonId]) -> String {
    let names: Vec<_> = people.iter().map(PersonId::to_string).collect();
    list(&names)
}

/// Names, the first few of them.
pub(crate) fn list(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(MAX_NAMES).map(String::as_str).collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(MAX_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// `2026-01-31 09:30 UTC`.
pub(crate) fn minute(time: Timestamp) -> String {
    let minute: String = time.to_string().chars().take(16).collect();
    format!("{} UTC", minute.replace('T', " "))
}

/// `45 s`, `10 min`, `1 h`, `1 h 30 min`, `2 d`: the two largest units that are not zero.
pub(crate) fn duration(seconds: u32) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let mut parts = vec![];
    for (size, name) in units {
        if rest >= size {
            parts.push(format!("{} {name}", rest / size));
            rest %= size;
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        for (seconds, text) in [
            (0, "0 s"),
            (45, "45 s"),
            (600, "10 min"),
            (3_600, "1 h"),
            (5_400, "1 h 30 min"),
            (90_061, "1 d 1 h"),
            (172_800, "2 d"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn many_names_are_counted() {
        let names: Vec<_> = (0..12).map(|number| format!("n{number}")).collect();
        assert_eq!(list(&names), "n0, n1, n2, n3, n4, n5, n6, n7, n8, n9 and 2 more");
        assert_eq!(list(names.get(..2).unwrap()), "n0, n1");
    }
}
