//! The Ed25519 keys in the data directory: those that sign checkpoints of the log, and those that sign evidence. A file of
//! each purpose, made at the first start; in it what signs, what will after the next rotation, and the public halves of what
//! has.

use crate::data_directory::{DataDirectory, DataDirectoryError};
use countersign_app::audit_keys::AuditKeys;
use countersign_app::host::BoxFuture;
use countersign_app::signing::SigningError;
use countersign_audit::key::{KeyStatus, PrivateKey, PublicKey, Purpose};
use countersign_audit::key_set::KeySet;
use serde::{Deserialize, Serialize};
use std::path::Path;
use strum::IntoEnumIterator as _;

const FORMAT: &str = "countersign.ed25519-keys.v1";
/// How many keys that have signed are kept, the latest first.
const MAX_PAST: usize = 50;

fn file(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Log => "log-keys.json",
        Purpose::Evidence => "evidence-keys.json",
    }
}

/// The file. Keys are 32 bytes each, hexadecimal.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: String,
    purpose: String,
    current: String,
    next: String,
    past: Vec<String>,
}

/// The keys of a service on this machine.
#[derive(Debug)]
pub struct LocalAuditKeys(Vec<KeyPair>);

/// The key of a purpose that signs, and all that are published.
#[derive(Debug)]
struct KeyPair {
    private: PrivateKey,
    public: PublicKey,
    published: Vec<PublicKey>,
}

impl LocalAuditKeys {
    /// All keys, to be shown.
    #[must_use]
    pub fn key_set(&self) -> KeySet {
        KeySet::new(self.0.iter().flat_map(|pair| pair.published.clone()).collect())
    }
}

impl AuditKeys for LocalAuditKeys {
    fn current(&self, purpose: Purpose) -> BoxFuture<'_, Result<PublicKey, SigningError>> {
        let pair = self.0.iter().find(|pair| pair.public.purpose == purpose);
        let key = pair.map(|pair| pair.public.clone()).ok_or(SigningError::NoKeys);
        Box::pin(async move { key })
    }

    fn sign<'a>(
        &'a self,
        key: &'a PublicKey,
        message: &'a [u8],
    ) -> BoxFuture<'a, Result<[u8; 64], SigningError>> {
        let pair = self.0.iter().find(|pair| pair.public == *key);
        let signature = pair.map(|pair| pair.private.sign(message)).ok_or(SigningError::UnknownKey);
        Box::pin(async move { signature })
    }

    fn published(&self) -> BoxFuture<'_, Result<KeySet, SigningError>> {
        Box::pin(async { Ok(self.key_set()) })
    }
}

impl DataDirectory {
    /// The keys of both purposes; made on first use.
    ///
    /// # Errors
    /// When a file cannot be read or written, or is not one that we made and only we can read.
    pub fn audit_keys(&self) -> Result<LocalAuditKeys, DataDirectoryError> {
        Purpose::iter().map(|purpose| self.key_pair(purpose)).collect::<Result<_, _>>().map(LocalAuditKeys)
    }

    /// Whether a service has made keys of a purpose in this directory. None are made.
    #[must_use]
    pub fn has_audit_keys(path: &Path, purpose: Purpose) -> bool {
        std::fs::symlink_metadata(path.join(file(purpose))).is_ok()
    }

    /// Lets the next key of a purpose sign, keeps the public half of the one that did, and makes another for the next time.
    /// To be called under the lock: a service reads its keys when it starts.
    ///
    /// # Errors
    /// As for [`Self::audit_keys`]. The keys are then as they were.
    pub fn rotate_audit_keys(&self, purpose: Purpose) -> Result<LocalAuditKeys, DataDirectoryError> {
        let now = self.key_pair(purpose)?;
        let stored = self.read_audit_keys(purpose)?;
        let mut past = vec![hex::encode(now.public.as_bytes())];
        past.extend(stored.past);
        past.truncate(MAX_PAST);
        let rotated =
            fresh().and_then(|next| written(&Stored { current: stored.next, next, past, ..stored }));
        self.replace(file(purpose), rotated)?;
        self.audit_keys()
    }

    fn key_pair(&self, purpose: Purpose) -> Result<KeyPair, DataDirectoryError> {
        let stored = self.read_audit_keys(purpose)?;
        stored.usable(purpose).map_err(|reason| self.unusable(file(purpose), reason))
    }

    fn read_audit_keys(&self, purpose: Purpose) -> Result<Stored, DataDirectoryError> {
        let bytes = self.own_bytes(file(purpose), || {
            written(&Stored {
                format: FORMAT.to_owned(),
                purpose: purpose.to_string(),
                current: fresh()?,
                next: fresh()?,
                past: Vec::new(),
            })
        })?;
        let stored = serde_json::from_slice::<Stored>(&bytes).ok();
        let is_ours = |stored: &Stored| stored.format == FORMAT && stored.purpose == purpose.to_string();
        stored.filter(is_ours).ok_or_else(|| {
            let reason = "this is not a file of such keys that this version reads; restore it from a backup";
            self.unusable(file(purpose), reason)
        })
    }
}

impl Stored {
    fn usable(&self, purpose: Purpose) -> Result<KeyPair, &'static str> {
        const NO_KEY: &str = "a key in it is none; restore it from a backup";
        let bytes = |text: &str| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(text, &mut bytes).map_err(|_| NO_KEY).map(|()| bytes)
        };
        let private = PrivateKey::from_bytes(&bytes(&self.current)?);
        let public = private.public(purpose, KeyStatus::Current);
        let next = PrivateKey::from_bytes(&bytes(&self.next)?);
        let mut published = vec![public.clone(), next.public(purpose, KeyStatus::Next)];
        for past in &self.past {
            let past = PublicKey::from_bytes(&bytes(past)?, purpose, KeyStatus::Past);
            published.push(past.map_err(|_| NO_KEY)?);
        }
        if KeySet::new(published.clone()).iter().count() != published.len() {
            return Err("a key stands in it twice; restore it from a backup");
        }
        Ok(KeyPair { private, public, published })
    }
}

/// A fresh private key.
fn fresh() -> std::io::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(hex::encode(bytes))
}

fn written(stored: &Stored) -> std::io::Result<Vec<u8>> {
    serde_json::to_vec_pretty(stored).map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    fn ids(keys: &LocalAuditKeys, purpose: Purpose) -> Vec<(KeyStatus, String)> {
        keys.key_set().of_purpose(purpose).map(|key| (key.status, key.key_id().to_owned())).collect()
    }

    #[test]
    fn a_rotation_moves_each_key_of_one_purpose_one_place() {
        let home = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(home.path()).unwrap();
        assert!(!DataDirectory::has_audit_keys(home.path(), Purpose::Log));
        let before = directory.audit_keys().unwrap();
        assert!(DataDirectory::has_audit_keys(home.path(), Purpose::Log));
        let mode = |name: &str| fs::metadata(home.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("log-keys.json"), mode("evidence-keys.json")), (0o600, 0o600));
        let after = directory.rotate_audit_keys(Purpose::Log).unwrap();
        assert_eq!(ids(&after, Purpose::Evidence), ids(&before, Purpose::Evidence));
        let (before, after) = (ids(&before, Purpose::Log), ids(&after, Purpose::Log));
        assert_eq!(after[0], (KeyStatus::Current, before[1].1.clone()));
        assert_eq!(after[2], (KeyStatus::Past, before[0].1.clone()));
        assert!(before.iter().all(|key| key.1 != after[1].1));
    }

    #[test]
    fn what_is_odd_about_a_file_is_refused_and_left_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(home.path()).unwrap();
        directory.audit_keys().unwrap();
        let path = home.path().join("log-keys.json");
        let good = fs::read_to_string(&path).unwrap();
        let stored: serde_json::Value = serde_json::from_str(&good).unwrap();
        for (member, value) in [
            ("format", "countersign.ed25519-keys.v2".into()),
            ("purpose", "evidence".into()),
            ("more", true.into()),
            ("current", "07".into()),
            ("current", stored["next"].clone()),
            ("past", serde_json::json!(["00"])),
        ] {
            let mut stored = stored.clone();
            stored[member] = value;
            fs::write(&path, stored.to_string()).unwrap();
            let refused = directory.audit_keys().unwrap_err().to_string();
            assert!(refused.contains("restore it from a backup"), "{member}: {refused}");
            assert!(directory.rotate_audit_keys(Purpose::Log).is_err());
            assert_eq!(fs::read_to_string(&path).unwrap(), stored.to_string());
        }
        fs::write(&path, good).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(directory.audit_keys().unwrap_err().to_string().contains("chmod 600"));
    }
}
