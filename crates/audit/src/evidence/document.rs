//! The members of the document, and its one form. Refuses to know what they mean.

use super::mismatch::Mismatch;
use countersign_core::canonical::{self, CanonicalJson};
use countersign_core::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Names the set of members. Another set gets another name.
pub const FORMAT: &str = "countersign.evidence.v1";

/// The longest document that is read, in bytes: most of it would be the files of policies.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;

/// What stands in the place of a proof while the log does not have the event yet.
pub const PENDING_INCLUSION: &str = "pending_inclusion";

/// The document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// [`FORMAT`].
    pub format: String,
    /// The deployment that has recorded the events.
    pub origin: String,
    /// The time as of which it was made.
    pub made_at: String,
    /// Whether the documents of the operation (parameters, target, result) are left out.
    pub redacted: bool,
    /// The request.
    pub request: ShownRequest,
    /// The policies that its events name, in the order in which they do.
    pub policies: Vec<ShownPolicy>,
    /// The claims of the permit of its execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit: Option<Map<String, Value>>,
    /// All events of its stream.
    pub events: Vec<ShownEvent>,
    /// The texts that its events have digests of.
    pub texts: Vec<ShownText>,
    /// The signature. What is signed is the document without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dsse: Option<Envelope>,
}

/// The request as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShownRequest {
    /// What it was made with.
    pub content: Map<String, Value>,
    /// Where it stands after the last event.
    pub state: Map<String, Value>,
    /// The parameters, as the text that is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<String>,
    /// What an executor has found of the target, as the text that is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// A policy that a decision names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShownPolicy {
    /// Its version, which is a digest of its files.
    pub version: String,
    /// Its files; absent if the service does not have them any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<PolicyFiles>,
}

/// The files of a policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyFiles {
    /// Who may do what.
    #[serde(rename = "access.cedar")]
    pub access: String,
    /// What operations demand.
    #[serde(rename = "operations.toml")]
    pub operations: String,
    /// Who is who.
    #[serde(rename = "people.toml")]
    pub people: String,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShownEvent {
    /// Its document, as the text that is stored and that the log has.
    pub event: String,
    /// The proof that the log has it (C2SP `tlog-proof`), or [`PENDING_INCLUSION`].
    pub inclusion: String,
}

/// A text that an event has a digest of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShownText {
    /// The event.
    pub event_id: String,
    /// The member of its details.
    pub member: String,
    /// The text.
    pub text: String,
    /// The key of the digest: 32 lower-case hexadecimal digits.
    pub key: String,
}

/// A DSSE envelope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// What is signed, in base64.
    pub payload: String,
    /// What kind of document that is.
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    /// One signature.
    pub signatures: Vec<EnvelopeSignature>,
}

/// A signature of an envelope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeSignature {
    /// The thumbprint of the key.
    pub keyid: String,
    /// The signature, in base64.
    pub sig: String,
}

impl Document {
    /// Reads a document, which has one form.
    ///
    /// # Errors
    /// [`Mismatch::Form`].
    pub fn read(bytes: &[u8]) -> Result<Self, Mismatch> {
        if bytes.len() > MAX_BYTES {
            return Err(Mismatch::Form("it is too long"));
        }
        let value = canonical::read(bytes).map_err(|_| Mismatch::Form("it is not read as JSON"))?;
        if value.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(Mismatch::Form("it is of another format"));
        }
        let document: Self = serde_json::from_value(value)
            .map_err(|_| Mismatch::Form("a member is missing, unknown or of another type"))?;
        if document.canonical().as_str().as_bytes() == bytes {
            Ok(document)
        } else {
            Err(Mismatch::Form("it is not canonical JSON"))
        }
    }

    /// The document as it is given out.
    #[must_use]
    pub fn canonical(&self) -> CanonicalJson {
        // INVARIANT: texts, lists and maps of texts can be written as JSON; `null` would be no evidence.
        CanonicalJson::of(&serde_json::to_value(self).unwrap_or_default())
    }

    /// SHA-256 of the canonical document without its signature.
    #[must_use]
    pub fn digest(&self) -> Digest {
        if self.dsse.is_none() {
            return self.canonical().digest();
        }
        Self { dsse: None, ..self.clone() }.canonical().digest()
    }

    /// Whether parameters, texts and result were erased: then none is shown.
    pub(super) fn is_erased(&self) -> bool {
        self.request.state.contains_key("erased_at")
    }

    /// A text of the content.
    pub(super) fn content(&self, name: &str) -> Option<&str> {
        self.request.content.get(name).and_then(Value::as_str)
    }
}
