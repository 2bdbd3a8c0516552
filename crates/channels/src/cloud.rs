//! What is sent through AWS: topics, buses and e-mail by SES. Behind a port, since one machine alone has none of it.

use countersign_app::host::BoxFuture;
use countersign_core::cloud_event::CloudEvent;
use countersign_delivery::outcome::Outcome;
use countersign_mail::mail::Mail;
use countersign_notifications::configuration::Configuration;
use countersign_notifications::destination::{Target, Transport};
use countersign_notifications::secret::SecretReference;
use std::fmt;

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub enum CloudMessage<'a> {
    /// An event, to a topic of Amazon SNS.
    Topic {
        /// The ARN of the topic.
        topic_arn: &'a str,
        /// The event.
        event: &'a CloudEvent,
    },
    /// An event, to a bus of Amazon `EventBridge`.
    Bus {
        /// The name or ARN of the bus.
        bus: &'a str,
        /// The event.
        event: &'a CloudEvent,
    },
    /// An e-mail, by Amazon SES.
    Mail(&'a Mail),
}

/// Sends through AWS, once.
pub trait Cloud: Send + Sync + fmt::Debug {
    /// Sends a message.
    fn send<'a>(&'a self, message: CloudMessage<'a>) -> BoxFuture<'a, Outcome>;
}

/// Destinations that a program without AWS cannot send to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "notifications.toml: destinations.{name} needs AWS, which this service is not on: choose a kind that does not, and a secret as file: or env:"
)]
pub struct NeedsCloud {
    name: String,
}

/// Makes sure that all destinations can be sent to without AWS.
///
/// # Errors
/// The first that cannot.
pub fn check_without_cloud(configuration: &Configuration) -> Result<(), NeedsCloud> {
    for (name, destination) in &configuration.destinations {
        let is_there = |secret: &SecretReference| matches!(secret, SecretReference::SecretsManager(_));
        let needs_cloud = match &destination.target {
            Target::Sns { .. } | Target::EventBridge { .. } => true,
            Target::Email { transport: Transport::Ses, .. } => true,
            Target::Email { transport: Transport::Smtp { credentials, .. }, .. } => {
                credentials.as_ref().is_some_and(|known| is_there(&known.password))
            }
            Target::SlackWebhook { url: secret }
            | Target::SlackBot { token: secret, .. }
            | Target::Teams { url: secret }
            | Target::PagerDuty { routing_key: secret, .. } => is_there(secret),
            Target::Log => false,
        };
        if needs_cloud {
            return Err(NeedsCloud { name: name.clone() });
        }
    }
    Ok(())
}
