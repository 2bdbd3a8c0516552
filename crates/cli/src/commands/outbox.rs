//! `countersign outbox`: what could not be delivered, and delivering it after all.

mod deliveries;

use crate::aws;
use crate::commands::serve::DataDirectoryArgument;
use crate::error::CommandError;
use crate::view::document;
use clap::{Args, Subcommand};
use countersign_app::ports::{Outbox as _, OutboxEntry, OutboxKey, StoreError};
use countersign_core::cloud_event::CloudEvent;
use countersign_core::ids::EventId;
use countersign_core::notification::Notice;
use countersign_dynamodb::outbox::DynamoOutbox;
use countersign_server::data_directory::Lock;
use countersign_server::stopped_service::StoppedService;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// `countersign outbox`.
#[derive(Debug, Clone, Args)]
pub struct OutboxArguments {
    /// What to do with them.
    #[command(subcommand)]
    pub command: OutboxCommand,

    /// Where the outbox is.
    #[command(flatten)]
    pub data: DataDirectoryArgument,

    /// A deployed table in place of the data directory, with your AWS region and credentials: such as
    /// approvals-outbox-prod, or with --destination approvals-deliveries-prod
    #[arg(long, value_name = "NAME", global = true)]
    pub table: Option<String>,

    /// Deliveries to a destination in place of events: its name in notifications.toml, webhook:ID, or all
    #[arg(long, value_name = "NAME", global = true)]
    pub destination: Option<String>,

    /// Further certificates to trust on the way to AWS, PEM
    #[arg(long, value_name = "FILE", env = "AWS_CA_BUNDLE", global = true)]
    pub ca_bundle: Option<PathBuf>,
}

/// The commands of `countersign outbox`.
#[derive(Debug, Clone, Subcommand)]
pub enum OutboxCommand {
    /// List the dead letters: events, or deliveries to a destination, that failed too often
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Put dead letters back for delivery
    #[command(group = clap::ArgGroup::new("which").required(true))]
    #[command(visible_alias = "replay")]
    Redrive {
        /// The event, as `list` shows it
        #[arg(group = "which", value_parser = EventId::parse)]
        event_id: Option<EventId>,
        /// All that can be read
        #[arg(long, group = "which")]
        all: bool,
    },
}

/// Lists dead letters, or puts them back for delivery by the next sweep.
///
/// # Errors
/// When the outbox cannot be reached, or there is no such dead letter.
pub fn run(arguments: &OutboxArguments) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime does not start: {error}"))?;
    if let Some(destination) = &arguments.destination {
        return runtime.block_on(deliveries::run(arguments, destination));
    }
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
fn stopped_service(path: &Path) -> Result<(DynamoOutbox, Lock), CommandError> {
    let stopped = StoppedService::open(path)?;
    Ok((DynamoOutbox::new(stopped.client, stopped.tables.outbox), stopped.lock))
}

async fn carry_out(
    command: &OutboxCommand,
    outbox: &DynamoOutbox,
    deliverer: &str,
) -> Result<(), CommandError> {
    let count = match command {
        OutboxCommand::List { json } => return list(outbox, *json).await,
        OutboxCommand::Redrive { event_id: Some(event_id), .. } => redrive(outbox, event_id).await?,
        OutboxCommand::Redrive { event_id: None, .. } => redrive_all(outbox).await?,
    };
    print(&format!("{count} back for delivery by {deliverer}"))
}

fn failed(error: StoreError) -> CommandError {
    CommandError::Failed(format!("the outbox cannot be read: {error}"))
}

fn print(line: &str) -> Result<(), CommandError> {
    writeln!(std::io::stdout(), "{line}").map_err(CommandError::stdout)
}

async fn dead(outbox: &DynamoOutbox) -> Result<Vec<OutboxEntry>, CommandError> {
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

async fn list(outbox: &DynamoOutbox, as_json: bool) -> Result<(), CommandError> {
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
    match &entry.event {
        Ok(CloudEvent { notice, .. }) => json!({
            "event_id": event_id,
            "event_type": notice.event_type().as_str(),
            "request_id": notice.request_id().to_string(),
            "timestamp": notice.timestamp().to_string(),
            "attempts": entry.attempts,
        }),
        Err(reason) => json!({ "event_id": event_id, "unreadable": reason, "attempts": entry.attempts }),
    }
}

/// What is stored under an unreadable entry may be anything: it is escaped.
fn text_line(entry: &OutboxEntry) -> String {
    let event_id = entry.key.event_id.escape_debug();
    let attempts = entry.attempts;
    match &entry.event {
        Ok(CloudEvent { notice, .. }) => {
            let status = match notice {
                Notice::Event(notification) => format!("{}  ", notification.status),
                Notice::Anomaly(_) => String::new(),
            };
            format!(
                "{event_id}  {}  {}  {status}request {}  after {attempts} failures",
                notice.timestamp(),
                notice.event_type().as_str(),
                notice.request_id(),
            )
        }
        Err(reason) => format!("{event_id}  unreadable: {}", reason.escape_debug()),
    }
}

async fn redrive(outbox: &DynamoOutbox, event_id: &EventId) -> Result<usize, CommandError> {
    if !outbox.redrive(*event_id).await.map_err(failed)? {
        return Err(CommandError::NotFound(format!("there is no dead letter of event {event_id}")));
    }
    Ok(1)
}

async fn redrive_all(outbox: &DynamoOutbox) -> Result<usize, CommandError> {
    let mut count = 0;
    for entry in dead(outbox).await? {
        // What cannot be read would be a dead letter again at once.
        if let Ok(event) = &entry.event
            && outbox.redrive(event.notice.event_id()).await.map_err(failed)?
        {
            count += 1;
        }
    }
    Ok(count)
}
