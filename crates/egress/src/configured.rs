//! A client by what `notifications.toml` says of webhooks.

use crate::client::Client;
use crate::roots::InvalidRoots;
use crate::rules::{EgressRules, InvalidRules};
use countersign_core::policy::Policy;
use countersign_core::policy::mistake::{InvalidPolicy, Mistake};
use countersign_core::text::escaped_line;
use countersign_notifications::configuration::Configuration;
use countersign_policy::load;
use std::fs;
use std::io;
use std::path::Path;

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotificationsError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] InvalidPolicy),
    /// A key of it breaks a rule.
    #[error(transparent)]
    Refused(#[from] Mistake),
    /// A part of it that is read, and not delivered by yet.
    #[error("notifications.toml: [{0}] is not delivered by yet; only [webhooks] may be given")]
    NotDelivered(&'static str),
    /// Ports or networks cannot be allowed.
    #[error("notifications.toml: webhooks {0}")]
    Rules(#[from] InvalidRules),
    /// The roots cannot be read.
    #[error("notifications.toml: webhooks.ca_bundle {path}: {error}")]
    Bundle {
        /// The file, escaped.
        path: String,
        /// The reason.
        error: io::Error,
    },
    /// The roots cannot be used.
    #[error("notifications.toml: webhooks.ca_bundle {0}")]
    Roots(#[from] InvalidRoots),
}

/// What calls webhooks, by the file beside a policy; by the rules for public addresses if there is none.
///
/// # Errors
/// When the file is there and cannot be used.
pub fn webhook_client(directory: Option<&Path>, policy: &Policy) -> Result<Client, NotificationsError> {
    let text = directory.map(load::read_notifications).transpose()?.flatten();
    let Some(text) = text else { return Ok(Client::new(EgressRules::default(), None)?) };
    let configuration = Configuration::parse(&text, policy.people().groups())?;
    let Configuration { destinations, routes, reminders, escalations, digests, .. } = &configuration;
    for (part, is_given) in [
        ("destinations", !destinations.is_empty()),
        ("routes", !routes.is_empty()),
        ("reminders", !reminders.is_empty()),
        ("escalations", !escalations.is_empty()),
        ("digests", !digests.is_empty()),
    ] {
        if is_given {
            return Err(NotificationsError::NotDelivered(part));
        }
    }
    let webhooks = &configuration.webhooks;
    let ports = webhooks.allow_ports.iter().map(u16::to_string);
    let rules = EgressRules::parse(ports, &webhooks.allow_networks)?;
    let bundle = webhooks.ca_bundle.as_ref().map(|path| {
        let unreadable = |error| NotificationsError::Bundle { path: escaped_line(path), error };
        fs::read(path).map_err(unreadable)
    });
    Ok(Client::new(rules, bundle.transpose()?.as_deref())?)
}
