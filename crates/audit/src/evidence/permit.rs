//! The claims of the permit, as they follow from content and events. Refuses to know how a permit is signed.

use super::document::Document;
use super::mismatch::Mismatch;
use countersign_core::audit::AuditEvent;
use countersign_core::event::EventType;
use countersign_core::timestamp::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Holds the claims that are shown against those that follow.
pub(super) fn check(
    document: &Document,
    claims: &Map<String, Value>,
    events: &[AuditEvent],
    mismatches: &mut Vec<Mismatch>,
) {
    let is_start = |event: &&AuditEvent| event.event_type.known() == Some(EventType::ExecutionStarted);
    let Some(start) = events.iter().find(is_start) else {
        mismatches.push(Mismatch::Parts("there is a permit, and no execution was started"));
        return;
    };
    let mut expected = expected(document, start);
    // What would be too long to sign has no list of approvers.
    if !claims.contains_key("approved_by") {
        expected.remove("approved_by");
    }
    let names: BTreeSet<_> = claims.keys().chain(expected.keys()).collect();
    let wrong = names.into_iter().filter(|name| claims.get(*name) != expected.get(*name));
    mismatches.extend(wrong.map(|name| Mismatch::Permit(name.clone())));
}

fn expected(document: &Document, start: &AuditEvent) -> Map<String, Value> {
    let details = start.details.to_value();
    let detail = |name: &str| details.get(name).cloned().unwrap_or(Value::Null);
    let content = |name: &str| json!(document.content(name));
    let state = &document.request.state;
    let decisions = state.get("decisions").and_then(Value::as_array).into_iter().flatten();
    let approvals = decisions.filter(|decision| decision.get("decision") == Some(&json!("approved")));
    let approvers: Vec<_> = approvals.filter_map(|decision| decision.get("person")).collect();
    let expires_at = details.get("permit_expires_at").and_then(Value::as_str);
    let claims = [
        ("iss", json!(document.origin)),
        ("aud", detail("audience")),
        ("sub", content("request_id")),
        ("jti", detail("execution_id")),
        ("iat", json!(seconds(start.timestamp))),
        ("exp", json!(expires_at.and_then(|text| Timestamp::parse(text).ok()).map(seconds))),
        ("operation_type", content("operation_type")),
        ("instance_id", content("instance_id")),
        ("environment", content("environment")),
        ("risk_level", content("risk_level")),
        ("content_digest", detail("content_digest")),
        ("parameters_digest", detail("parameters_digest")),
        (
            "target_digest",
            state
                .get("target")
                .and_then(|target| target.get("target_digest"))
                .cloned()
                .unwrap_or(Value::Null),
        ),
        ("policy_version", detail("policy_version")),
        ("requested_by", content("requested_by")),
        ("started_by", json!(start.user.as_str())),
        ("audit_head", json!(start.hash.to_string())),
        ("approved_by", json!(approvers)),
    ];
    claims
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Whole seconds since the epoch; none before it.
fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_millisecond() / 1000).unwrap_or_default()
}
