//! The signature of a manifest: an in-toto Statement about the table, in a DSSE envelope, by the key that signs evidence.

use super::discrepancy::Discrepancy;
use super::manifest::Manifest;
use crate::evidence::dsse::{self, STATEMENT_TYPE};
use crate::key::{PublicKey, Purpose};
use crate::key_set::KeySet;
use countersign_core::canonical::CanonicalJson;
use serde_json::json;

/// The type of the predicate: a signature of evidence has another, so that neither stands for the other.
pub const PREDICATE_TYPE: &str = "urn:countersign:population:v1";
/// The name of the table in the statement. What its file is called is its holder's business.
pub const SUBJECT: &str = "population.csv";

/// The signature is not that of the key, or the key is for other documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the manifest is not signed by the key for evidence")]
pub struct NotSigned;

impl Manifest {
    /// The statement about it: nothing in it that does not follow from the manifest.
    #[must_use]
    pub fn statement(&self) -> String {
        let statement = json!({
            "_type": STATEMENT_TYPE,
            "subject": [{ "name": SUBJECT, "digest": { "sha256": self.sha256 } }],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "origin": self.origin,
                "from": self.from,
                "to": self.to,
                "rows": self.rows,
                "tree_size": self.tree_size,
                "manifest_digest": self.digest().to_string(),
            },
        });
        CanonicalJson::of(&statement).as_str().to_owned()
    }

    /// What is to be signed.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        dsse::signed_bytes(&self.statement())
    }

    /// The manifest with its signature.
    ///
    /// # Errors
    /// [`NotSigned`]: nothing is written that would not be believed.
    pub fn with_signature(self, key: &PublicKey, signature: &[u8; 64]) -> Result<Self, NotSigned> {
        if key.purpose != Purpose::Evidence || !key.verifies(&self.signed_bytes(), signature) {
            return Err(NotSigned);
        }
        let dsse = Some(dsse::envelope(&self.statement(), key, signature));
        Ok(Self { dsse, ..self })
    }

    /// The key that has signed it; none if no key has.
    ///
    /// # Errors
    /// [`Discrepancy::Signature`] if there is a signature that is not believed.
    pub fn signer<'k>(&self, keys: &'k KeySet) -> Result<Option<&'k PublicKey>, Discrepancy> {
        let Some(envelope) = &self.dsse else { return Ok(None) };
        dsse::signer_of(self.statement(), envelope, keys)
            .map(Some)
            .map_err(|mismatches| Discrepancy::Signature(mismatches.into_iter().next()))
    }
}
