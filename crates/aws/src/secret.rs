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
    Ok(version(configuration, arn, "AWSCURRENT").await?.0)
}

/// The keys that a secret holds: the one to use, and the other that still counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTexts {
    /// To seal and sign with.
    pub used: String,
    /// What was used before, or will be.
    pub other: Option<String>,
}

/// The texts of the current version of a secret and of the one before
/// (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html>). The current one is used once it is
/// `known_after` seconds old: by then every reader that keeps what it has read for less has read it. Two calls; needs
/// `secretsmanager:GetSecretValue`.
///
/// # Errors
/// See [`SecretError`].
pub async fn read_keys(
    configuration: &SdkConfig,
    arn: &str,
    now_seconds: i64,
    known_after: i64,
) -> Result<KeyTexts, SecretError> {
    let (current, made_at) = version(configuration, arn, "AWSCURRENT").await?;
    let previous = match version(configuration, arn, "AWSPREVIOUS").await {
        Ok((previous, _)) => Some(previous),
        Err(SecretError::Refused(code)) if code == "ResourceNotFoundException" => None,
        Err(error) => return Err(error),
    };
    let is_known = made_at.is_none_or(|made_at| now_seconds.saturating_sub(made_at) >= known_after);
    Ok(match previous {
        Some(previous) if !is_known => KeyTexts { used: previous, other: Some(current) },
        other => KeyTexts { used: current, other },
    })
}

/// The text of a version, and when it was made, in seconds since the Unix epoch.
async fn version(
    configuration: &SdkConfig,
    arn: &str,
    stage: &str,
) -> Result<(String, Option<i64>), SecretError> {
    let call = Client::new(configuration).get_secret_value().secret_id(arn).version_stage(stage);
    let value = call.send().await.map_err(|error| match &error {
        SdkError::ServiceError(service) => {
            SecretError::Refused(service.err().code().unwrap_or("an error without a code").to_owned())
        }
        _ => SecretError::Unreachable,
    })?;
    let made_at = value.created_date.map(|date| date.secs());
    Ok((value.secret_string.ok_or(SecretError::NotText)?, made_at))
}
