//! Whether everything in the document agrees with everything else. Refuses to know keys, and so who says so.

use super::document::Document;
use super::mismatch::Mismatch;
use super::{events, permit, replay, texts};
use countersign_core::audit::AuditEvent;
use countersign_core::canonical::CanonicalJson;
use countersign_core::content;
use countersign_core::digest::Digest;
use countersign_core::event::EventType;
use countersign_core::policy::PolicyText;
use countersign_core::timestamp::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Members of the content that the first event repeats.
const OF_FIRST: [&str; 11] = [
    "approvals_required",
    "slots",
    "owner",
    "ticket",
    "policy_version",
    "expires_at",
    "executor",
    "execution",
    "execute_at",
    "filed_by",
    "estimated_cost",
];

/// Names everything that does not agree, and gives the events if all could be read.
pub(super) fn check(document: &Document, mismatches: &mut Vec<Mismatch>) -> Vec<AuditEvent> {
    if Timestamp::parse(&document.made_at).is_err() {
        mismatches.push(Mismatch::Form("its time is none"));
    }
    check_documents(document, mismatches);
    let Some(events) = events::read(document, mismatches) else { return Vec::new() };
    events::check(document, &events, mismatches);
    check_content(document, &events, mismatches);
    let state = &document.request.state;
    let state_digest = digest_of(state);
    if events.last().and_then(|last| last.state_digest) != Some(state_digest) {
        mismatches.push(Mismatch::Digest("state"));
    }
    replay::check(&document.request.content, state, &events, mismatches);
    texts::check(document, &events, mismatches);
    check_policies(document, &events, mismatches);
    if let Some(claims) = &document.permit {
        permit::check(document, claims, &events, mismatches);
    }
    events
}

fn digest_of(members: &Map<String, Value>) -> Digest {
    CanonicalJson::of(&Value::Object(members.clone())).digest()
}

/// Parameters and target against their digests.
fn check_documents(document: &Document, mismatches: &mut Vec<Mismatch>) {
    let request = &document.request;
    let target = request.state.get("target").and_then(|target| target.get("target_digest"));
    let parts = [
        ("parameters", &request.parameters, document.content("parameters_digest")),
        ("target", &request.target, target.and_then(Value::as_str)),
    ];
    let is_left_out = document.redacted || document.is_erased();
    for (name, text, digest) in parts {
        let is_right = match (text, digest) {
            (Some(_), _) if is_left_out => false,
            (Some(text), Some(digest)) => Digest::of(text).to_string() == digest,
            (None, Some(_)) => is_left_out,
            (Some(_), None) => false,
            (None, None) => true,
        };
        if !is_right {
            mismatches.push(Mismatch::Digest(name));
        }
    }
}

/// The content against the digests in events, and against what the first event repeats of it.
fn check_content(document: &Document, events: &[AuditEvent], mismatches: &mut Vec<Mismatch>) {
    let shown = &document.request.content;
    if document.content("format") != Some(content::FORMAT) {
        mismatches.push(Mismatch::Form("its content is of another format"));
    }
    let shown_digest = digest_of(shown).to_string();
    let content_digest = match document.is_erased() {
        // What is shown is what is left: one event binds both.
        true => document.request.state.get("content_digest").and_then(Value::as_str).unwrap_or_default(),
        false => &shown_digest,
    };
    if document.is_erased() && texts::OF_CONTENT.into_iter().any(|name| shown.contains_key(name)) {
        mismatches.push(Mismatch::Parts("its content has texts that were erased"));
    }
    let parameters_digest = document.content("parameters_digest");
    for event in events {
        let details = event.details.to_value();
        let is_bound = matches!(
            event.event_type.known(),
            Some(
                EventType::ApprovalRequestCreated
                    | EventType::ApprovalGranted
                    | EventType::ApprovalRejected
                    | EventType::ExecutionStarted
                    | EventType::ParametersErased
            )
        );
        let named = |name: &str| details.get(name).and_then(Value::as_str);
        let is_erasure = event.event_type.known() == Some(EventType::ParametersErased);
        let is_right = named("content_digest") == Some(content_digest)
            && named("parameters_digest") == parameters_digest
            && (!is_erasure || named("remaining_content_digest") == Some(&shown_digest));
        if is_bound && !is_right {
            let what = "is about other content or parameters";
            mismatches.push(Mismatch::Event { sequence: event.sequence, what });
        }
        if event.sequence == 1 {
            let differs = |name: &&str| details.get(name) != shown.get(*name);
            let others = OF_FIRST.into_iter().filter(differs);
            mismatches.extend(others.map(Mismatch::Content));
        }
    }
}

/// The versions of policies that events name, each once, in the order in which they do.
pub(super) fn policy_versions(events: &[AuditEvent]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let details = events.iter().map(|event| event.details.to_value());
    let versions = details.filter_map(|details| Some(details.get("policy_version")?.as_str()?.to_owned()));
    versions.filter(|version| seen.insert(version.clone())).collect()
}

fn check_policies(document: &Document, events: &[AuditEvent], mismatches: &mut Vec<Mismatch>) {
    let shown: Vec<_> = document.policies.iter().map(|policy| policy.version.clone()).collect();
    if shown != policy_versions(events) {
        mismatches.push(Mismatch::Parts("the policies are not those that the events name"));
    }
    for policy in &document.policies {
        let Some(files) = &policy.files else { continue };
        let text = PolicyText { operations: &files.operations, people: &files.people, access: &files.access };
        if text.version().to_string() != policy.version {
            mismatches.push(Mismatch::Policy(policy.version.clone()));
        }
    }
}
