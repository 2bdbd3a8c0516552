//! Why a permit is refused.

/// Why a permit is refused. The order is that in which it is looked at: the first that applies is the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PermitError {
    /// No permit at all, or one that could be read in two ways.
    #[error("this is not a permit: {0}")]
    Malformed(&'static str),
    /// A signed document of another kind.
    #[error("this is a document of another type than a permit")]
    Type,
    /// Another algorithm than ES256.
    #[error("the permit is not signed with ES256")]
    Algorithm,
    /// The key is not in the set. There may be a newer set.
    #[error("the permit is signed by a key that is not known")]
    UnknownKey,
    /// The key is for something else.
    #[error("the permit is signed by a key that is not for permits")]
    Purpose,
    /// The key has not signed this.
    #[error("the signature of the permit is wrong")]
    Signature,
    /// Of another service.
    #[error("the permit is of another issuer")]
    Issuer,
    /// For another executor.
    #[error("the permit is for another audience")]
    Audience,
    /// Given later than now.
    #[error("the permit is not valid yet")]
    NotYetValid,
    /// Too late.
    #[error("the permit has expired")]
    Expired,
    /// For other parameters.
    #[error("the permit is for other parameters")]
    Parameters,
    /// Its execution has begun before.
    #[error("the permit is spent")]
    Spent,
}
