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
    /// The description does not say where something is.
    #[error("{url} names no {member}")]
    NotNamed {
        /// Where it is.
        url: String,
        /// The member that it lacks.
        member: &'static str,
    },
    /// The description of an issuer elsewhere names something on this machine.
    #[error("{url}: {member} {} is on this machine", shown(named))]
    OnThisMachine {
        /// Where it is.
        url: String,
        /// The member that names it.
        member: &'static str,
        /// What it names.
        named: String,
    },
    /// The dashboard would call the API with tokens that are not for it.
    #[error(
        "--oidc-client-id {} is not among --oidc-audience: the dashboard calls with ID tokens, and their audience is the \
         client",
        escaped_line(client_id)
    )]
    ClientIsNoAudience {
        /// The id of the client.
        client_id: String,
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
