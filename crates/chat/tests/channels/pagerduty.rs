//! Events for `PagerDuty`: one incident per request, within its limits.

use crate::events::{
    LINK, LONGEST, REQUEST, anomaly, answer, assert_visible, body, class, full, hostile, longest, noisy,
    repeated, slow, source, summary, summary_with,
};
use countersign_chat::call::SecretUrl;
use countersign_chat::pagerduty::{
    Action, ENDPOINT, EU_ENDPOINT, MAX_BYTES, MAX_SUMMARY, NoRequest, PagerDuty, outcome,
};
use countersign_chat::summary::{Fact, Quote, Summary};
use countersign_core::notification::Notification;
use countersign_core::risk::RiskLevel;
use countersign_delivery::outcome::{FailureClass, Outcome};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

const KEY: &str = "R0123456789ABCDEFGHIJKLMNOPQRSTU";

fn service() -> PagerDuty {
    PagerDuty::new(SecretUrl::parse(ENDPOINT).unwrap(), KEY).unwrap()
}

fn event(action: Action, summary: &Summary) -> Value {
    body(&service().enqueue(action, summary).unwrap())
}

#[test]
fn a_key_has_32_letters_and_digits_and_is_not_printed() {
    let endpoint = || SecretUrl::parse(EU_ENDPOINT).unwrap();
    let service = PagerDuty::new(endpoint(), &format!("{KEY}\n")).unwrap();
    assert!(!format!("{service:?}").contains(KEY));
    let call = service.enqueue(Action::Trigger, &summary(full())).unwrap();
    assert!(!format!("{call:?}").contains(KEY));
    assert_eq!(call.url.expose().as_str(), EU_ENDPOINT);
    for key in ["", "short", &KEY.replace('R', "-"), &format!("{KEY}1")] {
        assert!(PagerDuty::new(endpoint(), key).is_err(), "{key}");
    }
}

#[test]
fn a_request_begins_one_incident() {
    let event = event(Action::Trigger, &summary(full()));
    assert_eq!(event["routing_key"], KEY);
    assert_eq!(event["event_action"], "trigger");
    assert_eq!(event["dedup_key"], REQUEST);
    assert_eq!(event["client_url"], LINK);
    assert_eq!(event["links"], json!([{ "href": LINK, "text": "The request" }]));
    let payload = &event["payload"];
    assert_eq!(payload["summary"], "[high] Approval 1 of 2: delete_instance on prod-db-01");
    assert_eq!(payload["source"], source().as_str());
    assert_eq!(payload["timestamp"], full().timestamp.to_string());
    let place = (&payload["component"], &payload["class"], &payload["group"]);
    assert_eq!(place, (&json!("prod-db-01"), &json!("delete_instance"), &json!("production")));
    let details = &payload["custom_details"];
    assert_eq!(details["Requester"], "ann@example.com");
    assert_eq!(details["Justification"], "| moved to the new cluster");
}

#[test]
fn what_comes_after_names_the_incident_alone() {
    for (action, name) in [(Action::Acknowledge, "acknowledge"), (Action::Resolve, "resolve")] {
        let event = event(action, &summary(full()));
        assert_eq!(event, json!({ "routing_key": KEY, "event_action": name, "dedup_key": REQUEST }));
    }
}

#[test]
fn severity_follows_risk() {
    for (risk_level, severity) in
        [(RiskLevel::Low, "info"), (RiskLevel::Medium, "warning"), (RiskLevel::High, "error")]
    {
        let event = event(Action::Trigger, &summary(Notification { risk_level, ..full() }));
        assert_eq!(event["payload"]["severity"], severity);
    }
    assert_eq!(event(Action::Trigger, &anomaly("damaged"))["payload"]["severity"], "critical");
}

#[test]
fn a_message_about_no_request_is_no_incident() {
    let report = Summary { request_id: None, ..summary(full()) };
    assert_eq!(service().enqueue(Action::Trigger, &report), Err(NoRequest));
}

fn check(summary: &Summary) {
    let call = service().enqueue(Action::Trigger, summary).unwrap();
    assert!(call.body.len() < MAX_BYTES, "{}", call.body.len());
    let event = body(&call);
    let text = event["payload"]["summary"].as_str().unwrap();
    assert!(text.chars().count() <= MAX_SUMMARY && !text.contains('\n'), "{text}");
    assert_visible(&event);
}

#[test]
fn whatever_is_written_fits() {
    for c in LONGEST {
        let texts = (repeated(*c, 4000), repeated(*c, 2000), repeated(*c, 200));
        check(&summary_with(longest(&texts.0, &texts.1, &texts.2), noisy(&texts.1)));
    }
    let mut report = summary(full());
    let long = "\u{1f600}".repeat(5000);
    report.headline = long.clone();
    report.facts = (0..200).map(|_| Fact { name: "Person", value: long.clone() }).collect();
    report.quotes = (0..200).map(|n| Quote { title: format!("{n}{long}"), text: long.clone() }).collect();
    report.notes = vec![long.clone(); 200];
    report.advice = Some(long);
    check(&report);
}

#[test]
fn an_answer_means_this() {
    let taken = format!(r#"{{"status":"success","message":"Event processed","dedup_key":"{REQUEST}"}}"#);
    let reference = Some(REQUEST.to_owned());
    assert_eq!(outcome(&answer(202, &taken)), Outcome::Delivered { status: Some(202), reference });
    assert_eq!(outcome(&answer(202, "")), Outcome::Delivered { status: Some(202), reference: None });
    let invalid = |error: &str| json!({ "status": "invalid event", "errors": [error] }).to_string();
    for (status, body, expected) in [
        (200, "", FailureClass::Refused),
        (302, "", FailureClass::Refused),
        (400, "", FailureClass::Refused),
        (400, &invalid("'payload.summary' is missing or blank for ann@example.com"), FailureClass::Refused),
        (400, &invalid("Invalid routing key"), FailureClass::Credentials),
        (400, &invalid("'routing_key' is invalid"), FailureClass::Credentials),
        (401, "", FailureClass::Credentials),
        (404, "", FailureClass::Refused),
        (410, "", FailureClass::Refused),
        (413, "", FailureClass::Refused),
        (429, "", FailureClass::Overloaded),
        (500, "", FailureClass::Overloaded),
        (503, "", FailureClass::Overloaded),
    ] {
        let outcome = outcome(&answer(status, body));
        assert_eq!(class(&outcome), expected, "{status} {body}");
        assert!(!format!("{outcome:?}").contains("ann@example.com"));
    }
    let Outcome::Failed(failure) = outcome(&slow(429, "")) else { panic!() };
    assert_eq!(failure.retry_after, Some(Duration::from_secs(30)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_that_people_write_passes_a_limit(justification in hostile(4000), note in hostile(300)) {
        check(&summary_with(longest(&justification, &note, "x"), noisy(&note)));
        check(&anomaly(&note));
    }
}
