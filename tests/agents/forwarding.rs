//! A proxy between programs and a service, for tests in which the service is away.

use countersign_e2e::client::Client;
use serde_json::Value;

/// The answer of the service at `base` to a call as a [`countersign_e2e::stub::Stub`] gets it.
pub(crate) fn forwarded(base: &str, call: &Value) -> (u16, String) {
    let url = call["url"].as_str().unwrap();
    let headers: Vec<(&str, &str)> = call["headers"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| !["host", "content-length"].contains(&name.as_str()))
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    let body = call["body"].as_str().unwrap_or_default();
    let method = call["method"].as_str().unwrap();
    let answer = Client::new(base, None).send(method, path(url), &headers, body.as_bytes()).unwrap();
    (answer.status, answer.text)
}

/// The path of a URL, and what follows it.
pub(crate) fn path(url: &str) -> &str {
    &url[url.find("/v1").unwrap()..]
}
