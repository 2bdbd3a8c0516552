//! `countersign outbox`: what could not be delivered, and delivering it after all.

use crate::application::TABLES_ENVIRONMENT;
use crate::arguments::{OutboxArguments, OutboxCommand};
use crate::data_directory::DataDirectory;
use crate::exit::Exit;
use countersign_app::ports::{Outbox as _, OutboxEntry, OutboxKey, StoreError};
use countersign_core::ids::EventId;
use countersign_dynamodb::store::DynamoStore;
use countersign_dynamodb::table::TableNames;
use countersign_embedded::Embedded;
use serde_json::json;
use std::io::Write as _;

/// Lists dead letters, or puts them back for delivery by the next `countersign serve`.
///
/// # Errors
/// When the data directory is not there or in use, or there is no such dead letter.
pub fn run(arguments: &OutboxArguments) -> Result<(), Exit> {
    let path = &arguments.data.data_dir;
    if !path.join("countersign.db").exists() {
        return Err(Exit::not_found(format!("{} holds no countersign database", path.display())));
    }
    let directory = DataDirectory::open(path).map_err(|error| error.to_string())?;
    // The embedded database belongs to one process at a time.
    let _lock = directory.lock().map_err(|error| error.to_string())?;
    let database = directory.database().map_err(|error| error.to_string())?;
    let embedded = Embedded::open(&database).map_err(|error| error.to_string())?;
    let tables = TableNames::of_environment(TABLES_ENVIRONMENT);
    let store = DynamoStore::new(countersign_embedded::client(embedded), tables);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime does not start: {error}"))?;
    match &arguments.command {
        OutboxCommand::List { json } => runtime.block_on(list(&store, *json)),
        OutboxCommand::Replay { event_id: Some(event_id), .. } => runtime.block_on(replay(&store, event_id)),
        OutboxCommand::Replay { event_id: None, .. } => runtime.block_on(replay_all(&store)),
    }
}

fn failed(error: StoreError) -> Exit {
    Exit::from(format!("the outbox cannot be read: {error}"))
}

fn print(line: &str) -> Result<(), Exit> {
    writeln!(std::io::stdout(), "{line}").map_err(|error| Exit::from(format!("stdout: {error}")))
}

async fn dead(store: &DynamoStore) -> Result<Vec<OutboxEntry>, Exit> {
    let mut entries = Vec::new();
    let mut after: Option<OutboxKey> = None;
    loop {
        let page = store.dead(after.as_ref()).await.map_err(failed)?;
        entries.extend(page.entries);
        after = page.next;
        if after.is_none() {
            return Ok(entries);
        }
    }
}

async fn list(store: &DynamoStore, as_json: bool) -> Result<(), Exit> {
    let entries = dead(store).await?;
    if entries.is_empty() && !as_json {
        return print("no dead letters");
    }
    for entry in &entries {
        print(&if as_json { json_line(entry) } else { text_line(entry) })?;
    }
    Ok(())
}

fn json_line(entry: &OutboxEntry) -> String {
    let event_id = &entry.key.event_id;
    let line = match &entry.notification {
        Ok(notification) => json!({
            "event_id": event_id,
            "event_type": notification.event_type.as_str(),
            "request_id": notification.request_id.to_string(),
            "timestamp": notification.timestamp.to_string(),
            "attempts": entry.attempts,
        }),
        Err(reason) => json!({ "event_id": event_id, "unreadable": reason, "attempts": entry.attempts }),
    };
    line.to_string()
}

/// What is stored under an unreadable entry may be anything: it is escaped.
fn text_line(entry: &OutboxEntry) -> String {
    let event_id = entry.key.event_id.escape_debug();
    let attempts = entry.attempts;
    match &entry.notification {
        Ok(notification) => format!(
            "{event_id}  {}  {}  {}  request {}  after {attempts} failures",
            notification.timestamp,
            notification.event_type.as_str(),
            notification.status,
            notification.request_id,
        ),
        Err(reason) => format!("{event_id}  unreadable: {}", reason.escape_debug()),
    }
}

async fn replay(store: &DynamoStore, event_id: &EventId) -> Result<(), Exit> {
    if !store.replay(*event_id).await.map_err(failed)? {
        return Err(Exit::not_found(format!("there is no dead letter of event {event_id}")));
    }
    print("1 back for delivery by the next `countersign serve`")
}

async fn replay_all(store: &DynamoStore) -> Result<(), Exit> {
    let mut count = 0;
    for entry in dead(store).await? {
        // What cannot be read would die again at once.
        if let Ok(notification) = &entry.notification
            && store.replay(notification.event_id).await.map_err(failed)?
        {
            count += 1;
        }
    }
    print(&format!("{count} back for delivery by the next `countersign serve`"))
}
