//! What an approval is bound to: the digest of a request's content, computed here from what is shown. A
//! service that shows one thing and names another is found out.

use countersign_api::wire::{RequestBody, SlotBody};
use countersign_core::canonical::CanonicalJson;
use countersign_core::content::FORMAT;
use countersign_core::risk::{Environment, RiskLevel};
use serde_json::{Value, json};

/// A request is not shown as its digest names it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// Not all of it is shown to this person.
    #[error("you are not shown the parameters, so there is nothing to decide")]
    Hidden,
    /// It was erased.
    #[error("parameters and texts were erased at {erased_at}; their digests are left")]
    Erased {
        /// The time.
        erased_at: String,
    },
    /// Something is shown other than the digest says.
    #[error(
        "the service shows {what} other than what it names by the digest; decide nothing, and ask the operator to \
         run `countersign verify`"
    )]
    Differs {
        /// The part that differs.
        what: &'static str,
    },
}

/// The members of a content: docs/data-model.md. What is in no other member of a request, and says nothing
/// of what is to be done, is not shown: addresses, and how long an approval lasts.
const MEMBERS: [&str; 31] = [
    "format",
    "request_id",
    "operation_type",
    "instance_id",
    "parameters_digest",
    "requested_by",
    "requester_addresses",
    "requester_groups",
    "filed_by",
    "owner",
    "owner_addresses",
    "requested_at",
    "risk_level",
    "environment",
    "justification",
    "estimated_cost",
    "estimated_duration",
    "ticket",
    "rollback_plan",
    "priority",
    "approvals_required",
    "slots",
    "digest_required",
    "rules",
    "policy_version",
    "expires_at",
    "execute_within_seconds",
    "executor",
    "execution",
    "execute_at",
    "window",
];

/// The digest of what a request shows.
///
/// # Errors
/// When the parameters are not shown to this person, or something is not what the digest says.
pub fn digest_of_shown(request: &RequestBody) -> Result<String, ContentError> {
    if let Some(erased_at) = &request.erased_at {
        return Err(ContentError::Erased { erased_at: erased_at.clone() });
    }
    let Some(parameters) = &request.parameters else {
        return Err(ContentError::Hidden);
    };
    let content = request.content.clone().unwrap_or_default();
    let digest = CanonicalJson::of(&content).digest().to_string();
    let parameters_digest = CanonicalJson::of(parameters).digest().to_string();
    let is_named = |name: &str, shown: Option<&str>| content.get(name).and_then(Value::as_str) == shown;
    let cost = request.estimated_cost.map(|cost| cost.to_string());
    let agrees = [
        ("content", request.content_digest.as_deref() == Some(digest.as_str())),
        ("members", has_known_members(&content)),
        ("parameters", is_named("parameters_digest", Some(&parameters_digest))),
        ("request id", is_named("request_id", Some(&request.request_id))),
        ("operation", is_named("operation_type", Some(&request.operation_type))),
        ("instance", is_named("instance_id", Some(&request.instance_id))),
        ("requester", is_named("requested_by", Some(&request.requested_by))),
        ("groups", content.get("requester_groups") == Some(&json!(request.requester_groups))),
        ("filer", is_named("filed_by", request.filed_by.as_deref())),
        ("owner", is_named("owner", request.owner.as_deref())),
        ("time of the request", is_named("requested_at", Some(&request.requested_at))),
        ("deadline", is_named("expires_at", Some(&request.expires_at))),
        ("justification", is_named("justification", request.justification.as_deref())),
        ("cost", is_named("estimated_cost", cost.as_deref())),
        ("duration", is_named("estimated_duration", request.estimated_duration.as_deref())),
        ("ticket", is_named("ticket", request.ticket.as_deref())),
        ("rollback plan", is_named("rollback_plan", request.rollback_plan.as_deref())),
        ("priority", is_named("priority", request.priority.as_deref())),
        ("executor", is_named("executor", request.executor.as_deref())),
        ("starter", is_named("execution", request.execution.as_deref())),
        ("time of the start", is_named("execute_at", request.execute_at.as_deref())),
        ("window", content.get("window").cloned() == request.window.as_ref().map(|window| json!(window))),
        ("rules", content.get("rules") == Some(&json!(request.rules))),
        ("policy", is_named("policy_version", Some(&request.policy_version))),
        ("terms", are_terms_no_easier(request, &content)),
    ];
    if let Some((what, _)) = agrees.into_iter().find(|(_, agrees)| !agrees) {
        return Err(ContentError::Differs { what });
    }
    Ok(digest)
}

/// Whether a content is of the format that this program knows: no member of it goes unseen.
fn has_known_members(content: &Value) -> bool {
    let is_known = |name: &String| MEMBERS.contains(&name.as_str());
    content.get("format").and_then(Value::as_str) == Some(FORMAT)
        && content.as_object().is_some_and(|content| content.keys().all(is_known))
}

/// Whether what is shown of the requirements is at least as strict as the content: the policy of now may demand more
/// than the one that the request was made under, and never less.
fn are_terms_no_easier(request: &RequestBody, content: &Value) -> bool {
    let named = |name: &str| content.get(name).and_then(Value::as_str).unwrap_or_default();
    let risk = |name: &str| name.parse::<RiskLevel>().ok();
    let environment = |name: &str| name.parse::<Environment>().ok();
    let required = content.get("approvals_required").and_then(Value::as_u64);
    let must_name_digest = content.get("digest_required").and_then(Value::as_bool);
    let slots = content.get("slots").and_then(Value::as_array);
    is_at_least(risk(&request.risk_level), risk(named("risk_level")))
        && is_at_least(environment(&request.environment), environment(named("environment")))
        && is_at_least(Some(u64::from(request.approvals_required)), required)
        && is_at_least(Some(request.digest_required), must_name_digest)
        && slots.is_some_and(|slots| {
            slots.iter().all(|slot| request.slots.iter().any(|shown| is_filled_by(slot, shown)))
        })
}

/// Whether both are there, and what is shown is as strict.
fn is_at_least<T: PartialOrd>(shown: Option<T>, named: Option<T>) -> bool {
    matches!((shown, named), (Some(shown), Some(named)) if shown >= named)
}

/// Whether a slot takes as many people of the same groups.
fn is_filled_by(slot: &Value, shown: &SlotBody) -> bool {
    let approvals = slot.get("approvals").and_then(Value::as_u64);
    slot.get("groups") == Some(&json!(shown.groups))
        && is_at_least(Some(u64::from(shown.approvals)), approvals)
}
