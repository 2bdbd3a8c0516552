//! Permits: signed documents that say what was approved, for whom, and until when it may begin.
//!
//! A permit is a compact JWS (RFC 7515): ES256, type [`TYPE`], the key's RFC 7638 thumbprint as `kid`, and [`Claims`].
//! [`verify`] needs a permit, the service's public keys, which are at `/.well-known/jwks.json`, and what the caller
//! [expects](Expected). Nothing here reads a clock, a random source, a file or a network, waits, or knows the other
//! crates of Countersign: a program that carries operations out can use this crate alone. Every byte is in
//! `docs/permit.md`.
//!
//! ```
//! use countersign_permit::{Expected, KeySet, SpentInMemory, parameters_digest, verify_and_spend};
//! # use countersign_permit::{Claims, KeyStatus, PrivateKey, Purpose, SigningInput};
//! # let key = PrivateKey::from_bytes(&[7; 32])?;
//! # let public = key.public(Purpose::Permit, KeyStatus::Current);
//! # let jwks = KeySet::new(vec![public.clone()]).to_json().to_string();
//! # let digest = parameters_digest(&serde_json::json!({"target": "db.r6g.xlarge"}));
//! # let text = String::new;
//! # let claims = Claims { iss: "urn:countersign:deployment:4f0c8a6e2b1d4f0c8a6e2b1d4f0c8a6e".to_owned(), aud: "rds".to_owned(),
//! #     sub: "01930000-0000-7000-8000-0000000000aa".to_owned(), jti: "0193aaaa-0000-7000-8000-000000000001".to_owned(),
//! #     iat: 1_767_225_600, exp: 1_767_226_500, operation_type: "modify_instance_class".to_owned(), instance_id: text(),
//! #     environment: text(), risk_level: text(), content_digest: text(), parameters_digest: digest, target_digest: None,
//! #     policy_version: text(), requested_by: text(), started_by: text(), audit_head: text(), approved_by: None };
//! # let input = SigningInput::new(public.key_id(), claims);
//! # let signature = key.sign(input.as_bytes());
//! # let permit = input.with_signature(&signature);
//!
//! // Kept from an earlier call of /.well-known/jwks.json, or given by an operator.
//! let keys = KeySet::parse(&jwks)?;
//! // What this program is about to do: its own parameters, not those of the permit.
//! let digest = parameters_digest(&serde_json::json!({"target": "db.r6g.xlarge"}));
//! let expected = Expected {
//!     issuer: "urn:countersign:deployment:4f0c8a6e2b1d4f0c8a6e2b1d4f0c8a6e",
//!     audience: "rds",
//!     now: 1_767_225_660,
//!     parameters_digest: Some(&digest),
//! };
//! let mut spent = SpentInMemory::default();
//! let claims = verify_and_spend(&permit, &keys, &expected, &mut spent)?;
//! assert_eq!(claims.operation_type, "modify_instance_class");
//! assert!(verify_and_spend(&permit, &keys, &expected, &mut spent).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_docs)]
#![deny(clippy::wildcard_enum_match_arm)]

mod claims;
mod compact;
mod error;
mod json;
mod key;
mod key_set;
mod spent;
mod verification;

pub use claims::{Claims, MAX_SIGNED_BYTES, SigningInput, TYPE, parameters_digest};
pub use compact::MAX_PERMIT_BYTES;
pub use error::PermitError;
pub use key::{InvalidKey, KeyStatus, PrivateKey, PublicKey, Purpose, signature_from_der};
pub use key_set::{InvalidKeySet, KeySet};
pub use spent::{SpendError, Spent, SpentInMemory, verify_and_spend};
pub use verification::{Expected, MAX_CLOCK_LEAD_SECONDS, verify, verify_signature};
