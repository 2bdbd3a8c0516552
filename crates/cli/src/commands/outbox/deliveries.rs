//! Dead deliveries: of an event to a webhook or to a configured destination, one by one.

use super::{OutboxArguments, OutboxCommand, print};
use crate::aws;
use crate::error::CommandError;
use crate::view::document;
use countersign_app::host::Clock as _;
use countersign_app::ports::{Deliveries as _, DeliveryKey, ReadDeliveries as _, StoreError, StoredDelivery};
use countersign_core::event::EventType;
use countersign_core::text::escaped_line;
use countersign_delivery::state::DeliveryState;
use countersign_dynamodb::deliveries::DynamoDeliveries;
use countersign_server::stopped_service::StoppedService;
use countersign_system::system::SystemHost;
use serde_json::{Value, json};
use std::io::Write as _;

/// What means every destination.
const ALL: &str = "all";

/// Lists the dead deliveries of a destination, or puts them back.
pub(super) async fn run(arguments: &OutboxArguments, destination: &str) -> Result<(), CommandError> {
    match &arguments.table {
        Some(table) => {
            let aws = aws::configuration(arguments.ca_bundle.as_deref()).await?;
            let deliveries = DynamoDeliveries::connect(&aws, table.clone());
            carry_out(&arguments.command, &deliveries, destination, "the deployed function `deliver`").await
        }
        None => {
            let stopped = StoppedService::open(&arguments.data.data_dir)?;
            let table = stopped.tables.deliveries.clone().unwrap_or_default();
            let deliveries = DynamoDeliveries::new(stopped.client, table);
            carry_out(&arguments.command, &deliveries, destination, "the next `countersign serve`").await
        }
    }
}

async fn carry_out(
    command: &OutboxCommand,
    deliveries: &DynamoDeliveries,
    destination: &str,
    sender: &str,
) -> Result<(), CommandError> {
    let mut dead = dead(deliveries, destination).await?;
    match command {
        OutboxCommand::List { json } => {
            if dead.is_empty() && !json {
                return print("no dead deliveries");
            }
            for stored in &dead {
                print(&if *json { document::json_line(&json_of(stored))? } else { text_line(stored) })?;
            }
            Ok(())
        }
        OutboxCommand::Redrive { event_id, .. } => {
            if let Some(event_id) = event_id {
                dead.retain(|stored| stored.delivery.event_id == *event_id);
                if dead.is_empty() {
                    let message =
                        format!("there is no dead delivery of event {event_id} to this destination");
                    return Err(CommandError::NotFound(message));
                }
            }
            let mut count = 0;
            for stored in &dead {
                count += usize::from(redrive(deliveries, stored).await?);
            }
            print(&format!("{count} back for delivery by {sender}"))
        }
    }
}

fn failed(error: &StoreError) -> CommandError {
    CommandError::Failed(format!("the deliveries cannot be read: {error}"))
}

/// The dead deliveries of a destination and of all recipients there.
async fn dead(deliveries: &DynamoDeliveries, destination: &str) -> Result<Vec<StoredDelivery>, CommandError> {
    let is_wanted = |key: &DeliveryKey| {
        let id = &key.destination;
        [ALL, id.as_str(), id.without_recipient()].contains(&destination)
    };
    let mut dead = Vec::new();
    for key in deliveries.dead_deliveries().await.map_err(|error| failed(&error))? {
        if is_wanted(&key) {
            let stored = match deliveries.delivery(&key).await {
                // One that cannot be read keeps none of the others from being looked after.
                Err(StoreError::Damaged(error)) => {
                    let (destination, event_id) = (&key.destination, key.event_id);
                    let _ = writeln!(
                        std::io::stderr(),
                        "{}",
                        escaped_line(&format!("{destination} {event_id} cannot be read: {error}"))
                    );
                    continue;
                }
                stored => stored.map_err(|error| failed(&error))?,
            };
            // The index may lag behind: one that waits again is no dead letter.
            dead.extend(stored.filter(|stored| stored.delivery.state == DeliveryState::Dead));
        }
    }
    Ok(dead)
}

async fn redrive(deliveries: &DynamoDeliveries, stored: &StoredDelivery) -> Result<bool, CommandError> {
    let now = SystemHost::default().now();
    let Ok(again) = stored.delivery.clone().redeliver(now) else { return Ok(false) };
    deliveries.replace(stored, &again).await.map_err(|error| failed(&error))
}

fn json_of(stored: &StoredDelivery) -> Value {
    let delivery = &stored.delivery;
    let last = delivery.last_attempt.as_ref();
    json!({
        "destination": delivery.destination.as_str(),
        "event_id": delivery.event_id.to_string(),
        "event_type": delivery.event_type.map(EventType::as_str),
        "request_id": delivery.request_id.map(|id| id.to_string()),
        "attempts": delivery.attempts,
        "last_attempt_at": last.map(|last| last.at.to_string()),
        "status": last.and_then(|last| last.status),
        "failure": last.and_then(|last| last.failure),
        "host": last.and_then(|last| last.host.as_deref()),
    })
}

fn text_line(stored: &StoredDelivery) -> String {
    let delivery = &stored.delivery;
    let last = delivery.last_attempt.as_ref();
    let at = last.map_or_else(|| delivery.created_at.to_string(), |last| last.at.to_string());
    let why = last.and_then(|last| last.failure).map_or("not attempted", |failure| failure.as_str());
    let status = last.and_then(|last| last.status).map(|status| format!(" ({status})")).unwrap_or_default();
    // A report is about no request.
    let matter = match (delivery.event_type, delivery.request_id) {
        (Some(event_type), Some(request_id)) => format!("{}  request {request_id}", event_type.as_str()),
        _ => "report".to_owned(),
    };
    format!(
        "{}  {at}  {}  {matter}  {why}{status} after {} attempts",
        delivery.event_id,
        delivery.destination.as_str().escape_debug(),
        delivery.attempts,
    )
}
