//! The keys that permits are verified by, as clients read them.

use serde::{Deserialize, Serialize};

/// The keys that permits, the audit log and evidence are verified by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeysBody {
    /// Next, current and past ones.
    pub keys: Vec<KeyBody>,
}

/// A public key (RFC 7517; RFC 7518 section 6.2, RFC 8037).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyBody {
    /// `EC`, or `OKP`.
    pub kty: String,
    /// `P-256`, or `Ed25519`.
    pub crv: String,
    /// A coordinate of its point, or all of it.
    pub x: String,
    /// The other one, on `P-256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// Its RFC 7638 thumbprint.
    pub kid: String,
    /// `ES256`, or `Ed25519`.
    pub alg: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub key_use: String,
    /// `permit`, `evidence` or `log`.
    pub purpose: String,
    /// `next`, `current` or `past`.
    pub status: String,
}
