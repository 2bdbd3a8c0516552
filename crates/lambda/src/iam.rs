//! Calls that are signed (AWS Signature Version 4): the gateway has verified the signature and says which user or
//! role of AWS has made it. Whom that stands for is known to the people of the policy.

use crate::environment::{Environment, InvalidVariable};
use crate::invocation::{HttpEvent, Iam};
use countersign_api::problem::Problem;
use countersign_core::arn::SignerArn;
use countersign_core::caller::Caller;
use countersign_core::policy::people::People;

/// Whether signed calls are taken.
///
/// INVARIANT: of a signed call nothing is left in the event that this function could verify, so that who may invoke
/// it could say that any listed role has signed. It is off unless the deployment has the API that verifies
/// signatures.
#[derive(Debug, Clone, Copy)]
pub struct IamAccess {
    is_on: bool,
}

impl IamAccess {
    /// From `IAM_CALLERS` (false).
    ///
    /// # Errors
    /// A switch that is neither on nor off.
    pub fn read(environment: &Environment) -> Result<Self, InvalidVariable> {
        Ok(Self { is_on: environment.switch("IAM_CALLERS")? })
    }

    /// For whom the signer of a call has signed. Nothing of the body is looked at.
    ///
    /// # Errors
    /// 401 for what is no signer, with the reason for the log; 403 for one who stands for no caller.
    pub fn caller(&self, iam: &Iam, event: &HttpEvent, people: &People) -> Result<Caller, Problem> {
        if !self.is_on {
            return Err(refused("IAM_CALLERS is off, and the call is signed"));
        }
        // A bearer of a token who signs as well is two callers. The signature's own scheme is `AWS4-HMAC-SHA256`.
        let is_bearer = |header: &&str| header.trim_start().get(..6).is_some_and(is_bearer_scheme);
        if event.header("authorization").iter().any(is_bearer) {
            return Err(refused("the call is signed, and has a bearer token"));
        }
        // A pool may take guests, who have proven nothing; whom its role stands for is not known from its ARN.
        if iam.cognito_identity.is_some() {
            return Err(refused("the signer is of a Cognito identity pool"));
        }
        let signer = SignerArn::parse(&iam.user_arn).map_err(|error| refused(format!("userArn {error}")))?;
        if signer.account() != iam.account_id {
            return Err(refused("userArn is of another account than accountId"));
        }
        let caller = people.caller(&signer, &iam.user_id)?;
        Ok(Caller { source_ip: Some(event.source_ip()), ..caller })
    }
}

/// What is no signer. The cause is for the log.
fn refused(cause: impl Into<String>) -> Problem {
    let detail = "sign as a user of IAM or in a session of a role, without a bearer token".to_owned();
    Problem { detail, ..Problem::unauthenticated(cause) }
}

fn is_bearer_scheme(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("bearer")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::{self, Invocation};
    use countersign_api::problem::Code;
    use serde_json::{Value, json};

    const PEOPLE: &str = "groups = [\"developer\"]\n[services.pipeline]\nowner = \"erin@example.com\"\n\
        groups = [\"developer\"]\narns = [\"arn:aws:iam::123456789012:role/deploy\"]\n";
    const SESSION: &str = "arn:aws:sts::123456789012:assumed-role/deploy/robot";

    fn signed(change: impl FnOnce(&mut Value)) -> Result<Caller, Problem> {
        let mut event = json!({"version": "2.0", "routeKey": "GET /v1/approvals", "rawPath": "/v1/approvals",
            "headers": {"authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260115/eu-central-1/execute-api/\
            aws4_request, SignedHeaders=host, Signature=00", "x-amz-date": "20260115T093100Z"},
            "requestContext": {"http": {"sourceIp": "203.0.113.24"}, "authorizer": {"iam": {
                "accessKey": "ASIAEXAMPLE", "accountId": "123456789012", "callerId": "AROAEXAMPLE:robot",
                "cognitoIdentity": null, "principalOrgId": "o-example", "userArn": SESSION,
                "userId": "AROAEXAMPLE:robot"}}}});
        change(&mut event);
        let Ok(Invocation::Gateway(event)) = invocation::read(&event.to_string()) else { panic!("{event}") };
        let access = IamAccess::read(&Environment::of([("IAM_CALLERS", "true")])).unwrap();
        let people = People::parse(PEOPLE).unwrap();
        access.caller(event.iam().unwrap(), &event, &people)
    }

    #[test]
    fn the_signer_of_a_call_is_whom_the_role_stands_for() {
        let pipeline = signed(|_| {}).unwrap();
        assert_eq!(pipeline.person.as_str(), "service:pipeline");
        assert_eq!(pipeline.source_ip, "203.0.113.24".parse().ok());
        assert_eq!(pipeline.authentication.unwrap().subject, SESSION);
    }

    #[test]
    fn doubt_about_the_signer_is_nobody() {
        for (authorizer, value) in [
            (
                "cognitoIdentity",
                json!({"amr": ["unauthenticated"], "identityId": "x", "identityPoolId": "y"}),
            ),
            ("cognitoIdentity", json!("x")),
            ("accountId", json!("210987654321")),
            ("accountId", json!("")),
            ("userArn", json!("arn:aws:iam::123456789012:root")),
            ("userArn", json!("arn:aws:iam::123456789012:role/deploy")),
            ("userArn", json!("arn:aws:sts::123456789012:assumed-role/deploy/robot/x")),
            ("userArn", json!("arn:aws:sts::123456789012:federated-user/deploy")),
            ("userArn", json!("")),
        ] {
            let refused =
                signed(|event| event["requestContext"]["authorizer"]["iam"][authorizer] = value.clone());
            assert_eq!(refused.unwrap_err().code, Code::Unauthenticated, "{authorizer} {value}");
        }
        for header in ["Bearer e30.e30.e30", "bearer x", " BEARER x", "Bearer"] {
            let refused = signed(|event| event["headers"]["Authorization"] = json!(header));
            assert_eq!(refused.unwrap_err().code, Code::Unauthenticated, "{header}");
        }
        let other = "arn:aws:sts::123456789012:assumed-role/deploy2/robot";
        let refused = signed(|event| event["requestContext"]["authorizer"]["iam"]["userArn"] = json!(other));
        let refused = refused.unwrap_err();
        assert_eq!(refused.code, Code::NotPermitted);
        assert!(refused.detail.contains("arn:aws:iam::123456789012:role/deploy2"), "{}", refused.detail);
    }

    #[test]
    fn signed_calls_are_taken_only_where_they_are_switched_on() {
        let read = |value: &'static str| IamAccess::read(&Environment::of([("IAM_CALLERS", value)]));
        assert!(read("true").unwrap().is_on);
        for off in ["", "false"] {
            assert!(!read(off).unwrap().is_on);
        }
        assert!(read("yes").is_err(), "a misspelt switch is an error");
    }
}
