//! The signature of evidence: an in-toto Statement in a DSSE envelope. Refuses to know what evidence says.

use super::document::{Document, Envelope, EnvelopeSignature};
use super::mismatch::Mismatch;
use crate::key::{PublicKey, Purpose};
use crate::key_set::KeySet;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::canonical::CanonicalJson;
use serde_json::{Value, json};

/// The type of the payload.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The type of the statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The type of its predicate.
pub const PREDICATE_TYPE: &str = "urn:countersign:evidence:v1";
/// The most bytes that are signed: the limit of KMS for a message that it digests itself.
pub const MAX_SIGNED_BYTES: usize = 4096;

/// The statement about a document: nothing in it that does not follow from the document.
#[must_use]
pub fn statement(document: &Document) -> String {
    let state = |name: &str| document.request.state.get(name).cloned().unwrap_or(Value::Null);
    let request_id = document.content("request_id").unwrap_or_default();
    let statement = json!({
        "_type": STATEMENT_TYPE,
        "subject": [{
            "name": format!("request/{request_id}"),
            "digest": { "sha256": document.digest().to_string() },
        }],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "origin": document.origin,
            "request_id": request_id,
            "status": state("status"),
            "version": state("version"),
            "made_at": document.made_at,
            "redacted": document.redacted,
        },
    });
    CanonicalJson::of(&statement).as_str().to_owned()
}

/// The bytes that are signed: the payload with its type before it (DSSE, PAE).
#[must_use]
pub fn signed_bytes(payload: &str) -> Vec<u8> {
    format!("DSSEv1 {} {PAYLOAD_TYPE} {} {payload}", PAYLOAD_TYPE.len(), payload.len()).into_bytes()
}

/// The envelope of a statement, with one signature.
pub(crate) fn envelope(payload: &str, key: &PublicKey, signature: &[u8; 64]) -> Envelope {
    Envelope {
        payload: STANDARD.encode(payload),
        payload_type: PAYLOAD_TYPE.to_owned(),
        signatures: vec![EnvelopeSignature {
            keyid: key.key_id().to_owned(),
            sig: STANDARD.encode(signature),
        }],
    }
}

/// The key that has signed that a document is evidence.
pub(super) fn signer<'k>(document: &Document, keys: &'k KeySet) -> Result<&'k PublicKey, Vec<Mismatch>> {
    let none = || vec![Mismatch::Signature("there is none")];
    let envelope = document.dsse.as_ref().ok_or_else(none)?;
    signer_of(statement(document), envelope, keys)
}

/// The key that has signed this payload in this envelope. The payload is made anew and not read, so that it says nothing else and
/// has one spelling.
pub(crate) fn signer_of<'k>(
    payload: String,
    envelope: &Envelope,
    keys: &'k KeySet,
) -> Result<&'k PublicKey, Vec<Mismatch>> {
    let mut mismatches = Vec::new();
    if envelope.payload != STANDARD.encode(&payload) {
        mismatches.push(Mismatch::Statement);
    }
    if envelope.payload_type != PAYLOAD_TYPE {
        mismatches.push(Mismatch::Signature("it is of another type of payload"));
    }
    let [signature] = envelope.signatures.as_slice() else {
        mismatches.push(Mismatch::Signature("there is not exactly one"));
        return Err(mismatches);
    };
    let named = |key: &&PublicKey| key.key_id() == signature.keyid;
    let Some(key) = keys.of_purpose(Purpose::Evidence).find(named) else {
        let is_other = keys.iter().any(|key| named(&key));
        let why = if is_other { "its key is for other documents" } else { "its key is not among the keys" };
        mismatches.push(Mismatch::Signature(why));
        return Err(mismatches);
    };
    let bytes = STANDARD.decode(&signature.sig).unwrap_or_default();
    if !key.verifies(&signed_bytes(&payload), &bytes) {
        mismatches.push(Mismatch::Signature("the key has not made it"));
    }
    if mismatches.is_empty() { Ok(key) } else { Err(mismatches) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification has another type, of the same form.
    #[test]
    fn what_is_signed_has_the_lengths_of_type_and_payload_before_it() {
        assert_eq!(PAYLOAD_TYPE.len(), 28);
        assert_eq!(signed_bytes("hello world"), b"DSSEv1 28 application/vnd.in-toto+json 11 hello world");
        assert_eq!(signed_bytes("\u{e9}"), "DSSEv1 28 application/vnd.in-toto+json 2 \u{e9}".as_bytes());
    }
}
