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
    version(configuration, arn, "AWSCURRENT").await
}

/// The text of the current version of a secret, and of the one before if there is one
/// (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html>). Two calls; needs the same.
///
/// # Errors
/// See [`SecretError`].
pub async fn read_two(configuration: &SdkConfig, arn: &str) -> Result<(String, Option<String>), SecretError> {
    let current = version(configuration, arn, "AWSCURRENT").await?;
    match version(configuration, arn, "AWSPREVIOUS").await {
        Ok(previous) => Ok((current, Some(previous))),
        Err(SecretError::Refused(code)) if code == "ResourceNotFoundException" => Ok((current, None)),
        Err(error) => Err(error),
    }
}

async fn version(configuration: &SdkConfig, arn: &str, stage: &str) -> Result<String, SecretError> {
    let call = Client::new(configuration).get_secret_value().secret_id(arn).version_stage(stage);
    let value = call.send().await.map_err(|error| match &error {
        SdkError::ServiceError(service) => {
            SecretError::Refused(service.err().code().unwrap_or("an error without a code").to_owned())
        }
        _ => SecretError::Unreachable,
    })?;
    value.secret_string.ok_or(SecretError::NotText)
}
