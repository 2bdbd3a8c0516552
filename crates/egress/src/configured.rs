//! `notifications.toml` beside a policy, and the client that follows from what it says of webhooks.

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
    /// Ports or networks cannot be allowed.
    #[error("notifications.toml: [webhooks] {0}")]
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

/// The file beside a policy, read and checked; nothing if there is none.
///
/// # Errors
/// When the file is there and cannot be used.
pub fn notifications(
    directory: Option<&Path>,
    policy: &Policy,
) -> Result<Option<Configuration>, NotificationsError> {
    let text = directory.map(load::read_notifications).transpose()?.flatten();
    let Some(text) = text else { return Ok(None) };
    let configuration = Configuration::parse(&text, policy.people().groups())?;
    rules(&configuration)?;
    Ok(Some(configuration))
}

/// What may be called, by what the file says of webhooks.
///
/// # Errors
/// The first port or network that cannot be allowed.
pub fn rules(configuration: &Configuration) -> Result<EgressRules, InvalidRules> {
    let webhooks = &configuration.webhooks;
    let ports = webhooks.allow_ports.iter().map(u16::to_string);
    EgressRules::parse(ports, &webhooks.allow_networks)
}

/// The roots in PEM that the certificates of internal hosts are held against, if the file names any.
///
/// # Errors
/// When they cannot be read.
pub fn ca_bundle(configuration: &Configuration) -> Result<Option<Vec<u8>>, NotificationsError> {
    let read = |path: &String| {
        fs::read(path).map_err(|error| NotificationsError::Bundle { path: escaped_line(path), error })
    };
    configuration.webhooks.ca_bundle.as_ref().map(read).transpose()
}

/// What calls addresses, by the file; by the rules for public addresses if there is none.
///
/// # Errors
/// When rules or roots cannot be used.
pub fn client(configuration: Option<&Configuration>) -> Result<Client, NotificationsError> {
    let Some(configuration) = configuration else { return Ok(Client::new(EgressRules::default(), None)?) };
    Ok(Client::new(rules(configuration)?, ca_bundle(configuration)?.as_deref())?)
}
