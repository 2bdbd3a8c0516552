//! A connection to the service: requests out, answers or exits in.

use crate::client::arguments::{ConnectionArguments, Name};
use crate::client::credential::Credential;
use crate::client::profile::{self, Settings};
use crate::client::secret::Secret;
use crate::exit::Exit;
use countersign_api::problem::Code;
use countersign_api::wire::{FieldError, HealthBody, ListBody, ProblemBody, RequestBody, SummaryBody};
use countersign_core::text::escaped_line;
use countersign_host::text_file;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// How long one call may take: longer than a service with an unwilling store needs to say so.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often a call is made again when the service is not ready for it.
const RETRIES: u32 = 3;
/// The largest answer that is read, in bytes.
const MAX_ANSWER_BYTES: u64 = 16 * 1024 * 1024;

/// A service, and who asks it.
#[derive(Debug)]
pub struct Connection {
    base: String,
    credential: Credential,
    agent: ureq::Agent,
}

impl Connection {
    /// Gets ready to call the service; nothing is sent yet.
    ///
    /// # Errors
    /// When the URL would send the token in the clear to another machine, or a file cannot be read.
    pub fn open(arguments: &ConnectionArguments) -> Result<Self, Exit> {
        let settings = profile::settings(arguments)?;
        let connection = Self::to(&settings)?;
        Ok(Self { credential: Credential::of(&settings)?, ..connection })
    }

    /// Gets ready to call the service as nobody.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn to(settings: &Settings) -> Result<Self, Exit> {
        check(&settings.url)?;
        let agent = agent(settings.ca_bundle.as_deref(), TIMEOUT)?;
        Ok(Self { base: settings.url.clone(), credential: Credential::Nobody, agent })
    }

    /// The same service, called by somebody.
    pub fn with(self, credential: Credential) -> Self {
        Self { credential, ..self }
    }

    /// Where the service is.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// The token that the next call is sent with, if there is one.
    ///
    /// # Errors
    /// When a login has ended and cannot be renewed.
    pub fn token(&self) -> Result<Option<Secret>, Exit> {
        self.credential.token()
    }

    /// Whether the service is there, and what time it believes it is: its `Date` header. No token is
    /// sent.
    ///
    /// # Errors
    /// As for [`Self::get`].
    pub fn health(&self) -> Result<(HealthBody, Option<String>), Exit> {
        let request = ureq::http::Request::get(format!("{}/health", self.base)).body(());
        let answer = request.map_err(ureq::Error::from).and_then(|request| self.agent.run(request));
        let mut date = None;
        let answer = answer.and_then(|mut answer| {
            date = answer.headers().get("date").and_then(|date| date.to_str().ok()).map(str::to_owned);
            let text = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string()?;
            Ok((answer.status().as_u16(), text))
        });
        Ok((self.understood(answer)?, date))
    }

    /// Reads something.
    ///
    /// # Errors
    /// What the service refuses or cannot do, or that it cannot be reached.
    pub fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, Exit> {
        let query: Vec<_> =
            query.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect();
        let separator = if query.is_empty() { "" } else { "?" };
        self.call("GET", &format!("{path}{separator}{}", query.join("&")), None, None)
    }

    /// Changes something, once: `key` is sent with every try.
    ///
    /// # Errors
    /// As for [`Self::get`].
    pub fn change<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        key: &str,
    ) -> Result<T, Exit> {
        self.call(method, path, Some(body), Some(key))
    }

    /// Asks something that takes a body. Nothing is changed, so no key is sent.
    ///
    /// # Errors
    /// As for [`Self::get`].
    pub fn ask<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Exit> {
        self.call("POST", path, Some(body), None)
    }

    fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<T, Exit> {
        let token = self.token()?;
        let token = token.as_ref();
        let mut pause = Duration::from_millis(250);
        for _ in 0..RETRIES {
            match self.attempt(method, target, body, key, token) {
                // Nothing was changed, or the same key finds what was.
                Ok((503, _)) | Err(ureq::Error::ConnectionFailed) => {}
                result => return self.understood(result),
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
        self.understood(self.attempt(method, target, body, key, token))
    }

    fn attempt(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
        key: Option<&str>,
        token: Option<&Secret>,
    ) -> Result<(u16, String), ureq::Error> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{target}", self.base));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {}", token.expose()));
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let mut answer = match body {
            Some(body) => {
                self.agent.run(request.header("content-type", "application/json").body(body.to_string())?)?
            }
            None => self.agent.run(request.body(())?)?,
        };
        let text = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string()?;
        Ok((answer.status().as_u16(), text))
    }

    fn understood<T: DeserializeOwned>(&self, result: Result<(u16, String), ureq::Error>) -> Result<T, Exit> {
        match result {
            Ok((200..=299, text)) => serde_json::from_str(&text).map_err(|_| {
                Exit::from(format!("{} does not answer as Countersign does: is the URL right?", self.base))
            }),
            Ok((status, text)) => Err(refusal(status, &text)),
            Err(ureq::Error::Timeout(_)) => Err(Exit::timed_out(format!(
                "{} did not answer in {} s; asking again shows what happened",
                self.base,
                TIMEOUT.as_secs()
            ))),
            Err(error) => Err(Exit::from(format!(
                "{} cannot be reached: {}; is the service running, and the URL right?",
                self.base,
                escaped_line(&error.to_string())
            ))),
        }
    }

    /// The request that somebody names. A beginning is looked for among what is open, and must be the
    /// beginning of one alone.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn find(&self, name: &str) -> Result<RequestBody, Exit> {
        let id = match Name::parse(name).map_err(Exit::usage)? {
            Name::Id(id) => id.to_string(),
            Name::Prefix(prefix) => self.complete(&prefix)?,
        };
        self.get(&format!("/v1/approvals/{id}"), &[])
    }

    fn complete(&self, prefix: &str) -> Result<String, Exit> {
        let all = self.list(&[("status", "pending,approved,executing"), ("limit", "100")], true)?.items;
        // One that is approved meanwhile comes twice.
        let found: BTreeSet<String> =
            all.into_iter().map(|item| item.request_id).filter(|id| id.starts_with(prefix)).collect();
        let found: Vec<_> = found.into_iter().collect();
        match found.as_slice() {
            [only] => Ok(only.clone()),
            [] => Err(Exit::not_found(format!(
                "no open request that you can see begins with {prefix}; give the whole id for one that is closed"
            ))),
            several => Err(Exit::usage(format!(
                "{prefix} is the beginning of {} requests; which one?\n  {}",
                several.len(),
                several.iter().map(|id| escaped_line(id)).collect::<Vec<_>>().join("\n  ")
            ))),
        }
    }

    /// A page of a list, or all of it in one.
    ///
    /// # Errors
    /// As for [`Self::get`].
    pub fn list(&self, query: &[(&str, &str)], all: bool) -> Result<ListBody, Exit> {
        let mut items: Vec<SummaryBody> = Vec::new();
        let mut cursor: Option<String> = None;
        let mut damaged = 0;
        loop {
            let mut query = query.to_vec();
            if let Some(cursor) = &cursor {
                query.push(("cursor", cursor));
            }
            let page: ListBody = self.get("/v1/approvals", &query)?;
            items.extend(page.items);
            damaged += page.damaged;
            // A page may be empty and not the last.
            if !all || page.next_cursor.is_none() || page.next_cursor == cursor {
                return Ok(ListBody { items, next_cursor: page.next_cursor, damaged });
            }
            cursor = page.next_cursor;
        }
    }
}

/// What calls: it trusts the public certificates and those of a file.
///
/// # Errors
/// When the file cannot be read.
pub fn agent(ca_bundle: Option<&Path>, timeout: Duration) -> Result<ureq::Agent, Exit> {
    let builder = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(timeout))
        // A redirect could carry the token elsewhere.
        .max_redirects(0);
    let Some(path) = ca_bundle else { return Ok(builder.build().into()) };
    let at = |error: &dyn std::fmt::Display| Exit::from(format!("--ca-bundle {}: {error}", path.display()));
    let pem = text_file::read(path).map_err(|error| at(&error))?;
    let mut certificates = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
        .collect::<Result<Vec<Certificate<'static>>, _>>()
        .map_err(|error| at(&error))?;
    if certificates.is_empty() {
        return Err(at(&"there is no certificate in it"));
    }
    // The service may have a certificate of its own while the issuer has a public one.
    certificates.extend(TLS_SERVER_ROOT_CERTS.iter().map(|root| Certificate::from_der(root.as_ref())));
    let roots = RootCerts::Specific(Arc::new(certificates));
    Ok(builder.tls_config(TlsConfig::builder().root_certs(roots).build()).build().into())
}

/// A token must not travel in the clear beyond this machine.
///
/// # Errors
/// When it would.
pub(crate) fn check(base: &str) -> Result<(), Exit> {
    let refuse = |rule: &str| Err(Exit::usage(format!("--url {}: {rule}", escaped_line(base))));
    let Ok(uri) = base.parse::<Uri>() else { return refuse("is no URL") };
    // `http://127.0.0.1:80@example.com` is a way to example.com.
    if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) || uri.query().is_some() {
        return refuse("must be https://HOST or http://localhost, and no more than a path after it");
    }
    let is_here = ["localhost", "127.0.0.1", "[::1]"].contains(&uri.host().unwrap_or_default());
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if is_here => Ok(()),
        Some("http") => refuse("your token would travel in the clear; use https"),
        _ => refuse("must begin with https://, or http:// on this machine"),
    }
}

/// What the service says no with, and what to do about it. API Gateway's own refusals have another
/// shape: `{"message": …}`.
fn refusal(status: u16, text: &str) -> Exit {
    let Ok(problem) = serde_json::from_str::<ProblemBody>(text) else {
        return gateway_refusal(status, text);
    };
    let mut message =
        problem_in_lines(&problem.detail, &problem.code, &problem.reasons, &problem.errors).join("\n  ");
    let advice = match problem.code.as_str() {
        "unauthenticated" => {
            "set COUNTERSIGN_TOKEN to a valid token, or run `countersign login`; `countersign doctor` says more"
        }
        "expired" | "not_pending" | "not_approved" => "see `countersign get` for what has become of it",
        "approvals_insufficient" => "`countersign explain` says which approvals count, and what is missing",
        "internal" | "store_unavailable" => "ask the operator, and name the instance",
        _ => "",
    };
    if status >= 500 {
        message.push_str(&format!("\n  {}", escaped_line(&problem.instance)));
    }
    if !advice.is_empty() {
        message.push_str(&format!("\n  {advice}"));
    }
    let known = Code::ALL.into_iter().find(|known| known.as_str() == problem.code);
    Exit { problem: known, ..Exit::of_status(status, message) }
}

/// A problem in lines: the detail with its code, each field that breaks a rule, and each reason if
/// there is more than one or the detail does not say it. Nothing is said twice. All of it is escaped.
pub(crate) fn problem_in_lines(
    detail: &str,
    code: &str,
    reasons: &[String],
    errors: &[FieldError],
) -> Vec<String> {
    let name = |error: &FieldError| error.pointer.trim_start_matches('/').to_owned();
    let of_field = |error: &FieldError| format!("{} {}", name(error), error.message).trim().to_owned();
    let of_fields: Vec<_> = errors.iter().map(of_field).collect();
    let reasons: Vec<&str> = reasons
        .iter()
        .map(String::as_str)
        .filter(|reason| !of_fields.iter().any(|field| field == reason))
        .collect();
    let all = reasons.join("; ");
    let detail = match (errors.len(), reasons.len()) {
        (1.., _) => "fields break rules".to_owned(),
        // Each of them gets a line of its own.
        (0, count @ 2..) if detail == all => format!("refused for {count} reasons"),
        (0, count @ 2..) => detail.replacen(&all, &format!("{count} reasons"), 1),
        _ => detail.to_owned(),
    };
    let mut lines = vec![format!("{} ({})", escaped_line(&detail), escaped_line(code))];
    let rule =
        |error: &FieldError| format!("{}: {}", escaped_line(&name(error)), escaped_line(&error.message));
    lines.extend(errors.iter().map(rule));
    if reasons.len() > 1 || reasons.iter().any(|reason| !detail.contains(reason)) {
        lines.extend(reasons.iter().map(|reason| format!("why: {}", escaped_line(reason))));
    }
    lines
}

fn gateway_refusal(status: u16, text: &str) -> Exit {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    let said = body.get("message").and_then(Value::as_str).map(escaped_line).unwrap_or_default();
    let advice = match status {
        401 | 403 => "the gateway does not accept your token; set COUNTERSIGN_TOKEN to a valid one",
        404 => "there is no such route; is the URL right?",
        429 => "too many calls; wait a moment",
        _ => "this is not an answer of Countersign; is the URL right?",
    };
    Exit::of_status(status, format!("status {status} {said}\n  {advice}"))
}

/// RFC 3986 section 2.1: everything but unreserved characters.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(problem: serde_json::Value) -> String {
        let mut whole = serde_json::json!({
            "type": "urn:countersign:problem:x", "title": "X", "status": 403, "instance": "urn:uuid:0",
        });
        let members = problem.as_object().unwrap().clone();
        whole.as_object_mut().unwrap().extend(members);
        refusal(403, &whole.to_string()).message
    }

    #[test]
    fn a_reason_is_said_once() {
        let said = message(serde_json::json!({
            "code": "not_permitted", "detail": "guests may not create", "reasons": ["guests may not create"],
        }));
        assert_eq!(said, "guests may not create (not_permitted)");
        let said = message(serde_json::json!({ "code": "not_permitted", "detail": "no" }));
        assert_eq!(said, "no (not_permitted)", "an older service gives no reasons");
        let said = message(serde_json::json!({
            "code": "validation_failed", "detail": "see errors: ticket",
            "reasons": ["ticket is required", "and more"],
            "errors": [{ "pointer": "/ticket", "message": "is required" }],
        }));
        assert_eq!(said, "fields break rules (validation_failed)\n  ticket: is required\n  why: and more");
    }

    #[test]
    fn what_the_service_advises_is_not_advised_again() {
        for code in ["digest_mismatch", "idempotency_conflict"] {
            let said = message(serde_json::json!({ "code": code, "detail": "no; do something else" }));
            assert_eq!(said, format!("no; do something else ({code})"));
        }
    }

    #[test]
    fn every_reason_beyond_the_detail_has_its_line() {
        let said = message(serde_json::json!({
            "code": "not_permitted", "detail": "guests may not; nobody may at night",
            "reasons": ["guests may not", "nobody may at night"],
        }));
        assert_eq!(
            said,
            "refused for 2 reasons (not_permitted)\n  why: guests may not\n  why: nobody may at night"
        );
        let said = message(serde_json::json!({
            "code": "approvals_insufficient", "detail": "not enough: one; two; make a new request",
            "reasons": ["one", "two"],
        }));
        let expected = "not enough: 2 reasons; make a new request (approvals_insufficient)\n  \
                        why: one\n  why: two\n  `countersign explain` says";
        assert!(said.starts_with(expected), "{said}");
        let said = message(serde_json::json!({
            "code": "not_permitted", "detail": "no", "reasons": ["because\u{1b}[2J\nwhy: of that\u{202e}"],
        }));
        assert_eq!(said, "no (not_permitted)\n  why: because\\u{1b}[2J\\nwhy: of that\\u{202e}");
    }
}
