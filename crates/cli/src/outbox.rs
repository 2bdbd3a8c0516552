//! `countersign outbox`: what could not be delivered, and delivering it after all.

use crate::arguments::{OutboxArguments, OutboxCommand};
use crate::aws;
use crate::data_directory::Lock;
use crate::document;
use crate::exit::Exit;
use crate::stopped_service::StoppedService;
use countersign_app::ports::{Outbox as _, OutboxEntry, OutboxKey, StoreError};
use countersign_core::event::EventType;
use countersign_core::ids::EventId;
use countersign_core::notification::Notice;
use countersign_dynamodb::outbox::DynamoOutbox;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;

/// Lists dead letters, or puts them back for delivery by the next sweep.
///
/// # Errors
/// When the outbox cannot be reached, or there is no such dead letter.
pub fn run(arguments: &OutboxArguments) -> Result<(), Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime does not start: {error}"))?;
    match &arguments.table {
        Some(table) => runtime.block_on(async {
            let aws = aws::configuration(arguments.ca_bundle.as_deref()).await?;
            let outbox = DynamoOutbox::connect(&aws, table.clone());
            carry_out(&arguments.command, &outbox, "the deployed sweep").await
        }),
        None => {
            let (outbox, _lock) = stopped_service(&arguments.data.data_dir)?;
            runtime.block_on(carry_out(&arguments.command, &outbox, "the next `countersign serve`"))
        }
    }
}

/// The outbox of a service on this machine, and the lock that keeps the service from starting.
fn stopped_service(path: &Path) -> Result<(DynamoOutbox, Lock), Exit> {
    let stopped = StoppedService::open(path)?;
    Ok((DynamoOutbox::new(stopped.client, stopped.tables.outbox), stopped.lock))
}

async fn carry_out(command: &OutboxCommand, outbox: &DynamoOutbox, deliverer: &str) -> Result<(), Exit> {
    let count = match command {
        OutboxCommand::List { json } => return list(outbox, *json).await,
        OutboxCommand::Replay { event_id: Some(event_id), .. } => replay(outbox, event_id).await?,
        OutboxCommand::Replay { event_id: None, .. } => replay_all(outbox).await?,
    };
    print(&format!("{count} back for delivery by {deliverer}"))
}

fn failed(error: StoreError) -> Exit {
    Exit::from(format!("the outbox cannot be read: {error}"))
}

fn print(line: &str) -> Result<(), Exit> {
    writeln!(std::io::stdout(), "{line}").map_err(|error| Exit::of_stdout(&error))
}

async fn dead(outbox: &DynamoOutbox) -> Result<Vec<OutboxEntry>, Exit> {
    let mut entries = Vec::new();
    let mut after: Option<OutboxKey> = None;
    loop {
        let page = outbox.dead(after.as_ref()).await.map_err(failed)?;
        entries.extend(page.entries);
        after = page.next;
        if after.is_none() {
            return Ok(entries);
        }
    }
}

async fn list(outbox: &DynamoOutbox, as_json: bool) -> Result<(), Exit> {
    let entries = dead(outbox).await?;
    if entries.is_empty() && !as_json {
        return print("no dead letters");
    }
    for entry in &entries {
        print(&if as_json { document::json_line(&json_of(entry))? } else { text_line(entry) })?;
    }
    Ok(())
}

fn json_of(entry: &OutboxEntry) -> Value {
    let event_id = &entry.key.event_id;
    match &entry.notice {
        Ok(Notice::Event(notification)) => json!({
            "event_id": event_id,
            "event_type": notification.event_type.as_str(),
            "request_id": notification.request_id.to_string(),
            "timestamp": notification.timestamp.to_string(),
            "attempts": entry.attempts,
        }),
        Ok(Notice::Anomaly(notice)) => json!({
            "event_id": event_id,
            "event_type": EventType::AnomalyDetected.as_str(),
            "request_id": notice.request_id.to_string(),
            "timestamp": notice.timestamp.to_string(),
            "attempts": entry.attempts,
        }),
        Err(reason) => json!({ "event_id": event_id, "unreadable": reason, "attempts": entry.attempts }),
    }
}

/// What is stored under an unreadable entry may be anything: it is escaped.
fn text_line(entry: &OutboxEntry) -> String {
    let event_id = entry.key.event_id.escape_debug();
    let attempts = entry.attempts;
    match &entry.notice {
        Ok(Notice::Anomaly(notice)) => format!(
            "{event_id}  {}  {}  request {}  after {attempts} failures",
            notice.timestamp,
            EventType::AnomalyDetected.as_str(),
            notice.request_id,
        ),
        Ok(Notice::Event(notification)) => format!(
            "{event_id}  {}  {}  {}  request {}  after {attempts} failures",
            notification.timestamp,
            notification.event_type.as_str(),
            notification.status,
            notification.request_id,
        ),
        Err(reason) => format!("{event_id}  unreadable: {}", reason.escape_debug()),
    }
}

async fn replay(outbox: &DynamoOutbox, event_id: &EventId) -> Result<usize, Exit> {
    if !outbox.replay(*event_id).await.map_err(failed)? {
        return Err(Exit::not_found(format!("there is no dead letter of event {event_id}")));
    }
    Ok(1)
}

async fn replay_all(outbox: &DynamoOutbox) -> Result<usize, Exit> {
    let mut count = 0;
    for entry in dead(outbox).await? {
        // What cannot be read would die again at once.
        if let Ok(notice) = &entry.notice
            && outbox.replay(notice.event_id()).await.map_err(failed)?
        {
            count += 1;
        }
    }
    Ok(count)
}
