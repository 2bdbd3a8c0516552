//! Bearer tokens: JSON Web Tokens (RFC 7519), signed.

use crate::claim_path::Claims;
use crate::claims::{self, ClaimNames};
use crate::error::InvalidToken;
use crate::jws::Token;
use crate::key_set::Algorithm;
use crate::key_set::{self, KeySet, NotSigned};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::caller::Caller;
use countersign_core::caller::Channel;
use countersign_core::person::PersonId;
use countersign_core::timestamp::Timestamp;
use ring::hmac;
use serde_json::{Value, json};
use std::fmt;

/// The `typ` of tokens that `countersign token` issues. Another kind of signed document, such as
/// an execution permit, has another one.
pub const LOCAL_TYPE: &str = "countersign-token+jwt";
/// The `iss` and `aud` of those tokens.
pub const LOCAL_ISSUER: &str = "countersign";

/// How far an issuer's clock may be ahead or behind, in milliseconds. Our own is neither.
pub(crate) const ISSUER_LEEWAY_MILLISECONDS: u32 = 30_000;

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

    /// A token for a person or a service in some groups, valid from `now` for `ttl_seconds`.
    pub fn issue(&self, person: &PersonId, groups: &[String], now: Timestamp, ttl_seconds: u32) -> String {
        let issued_at = now.as_millisecond() / 1000;
        let mut claims = json!({
            "iss": LOCAL_ISSUER,
            "aud": LOCAL_ISSUER,
            "sub": person.service_subject().unwrap_or(person.as_str()),
            "groups": groups,
            "iat": issued_at,
            "exp": issued_at + i64::from(ttl_seconds),
        });
        if let Value::Object(claims) = &mut claims {
            match person.service_subject() {
                // A subject that is the client itself is a service (RFC 9068 section 2.2).
                Some(subject) => drop(claims.insert("client_id".to_owned(), json!(subject))),
                None => {
                    claims.insert("email".to_owned(), json!(person.as_str()));
                    claims.insert("email_verified".to_owned(), json!(true));
                }
            }
        }
        let header = json!({ "typ": LOCAL_TYPE, "alg": "HS256" });
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signature = hmac::sign(&self.secret(), signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// For HMAC with SHA-256 (RFC 7518 section 3.2).
    fn secret(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0)
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
    Issuer(KeySet),
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
    /// How the call comes in.
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
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Caller, InvalidToken> {
        let token = Token::read(token)?;
        self.check_signature(&token)?;
        check_issuer(&token.claims, &self.issuer)?;
        if !is_for(&token.claims, &self.audiences) {
            return Err(InvalidToken::Audience);
        }
        let leeway = match self.keys {
            Keys::Local(_) => 0,
            Keys::Issuer(_) => ISSUER_LEEWAY_MILLISECONDS,
        };
        check_times(&token.claims, now, leeway)?;
        Ok(claims::actor(&token.claims, &self.claim_names, self.channel)?)
    }

    /// The algorithm must be one that the key is for: a public key is never taken for a secret.
    fn check_signature(&self, token: &Token<'_>) -> Result<(), InvalidToken> {
        let algorithm = token.header("alg")?.ok_or(InvalidToken::Malformed)?;
        let algorithm = key_set::algorithm(algorithm).ok_or(InvalidToken::Algorithm)?;
        match &self.keys {
            Keys::Local(key) => {
                if token.header("typ")? != Some(LOCAL_TYPE) {
                    return Err(InvalidToken::Type);
                }
                if algorithm != Algorithm::HS256 {
                    return Err(InvalidToken::Algorithm);
                }
                let signature = URL_SAFE_NO_PAD.decode(token.signature());
                let signature = signature.map_err(|_| InvalidToken::Signature)?;
                hmac::verify(&key.secret(), token.signed().as_bytes(), &signature)
                    .map_err(|_| InvalidToken::Signature)
            }
            Keys::Issuer(keys) => {
                if !token.has_token_type()? {
                    return Err(InvalidToken::Type);
                }
                let id = token.header("kid")?;
                keys.verify(id, algorithm, token.signed(), token.signature()).map_err(|error| match error {
                    NotSigned::Signature => InvalidToken::Signature,
                    NotSigned::Algorithm => InvalidToken::Algorithm,
                    NotSigned::UnknownKey => InvalidToken::UnknownKey,
                })
            }
        }
    }
}

/// A token is of one issuer (RFC 7519 section 4.1.1).
///
/// # Errors
/// [`InvalidToken::Issuer`] when it is of another, or names several.
pub(crate) fn check_issuer(claims: &Claims, issuer: &str) -> Result<(), InvalidToken> {
    if claims.get("iss").and_then(Value::as_str) == Some(issuer) { Ok(()) } else { Err(InvalidToken::Issuer) }
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

pub(crate) fn check_times(
    claims: &Claims,
    now: Timestamp,
    leeway_milliseconds: u32,
) -> Result<(), InvalidToken> {
    let millisecond = |time: &Value| time.as_f64().map(|seconds| seconds * 1000.0);
    let now = now.as_millisecond() as f64;
    let leeway = f64::from(leeway_milliseconds);
    let ends = claims.get("exp").and_then(millisecond).ok_or(InvalidToken::Times)?;
    let begins = match claims.get("nbf") {
        Some(time) => millisecond(time).ok_or(InvalidToken::Times)?,
        None => f64::NEG_INFINITY,
    };
    if now >= ends + leeway {
        return Err(InvalidToken::Expired);
    }
    if now < begins - leeway {
        return Err(InvalidToken::NotYetValid);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{Algorithm, EncodingKey, Header};

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
        let token = key.issue(&ann, &["developer".to_owned()], now(), HOUR);
        let verifier = Verifier::local(key);
        let actor = verifier.verify(&token, now()).unwrap();
        assert_eq!((actor.person, actor.channel), (ann, Channel::Local));
        assert!(verifier.verify(&token, now().plus_seconds(HOUR - 1)).is_ok());
        assert_eq!(verifier.verify(&token, now().plus_seconds(HOUR)), Err(InvalidToken::Expired));
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
        let with_header = |header: Header| signed(&good_claims(), &header, [1; 32]);
        use InvalidToken::{
            Algorithm as A, Audience, Expired, Issuer, Malformed, NotYetValid, Signature, Times, Type,
        };
        for (name, token, error) in [
            ("empty", String::new(), Malformed),
            ("not a token", "hello".to_owned(), Malformed),
            ("two parts", format!("{}.{}", parts[0], parts[1]), Malformed),
            ("no signature", format!("{}.{}.", parts[0], parts[1]), Signature),
            ("alg none", format!("{none_header}.{}.", parts[1]), A),
            ("another key", signed(&good_claims(), &local_header(), [2; 32]), Signature),
            ("another type", with_header(Header::new(Algorithm::HS256)), Type),
            (
                "a permit",
                with_header(Header { typ: Some("countersign-permit+jwt".to_owned()), ..local_header() }),
                Type,
            ),
            ("another algorithm", with_header(Header { alg: Algorithm::HS512, ..local_header() }), A),
            (
                "critical",
                with_header(Header { crit: Some(vec![]), ..local_header() }),
                InvalidToken::CriticalHeader,
            ),
            ("another issuer", with("iss", json!("elsewhere")), Issuer),
            ("several issuers", with("iss", json!(["countersign", "elsewhere"])), Issuer),
            ("no issuer", without("iss"), Issuer),
            ("another audience", with("aud", json!("elsewhere")), Audience),
            ("no audience", without("aud"), Audience),
            ("no end", without("exp"), Times),
            ("an end in words", with("exp", json!("tomorrow")), Times),
            ("ended", with("exp", json!(1)), Expired),
            ("not begun", with("nbf", json!(4_000_000_000_u64)), NotYetValid),
            ("a beginning in words", with("nbf", json!("yesterday")), Times),
            (
                "unverified e-mail",
                with("email_verified", json!(false)),
                claims::InvalidClaims::UnverifiedEmail.into(),
            ),
            ("long", "a".repeat(16 * 1024 + 1), InvalidToken::TooLong),
        ] {
            assert_eq!(verifier.verify(&token, now()), Err(error), "{name}");
        }
        let tampered = format!(
            "{}.{}.{}",
            parts[0],
            with("groups", json!(["admin"])).split('.').nth(1).unwrap(),
            parts[2]
        );
        assert_eq!(verifier.verify(&tampered, now()), Err(InvalidToken::Signature));
    }
}
