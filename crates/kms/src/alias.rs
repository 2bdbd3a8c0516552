//! The three aliases, and the key behind one.

use crate::purpose::SigningPurpose;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use countersign_permit::KeyStatus;

/// What KMS does not do. The text has the code of its answer alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KmsError {
    /// It answered with an error of this code.
    #[error("KMS answered {0}")]
    Refused(String),
    /// It did not answer.
    #[error("KMS does not answer")]
    Unreachable,
    /// There is no key behind an alias that must have one.
    #[error("there is no key behind {0}")]
    NoKey(String),
    /// A key is not of the kind that signs for this purpose, or an answer is none.
    #[error("the key behind {alias} is not an {spec} key that signs")]
    Unsuitable {
        /// Where it is.
        alias: String,
        /// What it should be, by KMS's name.
        spec: String,
    },
}

impl KmsError {
    /// Of an answer.
    pub(crate) fn of<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Self {
        match error {
            SdkError::ServiceError(service) => {
                Self::Refused(service.err().code().unwrap_or("an error without a code").to_owned())
            }
            _ => Self::Unreachable,
        }
    }

    /// Whether there is no such key, or one that an operator has disabled or is deleting: it verifies nothing.
    fn is_no_key(&self) -> bool {
        let codes = ["NotFoundException", "DisabledException", "KMSInvalidStateException"];
        matches!(self, Self::Refused(code) if codes.contains(&code.as_str()))
    }
}

/// The aliases of the keys of one purpose: `PREFIX-next`, `PREFIX-current` and `PREFIX-past`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aliases<P> {
    prefix: String,
    /// What the keys sign.
    pub(crate) purpose: P,
}

impl<P: SigningPurpose> Aliases<P> {
    /// With this prefix, such as `alias/countersign-prod-permit`.
    #[must_use]
    pub fn new(prefix: String, purpose: P) -> Self {
        Self { prefix, purpose }
    }

    /// Those of an environment, as the template names them.
    #[must_use]
    pub fn of_environment(environment: &str, purpose: P) -> Self {
        Self::new(format!("alias/countersign-{environment}-{purpose}"), purpose)
    }

    /// The alias of a status.
    #[must_use]
    pub fn name(&self, status: KeyStatus) -> String {
        format!("{}-{status}", self.prefix)
    }

    /// The key behind an alias, if there is one. Needs `kms:GetPublicKey`.
    pub(crate) async fn key(
        &self,
        client: &Client,
        status: KeyStatus,
    ) -> Result<Option<Key<P::PublicKey>>, KmsError> {
        let alias = self.name(status);
        let answer = match client.get_public_key().key_id(&alias).send().await {
            Ok(answer) => answer,
            Err(error) => {
                let error = KmsError::of(&error);
                return if error.is_no_key() { Ok(None) } else { Err(error) };
            }
        };
        let der = answer.public_key().map(AsRef::as_ref).unwrap_or_default();
        match (self.purpose.public_key(der, status), answer.key_id) {
            (Some(public), Some(arn)) => Ok(Some(Key { arn, status, public })),
            _ => Err(KmsError::Unsuitable { alias, spec: self.purpose.key_spec().as_str().to_owned() }),
        }
    }

    /// The same of an alias that must have a key.
    pub(crate) async fn required(
        &self,
        client: &Client,
        status: KeyStatus,
    ) -> Result<Key<P::PublicKey>, KmsError> {
        self.key(client, status).await?.ok_or_else(|| KmsError::NoKey(self.name(status)))
    }
}

/// A key behind an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key<K> {
    /// The key itself: the alias may lead to another one by the time of the next call.
    pub(crate) arn: String,
    /// Which alias.
    pub(crate) status: KeyStatus,
    pub(crate) public: K,
}
