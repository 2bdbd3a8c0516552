//! Tokens with any header and any claims: what a forger would send.

use countersign_core::digest::Digest;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::Value;

/// An issuer's key pair, of RFC 8037 appendix A: Ed25519 …
const ISSUER_KEY_PKCS8: &str = "302e020100300506032b6570042204209d61b19deffd5a60ba844af492ec2cc4\
    4449c5697b326919703bac031cae7f60";
/// … and its public part as a key set.
pub const ISSUER_JWKS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"one","use":"sig","alg":"EdDSA",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// The same after the issuer has changed its key: the one with which [`issuer_token_with`] signs for `two` and 1.
pub const NEXT_ISSUER_JWKS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"two","use":"sig","alg":"EdDSA",
    "x":"XnR7OlZ418YiUXTnkowBNrawbODNgRq6W3UQrECmGBc"}]}"#;

/// A token of the issuer.
pub fn issuer_token(claims: &Value) -> String {
    issuer_token_with("one", 0, claims)
}

/// A token that names this key, signed with the issuer's key after its last byte was changed by
/// `flip`.
pub fn issuer_token_with(key_id: &str, flip: u8, claims: &Value) -> String {
    let header = Header { kid: Some(key_id.to_owned()), ..Header::new(Algorithm::EdDSA) };
    let mut key = hex::decode(ISSUER_KEY_PKCS8).unwrap();
    *key.last_mut().unwrap() ^= flip;
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(&key)).unwrap()
}

/// A token of the issuer with this very header and payload, whatever they are.
pub fn issuer_token_of(header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()));
    let key = EncodingKey::from_ed_der(&hex::decode(ISSUER_KEY_PKCS8).unwrap());
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::EdDSA).unwrap();
    format!("{signed}.{signature}")
}

/// A JSON Web Token signed with HMAC-SHA-256, whatever its header says.
pub fn sign(header: &Value, claims: &Value, key: &[u8; 32]) -> String {
    let input = unsigned(header, claims);
    let signature = base64url(hmac_sha256(key, input.as_bytes()).as_bytes());
    format!("{input}.{signature}")
}

/// The first two parts of a token.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(claims.to_string().as_bytes()))
}

/// The claims of a token that [`sign`] made.
///
/// # Panics
/// When it did not.
pub fn claims(token: &str) -> serde_json::Map<String, Value> {
    let payload = token.split('.').nth(1).unwrap();
    let mut bits = payload.bytes().map(|letter| ALPHABET.iter().position(|known| *known == letter).unwrap());
    let mut bytes = Vec::new();
    loop {
        let group: Vec<_> = bits.by_ref().take(4).collect();
        if group.is_empty() {
            return serde_json::from_slice(&bytes).unwrap();
        }
        let value = (0..4).fold(0, |value, place| value << 6 | group.get(place).copied().unwrap_or_default());
        bytes.extend([value >> 16, value >> 8, value].iter().take(group.len() - 1).map(|byte| *byte as u8));
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// RFC 2104 with a key shorter than a block.
fn hmac_sha256(key: &[u8; 32], message: &[u8]) -> Digest {
    let padded = |pad: u8| {
        let mut block = [pad; 64];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        block
    };
    let inner = Digest::of([&padded(0x36), message].concat());
    Digest::of([&padded(0x5c)[..], inner.as_bytes()].concat())
}

/// RFC 4648 section 5, without padding.
pub fn base64url(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let index = group >> (18 - 6 * place) & 63;
            text.extend(ALPHABET.get(index as usize).map(|letter| char::from(*letter)));
        }
    }
    text
}
