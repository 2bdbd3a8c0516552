//! A connection to the service: calls out, answers that are believed or errors in.

use crate::agent::{agent, service};
use crate::answer::{self, Answer};
use crate::credential::{Credential, CredentialError, SignerOf, TokenFault};
use crate::error::Error;
use crate::list_query::{ListQuery, MAX_LIMIT};
use crate::profile::{Settings, TokenSource};
use crate::refusal::Refusal;
use crate::request_name::RequestName;
use crate::secret::Secret;
use crate::signing::{Signer, Unsigned};
use countersign_api::operation::Operation;
use countersign_api::problem::Code;
use countersign_api::wire::{HealthBody, ListBody, RequestBody, SummaryBody};
use countersign_api::wire::{SIGN_IN_CODES_PATH, SignInCodeBody};
use countersign_app::host::Clock as _;
use countersign_core::canonical;
use countersign_core::request::Status;
use countersign_endpoint::Endpoint;
use countersign_system::system::SystemHost;
use rustls::CertificateError;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;
use strum::IntoEnumIterator;

/// How long one call may take: longer than a service with an unwilling store needs to say so.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The same, while a shell completes a line.
const HURRIED_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a call is made again when the service is not ready for it.
const RETRIES: u32 = 3;
/// The largest answer that is read, in bytes. The largest request has 64 KiB of parameters, twice in its
/// answer, and 32 KiB of comments; a page of a list has 100 summaries.
pub(crate) const MAX_ANSWER_BYTES: u64 = 4 * 1024 * 1024;
/// Where a service has its audit log.
pub const LOG_PATH: &str = "/v1/log";
/// The longest file of an audit log: 256 entries of 64 KiB each.
const MAX_LOG_FILE_BYTES: u64 = 256 * 65_537;
/// The longest evidence: most of it is the files of policies.
const MAX_EVIDENCE_BYTES: u64 = 32 * 1024 * 1024;
/// The most pages that are read of one list, and the most bytes of all of them together: 200,000 requests,
/// or as many as fit.
const MAX_PAGES: usize = 2_000;
const MAX_LIST_BYTES: usize = 64 * 1024 * 1024;
/// How long reading all of a list may take.
pub const LIST_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// The longest cursor, in characters.
const MAX_CURSOR_LENGTH: usize = 4096;
/// How far back a request that is named by its beginning may have closed, in days: as far as a list reads.
const CLOSED_DAYS: u32 = 365;

const NO_HTTP: &str = "what answers there does not speak HTTP: does the URL begin with https://?";
const NO_TLS: &str =
    "what answers there does not speak TLS as it should: on this machine, does the URL begin with http://?";

/// Whether something answered, in another language.
fn is_garbled(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset)
}

/// What is wrong with the certificate of what answered, if anything is: it comes as an error of the transport.
fn certificate_error(error: &ureq::Error) -> Option<&CertificateError> {
    let error = match error {
        ureq::Error::Rustls(error) => error,
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref::<rustls::Error>()?,
        _ => return None,
    };
    match error {
        rustls::Error::InvalidCertificate(error) => Some(error),
        _ => None,
    }
}

fn advice_on_certificate(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name: is the URL right?"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired: ask the operator, and look at the clock of this machine"
        }
        _ => "its certificate is not trusted: give the certificate of its issuer with --ca-bundle",
    }
}

/// A service, and who asks it.
#[derive(Debug)]
pub struct Connection {
    endpoint: Endpoint,
    credential: Credential,
    agent: ureq::Agent,
    pub(crate) retries: u32,
    list_timeout: Duration,
}

impl Connection {
    /// Gets ready to call the service; nothing is sent to it yet. `signer` gets what signs calls, if they are
    /// to be signed.
    ///
    /// # Errors
    /// When the URL would send the token in the clear to another machine, or a file cannot be read.
    pub fn open(settings: &Settings, signer: SignerOf) -> Result<Self, Error> {
        let connection = Self::to(settings)?;
        Ok(Self { credential: Credential::of(settings, signer)?, ..connection })
    }

    /// The same, for a person who waits at a keyboard: one short call, or none.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn open_hurried(settings: &Settings, signer: SignerOf) -> Result<Self, Error> {
        let agent = agent(settings.ca_bundle.as_deref(), HURRIED_TIMEOUT, &service(&settings.url)?)?;
        Ok(Self { agent, retries: 0, ..Self::open(settings, signer)? })
    }

    /// Gets ready to call the service at this URL with signed calls, without any configuration.
    ///
    /// # Errors
    /// When the URL is none that is called, or the certificates cannot be read.
    pub fn signed(url: &str, ca_bundle: Option<&Path>, signer: Box<dyn Signer>) -> Result<Self, Error> {
        let settings = Settings {
            url: url.to_owned(),
            ca_bundle: ca_bundle.map(Path::to_owned),
            aws_ca_bundle: None,
            token: TokenSource::Nowhere,
            profile: None,
        };
        Ok(Self::to(&settings)?.with(Credential::Signer(signer)))
    }

    /// Gets ready to call the service without a token.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn to(settings: &Settings) -> Result<Self, Error> {
        let endpoint = service(&settings.url)?;
        let agent = agent(settings.ca_bundle.as_deref(), TIMEOUT, &endpoint)?;
        Ok(Self {
            endpoint,
            credential: Credential::Nobody,
            agent,
            retries: RETRIES,
            list_timeout: LIST_TIMEOUT,
        })
    }

    /// The same service, called with this credential.
    pub fn with(self, credential: Credential) -> Self {
        Self { credential, ..self }
    }

    /// Where the service is.
    pub fn url(&self) -> &str {
        self.endpoint.base()
    }

    /// The token that the next call is sent with, if there is one.
    ///
    /// # Errors
    /// When a login has ended and cannot be renewed.
    pub fn token(&self) -> Result<Option<Secret>, Error> {
        Ok(self.credential.token()?)
    }

    /// What signs calls, if they are signed.
    pub fn signer(&self) -> Option<&dyn Signer> {
        match &self.credential {
            Credential::Signer(signer) => Some(signer.as_ref()),
            Credential::Nobody | Credential::Token(_) | Credential::Login(_) => None,
        }
    }

    /// Whether the service is there, and what time it believes it is: its `Date` header. No token is
    /// sent.
    ///
    /// # Errors
    /// What the service refuses or cannot do, or that it cannot be reached.
    pub fn health(&self) -> Result<(HealthBody, Option<String>), Error> {
        let request = ureq::http::Request::get(format!(
            "{}{}",
            self.endpoint.base(),
            Operation::Health.path_template()
        ))
        .body(());
        let answer = request.map_err(ureq::Error::from).and_then(|request| self.agent.run(request));
        let mut date = None;
        let answer = answer.and_then(|mut answer| {
            date = answer.headers().get("date").and_then(|date| date.to_str().ok()).map(str::to_owned);
            let text = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string()?;
            Ok((answer.status().as_u16(), text))
        });
        let answer = answer
            .map_err(|error| self.unreachable(&error))
            .and_then(|answer| self.understood(answer, Operation::Health.path_template(), None));
        Ok((answer?.0, date))
    }

    /// A call that reads.
    pub(crate) fn get<T: Answer>(&self, path: &str) -> Result<T, Error> {
        self.call("GET", path, None, None)
    }

    /// A call that changes a request, once: `key` is sent with every try.
    pub(crate) fn change_by<T: Answer>(
        &self,
        operation: Operation,
        request_id: &str,
        body: &impl Serialize,
        key: &str,
    ) -> Result<T, Error> {
        self.call(operation.method().into(), &operation.path(request_id), Some(&json!(body)), Some(key))
    }

    /// A call that reads and has a body. It changes nothing, so no key is sent.
    pub(crate) fn ask<T: Answer>(&self, operation: Operation, body: &impl Serialize) -> Result<T, Error> {
        self.call(operation.method().into(), operation.path_template(), Some(&json!(body)), None)
    }

    fn call<T: Answer>(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<T, Error> {
        Ok(self.sized_call(method, target, body, key, self.retries)?.0)
    }

    /// The same; gives the length of the answer as well.
    pub(crate) fn sized_call<T: Answer>(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
        key: Option<&str>,
        retries: u32,
    ) -> Result<(T, usize), Error> {
        let token = self.token()?;
        let token = token.as_ref();
        let url = format!("{}{target}", self.endpoint.base());
        let body = body.map(Value::to_string);
        let mut headers = Vec::new();
        headers.extend(key.map(|key| ("idempotency-key", key.to_owned())));
        headers.extend(body.as_ref().map(|_| ("content-type", "application/json".to_owned())));
        let call =
            Unsigned { method, url: &url, headers: &headers, body: body.as_deref().unwrap_or_default() };
        let mut pause = Duration::from_millis(250);
        for _ in 0..retries {
            match self.attempt(call, &self.proof(call, token)?) {
                // Nothing was changed, or the same key finds what was.
                Ok((503, _)) | Err(ureq::Error::ConnectionFailed) => {}
                Ok(answer) => return self.understood(answer, target, token),
                Err(error) => return Err(self.unreachable(&error)),
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
        let answer = self.attempt(call, &self.proof(call, token)?);
        self.understood(answer.map_err(|error| self.unreachable(&error))?, target, token)
    }

    /// The headers that prove who calls. A signature is for one try: it has the time in it.
    pub(crate) fn proof(
        &self,
        call: Unsigned<'_>,
        token: Option<&Secret>,
    ) -> Result<Vec<(String, String)>, Error> {
        match (self.signer(), token) {
            (Some(signer), _) => signer.sign(call).map_err(|why| CredentialError::Signing(why).into()),
            (None, Some(token)) => {
                Ok(vec![("authorization".to_owned(), format!("Bearer {}", token.expose()))])
            }
            (None, None) => Ok(Vec::new()),
        }
    }

    /// A code by which a browser signs in as the caller.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn sign_in_code(&self) -> Result<SignInCodeBody, Error> {
        self.call("POST", SIGN_IN_CODES_PATH, None, None).map_err(|error| match error {
            Error::Refused(refusal) if refusal.code == Some(Code::RouteNotFound) => {
                Error::NoDashboard { url: self.url().to_owned() }
            }
            error => error,
        })
    }

    /// A file of the audit log by its path below the log's own; none if there is no such file.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn log_file(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.file(&format!("{LOG_PATH}/{path}"), MAX_LOG_FILE_BYTES) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::Refused(refusal)) if refusal.code == Some(Code::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Evidence of a request, as it was signed. It is not read here: a verifier needs the keys alone.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn evidence(&self, request_id: &str, redacted: bool) -> Result<Vec<u8>, Error> {
        let query = if redacted { "?redacted=true" } else { "" };
        self.file(&format!("{}/evidence{query}", Operation::Get.path(request_id)), MAX_EVIDENCE_BYTES)
    }

    /// What is answered at a path, as it is.
    fn file(&self, target: &str, limit: u64) -> Result<Vec<u8>, Error> {
        let token = self.token()?;
        let url = format!("{}{target}", self.endpoint.base());
        let call = Unsigned { method: "GET", url: &url, headers: &[], body: "" };
        let mut pause = Duration::from_millis(250);
        let mut tries = 0;
        loop {
            let answer = self.attempt_bytes(call, &self.proof(call, token.as_ref())?, limit);
            match answer {
                Ok((503, _)) | Err(ureq::Error::ConnectionFailed) if tries < self.retries => {}
                Ok((200, bytes)) => return Ok(bytes),
                Ok((status, text)) => {
                    let text = String::from_utf8(text).unwrap_or_default();
                    return Err(Error::Refused(Box::new(self.refusal(status, &text, token.as_ref()))));
                }
                Err(error) => return Err(self.unreachable(&error)),
            }
            tries += 1;
            std::thread::sleep(pause);
            pause *= 2;
        }
    }

    fn attempt(&self, call: Unsigned<'_>, proof: &[(String, String)]) -> Result<(u16, String), ureq::Error> {
        let (status, bytes) = self.attempt_bytes(call, proof, MAX_ANSWER_BYTES)?;
        let text = String::from_utf8(bytes)
            .map_err(|error| std::io::Error::new(ErrorKind::InvalidData, error.utf8_error()))?;
        Ok((status, text))
    }

    pub(crate) fn attempt_bytes(
        &self,
        call: Unsigned<'_>,
        proof: &[(String, String)],
        limit: u64,
    ) -> Result<(u16, Vec<u8>), ureq::Error> {
        let mut request = ureq::http::Request::builder().method(call.method).uri(call.url);
        for (name, value) in call.headers {
            request = request.header(*name, value);
        }
        for (name, value) in proof {
            request = request.header(name, value);
        }
        let mut answer = match call.body {
            "" => self.agent.run(request.body(())?)?,
            body => self.agent.run(request.body(body)?)?,
        };
        let bytes = answer.body_mut().with_config().limit(limit).read_to_vec()?;
        Ok((answer.status().as_u16(), bytes))
    }

    /// What the service answers, if it is Countersign's answer about what was asked for.
    fn understood<T: Answer>(
        &self,
        (status, text): (u16, String),
        target: &str,
        token: Option<&Secret>,
    ) -> Result<(T, usize), Error> {
        if !(200..=299).contains(&status) {
            return Err(Error::Refused(Box::new(self.refusal(status, &text, token))));
        }
        // Strictly: what is read in another way than its digest was made is not what was approved.
        let answer =
            canonical::read_answer(text.as_bytes()).ok().and_then(|answer| T::deserialize(answer).ok());
        let answer = answer.ok_or_else(|| Error::NotCountersign {
            url: self.url().to_owned(),
            has_path: self.endpoint.has_path(),
        })?;
        if answer.is_about(answer::named_in(target)) {
            Ok((answer, text.len()))
        } else {
            Err(self.odd("it names another request than the one that was asked for, or none"))
        }
    }

    /// An answer that Countersign would not give: nothing of it is believed or shown.
    pub(crate) fn odd(&self, what: &str) -> Error {
        Error::Implausible { url: self.url().to_owned(), what: what.to_owned() }
    }

    fn refusal(&self, status: u16, text: &str, token: Option<&Secret>) -> Refusal {
        let mut refusal = Refusal::read(status, text);
        if self.signer().is_some() {
            // The gateway refuses without a problem document.
            if status == 401 || (status == 403 && refusal.code.is_none()) {
                refusal = refusal.of_signed_call();
            }
        } else if status == 401 {
            refusal.fault = Some(TokenFault::of(token, SystemHost::default().now()));
        }
        let is_misplaced = matches!(refusal.code, None | Some(Code::RouteNotFound))
            && matches!(status, 300..=399 | 404)
            && self.endpoint.has_path();
        if is_misplaced { refusal.advised(Error::ADVICE_ON_PATH) } else { refusal }
    }

    /// Why there is no answer, and what to do about it.
    pub(crate) fn unreachable(&self, error: &ureq::Error) -> Error {
        let is_plain = self.endpoint.base().starts_with("http://");
        let advice = match error {
            error if let Some(error) = certificate_error(error) => advice_on_certificate(error),
            ureq::Error::Timeout(_) => {
                return Error::TimedOut { url: self.url().to_owned(), seconds: TIMEOUT.as_secs() };
            }
            ureq::Error::BodyExceedsLimit(_) => {
                return self.odd(&format!("its answer is longer than {MAX_ANSWER_BYTES} bytes"));
            }
            ureq::Error::HostNotFound => "there is no such host: is the URL right?",
            ureq::Error::ConnectionFailed => {
                "nothing listens there: is the service running, and the port right?"
            }
            ureq::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => {
                "nothing listens there: is the service running, and the port right?"
            }
            // An alert of TLS is not HTTP, and what is no TLS is often HTTP.
            ureq::Error::Protocol(_) if is_plain => NO_HTTP,
            ureq::Error::Io(error) if is_plain && is_garbled(error) => NO_HTTP,
            ureq::Error::Io(error) if is_garbled(error) => NO_TLS,
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) => NO_TLS,
            _ => "is the service running, and the URL right?",
        };
        Error::Unreachable {
            url: self.url().to_owned(),
            is_through_proxy: matches!(self.endpoint.proxy(), Ok(Some(_))),
            reason: error.to_string(),
            advice,
        }
    }

    /// The request that the caller names. A beginning is looked for among what is open, then among what has
    /// closed, and must be the beginning of one alone.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn find(&self, name: &str) -> Result<RequestBody, Error> {
        let id = match RequestName::parse(name)? {
            RequestName::Id(id) => id.to_string(),
            RequestName::Prefix(prefix) => self.complete(&prefix)?,
        };
        self.get(&Operation::Get.path(&id))
    }

    fn complete(&self, prefix: &str) -> Result<String, Error> {
        let from = SystemHost::default().now().minus_seconds(CLOSED_DAYS * 24 * 60 * 60).to_string();
        let (open, closed): (Vec<Status>, Vec<Status>) = Status::iter().partition(|status| status.is_open());
        let mut found = self.beginning_with(prefix, &open, None)?;
        if found.is_empty() {
            found = self.beginning_with(prefix, &closed, Some(&from))?;
        }
        let found: Vec<_> = found.into_iter().collect();
        match found.as_slice() {
            [only] => Ok(only.clone()),
            [] => Err(Error::NoSuchRequest { prefix: prefix.to_owned(), days: CLOSED_DAYS }),
            several => Err(Error::Ambiguous { prefix: prefix.to_owned(), ids: several.to_vec() }),
        }
    }

    /// The ids in some statuses that begin so, each once: what changes meanwhile comes twice.
    fn beginning_with(
        &self,
        prefix: &str,
        statuses: &[Status],
        from: Option<&str>,
    ) -> Result<BTreeSet<String>, Error> {
        let query = ListQuery {
            status: statuses.to_vec(),
            from: from.map(str::to_owned),
            limit: Some(MAX_LIMIT),
            ..ListQuery::default()
        };
        let all = self.list(&query, true)?.items;
        Ok(all.into_iter().map(|item| item.request_id).filter(|id| id.starts_with(prefix)).collect())
    }

    /// A page of a list, or all of it in one.
    ///
    /// # Errors
    /// As for [`Self::health`], and when the pages do not end.
    pub fn list(&self, query: &ListQuery, all: bool) -> Result<ListBody, Error> {
        let limit = query.limit.and_then(|limit| usize::try_from(limit).ok());
        let mut query = query.clone();
        let mut items: Vec<SummaryBody> = Vec::new();
        let mut cursors: BTreeSet<String> = BTreeSet::new();
        let (mut damaged, mut bytes) = (0_usize, 0_usize);
        let host = SystemHost::default();
        for _ in 0..MAX_PAGES {
            if host.elapsed() > self.list_timeout {
                return Err(Error::ListTimedOut {
                    url: self.url().to_owned(),
                    seconds: self.list_timeout.as_secs(),
                });
            }
            let target = format!("{}{}", Operation::List.path_template(), query.text());
            let (page, length): (ListBody, usize) =
                self.sized_call("GET", &target, None, None, self.retries)?;
            if limit.is_some_and(|limit| page.items.len() > limit) {
                return Err(self.odd("a page holds more than was asked for"));
            }
            items.extend(page.items);
            damaged = damaged.saturating_add(page.damaged);
            bytes = bytes.saturating_add(length);
            let Some(cursor) = page.next_cursor else {
                return Ok(ListBody { items, next_cursor: None, damaged });
            };
            // It is printed, to be copied into a command line.
            let is_cursor = cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte));
            if !is_cursor || cursor.is_empty() || cursor.len() > MAX_CURSOR_LENGTH {
                return Err(self.odd("its cursor is none"));
            }
            if !cursors.insert(cursor.clone()) {
                return Err(self.odd("its pages go round in a circle"));
            }
            // A page may be empty and not the last.
            if !all {
                return Ok(ListBody { items, next_cursor: Some(cursor), damaged });
            }
            if bytes > MAX_LIST_BYTES {
                break;
            }
            query.cursor = Some(cursor);
        }
        Err(Error::ListTooLong {
            url: self.url().to_owned(),
            pages: MAX_PAGES,
            mebibytes: MAX_LIST_BYTES / (1024 * 1024),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::TokenSource;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    fn without_token(url: String) -> Settings {
        let token = TokenSource::Nowhere;
        Settings { url, ca_bundle: None, aws_ca_bundle: None, token, profile: None }
    }

    #[test]
    fn a_certificate_that_is_not_trusted_gets_advice_of_its_own() {
        let url = "https://approvals.example.com".to_owned();
        let connection = Connection::to(&without_token(url)).unwrap();
        for (error, advice) in [
            (CertificateError::UnknownIssuer, "--ca-bundle"),
            (CertificateError::NotValidForName, "is the URL right?"),
            (CertificateError::Expired, "has expired"),
        ] {
            let error = rustls::Error::InvalidCertificate(error);
            // As it comes from the handshake.
            let wrapped = ureq::Error::Io(std::io::Error::new(ErrorKind::InvalidData, error.clone()));
            for error in [wrapped, ureq::Error::Rustls(error)] {
                let message = connection.unreachable(&error).to_string();
                assert!(message.contains(advice) && !message.contains("http://"), "{message}");
            }
        }
        let garbled = ureq::Error::Io(std::io::Error::from(ErrorKind::InvalidData));
        assert!(connection.unreachable(&garbled).to_string().contains(NO_TLS));
    }

    #[test]
    fn threat_71_a_list_whose_pages_are_slow_comes_to_an_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for (turn, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]);
                std::thread::sleep(Duration::from_millis(20));
                let body = format!(r#"{{"items":[],"next_cursor":"{turn}"}}"#);
                let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}", body.len());
                let _ = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes());
            }
        });
        let list_timeout = Duration::from_millis(300);
        let connection = Connection { list_timeout, ..Connection::to(&without_token(url)).unwrap() };
        let error = connection.list(&ListQuery::default(), true).unwrap_err();
        assert!(matches!(error, Error::ListTimedOut { .. }), "{error:?}");
    }
}
