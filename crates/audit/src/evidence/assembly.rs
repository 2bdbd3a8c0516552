//! How evidence is made: from a request, its events, the proofs that the log has them, and the texts of policies.
//!
//! What does not agree is not signed. Refuses to know where any of it comes from, and where the key is.

use super::document::{
    Document, FORMAT, MAX_BYTES, PENDING_INCLUSION, PolicyFiles, ShownEvent, ShownPolicy, ShownRequest,
    ShownText,
};
use super::mismatch::Mismatch;
use super::{consistency, dsse, texts};
use crate::key::{PublicKey, Purpose};
use crate::proof::Proof;
use countersign_core::audit::AuditEvent;
use countersign_core::canonical::CanonicalJson;
use countersign_core::event::EventType;
use countersign_core::policy::PolicyText;
use countersign_core::request::{Request, Verdict};
use countersign_core::text_key::{KeyedText, TextKey};
use countersign_core::timestamp::Timestamp;
use serde_json::{Map, Value};

/// What evidence is made of.
#[derive(Debug, Clone)]
pub struct Sources<'a> {
    /// The request.
    pub request: &'a Request,
    /// All events of its stream, the first one first, each with the proof that the log has it, unless it waits for that.
    pub events: &'a [(AuditEvent, Option<Proof>)],
    /// The texts of those policies that the caller has. What no event names is left out.
    pub policies: &'a [PolicyText<'a>],
    /// The claims of the permit of the execution, if one was given out.
    pub permit: Option<Map<String, Value>>,
    /// The time.
    pub made_at: Timestamp,
    /// Whether to leave out parameters, target and result.
    pub redacted: bool,
}

/// Evidence that is not signed yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    document: Document,
    statement: String,
}

/// Why a draft is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmade {
    /// It would not be believed: request, events and the rest do not agree.
    #[error("{}", .0.first().map(ToString::to_string).unwrap_or_default())]
    Mismatched(Vec<Mismatch>),
    /// It would be longer than what is read.
    #[error("the evidence would have more than {MAX_BYTES} bytes")]
    TooLong,
}

/// The signature is not that of the key, or the key is for other documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the evidence is not signed by the key for evidence")]
pub struct NotSigned;

impl Draft {
    /// Puts the document together.
    ///
    /// # Errors
    /// [`Unmade`].
    pub fn assemble(sources: Sources<'_>) -> Result<Self, Unmade> {
        let Sources { request, events, policies, permit, made_at, redacted } = sources;
        let only_events: Vec<_> = events.iter().map(|(event, _)| event.clone()).collect();
        let target = request.target.as_ref().and_then(|target| target.document.kept());
        let text = |document: Option<&CanonicalJson>| {
            document.filter(|_| !redacted).map(|document| document.as_str().to_owned())
        };
        let shown_events = events.iter().map(|(event, proof)| ShownEvent {
            event: event.document().as_str().to_owned(),
            inclusion: proof.as_ref().map_or_else(|| PENDING_INCLUSION.to_owned(), Proof::text),
        });
        let document = Document {
            format: FORMAT.to_owned(),
            origin: only_events.first().map(|event| event.origin.to_string()).unwrap_or_default(),
            made_at: made_at.to_string(),
            redacted,
            request: ShownRequest {
                content: members(request.content.document().to_value()),
                state: members(request.state().to_value()),
                parameters: text(request.content.parameters.kept()),
                target: text(target),
            },
            policies: shown_policies(&only_events, policies),
            permit,
            events: shown_events.collect(),
            texts: shown_texts(request, &only_events, redacted),
            dsse: None,
        };
        let mut mismatches = Vec::new();
        consistency::check(&document, &mut mismatches);
        if only_events.last().map(|last| last.hash) != Some(request.audit_head) {
            mismatches.push(Mismatch::Parts("the trail does not end where its request says it does"));
        }
        if !mismatches.is_empty() {
            return Err(Unmade::Mismatched(mismatches));
        }
        // The envelope is less than two kilobytes more.
        if document.canonical().as_str().len() > MAX_BYTES - dsse::MAX_SIGNED_BYTES {
            return Err(Unmade::TooLong);
        }
        let statement = dsse::statement(&document);
        Ok(Self { document, statement })
    }

    /// What is to be signed: at most [`dsse::MAX_SIGNED_BYTES`].
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        dsse::signed_bytes(&self.statement)
    }

    /// The evidence.
    ///
    /// # Errors
    /// [`NotSigned`]: nothing is given out that would not be believed.
    pub fn with_signature(self, key: &PublicKey, signature: &[u8; 64]) -> Result<String, NotSigned> {
        if key.purpose != Purpose::Evidence || !key.verifies(&self.signed_bytes(), signature) {
            return Err(NotSigned);
        }
        let dsse = Some(dsse::envelope(&self.statement, key, signature));
        Ok(Document { dsse, ..self.document }.canonical().as_str().to_owned())
    }
}

/// The versions of policies that events name, each once: those whose texts evidence shows.
#[must_use]
pub fn policy_versions(events: &[AuditEvent]) -> Vec<String> {
    consistency::policy_versions(events)
}

fn members(document: Value) -> Map<String, Value> {
    match document {
        Value::Object(members) => members,
        // INVARIANT: content and state are objects.
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

fn shown_policies(events: &[AuditEvent], policies: &[PolicyText<'_>]) -> Vec<ShownPolicy> {
    let files = |version: &str| {
        let text = policies.iter().find(|text| text.version().to_string() == version)?;
        Some(PolicyFiles {
            access: text.access.to_owned(),
            operations: text.operations.to_owned(),
            people: text.people.to_owned(),
        })
    };
    let versions = consistency::policy_versions(events).into_iter();
    versions.map(|version| ShownPolicy { files: files(&version), version }).collect()
}

/// The texts that the request still has, in the order of its events.
fn shown_texts(request: &Request, events: &[AuditEvent], redacted: bool) -> Vec<ShownText> {
    let kept = kept_texts(request, events);
    let mut shown = Vec::with_capacity(kept.len());
    for event in events {
        let event_id = event.event_id.to_string();
        for (of_event, member, text, key) in &kept {
            let is_left_out = redacted && *member == texts::RESULT;
            if *of_event == event_id && !is_left_out {
                let (member, text) = ((*member).to_owned(), text.clone());
                shown.push(ShownText { event_id: event_id.clone(), member, text, key: key.to_hex() });
            }
        }
    }
    shown
}

type KeptText = (String, &'static str, String, TextKey);

fn kept_text<T: AsRef<str>>(
    event_id: String,
    member: &'static str,
    text: Option<&KeyedText<T>>,
) -> Option<KeptText> {
    let (text, key) = text?.kept()?;
    Some((event_id, member, text.as_ref().to_owned(), key))
}

fn kept_texts(request: &Request, events: &[AuditEvent]) -> Vec<KeptText> {
    let id_of = |wanted: &[EventType]| {
        let is_wanted =
            |event: &&AuditEvent| event.event_type.known().is_some_and(|known| wanted.contains(&known));
        events.iter().find(is_wanted).map(|event| event.event_id.to_string()).unwrap_or_default()
    };
    let content = &request.content;
    // What was erased is erased as a whole.
    let Some((justification, key)) = content.justification.kept() else { return Vec::new() };
    let created = id_of(&[EventType::ApprovalRequestCreated]);
    let mut kept = vec![(created.clone(), "justification_digest", justification.as_str().to_owned(), key)];
    if let Some(text) = &content.estimated_duration {
        kept.push((created.clone(), "estimated_duration_digest", text.as_str().to_owned(), key));
    }
    if let Some(text) = &content.rollback_plan {
        kept.push((created, "rollback_plan_digest", text.as_str().to_owned(), key));
    }
    for decision in &request.decisions {
        let member = match decision.verdict {
            Verdict::Approved => "comment_digest",
            Verdict::Rejected => "reason_digest",
        };
        kept.extend(kept_text(decision.event_id.to_string(), member, decision.comment.as_ref()));
    }
    for comment in &request.comments {
        let is_reason = request.withdrawals.iter().any(|withdrawal| withdrawal.event_id == comment.event_id);
        let member = if is_reason { "reason_digest" } else { "text_digest" };
        kept.extend(kept_text(comment.event_id.to_string(), member, Some(&comment.text)));
    }
    let reason = request.cancellation.as_ref().and_then(|end| end.reason.as_ref());
    kept.extend(kept_text(id_of(&[EventType::ApprovalCancelled]), "reason_digest", reason));
    if let Some(finish) = request.finish() {
        let finished = id_of(&[EventType::ExecutionSucceeded, EventType::ExecutionFailed]);
        kept.extend(kept_text(finished.clone(), texts::RESULT, finish.result.as_ref()));
        kept.extend(kept_text(finished, "note_digest", finish.note.as_ref()));
    }
    kept
}
