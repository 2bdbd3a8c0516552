//! What a request was made with, as one canonical document: what an approval is bound to.
//!
//! The document is the RFC 8785 form of a JSON object. An approver's program can build it from what
//! `GET /v1/approvals/{id}` shows, and compare its SHA-256 with `content_digest`; docs/data-model.md
//! names every member.

use crate::canonical::CanonicalJson;
use crate::digest::Digest;
use crate::person::PersonId;
use crate::request::Request;
use crate::risk::Cost;
use crate::text::Ticket;
use serde_json::{Map, Value, json};

/// Names the set of members. Another set gets another name.
pub const FORMAT: &str = "countersign.content.v1";

impl Request {
    /// All that the request was made with. Parameters are in it by their digest; an amount is a
    /// decimal string and every number is whole, so that any JSON library writes the same bytes.
    /// Members without a value are absent.
    pub fn content(&self) -> CanonicalJson {
        let mut content = Map::new();
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                content.insert(name.to_owned(), value);
            }
        };
        let owner = self.owner.as_ref();
        put("format", json!(FORMAT));
        put("request_id", json!(self.id.to_string()));
        put("operation_type", json!(self.operation_type.as_str()));
        put("instance_id", json!(self.instance_id.as_str()));
        put("parameters_digest", json!(self.parameters_digest.to_string()));
        put("requested_by", json!(self.requested_by.as_str()));
        put("requester_addresses", people(&self.requester_addresses));
        put("requester_groups", json!(self.requester_groups));
        put("filed_by", json!(self.filed_by.as_ref().map(PersonId::as_str)));
        put("owner", json!(owner.map(|owner| owner.person.as_str())));
        put("owner_addresses", owner.map_or(Value::Null, |owner| people(&owner.addresses)));
        put("requested_at", json!(self.requested_at.to_string()));
        put("risk_level", json!(self.risk_level.as_str()));
        put("environment", json!(self.environment.as_str()));
        put("justification", json!(self.justification.as_str()));
        put("estimated_cost", amount(self.estimated_cost));
        put("estimated_duration", json!(self.estimated_duration.as_ref().map(|text| text.as_str())));
        put("ticket", json!(self.ticket.as_ref().map(Ticket::as_str)));
        put("rollback_plan", json!(self.rollback_plan.as_ref().map(|text| text.as_str())));
        put("approvals_required", json!(self.approvals_required));
        let slots =
            self.slots.iter().map(|(groups, people)| json!({ "groups": groups, "approvals": people }));
        put("slots", slots.collect());
        put("digest_required", json!(self.digest_required));
        let rules = self.rules.iter().map(|rule| json!({ "name": rule.name, "demands": rule.demands }));
        put("rules", rules.collect());
        put("policy_version", json!(self.policy_version.to_string()));
        put("expires_at", json!(self.expires_at.to_string()));
        put("execute_within_seconds", json!(self.execute_within_seconds));
        CanonicalJson::of(&Value::Object(content))
    }

    /// SHA-256 of [`Request::content`].
    pub fn compute_content_digest(&self) -> Digest {
        self.content().digest()
    }
}

/// Ids, in the order of their bytes.
pub(crate) fn people<'a>(ids: impl IntoIterator<Item = &'a PersonId>) -> Value {
    ids.into_iter().map(PersonId::as_str).collect()
}

/// An amount as the shortest decimal that reads back to the same IEEE double.
pub(crate) fn amount(cost: Option<Cost>) -> Value {
    json!(cost.map(|cost| cost.amount().to_string()))
}
