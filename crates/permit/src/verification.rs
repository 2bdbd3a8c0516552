//! Whether a permit is one, and for what is about to be done.

use crate::claims::Claims;
use crate::compact::Compact;
use crate::error::PermitError;
use crate::key::Purpose;
use crate::key_set::KeySet;

/// How far a verifier's clock may be behind the service's: a permit that was given later than that is refused. For the
/// end there is nothing of that kind.
pub const MAX_CLOCK_LEAD_SECONDS: u64 = 30;

/// What a verifier expects of a permit.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The origin of the deployment, as the verifier is configured: never as the permit says.
    pub issuer: &'a str,
    /// Who verifies: an executor's name, or `client`.
    pub audience: &'a str,
    /// The time, in whole seconds since the epoch.
    pub now: u64,
    /// [`parameters_digest`](crate::parameters_digest) of what is about to be done. Without it the caller compares
    /// them itself.
    pub parameters_digest: Option<&'a str>,
}

/// Verifies a permit: that the service has signed it, for this audience, now, and these parameters. Whether it has been
/// used before is another question: see [`verify_and_spend`](crate::verify_and_spend).
///
/// # Errors
/// The first reason of [`PermitError`] that applies.
pub fn verify(permit: &str, keys: &KeySet, expected: &Expected<'_>) -> Result<Claims, PermitError> {
    let claims = verify_signature(permit, keys)?;
    check(&claims, expected)?;
    Ok(claims)
}

/// Verifies that a key for permits has signed it, and nothing else: neither for whom it is, nor until when.
///
/// # Errors
/// The first reason of [`PermitError`] that applies, up to the signature. Claims are read after it: what is wrong with
/// them is [`PermitError::Malformed`] too.
pub fn verify_signature(permit: &str, keys: &KeySet) -> Result<Claims, PermitError> {
    let compact = Compact::read(permit)?;
    let key = keys.with_id(&compact.key_id).next().ok_or(PermitError::UnknownKey)?;
    if keys.with_id(&compact.key_id).any(|key| key.purpose != Purpose::Permit) {
        return Err(PermitError::Purpose);
    }
    if !key.verifies(compact.signed, &compact.signature) {
        return Err(PermitError::Signature);
    }
    compact.claims()
}

fn check(claims: &Claims, expected: &Expected<'_>) -> Result<(), PermitError> {
    if claims.iss != expected.issuer {
        return Err(PermitError::Issuer);
    }
    if claims.aud != expected.audience {
        return Err(PermitError::Audience);
    }
    if claims.iat > expected.now.saturating_add(MAX_CLOCK_LEAD_SECONDS) {
        return Err(PermitError::NotYetValid);
    }
    if expected.now >= claims.exp {
        return Err(PermitError::Expired);
    }
    if expected.parameters_digest.is_some_and(|digest| digest != claims.parameters_digest) {
        return Err(PermitError::Parameters);
    }
    Ok(())
}

#[cfg(test)]
#[path = "verification_tests.rs"]
mod tests;
