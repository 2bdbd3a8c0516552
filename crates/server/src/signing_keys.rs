//! The keys in the data directory that sign permits: a file of their own, made at the first start.
//!
//! There is one that signs, one that will sign after the next rotation, and those that have signed: of these the file
//! keeps the public halves only. None of them is ever the key of tokens.

use crate::data_directory::{DataDirectory, DataDirectoryError};
use countersign_app::host::BoxFuture;
use countersign_app::signing::{SigningError, SigningKeys};
use countersign_permit::{KeySet, KeyStatus, MAX_SIGNED_BYTES, PrivateKey, PublicKey, Purpose};
use serde::{Deserialize, Serialize};
use std::path::Path;

const FILE: &str = "signing-keys.json";
const FORMAT: &str = "countersign.signing-keys.v1";
/// How many keys that have signed are kept, the latest first.
const MAX_PAST: usize = 50;

/// The file. Keys are hexadecimal: private ones of 32 bytes, public ones as SEC 1 points of 65 bytes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: String,
    current: String,
    next: String,
    past: Vec<String>,
}

/// The keys of a service on this machine.
#[derive(Debug)]
pub struct LocalSigningKeys {
    current: PrivateKey,
    public: PublicKey,
    published: KeySet,
}

impl SigningKeys for LocalSigningKeys {
    fn current(&self) -> BoxFuture<'_, Result<PublicKey, SigningError>> {
        Box::pin(async { Ok(self.public.clone()) })
    }

    fn sign<'a>(
        &'a self,
        key_id: &'a str,
        message: &'a [u8],
    ) -> BoxFuture<'a, Result<[u8; 64], SigningError>> {
        Box::pin(async move {
            if key_id != self.public.key_id() {
                Err(SigningError::UnknownKey)
            } else if message.len() > MAX_SIGNED_BYTES {
                // The same limit as on AWS, so that a permit does not depend on where it is signed.
                Err(SigningError::TooLong)
            } else {
                Ok(self.current.sign(message))
            }
        })
    }

    fn published(&self) -> BoxFuture<'_, Result<KeySet, SigningError>> {
        Box::pin(async { Ok(self.published.clone()) })
    }
}

impl LocalSigningKeys {
    /// All keys, to be shown.
    #[must_use]
    pub fn key_set(&self) -> &KeySet {
        &self.published
    }
}

impl DataDirectory {
    /// The keys that sign permits; made on first use.
    ///
    /// # Errors
    /// When the file cannot be read or written, or is not one that we made and only we can read.
    pub fn signing_keys(&self) -> Result<LocalSigningKeys, DataDirectoryError> {
        let made = self.own_bytes(FILE, || {
            written(&Stored {
                format: FORMAT.to_owned(),
                current: fresh()?,
                next: fresh()?,
                past: Vec::new(),
            })
        })?;
        self.read_signing_keys(&made)?.usable().map_err(|reason| self.unusable(FILE, reason))
    }

    /// Whether a service has made such keys in this directory. One that is not there is not made.
    #[must_use]
    pub fn has_signing_keys(path: &Path) -> bool {
        std::fs::symlink_metadata(path.join(FILE)).is_ok()
    }

    /// Lets the next key sign, keeps the public half of the one that did, and makes another for the next time. To be
    /// called under the lock: a service reads its keys when it starts.
    ///
    /// # Errors
    /// As for [`Self::signing_keys`]. The keys are then as they were.
    pub fn rotate_signing_keys(&self) -> Result<LocalSigningKeys, DataDirectoryError> {
        let now = self.signing_keys()?;
        let stored = self.read_signing_keys(&self.own_bytes(FILE, || Ok(Vec::new()))?)?;
        let mut past = vec![hex::encode(now.public.to_sec1())];
        past.extend(stored.past);
        past.truncate(MAX_PAST);
        let rotated = fresh()
            .and_then(|next| written(&Stored { format: stored.format, current: stored.next, next, past }));
        self.replace(FILE, rotated)?;
        self.signing_keys()
    }

    fn read_signing_keys(&self, bytes: &[u8]) -> Result<Stored, DataDirectoryError> {
        serde_json::from_slice::<Stored>(bytes).ok().filter(|stored| stored.format == FORMAT).ok_or_else(
            || {
                self.unusable(
                    FILE,
                    "this is not a file of signing keys that this version reads; restore it from a backup",
                )
            },
        )
    }
}

impl Stored {
    fn usable(&self) -> Result<LocalSigningKeys, &'static str> {
        let private = |text: &str| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(text, &mut bytes).ok()?;
            PrivateKey::from_bytes(&bytes).ok()
        };
        let past = |text: &String| {
            PublicKey::from_sec1(&hex::decode(text).ok()?, Purpose::Permit, KeyStatus::Past).ok()
        };
        let (Some(current), Some(next)) = (private(&self.current), private(&self.next)) else {
            return Err("a private key in it is none; restore it from a backup");
        };
        let public = current.public(Purpose::Permit, KeyStatus::Current);
        let mut keys = vec![public.clone(), next.public(Purpose::Permit, KeyStatus::Next)];
        for text in &self.past {
            keys.push(past(text).ok_or("a past key in it is none; restore it from a backup")?);
        }
        let count = keys.len();
        let published = KeySet::new(keys);
        if published.iter().count() != count {
            return Err("a key stands in it twice; restore it from a backup");
        }
        Ok(LocalSigningKeys { current, public, published })
    }
}

/// A fresh private key. One in 2^32 random choices is none, and another is drawn.
fn fresh() -> std::io::Result<String> {
    loop {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        if PrivateKey::from_bytes(&bytes).is_ok() {
            return Ok(hex::encode(bytes));
        }
    }
}

fn written(stored: &Stored) -> std::io::Result<Vec<u8>> {
    serde_json::to_vec_pretty(stored).map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn home() -> (tempfile::TempDir, DataDirectory) {
        let home = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(home.path()).unwrap();
        (home, directory)
    }

    fn statuses(keys: &LocalSigningKeys) -> Vec<(KeyStatus, String)> {
        keys.key_set().iter().map(|key| (key.status, key.key_id().to_owned())).collect()
    }

    #[test]
    fn keys_are_made_once_and_are_the_owners_alone() {
        let (home, directory) = home();
        assert!(!DataDirectory::has_signing_keys(home.path()));
        let made = directory.signing_keys().unwrap();
        assert!(DataDirectory::has_signing_keys(home.path()));
        let path = home.path().join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(statuses(&directory.signing_keys().unwrap()), statuses(&made));
        assert_eq!(
            statuses(&made).iter().map(|key| key.0).collect::<Vec<_>>(),
            [KeyStatus::Current, KeyStatus::Next]
        );
        // Another directory has others.
        assert_ne!(statuses(&self::home().1.signing_keys().unwrap()), statuses(&made));
    }

    #[test]
    fn a_rotation_moves_each_key_one_place_and_forgets_what_has_signed() {
        let (home, directory) = home();
        let before = directory.signing_keys().unwrap();
        let private = hex::encode(before.current.to_bytes());
        assert!(fs::read_to_string(home.path().join(FILE)).unwrap().contains(&private));
        let after = directory.rotate_signing_keys().unwrap();
        assert!(!fs::read_to_string(home.path().join(FILE)).unwrap().contains(&private));
        let (before, after) = (statuses(&before), statuses(&after));
        assert_eq!(after[0], (KeyStatus::Current, before[1].1.clone()));
        assert_eq!(after[2], (KeyStatus::Past, before[0].1.clone()));
        assert!(before.iter().all(|key| key.1 != after[1].1));
        for _ in 0..MAX_PAST + 2 {
            directory.rotate_signing_keys().unwrap();
        }
        assert_eq!(directory.signing_keys().unwrap().key_set().iter().count(), MAX_PAST + 2);
        assert_eq!(fs::metadata(home.path().join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn only_the_current_key_signs_and_only_so_much() {
        let (_home, directory) = home();
        let keys = directory.signing_keys().unwrap();
        let current = SigningKeys::current(&keys).await.unwrap();
        let signature = keys.sign(current.key_id(), b"x").await.unwrap();
        assert!(current.verifies(b"x", &signature));
        let long = vec![0; MAX_SIGNED_BYTES + 1];
        assert!(keys.sign(current.key_id(), &long[1..]).await.is_ok());
        assert_eq!(keys.sign(current.key_id(), &long).await, Err(SigningError::TooLong));
        let (_, next) = &statuses(&keys)[1];
        assert_eq!(keys.sign(next, b"x").await, Err(SigningError::UnknownKey));
        assert_eq!(keys.published().await.unwrap(), *keys.key_set());
    }

    /// THREATS 70.
    #[test]
    fn threat_70_what_is_odd_about_the_file_is_refused_and_left_as_it_is() {
        let (home, directory) = home();
        let path = home.path().join(FILE);
        directory.signing_keys().unwrap();
        let good = fs::read_to_string(&path).unwrap();
        let refused = || {
            let reading = directory.signing_keys().unwrap_err().to_string();
            assert_eq!(directory.rotate_signing_keys().unwrap_err().to_string(), reading);
            reading
        };
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(refused().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let stored: serde_json::Value = serde_json::from_str(&good).unwrap();
        let changed = |member: &str, value: serde_json::Value| {
            let mut stored = stored.clone();
            stored[member] = value;
            stored.to_string()
        };
        let next = stored["next"].clone();
        for text in [
            String::new(),
            "{}".to_owned(),
            good.replace(FORMAT, "countersign.signing-keys.v2"),
            changed("more", true.into()),
            changed("current", "00".repeat(32).into()),
            changed("current", "07".into()),
            changed("current", next),
            changed("past", serde_json::json!(["00"])),
        ] {
            fs::write(&path, &text).unwrap();
            assert!(refused().contains("restore it from a backup"), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        if std::os::unix::fs::chown(&path, Some(4711), None).is_ok() {
            assert!(refused().contains("another user"));
        }
        fs::remove_file(&path).unwrap();
        symlink("/nowhere", &path).unwrap();
        assert!(refused().contains("no regular file"));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(refused().contains("no regular file"));
    }
}
