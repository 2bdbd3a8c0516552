//! A webhook: its settings, whether it takes anything now, and how it changes.

use crate::settings::{Draft, Member, Settings};
use countersign_core::canonical::CanonicalJson;
use countersign_core::cloud_event::CloudEvent;
use countersign_core::digest::{DeploymentKey, Digest};
use countersign_core::person::PersonId;
use countersign_core::timestamp::Timestamp;
use countersign_delivery::destination::{DestinationId, InvalidDestinationId};
use countersign_delivery::health;
use serde::{Deserialize, Serialize};
use std::fmt;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};
use uuid::Uuid;

/// The most webhooks of a deployment.
pub const MAX_WEBHOOKS: usize = 50;

const PREFIX: &str = "wh_";

/// Keeps the seal of a webhook from being good for anything else.
const SEAL_PURPOSE: &str = "countersign.webhook-seal.v1";

/// Names a webhook: `wh_` and a `UUIDv7` in its canonical spelling, so that ids sort by the time they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebhookId(Uuid);

/// The text is no id of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be wh_ and a UUID in lower-case hyphenated form")]
pub struct InvalidWebhookId;

impl WebhookId {
    /// Takes a UUID made elsewhere.
    pub fn new(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// Reads the canonical spelling and no other, so that one id has one text.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidWebhookId> {
        let uuid = text.strip_prefix(PREFIX).and_then(|uuid| Uuid::try_parse(uuid).ok());
        uuid.map(Self).filter(|id| id.to_string() == text).ok_or(InvalidWebhookId)
    }

    /// The webhook as a destination of deliveries.
    ///
    /// # Errors
    /// Never: its text is that of an id of a webhook there.
    pub fn destination(self) -> Result<DestinationId, InvalidDestinationId> {
        DestinationId::webhook(&self.to_string())
    }
}

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0)
    }
}

impl TryFrom<String> for WebhookId {
    type Error = InvalidWebhookId;

    fn try_from(text: String) -> Result<Self, InvalidWebhookId> {
        Self::parse(&text)
    }
}

impl From<WebhookId> for String {
    fn from(id: WebhookId) -> Self {
        id.to_string()
    }
}

/// Why a webhook takes nothing.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, IntoStaticStr, EnumIter,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DisabledReason {
    /// An operator disabled it.
    Operator,
    /// Its endpoint answered that it is gone for good.
    Gone,
    /// Its endpoint took nothing for five days.
    NoSuccess,
}

impl From<health::DisabledReason> for DisabledReason {
    fn from(reason: health::DisabledReason) -> Self {
        match reason {
            health::DisabledReason::Gone => Self::Gone,
            health::DisabledReason::NoSuccess => Self::NoSuccess,
        }
    }
}

/// Since when and why a webhook takes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disabled {
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub reason: DisabledReason,
}

/// A webhook, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct Webhook {
    /// Names it.
    pub id: WebhookId,
    /// What its owner has set.
    pub settings: Settings,
    /// Since when and why it takes nothing, if it is disabled.
    pub disabled: Option<Disabled>,
    /// 1 when it is made, and one more with each change: what a change must name.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: PersonId,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// The change is of another version than the webhook has now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the webhook is at version {current}")]
pub struct VersionMismatch {
    /// The version that it has.
    pub current: u64,
}

impl Webhook {
    /// A new webhook, which is enabled.
    pub fn new(id: WebhookId, settings: Settings, created_by: PersonId, now: Timestamp) -> Self {
        Self { id, settings, disabled: None, version: 1, created_at: now, created_by, updated_at: now }
    }

    /// Whether deliveries to it are attempted. Those of one that is disabled are skipped, and can be redelivered.
    pub fn is_enabled(&self) -> bool {
        self.disabled.is_none()
    }

    /// What binds it as it is stored: HMAC-SHA-256 under the deployment's key. Events go nowhere by settings that no deployment
    /// has written.
    ///
    /// # Errors
    /// Never: each member has a JSON form.
    pub fn seal(&self, key: &DeploymentKey) -> Result<Digest, serde_json::Error> {
        let document = CanonicalJson::of(&serde_json::to_value(self)?);
        Ok(key.digest(&format!("{SEAL_PURPOSE}:{}", self.id), document.as_str()))
    }

    /// Whether an event is one for it: then it has a delivery, be it enabled or not.
    pub fn takes(&self, event: &CloudEvent) -> bool {
        self.settings.filter.takes(event)
    }

    /// The same with other settings, and the members that they change. Settings that change nothing leave it as it is.
    ///
    /// # Errors
    /// A version that it does not have any more, or not yet.
    pub fn change(
        self,
        settings: Settings,
        version: u64,
        now: Timestamp,
    ) -> Result<(Self, Vec<Member>), VersionMismatch> {
        if version != self.version {
            return Err(VersionMismatch { current: self.version });
        }
        let members = self.settings.changes_to(&settings);
        if members.is_empty() {
            return Ok((self, members));
        }
        Ok((Self { settings, ..self }.updated(now), members))
    }

    /// The same enabled. One that is enabled stays as it is.
    #[must_use]
    pub fn enable(mut self, now: Timestamp) -> Self {
        match self.disabled.take() {
            None => self,
            Some(_) => self.updated(now),
        }
    }

    /// The same disabled. One that is disabled stays as it is, with the reason that it had.
    #[must_use]
    pub fn disable(mut self, reason: DisabledReason, now: Timestamp) -> Self {
        if self.disabled.is_some() {
            return self;
        }
        self.disabled = Some(Disabled { at: now, reason });
        self.updated(now)
    }

    /// The same once something that belongs to it has changed, such as its secret.
    #[must_use]
    pub fn updated(self, now: Timestamp) -> Self {
        Self { version: self.version.saturating_add(1), updated_at: now.max(self.updated_at), ..self }
    }
}

/// A webhook as it is stored: its settings as texts, which are checked again when they are read.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    id: WebhookId,
    settings: Draft,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disabled: Option<Disabled>,
    version: u64,
    created_at: Timestamp,
    created_by: PersonId,
    updated_at: Timestamp,
}

/// A stored webhook has settings that break a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the settings of the stored webhook break a rule")]
pub struct UnreadableWebhook;

impl TryFrom<Document> for Webhook {
    type Error = UnreadableWebhook;

    fn try_from(document: Document) -> Result<Self, UnreadableWebhook> {
        let Document { id, settings, disabled, version, created_at, created_by, updated_at } = document;
        let settings = Settings::new(&settings).map_err(|_| UnreadableWebhook)?;
        Ok(Self { id, settings, disabled, version, created_at, created_by, updated_at })
    }
}

impl From<Webhook> for Document {
    fn from(webhook: Webhook) -> Self {
        let Webhook { id, settings, disabled, version, created_at, created_by, updated_at } = webhook;
        Self { id, settings: settings.draft(), disabled, version, created_at, created_by, updated_at }
    }
}
