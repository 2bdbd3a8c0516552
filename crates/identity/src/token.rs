//! Bearer tokens: JSON Web Tokens (RFC 7519), signed.

use crate::claims::{self, ClaimNames, Claims};
use countersign_core::actor::{Actor, Channel};
use countersign_core::person::PersonId;
use countersign_core::timestamp::Timestamp;
pub use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};
use std::fmt;

/// The `typ` of tokens that `countersign token` issues. Another kind of signed document, such as
/// an execution permit, has another one.
pub const LOCAL_TYPE: &str = "countersign-token+jwt";
/// The `iss` and `aud` of those tokens.
pub const LOCAL_ISSUER: &str = "countersign";

/// The longest token that is looked at, in bytes.
pub(crate) const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// How far an issuer's clock may be ahead or behind, in milliseconds. Our own is neither.
pub(crate) const ISSUER_LEEWAY_MILLISECONDS: u32 = 30_000;

/// Why a token is refused. For the log only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// Not a token, or longer than any token should be.
    #[error("not a token")]
    Malformed,
    /// Of a type, or signed with an algorithm, that is not accepted here.
    #[error("the token's type or algorithm is not accepted")]
    Unacceptable,
    /// No key of this id is known. The issuer may have a new one.
    #[error("the token's key is not known")]
    UnknownKey,
    /// The signature, issuer or audience is wrong.
    #[error("the token's signature, issuer or audience is wrong")]
    Untrusted,
    /// Not the token that the gateway says it has verified.
    #[error("the token is not the one that the gateway describes")]
    NotDescribed,
    /// Expired, not valid yet, or valid for ever.
    #[error("the token has expired, is not valid yet or has no end")]
    OutOfTime,
    /// The claims name nobody.
    #[error(transparent)]
    Claims(#[from] claims::InvalidClaims),
}

/// The one token of a call's `Authorization` headers (RFC 6750 section 2.1).
///
/// # Errors
/// Why there is none, for the log.
pub fn bearer<'a>(authorization: &[&'a str]) -> Result<&'a str, &'static str> {
    let [header] = authorization else {
        return Err(if authorization.is_empty() { "no token" } else { "several Authorization headers" });
    };
    match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        Some(_) | None => Err("not a bearer token"),
    }
}

/// The secret that signs and verifies local tokens.
#[derive(Clone)]
pub struct LocalKey([u8; 32]);

impl LocalKey {
    /// A key of 32 secret bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A token for a person in some groups, valid from `now` for `ttl_seconds`.
    ///
    /// # Errors
    /// When the signing library fails.
    pub fn issue(
        &self,
        person: &PersonId,
        groups: &[String],
        now: Timestamp,
        ttl_seconds: u32,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let issued_at = now.as_millisecond() / 1000;
        let claims = json!({
            "iss": LOCAL_ISSUER,
            "aud": LOCAL_ISSUER,
            "sub": person.as_str(),
            "email": person.as_str(),
            "email_verified": true,
            "groups": groups,
            "iat": issued_at,
            "exp": issued_at + i64::from(ttl_seconds),
        });
        let header = Header { typ: Some(LOCAL_TYPE.to_owned()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&self.0))
    }
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalKey(secret)")
    }
}

/// The keys that tokens may be signed with: ours or an issuer's, never both.
#[derive(Debug, Clone)]
pub enum Keys {
    /// The data directory's own key.
    Local(LocalKey),
    /// An issuer's public keys (RFC 7517).
    Issuer(JwkSet),
}

/// Everything a token is checked against.
#[derive(Debug, Clone)]
pub struct Verifier {
    /// The keys.
    pub keys: Keys,
    /// The one issuer.
    pub issuer: String,
    /// The audiences: a token must be for one of them.
    pub audiences: Vec<String>,
    /// Which claims are read.
    pub claim_names: ClaimNames,
    /// By which door the caller comes.
    pub channel: Channel,
}

impl Verifier {
    /// For tokens of the data directory's own key.
    pub fn local(key: LocalKey) -> Self {
        Self {
            keys: Keys::Local(key),
            issuer: LOCAL_ISSUER.to_owned(),
            audiences: vec![LOCAL_ISSUER.to_owned()],
            claim_names: ClaimNames::default(),
            channel: Channel::Local,
        }
    }

    /// Who the bearer of this token is at `now`.
    ///
    /// # Errors
    /// The first reason to refuse it.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Actor, InvalidToken> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(InvalidToken::Malformed);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| InvalidToken::Malformed)?;
        let key = self.key(&header)?;
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "iss"]);
        // Checked below: times against the clock we are given, the audience under all its names.
        validation.validate_exp = false;
        validation.validate_aud = false;
        let data =
            jsonwebtoken::decode::<Claims>(token, &key, &validation).map_err(|_| InvalidToken::Untrusted)?;
        if !is_for(&data.claims, &self.audiences) {
            return Err(InvalidToken::Untrusted);
        }
        let leeway = match self.keys {
            Keys::Local(_) => 0,
            Keys::Issuer(_) => ISSUER_LEEWAY_MILLISECONDS,
        };
        check_times(&data.claims, now, leeway)?;
        Ok(claims::actor(&data.claims, &self.claim_names, self.channel)?)
    }

    /// The key for a token with this header. The algorithm must be one that the key is for: a
    /// public key is never taken for a secret.
    fn key(&self, header: &Header) -> Result<DecodingKey, InvalidToken> {
        match &self.keys {
            Keys::Local(key) => {
                if header.alg != Algorithm::HS256 || header.typ.as_deref() != Some(LOCAL_TYPE) {
                    return Err(InvalidToken::Unacceptable);
                }
                Ok(DecodingKey::from_secret(&key.0))
            }
            Keys::Issuer(keys) => {
                let is_token_type = header
                    .typ
                    .as_deref()
                    .is_none_or(|typ| ["jwt", "at+jwt"].contains(&typ.to_ascii_lowercase().as_str()));
                if !is_public_key_algorithm(header.alg) || !is_token_type {
                    return Err(InvalidToken::Unacceptable);
                }
                let found = match (&header.kid, keys.keys.as_slice()) {
                    (Some(kid), _) => keys.find(kid),
                    (None, [only]) => Some(only),
                    (None, _) => None,
                };
                let jwk = found.ok_or(InvalidToken::UnknownKey)?;
                DecodingKey::from_jwk(jwk).map_err(|_| InvalidToken::Unacceptable)
            }
        }
    }
}

/// Whether a token with these claims is meant for one of `audiences`. Access tokens of Amazon Cognito
/// name it `client_id`.
pub(crate) fn is_for(claims: &Claims, audiences: &[String]) -> bool {
    let is_ours = |named: &Value| audiences.iter().any(|audience| named == audience);
    match claims.get("aud") {
        Some(Value::Array(several)) => several.iter().any(is_ours),
        Some(only) => is_ours(only),
        None => claims.get("client_id").is_some_and(is_ours),
    }
}

/// Reads an audience. White space around it belongs to the list that it stands in.
///
/// # Errors
/// The rule, if there is none: a token for `""` would be for everybody.
pub fn audience(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("must be an audience, or several with commas between them"),
        audience => Ok(audience.to_owned()),
    }
}

fn is_public_key_algorithm(algorithm: Algorithm) -> bool {
    matches!(
        algorithm,
        Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512
            | Algorithm::ES256
            | Algorithm::ES384
            | Algorithm::EdDSA
    )
}

pub(crate) fn check_times(
    claims: &Claims,
    now: Timestamp,
    leeway_milliseconds: u32,
) -> Result<(), InvalidToken> {
    let millisecond = |time: &Value| time.as_f64().map(|seconds| seconds * 1000.0);
    let now = now.as_millisecond() as f64;
    let leeway = f64::from(leeway_milliseconds);
    let ends = claims.get("exp").and_then(millisecond).ok_or(InvalidToken::OutOfTime)?;
    let begins = match claims.get("nbf") {
        Some(time) => millisecond(time).ok_or(InvalidToken::OutOfTime)?,
        None => f64::NEG_INFINITY,
    };
    let has_ended = now >= ends + leeway;
    let has_not_begun = now < begins - leeway;
    if has_ended || has_not_begun {
        return Err(InvalidToken::OutOfTime);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u32 = 3600;

    fn now() -> Timestamp {
        Timestamp::parse("2026-01-01T00:00:00Z").unwrap()
    }

    fn signed(claims: &Value, header: &Header, key: [u8; 32]) -> String {
        jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(&key)).unwrap()
    }

    fn good_claims() -> Value {
        json!({"iss": "countersign", "aud": "countersign", "email": "ann@example.com",
            "email_verified": true, "groups": ["developer"], "exp": now().as_millisecond() / 1000 + 60})
    }

    fn local_header() -> Header {
        Header { typ: Some(LOCAL_TYPE.to_owned()), ..Header::new(Algorithm::HS256) }
    }

    #[test]
    fn an_issued_token_is_verified_until_it_ends() {
        let key = LocalKey::new([1; 32]);
        let ann = PersonId::from_email("ann@example.com").unwrap();
        let token = key.issue(&ann, &["developer".to_owned()], now(), HOUR).unwrap();
        let verifier = Verifier::local(key);
        let actor = verifier.verify(&token, now()).unwrap();
        assert_eq!((actor.person, actor.channel), (ann, Channel::Local));
        assert!(verifier.verify(&token, now().plus_seconds(HOUR - 1)).is_ok());
        assert_eq!(verifier.verify(&token, now().plus_seconds(HOUR)), Err(InvalidToken::OutOfTime));
    }

    #[test]
    fn bad_local_tokens_are_refused() {
        let verifier = Verifier::local(LocalKey::new([1; 32]));
        let good = signed(&good_claims(), &local_header(), [1; 32]);
        assert!(verifier.verify(&good, now()).is_ok());
        let with = |name: &str, value: Value| {
            let mut claims = good_claims();
            claims[name] = value;
            signed(&claims, &local_header(), [1; 32])
        };
        let without = |name: &str| {
            let mut claims = good_claims();
            claims.as_object_mut().unwrap().remove(name);
            signed(&claims, &local_header(), [1; 32])
        };
        let parts: Vec<_> = good.split('.').collect();
        let none_header = "eyJhbGciOiJub25lIiwidHlwIjoiY291bnRlcnNpZ24tdG9rZW4rand0In0";
        for (name, token) in [
            ("empty", String::new()),
            ("not a token", "hello".to_owned()),
            ("two parts", format!("{}.{}", parts[0], parts[1])),
            ("no signature", format!("{}.{}.", parts[0], parts[1])),
            ("alg none", format!("{none_header}.{}.", parts[1])),
            ("another key", signed(&good_claims(), &local_header(), [2; 32])),
            ("another type", signed(&good_claims(), &Header::new(Algorithm::HS256), [1; 32])),
            ("a permit", {
                let header = Header { typ: Some("countersign-permit+jwt".to_owned()), ..local_header() };
                signed(&good_claims(), &header, [1; 32])
            }),
            ("another algorithm", {
                let header = Header { alg: Algorithm::HS512, ..local_header() };
                signed(&good_claims(), &header, [1; 32])
            }),
            ("another issuer", with("iss", json!("elsewhere"))),
            ("another audience", with("aud", json!("elsewhere"))),
            ("no audience", without("aud")),
            ("no issuer", without("iss")),
            ("no end", without("exp")),
            ("an end in words", with("exp", json!("tomorrow"))),
            ("ended", with("exp", json!(1))),
            ("not begun", with("nbf", json!(4_000_000_000_u64))),
            ("a beginning in words", with("nbf", json!("yesterday"))),
            ("unverified e-mail", with("email_verified", json!(false))),
            ("long", "a".repeat(MAX_TOKEN_BYTES + 1)),
        ] {
            assert!(verifier.verify(&token, now()).is_err(), "{name}");
        }
        let tampered = format!(
            "{}.{}.{}",
            parts[0],
            with("groups", json!(["admin"])).split('.').nth(1).unwrap(),
            parts[2]
        );
        assert_eq!(verifier.verify(&tampered, now()), Err(InvalidToken::Untrusted));
    }

    #[test]
    fn a_public_key_is_never_taken_for_a_secret() {
        let jwks: JwkSet = serde_json::from_value(json!({"keys": [{
            "kty": "oct", "kid": "k", "alg": "HS256", "k": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"
        }]}))
        .unwrap();
        let verifier = Verifier { keys: Keys::Issuer(jwks), ..Verifier::local(LocalKey::new([1; 32])) };
        let header = Header { kid: Some("k".to_owned()), ..Header::new(Algorithm::HS256) };
        let token = signed(&good_claims(), &header, [1; 32]);
        assert_eq!(verifier.verify(&token, now()), Err(InvalidToken::Unacceptable));
    }
}
