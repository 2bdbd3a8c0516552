//! What messages say, whatever the channel.

use crate::events::{LINK, REQUEST, anomaly, event, full, person, summary, summary_with};
use countersign_chat::summary::{Context, Note, Summary, Tone};
use countersign_core::event::EventType;
use countersign_core::notification::Notification;
use countersign_core::status::Status;
use countersign_core::timestamp::Timestamp;

fn facts(summary: &Summary) -> Vec<(&'static str, &str)> {
    summary.facts.iter().map(|fact| (fact.name, fact.value.as_str())).collect()
}

#[test]
fn a_message_has_all_that_there_is_to_know_and_no_more() {
    let summary = summary(full());
    assert_eq!(summary.title(), "[high] Approval 1 of 2: delete_instance on prod-db-01");
    assert_eq!(
        facts(&summary),
        [
            ("Status", "pending"),
            ("Risk", "high"),
            ("Environment", "production"),
            ("Operation", "delete_instance"),
            ("Instance", "prod-db-01"),
            ("Requester", "ann@example.com"),
            ("Approvals", "1 of 2"),
            ("Approved by", "bob@example.com"),
            ("Estimated cost", "250.5"),
            ("Duration", "ten minutes"),
            ("Decide by", "2026-02-01 09:00 UTC"),
            ("Request", REQUEST),
            ("Event", "APPROVAL_GRANTED by bob@example.com at 2026-01-31 09:30 UTC"),
        ]
    );
    let quotes: Vec<_> =
        summary.quotes.iter().map(|quote| (quote.title.as_str(), quote.text.as_str())).collect();
    assert_eq!(
        quotes,
        [("Justification", "moved to the new cluster"), ("bob@example.com says", "looks right")]
    );
    assert_eq!(summary.link.as_deref(), Some(LINK));
    assert!(!format!("{summary:?}").contains(&full().hash.to_string()));
    assert_eq!((summary.advice, summary.ask, summary.tone), (None, None, Tone::Waiting));
}

#[test]
fn without_a_page_a_message_says_where_the_request_is() {
    let mut event = event(full());
    if let countersign_core::notification::Notice::Event(notification) = &mut event.notice {
        notification.link = None;
    }
    let summary = Summary::of(&event, &Context::default());
    assert!(summary.advice.unwrap().ends_with(&format!("GET /v1/approvals/{REQUEST}")));
}

#[test]
fn who_should_act_until_when_is_one_line() {
    let who = vec!["ann@example.com".to_owned(), "group dba".to_owned()];
    let context = Context { who, ..Context::default() };
    let line = |status, context: &Context| {
        summary_with(Notification { status, ..full() }, context.clone()).ask_line().unwrap()
    };
    let names = "Who should act: ann@example.com, group dba";
    assert_eq!(line(Status::Pending, &context), format!("{names}, until 2026-02-01 09:00 UTC"));
    assert_eq!(line(Status::Approved, &context), format!("{names}, until 2026-02-02 10:00 UTC"));
    assert_eq!(line(Status::Failed, &context), names);
    let until = Some(Timestamp::parse("2026-01-31T12:00:00Z").unwrap());
    assert_eq!(
        line(Status::Pending, &Context { until, ..context }),
        format!("{names}, until 2026-01-31 12:00 UTC")
    );
}

#[test]
fn a_note_says_why_the_message_is_sent() {
    let until = Timestamp::parse("2026-01-31T09:45:00Z").unwrap();
    for (note, headline, line) in [
        (Note::ExpiresIn { seconds: 3600 }, "Expires in 1 h", "The request expires in 1 h."),
        (Note::EscalatedAfter { seconds: 0 }, "Escalated", "Escalated at once."),
        (Note::EscalatedAfter { seconds: 14_400 }, "Escalated", "Escalated after 4 h."),
        (
            Note::Priority { name: "P1", response_seconds: Some(0) },
            "Approval 1 of 2",
            "Priority P1: to be answered at once.",
        ),
        (
            Note::Priority { name: "P2", response_seconds: Some(1800) },
            "Approval 1 of 2",
            "Priority P2: to be answered within 30 min.",
        ),
        (Note::Priority { name: "P4", response_seconds: None }, "Approval 1 of 2", "Priority P4."),
        (
            Note::Claimed { holder: person("cid@example.com"), until },
            "Approval 1 of 2",
            "cid@example.com is looking at it until 2026-01-31 09:45 UTC.",
        ),
        (
            Note::NotNeeded,
            "No longer waits for you",
            "Your approval is not needed any more: others have given theirs.",
        ),
        (Note::Line("Start it.".to_owned()), "Approval 1 of 2", "Start it."),
    ] {
        let summary = summary_with(full(), Context { notes: vec![note], ..Context::default() });
        assert_eq!(summary.headline, format!("{headline}: delete_instance on prod-db-01"));
        assert_eq!(summary.notes, [line]);
    }
}

#[test]
fn a_closing_message_says_how_the_request_ended() {
    let context = Context { notes: vec![Note::Closed], ..Context::default() };
    for (status, event_type, tone, line) in [
        (Status::Approved, EventType::ApprovalGranted, Tone::Good, "approved by bob@example.com"),
        (Status::Rejected, EventType::ApprovalRejected, Tone::Bad, "rejected by bob@example.com"),
        (Status::Cancelled, EventType::ApprovalCancelled, Tone::Neutral, "cancelled by bob@example.com"),
        (Status::Expired, EventType::ApprovalExpired, Tone::Neutral, "its time has passed"),
        (Status::Executed, EventType::ExecutionSucceeded, Tone::Good, "the operation has been carried out"),
        (
            Status::Failed,
            EventType::ExecutionFailed,
            Tone::Bad,
            "the operation was carried out and has failed",
        ),
        // The event that a message is made of may be a later one than that which closed the request.
        (Status::Rejected, EventType::CommentAdded, Tone::Bad, "rejected"),
    ] {
        let summary = summary_with(Notification { status, event_type, ..full() }, context.clone());
        assert_eq!(summary.notes, [format!("The request is closed: {line}.")]);
        assert_eq!(summary.headline, format!("Closed, {status}: delete_instance on prod-db-01"));
        assert_eq!((summary.tone, summary.link.as_deref()), (tone, Some(LINK)));
    }
    let by_policy = Notification { status: Status::Approved, approved_by: vec![], ..full() };
    assert_eq!(summary_with(by_policy, context).notes, ["The request is closed: approved by policy."]);
}

#[test]
fn a_damaged_request_is_about_no_operation() {
    let summary = anomaly("the hash of event 2 is not that of its content");
    assert_eq!(summary.title(), format!("[integrity] A stored request is damaged: {REQUEST}"));
    assert_eq!((summary.target, summary.risk_level, summary.tone), (None, None, Tone::Bad));
    assert!(summary.advice.unwrap().contains(&format!("`countersign verify {REQUEST}`")));
}
