//! Calls through API Gateway: who calls, and the answer as the gateway wants it.

use crate::environment::{Environment, InvalidVariable};
use crate::invocation::HttpEvent;
use countersign_api::call::Input;
use countersign_api::problem::Problem;
use countersign_api::reply::Reply;
use countersign_core::caller::{Caller, Channel};
use countersign_core::timestamp::Timestamp;
use countersign_identity::claim_path::ClaimPath;
use countersign_identity::claims::ClaimNames;
use countersign_identity::error::InvalidToken;
use countersign_identity::gateway::Gateway;
use countersign_identity::key_set::KeySet;
use countersign_identity::token::{self, Keys, Verifier};
use countersign_system::text_file;
use serde::Serialize;
use std::collections::BTreeMap;

/// What is expected of a bearer token.
#[derive(Debug, Clone, Default)]
pub struct Authentication {
    gateway: Gateway,
    /// Verifies the signature here as well, whatever the gateway says.
    verifier: Option<Verifier>,
}

impl Authentication {
    /// From `EMAIL_CLAIM`, `GROUPS_CLAIM`, `OIDC_EMAIL_TRUSTED`, `OIDC_ISSUER`, `OIDC_AUDIENCE` and
    /// `JWKS`, which is a key set (RFC 7517) itself or the path of one.
    ///
    /// # Errors
    /// A variable that cannot be used; a key set without issuer and audience.
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
        let verifier = match environment.optional("JWKS") {
            None => None,
            Some(keys) => Some(Verifier {
                keys: Keys::Issuer(key_set(keys)?),
                issuer: environment.required("OIDC_ISSUER")?,
                audiences: environment.required("OIDC_AUDIENCE").map(|_| audiences.clone())?,
                claim_names: claim_names.clone(),
                channel: Channel::Api,
            }),
        };
        let gateway = Gateway {
            issuer: environment.optional("OIDC_ISSUER").map(str::to_owned),
            audiences,
            claim_names,
        };
        Ok(Self { gateway, verifier })
    }

    /// Who calls. Nothing of the body is looked at.
    ///
    /// # Errors
    /// 401, with the reason for the log.
    pub fn actor(&self, event: &HttpEvent, now: Timestamp) -> Result<Caller, Problem> {
        let token = token::bearer(&event.header("authorization")).map_err(Problem::unauthenticated)?;
        let actor =
            self.verify(token, event, now).map_err(|error| Problem::unauthenticated(error.to_string()))?;
        Ok(Caller { source_ip: Some(event.source_ip()), ..actor })
    }

    fn verify(&self, token: &str, event: &HttpEvent, now: Timestamp) -> Result<Caller, InvalidToken> {
        match (&self.verifier, event.claims()) {
            (Some(verifier), Some(claims)) => {
                self.gateway.describes(token, claims)?;
                verifier.verify(token, now)
            }
            // No authorizer has seen it, as on a developer's machine; the signature is enough.
            (Some(verifier), None) => verifier.verify(token, now),
            (None, Some(claims)) => self.gateway.verify(token, claims, now),
            (None, None) => Err(InvalidToken::NotDescribed),
        }
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
    Input::Http {
        request_id: event.path_id().map(str::to_owned),
        query: event.query().to_owned(),
        content_type: (!types.is_empty()).then(|| types.join(",")),
        body: event.body(),
        // Several are something that no key is.
        idempotency_key: (!keys.is_empty()).then(|| keys.join("\n")),
    }
}

/// An answer in payload format 2.0.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpAnswer {
    status_code: u16,
    headers: BTreeMap<&'static str, String>,
    body: String,
    is_base64_encoded: bool,
}

/// A reply as the gateway wants it.
pub fn answer(reply: Reply, correlation_id: &str) -> HttpAnswer {
    let mut headers = BTreeMap::from([
        ("content-type", reply.content_type.to_owned()),
        // What is shown depends on who asks and on when.
        ("cache-control", "no-store".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        ("x-correlation-id", correlation_id.to_owned()),
    ]);
    headers.extend(reply.headers);
    HttpAnswer { status_code: reply.status, headers, body: reply.body.into_owned(), is_base64_encoded: false }
}
