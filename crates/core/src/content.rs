//! What a request was made with: one value that nothing changes, and what an approval is bound to.
//!
//! Its document is the RFC 8785 form of a JSON object. An approver's program can build it from what
//! `GET /v1/approvals/{id}` shows, and compare its SHA-256 with `content_digest`; docs/data-model.md
//! names every member.

use crate::canonical::CanonicalJson;
use crate::digest::Digest;
use crate::execution::{CLIENT, ExecutionMode, Schedule};
use crate::ids::RequestId;
use crate::person::PersonId;
use crate::principal::Owner;
use crate::priority::Priority;
use crate::requirements::MatchedRule;
use crate::risk::{Cost, Environment, RiskLevel};
use crate::slots::{Groups, Slots};
use crate::text::{DurationText, Identifier, InstanceId, Justification, RollbackPlan, Ticket};
use crate::text_key::{DigestedDocument, KeyedText};
use crate::timestamp::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::ops::Deref;

/// Names the set of members. Another set gets another name.
pub const FORMAT: &str = "countersign.content.v1";

/// Everything that is fixed when a request is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// Names the request.
    pub request_id: RequestId,
    /// What is to be done.
    pub operation_type: Identifier,
    /// The instance that the operation is for.
    pub instance_id: InstanceId,
    /// The parameters of the operation.
    pub parameters: DigestedDocument,
    /// The requester.
    pub requested_by: PersonId,
    /// All ids that were known to be the requester's.
    pub requester_addresses: BTreeSet<PersonId>,
    /// The groups of the requester.
    pub requester_groups: Groups,
    /// The service that asks for the requester.
    pub filed_by: Option<PersonId>,
    /// Who answers for the agent or service that asks, as it was known then.
    pub owner: Option<Owner>,
    /// When it was made.
    pub requested_at: Timestamp,
    /// The effective risk.
    pub risk_level: RiskLevel,
    /// The effective environment.
    pub environment: Environment,
    /// Why. The key of its digest is not in the document: it is a matter of the trail.
    pub justification: KeyedText<Justification>,
    /// What it is expected to cost.
    pub estimated_cost: Option<Cost>,
    /// How long it is expected to take.
    pub estimated_duration: Option<DurationText>,
    /// The ticket it belongs to.
    pub ticket: Option<Ticket>,
    /// How to go back.
    pub rollback_plan: Option<RollbackPlan>,
    /// How soon it needs an answer, as the requester has named it.
    pub priority: Option<Priority>,
    /// How many distinct people must agree, those in `slots` included.
    pub approvals_required: u8,
    /// Which groups some of them must come from.
    pub slots: Slots,
    /// Whether an approver must name the digest of what they were shown.
    pub digest_required: bool,
    /// The parts of the policy that said so.
    pub rules: Vec<MatchedRule>,
    /// The policy that said so.
    pub policy_version: Digest,
    /// When it expires if it is still pending.
    pub expires_at: Timestamp,
    /// How long an approval of it lasts, in seconds.
    pub execute_within_seconds: u32,
    /// The executor that policy names for the operation; none if its requester carries it out.
    pub executor: Option<Identifier>,
    /// How and when it is to be carried out.
    pub schedule: Schedule,
}

/// Content with its digests, which always belong to it: it is read as [`Content`], and cannot be changed.
#[derive(Debug, Clone, PartialEq)]
pub struct FixedContent {
    content: Content,
    parameters_digest: Digest,
    digest: Digest,
    /// What the digest is of: most who read a request show it too. None of content of which something was erased.
    document: Option<CanonicalJson>,
}

impl From<Content> for FixedContent {
    /// Content of which nothing was erased: of what is left otherwise, the digest does not follow.
    fn from(content: Content) -> Self {
        let parameters_digest = content.parameters.digest();
        let document = content.document(parameters_digest);
        Self { content, parameters_digest, digest: document.digest(), document: Some(document) }
    }
}

impl Deref for FixedContent {
    type Target = Content;

    fn deref(&self) -> &Content {
        &self.content
    }
}

impl FixedContent {
    /// What is left of content once its parameters and texts were erased, and the digest that it had.
    pub fn erased(content: Content, digest: Digest) -> Self {
        Self { parameters_digest: content.parameters.digest(), content, digest, document: None }
    }

    /// Erases parameters and texts, and leaves the digests.
    pub(crate) fn erase(&mut self) {
        self.document = None;
        self.content.parameters.erase();
        self.content.justification.erase();
        self.content.estimated_duration = None;
        self.content.rollback_plan = None;
    }

    /// All that the request was made with. Parameters are in it by their digest; an amount is a
    /// decimal string and every number is whole, so that any JSON library writes the same bytes.
    /// Members without a value are absent, and so are texts that were erased.
    pub fn document(&self) -> CanonicalJson {
        match &self.document {
            Some(document) => document.clone(),
            None => self.content.document(self.parameters_digest),
        }
    }

    /// SHA-256 of the canonical bytes of the parameters.
    pub fn parameters_digest(&self) -> Digest {
        self.parameters_digest
    }

    /// SHA-256 of [`FixedContent::document`] as it was before texts were erased.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl Content {
    /// By when it must be started if it is approved at a time, and so many seconds are left for the start.
    pub fn execute_by(&self, approved_at: Timestamp, within_seconds: u32) -> Timestamp {
        self.schedule.limit(approved_at.plus_seconds(within_seconds))
    }

    /// For whom a permit of its execution is: the executor, or [`CLIENT`].
    pub fn audience(&self) -> &str {
        self.executor.as_ref().map_or(CLIENT, Identifier::as_str)
    }

    fn document(&self, parameters_digest: Digest) -> CanonicalJson {
        let mut content = Map::new();
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                content.insert(name.to_owned(), value);
            }
        };
        let owner = self.owner.as_ref();
        put("format", json!(FORMAT));
        put("request_id", json!(self.request_id.to_string()));
        put("operation_type", json!(self.operation_type.as_str()));
        put("instance_id", json!(self.instance_id.as_str()));
        put("parameters_digest", json!(parameters_digest.to_string()));
        put("requested_by", json!(self.requested_by.as_str()));
        put("requester_addresses", people(&self.requester_addresses));
        put("requester_groups", json!(self.requester_groups));
        put("filed_by", json!(self.filed_by.as_ref().map(PersonId::as_str)));
        put("owner", json!(owner.map(|owner| owner.person.as_str())));
        put("owner_addresses", owner.map_or(Value::Null, |owner| people(&owner.addresses)));
        put("requested_at", json!(self.requested_at.to_string()));
        put("risk_level", json!(self.risk_level.as_str()));
        put("environment", json!(self.environment.as_str()));
        put("justification", json!(self.justification.text()));
        put("estimated_cost", amount(self.estimated_cost));
        put("estimated_duration", json!(self.estimated_duration.as_ref().map(|text| text.as_str())));
        put("ticket", json!(self.ticket.as_ref().map(Ticket::as_str)));
        put("rollback_plan", json!(self.rollback_plan.as_ref().map(|text| text.as_str())));
        put("priority", json!(self.priority));
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
        put("executor", json!(self.executor.as_ref().map(Identifier::as_str)));
        let is_automatic = self.schedule.mode == ExecutionMode::Automatic;
        put("execution", json!(is_automatic.then(|| self.schedule.mode.to_string())));
        put("execute_at", json!(self.schedule.execute_at.map(|time| time.to_string())));
        let window = self.schedule.window;
        put(
            "window",
            json!(
                window.map(|window| json!({ "from": window.from.to_string(), "to": window.to.to_string() }))
            ),
        );
        CanonicalJson::of(&Value::Object(content))
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
