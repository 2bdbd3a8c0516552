//! What became of a request, in words for its requester: why, and what to do next.

use countersign_core::event::EventType;
use countersign_core::execution::ExecutionMode;
use countersign_core::request::{Request, Status};

/// What became of a request. Holds what people wrote as a reason, and never a parameter, a result or a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeText {
    /// The status that it has come to.
    pub status: Status,
    /// Why: a sentence.
    pub reason: String,
    /// What to do next: a sentence.
    pub next_step: String,
}

/// What became of a request by an event, if the event ended it, or ended the wait for approvals.
pub fn outcome(event_type: EventType, request: &Request) -> Option<OutcomeText> {
    let ends = match event_type {
        EventType::ApprovalRejected
        | EventType::ApprovalCancelled
        | EventType::ApprovalExpired
        | EventType::ExecutionSucceeded
        | EventType::ExecutionFailed => true,
        EventType::ApprovalGranted => request.status == Status::Approved,
        EventType::ApprovalWithdrawn => request.status == Status::Expired,
        EventType::ApprovalRequestCreated
        | EventType::ExecutionStarted
        | EventType::TargetObserved
        | EventType::ExecutionClaimed
        | EventType::ExecutionRenewed
        | EventType::ExecutionUnknown
        | EventType::CommentAdded
        | EventType::ParametersErased
        | EventType::AnomalyDetected
        | EventType::AttemptRefused
        | EventType::AuditRead => false,
    };
    if !ends {
        return None;
    }
    let (reason, next_step) = in_words(request)?;
    Some(OutcomeText { status: request.status, reason, next_step })
}

fn in_words(request: &Request) -> Option<(String, String)> {
    const NEW: &str = "Make a new request if it is still needed.";
    let with = |said: Option<&str>| said.map_or_else(|| ".".to_owned(), |said| format!(": {said}"));
    let words = match request.status {
        Status::Pending | Status::Executing => return None,
        Status::Approved => {
            let by: Vec<&str> = request.approved_by().map(|person| person.as_str()).collect();
            let until = request.execute_by.map_or_else(String::new, |until| format!(" by {until}"));
            let next_step = match request.content.schedule.mode {
                ExecutionMode::Manual => format!("Start it{until}: after that the approval is over."),
                ExecutionMode::Automatic => format!("It is started without you{until}."),
            };
            (format!("Approved by {}.", by.join(", ")), next_step)
        }
        Status::Rejected => {
            let rejection = request.rejection()?;
            let said = rejection.comment.as_ref().and_then(|comment| comment.text());
            let next_step = "Answer the reason in a new request.".to_owned();
            (format!("Rejected by {}{}", rejection.person, with(said)), next_step)
        }
        Status::Cancelled => {
            let cancellation = request.cancellation.as_ref()?;
            let said = cancellation.reason.as_ref().and_then(|reason| reason.text());
            (format!("Cancelled by {}{}", cancellation.by, with(said)), NEW.to_owned())
        }
        Status::Expired if request.approved_at.is_some() => {
            ("Approved, and not started in time.".to_owned(), NEW.to_owned())
        }
        Status::Expired => {
            let received = request.approvals_received();
            let required = request.content.approvals_required;
            let next_step =
                "Make a new request if it is still needed, and tell those who can approve it.".to_owned();
            (format!("Not approved in time: {received} of {required} approvals."), next_step)
        }
        Status::Executed => ("Carried out.".to_owned(), "Nothing is left to do.".to_owned()),
        Status::Failed => {
            let said = request.finish().and_then(|finish| finish.note.as_ref()).and_then(|note| note.text());
            let next_step = "Look at what it left behind, and make a new request to try again.".to_owned();
            (format!("Carried out, and failed{}", with(said)), next_step)
        }
    };
    Some(words)
}
