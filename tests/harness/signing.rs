//! The key that signs the permits of services and functions under test.

use countersign_permit::PrivateKey;

/// The same key each time.
pub fn signing_key() -> PrivateKey {
    PrivateKey::from_bytes(&[5; 32]).unwrap()
}
