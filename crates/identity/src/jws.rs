//! Signed tokens as they are sent: the compact serialization of RFC 7515 section 3.1, read once and
//! strictly, whether the signature is verified here or was verified by a gateway.

use crate::claim_path::Claims;
use crate::error::InvalidToken;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::canonical;
use serde_json::{Map, Value};

/// The longest token that is looked at, in bytes.
pub(crate) const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The media types of a token for a service, without `application/` (RFC 7519 section 5.1, RFC 9068
/// section 2.1).
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// A token that has been read. Nothing is known of its signature yet.
#[derive(Debug)]
pub struct Token<'a> {
    header: Map<String, Value>,
    /// What it claims.
    pub claims: Claims,
    signed: &'a str,
    signature: &'a str,
}

impl<'a> Token<'a> {
    /// Reads a token.
    ///
    /// # Errors
    /// What is too long, is no token, or could be read in two ways: a member that stands twice could mean
    /// one thing to a gateway and another here. A header parameter that must be understood, as none is
    /// (RFC 7515 section 4.1.11).
    pub fn read(token: &'a str) -> Result<Self, InvalidToken> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(InvalidToken::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(InvalidToken::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(InvalidToken::Malformed)?;
        let read = Self { header: object(header)?, claims: object(payload)?, signed, signature };
        if read.header.contains_key("crit") {
            return Err(InvalidToken::CriticalHeader);
        }
        Ok(read)
    }

    /// The text of a header parameter; `None` if there is none of that name.
    ///
    /// # Errors
    /// [`InvalidToken::Malformed`] when it is not a text.
    pub fn header(&self, name: &str) -> Result<Option<&str>, InvalidToken> {
        self.header.get(name).map(|value| value.as_str().ok_or(InvalidToken::Malformed)).transpose()
    }

    /// Whether it says that it is a token for a service, or does not say what it is. A document of another
    /// kind by the same signer is not one (RFC 8725 section 3.11).
    ///
    /// # Errors
    /// As for [`Self::header`].
    pub fn has_token_type(&self) -> Result<bool, InvalidToken> {
        let Some(media_type) = self.header("typ")? else { return Ok(true) };
        let media_type = media_type.to_ascii_lowercase();
        Ok(TYPES.contains(&media_type.strip_prefix("application/").unwrap_or(&media_type)))
    }

    /// What is signed.
    pub fn signed(&self) -> &'a str {
        self.signed
    }

    /// The signature, in base64url.
    pub fn signature(&self) -> &'a str {
        self.signature
    }
}

/// What a token claims whose signature is verified elsewhere.
///
/// # Errors
/// As for [`Token::read`].
pub fn claims(token: &str) -> Result<Claims, InvalidToken> {
    Token::read(token).map(|token| token.claims)
}

fn object(part: &str) -> Result<Map<String, Value>, InvalidToken> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| InvalidToken::Malformed)?;
    match canonical::read_foreign(&bytes) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) | Err(_) => Err(InvalidToken::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn token(header: &str, payload: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["", ".", "..", "a.b", "e30.e30", "e30.e30.c2ln.x", "e30.!!!.x", "e30.W10.x", "W10.e30.x"]
        {
            assert_eq!(Token::read(text).unwrap_err(), InvalidToken::Malformed, "{text}");
        }
        let long = format!("e30.{}.x", "A".repeat(MAX_TOKEN_BYTES));
        assert_eq!(Token::read(&long).unwrap_err(), InvalidToken::TooLong);
    }

    /// THREATS 68.
    #[test]
    fn threat_68_a_member_that_stands_twice_is_refused_in_header_and_claims() {
        for (header, payload) in [
            (r#"{"alg":"RS256","alg":"none"}"#, "{}"),
            ("{}", r#"{"email":"a@example.com","email":"b@example.com"}"#),
            ("{}", r#"{"email":"a@example.com","\u0065mail":"b@example.com"}"#),
            ("{}", r#"{"realm_access":{"roles":[],"roles":["admin"]}}"#),
        ] {
            let error = Token::read(&token(header, payload)).unwrap_err();
            assert_eq!(error, InvalidToken::Malformed, "{header} {payload}");
        }
    }

    #[test]
    fn threat_68_numbers_of_another_system_are_taken_as_they_are() {
        let text =
            token("{}", r#"{"uid":18446744073709551615,"big":1e30,"neg":-9223372036854775808,"half":0.5}"#);
        let token = Token::read(&text).unwrap();
        assert_eq!(token.claims["uid"], json!(18_446_744_073_709_551_615_u64));
    }

    #[test]
    fn threat_68_a_parameter_that_must_be_understood_is_refused() {
        for header in
            [r#"{"crit":["b64"],"b64":false}"#, r#"{"crit":["x"]}"#, r#"{"crit":[]}"#, r#"{"crit":null}"#]
        {
            assert_eq!(
                Token::read(&token(header, "{}")).unwrap_err(),
                InvalidToken::CriticalHeader,
                "{header}"
            );
        }
    }

    #[test]
    fn a_media_type_is_read_without_regard_to_case() {
        let is_token = |typ: &str| {
            let text = token(&json!({ "typ": typ }).to_string(), "{}");
            Token::read(&text).unwrap().has_token_type().unwrap()
        };
        for typ in
            ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+JWT", "application/jwt"]
        {
            assert!(is_token(typ), "{typ}");
        }
        for typ in
            ["", "secevent+jwt", "countersign-permit+jwt", "application/", "application/application/jwt"]
        {
            assert!(!is_token(typ), "{typ}");
        }
        assert!(Token::read("e30.e30.x").unwrap().has_token_type().unwrap());
    }
}
