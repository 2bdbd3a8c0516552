//! A rotation: the aliases are moved, one after another, so that whatever has signed or will sign is behind one of them
//! at every moment.

use crate::alias::{Aliases, KmsError};
use crate::purpose::SigningPurpose;
use aws_sdk_kms::Client;
use aws_sdk_kms::types::KeyUsageType;
use aws_types::SdkConfig;
use countersign_permit::KeyStatus;

/// The keys of one purpose of a deployment, as an operator sees them.
#[derive(Debug, Clone)]
pub struct Rotation<P> {
    client: Client,
    aliases: Aliases<P>,
}

impl<P: SigningPurpose> Rotation<P> {
    /// Of the keys behind these aliases.
    pub fn new(client: Client, aliases: Aliases<P>) -> Self {
        Self { client, aliases }
    }

    /// The same, with a client of its own.
    pub fn connect(aws: &SdkConfig, aliases: Aliases<P>) -> Self {
        Self::new(Client::new(aws), aliases)
    }

    /// The keys.
    ///
    /// # Errors
    /// When KMS does not answer, or nothing signs.
    pub async fn list(&self) -> Result<Vec<P::PublicKey>, KmsError> {
        let current = self.aliases.required(&self.client, KeyStatus::Current).await?;
        let mut keys = vec![current];
        for status in [KeyStatus::Next, KeyStatus::Past] {
            keys.extend(self.aliases.key(&self.client, status).await?);
        }
        Ok(keys.into_iter().map(|key| key.public).collect())
    }

    /// Lets the next key sign, keeps the one that did as past, and makes another for the next time. The key that was
    /// past before stays in KMS, and verifies nothing any more. One that was interrupted is finished by the next call.
    ///
    /// # Errors
    /// When KMS does not do its part. What signs, and what has signed last, is published all the same.
    pub async fn rotate(&self) -> Result<Vec<P::PublicKey>, KmsError> {
        let current = self.aliases.required(&self.client, KeyStatus::Current).await?;
        let next = self.aliases.required(&self.client, KeyStatus::Next).await?;
        // Behind both is one key when the call before this one made no further key.
        if current.arn != next.arn {
            self.point(KeyStatus::Past, &current.arn).await?;
            self.point(KeyStatus::Current, &next.arn).await?;
        }
        let fresh = self.create_key().await?;
        self.point(KeyStatus::Next, &fresh).await?;
        self.list().await
    }

    async fn create_key(&self) -> Result<String, KmsError> {
        let answer = self
            .client
            .create_key()
            .description(self.aliases.purpose.description())
            .key_spec(self.aliases.purpose.key_spec())
            .key_usage(KeyUsageType::SignVerify)
            .send()
            .await
            .map_err(|error| KmsError::of(&error))?;
        let metadata = answer.key_metadata.ok_or(KmsError::Unreachable)?;
        metadata.arn.ok_or(KmsError::Unreachable)
    }

    async fn point(&self, status: KeyStatus, arn: &str) -> Result<(), KmsError> {
        let alias = self.aliases.name(status);
        let moved = self.client.update_alias().alias_name(&alias).target_key_id(arn).send().await;
        match moved.map_err(|error| KmsError::of(&error)) {
            Ok(_) => Ok(()),
            // The first rotation: nothing was past before.
            Err(KmsError::Refused(code)) if code == "NotFoundException" => {
                let made = self.client.create_alias().alias_name(&alias).target_key_id(arn).send().await;
                made.map(|_| ()).map_err(|error| KmsError::of(&error))
            }
            Err(error) => Err(error),
        }
    }
}
