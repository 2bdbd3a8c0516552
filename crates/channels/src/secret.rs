//! Reading secrets by their references.

use countersign_app::host::BoxFuture;
use countersign_notifications::secret::SecretReference;
use std::fmt;

/// The longest secret that is read from a file, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// A secret cannot be read. The text says nothing of its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret {reference} cannot be read: {reason}")]
pub struct UnreadableSecret {
    /// Where it should be.
    pub reference: String,
    /// The reason.
    pub reason: String,
}

/// Reads secrets.
pub trait Secrets: Send + Sync + fmt::Debug {
    /// The text of a secret, without white space around it.
    fn read<'a>(&'a self, reference: &'a SecretReference) -> BoxFuture<'a, Result<String, UnreadableSecret>>;
}

/// The secrets of a machine: files and variables, read anew each time, so that another file is in force at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalSecrets;

impl Secrets for LocalSecrets {
    fn read<'a>(&'a self, reference: &'a SecretReference) -> BoxFuture<'a, Result<String, UnreadableSecret>> {
        let text = match reference {
            SecretReference::File(path) => file(path),
            SecretReference::Environment(name) => match std::env::var_os(name).map(|it| it.into_string()) {
                Some(Ok(text)) => Ok(text),
                Some(Err(_)) => Err("it is not UTF-8".to_owned()),
                None => Err("it is not set".to_owned()),
            },
            SecretReference::SecretsManager(_) => Err("only functions on AWS read it".to_owned()),
        };
        let text = match text.map(|text| text.trim().to_owned()) {
            Ok(text) if text.is_empty() => Err("it is empty".to_owned()),
            text => text,
        };
        let read = text.map_err(|reason| UnreadableSecret { reference: reference.to_string(), reason });
        Box::pin(std::future::ready(read))
    }
}

fn file(path: &str) -> Result<String, String> {
    use std::io::Read as _;
    // A pipe without a writer would keep the sender waiting for ever.
    if !std::fs::metadata(path).map_err(|error| error.to_string())?.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(text)
}
