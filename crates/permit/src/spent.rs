//! Which permits have been used.

use crate::claims::Claims;
use crate::error::PermitError;
use crate::key_set::KeySet;
use crate::verification::{Expected, verify};
use std::collections::BTreeMap;

/// A memory of permits that have been used. An executor that claims its executions from the service needs none: a claim
/// succeeds once.
pub trait Spent {
    /// Why it is not known.
    type Error;

    /// Records an execution, durably before it answers: `true` for the first time, `false` afterwards. It may be
    /// forgotten after `exp`, in whole seconds since the epoch.
    ///
    /// # Errors
    /// When it cannot be recorded. The permit must then not be used.
    fn spend(&mut self, jti: &str, exp: u64) -> Result<bool, Self::Error>;
}

/// Why a permit is not good, or not known to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpendError<E> {
    /// It is refused.
    #[error(transparent)]
    Refused(#[from] PermitError),
    /// The memory cannot say whether it has been used.
    #[error("whether the permit is spent is not known: {0}")]
    Unknown(E),
}

/// Verifies a permit and spends it: only one call for an execution succeeds.
///
/// # Errors
/// As for [`verify`], and [`PermitError::Spent`] afterwards. A permit that is refused is not spent.
pub fn verify_and_spend<S: Spent>(
    permit: &str,
    keys: &KeySet,
    expected: &Expected<'_>,
    spent: &mut S,
) -> Result<Claims, SpendError<S::Error>> {
    let claims = verify(permit, keys, expected)?;
    if spent.spend(&claims.jti, claims.exp).map_err(SpendError::Unknown)? {
        Ok(claims)
    } else {
        Err(PermitError::Spent.into())
    }
}

/// A memory that ends with the process: good where a permit does not outlive it, and for tests.
#[derive(Debug, Clone, Default)]
pub struct SpentInMemory(BTreeMap<String, u64>);

impl SpentInMemory {
    /// Forgets what has expired by `now`, in whole seconds since the epoch.
    pub fn forget_expired(&mut self, now: u64) {
        self.0.retain(|_, exp| *exp > now);
    }
}

impl Spent for SpentInMemory {
    type Error = std::convert::Infallible;

    fn spend(&mut self, jti: &str, exp: u64) -> Result<bool, Self::Error> {
        Ok(self.0.insert(jti.to_owned(), exp).is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningInput;
    use crate::claims::tests::claims;
    use crate::key::{KeyStatus, PrivateKey, Purpose};

    struct Unreachable;

    impl Spent for Unreachable {
        type Error = &'static str;

        fn spend(&mut self, _: &str, _: u64) -> Result<bool, &'static str> {
            Err("unreachable")
        }
    }

    #[test]
    fn a_permit_is_spent_once_and_only_if_it_is_good() {
        let key = PrivateKey::from_bytes(&[7; 32]).unwrap();
        let public = key.public(Purpose::Permit, KeyStatus::Current);
        let input = SigningInput::new(public.key_id(), claims());
        let signature = key.sign(input.as_bytes());
        let permit = input.with_signature(&signature);
        let keys = KeySet::new(vec![public]);
        let good = Expected {
            issuer: "https://approvals.example.com",
            audience: "rds",
            now: claims().iat,
            parameters_digest: None,
        };
        let mut spent = SpentInMemory::default();
        let wrong = Expected { audience: "client", ..good };
        let refused = verify_and_spend(&permit, &keys, &wrong, &mut spent);
        assert_eq!(refused, Err(SpendError::Refused(PermitError::Audience)));
        let unknown = verify_and_spend(&permit, &keys, &good, &mut Unreachable);
        assert_eq!(unknown, Err(SpendError::Unknown("unreachable")));
        assert_eq!(verify_and_spend(&permit, &keys, &good, &mut spent), Ok(claims()));
        spent.forget_expired(claims().exp - 1);
        let again = verify_and_spend(&permit, &keys, &good, &mut spent);
        assert_eq!(again, Err(SpendError::Refused(PermitError::Spent)));
        spent.forget_expired(claims().exp);
        assert!(spent.0.is_empty());
    }
}
