//! Where a request stands, as one canonical document: what each audit event binds.
//!
//! The document holds what the request was made with by its `content_digest`, and everything that
//! events have changed since. Texts are in it by the digests that their events have of them, and idempotency
//! keys by theirs: the
//! document is never shown, its SHA-256 is.

use crate::canonical::CanonicalJson;
use crate::content::{amount, people};
use crate::digest::Digest;
use crate::execution::{Execution, Target};
use crate::request::{Comment, Decision, Request, Withdrawal};
use crate::text::CommentText;
use crate::text_key::KeyedText;
use serde_json::{Map, Value, json};

/// Names the set of members. Another set gets another name.
pub const FORMAT: &str = "countersign.state.v1";

impl Request {
    /// The state after the last event. Neither the head of the trail nor the seal is in it: both
    /// follow from it.
    pub fn state(&self) -> CanonicalJson {
        let cancellation = self.cancellation.as_ref().map(|cancellation| {
            present([
                ("at", json!(cancellation.at.to_string())),
                ("by", json!(cancellation.by.as_str())),
                ("reason_digest", text(cancellation.reason.as_ref())),
            ])
        });
        let idempotency = self.idempotency.iter().map(|record| {
            json!({
                "person": record.person.as_str(),
                "command": record.command.to_string(),
                "key_digest": record.key_digest.to_string(),
                "body_digest": record.body_digest.to_string(),
            })
        });
        CanonicalJson::of(&present([
            ("format", json!(FORMAT)),
            ("content_digest", json!(self.content.digest().to_string())),
            ("justification_digest", json!(self.content.justification.digest().to_string())),
            ("version", json!(self.version)),
            ("updated_at", json!(self.updated_at.to_string())),
            ("last_event_id", json!(self.last_event_id.to_string())),
            ("status", json!(self.status.as_str())),
            ("approved_at", json!(self.approved_at.map(|time| time.to_string()))),
            ("execute_by", json!(self.execute_by.map(|time| time.to_string()))),
            ("expired_at", json!(self.expired_at.map(|time| time.to_string()))),
            ("erased_at", json!(self.erased_at.map(|time| time.to_string()))),
            ("decisions", self.decisions.iter().map(decision).collect()),
            ("withdrawals", self.withdrawals.iter().map(withdrawal).collect()),
            ("cancellation", json!(cancellation)),
            ("target", json!(self.target.as_ref().map(target))),
            ("execution", json!(self.execution.as_ref().map(execution))),
            ("comments", self.comments.iter().map(comment).collect()),
            ("idempotency", idempotency.collect()),
        ]))
    }

    /// SHA-256 of [`Request::state`].
    pub fn state_digest(&self) -> Digest {
        self.state().digest()
    }
}

fn present<const N: usize>(members: [(&str, Value); N]) -> Value {
    let given = members.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(given.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

fn text(text: Option<&KeyedText<CommentText>>) -> Value {
    json!(text.map(|text| text.digest().to_string()))
}

fn decision(decision: &Decision) -> Value {
    present([
        ("person", json!(decision.person.as_str())),
        ("addresses", people(&decision.addresses)),
        ("decision", json!(decision.verdict.as_str())),
        ("at", json!(decision.at.to_string())),
        ("comment_digest", text(decision.comment.as_ref())),
        ("groups", json!(decision.groups)),
        ("digest_presented", json!(decision.digest_presented)),
        ("channel", json!(decision.channel.as_str())),
        ("source_ip", json!(decision.source_ip.map(|address| address.to_string()))),
        ("policy_version", json!(decision.policy_version.to_string())),
        ("event_id", json!(decision.event_id.to_string())),
    ])
}

fn withdrawal(withdrawal: &Withdrawal) -> Value {
    json!({
        "person": withdrawal.person.as_str(),
        "at": withdrawal.at.to_string(),
        "event_id": withdrawal.event_id.to_string(),
    })
}

fn target(target: &Target) -> Value {
    json!({
        "by": target.by.as_str(),
        "at": target.at.to_string(),
        "target_digest": target.digest().to_string(),
    })
}

fn execution(execution: &Execution) -> Value {
    let finish = execution.finish.as_ref().map(|finish| {
        let result = finish.result.as_ref();
        let result = result.map(|result| result.digest().to_string());
        present([
            ("at", json!(finish.at.to_string())),
            ("outcome", json!(finish.outcome.as_str())),
            ("result_digest", json!(result)),
            ("actual_cost", amount(finish.actual_cost)),
            ("note_digest", text(finish.note.as_ref())),
        ])
    });
    present([
        ("execution_id", json!(execution.id.to_string())),
        ("started_by", json!(execution.started_by.as_str())),
        ("started_at", json!(execution.started_at.to_string())),
        ("policy_version", json!(execution.policy_version.to_string())),
        ("permit_expires_at", json!(execution.permit_expires_at.to_string())),
        ("lease_seconds", json!(execution.lease_seconds)),
        ("lease_until", json!(execution.lease_until.to_string())),
        ("claimed_by", json!(execution.claim.as_ref().map(|claim| claim.by.as_str()))),
        ("claimed_at", json!(execution.claim.as_ref().map(|claim| claim.at.to_string()))),
        ("unknown_since", json!(execution.unknown_since.map(|time| time.to_string()))),
        ("finish", json!(finish)),
    ])
}

fn comment(comment: &Comment) -> Value {
    json!({
        "person": comment.person.as_str(),
        "at": comment.at.to_string(),
        "text_digest": comment.text.digest().to_string(),
        "event_id": comment.event_id.to_string(),
    })
}
