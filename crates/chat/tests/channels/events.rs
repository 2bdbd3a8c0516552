//! Events and messages that tests are made of, and texts that are meant to break out of a message.

use countersign_chat::call::{Answer, HttpCall};
use countersign_chat::summary::{Context, Note, Summary};
use countersign_core::cloud_event::CloudEvent;
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::event::EventType;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::notification::{AnomalyNotice, Notice, Notification};
use countersign_core::origin::Origin;
use countersign_core::person::PersonId;
use countersign_core::risk::{Cost, Environment, RiskLevel};
use countersign_core::status::Status;
use countersign_core::text::{CommentText, DurationText, Identifier, InstanceId, Justification};
use countersign_core::timestamp::Timestamp;
use countersign_delivery::outcome::{FailureClass, Outcome};
use proptest::prelude::*;
use serde_json::Value;
use std::time::Duration;

pub(crate) const REQUEST: &str = "01930000-0000-4000-8000-0000000000bb";
pub(crate) const EVENT: &str = "01930000-0000-7000-8000-0000000000aa";
pub(crate) const LINK: &str = "https://approvals.example.com/approvals/01930000-0000-4000-8000-0000000000bb";

pub(crate) fn person(email: &str) -> PersonId {
    PersonId::from_email(email).unwrap()
}

pub(crate) fn source() -> Origin {
    Origin::of(&DeploymentKey::new([7; 32]))
}

/// A request with everything in it, half approved.
pub(crate) fn full() -> Notification {
    Notification {
        event_id: EventId::parse(EVENT).unwrap(),
        event_type: EventType::ApprovalGranted,
        timestamp: Timestamp::parse("2026-01-31T09:30:15.250Z").unwrap(),
        user: person("bob@example.com"),
        request_id: RequestId::parse(REQUEST).unwrap(),
        sequence: 2,
        hash: Digest::of("an event"),
        status: Status::Pending,
        operation_type: Identifier::parse("delete_instance").unwrap(),
        instance_id: InstanceId::parse("prod-db-01").unwrap(),
        environment: Environment::Production,
        risk_level: RiskLevel::High,
        requested_by: person("ann@example.com"),
        approvals_required: 2,
        approvals_received: 1,
        approved_by: vec![person("bob@example.com")],
        justification: Some(Justification::parse("moved to the new cluster").unwrap()),
        estimated_cost: Some(Cost::new(250.5).unwrap()),
        estimated_duration: Some(DurationText::parse("ten minutes").unwrap()),
        expires_at: Timestamp::parse("2026-02-01T09:00:00Z").unwrap(),
        execute_by: Some(Timestamp::parse("2026-02-02T10:00:00Z").unwrap()),
        remark: Some(CommentText::parse("looks right").unwrap()),
        link: None,
    }
}

/// Everything as long as it can be, with these texts.
pub(crate) fn longest(justification: &str, remark: &str, duration: &str) -> Notification {
    Notification {
        operation_type: Identifier::parse(&"x".repeat(Identifier::MAX)).unwrap(),
        instance_id: InstanceId::parse(&"&".repeat(InstanceId::MAX)).unwrap(),
        user: long_address(0),
        requested_by: long_address(1),
        approvals_required: u8::MAX,
        approvals_received: 255,
        approved_by: (0..255).map(long_address).collect(),
        justification: Some(Justification::parse(justification).unwrap()),
        remark: Some(CommentText::parse(remark).unwrap()),
        estimated_duration: Some(DurationText::parse(duration).unwrap()),
        ..full()
    }
}

/// One of many addresses of 254 characters, which is the most.
fn long_address(number: usize) -> PersonId {
    person(&format!("{number:0>64}@{}.example", "d".repeat(181)))
}

pub(crate) fn with_justification(text: &str) -> Notification {
    Notification { justification: Some(Justification::parse(text).unwrap()), remark: None, ..full() }
}

pub(crate) fn event(notification: Notification) -> CloudEvent {
    let event = CloudEvent { source: source(), notice: Notice::Event(Box::new(notification)) };
    event.with_link("https://approvals.example.com/")
}

pub(crate) fn summary(notification: Notification) -> Summary {
    summary_with(notification, Context::default())
}

pub(crate) fn summary_with(notification: Notification, context: Context) -> Summary {
    Summary::of(&event(notification), &context)
}

pub(crate) fn anomaly(finding: &str) -> Summary {
    let notice = AnomalyNotice {
        event_id: EventId::parse(EVENT).unwrap(),
        event_type: EventType::AnomalyDetected,
        timestamp: full().timestamp,
        user: person("bob@example.com"),
        request_id: RequestId::parse(REQUEST).unwrap(),
        finding: finding.to_owned(),
        link: None,
    };
    Summary::of(&CloudEvent { source: source(), notice: Notice::Anomaly(notice) }, &Context::default())
}

/// A context with many names and notes of this text.
pub(crate) fn noisy(text: &str) -> Context {
    let holder = person("bob@example.com");
    Context {
        notes: vec![
            Note::ExpiresIn { seconds: 3600 },
            Note::Claimed { holder, until: full().expires_at },
            Note::Line(text.to_owned()),
        ],
        who: vec![text.to_owned(); 30],
        until: None,
    }
}

pub(crate) fn body(call: &HttpCall) -> Value {
    serde_json::from_slice(&call.body).unwrap()
}

/// All texts of a document.
pub(crate) fn texts(document: &Value) -> Vec<String> {
    match document {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(members) => members.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => vec![],
    }
}

/// No text of a document has a character that hides or reorders others, or that moves a cursor.
pub(crate) fn assert_visible(document: &Value) {
    for text in texts(document) {
        let hidden = |c: &char| {
            (c.is_control() && *c != '\n')
                || matches!(*c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}')
        };
        assert_eq!(text.chars().find(hidden), None, "{text:?}");
    }
}

pub(crate) fn answer(status: u16, body: &str) -> Answer<'_> {
    Answer { status, body: body.as_bytes(), retry_after: None }
}

pub(crate) fn slow(status: u16, body: &str) -> Answer<'_> {
    Answer { retry_after: Some(Duration::from_secs(30)), ..answer(status, body) }
}

/// The class of a failure, whose detail has nothing of a line break.
pub(crate) fn class(outcome: &Outcome) -> FailureClass {
    match outcome {
        Outcome::Failed(failure) => {
            assert!(failure.status.is_some() && !failure.detail.contains('\n'), "{failure:?}");
            failure.class
        }
        Outcome::Delivered { .. } => panic!("{outcome:?}"),
    }
}

/// What people may write to break out of a message.
const HOSTILE: &[&str] = &[
    "<!channel>",
    "<!here|x>",
    "<@U0123456789>",
    "<https://evil.example|the request>",
    "&lt;!everyone&gt;",
    "*bold* _it_ ~no~ `code` ```block```",
    ":x: :tada:",
    "[click](https://evil.example)",
    "![i](https://evil.example/i.png)",
    "{{DATE(2026-01-31T00:00:00Z, SHORT)}}",
    "<at>Ann</at>",
    "<script>alert(1)</script>",
    "<img src=https://evil.example/i.png>",
    "\" onclick=\"x",
    "\r\nBcc: eve@example.com\r\n\r\nbody",
    "\n| fake\nStatus: approved\n",
    "\u{202e}\u{2066}\u{200b}\u{feff}\u{1b}[2J\0",
    "a\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
    "\u{1f600}",
    "\u{5d0}\u{5d1}",
    "=?utf-8?q?=0D=0A?=",
    "\\",
];

/// Up to `length` characters of such texts.
pub(crate) fn hostile(length: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => prop::sample::select(HOSTILE).prop_map(str::to_owned),
        1 => "\\PC{1,20}",
        1 => any::<char>().prop_map(|c| c.to_string()),
    ];
    let pieces = prop::collection::vec(piece, 1..40);
    (pieces, 1_usize..200).prop_map(move |(pieces, times)| {
        // At least one character that can be seen, as the core demands.
        let text = format!("x{}", pieces.concat().repeat(times));
        text.chars().take(length).collect()
    })
}

/// Texts that are as long as they can be, of one character each.
pub(crate) const LONGEST: &[char] =
    &['a', '\u{1f600}', '&', '\u{202e}', '\n', '\\', '"', '\u{4e2d}', '\u{10ffff}'];

/// A text of `length` times a character, of which the first can be seen.
pub(crate) fn repeated(c: char, length: usize) -> String {
    format!("x{}", c.to_string().repeat(length - 1))
}
