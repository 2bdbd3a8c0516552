//! A request as an item of the approvals table.
//!
//! `parameters` and `execution_result` are one canonical JSON string each: the digest is over the
//! stored bytes, and `DynamoDB`'s own rules for numbers and nesting do not touch them. What follows
//! from the decisions (`approved_by`, `rejected_by` …) is written out for readers and indexes, and
//! checked against them when an item is read.

use crate::attribute::{
    InvalidAttribute, all_addresses, keyed, other_addresses, read, read_cost, read_keyed, read_option, text,
};
use crate::comment_item::{CommentItem, WithdrawalItem};
use crate::error::unreadable;
use crate::execution_item::{LeaseItem, ScheduleItem, TargetItem};
use crate::expression::Item;
use crate::keys;
use crate::listing_item::{DecisionCommentItem, ListingItem, decision_comment, decisions};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_app::ports::StoreError;
use countersign_core::canonical::CanonicalJson;
use countersign_core::command::ExecutionOutcome;
use countersign_core::content::{Content, FixedContent};
use countersign_core::digest::Digest;
use countersign_core::execution::{Claim, Execution, Finish, Schedule, Target};
use countersign_core::idempotency::IdempotencyRecord;
use countersign_core::ids::{EventId, ExecutionId, RequestId};
use countersign_core::person::PersonId;
use countersign_core::principal::Owner;
use countersign_core::priority::Priority;
use countersign_core::request::{Cancellation, Comment, Request, Status, Withdrawal};
use countersign_core::requirements::MatchedRule;
use countersign_core::risk::Cost;
use countersign_core::slots::Slots;
use countersign_core::text::{
    CommentText, DurationText, Identifier, InstanceId, Justification, RollbackPlan, Ticket,
};
use countersign_core::text_key::{DigestedDocument, KeyedText};
use countersign_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};
use std::collections::BTreeSet;

/// Names the set of attributes. Another set gets another name.
const FORMAT: &str = "countersign.request.v1";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct RequestItem {
    format: String,
    request_id: String,
    operation_type: String,
    instance_id: String,
    /// Until they are erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<String>,
    parameters_digest: String,
    content_digest: String,
    requested_by: String,
    /// Besides `requested_by`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    requester_addresses: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filed_by: Option<String>,
    requested_at: String,
    risk_level: String,
    environment: String,
    justification: String,
    /// Of the digests of `justification`, `estimated_duration` and `rollback_plan`.
    text_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_cost: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_duration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollback_plan: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// Besides `owner`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    owner_addresses: Vec<String>,
    status: String,
    approvals_required: u8,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    slots: Vec<SlotItem>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rules: Vec<RuleItem>,
    approvals_received: usize,
    approved_by: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejection_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expired_at: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    withdrawals: Vec<WithdrawalItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellation_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellation_reason_key: Option<String>,
    expires_at: String,
    execute_within_seconds: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    executor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<ScheduleItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<TargetItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execute_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_started_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_policy_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_lease: Option<LeaseItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_claimed_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_claimed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    executed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_result: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_result_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_note_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actual_cost: Option<f64>,
    comments: Vec<CommentItem>,
    /// What people said with their decisions: it is in no index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    decision_comments: Vec<DecisionCommentItem>,
    listing: ListingItem,
    idempotency: Vec<String>,
    policy_version: String,
    version: u64,
    updated_at: String,
    last_event_id: String,
    audit_head: String,
    state_digest: String,
    seal: String,
    status_key: String,
    status_at: String,
    /// While it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    open_key: Option<String>,
    made_at: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SlotItem {
    groups: Vec<String>,
    people: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct RuleItem {
    name: String,
    demands: Vec<String>,
}

impl From<&Request> for RequestItem {
    fn from(request: &Request) -> Self {
        let rejection = request.rejection();
        let execution = request.execution.as_ref();
        let finish = request.finish();
        let cancellation = request.cancellation.as_ref();
        let content = &request.content;
        let (justification, text_key) = keyed(&content.justification);
        let (cancellation_reason, cancellation_reason_key) =
            keyed_option(cancellation.and_then(|cancellation| cancellation.reason.as_ref()));
        let (execution_note, execution_note_key) =
            keyed_option(finish.and_then(|finish| finish.note.as_ref()));
        let (execution_result, execution_result_key) =
            keyed_option(finish.and_then(|finish| finish.result.as_ref()));
        Self {
            format: FORMAT.to_owned(),
            request_id: request.id().to_string(),
            operation_type: content.operation_type.to_string(),
            instance_id: content.instance_id.to_string(),
            parameters: text(content.parameters.kept().map(CanonicalJson::as_str)),
            parameters_digest: content.parameters_digest().to_string(),
            content_digest: content.digest().to_string(),
            requested_by: content.requested_by.to_string(),
            requester_addresses: other_addresses(&content.requester_addresses, &content.requested_by),
            filed_by: text(content.filed_by.as_ref()),
            requested_at: content.requested_at.to_string(),
            risk_level: content.risk_level.as_str().to_owned(),
            environment: content.environment.as_str().to_owned(),
            justification,
            text_key,
            estimated_cost: content.estimated_cost.map(Cost::amount),
            estimated_duration: content.estimated_duration.as_ref().map(|text| text.as_str().to_owned()),
            ticket: text(content.ticket.as_ref()),
            rollback_plan: content.rollback_plan.as_ref().map(|text| text.as_str().to_owned()),
            priority: text(content.priority.as_ref()),
            owner: text(content.owner.as_ref().map(|owner| &owner.person)),
            owner_addresses: match &content.owner {
                Some(owner) => other_addresses(&owner.addresses, &owner.person),
                None => Vec::new(),
            },
            status: request.status.to_string(),
            approvals_required: content.approvals_required,
            slots: content
                .slots
                .iter()
                .map(|(groups, people)| SlotItem { groups: groups.iter().cloned().collect(), people })
                .collect(),
            rules: content.rules.iter().map(RuleItem::from).collect(),
            approvals_received: request.approvals_received(),
            approved_by: request.approved_by().map(PersonId::to_string).collect(),
            approved_at: text(request.approved_at),
            rejected_by: text(rejection.map(|decision| &decision.person)),
            rejected_at: text(rejection.map(|decision| decision.at)),
            rejection_reason: text(
                rejection.and_then(|decision| decision.comment.as_ref()).and_then(KeyedText::text),
            ),
            expired_at: text(request.expired_at),
            withdrawals: request.withdrawals.iter().map(WithdrawalItem::from).collect(),
            cancelled_at: text(cancellation.map(|cancellation| cancellation.at)),
            cancelled_by: text(cancellation.map(|cancellation| &cancellation.by)),
            cancellation_reason,
            cancellation_reason_key,
            expires_at: content.expires_at.to_string(),
            execute_within_seconds: content.execute_within_seconds,
            executor: text(content.executor.as_ref()),
            schedule: (content.schedule != Schedule::default())
                .then(|| ScheduleItem::from(&content.schedule)),
            target: request.target.as_ref().map(TargetItem::from),
            execute_by: text(request.execute_by),
            execution_id: text(execution.map(|execution| execution.id)),
            execution_started_at: text(execution.map(|execution| execution.started_at)),
            execution_started_by: text(execution.map(|execution| &execution.started_by)),
            execution_policy_version: text(execution.map(|execution| execution.policy_version)),
            execution_lease: execution.map(LeaseItem::from),
            execution_claimed_by: text(
                execution.and_then(|execution| execution.claim.as_ref()).map(|claim| &claim.by),
            ),
            execution_claimed_at: text(
                execution.and_then(|execution| execution.claim.as_ref()).map(|claim| claim.at),
            ),
            executed_at: text(finish.map(|finish| finish.at)),
            execution_note,
            execution_note_key,
            execution_result,
            execution_result_key,
            actual_cost: finish.and_then(|finish| finish.actual_cost).map(Cost::amount),
            comments: request.comments.iter().map(CommentItem::from).collect(),
            decision_comments: request.decisions.iter().filter_map(decision_comment).collect(),
            listing: ListingItem::from(request),
            idempotency: request.idempotency.iter().map(idempotency_text).collect(),
            policy_version: content.policy_version.to_string(),
            version: request.version,
            updated_at: request.updated_at.to_string(),
            last_event_id: request.last_event_id.to_string(),
            audit_head: request.audit_head.to_string(),
            state_digest: request.state_digest().to_string(),
            seal: request.seal.to_string(),
            status_key: keys::status_key(request),
            status_at: keys::status_at(request),
            open_key: keys::open_key(request),
            made_at: keys::made_at(request),
        }
    }
}

fn read_owner(person: &str, others: &[String]) -> Result<Owner, InvalidAttribute> {
    let addresses = all_addresses("owner_addresses", others, person)?;
    Ok(Owner { person: read("owner", person, PersonId::from_stored)?, addresses })
}

fn keyed_option<T: AsRef<str>>(text: Option<&KeyedText<T>>) -> (Option<String>, Option<String>) {
    text.map(keyed).unzip()
}

/// A text and its key: one does not stand without the other.
fn read_keyed_option<T, E>(
    attribute: &'static str,
    text: Option<&String>,
    key: Option<&String>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<KeyedText<T>>, InvalidAttribute> {
    match (text, key) {
        (Some(text), Some(key)) => read_keyed(attribute, text, key, parse).map(Some),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => Err(InvalidAttribute::Value(attribute)),
    }
}

impl From<&MatchedRule> for RuleItem {
    fn from(rule: &MatchedRule) -> Self {
        Self { name: rule.name.clone(), demands: rule.demands.clone() }
    }
}

/// One text with digests in base64url: there are many of them, and the names of members and hexadecimal digits would
/// be most of it.
fn idempotency_text(record: &IdempotencyRecord) -> String {
    let IdempotencyRecord { person, command, key_digest, body_digest } = record;
    let short = |digest: &Digest| URL_SAFE_NO_PAD.encode(digest.as_bytes());
    format!("{command} {} {} {person}", short(key_digest), short(body_digest))
}

fn read_short_digest(text: &str) -> Result<Digest, InvalidAttribute> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.map(Digest::from_bytes).ok_or(InvalidAttribute::Value("idempotency"))
}

impl TryFrom<&RequestItem> for Request {
    type Error = InvalidAttribute;

    fn try_from(item: &RequestItem) -> Result<Self, InvalidAttribute> {
        let status = read("status", &item.status, str::parse)?;
        let content = Content {
            request_id: read("request_id", &item.request_id, RequestId::parse)?,
            operation_type: read("operation_type", &item.operation_type, Identifier::parse)?,
            instance_id: read("instance_id", &item.instance_id, InstanceId::parse)?,
            parameters: match &item.parameters {
                Some(parameters) => {
                    DigestedDocument::Kept(read("parameters", parameters, CanonicalJson::from_stored)?)
                }
                None => {
                    let digest = read("parameters_digest", &item.parameters_digest, Digest::parse)?;
                    DigestedDocument::Erased(digest)
                }
            },
            requested_by: read("requested_by", &item.requested_by, PersonId::from_stored)?,
            requester_addresses: all_addresses(
                "requester_addresses",
                &item.requester_addresses,
                &item.requested_by,
            )?,
            filed_by: read_option("filed_by", item.filed_by.as_ref(), PersonId::from_stored)?,
            requested_at: read("requested_at", &item.requested_at, Timestamp::parse)?,
            risk_level: read("risk_level", &item.risk_level, str::parse)?,
            environment: read("environment", &item.environment, str::parse)?,
            justification: read_keyed(
                "justification",
                &item.justification,
                &item.text_key,
                Justification::parse,
            )?,
            estimated_cost: read_cost("estimated_cost", item.estimated_cost)?,
            estimated_duration: read_option(
                "estimated_duration",
                item.estimated_duration.as_ref(),
                DurationText::parse,
            )?,
            ticket: read_option("ticket", item.ticket.as_ref(), Ticket::parse)?,
            rollback_plan: read_option("rollback_plan", item.rollback_plan.as_ref(), RollbackPlan::parse)?,
            priority: read_option("priority", item.priority.as_ref(), |text| text.parse::<Priority>())?,
            owner: item.owner.as_ref().map(|owner| read_owner(owner, &item.owner_addresses)).transpose()?,
            requester_groups: item.listing.requester_groups(),
            approvals_required: item.approvals_required,
            slots: Slots::new(
                item.slots.iter().map(|slot| (slot.groups.iter().cloned().collect(), slot.people)),
            ),
            digest_required: item.listing.digest_required(),
            rules: item
                .rules
                .iter()
                .map(|rule| MatchedRule { name: rule.name.clone(), demands: rule.demands.clone() })
                .collect(),
            policy_version: read("policy_version", &item.policy_version, Digest::parse)?,
            expires_at: read("expires_at", &item.expires_at, Timestamp::parse)?,
            execute_within_seconds: item.execute_within_seconds,
            executor: read_option("executor", item.executor.as_ref(), Identifier::parse)?,
            schedule: item.schedule.as_ref().map(Schedule::try_from).transpose()?.unwrap_or_default(),
        };
        let erased_at = item.listing.erased_at()?;
        let request = Self {
            content: match erased_at {
                Some(_) => {
                    let digest = read("content_digest", &item.content_digest, Digest::parse)?;
                    FixedContent::erased(content, digest)
                }
                None => content.into(),
            },
            erased_at,
            status,
            decisions: decisions(&item.listing, &item.decision_comments)?,
            approved_at: read_option("approved_at", item.approved_at.as_ref(), Timestamp::parse)?,
            execute_by: read_option("execute_by", item.execute_by.as_ref(), Timestamp::parse)?,
            expired_at: read_option("expired_at", item.expired_at.as_ref(), Timestamp::parse)?,
            withdrawals: item.withdrawals.iter().map(Withdrawal::try_from).collect::<Result<_, _>>()?,
            cancellation: cancellation(item)?,
            target: item.target.as_ref().map(Target::try_from).transpose()?,
            execution: execution(item, status)?,
            comments: item.comments.iter().map(Comment::try_from).collect::<Result<_, _>>()?,
            idempotency: item
                .idempotency
                .iter()
                .map(|text| read_idempotency(text))
                .collect::<Result<_, _>>()?,
            version: item.version,
            updated_at: read("updated_at", &item.updated_at, Timestamp::parse)?,
            last_event_id: read("last_event_id", &item.last_event_id, EventId::parse)?,
            audit_head: read("audit_head", &item.audit_head, Digest::parse)?,
            seal: read("seal", &item.seal, Digest::parse)?,
        };
        check(&request, item)?;
        Ok(request)
    }
}

/// What is written out twice must agree, and a status must follow from its decisions: an item
/// that was edited by hand into `approved` is not approved.
fn check(request: &Request, item: &RequestItem) -> Result<(), InvalidAttribute> {
    if request.texts().any(|is_kept| is_kept != request.erased_at.is_none()) {
        return Err(InvalidAttribute::Contradiction("erased_at and texts"));
    }
    if request.content.digest() != read("content_digest", &item.content_digest, Digest::parse)? {
        return Err(InvalidAttribute::Contradiction("content_digest and what the request was made with"));
    }
    let mut people = BTreeSet::new();
    if !request.decisions.iter().flat_map(|decision| &decision.addresses).all(|id| people.insert(id)) {
        return Err(InvalidAttribute::Contradiction("one person decided twice"));
    }
    let owner = request.content.owner.iter().flat_map(|owner| &owner.addresses);
    if request
        .content
        .requester_addresses
        .iter()
        .chain(&request.content.filed_by)
        .chain(owner)
        .any(|id| people.contains(id))
    {
        return Err(InvalidAttribute::Contradiction("somebody decided on their own request"));
    }
    if request.content.approvals_required
        < request.content.risk_level.min_approvals().max(request.content.slots.total())
    {
        return Err(InvalidAttribute::Contradiction("fewer approvals than the risk needs"));
    }
    let groups: Vec<_> = request.approvals().map(|decision| &decision.groups).collect();
    let enough = request.content.slots.fill(request.content.approvals_required, &groups).is_complete();
    let needs_approvals = match request.status {
        Status::Approved | Status::Executing | Status::Executed | Status::Failed => true,
        Status::Pending | Status::Rejected | Status::Expired | Status::Cancelled => false,
    };
    if needs_approvals && !enough {
        return Err(InvalidAttribute::Contradiction("status and decisions"));
    }
    if RequestItem::from(request) != *item {
        return Err(InvalidAttribute::Contradiction("an attribute and what it is derived from"));
    }
    Ok(())
}

fn cancellation(item: &RequestItem) -> Result<Option<Cancellation>, InvalidAttribute> {
    let Some(at) = read_option("cancelled_at", item.cancelled_at.as_ref(), Timestamp::parse)? else {
        return Ok(None);
    };
    let by = item.cancelled_by.as_ref().ok_or(InvalidAttribute::Value("cancelled_by"))?;
    let by = read("cancelled_by", by, PersonId::from_stored)?;
    let reason = read_keyed_option(
        "cancellation_reason",
        item.cancellation_reason.as_ref(),
        item.cancellation_reason_key.as_ref(),
        CommentText::parse,
    )?;
    Ok(Some(Cancellation { at, by, reason }))
}

fn execution(item: &RequestItem, status: Status) -> Result<Option<Execution>, InvalidAttribute> {
    let Some(id) = read_option("execution_id", item.execution_id.as_ref(), ExecutionId::parse)? else {
        return Ok(None);
    };
    let missing = |attribute| InvalidAttribute::Value(attribute);
    let started_by = item.execution_started_by.as_ref().ok_or(missing("execution_started_by"))?;
    let started_at = item.execution_started_at.as_ref().ok_or(missing("execution_started_at"))?;
    let policy_version = item.execution_policy_version.as_ref().ok_or(missing("execution_policy_version"))?;
    let lease = item.execution_lease.as_ref().ok_or(missing("execution_lease"))?;
    let claimed_by =
        read_option("execution_claimed_by", item.execution_claimed_by.as_ref(), PersonId::from_stored)?;
    let claimed_at =
        read_option("execution_claimed_at", item.execution_claimed_at.as_ref(), Timestamp::parse)?;
    let finished_at = read_option("executed_at", item.executed_at.as_ref(), Timestamp::parse)?;
    let finish = match finished_at {
        None => None,
        Some(at) => Some(Finish {
            at,
            outcome: if status == Status::Executed {
                ExecutionOutcome::Succeeded
            } else {
                ExecutionOutcome::Failed
            },
            result: read_keyed_option(
                "execution_result",
                item.execution_result.as_ref(),
                item.execution_result_key.as_ref(),
                CanonicalJson::from_stored,
            )?,
            actual_cost: read_cost("actual_cost", item.actual_cost)?,
            note: read_keyed_option(
                "execution_note",
                item.execution_note.as_ref(),
                item.execution_note_key.as_ref(),
                CommentText::parse,
            )?,
        }),
    };
    Ok(Some(Execution {
        id,
        started_by: read("execution_started_by", started_by, PersonId::from_stored)?,
        started_at: read("execution_started_at", started_at, Timestamp::parse)?,
        policy_version: read("execution_policy_version", policy_version, Digest::parse)?,
        permit_expires_at: read(
            "execution_lease.permit_expires_at",
            &lease.permit_expires_at,
            Timestamp::parse,
        )?,
        lease_seconds: lease.seconds,
        lease_until: read("execution_lease.until", &lease.until, Timestamp::parse)?,
        claim: match (claimed_by, claimed_at) {
            (Some(by), Some(at)) => Some(Claim { by, at }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(missing("execution_claimed_by")),
        },
        unknown_since: read_option(
            "execution_lease.unknown_since",
            lease.unknown_since.as_ref(),
            Timestamp::parse,
        )?,
        finish,
    }))
}

fn read_idempotency(text: &str) -> Result<IdempotencyRecord, InvalidAttribute> {
    let mut parts = text.splitn(4, ' ');
    let mut next = || parts.next().ok_or(InvalidAttribute::Value("idempotency"));
    Ok(IdempotencyRecord {
        command: read("idempotency", next()?, str::parse)?,
        key_digest: read_short_digest(next()?)?,
        body_digest: read_short_digest(next()?)?,
        person: read("idempotency", next()?, PersonId::from_stored)?,
    })
}

/// The item of a request.
///
/// # Errors
/// None for a request made by the core.
pub(crate) fn request_item(request: &Request) -> Result<Item, StoreError> {
    to_item(RequestItem::from(request)).map_err(|error| unreadable("request", error))
}

/// The request of an item.
///
/// # Errors
/// [`StoreError::Damaged`] if an attribute is missing, impossible or contradicts another.
pub(crate) fn request(item: Item) -> Result<Request, StoreError> {
    let format = item.get("format").and_then(|format| format.as_s().ok());
    if format.map(String::as_str) != Some(FORMAT) {
        return Err(unreadable("request", format!("its format is not {FORMAT}")));
    }
    let id = item.get("request_id").and_then(|id| id.as_s().ok());
    let name = id.map_or_else(|| "request".to_owned(), |id| format!("request {}", id.escape_debug()));
    // The library's own words may quote a value.
    let item: RequestItem = from_item(item)
        .map_err(|_| unreadable(&name, "an attribute is missing, not known, or of another type"))?;
    Request::try_from(&item).map_err(|error| unreadable(&name, error))
}
