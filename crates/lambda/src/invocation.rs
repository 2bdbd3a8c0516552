//! What a function is invoked with: an event of API Gateway, or the payload of a direct invoker.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::source_address::SourceAddress;
use countersign_identity::claim_path::Claims;
use countersign_identity::gateway;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::collections::BTreeMap;

/// A payload of an operation of the API.
#[derive(Debug)]
pub enum Invocation {
    /// An event of API Gateway.
    Gateway(Box<HttpEvent>),
    /// Anything else: the operation's own fields.
    Direct(Vec<u8>),
}

/// The payload has `requestContext` and is an event of neither kind of API: an authorizer, an identity or a body would be
/// looked for where it is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an event with requestContext must be one of an HTTP API in payload format 2.0, or one of a REST API with proxy \
     integration: {0}"
)]
pub struct UnsupportedEvent(String);

impl UnsupportedEvent {
    /// For a payload of no gateway, where there has to be one.
    pub(crate) fn no_event() -> Self {
        Self("the payload is none".to_owned())
    }

    pub(crate) fn of_another_function() -> Self {
        Self("its routeKey is that of another function".to_owned())
    }
}

/// What is read of an HTTP API's event, or made of a REST API's
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
    /// An HTTP API takes them out of the headers.
    #[serde(default)]
    cookies: Vec<String>,
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
    #[serde(default, rename = "domainName")]
    domain_name: Option<String>,
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
    /// What the Cognito authorizer of a REST API says.
    #[serde(skip)]
    cognito: Option<Claims>,
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
    /// Of a session, `ROLE_ID:SESSION`. A role that is made again under an old name has another id.
    pub user_id: String,
    /// The identity of Amazon Cognito's pool that has got the role's credentials, if one has.
    #[serde(default)]
    pub cognito_identity: Option<IgnoredAny>,
}

/// What is read of a REST API's event
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>). Of headers and
/// parameters only the members that hold each value: the others hold the last.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RestEvent {
    resource: String,
    http_method: String,
    multi_value_headers: Option<BTreeMap<String, Vec<String>>>,
    multi_value_query_string_parameters: Option<BTreeMap<String, Vec<String>>>,
    path_parameters: Option<BTreeMap<String, String>>,
    request_context: RestContext,
    body: Option<String>,
    is_base64_encoded: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RestContext {
    resource_path: String,
    http_method: String,
    identity: RestIdentity,
    #[serde(default)]
    authorizer: Option<RestAuthorizer>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RestIdentity {
    source_ip: Option<String>,
}

#[derive(Debug, Deserialize)]
struct RestAuthorizer {
    #[serde(default)]
    claims: Option<Claims>,
}

impl RestEvent {
    fn into_http(self) -> Result<HttpEvent, UnsupportedEvent> {
        let context = self.request_context;
        if (&context.resource_path, &context.http_method) != (&self.resource, &self.http_method) {
            return Err(UnsupportedEvent("it names two resources or methods".to_owned()));
        }
        let headers = self.multi_value_headers.unwrap_or_default();
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, values) in self.multi_value_query_string_parameters.unwrap_or_default() {
            query.extend_pairs(values.iter().map(|value| (&name, value)));
        }
        let authorizer = context.authorizer.map(|authorizer| Authorizer {
            jwt: None,
            iam: None,
            cognito: authorizer.claims,
        });
        let http = Http { source_ip: context.identity.source_ip };
        Ok(HttpEvent {
            version: "1.0".to_owned(),
            route_key: format!("{} {}", self.http_method, self.resource),
            // The path may begin with the mapping of a domain.
            raw_path: self.resource,
            raw_query_string: query.finish(),
            // As an HTTP API joins them.
            headers: headers.into_iter().map(|(name, values)| (name, values.join(","))).collect(),
            cookies: Vec::new(),
            path_parameters: self.path_parameters,
            request_context: RequestContext { authorizer, http: Some(http), domain_name: None },
            body: self.body,
            is_base64_encoded: self.is_base64_encoded,
        })
    }
}

/// Only what tells events apart.
#[derive(Deserialize)]
struct Marked {
    #[serde(rename = "requestContext")]
    request_context: Option<IgnoredAny>,
    /// REST APIs write none.
    version: Option<IgnoredAny>,
}

/// Tells the kinds of payload apart.
///
/// # Errors
/// For events of other gateways and formats.
pub fn read(payload: &str) -> Result<Invocation, UnsupportedEvent> {
    // What cannot be read even for this is no event; as a direct payload it is refused in detail.
    let Ok(Marked { request_context: Some(_), version }) = serde_json::from_str(payload) else {
        return Ok(Invocation::Direct(payload.as_bytes().to_vec()));
    };
    let event = match version {
        Some(_) => event::<HttpEvent>(payload)?,
        None => event::<RestEvent>(payload)?.into_http()?,
    };
    if version.is_some() && event.version != "2.0" {
        return Err(UnsupportedEvent("another version".to_owned()));
    }
    if event.request_context.authorizer.as_ref().is_some_and(|it| it.jwt.is_some() && it.iam.is_some()) {
        let reason = "a route has one authorizer, and two have found a caller";
        return Err(UnsupportedEvent(reason.to_owned()));
    }
    Ok(Invocation::Gateway(Box::new(event)))
}

fn event<T: DeserializeOwned>(payload: &str) -> Result<T, UnsupportedEvent> {
    serde_json::from_str(payload).map_err(|error| {
        // Its text may quote the payload: the message has only the position.
        UnsupportedEvent(format!("cannot be read at line {}, column {}", error.line(), error.column()))
    })
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

    /// All headers but cookies.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The cookies, each as `NAME=VALUE`.
    pub fn cookies(&self) -> impl Iterator<Item = &str> {
        self.cookies.iter().map(String::as_str)
    }

    /// The name that the gateway was called by.
    pub fn domain_name(&self) -> &str {
        self.request_context.domain_name.as_deref().unwrap_or_default()
    }

    /// The method, as the route has it.
    pub fn method(&self) -> &str {
        self.route_key.split(' ').next().unwrap_or_default()
    }

    /// A part of the path, such as its `{id}`.
    pub fn path_parameter(&self, name: &str) -> Option<&str> {
        self.path_parameters.as_ref().and_then(|parameters| parameters.get(name)).map(String::as_str)
    }

    /// The parts of the path by their names in the route.
    pub fn path_parameters(&self) -> BTreeMap<String, String> {
        self.path_parameters.clone().unwrap_or_default()
    }

    /// Whether the gateway has taken it for one of these routes: its permission to call a function is for
    /// all routes, and a wrong integration would have another operation carried out than was asked for.
    ///
    /// # Errors
    /// When it is another function's.
    pub fn check_route(&self, route_keys: &[String]) -> Result<(), UnsupportedEvent> {
        match route_keys.contains(&self.route_key) {
            true => Ok(()),
            false => Err(UnsupportedEvent::of_another_function()),
        }
    }

    /// The path, with the stage before it if an HTTP API has one; of a REST API, the path of the route.
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

    /// The claims that an authorizer has found, flattened to texts in its way.
    pub fn described(&self) -> Option<(gateway::Authorizer, &Claims)> {
        let authorizer = self.request_context.authorizer.as_ref()?;
        let of_jwt = authorizer.jwt.as_ref().and_then(|jwt| jwt.claims.as_ref());
        let of_jwt = of_jwt.map(|claims| (gateway::Authorizer::Jwt, claims));
        of_jwt.or_else(|| Some((gateway::Authorizer::Cognito, authorizer.cognito.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_api::operation::Operation;
    use serde_json::{Value, json};

    #[test]
    fn a_payload_with_a_request_context_is_an_http_event_or_refused() {
        let event = json!({"version": "2.0", "routeKey": "GET /health", "rawPath": "/health",
                "requestContext": {"http": {"method": "GET"}}});
        let Ok(Invocation::Gateway(event)) = read(&event.to_string()) else { panic!("an event") };
        let keys = [Operation::Health, Operation::Openapi].map(Operation::route_key);
        assert_eq!(event.check_route(&keys), Ok(()));
        assert!(event.check_route(&[Operation::List.route_key()]).is_err(), "another function's");
        let with = |authorizer: Value| {
            json!({"version": "2.0", "routeKey": "GET /health", "rawPath": "/health",
                "requestContext": {"authorizer": authorizer}})
        };
        assert!(
            read(
                &with(json!({"iam": {"userArn": "x", "accountId": "1", "userId": "x"}, "jwt": null}))
                    .to_string()
            )
            .is_ok()
        );
        for (name, event) in [
            ("no route", json!({"version": "2.0", "rawPath": "/health", "requestContext": {}})),
            (
                "a part of a REST API's",
                json!({"httpMethod": "GET", "path": "/", "requestContext": {"authorizer": {"claims": {}}}}),
            ),
            ("format 1.0", json!({"version": "1.0", "rawPath": "/", "requestContext": {}})),
            ("load balancer", json!({"requestContext": {"elb": {}}, "path": "/", "httpMethod": "GET"})),
            ("WebSocket", json!({"requestContext": {"connectionId": "x", "eventType": "CONNECT"}})),
            ("a forged one", json!({"request_id": "x", "requestContext": {"authorizer": {"jwt": 1}}})),
            ("no signer", with(json!({"iam": {}}))),
            (
                "a signer without account",
                with(json!({"iam": {"userArn": "arn:aws:iam::123456789012:user/x", "userId": "x"}})),
            ),
            (
                "a signer that is no text",
                with(json!({"iam": {"userArn": ["x"], "accountId": "123456789012", "userId": "x"}})),
            ),
            (
                "a number for an account",
                with(json!({"iam": {"userArn": "x", "accountId": 123_456_789_012_u64, "userId": "x"}})),
            ),
            (
                "signer and token",
                with(
                    json!({"iam": {"userArn": "x", "accountId": "1", "userId": "x"}, "jwt": {"claims": {}}}),
                ),
            ),
            (
                "signer and no claims",
                with(json!({"iam": {"userArn": "x", "accountId": "1", "userId": "x"}, "jwt": {}})),
            ),
        ] {
            assert!(read(&event.to_string()).is_err(), "{name}");
        }
    }

    fn rest() -> serde_json::Value {
        json!({"resource": "/v1/approvals/{id}", "path": "/base/v1/approvals/x", "httpMethod": "GET",
            "headers": {"authorization": "Bearer b"},
            "multiValueHeaders": {"Authorization": ["Bearer a"], "Accept": ["a/b", "c/d"]},
            "queryStringParameters": {"a": "2"}, "multiValueQueryStringParameters": {"a": ["1 &", "2"], "b": [""]},
            "pathParameters": {"id": "x"}, "stageVariables": null,
            "requestContext": {"resourcePath": "/v1/approvals/{id}", "httpMethod": "GET", "stage": "prod",
                "path": "/prod/v1/approvals/x", "identity": {"sourceIp": "192.0.2.1"},
                "authorizer": {"claims": {"sub": "7e1c"}}},
            "body": null, "isBase64Encoded": false})
    }

    #[test]
    fn an_event_of_a_rest_api_is_read_from_the_members_that_hold_every_value() {
        let Ok(Invocation::Gateway(event)) = read(&rest().to_string()) else { panic!("an event") };
        assert_eq!(event.check_route(&[Operation::Get.route_key()]), Ok(()));
        assert!(event.check_route(&[Operation::List.route_key()]).is_err(), "another function's");
        assert_eq!(event.header("authorization"), ["Bearer a"]);
        assert_eq!(event.header("accept"), ["a/b,c/d"]);
        assert_eq!((event.query(), event.path_parameter("id")), ("a=1+%26&a=2&b=", Some("x")));
        assert_eq!(event.source_ip(), "192.0.2.1".parse().unwrap());
        assert_eq!(event.body(), b"");
        let (authorizer, claims) = event.described().unwrap();
        assert_eq!((authorizer, claims.len()), (gateway::Authorizer::Cognito, 1));

        let with = |pointer: &str, value: serde_json::Value| {
            let mut event = rest();
            *event.pointer_mut(pointer).unwrap() = value;
            read(&event.to_string())
        };
        for (pointer, value) in [
            ("/requestContext/authorizer", json!(null)),
            ("/requestContext/authorizer", json!({"principalId": "x"})),
        ] {
            let Ok(Invocation::Gateway(event)) = with(pointer, value) else { panic!("an event") };
            assert!(event.described().is_none(), "no authorizer of tokens has spoken");
        }
        let Ok(Invocation::Gateway(event)) =
            with("/multiValueHeaders/Authorization", json!(["Bearer a", "Bearer b"]))
        else {
            panic!("an event")
        };
        assert_eq!(event.header("authorization"), ["Bearer a,Bearer b"], "no token that can be read");
        for (pointer, value) in [
            ("/resource", json!("/v1/approvals")),
            ("/httpMethod", json!("POST")),
            ("/requestContext/resourcePath", json!(null)),
            ("/requestContext/identity", json!(null)),
            ("/multiValueHeaders", json!({"Authorization": "Bearer a"})),
            ("/isBase64Encoded", json!("false")),
            ("/requestContext/authorizer", json!({"claims": "all"})),
        ] {
            assert!(with(pointer, value.clone()).is_err(), "{pointer}: {value}");
        }
        let mut format_1 = rest();
        format_1["version"] = json!("1.0");
        assert!(read(&format_1.to_string()).is_err(), "an HTTP API in format 1.0");
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
