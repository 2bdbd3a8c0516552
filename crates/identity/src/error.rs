//! Why a token is refused.

use crate::claims::InvalidClaims;

/// Why a token is refused. For the log only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// Not a token, or one that could be read in two ways.
    #[error("not a token that can be read in one way")]
    Malformed,
    /// Longer than any token should be.
    #[error("the token is longer than 16384 bytes")]
    TooLong,
    /// Something in the header must be understood, and is not.
    #[error("the token's header has critical parameters (crit), of which none is supported")]
    CriticalHeader,
    /// Of another type than tokens for a service are.
    #[error("the token's type (typ) is not accepted")]
    Type,
    /// Signed with an algorithm that is not accepted, or for which its key is not meant.
    #[error("the token's algorithm is not accepted, or is not one of its key")]
    Algorithm,
    /// No key that it could be signed with is known. The issuer may have a new one.
    #[error("the token is signed with no key that is known of the issuer")]
    UnknownKey,
    /// Not signed with the key that it names.
    #[error("the token's signature is wrong")]
    Signature,
    /// Of another issuer than the one that is configured, or of several.
    #[error("the token is of another issuer (iss)")]
    Issuer,
    /// For another audience than those that are configured.
    #[error("the token is for another audience (aud)")]
    Audience,
    /// Not the token that the gateway says it has verified.
    #[error("the token is not the one that the gateway describes")]
    NotDescribed,
    /// Its end has come.
    #[error("the token has expired")]
    Expired,
    /// It is valid later.
    #[error("the token is not valid yet (nbf)")]
    NotYetValid,
    /// Its end is missing, or its end or beginning is no number.
    #[error("the token's end (exp) is missing, or it or its beginning (nbf) is not a number")]
    Times,
    /// The claims name no caller.
    #[error(transparent)]
    Claims(#[from] InvalidClaims),
}
