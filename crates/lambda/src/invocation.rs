//! What a function is invoked with: an event of an HTTP API, or the payload of a direct invoker.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_api::operation::Operation;
use countersign_core::source_address::SourceAddress;
use countersign_identity::claim_path::Claims;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// A payload of an operation of the API.
#[derive(Debug)]
pub enum Invocation {
    /// An event of API Gateway.
    Gateway(Box<HttpEvent>),
    /// Anything else: the operation's own fields.
    Direct(Vec<u8>),
}

/// The payload has `requestContext` and is no event of an HTTP API in format 2.0: an authorizer,
/// an identity or a body would be looked for where it is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an event with requestContext must be one of an HTTP API in payload format 2.0: {0}")]
pub struct UnsupportedEvent(String);

/// What is read of an HTTP API's event
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpEvent {
    version: String,
    route_key: String,
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    path_parameters: Option<BTreeMap<String, String>>,
    request_context: RequestContext,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Debug, Clone, Deserialize)]
struct RequestContext {
    #[serde(default)]
    authorizer: Option<Authorizer>,
    #[serde(default)]
    http: Option<Http>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    #[serde(default)]
    source_ip: Option<String>,
}

/// Who the gateway's authorizer has found: the bearer of a token or the signer of the call, and never both.
#[derive(Debug, Clone, Deserialize)]
struct Authorizer {
    #[serde(default)]
    jwt: Option<Jwt>,
    #[serde(default)]
    iam: Option<Iam>,
}

#[derive(Debug, Clone, Deserialize)]
struct Jwt {
    #[serde(default)]
    claims: Option<Claims>,
}

/// Who has signed the call, as the gateway has verified.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Iam {
    /// The ARN of the user or of the role's session.
    pub user_arn: String,
    /// The account of the user or role.
    pub account_id: String,
    /// The identity of Amazon Cognito's pool that has got the role's credentials, if one has.
    #[serde(default)]
    pub cognito_identity: Option<IgnoredAny>,
}

/// Only whether it is there.
#[derive(Deserialize)]
struct Marked {
    #[serde(rename = "requestContext")]
    request_context: Option<IgnoredAny>,
}

/// Tells the two kinds of payload apart.
///
/// # Errors
/// For events of other gateways and formats.
pub fn read(payload: &str) -> Result<Invocation, UnsupportedEvent> {
    // What cannot be read even for this is no event; as a direct payload it is refused in detail.
    let is_event =
        serde_json::from_str::<Marked>(payload).is_ok_and(|marked| marked.request_context.is_some());
    if !is_event {
        return Ok(Invocation::Direct(payload.as_bytes().to_vec()));
    }
    let unsupported = |reason: &str| UnsupportedEvent(reason.to_owned());
    let event: HttpEvent = serde_json::from_str(payload).map_err(|error| {
        // Its text may quote the payload: the message has only the position.
        unsupported(&format!("cannot be read at line {}, column {}", error.line(), error.column()))
    })?;
    if event.version != "2.0" {
        return Err(unsupported("another version"));
    }
    if event.request_context.authorizer.as_ref().is_some_and(|it| it.jwt.is_some() && it.iam.is_some()) {
        return Err(unsupported("a route has one authorizer, and two have found a caller"));
    }
    Ok(Invocation::Gateway(Box::new(event)))
}

impl HttpEvent {
    /// Every value of a header. The gateway joins several with a comma, and spells names in lower
    /// case; others who speak its format may not.
    pub fn header(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The `{id}` of the path.
    pub fn path_id(&self) -> Option<&str> {
        self.path_parameters.as_ref().and_then(|parameters| parameters.get("id")).map(String::as_str)
    }

    /// Whether the gateway has taken it for one of these operations: its permission to call a function is for
    /// all routes, and a wrong integration would have another operation carried out than was asked for.
    ///
    /// # Errors
    /// When it is another operation's.
    pub fn check_route(&self, operations: &[Operation]) -> Result<(), UnsupportedEvent> {
        match operations.iter().any(|operation| self.route_key == operation.route_key()) {
            true => Ok(()),
            false => Err(UnsupportedEvent("its routeKey is that of another function".to_owned())),
        }
    }

    /// The path, with the stage before it if the API has one.
    pub fn path(&self) -> &str {
        &self.raw_path
    }

    /// The query string, without `?`.
    pub fn query(&self) -> &str {
        &self.raw_query_string
    }

    /// The body's bytes; what is said to be base64 and is not, is no JSON either.
    pub fn body(&self) -> Vec<u8> {
        let body = self.body.as_deref().unwrap_or_default().as_bytes();
        if self.is_base64_encoded { STANDARD.decode(body).unwrap_or(b"\xff".to_vec()) } else { body.to_vec() }
    }

    /// The address that the gateway was called from. Headers are not asked: anybody can send them.
    pub fn source_ip(&self) -> SourceAddress {
        let http = self.request_context.http.as_ref();
        let address = http.and_then(|http| http.source_ip.as_deref()?.parse().ok());
        address.unwrap_or(SourceAddress::Unknown)
    }

    /// Who has signed the call, if its route takes signed calls.
    pub fn iam(&self) -> Option<&Iam> {
        self.request_context.authorizer.as_ref()?.iam.as_ref()
    }

    /// The claims that the JWT authorizer has found, flattened to texts.
    pub fn claims(&self) -> Option<&Claims> {
        self.request_context.authorizer.as_ref()?.jwt.as_ref()?.claims.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_payload_with_a_request_context_is_an_http_event_or_refused() {
        let event = json!({"version": "2.0", "routeKey": "GET /health", "rawPath": "/health",
                "requestContext": {"http": {"method": "GET"}}});
        let Ok(Invocation::Gateway(event)) = read(&event.to_string()) else { panic!("an event") };
        assert_eq!(event.check_route(&[Operation::Health, Operation::Openapi]), Ok(()));
        assert!(event.check_route(&[Operation::List]).is_err(), "another function's");
        let with = |authorizer: Value| {
            json!({"version": "2.0", "routeKey": "GET /health", "rawPath": "/health",
                "requestContext": {"authorizer": authorizer}})
        };
        assert!(
            read(&with(json!({"iam": {"userArn": "x", "accountId": "1"}, "jwt": null})).to_string()).is_ok()
        );
        for (name, event) in [
            ("no route", json!({"version": "2.0", "rawPath": "/health", "requestContext": {}})),
            (
                "REST API",
                json!({"httpMethod": "GET", "path": "/", "requestContext": {"authorizer": {"claims": {}}}}),
            ),
            ("format 1.0", json!({"version": "1.0", "rawPath": "/", "requestContext": {}})),
            ("load balancer", json!({"requestContext": {"elb": {}}, "path": "/", "httpMethod": "GET"})),
            ("WebSocket", json!({"requestContext": {"connectionId": "x", "eventType": "CONNECT"}})),
            ("a forged one", json!({"request_id": "x", "requestContext": {"authorizer": {"jwt": 1}}})),
            ("no signer", with(json!({"iam": {}}))),
            (
                "a signer without account",
                with(json!({"iam": {"userArn": "arn:aws:iam::123456789012:user/x"}})),
            ),
            (
                "a signer that is no text",
                with(json!({"iam": {"userArn": ["x"], "accountId": "123456789012"}})),
            ),
            (
                "a number for an account",
                with(json!({"iam": {"userArn": "x", "accountId": 123_456_789_012_u64}})),
            ),
            (
                "signer and token",
                with(json!({"iam": {"userArn": "x", "accountId": "1"}, "jwt": {"claims": {}}})),
            ),
            ("signer and no claims", with(json!({"iam": {"userArn": "x", "accountId": "1"}, "jwt": {}}))),
        ] {
            assert!(read(&event.to_string()).is_err(), "{name}");
        }
    }

    #[test]
    fn everything_else_is_a_direct_payload() {
        for payload in ["{}", r#"{"request_id":"x"}"#, "[]", "1", "null", r#"{"requestContext":null}"#] {
            assert!(
                matches!(read(payload), Ok(Invocation::Direct(bytes)) if bytes == payload.as_bytes()),
                "{payload}"
            );
        }
        // Twice: neither reading is taken; the operation refuses the payload as one that can be
        // read in two ways.
        let twice = r#"{"requestContext":{},"requestContext":{}}"#;
        assert!(matches!(read(twice), Ok(Invocation::Direct(_))));
    }

    #[test]
    fn headers_and_bodies_are_found_however_they_are_written() {
        let event = json!({"version": "2.0", "routeKey": "$default", "rawPath": "/", "requestContext": {}, "body": "e30=",
            "isBase64Encoded": true, "headers": {"Authorization": "Bearer a", "authorization": "Bearer b"}});
        let Ok(Invocation::Gateway(event)) = read(&event.to_string()) else { panic!("an event") };
        assert_eq!(event.body(), b"{}");
        assert_eq!(event.header("authorization").len(), 2, "two are two, whatever their case");
    }
}
