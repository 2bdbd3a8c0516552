//! What subscribers get: shapes and sizes that SNS takes, and texts in which no person's words pass for
//! ours.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use countersign_core::cloud_event::CloudEvent;
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::event::EventType;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::notification::{AnomalyNotice, Notice, Notification};
use countersign_core::origin::Origin;
use countersign_core::person::PersonId;
use countersign_core::request::Status;
use countersign_core::risk::{Cost, Environment, RiskLevel};
use countersign_core::text::{CommentText, DurationText, Identifier, InstanceId, Justification};
use countersign_core::timestamp::Timestamp;
use countersign_sns::message::{self, MAX_MESSAGE_BYTES, MAX_SUBJECT, Message};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use strum::IntoEnumIterator;

const DASHBOARD: Option<&str> = Some("https://approvals.example.com");

fn person(email: &str) -> PersonId {
    PersonId::from_email(email).unwrap()
}

/// A request with everything in it, half approved.
fn full() -> Notification {
    Notification {
        event_id: EventId::parse("01930000-0000-7000-8000-0000000000aa").unwrap(),
        event_type: EventType::ApprovalGranted,
        timestamp: Timestamp::parse("2026-01-31T09:30:15.250Z").unwrap(),
        user: person("bob@example.com"),
        request_id: RequestId::parse("01930000-0000-4000-8000-0000000000bb").unwrap(),
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

/// The same with nothing that can be left out.
fn bare() -> Notification {
    Notification {
        approvals_received: 0,
        approved_by: vec![],
        estimated_cost: None,
        estimated_duration: None,
        execute_by: None,
        remark: None,
        ..full()
    }
}

/// Names, ids and addresses as long as they can be.
fn long() -> Notification {
    let longest = Identifier::parse(&"x".repeat(Identifier::MAX)).unwrap();
    Notification {
        operation_type: longest,
        instance_id: InstanceId::parse(&"x".repeat(InstanceId::MAX)).unwrap(),
        user: long_address(0),
        requested_by: long_address(1),
        approvals_required: u8::MAX,
        approvals_received: 255,
        approved_by: (0..255).map(long_address).collect(),
        ..full()
    }
}

/// One of many addresses of 254 characters, which is the most.
fn long_address(number: usize) -> PersonId {
    let address = format!("{number:0>64}@{}.example", "d".repeat(181));
    assert_eq!(address.len(), 254);
    person(&address)
}

fn document(message: &Message) -> Map<String, Value> {
    serde_json::from_str(&message.document).unwrap()
}

/// What programs get, which is as the schema says.
fn cloud_event(message: &Message) -> Map<String, Value> {
    let event: Value = serde_json::from_str(document(message)["default"].as_str().unwrap()).unwrap();
    let schema: Value =
        serde_json::from_str(include_str!("../../../docs/schemas/notification.json")).unwrap();
    let schema = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let errors: Vec<_> = schema.iter_errors(&event).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new(), "{event}");
    event.as_object().unwrap().clone()
}

/// The notification in it.
fn default(message: &Message) -> Map<String, Value> {
    cloud_event(message)["data"].as_object().unwrap().clone()
}

fn source() -> Origin {
    Origin::of(&DeploymentKey::new([7; 32]))
}

fn message(notification: &Notification, dashboard_url: Option<&str>) -> Message {
    let notice = Notice::Event(Box::new(notification.clone()));
    message::message(&CloudEvent { source: source(), notice }, dashboard_url)
}

fn anomaly_message(notice: &AnomalyNotice, dashboard_url: Option<&str>) -> Message {
    let notice = Notice::Anomaly(notice.clone());
    message::message(&CloudEvent { source: source(), notice }, dashboard_url)
}

/// What people get.
fn email(message: &Message) -> String {
    document(message)["email"].as_str().unwrap().to_owned()
}

#[test]
fn a_subject_is_a_line_that_sns_takes_whatever_the_event() {
    for event_type in EventType::iter() {
        for status in Status::iter() {
            for notification in [full(), bare(), long()] {
                let subject = message(&Notification { event_type, status, ..notification }, None).subject;
                assert!(subject.is_ascii() && subject.len() <= MAX_SUBJECT, "{subject}");
                assert!(!subject.chars().any(char::is_control), "{subject}");
                assert!(subject.starts_with("[high] "), "{subject}");
            }
        }
    }
    assert_eq!(message(&full(), None).subject, "[high] Approval 1 of 2: delete_instance on prod-db-01");
    let cut = message(&long(), None).subject;
    assert_eq!((cut.len(), cut.ends_with("x...")), (MAX_SUBJECT, true), "{cut}");
}

#[test]
fn a_subject_says_what_happened() {
    let subject = |event_type, status| message(&Notification { event_type, status, ..full() }, None).subject;
    for (event_type, status, said) in [
        (EventType::ApprovalRequestCreated, Status::Pending, "Approval needed"),
        (EventType::ApprovalRequestCreated, Status::Approved, "Approved by policy"),
        (EventType::ApprovalGranted, Status::Pending, "Approval 1 of 2"),
        (EventType::ApprovalGranted, Status::Approved, "Approved"),
        (EventType::ApprovalRejected, Status::Rejected, "Rejected"),
        (EventType::ApprovalWithdrawn, Status::Pending, "Approval withdrawn"),
        (EventType::ApprovalWithdrawn, Status::Expired, "Approval withdrawn"),
        (EventType::ApprovalWithdrawn, Status::Approved, "Approval withdrawn, still approved"),
        (EventType::ApprovalCancelled, Status::Cancelled, "Cancelled"),
        (EventType::ApprovalExpired, Status::Expired, "Expired"),
        (EventType::ExecutionStarted, Status::Executing, "Execution started"),
        (EventType::ExecutionSucceeded, Status::Executed, "Execution succeeded"),
        (EventType::ExecutionFailed, Status::Failed, "Execution failed"),
        (EventType::CommentAdded, Status::Pending, "Comment"),
    ] {
        let expected = format!("[high] {said}: delete_instance on prod-db-01");
        assert_eq!(subject(event_type, status), expected);
    }
}

#[test]
fn a_document_has_one_text_for_programs_and_one_for_people() {
    for notification in [full(), bare(), long()] {
        let document = document(&message(&notification, DASHBOARD));
        assert_eq!(document.keys().collect::<Vec<_>>(), ["default", "email"]);
        assert!(document.values().all(Value::is_string));
    }
}

#[test]
fn programs_get_every_member_and_never_the_parameters() {
    assert_eq!(
        Value::Object(default(&message(&full(), DASHBOARD))),
        json!({
            "event_id": "01930000-0000-7000-8000-0000000000aa",
            "event_type": "APPROVAL_GRANTED",
            "timestamp": "2026-01-31T09:30:15.250Z",
            "user": "bob@example.com",
            "request_id": "01930000-0000-4000-8000-0000000000bb",
            "sequence": 2,
            "hash": Digest::of("an event").to_string(),
            "status": "pending",
            "operation_type": "delete_instance",
            "instance_id": "prod-db-01",
            "environment": "production",
            "risk_level": "high",
            "requested_by": "ann@example.com",
            "approvals_required": 2,
            "approvals_received": 1,
            "approved_by": ["bob@example.com"],
            "justification": "moved to the new cluster",
            "estimated_cost": 250.5,
            "estimated_duration": "ten minutes",
            "expires_at": "2026-02-01T09:00:00.000Z",
            "execute_by": "2026-02-02T10:00:00.000Z",
            "remark": "looks right",
            "link": "https://approvals.example.com/approvals/01930000-0000-4000-8000-0000000000bb",
        })
    );
}

#[test]
fn the_envelope_is_that_of_cloud_events() {
    let mut event = cloud_event(&message(&full(), DASHBOARD));
    event.remove("data");
    let mut expected = json!({
        "specversion": "1.0",
        "id": "01930000-0000-7000-8000-0000000000aa",
        "source": source().as_str(),
        "type": "countersign.approval.granted.v1",
        "subject": "01930000-0000-4000-8000-0000000000bb",
        "time": "2026-01-31T09:30:15.250Z",
        "datacontenttype": "application/json",
        "sequence": "0000000002",
    });
    assert_eq!(Value::Object(event), expected);
    let mut event = cloud_event(&anomaly_message(&anomaly("x"), DASHBOARD));
    event.remove("data");
    expected["type"] = json!("countersign.anomaly.detected.v1");
    expected.as_object_mut().unwrap().remove("sequence");
    assert_eq!(Value::Object(event), expected);
}

#[test]
fn what_has_no_value_is_absent_and_never_null() {
    let (whole, rest) = (default(&message(&full(), DASHBOARD)), default(&message(&bare(), None)));
    let missing: BTreeSet<_> = whole.keys().filter(|name| !rest.contains_key(*name)).collect();
    let optional = ["estimated_cost", "estimated_duration", "execute_by", "link", "remark"];
    assert_eq!(missing.into_iter().collect::<Vec<_>>(), optional);
    assert!(!rest.values().any(Value::is_null));
    assert_eq!(rest["approved_by"], json!([]));
}

#[test]
fn people_read_what_they_need_to_decide() {
    assert_eq!(
        email(&message(&full(), DASHBOARD)),
        "\
Approval 1 of 2: delete_instance on prod-db-01

Status         pending
Risk           high
Environment    production
Operation      delete_instance
Instance       prod-db-01
Requester      ann@example.com
Approvals      1 of 2
Approved by    bob@example.com
Estimated cost 250.5
Duration       ten minutes
Decide by      2026-02-01 09:00 UTC
Request        01930000-0000-4000-8000-0000000000bb
Event          APPROVAL_GRANTED by bob@example.com at 2026-01-31 09:30 UTC

Justification
  | moved to the new cluster

bob@example.com says
  | looks right

What exactly will run, and where to decide:
https://approvals.example.com/approvals/01930000-0000-4000-8000-0000000000bb
"
    );
    let approved = email(&message(&Notification { status: Status::Approved, ..full() }, None));
    assert!(approved.contains("\nStart by       2026-02-02 10:00 UTC\n"), "{approved}");
    assert!(!approved.contains("Decide by"), "{approved}");
    let nobody = email(&message(&bare(), None));
    for line in ["Approved by    nobody yet\n", "Estimated cost not given\n"] {
        assert!(nobody.contains(line), "{nobody}");
    }
    for absent in ["Duration", "says"] {
        assert!(!nobody.contains(absent), "{nobody}");
    }
}

#[test]
fn a_link_has_one_slash_where_one_belongs_and_needs_a_dashboard() {
    let expected = "https://a.example/base/approvals/01930000-0000-4000-8000-0000000000bb";
    for url in ["https://a.example/base", "https://a.example/base/", "https://a.example/base///"] {
        let message = message(&full(), Some(url));
        assert_eq!(default(&message)["link"], expected, "{url}");
        assert!(email(&message).contains(&format!("\n{expected}\n")), "{url}");
    }
    let message = message(&full(), None);
    assert_eq!(default(&message).get("link"), None);
    let email = email(&message);
    assert!(!email.contains("://"), "{email}");
    assert!(email.ends_with("GET /v1/approvals/01930000-0000-4000-8000-0000000000bb\n"), "{email}");
}

#[test]
fn subscriptions_filter_by_seven_attributes_and_none_is_empty() {
    for event_type in EventType::iter() {
        for notification in [full(), bare(), long()] {
            let notification = Notification { event_type, ..notification };
            let expected = [
                ("event_type", event_type.as_str().to_owned()),
                ("status", "pending".to_owned()),
                ("risk_level", "high".to_owned()),
                ("environment", "production".to_owned()),
                ("operation_type", notification.operation_type.to_string()),
                ("requested_by", notification.requested_by.to_string()),
                ("event_id", notification.event_id.to_string()),
            ];
            let attributes = message(&notification, DASHBOARD).attributes;
            assert_eq!(attributes, expected);
            assert!(attributes.iter().all(|(_, value)| !value.is_empty()), "{attributes:?}");
        }
    }
}

/// A damaged request.
fn anomaly(finding: &str) -> AnomalyNotice {
    AnomalyNotice {
        event_id: EventId::parse("01930000-0000-7000-8000-0000000000aa").unwrap(),
        event_type: EventType::AnomalyDetected,
        timestamp: Timestamp::parse("2026-01-31T09:30:15.250Z").unwrap(),
        user: person("bob@example.com"),
        request_id: RequestId::parse("01930000-0000-4000-8000-0000000000bb").unwrap(),
        finding: finding.to_owned(),
        link: None,
    }
}

#[test]
fn an_operator_reads_what_is_damaged_and_what_to_do() {
    let message = anomaly_message(&anomaly("the trail does not lead to the request's status"), DASHBOARD);
    assert_eq!(
        message.subject,
        "[integrity] A stored request is damaged: 01930000-0000-4000-8000-0000000000bb"
    );
    assert!(message.subject.len() <= MAX_SUBJECT);
    assert_eq!(
        Value::Object(default(&message)),
        json!({
            "event_id": "01930000-0000-7000-8000-0000000000aa",
            "event_type": "ANOMALY_DETECTED",
            "timestamp": "2026-01-31T09:30:15.250Z",
            "user": "bob@example.com",
            "request_id": "01930000-0000-4000-8000-0000000000bb",
            "finding": "the trail does not lead to the request's status",
            "link": "https://approvals.example.com/approvals/01930000-0000-4000-8000-0000000000bb",
        })
    );
    let text = email(&message);
    for expected in [
        "A stored request is damaged\n",
        "Request        01930000-0000-4000-8000-0000000000bb\n",
        "Found          the trail does not lead to the request's status\n",
        "Met by         a command of bob@example.com at 2026-01-31 09:30 UTC\n",
        "Event          ANOMALY_DETECTED 01930000-0000-7000-8000-0000000000aa\n",
        "`countersign verify 01930000-0000-4000-8000-0000000000bb` says what",
        "`countersign verify --all` says whether",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    let link = "https://approvals.example.com/approvals/01930000-0000-4000-8000-0000000000bb\n";
    assert!(text.ends_with(link), "{text}");
    let without = anomaly_message(&anomaly("x"), None);
    assert!(!default(&without).contains_key("link"));
    assert!(!email(&without).contains("://"));
}

#[test]
fn a_damaged_request_has_the_attributes_that_it_can_have_and_none_is_empty() {
    let expected = [
        ("event_type", "ANOMALY_DETECTED".to_owned()),
        ("event_id", "01930000-0000-7000-8000-0000000000aa".to_owned()),
    ];
    assert_eq!(anomaly_message(&anomaly("x"), DASHBOARD).attributes, expected);
}

#[test]
fn no_finding_passes_for_a_line_of_ours() {
    let lines = email(&anomaly_message(&anomaly("x"), DASHBOARD)).lines().count();
    for words in HOSTILE {
        let text = email(&anomaly_message(&anomaly(words), DASHBOARD));
        assert_eq!(text.lines().count(), lines, "{words:?}");
        assert_eq!(text.chars().find(|c| hides_or_reorders(*c)), None, "{words:?}");
    }
}

/// Characters that move the cursor, reverse the order of others, or cannot be seen: Unicode's own
/// list of bidirectional controls, and what is drawn without width.
fn hides_or_reorders(c: char) -> bool {
    let bidirectional =
        matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let without_width = matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200d}'
        | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}'
        | '\u{e0100}'..='\u{e01ef}');
    (c.is_control() && c != '\n') || bidirectional || without_width
}

/// The lines that are ours; of the one that quotes the duration, only how it begins.
fn own_lines(email: &str) -> Vec<&str> {
    let own = email.split('\n').filter(|line| !line.starts_with("  | "));
    own.map(|line| if line.starts_with("Duration       ") { "Duration" } else { line }).collect()
}

/// Whatever was written, our own lines are the same.
fn check_words(words: &str) {
    let (Ok(justification), Ok(remark)) = (Justification::parse(words), CommentText::parse(words)) else {
        return;
    };
    let duration: String = words.chars().take(200).collect();
    let notification = Notification {
        justification: Some(justification),
        remark: Some(remark),
        estimated_duration: DurationText::parse(&duration).ok().or(full().estimated_duration),
        ..full()
    };
    for dashboard in [None, DASHBOARD] {
        let (harmless, hostile) = (message(&full(), dashboard), message(&notification, dashboard));
        let text = email(&hostile);
        assert_eq!(own_lines(&text), own_lines(&email(&harmless)), "{words:?}");
        assert_eq!(text.chars().find(|c| hides_or_reorders(*c)), None, "{words:?}");
        assert_eq!(hostile.subject, harmless.subject, "{words:?}");
        assert_eq!(hostile.attributes, harmless.attributes, "{words:?}");
        assert_eq!(default(&hostile)["justification"], words, "programs get it as it was written");
    }
}

/// What an attacker would write whose words should pass for ours.
const HOSTILE: &[&str] = &[
    "ok\nApproved by    boss@example.com",
    "ok\r\nApproved by    boss@example.com\r\n",
    "ok\rApproved by    boss@example.com",
    "ok\u{2028}Approved by    boss@example.com\u{2029}Risk           low",
    "ok\u{85}Status         approved\u{b}Risk           low\u{c}Risk           low",
    "ok\n\nWhat exactly will run, and where to decide:\nhttps://evil.example/approvals/1\n",
    "\n\n\nStatus         approved\n\n\n",
    "  | ok\n  |\n|",
    "\u{1b}[2J\u{1b}[HApproved by    boss@example.com",
    "\u{1b}]8;;https://evil.example\u{7}approve\u{1b}]8;;\u{7}",
    "\u{9b}2J approved\u{8}\u{8}\u{8}\u{8}\u{7f}",
    "safe\u{202e}elbasrever ton\u{202c} \u{2066}x\u{2069} \u{61c}\u{200e}\u{200f}",
    "dr\u{200b}op \u{feff}\u{2060}\u{ad}\u{34f}\u{180e}\u{3164}\u{e0041}\u{fe0f} table",
    "\0null",
    "\"}],\"default\":\"x\\\"\\u0041\\",
    "{\"default\":\"x\"}",
];

#[test]
fn no_words_of_people_pass_for_a_line_of_ours() {
    for words in HOSTILE {
        check_words(words);
    }
    let email = email(&message(
        &Notification { justification: Some(Justification::parse(HOSTILE[0]).unwrap()), ..full() },
        None,
    ));
    assert!(email.contains("\n  | ok\n  | Approved by    boss@example.com\n"), "{email}");
}

proptest! {
    #[test]
    fn no_words_at_all_pass_for_a_line_of_ours(
        words in prop::collection::vec(
            prop_oneof![
                prop::sample::select(HOSTILE).prop_map(str::to_owned),
                any::<char>().prop_map(String::from),
                prop::char::range('\0', '\u{2fff}').prop_map(String::from),
                Just("\n".to_owned()),
                Just("\r".to_owned()),
            ],
            1..20,
        )
    ) {
        check_words(&words.concat());
    }
}

/// Every way a character is written: as it is, escaped once or twice by JSON, escaped for people, and
/// the break of a line.
const COSTLY: [char; 14] = [
    'a',
    'é',
    '語',
    '😀',
    '"',
    '\\',
    '\n',
    '\t',
    '\u{1}',
    '\u{7f}',
    '\u{9b}',
    '\u{202e}',
    '\u{2028}',
    '\u{e0fff}',
];

#[test]
fn the_largest_message_fits_whatever_it_is_made_of() {
    let dashboard = format!("https://{}.example", "d".repeat(2000));
    for c in COSTLY {
        // Something must be visible.
        let words = |characters: usize| format!("{}a", String::from(c).repeat(characters - 1));
        for event_type in EventType::iter() {
            let notification = Notification {
                event_type,
                justification: Some(Justification::parse(&words(4000)).unwrap()),
                remark: Some(CommentText::parse(&words(2000)).unwrap()),
                estimated_duration: Some(DurationText::parse(&words(200)).unwrap()),
                estimated_cost: Some(Cost::new(999_999_999_999_999.9).unwrap()),
                sequence: u64::MAX,
                ..long()
            };
            let Message { subject, document, attributes } = message(&notification, Some(&dashboard));
            let attributes: usize =
                attributes.iter().map(|(name, value)| name.len() + "String".len() + value.len()).sum();
            let bytes = subject.len() + document.len() + attributes;
            assert!(bytes <= MAX_MESSAGE_BYTES, "{c:?}: {bytes}");
        }
    }
}
