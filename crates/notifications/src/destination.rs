//! Destinations: where messages go, and whom they reach there.

use crate::secret::SecretReference;
use serde::Deserialize;
use strum::{Display, EnumIter, IntoStaticStr};

/// The kinds of destinations.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Display, IntoStaticStr, EnumIter,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// A topic of Amazon SNS.
    Sns,
    /// A bus of Amazon `EventBridge`.
    #[serde(rename = "eventbridge")]
    #[strum(serialize = "eventbridge")]
    EventBridge,
    /// An incoming webhook of Slack: one channel, messages that do not change.
    SlackWebhook,
    /// A bot of Slack: a channel, or people, and messages that change with the request.
    SlackBot,
    /// A workflow of Microsoft Teams: one channel.
    Teams,
    /// E-mail: people, and the mailboxes of groups.
    Email,
    /// A service of `PagerDuty`: escalations alone.
    #[serde(rename = "pagerduty")]
    #[strum(serialize = "pagerduty")]
    PagerDuty,
    /// A line of the log.
    Log,
}

impl Kind {
    /// The name in files and metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether programs listen: they get every event once, and at once.
    pub fn is_for_programs(self) -> bool {
        match self {
            Self::Sns | Self::EventBridge | Self::Log => true,
            Self::SlackWebhook | Self::SlackBot | Self::Teams | Self::Email | Self::PagerDuty => false,
        }
    }

    /// Whether it takes reports. Topics and buses get events alone, and nothing is to be done about a report.
    pub fn takes_reports(self) -> bool {
        match self {
            Self::Sns | Self::EventBridge | Self::PagerDuty => false,
            Self::SlackWebhook | Self::SlackBot | Self::Teams | Self::Email | Self::Log => true,
        }
    }
}

/// What a destination is, with what its kind needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// See [`Kind::Sns`].
    Sns {
        /// The ARN of the topic.
        topic_arn: String,
    },
    /// See [`Kind::EventBridge`].
    EventBridge {
        /// The name or ARN of the bus.
        bus: String,
    },
    /// See [`Kind::SlackWebhook`].
    SlackWebhook {
        /// The address, which is a secret.
        url: SecretReference,
    },
    /// See [`Kind::SlackBot`].
    SlackBot {
        /// The token of the bot.
        token: SecretReference,
        /// The id of the channel that it posts to; none if it writes to people.
        channel: Option<String>,
    },
    /// See [`Kind::Teams`].
    Teams {
        /// The address, which is a secret.
        url: SecretReference,
    },
    /// See [`Kind::Email`].
    Email {
        /// The address of the sender.
        from: String,
        /// How it is sent.
        transport: Transport,
    },
    /// See [`Kind::PagerDuty`].
    PagerDuty {
        /// The integration key of the service.
        routing_key: SecretReference,
        /// Where the account is.
        region: Region,
    },
    /// See [`Kind::Log`].
    Log,
}

/// How e-mail is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// By Amazon SES, version 2.
    Ses,
    /// By SMTP.
    Smtp {
        /// The name of the server.
        host: String,
        /// Its port.
        port: u16,
        /// Whom the server knows the sender as; none if it asks for nobody.
        credentials: Option<Credentials>,
        /// How the connection is protected.
        tls: Tls,
    },
}

/// Whom an SMTP server knows the sender as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password.
    pub password: SecretReference,
}

/// How a connection by SMTP is protected. There is none without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// From the first byte: port 465.
    Implicit,
    /// By STARTTLS, which must succeed: port 587.
    StartTls,
}

/// Where an account of `PagerDuty` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    /// The United States.
    #[default]
    Us,
    /// The European Union.
    Eu,
}

/// One destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Where messages go.
    pub target: Target,
    /// How many messages it takes in a minute at most; none if that is not limited.
    pub rate_per_minute: Option<u32>,
}

impl Destination {
    /// What kind it is.
    pub fn kind(&self) -> Kind {
        match self.target {
            Target::Sns { .. } => Kind::Sns,
            Target::EventBridge { .. } => Kind::EventBridge,
            Target::SlackWebhook { .. } => Kind::SlackWebhook,
            Target::SlackBot { .. } => Kind::SlackBot,
            Target::Teams { .. } => Kind::Teams,
            Target::Email { .. } => Kind::Email,
            Target::PagerDuty { .. } => Kind::PagerDuty,
            Target::Log => Kind::Log,
        }
    }

    /// Whether each person has a message of their own there. Else all share one.
    pub fn reaches_people(&self) -> bool {
        match &self.target {
            Target::Email { .. } => true,
            Target::SlackBot { channel, .. } => channel.is_none(),
            Target::Sns { .. }
            | Target::EventBridge { .. }
            | Target::SlackWebhook { .. }
            | Target::Teams { .. }
            | Target::PagerDuty { .. }
            | Target::Log => false,
        }
    }

    /// Whether a message there changes with its request, instead of being followed by another.
    pub fn changes_messages(&self) -> bool {
        self.kind() == Kind::SlackBot
    }
}
