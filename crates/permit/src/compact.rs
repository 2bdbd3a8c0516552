//! A permit as it is sent: the compact serialization (RFC 7515 section 3.1), read strictly. Knows no keys.

use crate::claims::{ALGORITHM, Claims, TYPE};
use crate::error::PermitError;
use crate::json;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The longest permit that is looked at.
pub const MAX_PERMIT_BYTES: usize = 16 * 1024;

/// A permit in its parts. Nothing is known of its signature yet.
pub(crate) struct Compact<'a> {
    pub(crate) key_id: String,
    pub(crate) signed: &'a [u8],
    pub(crate) signature: Vec<u8>,
    claims: Vec<u8>,
}

impl<'a> Compact<'a> {
    /// Reads what is around the claims.
    ///
    /// # Errors
    /// What is too long or no permit; a header with another member than `alg`, `typ` and `kid`: one that is critical,
    /// or names a key, would change what is verified.
    pub(crate) fn read(permit: &'a str) -> Result<Self, PermitError> {
        if permit.len() > MAX_PERMIT_BYTES {
            return Err(PermitError::Malformed("it is too long"));
        }
        let three = PermitError::Malformed("it has not three parts");
        let (signed, signature) = permit.rsplit_once('.').ok_or(three)?;
        let (header, claims) = signed.split_once('.').ok_or(three)?;
        // The decoder takes neither padding nor bits that no byte has: each part has one spelling.
        let decoded =
            |part: &str, what| URL_SAFE_NO_PAD.decode(part).map_err(|_| PermitError::Malformed(what));
        let header = decoded(header, "its header is not base64url")?;
        let claims = decoded(claims, "its claims are not base64url")?;
        let signature = decoded(signature, "its signature is not base64url")?;
        let header = json::object(&header).ok_or(PermitError::Malformed("its header is not read"))?;
        let text = |name: &str| {
            let text = header.get(name).and_then(Value::as_str);
            text.ok_or(PermitError::Malformed("its header has no alg, typ and kid"))
        };
        let (algorithm, media_type, key_id) = (text("alg")?, text("typ")?, text("kid")?);
        if header.len() != 3 {
            return Err(PermitError::Malformed("its header has more than alg, typ and kid"));
        }
        if media_type != TYPE {
            return Err(PermitError::Type);
        }
        if algorithm != ALGORITHM {
            return Err(PermitError::Algorithm);
        }
        Ok(Self { key_id: key_id.to_owned(), signed: signed.as_bytes(), signature, claims })
    }

    /// Reads the claims, once the signature is verified.
    ///
    /// # Errors
    /// What a permit never says.
    pub(crate) fn claims(&self) -> Result<Claims, PermitError> {
        let members = json::object(&self.claims).ok_or(PermitError::Malformed("its claims are not read"))?;
        let claims: Claims = serde_json::from_value(Value::Object(members))
            .map_err(|_| PermitError::Malformed("a claim is missing or of another type"))?;
        // A verifier may use an execution's id as a name or a key.
        if !is_uuid(&claims.sub) || !is_uuid(&claims.jti) {
            return Err(PermitError::Malformed("its sub or jti is not a UUID"));
        }
        Ok(claims)
    }
}

/// Whether a text is a UUID as RFC 9562 section 4 writes it, in lower case.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}
