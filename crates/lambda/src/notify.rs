//! The function that tells the world: records of the outbox table's stream as they come, and a
//! scheduled sweep for whatever they missed.

use crate::metrics::Metrics;
use countersign_api::problem::Code;
use countersign_app::continuations::{self, Continuations, Resume, ResumeReport};
use countersign_app::deliver::{self, DeliveryReport, Subscribers};
use countersign_app::error::AppError;
use countersign_app::host::Host;
use countersign_app::known_preferences::KnownPreferences;
use countersign_app::ports::{
    LoadHold, LoadRequest, Outbox, OutboxKey, Publish, PutDelivery, ReadPreferences, ReadWebhooks,
};
use countersign_app::route::Routing;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::policy::Policy;
use countersign_notifications::configuration::Configuration;
use lambda_runtime::Diagnostic;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::time::Duration;

/// What the sweep leaves to the stream, in seconds, unless `OUTBOX_MIN_AGE_SECONDS` says otherwise.
pub const OUTBOX_MIN_AGE_SECONDS: u32 = 60;

/// The function's parts.
#[derive(Debug)]
pub struct Notify<S, W, P, R, Q> {
    /// What is to be delivered.
    pub outbox: S,
    /// Who gets deliveries of their own.
    pub subscribers: W,
    /// Who hears of what by `notifications.toml`, under which policy, and where requests are read; nothing without the file.
    pub routes: Option<Routes<Q>>,
    /// To whom.
    pub publisher: P,
    /// What resumes those who wait for a request.
    pub resumer: R,
    /// The clock.
    pub host: Box<dyn Host>,
    /// Where the backlog is measured.
    pub metrics: Metrics,
    /// The age from which the sweep delivers an entry.
    pub min_age_seconds: u32,
}

/// What places are found by.
#[derive(Debug)]
pub struct Routes<Q> {
    /// Who hears of what.
    pub configuration: Configuration,
    /// The policy in force.
    pub policy: Policy,
    /// Where requests are read.
    pub requests: Q,
    /// What people have said of how they want to hear.
    pub preferences: KnownPreferences,
}

/// A stream's event: records, each read by itself.
#[derive(Deserialize)]
struct StreamEvent {
    #[serde(rename = "Records")]
    records: Option<Vec<Box<RawValue>>>,
}

/// What is read of a record. The stream says that there is an entry; the table says what it is.
#[derive(Deserialize)]
struct Record {
    dynamodb: Change,
}

#[derive(Deserialize)]
struct Change {
    #[serde(rename = "SequenceNumber")]
    sequence_number: String,
    #[serde(rename = "Keys")]
    keys: Keys,
}

#[derive(Deserialize)]
struct Keys {
    shard: Text,
    event_id: Text,
}

impl Keys {
    /// Whether an entry of the outbox could have them. The database does not look up every key that
    /// could be sent, and what it refuses once it refuses for ever.
    fn are_ours(&self) -> bool {
        EventId::parse(&self.event_id.value).is_ok() && !self.shard.value.is_empty()
    }
}

#[derive(Deserialize)]
struct Text {
    #[serde(rename = "S")]
    value: String,
}

impl<S, W, P, R, Q> Notify<S, W, P, R, Q>
where
    S: Outbox + Continuations,
    W: ReadWebhooks + PutDelivery + ReadPreferences,
    P: Publish,
    R: Resume,
    Q: LoadRequest + LoadHold,
{
    fn subscribers(&self) -> Subscribers<'_, W, Q> {
        let routing = self.routes.as_ref().map(|routes| Routing {
            configuration: &routes.configuration,
            policy: &routes.policy,
            requests: &routes.requests,
            preferences: &routes.preferences,
        });
        Subscribers { deliveries: &self.subscribers, routing }
    }

    /// Delivers what a stream's records tell of, or, invoked by anything else, sweeps the outbox.
    ///
    /// # Errors
    /// When the outbox cannot be swept, so that the run counts as failed; the next one does its
    /// work.
    pub async fn handle(&self, payload: &str, budget: Duration) -> Result<Value, Diagnostic> {
        match serde_json::from_str::<StreamEvent>(payload) {
            Ok(StreamEvent { records: Some(records) }) => Ok(self.deliver_records(&records).await),
            Ok(StreamEvent { records: None }) | Err(_) => self.sweep(budget).await,
        }
    }

    /// Answers which records are to come again
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>).
    ///
    /// A record that cannot be read would come again for ever and hold up its shard: it is let go.
    /// The entry that it was about is in the table all the same, for the sweep.
    async fn deliver_records(&self, records: &[Box<RawValue>]) -> Value {
        let mut sequence_numbers = Vec::with_capacity(records.len());
        let mut keys = Vec::with_capacity(records.len());
        let (mut of_released, mut released) = (Vec::new(), Vec::new());
        for record in records {
            match serde_json::from_str::<Record>(record.get()) {
                Ok(Record { dynamodb: Change { keys, .. } }) if !keys.are_ours() => {
                    tracing::error!("a stream record has the keys of another table");
                }
                Ok(Record { dynamodb: Change { sequence_number, keys: Keys { shard, event_id } } })
                    if shard.value == self.outbox.released_shard() =>
                {
                    if let Ok(request_id) = RequestId::parse(&event_id.value) {
                        of_released.push(sequence_number);
                        released.push(request_id);
                    }
                }
                Ok(Record { dynamodb: Change { sequence_number, keys: Keys { shard, event_id } } }) => {
                    sequence_numbers.push(sequence_number);
                    keys.push(OutboxKey { shard: shard.value, event_id: event_id.value });
                }
                Err(error) => {
                    let (line, column) = (error.line(), error.column());
                    tracing::error!(line, column, "a stream record cannot be read");
                }
            }
        }
        let host: &dyn Host = self.host.as_ref();
        let subscribers = self.subscribers();
        let settled = deliver::deliver_each(&self.outbox, &self.publisher, subscribers, host, &keys).await;
        let resumed = continuations::resume_each(&self.outbox, &self.resumer, host, &released).await;
        let events = sequence_numbers.into_iter().zip(settled);
        let again = events.chain(of_released.into_iter().zip(resumed)).filter(|(_, is_settled)| !is_settled);
        let failures: Vec<_> =
            again.map(|(sequence_number, _)| json!({ "itemIdentifier": sequence_number })).collect();
        json!({ "batchItemFailures": failures })
    }

    async fn sweep(&self, budget: Duration) -> Result<Value, Diagnostic> {
        let host: &dyn Host = self.host.as_ref();
        let began = host.elapsed();
        let before = host.now().minus_seconds(self.min_age_seconds);
        let swept =
            deliver::deliver(&self.outbox, &self.publisher, self.subscribers(), None, host, before, budget)
                .await;
        let backlog = self.outbox.backlog().await.map_err(|error| failed(&error.into()))?;
        self.metrics.backlog(backlog, host.now());
        let DeliveryReport { published, failed: not_delivered, dead_lettered: buried, routed, cut_short } =
            swept.map_err(|error| failed(&error))?;
        tracing::info!(published, failed = not_delivered, buried, routed, cut_short, "swept");
        let left = budget.saturating_sub(host.elapsed().saturating_sub(began));
        let resumed = continuations::resume(&self.outbox, &self.resumer, host, left).await;
        let ResumeReport { settled: resumed, failed: not_resumed, given_up, .. } =
            resumed.map_err(|error| failed(&error))?;
        tracing::info!(resumed, failed = not_resumed, given_up, "continuations swept");
        Ok(json!({
            "published": published, "failed": not_delivered, "buried": buried, "cut_short": cut_short,
            "resumed": resumed, "not_resumed": not_resumed,
        }))
    }
}

fn failed(error: &AppError) -> Diagnostic {
    tracing::error!(%error, "the outbox cannot be swept");
    Diagnostic { error_type: Code::StoreUnavailable.as_str().to_owned(), error_message: error.to_string() }
}
