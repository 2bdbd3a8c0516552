//! Reading a secret from AWS Secrets Manager.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata as _, SdkError};
use aws_types::SdkConfig;

/// A secret cannot be read. The text says nothing of its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager answered with an error of this code.
    #[error("Secrets Manager answered {0}")]
    Refused(String),
    /// Secrets Manager did not answer.
    #[error("Secrets Manager does not answer")]
    Unreachable,
    /// The secret is binary.
    #[error("the secret is not a text")]
    NotText,
}

/// The text of the current version of a secret. One call; needs `secretsmanager:GetSecretValue` on it.
///
/// # Errors
/// See [`SecretError`].
pub async fn read(configuration: &SdkConfig, arn: &str) -> Result<String, SecretError> {
    let answer = Client::new(configuration).get_secret_value().secret_id(arn).send().await;
    let value = answer.map_err(|error| match &error {
        SdkError::ServiceError(service) => {
            SecretError::Refused(service.err().code().unwrap_or("an error without a code").to_owned())
        }
        _ => SecretError::Unreachable,
    })?;
    value.secret_string.ok_or(SecretError::NotText)
}
