//! The server as a protected resource of OAuth: what it says of itself (RFC 9728), what callers without a token are answered, and
//! which hosts and origins a request may name. Pages of other origins, and names that lead here without being ours, are refused
//! before any token is looked at (DNS rebinding:
//! <https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#security-warning>).

use crate::http::{AnswerBody, PATH};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

/// Where a resource at the root of its origin says what it is (RFC 9728 section 3.1).
pub const METADATA_PATH: &str = "/.well-known/oauth-protected-resource";

/// Where the server is, as its callers know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Scheme and authority.
    origin: String,
    /// Who issues tokens for it, if that is another than the service itself.
    issuer: Option<String>,
    /// Further names of this very server, such as those of loopback.
    further: Vec<String>,
}

impl Resource {
    /// A server at this origin, such as `https://approvals.example.com`.
    pub fn new(origin: &str, issuer: Option<String>) -> Self {
        Self { origin: origin.trim_end_matches('/').to_owned(), issuer, further: Vec::new() }
    }

    /// The same, which is known by the names of loopback as well.
    #[must_use]
    pub fn on_loopback(mut self, scheme: &str, port: u16) -> Self {
        let hosts = ["127.0.0.1", "localhost", "[::1]"];
        self.further.extend(hosts.map(|host| format!("{scheme}://{host}:{port}")));
        self
    }

    /// Its identifier: what a token has as audience (RFC 8707).
    pub fn identifier(&self) -> String {
        format!("{}{PATH}", self.origin)
    }

    /// Where it says what it is.
    fn metadata_url(&self) -> String {
        format!("{}{METADATA_PATH}{PATH}", self.origin)
    }

    /// Whether a path is one of those where it says so.
    pub fn is_metadata(path: &str) -> bool {
        path.strip_prefix(METADATA_PATH).is_some_and(|rest| rest.is_empty() || rest == PATH)
    }

    /// What it says of itself.
    pub fn metadata(&self) -> Value {
        let mut metadata = json!({
            "resource": self.identifier(),
            "resource_name": "Countersign",
            "bearer_methods_supported": ["header"],
        });
        if let (Some(issuer), Some(members)) = (&self.issuer, metadata.as_object_mut()) {
            members.insert("authorization_servers".to_owned(), json!([issuer]));
        }
        metadata
    }

    /// Whether a request names this server and no page of another origin has sent it.
    ///
    /// # Errors
    /// The answer, if not.
    pub fn check(&self, parts: &Parts) -> Result<(), Box<Response<AnswerBody>>> {
        let refuse = |what: &str| {
            let body = json!({ "error": "forbidden", "error_description": format!("{what} is not allowed") });
            Err(Box::new(answer(StatusCode::FORBIDDEN, &body)))
        };
        match named_host(&parts.headers, &parts.uri) {
            Some(host) if self.hosts().any(|own| is_host(own, &host)) => {}
            _ => return refuse("this Host"),
        }
        let mut origins = parts.headers.get_all(header::ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => Ok(()),
            (Some(origin), None) if self.origins().any(|own| origin.as_bytes() == own.as_bytes()) => Ok(()),
            _ => refuse("this Origin"),
        }
    }

    fn origins(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.origin.as_str()).chain(self.further.iter().map(String::as_str))
    }

    fn hosts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.origins().filter_map(|origin| origin.split_once("://"))
    }

    /// The answer to a caller without a token that is accepted (RFC 6750 section 3, RFC 9728 section 5.1).
    pub fn unauthorized(&self, has_token: bool) -> Response<AnswerBody> {
        let metadata = self.metadata_url();
        let error = if has_token { "error=\"invalid_token\", " } else { "" };
        let body = json!({ "error": "unauthorized", "error_description": "send a valid bearer token" });
        let mut response = answer(StatusCode::UNAUTHORIZED, &body);
        let challenge = format!("Bearer {error}resource_metadata=\"{metadata}\"");
        if let Ok(challenge) = HeaderValue::try_from(challenge) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Whether a request names this host: a scheme and an authority, whose port may be left out where it is the scheme's.
fn is_host((scheme, authority): (&str, &str), named: &str) -> bool {
    let usual = match scheme {
        "https" => ":443",
        _ => ":80",
    };
    let bare = |text: &str| text.strip_suffix(usual).unwrap_or(text).to_ascii_lowercase();
    bare(authority) == bare(named)
}

/// The host that a request names. HTTP/2 has it in the target.
fn named_host(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok().map(str::to_owned),
        (None, _) => uri.authority().map(ToString::to_string),
        _ => None,
    }
}

/// An answer that no cache keeps.
pub fn answer(status: StatusCode, body: &Value) -> Response<AnswerBody> {
    let body = Full::new(Bytes::from(body.to_string()));
    let mut response = Response::new(body.boxed());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn check(resource: &Resource, host: &str, origin: Option<&str>) -> bool {
        let mut request = Request::get("/mcp").header("host", host);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        resource.check(&request.body(()).unwrap().into_parts().0).is_ok()
    }

    #[test]
    fn only_our_own_names_and_pages_are_let_through() {
        let resource = Resource::new("https://a.example", None);
        assert!(check(&resource, "a.example", None) && check(&resource, "A.example:443", None));
        assert!(check(&resource, "a.example", Some("https://a.example")));
        for (host, origin) in [
            ("evil.example", None),
            ("a.example:80", None),
            ("127.0.0.1:9000", None),
            ("a.example", Some("https://evil.example")),
            ("a.example", Some("http://a.example")),
            ("a.example", Some("https://a.example.evil.example")),
            ("a.example", Some("null")),
        ] {
            assert!(!check(&resource, host, origin), "{host} {origin:?}");
        }
        let local = resource.on_loopback("http", 9000);
        assert!(check(&local, "localhost:9000", Some("http://127.0.0.1:9000")));
        assert!(!check(&local, "localhost:9001", None) && !check(&local, "rebound.example:9000", None));
    }

    #[test]
    fn a_challenge_leads_to_the_metadata() {
        let resource = Resource::new("https://a.example", Some("https://issuer.example".to_owned()));
        let answer = resource.unauthorized(true);
        assert_eq!(answer.status(), 401);
        assert_eq!(
            answer.headers()[header::WWW_AUTHENTICATE],
            "Bearer error=\"invalid_token\", \
             resource_metadata=\"https://a.example/.well-known/oauth-protected-resource/mcp\""
        );
        assert_eq!(resource.metadata()["resource"], "https://a.example/mcp");
        assert_eq!(resource.metadata()["authorization_servers"], json!(["https://issuer.example"]));
        assert!(Resource::is_metadata("/.well-known/oauth-protected-resource/mcp"));
        assert!(!Resource::is_metadata("/.well-known/oauth-protected-resource/other"));
    }
}
