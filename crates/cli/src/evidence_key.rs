//! The key that signs evidence, for what an operator makes of the audit log: of a service on this machine, or of a deployment.

use crate::aws;
use crate::error::CommandError;
use countersign_app::audit_keys::AuditKeys;
use countersign_app::host::Clock;
use countersign_app::signing::SigningError;
use countersign_audit::key::{PublicKey, Purpose};
use countersign_audit::key_set::KeySet;
use countersign_kms::audit_keys::KmsAuditKeys;
use countersign_server::data_directory::DataDirectory;
use countersign_system::system::SystemHost;
use countersign_system::text_file;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Where the key is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SigningPlace<'a> {
    /// The data directory of a service on this machine.
    DataDirectory(&'a Path),
    /// KMS, behind the aliases of a deployment.
    Environment(&'a str),
}

impl<'a> SigningPlace<'a> {
    /// Of a command line, if it names one.
    pub(crate) fn of(data_directory: Option<&'a Path>, environment: Option<&'a str>) -> Option<Self> {
        data_directory.map(Self::DataDirectory).or(environment.map(Self::Environment))
    }
}

/// The key.
#[derive(Debug)]
pub(crate) struct EvidenceKey {
    keys: Box<dyn AuditKeys>,
    public: PublicKey,
    runtime: Runtime,
}

fn unsigned(error: SigningError) -> CommandError {
    CommandError::Failed(format!("the evidence key does not sign: {error}"))
}

impl EvidenceKey {
    /// Reaches it. It must be one of those that are published: a signature by another key is not believed.
    ///
    /// # Errors
    /// When there is none, or it is another deployment's.
    pub(crate) fn open(
        place: SigningPlace<'_>,
        published: &KeySet,
        aws_ca_bundle: Option<&Path>,
    ) -> Result<Self, CommandError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("the runtime does not start: {error}"))?;
        let keys = match place {
            SigningPlace::DataDirectory(path) => local(path)?,
            SigningPlace::Environment(environment) => {
                let aws = runtime.block_on(aws::configuration(aws_ca_bundle))?;
                let clock: Arc<dyn Clock> = Arc::new(SystemHost::default());
                Box::new(KmsAuditKeys::connect(&aws, &format!("alias/countersign-{environment}"), &clock))
            }
        };
        let public = runtime.block_on(keys.current(Purpose::Evidence)).map_err(unsigned)?;
        if !published.of_purpose(Purpose::Evidence).any(|key| key.key_id() == public.key_id()) {
            return Err(CommandError::Failed(
                "the evidence key is not among the keys of --key: it is of another deployment, or they are old".to_owned(),
            ));
        }
        Ok(Self { keys, public, runtime })
    }

    /// Its public half.
    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<[u8; 64], CommandError> {
        self.runtime.block_on(self.keys.sign(&self.public, message)).map_err(unsigned)
    }
}

/// The keys of a service on this machine. None are made here.
fn local(path: &Path) -> Result<Box<dyn AuditKeys>, CommandError> {
    if !DataDirectory::has_audit_keys(path, Purpose::Evidence) {
        let message =
            format!("{} holds no evidence key: `countersign serve` makes it", text_file::shown(path));
        return Err(CommandError::NotFound(message));
    }
    Ok(Box::new(DataDirectory::open(path)?.audit_keys()?))
}
