//! An outbox entry as an item: where it is, how often it failed, and the message as one JSON
//! document.

use crate::error::unreadable;
use crate::expression::Item;
use crate::keys::{EVENT_ID, OUTBOX_SHARDS, SHARD};
use countersign_app::ports::{OutboxEntry, OutboxKey, StoreError};
use countersign_core::event::EventType;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::notification::Notification;
use countersign_core::person::PersonId;
use countersign_core::request::Status;
use countersign_core::risk::{Cost, Environment, RiskLevel};
use countersign_core::text::{CommentText, DurationText, Identifier, Justification};
use countersign_core::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct OutboxItem {
    shard: String,
    event_id: String,
    #[serde(default)]
    attempts: u32,
    message: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Message {
    event_id: String,
    event_type: String,
    timestamp: String,
    user: String,
    request_id: String,
    sequence: u64,
    status: String,
    operation_type: String,
    instance_id: String,
    environment: String,
    risk_level: String,
    requested_by: String,
    approvals_required: u8,
    approved_by: Vec<String>,
    justification: String,
    estimated_cost: Option<f64>,
    estimated_duration: Option<String>,
    expires_at: String,
    execute_by: Option<String>,
    remark: Option<String>,
}

/// The outbox partition of an event.
pub(crate) fn shard(event_id: EventId) -> String {
    event_id.shard(OUTBOX_SHARDS).to_string()
}

/// The item of a fresh entry.
pub(crate) fn outbox_item(notification: &Notification) -> Result<Item, StoreError> {
    let message = Message {
        event_id: notification.event_id.to_string(),
        event_type: notification.event_type.as_str().to_owned(),
        timestamp: notification.timestamp.to_string(),
        user: notification.user.to_string(),
        request_id: notification.request_id.to_string(),
        sequence: notification.sequence,
        status: notification.status.to_string(),
        operation_type: notification.operation_type.to_string(),
        instance_id: notification.instance_id.to_string(),
        environment: notification.environment.as_str().to_owned(),
        risk_level: notification.risk_level.as_str().to_owned(),
        requested_by: notification.requested_by.to_string(),
        approvals_required: notification.approvals_required,
        approved_by: notification.approved_by.iter().map(PersonId::to_string).collect(),
        justification: notification.justification.as_str().to_owned(),
        estimated_cost: notification.estimated_cost.map(Cost::amount),
        estimated_duration: notification.estimated_duration.as_ref().map(|text| text.as_str().to_owned()),
        expires_at: notification.expires_at.to_string(),
        execute_by: notification.execute_by.map(|time| time.to_string()),
        remark: notification.remark.as_ref().map(|text| text.as_str().to_owned()),
    };
    let item = OutboxItem {
        shard: shard(notification.event_id),
        event_id: notification.event_id.to_string(),
        attempts: 0,
        message: serde_json::to_string(&message).map_err(|error| unreadable("message", error))?,
    };
    to_item(item).map_err(|error| unreadable("outbox entry", error))
}

/// The entry of an item.
///
/// # Errors
/// If the item has not even a key. A message that cannot be read is not an error of the outbox:
/// the entry says so.
pub(crate) fn outbox_entry(item: Item) -> Result<OutboxEntry, StoreError> {
    let key = outbox_key(&item)?;
    Ok(match from_item::<OutboxItem>(item) {
        Ok(entry) => {
            OutboxEntry { key, attempts: entry.attempts, notification: notification(&entry.message) }
        }
        Err(error) => OutboxEntry { key, attempts: 0, notification: Err(error.to_string()) },
    })
}

/// The key of an item, or of the end of a page.
pub(crate) fn outbox_key(item: &Item) -> Result<OutboxKey, StoreError> {
    let string = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    match (string(SHARD), string(EVENT_ID)) {
        (Some(shard), Some(event_id)) => Ok(OutboxKey { shard, event_id }),
        _ => Err(StoreError::Inconsistent("outbox entry without its keys".to_owned())),
    }
}

fn notification(message: &str) -> Result<Notification, String> {
    let message: Message = serde_json::from_str(message).map_err(|error| {
        // The text may hold what people wrote: only the position is told.
        format!("message cannot be read at line {}, column {}", error.line(), error.column())
    })?;
    read(&message).ok_or_else(|| "a field of the message has an impossible value".to_owned())
}

fn read(message: &Message) -> Option<Notification> {
    Some(Notification {
        event_id: EventId::parse(&message.event_id).ok()?,
        event_type: EventType::parse(&message.event_type)?,
        timestamp: Timestamp::parse(&message.timestamp).ok()?,
        user: PersonId::from_stored(&message.user).ok()?,
        request_id: RequestId::parse(&message.request_id).ok()?,
        sequence: message.sequence,
        status: Status::parse(&message.status)?,
        operation_type: Identifier::parse(&message.operation_type).ok()?,
        instance_id: Identifier::parse(&message.instance_id).ok()?,
        environment: Environment::parse(&message.environment)?,
        risk_level: RiskLevel::parse(&message.risk_level)?,
        requested_by: PersonId::from_stored(&message.requested_by).ok()?,
        approvals_required: message.approvals_required,
        approved_by: message
            .approved_by
            .iter()
            .map(|person| PersonId::from_stored(person).ok())
            .collect::<Option<_>>()?,
        justification: Justification::parse(&message.justification).ok()?,
        estimated_cost: message.estimated_cost.map(Cost::new).transpose().ok()?,
        estimated_duration: message
            .estimated_duration
            .as_deref()
            .map(DurationText::parse)
            .transpose()
            .ok()?,
        expires_at: Timestamp::parse(&message.expires_at).ok()?,
        execute_by: message.execute_by.as_deref().map(Timestamp::parse).transpose().ok()?,
        remark: message.remark.as_deref().map(CommentText::parse).transpose().ok()?,
    })
}
