//! What a permit says, and the bytes that are signed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// The type of a permit, in its header.
pub const TYPE: &str = "countersign-permit+jwt";

/// The only algorithm.
pub(crate) const ALGORITHM: &str = "ES256";

/// The most bytes that are signed: the limit of KMS for a message that it digests itself.
pub const MAX_SIGNED_BYTES: usize = 4096;

/// What a permit says. A reader ignores claims that it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The deployment that has given it: its origin, a URN, as its audit events have it.
    pub iss: String,
    /// For whom it is: an executor's name, or `client` for the caller that started.
    pub aud: String,
    /// The request, a UUID.
    pub sub: String,
    /// The execution, a UUID: one permit is good for one execution.
    pub jti: String,
    /// When it was given, in whole seconds since the epoch.
    pub iat: u64,
    /// From when it is no longer good, in whole seconds since the epoch.
    pub exp: u64,
    /// What is to be done.
    pub operation_type: String,
    /// What it is to be done to.
    pub instance_id: String,
    /// The environment of that.
    pub environment: String,
    /// How much is at stake.
    pub risk_level: String,
    /// The digest of what the request was made with.
    pub content_digest: String,
    /// The digest of the parameters, see [`parameters_digest`].
    pub parameters_digest: String,
    /// The digest of the target as it was observed, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_digest: Option<String>,
    /// The policy that the start was decided by.
    pub policy_version: String,
    /// The requester.
    pub requested_by: String,
    /// The caller that started.
    pub started_by: String,
    /// The hash of the start's event in the request's audit trail.
    pub audit_head: String,
    /// The approvers; not there when more than [`MAX_SIGNED_BYTES`] would be signed with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<Vec<String>>,
}

/// The bytes of a permit that are signed: its header and its claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningInput {
    text: String,
    claims: Claims,
}

impl Claims {
    /// The claims as members of an object.
    #[must_use]
    pub fn members(&self) -> Map<String, Value> {
        match json!(self) {
            Value::Object(members) => members,
            // INVARIANT: a struct is an object.
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Map::new()
            }
        }
    }
}

impl SigningInput {
    /// Of these claims, to be signed by the key of this id. Leaves the approvers out if they make it too long.
    #[must_use]
    pub fn new(key_id: &str, mut claims: Claims) -> Self {
        let header = format!(r#"{{"alg":"{ALGORITHM}","typ":"{TYPE}","kid":{}}}"#, json!(key_id));
        let mut text = Self::text(&header, &claims);
        if text.len() > MAX_SIGNED_BYTES {
            claims.approved_by = None;
            text = Self::text(&header, &claims);
        }
        Self { text, claims }
    }

    fn text(header: &str, claims: &Claims) -> String {
        // INVARIANT: texts, numbers and lists of texts can be written as JSON; empty claims would be no permit.
        let claims = serde_json::to_string(claims).unwrap_or_default();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
    }

    /// The claims that are in it.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// What is to be signed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The permit, with the signature as r and s, of 32 bytes each (RFC 7518 section 3.4).
    #[must_use]
    pub fn with_signature(self, signature: &[u8; 64]) -> String {
        format!("{}.{}", self.text, URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The digest of parameters: SHA-256 of their canonical form (RFC 8785), as 64 lower-case hex digits.
#[must_use]
pub fn parameters_digest(parameters: &Value) -> String {
    // INVARIANT: a `Value` has string keys and finite numbers only, so that it has a canonical form; the digest of
    // nothing would be that of no parameters.
    let canonical = serde_jcs::to_vec(parameters).unwrap_or_default();
    Sha256::digest(canonical).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn claims() -> Claims {
        Claims {
            iss: "https://approvals.example.com".to_owned(),
            aud: "rds".to_owned(),
            sub: "01930000-0000-7000-8000-0000000000aa".to_owned(),
            jti: "0193aaaa-0000-7000-8000-000000000001".to_owned(),
            iat: 1_767_225_600,
            exp: 1_767_226_500,
            operation_type: "modify_instance_class".to_owned(),
            instance_id: "production-db-01".to_owned(),
            environment: "production".to_owned(),
            risk_level: "high".to_owned(),
            content_digest: parameters_digest(&json!({"content": 1})),
            parameters_digest: parameters_digest(&json!({"target": "db.r6g.xlarge"})),
            target_digest: Some(parameters_digest(&json!({"status": "available"}))),
            policy_version: "p1".to_owned(),
            requested_by: "ann@example.com".to_owned(),
            started_by: "ann@example.com".to_owned(),
            audit_head: parameters_digest(&json!({"event": 3})),
            approved_by: Some(vec!["bob@example.com".to_owned(), "eve@example.com".to_owned()]),
        }
    }

    fn written(input: &SigningInput) -> (Value, Value) {
        let text = std::str::from_utf8(input.as_bytes()).unwrap();
        let (header, claims) = text.split_once('.').unwrap();
        let read = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        (read(header), read(claims))
    }

    #[test]
    fn the_header_has_algorithm_type_and_key_and_nothing_else() {
        let (header, read) = written(&SigningInput::new("a\"b", claims()));
        assert_eq!(header, json!({"alg": "ES256", "typ": "countersign-permit+jwt", "kid": "a\"b"}));
        assert_eq!(serde_json::from_value::<Claims>(read).unwrap(), claims());
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let (_, read) =
            written(&SigningInput::new("k", Claims { target_digest: None, approved_by: None, ..claims() }));
        assert_eq!((read.get("target_digest"), read.get("approved_by")), (None, None));
    }

    #[test]
    fn approvers_are_left_out_when_more_than_kms_takes_would_be_signed() {
        let with = |length: usize| {
            let approvers = vec!["x".repeat(length)];
            SigningInput::new("k", Claims { approved_by: Some(approvers), ..claims() })
        };
        let has_approvers = |input: &SigningInput| written(input).1.get("approved_by").is_some();
        let longest = (1..4096).rev().find(|length| has_approvers(&with(*length))).unwrap();
        // Four letters of base64url for three bytes: the limit itself may fall between two.
        assert!(with(longest).as_bytes().len() > MAX_SIGNED_BYTES - 2);
        assert!(with(longest).as_bytes().len() <= MAX_SIGNED_BYTES);
        let shorter = with(longest + 1);
        assert!(!has_approvers(&shorter) && shorter.as_bytes().len() < MAX_SIGNED_BYTES);
    }

    #[test]
    fn parameters_have_one_digest_however_they_are_written() {
        let read = |text: &str| parameters_digest(&serde_json::from_str(text).unwrap());
        assert_eq!(read(r#"{"b":1.0,"a":"\u00e9"}"#), read("{ \"a\": \"\u{e9}\", \"b\": 1 }"));
        assert_ne!(read(r#"{"b":1}"#), read(r#"{"b":"1"}"#));
        // `printf '{}' | sha256sum`
        assert_eq!(read("{}"), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    }
}
