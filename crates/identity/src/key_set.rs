//! An issuer's public keys (RFC 7517): which of them may verify a token, and with which algorithms.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::canonical;
use countersign_core::text::escaped_line;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::Value;
use std::fmt;
use strum::EnumString;

/// The most keys that a set may have. One without an id is tried with every token.
const MAX_KEYS: usize = 100;
/// The smallest RSA key, in bits (RFC 7518 section 3.3, RFC 8725 section 3.5), and the largest: verifying with a
/// larger one takes a caller's time to no purpose.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// How a token can be signed, by the names of RFC 7518 section 3.1. `none` is no way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString)]
#[expect(missing_docs, reason = "the names are those of the RFC")]
pub enum Algorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

const RSA_ALGORITHMS: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

const FOR_ENCRYPTION: &str = "it is for encryption";

/// The public keys of an issuer that tokens may be signed with.
#[derive(Clone, Default)]
pub struct KeySet {
    keys: Vec<PublicKey>,
    unused: Vec<UnusedKey>,
}

#[derive(Clone)]
struct PublicKey {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: Key,
}

/// A public key as the library takes it.
#[derive(Clone)]
enum Key {
    /// Numbers without leading zeros.
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// An uncompressed point (SEC 1 section 2.3.3), or the bytes of an Ed25519 key.
    Point(Vec<u8>),
}

/// A key of the set that no token is verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedKey {
    /// Its `kid`, as the issuer wrote it.
    pub id: Option<String>,
    /// Why it is not used.
    pub reason: &'static str,
}

impl UnusedKey {
    /// Whether it is meant for something else than signatures.
    pub fn is_for_encryption(&self) -> bool {
        self.reason == FOR_ENCRYPTION
    }
}

impl fmt::Display for UnusedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "{}: {}", escaped_line(id), self.reason),
            None => write!(f, "without an id: {}", self.reason),
        }
    }
}

/// A text that is no key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeySet {
    /// Not JSON, no object, or without a list `keys`.
    #[error("it is not a key set: an object with a list of keys (RFC 7517 section 5)")]
    Malformed,
    /// More keys than are tried.
    #[error("it has more than {MAX_KEYS} keys")]
    TooManyKeys,
}

impl KeySet {
    /// Reads a key set. A key that cannot verify a token is left out, and does not make the others useless.
    ///
    /// # Errors
    /// When it is no key set.
    pub fn read(text: &str) -> Result<Self, InvalidKeySet> {
        let set = canonical::read_foreign(text.as_bytes()).map_err(|_| InvalidKeySet::Malformed)?;
        let listed = set.get("keys").and_then(Value::as_array).ok_or(InvalidKeySet::Malformed)?;
        if listed.len() > MAX_KEYS {
            return Err(InvalidKeySet::TooManyKeys);
        }
        let (mut keys, mut unused) = (Vec::new(), Vec::new());
        for listed in listed {
            match public_key(listed) {
                Ok(key) => keys.push(key),
                Err(reason) => {
                    let id = listed.get("kid").and_then(Value::as_str).map(str::to_owned);
                    unused.push(UnusedKey { id, reason });
                }
            }
        }
        Ok(Self { keys, unused })
    }

    /// Whether there is no key that could verify a token.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The ids of the keys, `None` for one without.
    pub fn ids(&self) -> Vec<Option<&str>> {
        self.keys.iter().map(|key| key.id.as_deref()).collect()
    }

    /// The keys that were left out.
    pub fn unused(&self) -> &[UnusedKey] {
        &self.unused
    }

    /// The keys that a token with this `kid` may be signed with: those of that name and those without one,
    /// or any for a token that names none (RFC 7515 section 4.1.4).
    fn named(&self, id: Option<&str>) -> impl Iterator<Item = &PublicKey> {
        self.keys.iter().filter(move |key| id.is_none() || key.id.is_none() || key.id.as_deref() == id)
    }

    /// Whether one of the keys has signed.
    ///
    /// # Errors
    /// Why there is none that has.
    pub fn verify(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
        signed: &str,
        signature: &str,
    ) -> Result<(), NotSigned> {
        let mut fits = false;
        for key in self.named(id).filter(|key| key.algorithms.contains(&algorithm)) {
            if key.key.has_signed(algorithm, signed, signature) {
                return Ok(());
            }
            fits |= id.is_some() && key.id.as_deref() == id;
        }
        let is_known = id.is_some() && self.keys.iter().any(|key| key.id.as_deref() == id);
        match (fits, is_known) {
            (true, _) => Err(NotSigned::Signature),
            (false, true) => Err(NotSigned::Algorithm),
            (false, false) => Err(NotSigned::UnknownKey),
        }
    }
}

/// Why no key of a set has signed a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSigned {
    /// The key that the token names has not.
    Signature,
    /// The key that the token names is for other algorithms.
    Algorithm,
    /// The token names no key, or one that is not in the set, and no key that it could mean has signed it.
    /// The issuer may have a new one.
    UnknownKey,
}

/// The algorithm of this name. `Ed25519` is what RFC 9864 calls `EdDSA` with a key of that curve, the only one
/// that is supported.
pub(crate) fn algorithm(name: &str) -> Option<Algorithm> {
    match name {
        "Ed25519" => Some(Algorithm::EdDSA),
        name => name.parse().ok(),
    }
}

impl Key {
    fn has_signed(&self, algorithm: Algorithm, signed: &str, signature: &str) -> bool {
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
        let point: &'static dyn VerificationAlgorithm = match (self, algorithm) {
            (Self::Rsa(key), algorithm) => {
                let Some(parameters) = rsa_parameters(algorithm) else { return false };
                return key.verify(parameters, signed.as_bytes(), &signature).is_ok();
            }
            (Self::Point(_), Algorithm::ES256) => &signature::ECDSA_P256_SHA256_FIXED,
            (Self::Point(_), Algorithm::ES384) => &signature::ECDSA_P384_SHA384_FIXED,
            (Self::Point(_), Algorithm::EdDSA) => &signature::ED25519,
            (Self::Point(_), _) => return false,
        };
        let Self::Point(key) = self else { return false };
        UnparsedPublicKey::new(point, key).verify(signed.as_bytes(), &signature).is_ok()
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static signature::RsaParameters> {
    Some(match algorithm {
        Algorithm::RS256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
        Algorithm::HS256
        | Algorithm::HS384
        | Algorithm::HS512
        | Algorithm::ES256
        | Algorithm::ES384
        | Algorithm::EdDSA => return None,
    })
}

/// A key of the set, with the algorithms that it is for: a public key is never taken for a secret.
fn public_key(listed: &Value) -> Result<PublicKey, &'static str> {
    let text = |name: &str| match listed.get(name) {
        // Some issuers write every member that there may be.
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or("a member of it is not a text"),
    };
    if text("use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(FOR_ENCRYPTION);
    }
    if let Some(operations) = listed.get("key_ops").filter(|operations| !operations.is_null()) {
        let operations = operations.as_array().ok_or("its key_ops are no list")?;
        if !operations.iter().any(|operation| operation == "verify") {
            return Err("it is not for verifying signatures");
        }
    }
    let number = |name: &str| {
        let text = text(name)?.ok_or("a number of it is missing")?;
        URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| "a number of it is not base64url")
    };
    let coordinate = |name: &str, bytes: usize| {
        let number = number(name)?;
        if number.len() == bytes {
            Ok(number)
        } else {
            Err("a number of it has not the length that its curve has")
        }
    };
    let (of_type, key): (&[Algorithm], _) = match (text("kty")?, text("crv")?) {
        (Some("RSA"), _) => (&RSA_ALGORITHMS, rsa_key(&number("n")?, &number("e")?)?),
        (Some("EC"), Some("P-256")) => {
            (&[Algorithm::ES256], ec_key(&coordinate("x", 32)?, &coordinate("y", 32)?))
        }
        (Some("EC"), Some("P-384")) => {
            (&[Algorithm::ES384], ec_key(&coordinate("x", 48)?, &coordinate("y", 48)?))
        }
        (Some("OKP"), Some("Ed25519")) => (&[Algorithm::EdDSA], Key::Point(coordinate("x", 32)?)),
        (Some("oct"), _) => return Err("it is a secret, not a public key"),
        _ => return Err("its type or curve is not supported"),
    };
    let algorithms = match text("alg")? {
        None => of_type.to_vec(),
        Some(name) => {
            let named = algorithm(name).filter(|algorithm| of_type.contains(algorithm));
            vec![named.ok_or("its algorithm does not sign tokens, or is not one of its type")?]
        }
    };
    Ok(PublicKey { id: text("kid")?.map(str::to_owned), algorithms, key })
}

fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Result<Key, &'static str> {
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let bits = match modulus.get(zeros) {
        Some(first) => (modulus.len() - zeros) * 8 - first.leading_zeros() as usize,
        None => 0,
    };
    if bits < *RSA_BITS.start() {
        return Err("it is an RSA key of less than 2048 bits");
    }
    if bits > *RSA_BITS.end() {
        return Err("it is an RSA key of more than 4096 bits");
    }
    let number = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    Ok(Key::Rsa(RsaPublicKeyComponents { n: number(modulus), e: number(exponent) }))
}

fn ec_key(x: &[u8], y: &[u8]) -> Key {
    Key::Point([&[4], x, y].concat())
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet").field("ids", &self.ids()).field("unused", &self.unused).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn numbers(bytes: usize) -> String {
        URL_SAFE_NO_PAD.encode(vec![0xff; bytes])
    }

    fn rsa(bytes: usize, more: &Value) -> Value {
        let mut key = json!({"kty": "RSA", "kid": "k", "n": numbers(bytes), "e": "AQAB"});
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key
    }

    fn read(keys: &[Value]) -> Result<KeySet, InvalidKeySet> {
        KeySet::read(&json!({ "keys": keys }).to_string())
    }

    /// THREATS 68.
    #[test]
    fn threat_68_a_key_that_must_not_verify_tokens_is_left_out() {
        let mut padded = vec![0; 256];
        padded.extend([0xff; 128]);
        let ec = |curve: &str, bytes: usize| json!({"kty": "EC", "crv": curve, "x": numbers(bytes), "y": numbers(bytes)});
        for (key, reason) in [
            (rsa(64, &json!({})), "less than 2048"),
            (rsa(128, &json!({})), "less than 2048"),
            (rsa(128, &json!({"n": URL_SAFE_NO_PAD.encode(padded)})), "less than 2048"),
            (rsa(128, &json!({"n": ""})), "less than 2048"),
            (rsa(513, &json!({})), "more than 4096"),
            (rsa(256, &json!({"use": "enc"})), "encryption"),
            (rsa(256, &json!({"use": 1})), "not a text"),
            (rsa(256, &json!({"kid": 1})), "not a text"),
            (rsa(256, &json!({"key_ops": ["encrypt", "wrapKey"]})), "not for verifying"),
            (rsa(256, &json!({"key_ops": "verify"})), "no list"),
            (rsa(256, &json!({"alg": "RSA-OAEP"})), "algorithm"),
            (rsa(256, &json!({"alg": "ES256"})), "algorithm"),
            (rsa(256, &json!({"alg": "HS256"})), "algorithm"),
            (rsa(256, &json!({"n": "+/=="})), "base64url"),
            (rsa(256, &json!({"e": null})), "missing"),
            (ec("P-256", 31), "length"),
            (ec("P-384", 32), "length"),
            (ec("P-521", 66), "not supported"),
            (ec("secp256k1", 32), "not supported"),
            (json!({"kty": "OKP", "crv": "X25519", "x": numbers(32)}), "not supported"),
            (json!({"kty": "oct", "k": numbers(32)}), "secret"),
            (json!({}), "not supported"),
            (json!("key"), "not supported"),
        ] {
            let alone = read(std::slice::from_ref(&key)).unwrap();
            let said = alone.unused()[0].reason;
            assert!(alone.is_empty() && said.contains(reason), "{key}: {said}");
            let kept = read(&[key.clone(), rsa(256, &json!({"kid": "good"}))]).unwrap();
            assert_eq!((kept.keys.len(), kept.unused().len()), (1, 1), "{key}");
        }
        for key in [
            rsa(256, &json!({})),
            rsa(512, &json!({})),
            rsa(256, &json!({"use": "sig", "alg": "RS256", "key_ops": ["verify"], "x5c": ["x"], "x5t": 1})),
            rsa(
                256,
                &json!({"alg": null, "use": null, "key_ops": null, "kid": null, "crv": null, "e": "AQAB=="}),
            ),
            json!({"kty": "OKP", "crv": "Ed25519", "x": numbers(32), "alg": "Ed25519"}),
            ec("P-256", 32),
            ec("P-384", 48),
            json!({"kty": "OKP", "crv": "Ed25519", "x": numbers(32)}),
        ] {
            assert!(read(std::slice::from_ref(&key)).unwrap().unused().is_empty(), "{key}");
        }
    }

    #[test]
    fn what_is_no_key_set_is_refused() {
        for text in
            ["", "x", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, "\u{feff}{\"keys\":[]}"]
        {
            assert_eq!(KeySet::read(text).unwrap_err(), InvalidKeySet::Malformed, "{text}");
        }
        assert!(read(&[]).unwrap().is_empty());
        assert_eq!(read(&vec![rsa(256, &json!({})); MAX_KEYS + 1]).unwrap_err(), InvalidKeySet::TooManyKeys);
    }

    #[test]
    fn a_key_of_that_name_or_without_a_name_is_tried() {
        let keys = [
            rsa(256, &json!({"kid": "a"})),
            rsa(256, &json!({"kid": "a", "alg": "PS256"})),
            rsa(256, &json!({"kid": "b"})),
        ];
        let named = |set: &KeySet, id: Option<&str>| set.named(id).count();
        let set = read(&keys).unwrap();
        assert_eq!([Some("a"), Some("b"), Some("c"), None].map(|id| named(&set, id)), [2, 1, 0, 3]);
        let why = |id, algorithm| set.verify(id, algorithm, "x", "AAAA").unwrap_err();
        assert_eq!(why(Some("a"), Algorithm::RS256), NotSigned::Signature);
        assert_eq!(why(Some("a"), Algorithm::ES256), NotSigned::Algorithm);
        assert_eq!(why(Some("c"), Algorithm::RS256), NotSigned::UnknownKey);
        assert_eq!(why(None, Algorithm::RS256), NotSigned::UnknownKey);
    }
}
