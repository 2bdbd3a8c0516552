//! An audit event as an item of the audit table: its canonical document as one string, and copies of
//! what the table and its indexes are keyed by.

use crate::error::unreadable;
use crate::expression::Item;
use crate::keys::{self, EVENT_ID, SEQUENCE, STREAM};
use crate::log_item::is_leaf_partition;
use countersign_app::ports::StoreError;
use countersign_core::audit::{AuditEvent, FORMAT};
use countersign_core::canonical::CanonicalJson;
use countersign_core::ids::EventId;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct AuditItem {
    stream: String,
    sequence: u64,
    format: String,
    event_id: String,
    user: String,
    event_type: String,
    event_type_month: String,
    month: String,
    at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instance_id: Option<String>,
    event: String,
}

impl From<&AuditEvent> for AuditItem {
    fn from(event: &AuditEvent) -> Self {
        let month = event.timestamp.month();
        Self {
            user: event.user.to_string(),
            event_type: event.event_type.as_str().to_owned(),
            event_type_month: keys::event_type_month(event.event_type.as_str(), &month),
            at: keys::event_key(event.timestamp, event.event_id),
            instance_id: event.request.as_ref().map(|request| request.instance_id.to_string()),
            month,
            stream: event.stream.to_string(),
            sequence: event.sequence,
            format: FORMAT.to_owned(),
            event_id: event.event_id.to_string(),
            event: event.document().as_str().to_owned(),
        }
    }
}

/// The item of an event.
///
/// # Errors
/// [`StoreError::Corrupt`] of an event with a number that is not whole: it could not be read back.
pub(crate) fn audit_item(event: &AuditEvent) -> Result<Item, StoreError> {
    if !event.document().has_whole_numbers_only() {
        return Err(StoreError::Corrupt("an audit event has a number that is not whole".to_owned()));
    }
    to_item(AuditItem::from(event)).map_err(|error| unreadable("audit event", error))
}

/// The event of an item. Whether its hash is right is for [`countersign_core::audit::verify`] to say.
///
/// # Errors
/// [`StoreError::Damaged`] if the document cannot be read, or a copy is not what stands in it.
pub(crate) fn audit_event(item: Item) -> Result<AuditEvent, StoreError> {
    let place = place(&item);
    let item: AuditItem = from_item(item).map_err(|_| unreadable(&place, "an attribute is missing"))?;
    if item.format != FORMAT {
        return Err(unreadable(&place, format!("its format is not {FORMAT}")));
    }
    let document = CanonicalJson::from_stored(&item.event).ok();
    let event = document
        .and_then(|document| AuditEvent::read(&document))
        .ok_or_else(|| unreadable(&place, "it is no event of this format"))?;
    if AuditItem::from(&event) != item {
        return Err(unreadable(&place, "a key is not that of the event"));
    }
    Ok(event)
}

/// Where an item stands, as far as its keys can be read.
fn place(item: &Item) -> String {
    let stream = item.get(STREAM).and_then(|value| value.as_s().ok()).map_or("?", String::as_str);
    let sequence = item.get(SEQUENCE).and_then(|value| value.as_n().ok()).map_or("?", String::as_str);
    format!("event {} of {}", sequence.escape_debug(), stream.escape_debug())
}

/// What is to be verified of an item: the request whose stream it is in, or else its stream. `None` of a leaf.
pub(crate) fn subject_of_stream(item: &Item) -> Option<String> {
    let stream = item.get(STREAM)?.as_s().ok().filter(|stream| !is_leaf_partition(stream))?;
    Some(stream.strip_prefix("request/").unwrap_or(stream).to_owned())
}

/// The event that stands in an item, by its copy.
pub(crate) fn event_id(item: &Item) -> Result<EventId, StoreError> {
    let text = item.get(EVENT_ID).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
    EventId::parse(&text).map_err(|error| unreadable(&place(item), error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::audit::Finding;
    use countersign_core::audit::anomaly::Anomaly;
    use countersign_core::caller::{Channel, PrincipalKind};
    use countersign_core::digest::DeploymentKey;
    use countersign_core::ids::RequestId;
    use countersign_core::person::PersonId;
    use countersign_core::principal::Principal;
    use countersign_core::timestamp::Timestamp;
    use serde_json::json;

    #[test]
    fn an_event_with_a_number_that_is_not_whole_is_not_written() {
        let id = "01930000-0000-7000-8000-00000000beef";
        let ann = PersonId::from_email("ann@example.com").unwrap();
        let anomaly = Anomaly {
            event_id: EventId::parse(id).unwrap(),
            request_id: RequestId::parse(id).unwrap(),
            at: Timestamp::EARLIEST,
            actor: Principal::assumed(ann, PrincipalKind::Human, Channel::Local, ["developer"]),
            finding: Finding::NoRequest,
        };
        let mut event = anomaly.record(&DeploymentKey::new([7; 32]));
        for (weight, is_written) in [(json!(2), true), (json!(0.5), false)] {
            event.others.insert("weight".to_owned(), weight);
            assert_eq!(audit_item(&event).is_ok(), is_written);
        }
    }
}
