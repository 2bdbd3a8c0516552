//! What keys sign: of which kind they are for that, and how KMS signs with them.

use aws_sdk_kms::types::{KeySpec, SigningAlgorithmSpec};
use countersign_audit::key as audit;
use countersign_permit::{KeyStatus, PublicKey, Purpose, signature_from_der};
use std::fmt;

/// What the keys behind aliases sign. Its name is a part of theirs.
pub trait SigningPurpose: fmt::Debug + fmt::Display + Copy + Send + Sync + 'static {
    /// The public half of such a key.
    type PublicKey: fmt::Debug + Clone + PartialEq + Send + Sync;

    /// The kind of key.
    fn key_spec(self) -> KeySpec;

    /// How it signs. KMS digests the message itself, so that what is signed is what it was given.
    fn signing_algorithm(self) -> SigningAlgorithmSpec;

    /// What such a key does, for those who look at it in KMS.
    fn description(self) -> &'static str;

    /// The key in a DER `SubjectPublicKeyInfo`; `None` for one of another kind.
    fn public_key(self, der: &[u8], status: KeyStatus) -> Option<Self::PublicKey>;

    /// The RFC 7638 thumbprint of a key.
    fn key_id(key: &Self::PublicKey) -> &str;

    /// A signature as it is used, of what KMS answers.
    fn signature(self, answered: &[u8]) -> Option<[u8; 64]>;
}

impl SigningPurpose for Purpose {
    type PublicKey = PublicKey;

    fn key_spec(self) -> KeySpec {
        KeySpec::EccNistP256
    }

    fn signing_algorithm(self) -> SigningAlgorithmSpec {
        SigningAlgorithmSpec::EcdsaSha256
    }

    fn description(self) -> &'static str {
        "Countersign: signs permits"
    }

    fn public_key(self, der: &[u8], status: KeyStatus) -> Option<PublicKey> {
        PublicKey::from_spki_der(der, self, status).ok()
    }

    fn key_id(key: &PublicKey) -> &str {
        key.key_id()
    }

    fn signature(self, answered: &[u8]) -> Option<[u8; 64]> {
        signature_from_der(answered).ok()
    }
}

impl SigningPurpose for audit::Purpose {
    type PublicKey = audit::PublicKey;

    fn key_spec(self) -> KeySpec {
        KeySpec::EccNistEdwards25519
    }

    fn signing_algorithm(self) -> SigningAlgorithmSpec {
        SigningAlgorithmSpec::Ed25519Sha512
    }

    fn description(self) -> &'static str {
        match self {
            Self::Log => "Countersign: signs checkpoints of the audit log",
            Self::Evidence => "Countersign: signs evidence",
        }
    }

    fn public_key(self, der: &[u8], status: KeyStatus) -> Option<audit::PublicKey> {
        let status = match status {
            KeyStatus::Next => audit::KeyStatus::Next,
            KeyStatus::Current => audit::KeyStatus::Current,
            KeyStatus::Past => audit::KeyStatus::Past,
        };
        audit::PublicKey::from_spki_der(der, self, status).ok()
    }

    fn key_id(key: &audit::PublicKey) -> &str {
        key.key_id()
    }

    /// RFC 8032 section 5.1.6: no structure around it.
    fn signature(self, answered: &[u8]) -> Option<[u8; 64]> {
        answered.try_into().ok()
    }
}
