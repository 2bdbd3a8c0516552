//! The keys of the audit log and of evidence.

use crate::alias::Aliases;
use crate::signing_keys::KmsSigningKeys;
use aws_sdk_kms::Client;
use aws_types::SdkConfig;
use countersign_app::audit_keys::AuditKeys;
use countersign_app::host::{BoxFuture, Clock};
use countersign_app::signing::SigningError;
use countersign_audit::key::{PublicKey, Purpose};
use countersign_audit::key_set::KeySet;
use std::sync::Arc;

/// Ed25519 keys behind the aliases of a deployment, of both purposes.
#[derive(Debug)]
pub struct KmsAuditKeys {
    log: KmsSigningKeys<Purpose>,
    evidence: KmsSigningKeys<Purpose>,
}

impl KmsAuditKeys {
    /// Keys behind the aliases with this prefix, such as `alias/countersign-prod`, to which the purpose is added. Calls
    /// nothing yet.
    pub fn new(client: &Client, prefix: &str, clock: &Arc<dyn Clock>) -> Self {
        let keys = |purpose| {
            let aliases = Aliases::new(format!("{prefix}-{purpose}"), purpose);
            KmsSigningKeys::new(client.clone(), aliases, Arc::clone(clock))
        };
        Self { log: keys(Purpose::Log), evidence: keys(Purpose::Evidence) }
    }

    /// The same, with a client of its own.
    pub fn connect(aws: &SdkConfig, prefix: &str, clock: &Arc<dyn Clock>) -> Self {
        Self::new(&Client::new(aws), prefix, clock)
    }

    fn of(&self, purpose: Purpose) -> &KmsSigningKeys<Purpose> {
        match purpose {
            Purpose::Log => &self.log,
            Purpose::Evidence => &self.evidence,
        }
    }
}

impl AuditKeys for KmsAuditKeys {
    fn current(&self, purpose: Purpose) -> BoxFuture<'_, Result<PublicKey, SigningError>> {
        Box::pin(self.of(purpose).current_public())
    }

    fn sign<'a>(
        &'a self,
        key: &'a PublicKey,
        message: &'a [u8],
    ) -> BoxFuture<'a, Result<[u8; 64], SigningError>> {
        Box::pin(self.of(key.purpose).sign_by(key.key_id(), message))
    }

    fn published(&self) -> BoxFuture<'_, Result<KeySet, SigningError>> {
        Box::pin(async {
            let mut keys = self.log.all_public().await?;
            keys.extend(self.evidence.all_public().await?);
            Ok(KeySet::new(keys))
        })
    }
}
