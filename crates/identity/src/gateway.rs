//! Tokens that API Gateway's JWT authorizer has verified.
//!
//! The gateway hands over the claims it found, but with every list flattened to a text such as
//! `[a b]`, in which a group called `a b` and two groups look the same. So the claims are read from
//! the token itself, and the gateway's are what they are checked against: a token that the gateway
//! has not seen identifies no caller.

use crate::claim_path::ClaimPath;
use crate::claim_path::Claims;
use crate::claims::{self, ClaimNames};
use crate::error::InvalidToken;
use crate::jws::Token;
use crate::token::{ISSUER_LEEWAY_MILLISECONDS, check_issuer, check_times, is_for};
use countersign_core::caller::Caller;
use countersign_core::caller::Channel;
use countersign_core::timestamp::Timestamp;
use serde_json::Value;

/// What is expected of a token that the gateway has verified.
#[derive(Debug, Clone, Default)]
pub struct Gateway {
    /// The one issuer, if it is known here; the authorizer has its own opinion.
    pub issuer: Option<String>,
    /// The audiences, likewise; none are compared if there are none.
    pub audiences: Vec<String>,
    /// Which claims are read.
    pub claim_names: ClaimNames,
}

/// The claims that are read besides e-mail and groups: who calls, and what the token is good for.
const READ: [&str; 10] =
    ["sub", "iss", "aud", "client_id", "azp", "username", "cognito:username", "email_verified", "exp", "nbf"];

impl Gateway {
    /// Who the bearer of a token is at `now`. `described` is what the gateway says of the token.
    ///
    /// # Errors
    /// The first reason to refuse it.
    pub fn verify(&self, token: &str, described: &Claims, now: Timestamp) -> Result<Caller, InvalidToken> {
        let Token { claims, .. } = Token::read(token)?;
        self.compare(&claims, described)?;
        if let Some(issuer) = &self.issuer {
            check_issuer(&claims, issuer)?;
        }
        if !self.audiences.is_empty() && !is_for(&claims, &self.audiences) {
            return Err(InvalidToken::Audience);
        }
        check_times(&claims, now, ISSUER_LEEWAY_MILLISECONDS)?;
        Ok(claims::actor(&claims, &self.claim_names, Channel::Api)?)
    }

    /// Whether the gateway has described this token, as far as it is read here.
    ///
    /// # Errors
    /// [`InvalidToken::NotDescribed`] if it has not.
    pub fn describes(&self, token: &str, described: &Claims) -> Result<(), InvalidToken> {
        self.compare(&Token::read(token)?.claims, described)
    }

    /// Each claim that is read stands in the token and in the gateway's claims, or in neither, and says
    /// the same. What the gateway makes of any other claim is of no account.
    fn compare(&self, claims: &Claims, described: &Claims) -> Result<(), InvalidToken> {
        let groups = self.claim_names.groups.iter().flat_map(ClaimPath::claims);
        let mut read = READ.into_iter().chain([self.claim_names.email.as_str()]).chain(groups);
        let says_the_same = |name: &str| match (claims.get(name), described.get(name)) {
            (Some(claim), Some(described)) => is_flattened(claim, described),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if described.is_empty() || !read.all(says_the_same) {
            return Err(InvalidToken::NotDescribed);
        }
        Ok(())
    }
}

/// Whether `described` is what the gateway makes of a claim. Numbers are compared as numbers: it may
/// write them with an exponent. What it makes of an object, of a list of anything but texts, and of
/// `null` is not documented, so that it has named the claim is all that can be asked.
fn is_flattened(claim: &Value, described: &Value) -> bool {
    let is = |text: &str| described == text;
    match claim {
        Value::String(string) => is(string),
        Value::Bool(bool) => is(if *bool { "true" } else { "false" }),
        Value::Number(number) => {
            let described = described.as_str().and_then(|text| text.parse::<f64>().ok());
            described.is_some_and(|described| number.as_f64() == Some(described))
        }
        Value::Array(elements) => {
            let texts: Option<Vec<_>> = elements.iter().map(Value::as_str).collect();
            texts.is_none_or(|texts| is(&format!("[{}]", texts.join(" "))))
        }
        Value::Null | Value::Object(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use countersign_core::caller::PrincipalKind;
    use serde_json::json;

    fn now() -> Timestamp {
        Timestamp::parse("2026-01-01T00:00:00Z").unwrap()
    }

    fn token(claims: &Value) -> String {
        format!("e30.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    fn good() -> Value {
        json!({"iss": "https://issuer.example", "aud": "countersign", "sub": "7e1c",
            "email": "Ann@example.com", "email_verified": true, "groups": ["developer", "approver"],
            "exp": now().as_millisecond() / 1000 + 60, "address": {"country": "IS"}})
    }

    fn described() -> Value {
        json!({"iss": "https://issuer.example", "aud": "countersign", "sub": "7e1c",
            "email": "Ann@example.com", "email_verified": "true", "groups": "[developer approver]",
            "exp": (now().as_millisecond() / 1000 + 60).to_string(), "address": "map[country:IS]"})
    }

    fn check(claims: &Value, described: &Value) -> Result<Caller, InvalidToken> {
        let gateway = Gateway {
            issuer: Some("https://issuer.example".to_owned()),
            audiences: vec!["countersign".to_owned()],
            ..Gateway::default()
        };
        gateway.verify(&token(claims), described.as_object().unwrap(), now())
    }

    #[test]
    fn the_token_that_the_gateway_describes_names_the_caller() {
        let ann = check(&good(), &described()).unwrap();
        assert_eq!(
            (ann.person.as_str(), ann.kind, ann.channel),
            ("ann@example.com", PrincipalKind::Human, Channel::Api)
        );
        assert!(ann.groups.contains("approver") && ann.groups.len() == 2);
        let mut exponent = described();
        exponent["exp"] = json!("1.76722566e9");
        assert!(check(&good(), &exponent).is_ok(), "the gateway may write numbers so");
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
        for (groups, expected) in [
            (vec![path("groups")], vec!["approver", "developer"]),
            (vec![path("realm_access.roles"), path("groups")], vec!["approver", "auditor", "developer"]),
        ] {
            let gateway = Gateway { claim_names: names(groups), ..Gateway::default() };
            for form in [GO, JSON] {
                let described: Value = serde_json::from_str(form).unwrap();
                let described = described.as_object().unwrap();
                let ann = gateway.verify(&token, described, now()).unwrap();
                assert_eq!(
                    ann.groups.iter().map(|group| group.as_str()).collect::<Vec<_>>(),
                    expected,
                    "{form}"
                );
                for (name, wrong) in [
                    ("groups", "[developer approver admin]"),
                    ("aud", "[other]"),
                    ("sub", "7e1d"),
                    ("nbf", "1767225600"),
                ] {
                    let mut odd = described.clone();
                    odd.insert(name.to_owned(), json!(wrong));
                    assert_eq!(
                        gateway.verify(&token, &odd, now()),
                        Err(InvalidToken::NotDescribed),
                        "{name}"
                    );
                }
            }
        }
        // The claim that a path begins at is read: it stands in both.
        let gateway = Gateway { claim_names: names(vec![path("realm_access.roles")]), ..Gateway::default() };
        let mut less: Value = serde_json::from_str(GO).unwrap();
        less.as_object_mut().unwrap().remove("realm_access");
        let less = less.as_object().unwrap();
        assert_eq!(gateway.verify(&token, less, now()), Err(InvalidToken::NotDescribed));
    }

    #[test]
    fn a_group_with_a_space_is_not_two_groups() {
        let mut claims = good();
        claims["groups"] = json!(["developer approver"]);
        let actor = check(&claims, &described()).unwrap();
        assert!(!actor.groups.contains("approver"), "the token itself says what the groups are");
    }

    #[test]
    fn what_the_gateway_should_not_have_let_through_is_refused() {
        let mut both = [good(), described()];
        for claims in &mut both {
            claims["iss"] = json!("https://other.example");
        }
        assert_eq!(check(&both[0], &both[1]), Err(InvalidToken::Issuer));
        let mut both = [good(), described()];
        for claims in &mut both {
            claims["aud"] = json!("other");
        }
        assert_eq!(check(&both[0], &both[1]), Err(InvalidToken::Audience));
        let (mut late, mut described_late) = (good(), described());
        late["exp"] = json!(1_000);
        described_late["exp"] = json!("1000");
        assert_eq!(check(&late, &described_late), Err(InvalidToken::Expired));
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
