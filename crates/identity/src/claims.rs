//! What the claims of a verified token say about who calls.

use crate::claim_path::{ClaimPath, Claims};
use countersign_core::caller::{Authentication, Caller, Channel, PrincipalKind};
use countersign_core::person::PersonId;
use countersign_core::timestamp::Timestamp;
use serde_json::Value;

/// Which claims are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// The claim with the e-mail.
    pub email: String,
    /// Where group names stand; all that are there count.
    pub groups: Vec<ClaimPath>,
    /// Whether the issuer vouches for every e-mail it names, so that `email_verified` is not asked.
    pub email_is_trusted: bool,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self {
            email: "email".to_owned(),
            groups: ["cognito:groups", "groups"].into_iter().flat_map(ClaimPath::parse).collect(),
            email_is_trusted: false,
        }
    }
}

/// Why the claims identify no caller. For the log; the values themselves are not in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClaims {
    /// The e-mail claim is no text, or no address that can be one person's only.
    #[error("the e-mail claim is not an e-mail address in ASCII")]
    Email,
    /// The issuer has not verified that the e-mail is the caller's.
    #[error("the e-mail is not verified")]
    UnverifiedEmail,
    /// There is neither an e-mail nor a usable subject.
    #[error("the token has neither an e-mail nor a usable subject")]
    Nobody,
    /// A group claim is neither a list of names nor one name.
    #[error("the groups claim is not a list of names")]
    Groups,
}

/// The actor that a verified token's claims describe.
///
/// With an e-mail, a person (or an agent, by group); without one, a service named by the subject.
///
/// # Errors
/// Claims that could mean more than one caller, or none.
pub fn actor(claims: &Claims, names: &ClaimNames, channel: Channel) -> Result<Caller, InvalidClaims> {
    let groups = groups(claims, names)?;
    let groups = groups.iter().map(String::as_str);
    let actor = match claims.get(&names.email) {
        Some(Value::String(email)) => {
            let person = PersonId::from_email(email).map_err(|_| InvalidClaims::Email)?;
            if !names.email_is_trusted && !is_verified(claims, names) {
                return Err(InvalidClaims::UnverifiedEmail);
            }
            Caller::new(person, PrincipalKind::Human, channel, groups)
        }
        Some(_) => return Err(InvalidClaims::Email),
        None => {
            let subject = client_subject(claims).ok_or(InvalidClaims::Nobody)?;
            let service = PersonId::service(subject).map_err(|_| InvalidClaims::Nobody)?;
            Caller::new(service, PrincipalKind::Service, channel, groups)
        }
    };
    Ok(Caller { authentication: authentication(claims), ..actor })
}

/// How the token proves its caller. A token without an issuer or a subject says nothing of it.
fn authentication(claims: &Claims) -> Option<Authentication> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let seconds = ["auth_time", "iat"].iter().filter_map(|name| claims.get(*name)).find_map(Value::as_i64);
    Some(Authentication {
        issuer: text("iss")?,
        subject: text("sub")?,
        at: seconds.map(|seconds| Timestamp::from_millisecond(seconds.saturating_mul(1000))),
    })
}

/// `true`, or the text `true`: some user pools write it so. It speaks of the claim `email` alone.
fn is_verified(claims: &Claims, names: &ClaimNames) -> bool {
    if names.email != "email" {
        return false;
    }
    match claims.get("email_verified") {
        Some(Value::Bool(verified)) => *verified,
        Some(Value::String(verified)) => verified == "true",
        Some(_) | None => false,
    }
}

/// The subject of a token that a client got for itself (RFC 9068 section 2.2: `sub` is then the
/// client). A person's access token without an e-mail is not one: taken for a service, it would
/// make one person two callers.
fn client_subject(claims: &Claims) -> Option<&str> {
    let subject = claims.get("sub").and_then(Value::as_str)?;
    let is_client =
        ["client_id", "azp"].iter().filter_map(|name| claims.get(*name)).any(|client| client == subject);
    let names_a_person = ["username", "cognito:username"].iter().any(|name| claims.contains_key(*name));
    (is_client && !names_a_person).then_some(subject)
}

fn groups(claims: &Claims, names: &ClaimNames) -> Result<Vec<String>, InvalidClaims> {
    let mut groups = Vec::new();
    for path in &names.groups {
        match path.find(claims).map_err(|_| InvalidClaims::Groups)? {
            None => {}
            Some(Value::String(group)) => groups.push(group.clone()),
            Some(Value::Array(listed)) => {
                for group in listed {
                    groups.push(group.as_str().ok_or(InvalidClaims::Groups)?.to_owned());
                }
            }
            Some(_) => return Err(InvalidClaims::Groups),
        }
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(claims: &Value) -> Result<Caller, InvalidClaims> {
        actor(claims.as_object().unwrap(), &ClaimNames::default(), Channel::Local)
    }

    #[test]
    fn an_email_is_a_person_and_a_group_can_make_it_an_agent() {
        let ann =
            check(&json!({"email": " Ann@Example.com", "email_verified": true, "groups": ["developer"]}))
                .unwrap();
        assert_eq!((ann.person.as_str(), ann.kind), ("ann@example.com", PrincipalKind::Human));
        let bot = check(&json!({"email": "bot@example.com", "email_verified": "true",
            "cognito:groups": ["agent"], "groups": "approver"}))
        .unwrap();
        assert_eq!(bot.kind, PrincipalKind::Agent);
        assert_eq!(bot.groups.len(), 2);
    }

    #[test]
    fn the_token_says_how_its_caller_was_proven() {
        let mut claims = json!({"email": "ann@example.com", "email_verified": true, "iss": "https://issuer.example",
            "sub": "7e1c", "iat": 1_767_225_600, "auth_time": 1_767_225_500});
        let at = |claims: &Value| {
            let authentication = check(claims).unwrap().authentication?;
            assert_eq!(authentication.issuer, "https://issuer.example");
            assert_eq!(authentication.subject, "7e1c");
            authentication.at.map(|at| at.to_string())
        };
        assert_eq!(at(&claims).as_deref(), Some("2025-12-31T23:58:20.000Z"));
        claims["auth_time"] = json!("then");
        assert_eq!(at(&claims).as_deref(), Some("2026-01-01T00:00:00.000Z"));
        claims["iat"] = json!(null);
        assert_eq!(at(&claims), None);
        claims["sub"] = json!(7);
        assert_eq!(check(&claims).unwrap().authentication, None);
    }

    #[test]
    fn email_verified_speaks_of_the_claim_email_alone() {
        let names = ClaimNames { email: "upn".to_owned(), ..ClaimNames::default() };
        let claims = json!({"upn": "boss@example.com", "email_verified": true});
        let claims = claims.as_object().unwrap();
        assert_eq!(actor(claims, &names, Channel::Local), Err(InvalidClaims::UnverifiedEmail));
        let names = ClaimNames { email_is_trusted: true, ..names };
        assert!(actor(claims, &names, Channel::Local).is_ok());
    }

    #[test]
    fn groups_can_stand_in_an_object() {
        let path = |text| ClaimPath::parse(text).unwrap();
        let names =
            ClaimNames { groups: vec![path("realm_access.roles"), path("groups")], ..ClaimNames::default() };
        let check = |claims: Value| {
            let mut claims = claims.as_object().unwrap().clone();
            claims.insert("email".to_owned(), json!("ann@example.com"));
            claims.insert("email_verified".to_owned(), json!(true));
            let actor = actor(&claims, &names, Channel::Local)?;
            Ok(actor.groups.iter().map(|group| group.as_str().to_owned()).collect::<Vec<_>>())
        };
        let both = json!({"realm_access": {"roles": ["approver"], "x": 1}, "groups": "developer"});
        assert_eq!(check(both), Ok(vec!["approver".to_owned(), "developer".to_owned()]));
        assert_eq!(check(json!({"realm_access": {}})), Ok(vec![]));
        for odd in [json!("approver"), json!(["approver"]), json!({"roles": {"approver": true}})] {
            assert_eq!(check(json!({"realm_access": odd})), Err(InvalidClaims::Groups), "{odd}");
        }
    }

    #[test]
    fn without_an_email_it_is_a_service() {
        let service =
            check(&json!({"sub": "deployer", "client_id": "deployer", "groups": ["approver"]})).unwrap();
        assert_eq!((service.person.as_str(), service.kind), ("service:deployer", PrincipalKind::Service));
    }

    #[test]
    fn doubt_identifies_no_caller() {
        for (claims, error) in [
            (json!({"email": "ann@example.com"}), InvalidClaims::UnverifiedEmail),
            (json!({"email": "ann@example.com", "email_verified": false}), InvalidClaims::UnverifiedEmail),
            (json!({"email": "ann@example.com", "email_verified": 1}), InvalidClaims::UnverifiedEmail),
            (json!({"email": "аnn@example.com", "email_verified": true}), InvalidClaims::Email),
            (json!({"email": null, "sub": "x", "email_verified": true}), InvalidClaims::Email),
            (json!({"email": ["ann@example.com"], "email_verified": true}), InvalidClaims::Email),
            (json!({}), InvalidClaims::Nobody),
            (json!({"sub": "", "azp": ""}), InvalidClaims::Nobody),
            (json!({"sub": "a b", "azp": "a b"}), InvalidClaims::Nobody),
            // An access token of a person, who has an e-mail elsewhere.
            (json!({"sub": "7e1c", "client_id": "app", "username": "ann"}), InvalidClaims::Nobody),
            (json!({"sub": "7e1c", "azp": "app"}), InvalidClaims::Nobody),
            (json!({"sub": "7e1c"}), InvalidClaims::Nobody),
            (json!({"sub": "x", "client_id": "x", "username": "x"}), InvalidClaims::Nobody),
            (json!({"sub": "x", "groups": {"admin": true}}), InvalidClaims::Groups),
            (json!({"sub": "x", "groups": [["admin"]]}), InvalidClaims::Groups),
        ] {
            assert_eq!(check(&claims), Err(error), "{claims}");
        }
    }
}
