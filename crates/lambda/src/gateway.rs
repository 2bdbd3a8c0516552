//! Calls through API Gateway: who calls, and the answer as the gateway wants it.

use crate::environment::{Environment, InvalidVariable};
use crate::https::Client;
use crate::invocation::HttpEvent;
use crate::visitor::Visitors;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_api::call::Input;
use countersign_api::files::File;
use countersign_api::problem::{Code, Problem};
use countersign_api::reply::Reply;
use countersign_app::host::Clock;
use countersign_core::caller::{Caller, Channel};
use countersign_identity::claim_path::ClaimPath;
use countersign_identity::claims::ClaimNames;
use countersign_identity::gateway;
use countersign_identity::key_set::KeySet;
use countersign_identity::token::{self, Keys, Verifier};
use countersign_issuer::authenticator::Authenticator;
use countersign_issuer::source::Published;
use countersign_system::text_file;
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who may call through the gateway, and how that is found out.
#[derive(Debug, Clone)]
pub struct Authentication {
    claim_names: ClaimNames,
    authenticator: Arc<Authenticator>,
    visitors: Arc<Visitors>,
}

impl Authentication {
    /// From `OIDC_ISSUER`, `OIDC_AUDIENCE`, `EMAIL_CLAIM`, `GROUPS_CLAIM` and `OIDC_EMAIL_TRUSTED`. The issuer's keys
    /// are fetched with the first token, unless `JWKS` is a key set (RFC 7517) or the path of one. `AWS_CA_BUNDLE`
    /// names further roots that are trusted on the way to the issuer.
    ///
    /// # Errors
    /// A variable that is missing or cannot be used.
    pub fn read(environment: &Environment) -> Result<Self, InvalidVariable> {
        let defaults = ClaimNames::default();
        let groups = environment.names("GROUPS_CLAIM", &[]);
        let groups: Result<Vec<_>, _> = groups.iter().map(|path| ClaimPath::parse(path)).collect();
        let groups = groups.map_err(|rule| Environment::invalid("GROUPS_CLAIM", rule))?;
        let audiences = environment.names("OIDC_AUDIENCE", &[]);
        let audiences: Result<Vec<_>, _> = audiences.iter().map(|text| token::audience(text)).collect();
        let audiences = audiences.map_err(|rule| Environment::invalid("OIDC_AUDIENCE", rule))?;
        let claim_names = ClaimNames {
            email: environment.optional("EMAIL_CLAIM").unwrap_or(&defaults.email).to_owned(),
            groups: if groups.is_empty() { defaults.groups } else { groups },
            email_is_trusted: environment.switch("OIDC_EMAIL_TRUSTED")?,
        };
        let issuer = environment.required("OIDC_ISSUER")?;
        environment.required("OIDC_AUDIENCE")?;
        let verifier = |keys| Verifier {
            keys: Keys::Issuer(keys),
            issuer: issuer.clone(),
            audiences,
            claim_names: claim_names.clone(),
            channel: Channel::Api,
        };
        let authenticator = match environment.optional("JWKS") {
            Some(keys) => Authenticator::fixed(verifier(key_set(keys)?)),
            None => {
                let bundle = environment.file("AWS_CA_BUNDLE")?;
                let client = Client::new(bundle.as_deref());
                let client = client.map_err(|error| Environment::invalid("AWS_CA_BUNDLE", error))?;
                let source = Published::by(&issuer, client);
                let source = source.map_err(|rule| Environment::invalid("OIDC_ISSUER", rule))?;
                Authenticator::renewed_by_calls(verifier(KeySet::default()), Arc::new(source))
            }
        };
        let visitors = Arc::new(Visitors::fixed(None));
        Ok(Self { claim_names, authenticator: Arc::new(authenticator), visitors })
    }

    /// The same, with a dashboard whose calls are known by its key.
    #[must_use]
    pub fn with_visitors(self, visitors: Visitors) -> Self {
        Self { visitors: Arc::new(visitors), ..self }
    }

    /// Who calls. Nothing of the body is looked at.
    ///
    /// # Errors
    /// 401, with the reason for the log; 503 when the issuer's keys are not known.
    pub async fn actor(&self, event: &HttpEvent, clock: &dyn Clock) -> Result<Caller, Problem> {
        let token = token::bearer(&event.header("authorization")).map_err(Problem::unauthenticated)?;
        // Where no authorizer has seen the token, its signature is enough.
        if let Some((authorizer, claims)) = event.described() {
            gateway::check_described(token, authorizer, claims, &self.claim_names)
                .map_err(|error| Problem::unauthenticated(error.to_string()))?;
        }
        let caller = self.authenticator.authenticate(token, clock).await?;
        let caller = Caller { source_ip: Some(event.source_ip()), ..caller };
        self.visitors.caller(caller, event, token, clock).await
    }
}

fn key_set(text: &str) -> Result<KeySet, InvalidVariable> {
    let invalid = |rule: &str| Environment::invalid("JWKS", rule);
    let keys = if text.trim_start().starts_with('{') {
        text.to_owned()
    } else {
        text_file::read_to_string(text)
            .map_err(|_| invalid("is neither a key set nor a file of UTF-8 that can be read"))?
    };
    let keys =
        KeySet::read(&keys).map_err(|error| invalid(&format!("holds no key set (RFC 7517): {error}")))?;
    if keys.is_empty() {
        return Err(invalid("holds no key that can verify a token"));
    }
    Ok(keys)
}

/// What the call carries.
pub fn input(event: &HttpEvent) -> Input {
    let types = event.header("content-type");
    let keys = event.header("idempotency-key");
    let conditions = event.header("if-none-match");
    Input::Http {
        path: event.path_parameters(),
        query: event.query().to_owned(),
        content_type: (!types.is_empty()).then(|| types.join(",")),
        body: event.body(),
        // Several are something that no key is.
        idempotency_key: (!keys.is_empty()).then(|| keys.join("\n")),
        if_none_match: (!conditions.is_empty()).then(|| conditions.join(",")),
    }
}

/// An answer as both kinds of API take it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpAnswer {
    status_code: u16,
    headers: BTreeMap<Cow<'static, str>, String>,
    /// What an HTTP API makes headers `Set-Cookie` of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    body: String,
    is_base64_encoded: bool,
}

impl HttpAnswer {
    /// An answer with these headers. A header that is no text is left out.
    pub fn of(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |value: &HeaderValue| value.to_str().map(str::to_owned).ok();
        let others = headers.iter().filter(|(name, _)| *name != SET_COOKIE);
        let (body, is_base64_encoded) = encoded(body.to_vec());
        Self {
            status_code: status.as_u16(),
            headers: others
                .filter_map(|(name, value)| Some((name.to_string().into(), text(value)?)))
                .collect(),
            cookies: headers.get_all(SET_COOKIE).iter().filter_map(text).collect(),
            body,
            is_base64_encoded,
        }
    }
}

/// A body as an answer has it, and whether it is in base64.
fn encoded(bytes: Vec<u8>) -> (String, bool) {
    match String::from_utf8(bytes) {
        Ok(text) => (text, false),
        Err(bytes) => (STANDARD.encode(bytes.as_bytes()), true),
    }
}

/// The most bytes of a file that an answer can have: Lambda answers 6 MB, and bytes that are no text become four thirds as
/// many (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// Makes answers of files.
pub fn file_answer(correlation_id: &str) -> impl Fn(File) -> Result<HttpAnswer, Problem> {
    move |file| {
        if file.bytes.len() > MAX_FILE_BYTES {
            let detail = "the file is longer than a function can answer: read it in the bucket of the log";
            return Err(Problem::new(Code::StoreUnavailable, detail));
        }
        let mut headers = headers_of_all(correlation_id);
        headers.insert("content-type".into(), file.content_type.to_owned());
        let (body, is_base64_encoded) = encoded(file.bytes);
        Ok(HttpAnswer { status_code: 200, headers, cookies: Vec::new(), body, is_base64_encoded })
    }
}

/// What is shown depends on who asks and on when.
fn headers_of_all(correlation_id: &str) -> BTreeMap<Cow<'static, str>, String> {
    BTreeMap::from([
        ("cache-control".into(), "no-store".to_owned()),
        ("x-content-type-options".into(), "nosniff".to_owned()),
        ("x-correlation-id".into(), correlation_id.to_owned()),
    ])
}

/// A reply as the gateway wants it.
pub fn answer(reply: Reply, correlation_id: &str) -> HttpAnswer {
    let mut headers = headers_of_all(correlation_id);
    if !reply.content_type.is_empty() {
        headers.insert("content-type".into(), reply.content_type.to_owned());
    }
    headers.extend(reply.headers.into_iter().map(|(name, value)| (name.into(), value)));
    HttpAnswer {
        status_code: reply.status,
        headers,
        cookies: Vec::new(),
        body: reply.body.into_owned(),
        is_base64_encoded: false,
    }
}
