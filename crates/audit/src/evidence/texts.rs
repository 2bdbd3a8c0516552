//! The texts of the document, against the digests that events have of them.

use super::document::{Document, ShownText};
use super::mismatch::Mismatch;
use countersign_core::audit::AuditEvent;
use countersign_core::text_key::TextKey;
use serde_json::Value;
use std::collections::BTreeSet;

/// The texts that a request is made with, as members of its content.
pub(super) const OF_CONTENT: [&str; 3] = ["justification", "estimated_duration", "rollback_plan"];

/// The digest of the result, which is a document of the operation.
pub(super) const RESULT: &str = "result_digest";

/// Members of details that are digests of texts.
const OF_TEXTS: [&str; 8] = [
    "comment_digest",
    "estimated_duration_digest",
    "justification_digest",
    "note_digest",
    "reason_digest",
    RESULT,
    "rollback_plan_digest",
    "text_digest",
];

/// The digests of texts that an event has, with the names of their members.
pub(super) fn digests(event: &AuditEvent) -> Vec<(&'static str, String)> {
    let details = event.details.to_value();
    let digest = |name: &'static str| Some((name, details.get(name)?.as_str()?.to_owned()));
    OF_TEXTS.into_iter().filter_map(digest).collect()
}

/// Checks each text that is shown, and that none is missing that the request still has.
pub(super) fn check(document: &Document, events: &[AuditEvent], mismatches: &mut Vec<Mismatch>) {
    let mut shown = BTreeSet::new();
    for text in &document.texts {
        let mut refuse = |what| mismatches.push(mismatch(&text.event_id, &text.member, what));
        if !shown.insert((text.event_id.as_str(), text.member.as_str())) {
            refuse("is shown twice");
        }
        if !is_of_digest(text, events) {
            refuse("is not the one that the event has a digest of");
        }
        if document.redacted && text.member == RESULT {
            refuse("is shown although it is left out");
        }
        if document.is_erased() {
            refuse("is shown although it was erased");
        }
        let of_content = text.member.strip_suffix("_digest").filter(|name| OF_CONTENT.contains(name));
        if of_content.is_some_and(|name| document.content(name) != Some(&text.text)) {
            refuse("is not the one of the content");
        }
    }
    for event in events {
        for (member, digest) in digests(event) {
            let event_id = event.event_id.to_string();
            let is_kept = !document.is_erased() && is_kept(&document.request.state, event, &digest);
            let is_left_out = document.redacted && member == RESULT;
            if is_kept && !is_left_out && !shown.contains(&(event_id.as_str(), member)) {
                mismatches.push(mismatch(&event_id, member, "is missing"));
            }
        }
    }
}

fn mismatch(event_id: &str, member: &str, what: &'static str) -> Mismatch {
    Mismatch::Text { event_id: event_id.to_owned(), member: member.to_owned(), what }
}

fn is_of_digest(text: &ShownText, events: &[AuditEvent]) -> bool {
    let event = events.iter().find(|event| event.event_id.to_string() == text.event_id);
    let named = event.into_iter().flat_map(digests).find(|(member, _)| *member == text.member);
    let key = TextKey::parse(&text.key);
    named.zip(key.ok()).is_some_and(|((_, digest), key)| key.digest(&text.text).to_string() == digest)
}

/// Whether the request still has the text: that of a decision goes with the decision. The texts of the first event are
/// in the content.
fn is_kept(state: &serde_json::Map<String, Value>, event: &AuditEvent, digest: &str) -> bool {
    event.sequence == 1 || state.values().any(|value| has(value, digest))
}

fn has(value: &Value, digest: &str) -> bool {
    match value {
        Value::String(text) => text == digest,
        Value::Array(elements) => elements.iter().any(|element| has(element, digest)),
        Value::Object(members) => members.values().any(|member| has(member, digest)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
