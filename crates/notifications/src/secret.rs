//! Where a secret is: configuration names it and never holds it.

use serde::de::{Deserialize, Deserializer, Visitor};
use std::fmt;
use std::path::Path;

/// Where a secret is. Reading it is the business of the shell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretReference {
    /// `file:PATH`: all of a file, by its absolute path.
    File(String),
    /// `env:NAME`: a variable of the environment.
    Environment(String),
    /// `secretsmanager:ID`: the name or ARN of a secret in AWS Secrets Manager.
    SecretsManager(String),
}

/// The text names no secret. It may be one: it is never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecretReference {
    /// It begins with none of the three schemes.
    #[error(
        "must say where the secret is, and never hold it: file:/run/secrets/NAME, env:NAME or secretsmanager:ID"
    )]
    Scheme,
    /// The path is not absolute, or leads upwards.
    #[error("must name a file by its absolute path without `..`, such as file:/run/secrets/slack")]
    File,
    /// The name can be that of no variable.
    #[error("must name a variable of letters, digits and _, such as env:SLACK_TOKEN")]
    Environment,
    /// The id can be that of no secret.
    #[error("must name a secret by its name or ARN, such as secretsmanager:countersign/slack")]
    SecretsManager,
}

/// The longest path, name or id, in bytes: the longest ARN that Secrets Manager takes
/// (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>).
const MAX_BYTES: usize = 2048;

impl SecretReference {
    /// Reads a reference.
    ///
    /// # Errors
    /// What may be the secret itself, and a path, name or id of the wrong shape.
    pub fn parse(text: &str) -> Result<Self, InvalidSecretReference> {
        let (scheme, rest) = text.split_once(':').ok_or(InvalidSecretReference::Scheme)?;
        let is_text = (1..=MAX_BYTES).contains(&rest.len()) && !rest.chars().any(char::is_control);
        match scheme {
            "file" => {
                let leads_upwards = rest.split('/').any(|part| part == "..");
                let is_path = is_text && Path::new(rest).is_absolute() && !rest.ends_with('/');
                let path = (is_path && !leads_upwards).then(|| Self::File(rest.to_owned()));
                path.ok_or(InvalidSecretReference::File)
            }
            "env" => {
                let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
                let is_name = is_text
                    && rest.bytes().all(allowed)
                    && !rest.bytes().next().is_some_and(|b| b.is_ascii_digit());
                is_name.then(|| Self::Environment(rest.to_owned())).ok_or(InvalidSecretReference::Environment)
            }
            "secretsmanager" => {
                // The characters of names, and the colons of ARNs.
                let allowed = |b: u8| b.is_ascii_alphanumeric() || b"/_+=.@-:".contains(&b);
                let id =
                    (is_text && rest.bytes().all(allowed)).then(|| Self::SecretsManager(rest.to_owned()));
                id.ok_or(InvalidSecretReference::SecretsManager)
            }
            _ => Err(InvalidSecretReference::Scheme),
        }
    }
}

impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{path}"),
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::SecretsManager(id) => write!(f, "secretsmanager:{id}"),
        }
    }
}

/// What stands in the place of a reference. What the parser says of a value of another type would show the value, so
/// every type is read.
#[derive(Clone)]
pub(crate) struct WrittenSecret(Option<String>);

impl WrittenSecret {
    pub(crate) fn read(&self) -> Result<SecretReference, InvalidSecretReference> {
        SecretReference::parse(self.0.as_deref().unwrap_or_default())
    }
}

impl fmt::Debug for WrittenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrittenSecret")
    }
}

impl<'de> Deserialize<'de> for WrittenSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = WrittenSecret;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_str<E>(self, text: &str) -> Result<WrittenSecret, E> {
                Ok(WrittenSecret(Some(text.to_owned())))
            }
            fn visit_bool<E>(self, _: bool) -> Result<WrittenSecret, E> {
                Ok(WrittenSecret(None))
            }
            fn visit_i64<E>(self, _: i64) -> Result<WrittenSecret, E> {
                Ok(WrittenSecret(None))
            }
            fn visit_u64<E>(self, _: u64) -> Result<WrittenSecret, E> {
                Ok(WrittenSecret(None))
            }
            fn visit_f64<E>(self, _: f64) -> Result<WrittenSecret, E> {
                Ok(WrittenSecret(None))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
