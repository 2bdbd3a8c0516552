//! A connection to the service: requests out, answers or exits in.

use crate::client::arguments::{ConnectionArguments, Name};
use crate::exit::Exit;
use countersign_api::wire::{ListBody, ProblemBody, RequestBody, SummaryBody};
use countersign_core::text::escaped_line;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

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
    token: Option<String>,
    agent: ureq::Agent,
}

impl Connection {
    /// Gets ready to call the service; nothing is sent yet.
    ///
    /// # Errors
    /// When the URL would send the token in the clear to another machine, or a file cannot be read.
    pub fn open(arguments: &ConnectionArguments) -> Result<Self, Exit> {
        let base = arguments.url.trim_end_matches('/').to_owned();
        check(&base)?;
        let token = match (arguments.token(), &arguments.token_file) {
            (Some(token), _) => Some(token),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path);
                Some(text.map_err(|error| Exit::from(format!("--token-file {}: {error}", path.display())))?)
            }
            (None, None) => None,
        };
        let mut builder = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            // A redirect could carry the token elsewhere.
            .max_redirects(0);
        if let Some(path) = &arguments.ca_bundle {
            let at = |error: &dyn std::fmt::Display| {
                Exit::from(format!("--ca-bundle {}: {error}", path.display()))
            };
            let pem = std::fs::read(path).map_err(|error| at(&error))?;
            let certificates = parse_pem(&pem)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
                    Ok(_) => None,
                    Err(error) => Some(Err(error)),
                })
                .collect::<Result<Vec<Certificate<'static>>, _>>()
                .map_err(|error| at(&error))?;
            let roots = RootCerts::Specific(std::sync::Arc::new(certificates));
            builder = builder.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        let token = token.map(|token| token.trim().to_owned());
        Ok(Self { base, token, agent: builder.build().into() })
    }

    /// The token, if there is one.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
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

    fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<T, Exit> {
        let mut pause = Duration::from_millis(250);
        for _ in 0..RETRIES {
            match self.attempt(method, target, body, key) {
                // Nothing was changed, or the same key finds what was.
                Ok((503, _)) | Err(ureq::Error::ConnectionFailed) => {}
                result => return self.understood(result),
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
        self.understood(self.attempt(method, target, body, key))
    }

    fn attempt(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<(u16, String), ureq::Error> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{target}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
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
        let mut found: Vec<String> = Vec::new();
        for status in ["pending", "approved", "executing"] {
            let all = self.list(&[("status", status), ("limit", "100")], true)?.items;
            found.extend(all.into_iter().map(|item| item.request_id).filter(|id| id.starts_with(prefix)));
        }
        found.dedup();
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
        loop {
            let mut query = query.to_vec();
            if let Some(cursor) = &cursor {
                query.push(("cursor", cursor));
            }
            let page: ListBody = self.get("/v1/approvals", &query)?;
            items.extend(page.items);
            if !all || page.next_cursor.is_none() || page.next_cursor == cursor {
                return Ok(ListBody { items, next_cursor: page.next_cursor });
            }
            cursor = page.next_cursor;
        }
    }
}

/// A token must not travel in the clear beyond this machine.
fn check(base: &str) -> Result<(), Exit> {
    let Some((scheme, rest)) = base.split_once("://") else {
        return Err(Exit::usage(format!(
            "--url {}: must begin with https:// or http://",
            escaped_line(base)
        )));
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let is_here = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    match scheme {
        "https" => Ok(()),
        "http" if is_here => Ok(()),
        "http" => Err(Exit::usage(format!(
            "--url {}: your token would travel in the clear; use https",
            escaped_line(base)
        ))),
        _ => Err(Exit::usage(format!("--url {}: must begin with https:// or http://", escaped_line(base)))),
    }
}

/// What the service says no with, and what to do about it. API Gateway's own refusals have another
/// shape: `{"message": …}`.
fn refusal(status: u16, text: &str) -> Exit {
    let Ok(problem) = serde_json::from_str::<ProblemBody>(text) else {
        return gateway_refusal(status, text);
    };
    let mut message = escaped_line(&problem.detail);
    for error in &problem.errors {
        let (pointer, rule) =
            (escaped_line(error.pointer.trim_start_matches('/')), escaped_line(&error.message));
        message.push_str(&format!("\n  {pointer}: {rule}"));
    }
    let advice = match problem.code.as_str() {
        "unauthenticated" => "set COUNTERSIGN_TOKEN to a valid token",
        "expired" | "not_pending" | "not_approved" => "see `countersign get` for what has become of it",
        "digest_mismatch" => "the parameters are not the ones that were shown; look again",
        "idempotency_conflict" => "that key was used for something else; choose another",
        "internal" | "store_unavailable" => "ask the operator, and name the instance",
        _ => "",
    };
    let title = escaped_line(&problem.title);
    let instance =
        if status >= 500 { format!(" ({})", escaped_line(&problem.instance)) } else { String::new() };
    let advice = if advice.is_empty() { String::new() } else { format!("\n  {advice}") };
    Exit::of_status(status, format!("{title}: {message}{instance}{advice}"))
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
