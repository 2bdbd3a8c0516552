//! Events to a bus of `EventBridge`: the detail is the envelope that every channel has.

use crate::failure::{class_of, failed};
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use countersign_core::cloud_event::{CloudEvent, type_of};
use countersign_delivery::outcome::{Failure, Outcome};

/// The source of our events, by which rules find them.
const SOURCE: &str = "countersign";

/// Puts one event. An answer of 200 may say that the entry was not taken.
pub(crate) async fn put(client: &Client, bus: &str, event: &CloudEvent) -> Outcome {
    let notice = &event.notice;
    let entry = PutEventsRequestEntry::builder()
        .event_bus_name(bus)
        .source(SOURCE)
        .detail_type(type_of(notice.event_type()))
        .detail(event.to_value().to_string())
        .time(DateTime::from_millis(notice.timestamp().as_millisecond()))
        .build();
    let answer = match client.put_events().entries(entry).send().await {
        Ok(answer) => answer,
        Err(error) => return failed("EventBridge", &error),
    };
    let entry = answer.entries().first();
    let id = entry.and_then(|entry| entry.event_id());
    match (answer.failed_entry_count(), id) {
        (0, Some(id)) => Outcome::Delivered { status: Some(200), reference: Some(id.to_owned()) },
        _ => {
            let code = entry.and_then(|entry| entry.error_code()).unwrap_or("an entry that was not taken");
            let class = class_of(200, code);
            let detail = format!("EventBridge answered {code}");
            Outcome::Failed(Failure { class, status: Some(200), retry_after: None, detail })
        }
    }
}
