//! Events as OCSF has them, held against what the schema requires.

use super::*;
use crate::population::tests::event;
use countersign_core::canonical::CanonicalJson;
use strum::IntoEnumIterator as _;

/// What the schema requires of every event, and of the two classes; members of profiles that are not applied left out.
fn check(event: &Value) {
    let number = |name: &str| event[name].as_u64().unwrap_or_else(|| panic!("{name} of {event}"));
    let class = number("class_uid");
    assert_eq!(number("category_uid"), class / 1000);
    assert_eq!(number("type_uid"), class * 100 + number("activity_id"));
    assert!((1..=5).contains(&number("severity_id")) && number("status_id") <= 2, "{event}");
    assert!(event["time"].as_i64().is_some_and(|time| time > 1_000_000_000_000), "{event}");
    assert_eq!(event["metadata"]["version"], "1.6.0");
    assert_eq!(event["metadata"]["product"]["name"], "Countersign");
    match class {
        6003 => {
            assert!(event["api"]["operation"].is_string() && event["actor"]["user"]["uid"].is_string());
            assert!(event["src_endpoint"]["ip"].is_string() || event["src_endpoint"]["name"].is_string());
        }
        2004 => assert!(event["finding_info"]["uid"].is_string()),
        other => panic!("{other}"),
    }
}

#[test]
fn each_type_of_event_has_the_members_that_its_class_requires() {
    for event_type in EventType::iter() {
        let mapped =
            to_value(&event(1, 1, event_type.as_str(), (1, "ann@example.com", "pending"), &json!({})));
        check(&mapped);
        let is_finding = event_type == EventType::AnomalyDetected;
        assert_eq!(mapped["class_uid"], if is_finding { 2004 } else { 6003 }, "{event_type}");
    }
}

#[test]
fn what_is_mapped_is_what_the_event_says() {
    let source =
        event(7, 2, "APPROVAL_GRANTED", (1, "bob@example.com", "approved"), &json!({ "groups": ["dba"] }));
    let mapped = to_value(&source);
    assert_eq!((&mapped["type_uid"], &mapped["activity_name"]), (&json!(600_303), &json!("Update")));
    assert_eq!((&mapped["api"]["operation"], &mapped["status_id"]), (&json!("approve"), &json!(1)));
    assert_eq!(mapped["time"], source.timestamp.as_millisecond());
    assert_eq!(mapped["actor"]["user"]["name"], "bob@example.com");
    assert_eq!(mapped["src_endpoint"], json!({ "name": "api" }));
    assert_eq!(mapped["unmapped"]["details"], json!({ "groups": ["dba"] }));
    assert_eq!(mapped["raw_data"], source.document().as_str());
    let created =
        to_value(&event(7, 1, "APPROVAL_REQUEST_CREATED", (1, "ann@example.com", "pending"), &json!({})));
    assert_eq!(created["type_uid"], 600_301);
}

#[test]
fn a_type_that_is_not_known_is_another_activity() {
    let mapped = to_value(&event(1, 2, "GRANT_USED", (1, "ann@example.com", "pending"), &json!({})));
    check(&mapped);
    assert_eq!((&mapped["type_uid"], &mapped["activity_name"]), (&json!(600_399), &json!("GRANT_USED")));
    assert_eq!((&mapped["api"]["operation"], &mapped["status_id"]), (&json!("GRANT_USED"), &json!(0)));
}

/// An event that is in no stream of a request.
fn apart(stream: &str, event_type: &str, details: &Value) -> Value {
    let of_request = event(1, 1, event_type, (1, "ann@example.com", "pending"), details);
    let mut document = of_request.document().to_value();
    for name in
        ["request_id", "operation_type", "instance_id", "environment", "risk_level", "requested_by", "status"]
    {
        document.as_object_mut().unwrap().remove(name);
    }
    document["stream"] = json!(stream);
    document["source_ip"] = json!("203.0.113.7");
    to_value(&AuditEvent::read(&CanonicalJson::of(&document)).unwrap())
}

#[test]
fn readings_refusals_and_anomalies_are_of_their_own_kinds() {
    let stream = "refused/2026-01-01/ann@example.com";
    let refused = apart(stream, "ATTEMPT_REFUSED", &json!({ "operation": "approve", "code": "own_request" }));
    assert_eq!((&refused["type_uid"], &refused["severity_id"]), (&json!(600_399), &json!(2)));
    assert_eq!((&refused["status_id"], &refused["api"]["operation"]), (&json!(2), &json!("approve")));
    assert_eq!(refused["api"]["response"], json!({ "error": "own_request" }));
    assert_eq!(refused["src_endpoint"], json!({ "ip": "203.0.113.7" }));
    let counted = apart(stream, "ATTEMPT_REFUSED", &json!({ "counts": { "own_request": 3 } }));
    assert_eq!(counted["api"], json!({ "operation": "several", "service": { "name": "Countersign" } }));
    let read = apart("read/2026-01-01/ann@example.com", "AUDIT_READ", &json!({ "operation": "audit" }));
    assert_eq!((&read["type_uid"], &read["api"]["operation"]), (&json!(600_302), &json!("audit")));
    let id = "019abc00-0000-7000-8000-000000000001";
    let details = json!({ "anomaly": "integrity", "request_id": id, "finding": "it is damaged" });
    let anomaly = apart(&format!("system/integrity:{id}"), "ANOMALY_DETECTED", &details);
    assert_eq!((&anomaly["type_uid"], &anomaly["severity_id"]), (&json!(200_401), &json!(5)));
    assert_eq!(anomaly["finding_info"]["desc"], "it is damaged");
    assert_eq!(anomaly["resources"], json!([{ "type": "request", "uid": id }]));
    [refused, counted, read, anomaly].iter().for_each(check);
}
