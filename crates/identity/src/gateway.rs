//! What a gateway says of a token that its authorizer has verified.
//!
//! A gateway hands over the claims it found, each as a text. They identify no caller: a caller is known by the token, whose
//! signature is verified here as well. They are what the token is compared with, so that a caller whom the gateway has
//! let through for one token is not taken for the bearer of another.

use crate::claim_path::ClaimPath;
use crate::claim_path::Claims;
use crate::claims::ClaimNames;
use crate::error::InvalidToken;
use crate::jws::Token;
use serde_json::Value;

/// The authorizer that speaks: each writes claims in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorizer {
    /// The JWT authorizer of an HTTP API: a list of texts becomes `[a b]`, a number stays one.
    Jwt,
    /// The Amazon Cognito authorizer of a REST API: a list of texts becomes `a,b`, a time a date in words. None of it
    /// is documented.
    Cognito,
}

/// The claims that are read besides e-mail and groups: who calls, and what the token is good for.
const READ: [&str; 10] =
    ["sub", "iss", "aud", "client_id", "azp", "username", "cognito:username", "email_verified", "exp", "nbf"];

/// Whether the gateway has described this token: each claim that is read stands in the token and in the gateway's
/// claims, or in neither, and says the same. What the gateway makes of any other claim is of no account.
///
/// # Errors
/// [`InvalidToken::NotDescribed`] if it has not.
pub fn check_described(
    token: &str,
    authorizer: Authorizer,
    described: &Claims,
    names: &ClaimNames,
) -> Result<(), InvalidToken> {
    let claims = Token::read(token)?.claims;
    let groups = names.groups.iter().flat_map(ClaimPath::claims);
    let mut read = READ.into_iter().chain([names.email.as_str()]).chain(groups);
    let says_the_same = |name: &str| match (claims.get(name), described.get(name)) {
        (Some(claim), Some(described)) => authorizer.describes(claim, described),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    if described.is_empty() || !read.all(says_the_same) {
        return Err(InvalidToken::NotDescribed);
    }
    Ok(())
}

impl Authorizer {
    /// Whether `described` is what the authorizer makes of a claim. Where that is not documented (an object, a list of
    /// anything but texts, `null`), that it has named the claim is all that can be asked.
    fn describes(self, claim: &Value, described: &Value) -> bool {
        let is = |text: &str| described == text;
        match (self, claim) {
            (_, Value::String(string)) => is(string),
            (_, Value::Bool(bool)) => is(if *bool { "true" } else { "false" }),
            // It may be written with an exponent.
            (Self::Jwt, Value::Number(number)) => {
                let described = described.as_str().and_then(|text| text.parse::<f64>().ok());
                described.is_some_and(|described| number.as_f64() == Some(described))
            }
            (Self::Jwt, Value::Array(elements)) => {
                let texts: Option<Vec<_>> = elements.iter().map(Value::as_str).collect();
                texts.is_none_or(|texts| is(&format!("[{}]", texts.join(" "))))
            }
            (Self::Cognito, Value::Number(_) | Value::Array(_)) | (_, Value::Null | Value::Object(_)) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    fn token(claims: &Value) -> String {
        format!("e30.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    fn good() -> Value {
        json!({"iss": "https://issuer.example", "aud": "countersign", "sub": "7e1c",
            "email": "Ann@example.com", "email_verified": true, "groups": ["developer", "approver"],
            "exp": 1_767_225_660, "address": {"country": "IS"}})
    }

    fn described() -> Value {
        json!({"iss": "https://issuer.example", "aud": "countersign", "sub": "7e1c",
            "email": "Ann@example.com", "email_verified": "true", "groups": "[developer approver]",
            "exp": "1767225660", "address": "map[country:IS]"})
    }

    fn check(claims: &Value, described: &Value) -> Result<(), InvalidToken> {
        let described = described.as_object().unwrap();
        check_described(&token(claims), Authorizer::Jwt, described, &ClaimNames::default())
    }

    #[test]
    fn the_token_that_the_gateway_describes_is_the_one() {
        assert_eq!(check(&good(), &described()), Ok(()));
        let mut exponent = described();
        exponent["exp"] = json!("1.76722566e9");
        assert_eq!(check(&good(), &exponent), Ok(()), "the gateway may write numbers so");
    }

    /// As it was seen in events of REST APIs with this authorizer.
    #[test]
    fn the_authorizer_of_a_rest_api_writes_lists_and_times_in_its_own_way() {
        let mut rest = described();
        rest["groups"] = json!("developer,approver");
        rest["exp"] = json!("Thu Jan 01 00:01:00 UTC 2026");
        let check = |described: &Value| {
            let described = described.as_object().unwrap();
            check_described(&token(&good()), Authorizer::Cognito, described, &ClaimNames::default())
        };
        assert_eq!(check(&rest), Ok(()));
        for (name, wrong) in [
            ("email", "eve@example.com"),
            ("sub", "7e1d"),
            ("aud", "x"),
            ("email_verified", "false"),
            ("nbf", "x"),
        ] {
            let mut odd = rest.clone();
            odd[name] = json!(wrong);
            assert_eq!(check(&odd), Err(InvalidToken::NotDescribed), "{name}");
        }
        rest.as_object_mut().unwrap().remove("groups");
        assert_eq!(check(&rest), Err(InvalidToken::NotDescribed), "it has named no groups");
    }

    #[test]
    fn a_token_that_the_gateway_has_not_seen_is_refused() {
        for (name, value) in [
            ("email", json!("boss@example.com")),
            ("email", json!(["Ann@example.com"])),
            ("groups", json!(["developer", "approver", "admin"])),
            ("groups", json!(["developer approver admin"])),
            ("groups", json!([])),
            ("sub", json!("7e1d")),
            ("email_verified", json!(false)),
            ("email_verified", json!("yes")),
            ("exp", json!(4_000_000_000_u64)),
            ("aud", json!(["countersign", "other"])),
            ("iss", json!("https://other.example")),
            ("client_id", json!("7e1c")),
            ("cognito:groups", json!(["admin"])),
        ] {
            let mut claims = good();
            claims[name] = value;
            assert_eq!(check(&claims, &described()), Err(InvalidToken::NotDescribed), "{name}");
        }
        for name in ["email", "groups", "sub", "email_verified", "exp", "aud", "iss"] {
            let mut claims = good();
            claims.as_object_mut().unwrap().remove(name);
            assert_eq!(check(&claims, &described()), Err(InvalidToken::NotDescribed), "{name} gone");
            let mut less = described();
            less.as_object_mut().unwrap().remove(name);
            assert_eq!(check(&good(), &less), Err(InvalidToken::NotDescribed), "{name} not described");
        }
        assert_eq!(check(&good(), &json!({})), Err(InvalidToken::NotDescribed));
    }

    /// THREATS 64. What two gateways make of one payload, written down: nothing here computes it.
    #[test]
    fn threat_64_a_claim_that_is_not_read_may_be_described_in_any_form() {
        const PAYLOAD: &str = r#"{"iss":"https://issuer.example","aud":["other","countersign"],"sub":"7e1c",
            "email":"Ann@example.com","email_verified":true,"exp":1767225660,"iat":1767225600.5,
            "groups":["developer","approver"],"realm_access":{"roles":["auditor"],"more":{"b":1,"a":null}},
            "identities":[{"userId":"1","primary":true,"dateCreated":1620000000000}],"amr":["pwd",2,null],
            "address":{"street":"1 Main St","country":"IS"},"phone_number":null}"#;
        const GO: &str = r#"{"iss":"https://issuer.example","aud":"[other countersign]","sub":"7e1c",
            "email":"Ann@example.com","email_verified":"true","exp":"1.76722566e+09","iat":"1.7672256005e+09",
            "groups":"[developer approver]","realm_access":"map[more:map[a:<nil> b:1] roles:[auditor]]",
            "identities":"[map[dateCreated:1.62e+12 primary:true userId:1]]","amr":"[pwd 2 <nil>]",
            "address":"map[country:IS street:1 Main St]","phone_number":"<nil>"}"#;
        const JSON: &str = r#"{"iss":"https://issuer.example","aud":"[other countersign]","sub":"7e1c",
            "email":"Ann@example.com","email_verified":"true","exp":"1767225660","iat":"1767225600",
            "groups":"[developer approver]","realm_access":"{\"more\":{\"a\":null,\"b\":1},\"roles\":[\"auditor\"]}",
            "identities":"[{\"dateCreated\":1620000000000,\"primary\":true,\"userId\":\"1\"}]","amr":"[\"pwd\",2,null]",
            "address":"{\"country\": \"IS\", \"street\": \"1 Main St\"}"}"#;
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(PAYLOAD));
        let path = |text| ClaimPath::parse(text).unwrap();
        let names = |groups| ClaimNames { groups, ..ClaimNames::default() };
        for groups in [vec![path("groups")], vec![path("realm_access.roles"), path("groups")]] {
            let names = names(groups);
            for form in [GO, JSON] {
                let described: Value = serde_json::from_str(form).unwrap();
                let described = described.as_object().unwrap();
                let check = |described: &Claims| check_described(&token, Authorizer::Jwt, described, &names);
                assert_eq!(check(described), Ok(()), "{form}");
                for (name, wrong) in [
                    ("groups", "[developer approver admin]"),
                    ("aud", "[other]"),
                    ("sub", "7e1d"),
                    ("nbf", "1767225600"),
                ] {
                    let mut odd = described.clone();
                    odd.insert(name.to_owned(), json!(wrong));
                    assert_eq!(check(&odd), Err(InvalidToken::NotDescribed), "{name}");
                }
            }
        }
        // The claim that a path begins at is read: it stands in both.
        let names = names(vec![path("realm_access.roles")]);
        let mut less: Value = serde_json::from_str(GO).unwrap();
        less.as_object_mut().unwrap().remove("realm_access");
        let less = less.as_object().unwrap();
        let checked = check_described(&token, Authorizer::Jwt, less, &names);
        assert_eq!(checked, Err(InvalidToken::NotDescribed));
    }

    #[test]
    fn one_bearer_token_and_no_other_header_counts() {
        use crate::token::bearer;
        assert_eq!(bearer(&["Bearer abc"]), Ok("abc"));
        assert_eq!(bearer(&["bearer  abc "]), Ok("abc"));
        for headers in [&[][..], &["abc"], &["Basic abc"], &["Bearer a", "Bearer b"], &[""]] {
            assert!(bearer(headers).is_err(), "{headers:?}");
        }
    }
}
