//! Webhooks, their deliveries and their trails, as they are answered. Secrets are answered once, where they are made; values of
//! headers never.

use countersign_app::ports::{AllWebhooks, WebhookRecord};
use countersign_app::webhooks::{DeliveryLog, Redelivered, Trial, WebhookTrail, WithSecret};
use countersign_core::timestamp::Timestamp;
use countersign_delivery::state::{Delivery, LastAttempt};
use countersign_webhook::secret::WebhookSecret;
use countersign_webhook::settings::Draft;
use countersign_webhook::webhook::MAX_WEBHOOKS;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// A webhook. Absent members do not apply, or not yet.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookBody {
    /// Names it.
    pub webhook_id: String,
    /// Counts its changes: what a change names.
    pub version: u64,
    /// The address.
    pub url: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The types of events that it takes; all, if there is none.
    pub events: Vec<String>,
    /// The statuses that it takes.
    pub statuses: Vec<String>,
    /// The risk levels that it takes.
    pub risk_levels: Vec<String>,
    /// The environments that it takes.
    pub environments: Vec<String>,
    /// The operations that it takes.
    pub operations: Vec<String>,
    /// `full` or `thin`.
    pub content: String,
    /// `cloudevents` or `document`.
    pub format: String,
    /// The names of its headers, of which the values are not shown.
    pub header_names: Vec<String>,
    /// Whether deliveries to it are attempted.
    pub enabled: bool,
    /// Since when they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<String>,
    /// Why they are not: `operator`, `gone` or `no_success`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<String>,
    /// The secret. There only in the answer that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The generation of its secret, from 1.
    pub secret_generation: u32,
    /// Until when the secret before signs as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_secret_until: Option<String>,
    /// When a delivery was taken last, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success_at: Option<String>,
    /// Since when its endpoint takes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<String>,
    /// Until when nothing is attempted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// Who made it.
    pub created_by: String,
    /// When it was changed last.
    pub updated_at: String,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<String>,
}

impl fmt::Debug for WebhookBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the secret nor the address, which may be one.
        f.debug_struct("WebhookBody").field("webhook_id", &self.webhook_id).finish_non_exhaustive()
    }
}

fn text(time: Option<Timestamp>) -> Option<String> {
    time.map(|time| time.to_string())
}

impl WebhookBody {
    /// A webhook at this time.
    pub fn of(record: &WebhookRecord, now: Timestamp) -> Self {
        let WebhookRecord { webhook, secrets, health, deleted_at, .. } = record;
        let settings = webhook.settings.draft();
        let Draft { url, description, events, statuses, risk_levels, environments, operations, .. } =
            settings;
        let previous = secrets.previous.as_ref().map(|previous| previous.until).filter(|until| now < *until);
        Self {
            webhook_id: webhook.id.to_string(),
            version: webhook.version,
            url,
            description,
            events,
            statuses,
            risk_levels,
            environments,
            operations,
            content: webhook.settings.content.to_string(),
            format: webhook.settings.format.to_string(),
            header_names: webhook.settings.headers.names().map(str::to_owned).collect(),
            enabled: webhook.is_enabled() && deleted_at.is_none(),
            disabled_at: text(webhook.disabled.map(|disabled| disabled.at)),
            disabled_reason: webhook.disabled.map(|disabled| disabled.reason.to_string()),
            secret: None,
            secret_generation: secrets.generation,
            previous_secret_until: text(previous),
            last_success_at: text(health.last_success_at),
            failing_since: text(health.failing_since),
            paused_until: text(health.pause_at(now)),
            created_at: webhook.created_at.to_string(),
            created_by: webhook.created_by.to_string(),
            updated_at: webhook.updated_at.to_string(),
            deleted_at: text(*deleted_at),
        }
    }

    /// The same with the secret that was made for it just now.
    pub fn with_secret(made: &WithSecret, now: Timestamp) -> Self {
        let secret: &WebhookSecret = &made.secret;
        Self { secret: Some(secret.reveal().to_string()), ..Self::of(&made.record, now) }
    }
}

/// All webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhooksBody {
    /// The oldest first.
    pub webhooks: Vec<WebhookBody>,
    /// The ids of those whose records cannot be read, or were not written by this deployment: nothing is sent to them. The key of a
    /// record that has no id of a webhook is in none of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged_ids: Vec<String>,
    /// How many there may be.
    pub limit: u64,
}

impl WebhooksBody {
    /// Webhooks at this time.
    pub fn of(all: &AllWebhooks, now: Timestamp) -> Self {
        let webhooks = all.records.iter().map(|record| WebhookBody::of(record, now)).collect();
        let damaged_ids =
            all.damaged.iter().filter_map(|damaged| damaged.id).map(|id| id.to_string()).collect();
        Self { webhooks, damaged_ids, limit: u64::try_from(MAX_WEBHOOKS).unwrap_or(u64::MAX) }
    }
}

/// What came of trying a webhook out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookTrialBody {
    /// The id of the message, its `webhook-id`.
    pub event_id: String,
    /// The status of the answer, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long it took.
    pub milliseconds: u64,
    /// The class of the failure, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The failure in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl WebhookTrialBody {
    /// What came of it.
    pub fn of(trial: &Trial) -> Self {
        Self {
            event_id: trial.id.to_string(),
            status: trial.status,
            milliseconds: trial.milliseconds,
            failure: trial.failure.map(|failure| failure.as_str().to_owned()),
            detail: trial.detail.clone(),
        }
    }
}

/// How many deliveries were begun anew.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedeliveredBody {
    /// How many.
    pub redelivered: u64,
    /// What to send as `after` for the rest; null if that was all.
    pub next: Option<String>,
}

impl RedeliveredBody {
    /// So many.
    pub fn of(redelivered: &Redelivered) -> Self {
        let next = redelivered.next.map(|next| next.to_string());
        Self { redelivered: redelivered.redelivered, next }
    }
}

/// The last attempt of a delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptBody {
    /// When it ended.
    pub at: String,
    /// The status of the answer, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The class of the failure, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The host that was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// A delivery to a webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryBody {
    /// Names it: the id of its event, and its `webhook-id`.
    pub delivery_id: String,
    /// What happened.
    pub event_type: String,
    /// The request that it happened to.
    pub request_id: String,
    /// The place of the event in the trail of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// When the delivery was made.
    pub created_at: String,
    /// `waiting`, `delivered`, `dead` or `skipped`.
    pub status: String,
    /// The round of attempts, from 1.
    pub round: u32,
    /// How many attempts of the round have been counted.
    pub attempts: u32,
    /// When it is attempted next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<String>,
    /// The last attempt of any round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_attempt: Option<AttemptBody>,
}

impl DeliveryBody {
    /// A delivery.
    pub fn of(delivery: &Delivery) -> Self {
        let attempt = |attempt: &LastAttempt| AttemptBody {
            at: attempt.at.to_string(),
            status: attempt.status,
            failure: attempt.failure.map(|failure| failure.as_str().to_owned()),
            host: attempt.host.clone(),
        };
        Self {
            delivery_id: delivery.event_id.to_string(),
            // A webhook gets events alone, which have both.
            event_type: delivery
                .event_type
                .map(|event_type| event_type.as_str().to_owned())
                .unwrap_or_default(),
            request_id: delivery.request_id.map(|request_id| request_id.to_string()).unwrap_or_default(),
            sequence: delivery.sequence,
            created_at: delivery.created_at.to_string(),
            status: delivery.state.as_str().to_owned(),
            round: delivery.round,
            attempts: delivery.attempts,
            next_attempt_at: text(delivery.next_attempt_at),
            last_attempt: delivery.last_attempt.as_ref().map(attempt),
        }
    }
}

/// A page of deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveriesBody {
    /// The latest first.
    pub deliveries: Vec<DeliveryBody>,
    /// What to send as `after` for the next page; null on the last.
    pub next: Option<String>,
}

impl DeliveriesBody {
    /// A page.
    pub fn of(log: &DeliveryLog) -> Self {
        let next = log.next.map(|next| next.to_string());
        Self { deliveries: log.deliveries.iter().map(DeliveryBody::of).collect(), next }
    }
}

/// The trail of a webhook.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WebhookEventsBody {
    /// Its events as they are stored, the oldest first.
    pub events: Vec<Value>,
    /// Whether the trail is whole.
    pub verified: bool,
    /// What is not as it was written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
}

impl WebhookEventsBody {
    /// A trail.
    pub fn of(trail: &WebhookTrail) -> Self {
        Self {
            events: trail.documents.iter().filter_map(|text| serde_json::from_str(text).ok()).collect(),
            verified: trail.finding.is_none(),
            findings: trail.finding.iter().cloned().collect(),
        }
    }
}
