//! API Gateway, as far as a function can tell: an HTTP request becomes an event of payload format
//! 2.0, with the claims of a token that its authorizer accepts.

use countersign_api::files::FileRoute;
use countersign_api::operation::Operation;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use strum::IntoEnumIterator;

/// An HTTP request on its way through the gateway.
#[derive(Debug, Clone)]
pub struct Request {
    /// GET, POST or PUT.
    pub method: String,
    /// The path, without query.
    pub path: String,
    /// The query string.
    pub query: String,
    /// Headers, without those that every client sends.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

/// The route that a request matches.
#[derive(Debug, Clone)]
pub struct Matched {
    /// What the route is called: an operation, or a file.
    pub slug: &'static str,
    /// The function behind it.
    pub function: &'static str,
    /// Its path, with the name of the parameter.
    pub path_template: &'static str,
    /// Method and path.
    pub route_key: String,
    /// What stands in the path for its one parameter, if it has one.
    pub parameters: Option<BTreeMap<&'static str, String>>,
}

/// The route that a request matches.
///
/// # Panics
/// When there is none: such a request reaches no function.
pub fn matched(method: &str, path: &str) -> Matched {
    let of_operations = Operation::iter().flat_map(|operation| {
        let with_keys = operation.paths().zip(operation.route_keys());
        with_keys.map(move |(template, key)| (operation.slug(), operation.function(), template, key))
    });
    let of_files = FileRoute::iter().map(|file| {
        let (template, key) = (file.path_template(), file.route_key());
        (file.slug(), file.slug(), template, key)
    });
    let found = of_operations.chain(of_files).find_map(|(slug, function, path_template, route_key)| {
        let parameters = parameters(path_template, path)?;
        let is_it = route_key == format!("{method} {path_template}");
        is_it.then_some(Matched { slug, function, path_template, route_key, parameters })
    });
    found.unwrap_or_else(|| panic!("no route for {method} {path}"))
}

/// `None` if the path is of another shape, else the values of its parameters, if it has some.
#[expect(clippy::option_option, reason = "no match, no parameter and parameters are three things")]
fn parameters(shape: &'static str, path: &str) -> Option<Option<BTreeMap<&'static str, String>>> {
    let mut found = BTreeMap::new();
    let (mut shape, mut path) = (shape, path);
    while let Some((before, rest)) = shape.split_once('{') {
        let (name, after) = rest.split_once('}').unwrap();
        let rest = path.strip_prefix(before)?;
        let length = if name.ends_with('+') { rest.len() } else { rest.find('/').unwrap_or(rest.len()) };
        let (value, rest) = rest.split_at(length);
        if value.is_empty() {
            return None;
        }
        found.insert(name.trim_end_matches('+'), value.to_owned());
        (shape, path) = (after, rest);
    }
    (shape == path).then_some((!found.is_empty()).then_some(found))
}

/// The event of a request. `claims` are those of its token, if the authorizer accepts it.
pub fn event(request: &Request, claims: Option<&Map<String, Value>>) -> Value {
    let Matched { route_key, parameters, .. } = matched(&request.method, &request.path);
    let (body, is_base64) = match String::from_utf8(request.body.clone()) {
        Ok(text) => (text, false),
        Err(_) => (base64(&request.body), true),
    };
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": request.headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "test",
            },
            "requestId": "id",
            "routeKey": route_key,
            "stage": "$default",
        },
        "isBase64Encoded": is_base64,
    });
    if !body.is_empty() {
        event["body"] = json!(body);
    }
    if let Some(parameters) = parameters {
        event["pathParameters"] = json!(parameters);
    }
    if let Some(claims) = claims {
        let claims: Map<_, _> =
            claims.iter().map(|(name, claim)| (name.clone(), json!(flattened(claim)))).collect();
        event["requestContext"]["authorizer"] = json!({ "jwt": { "claims": claims, "scopes": null } });
    }
    event
}

/// A claim as the JWT authorizer hands it over.
///
/// # Panics
/// For a claim of which no page says how it is written: the test that has one writes that down itself.
fn flattened(claim: &Value) -> String {
    match claim {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => claim.to_string(),
        Value::Array(elements) if elements.iter().all(Value::is_string) => {
            let texts: Vec<_> = elements.iter().map(|element| element.as_str().unwrap()).collect();
            format!("[{}]", texts.join(" "))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => panic!("what is said of {claim} is not known"),
    }
}

/// The event of a REST API with proxy integration and the stage `prod`, for the same request. `claims` are what its Cognito
/// authorizer says, in its words.
pub fn rest_event(request: &Request, claims: Option<&Value>) -> Value {
    let Matched { path_template, parameters, .. } = matched(&request.method, &request.path);
    let several = |pairs: &mut dyn Iterator<Item = (String, String)>| -> Value {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in pairs {
            values.entry(name).or_default().push(value);
        }
        if values.is_empty() { Value::Null } else { json!(values) }
    };
    let headers = request.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
    let query = request.query.split('&').filter_map(|pair| pair.split_once('='));
    let (body, is_base64) = match String::from_utf8(request.body.clone()) {
        Ok(text) => (text, false),
        Err(_) => (base64(&request.body), true),
    };
    json!({
        "resource": path_template,
        "path": request.path,
        "httpMethod": request.method,
        "headers": request.headers,
        "multiValueHeaders": several(&mut headers.into_iter()),
        "queryStringParameters": null,
        "multiValueQueryStringParameters": several(&mut query.map(|(name, value)| (name.to_owned(), value.to_owned()))),
        "pathParameters": parameters,
        "stageVariables": null,
        "requestContext": {
            "resourceId": "123abc",
            "resourcePath": path_template,
            "httpMethod": request.method,
            "path": format!("/prod{}", request.path),
            "accountId": "123456789012",
            "protocol": "HTTP/1.1",
            "stage": "prod",
            "requestId": "id",
            "identity": { "sourceIp": "127.0.0.1", "userAgent": "test", "accessKey": null },
            "authorizer": claims.map(|claims| json!({ "claims": claims })),
            "apiId": "api",
        },
        "body": (!body.is_empty()).then_some(body),
        "isBase64Encoded": is_base64,
    })
}

/// RFC 4648 section 4.
pub fn base64(bytes: &[u8]) -> String {
    let mut text = crate::signature::base64url(bytes).replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}
