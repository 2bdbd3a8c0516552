//! The function that calls webhooks: records of the deliveries table's stream as they come, and a scheduled pass for what is
//! tried again.
//!
//! Records of one destination come one batch after the other, and those of others beside it: an endpoint that hangs holds up
//! none of theirs.

use crate::metrics::Metrics;
use countersign_api::problem::Code;
use countersign_app::courier::{self, Courier, CourierReport, DeliveryFigures, LastAnswer};
use countersign_app::error::AppError;
use countersign_app::host::Host;
use countersign_app::ports::{
    ChannelStore, Deliveries, DeliveryKey, DestinationSender, ReadWebhooks, WebhookClient, WriteWebhooks,
};
use countersign_core::digest::DeploymentKey;
use countersign_core::ids::EventId;
use countersign_delivery::destination::DestinationId;
use countersign_delivery::schedule::Schedule;
use countersign_notifications::configuration::Configuration;
use lambda_runtime::Diagnostic;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The function's parts.
#[derive(Debug)]
pub struct Deliver<D> {
    /// What waits, and for which webhooks.
    pub deliveries: D,
    /// What calls them.
    pub client: Arc<dyn WebhookClient>,
    /// Who hears of what by `notifications.toml`, and what sends it to them.
    pub channels: Option<(Arc<Configuration>, Arc<dyn DestinationSender>)>,
    /// What binds messages, and opens secrets.
    pub deployment_key: DeploymentKey,
    /// Where people look at requests.
    pub dashboard_url: Option<String>,
    /// The clock.
    pub host: Box<dyn Host>,
    /// When some endpoint answered last.
    pub last_answer: LastAnswer,
    /// Where what waits is measured.
    pub metrics: Metrics,
}

/// A stream's event: records, each read by itself.
#[derive(Deserialize)]
struct StreamEvent {
    #[serde(rename = "Records")]
    records: Option<Vec<Box<RawValue>>>,
}

/// What is read of a record. The stream says that there is a delivery; the table says what it is.
#[derive(Deserialize)]
struct Record {
    dynamodb: Change,
}

#[derive(Deserialize)]
struct Change {
    #[serde(rename = "Keys")]
    keys: Keys,
}

#[derive(Deserialize)]
struct Keys {
    destination: Text,
    event_id: Text,
}

#[derive(Deserialize)]
struct Text {
    #[serde(rename = "S")]
    value: String,
}

impl Keys {
    /// The key of a delivery; `None` for webhooks and their trails, which are in the table too.
    fn delivery(&self) -> Option<DeliveryKey> {
        let destination = DestinationId::parse(&self.destination.value).ok()?;
        Some(DeliveryKey { destination, event_id: EventId::parse(&self.event_id.value).ok()? })
    }
}

impl<D: Deliveries + ReadWebhooks + WriteWebhooks + ChannelStore> Deliver<D> {
    /// Delivers what a stream's records tell of, or, invoked by anything else, what is due.
    ///
    /// # Errors
    /// When what is due cannot be read, so that the run counts as failed; the next one does its work. What a record tells of
    /// is in the table all the same, for the schedule, so that no record comes again.
    pub async fn handle(&self, payload: &str, budget: Duration) -> Result<Value, Diagnostic> {
        let courier = Courier::new(
            &self.deliveries,
            self.client.as_ref(),
            &self.deployment_key,
            self.dashboard_url.as_deref(),
            self.host.as_ref(),
            Schedule::EVERY_MINUTE,
            &self.last_answer,
        );
        let channels = self.channels.as_ref();
        let courier = courier
            .with_channels(channels.map(|(configuration, sender)| (configuration.as_ref(), sender.as_ref())));
        let report = match serde_json::from_str::<StreamEvent>(payload) {
            Ok(StreamEvent { records: Some(records) }) => {
                // One that hangs holds up none of the batch.
                let each = by_destination(&records).into_iter();
                let each =
                    each.map(|(destination, keys)| courier.deliver_or_leave(destination, keys, budget));
                let reports = futures_util::future::join_all(each).await;
                reports.into_iter().fold(CourierReport::default(), CourierReport::and)
            }
            Ok(StreamEvent { records: None }) | Err(_) => {
                let began = self.host.elapsed();
                let report = courier.pass(budget).await.map_err(|error| failed(&error))?;
                let configuration = channels.map(|(configuration, _)| configuration.as_ref());
                // What was sent is sent; a measurement that is missing has an alarm of its own.
                match DeliveryFigures::read(&self.deliveries, configuration, &self.deployment_key).await {
                    Ok(figures) => self.metrics.deliveries(&figures, self.host.now()),
                    Err(error) => tracing::error!(%error, "what waits cannot be counted"),
                }
                let minute = self.host.now().as_millisecond() / 60_000;
                if minute % 60 == 0 {
                    let left = budget.saturating_sub(self.host.elapsed().saturating_sub(began));
                    let forgotten = courier::forget(&self.deliveries, self.host.as_ref(), left).await;
                    tracing::info!(forgotten = forgotten.map_err(|error| failed(&error))?, "old deliveries");
                }
                report
            }
        };
        let CourierReport { delivered, failed, dead, skipped, postponed, cut_short } = report;
        tracing::info!(delivered, failed, dead, skipped, postponed, cut_short, "sent");
        Ok(json!({
            "delivered": delivered, "failed": failed, "dead": dead, "skipped": skipped,
            "postponed": postponed, "cut_short": cut_short,
        }))
    }
}

fn failed(error: &AppError) -> Diagnostic {
    tracing::error!(%error, "the pass failed");
    Diagnostic { error_type: Code::StoreUnavailable.as_str().to_owned(), error_message: error.to_string() }
}

fn by_destination(records: &[Box<RawValue>]) -> BTreeMap<DestinationId, Vec<DeliveryKey>> {
    let mut destinations: BTreeMap<DestinationId, Vec<DeliveryKey>> = BTreeMap::new();
    for record in records {
        match serde_json::from_str::<Record>(record.get()) {
            Ok(record) => {
                if let Some(key) = record.dynamodb.keys.delivery() {
                    destinations.entry(key.destination.clone()).or_default().push(key);
                }
            }
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                tracing::error!(line, column, "a stream record cannot be read");
            }
        }
    }
    destinations
}
