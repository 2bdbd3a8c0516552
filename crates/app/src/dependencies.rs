//! What every use case is given.

use crate::audit_keys::AuditKeys;
use crate::host::Host;
use crate::ports::WebhookClient;
use crate::signing::SigningKeys;
use countersign_core::digest::DeploymentKey;
use countersign_core::policy::Policy;
use countersign_notifications::configuration::Configuration;
use std::sync::Arc;

/// The store and everything else a use case works with. `S` implements the ports that the use
/// case asks for, and no others need exist.
#[derive(Debug)]
pub struct Dependencies<S> {
    /// The store.
    pub store: S,
    /// What operations demand.
    pub policy: Policy,
    /// Who hears of what, if the operator has said so. No decision reads it.
    pub notifications: Option<Arc<Configuration>>,
    /// The keys that permits are signed with.
    pub signing_keys: Arc<dyn SigningKeys>,
    /// The keys that checkpoints of the log, and evidence, are signed with.
    pub audit_keys: Arc<dyn AuditKeys>,
    /// Calls webhooks.
    pub webhook_client: Arc<dyn WebhookClient>,
    /// The key of the seals of what is stored.
    pub deployment_key: DeploymentKey,
    /// Time, ids and pauses.
    pub host: Arc<dyn Host>,
}
