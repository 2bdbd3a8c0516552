//! Why an issuer's keys are not known.

use countersign_core::text::escaped_line;
use countersign_endpoint::{InvalidEndpoint, shown};

/// Why an issuer's keys are not known.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// The file cannot be read, or is one that others may change.
    #[error("{}: {reason}", escaped_line(path))]
    File {
        /// Which, after what names it.
        path: String,
        /// Why.
        reason: String,
    },
    /// A URL that nothing is asked of.
    #[error("{named_by} {}: {rule}", shown(url))]
    Url {
        /// What names it.
        named_by: String,
        /// The URL.
        url: String,
        /// The rule that it breaks.
        rule: InvalidEndpoint,
    },
    /// No answer, or one that is too long.
    #[error("{}: {}", shown(url), escaped_line(reason))]
    Unreachable {
        /// Who was asked.
        url: String,
        /// Why.
        reason: String,
    },
    /// The issuer's description of itself is no JSON.
    #[error("{url}: {error}")]
    Description {
        /// Where it is.
        url: String,
        /// Why.
        error: serde_json::Error,
    },
    /// The description is of another issuer.
    #[error("{url} describes another issuer, {}; name that one if it is meant", shown(described))]
    AnotherIssuer {
        /// Where it is.
        url: String,
        /// Whom it describes.
        described: String,
    },
    /// The description does not say where the keys are.
    #[error("{url} names no jwks_uri")]
    NoKeysNamed {
        /// Where it is.
        url: String,
    },
    /// The description of an issuer elsewhere names keys on this machine.
    #[error("{url}: jwks_uri {} is on this machine", shown(keys))]
    OnThisMachine {
        /// Where it is.
        url: String,
        /// What it names.
        keys: String,
    },
    /// What is there is no set of keys.
    #[error("the issuer's keys cannot be read: {0}")]
    NotAKeySet(String),
    /// There are keys, and none of them verifies a token.
    #[error("the issuer has no key that can verify a token{unused}")]
    NoUsableKey {
        /// Which there are, and why they verify none.
        unused: String,
    },
}
