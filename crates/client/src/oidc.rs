//! An OpenID Connect issuer, as a public client sees it: the device authorization grant (RFC 8628),
//! refresh tokens (RFC 6749 section 6) and revocation (RFC 7009).
//!
//! Knows no terminal, and no files but certificates; what time it is and how to wait are handed in.

use crate::agent::{self, AgentError, agent};
use crate::config::Profile;
use crate::profile;
use crate::secret::Secret;
use countersign_core::text::escaped_line;
use countersign_core::timestamp::Timestamp;
use countersign_endpoint::{Endpoint, discovery_url};
use countersign_identity::jws;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most that is read of an issuer's answer, in bytes.
const MAX_ANSWER_BYTES: u64 = 1024 * 1024;
/// How long an issuer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// RFC 8628 section 3.2: how long to wait between questions if the issuer does not say.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
/// RFC 8628 section 3.5: how much longer after `slow_down`.
const SLOWER: Duration = Duration::from_secs(5);
/// No issuer is asked more often, even if it would have it so.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// An issuer that asks for more wants something else.
const MAX_INTERVAL: Duration = Duration::from_secs(60);
/// The longest that a code is waited for.
const MAX_WAIT: Duration = Duration::from_secs(30 * 60);
/// The longest code that a person would type in, in characters.
const MAX_USER_CODE: usize = 40;
/// What is asked for unless the profile says otherwise.
const DEFAULT_SCOPE: &str = "openid email offline_access";
/// RFC 8628 section 3.4.
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The time, and how to let it pass.
pub trait Clock {
    /// Now.
    fn now(&self) -> Timestamp;
    /// Comes back after a while.
    fn pause(&self, length: Duration);
}

/// This program at an issuer.
#[derive(Debug, Clone)]
pub struct Client {
    endpoint: Endpoint,
    /// Certificates to trust besides the public ones.
    ca_bundle: Option<PathBuf>,
    /// The service that tokens are for.
    service: String,
    issuer: String,
    client_id: String,
    audience: Option<String>,
    scope: Option<String>,
}

/// What an issuer says of itself.
#[derive(Debug, Clone, Deserialize)]
pub struct ProviderMetadata {
    issuer: String,
    token_endpoint: String,
    device_authorization_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    scopes_supported: Option<Vec<String>>,
}

/// RFC 8628 section 3.2: what the person is shown, and what is polled with.
#[derive(Debug, Clone, Deserialize)]
pub struct DeviceCode {
    device_code: Secret,
    /// What the person types in. As the issuer wrote it: escape it.
    pub user_code: String,
    /// The page on which the person enters the code.
    pub verification_uri: String,
    /// The same with the code in it.
    pub verification_uri_complete: Option<String>,
    /// How long the code is good for, in seconds; at most half an hour.
    pub expires_in: u64,
    interval: Option<u64>,
}

/// What the issuer gave.
#[derive(Debug, Deserialize)]
struct TokenAnswer {
    access_token: Option<Secret>,
    id_token: Option<Secret>,
    refresh_token: Option<Secret>,
}

/// RFC 6749 section 5.2.
#[derive(Debug, Deserialize)]
struct Refusal {
    error: String,
    error_description: Option<String>,
}

/// A token for the service, and how to get the next one. This is what is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The service that it was made for. It is sent to no other.
    pub service: String,
    /// Who gave it.
    pub issuer: String,
    /// To whom.
    pub client_id: String,
    /// What the service is sent.
    pub token: Secret,
    /// When that ends, in seconds since 1970.
    pub expires_at_seconds: i64,
    /// What the next one is asked for with.
    pub refresh_token: Option<Secret>,
}

/// There is no login, or not any more. Texts of others are escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The profile names no issuer.
    #[error(
        "the profile has no issuer: give it one with `countersign config set-profile NAME --oidc-issuer URL \
         --oidc-client-id ID`"
    )]
    NoIssuer,
    /// Nothing is sent to the issuer.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// Nothing was sent to one of its endpoints.
    #[error("{0}")]
    NotAsked(String),
    /// The issuer cannot be asked: the connection failed, or the answer is no OAuth 2.0.
    #[error("{} cannot be asked: {}", escaped_line(issuer), escaped_line(reason))]
    Unreachable {
        /// The issuer.
        issuer: String,
        /// The reason.
        reason: String,
    },
    /// An error of OAuth 2.0.
    #[error("{} refuses: {}", escaped_line(issuer), escaped_line(said))]
    Refused {
        /// The issuer.
        issuer: String,
        /// What it says.
        said: String,
    },
    /// The issuer did not take the revocation.
    #[error("the issuer answered with status {0}")]
    NotRevoked(String),
    /// What is at the issuer's URL describes another issuer.
    #[error(
        "{} says that it is {}; put that into the profile's oidc_issuer if it is meant",
        escaped_line(url),
        escaped_line(issuer)
    )]
    AnotherIssuer {
        /// Where it says so.
        url: String,
        /// Who it says that it is.
        issuer: String,
    },
    /// The issuer names an endpoint that others can listen at.
    #[error(
        "{} names {}, which is not https or is on this machine",
        escaped_line(url),
        escaped_line(endpoint)
    )]
    OpenEndpoint {
        /// Where it names it.
        url: String,
        /// The endpoint.
        endpoint: String,
    },
    /// The issuer has no device grant.
    #[error(
        "{} has no device grant (Amazon Cognito has none); put a token into a file and name it with \
         --token-file, or set COUNTERSIGN_TOKEN",
        escaped_line(issuer)
    )]
    NoDeviceGrant {
        /// The issuer.
        issuer: String,
    },
    /// A code that no person would type in.
    #[error(
        "{} gave a code of more than {MAX_USER_CODE} characters to enter; it was not asked further",
        escaped_line(issuer)
    )]
    LongCode {
        /// The issuer.
        issuer: String,
    },
    /// A page to which no person should be sent.
    #[error(
        "the issuer sends you to {}, which is not https or is on this machine; it was not asked further",
        escaped_line(uri)
    )]
    OpenPage {
        /// The page.
        uri: String,
    },
    /// The code was not entered in time.
    #[error(
        "the code was not entered in time{}; try again",
        lost.as_ref().map_or_else(String::new, |reason| {
            format!(", as far as the issuer could be asked: {}", escaped_line(reason))
        })
    )]
    TimedOut {
        /// Why the issuer could not be asked at last.
        lost: Option<String>,
    },
    /// The person said no.
    #[error("the issuer was told no: nobody is logged in")]
    Denied,
    /// The issuer gave no token that is of any use.
    #[error(
        "the issuer gave no token that says who you are; the profile's oidc_scope must have openid and email in it"
    )]
    NoToken,
    /// The token is not for this program.
    #[error("the issuer gave a token of another issuer, or for another client or audience")]
    TokenOfAnother,
    /// The token has ended already.
    #[error("the issuer gave a token that has expired; is this machine's clock right?")]
    ExpiredToken,
    /// The token of a renewal names another person.
    #[error(
        "the issuer renewed your login with a token of another subject, which was not kept: run `countersign login`"
    )]
    AnotherSubject,
    /// The login was made for another service.
    #[error(
        "your login was made for {}, and is not sent to {}: run `countersign login`",
        escaped_line(made_for),
        escaped_line(service)
    )]
    OfAnotherService {
        /// The service that it was made for.
        made_for: String,
        /// The service that is called.
        service: String,
    },
    /// The issuer wants to see the person.
    #[error("your login has ended: run `countersign login`")]
    Ended,
}

impl LoginError {
    /// Whether the issuer has refused, and not only the network failed.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Denied | Self::AnotherSubject | Self::OfAnotherService { .. } | Self::Ended)
    }
}

/// How an issuer says no.
enum Failure {
    /// An error of OAuth 2.0.
    Refused(Refusal),
    /// Nothing was sent.
    NotAsked(String),
    /// There was no answer: the connection failed, or it took too long.
    Unreachable(String),
    /// The answer is no OAuth 2.0.
    NotUnderstood(String),
}

/// Where the issuer of a profile is.
///
/// # Errors
/// When the profile names none, or one that is neither reached over https nor on this machine.
pub fn issuer_of(profile: &Profile) -> Result<Endpoint, LoginError> {
    let issuer = profile.oidc_issuer.as_deref().ok_or(LoginError::NoIssuer)?;
    Ok(agent::base("oidc_issuer ", issuer)?)
}

impl Client {
    /// Gets ready; nothing is sent yet.
    ///
    /// # Errors
    /// When the profile does not say who the issuer is, or the issuer cannot be asked safely.
    pub fn new(profile: &Profile, ca_bundle: Option<&Path>) -> Result<Self, LoginError> {
        let endpoint = issuer_of(profile)?;
        let (Some(issuer), Some(client_id)) = (&profile.oidc_issuer, &profile.oidc_client_id) else {
            return Err(LoginError::NoIssuer);
        };
        // Certificates that cannot be read are said before anything else.
        agent(ca_bundle, TIMEOUT, &endpoint)?;
        Ok(Self {
            endpoint,
            ca_bundle: ca_bundle.map(Path::to_owned),
            service: profile::url_of(profile).to_owned(),
            issuer: issuer.clone(),
            client_id: client_id.clone(),
            audience: profile.oidc_audience.clone(),
            scope: profile.oidc_scope.clone(),
        })
    }

    /// Whether a login is of this issuer, for this client.
    pub fn is_of(&self, login: &Login) -> bool {
        login.issuer == self.issuer && login.client_id == self.client_id
    }

    /// Whether a login may be used, and renewed here.
    ///
    /// # Errors
    /// Refused when it was made for another service, or by another issuer, before the profile was changed.
    pub fn check(&self, login: &Login) -> Result<(), LoginError> {
        if login.service != self.service {
            return Err(LoginError::OfAnotherService {
                made_for: login.service.clone(),
                service: self.service.clone(),
            });
        }
        if self.is_of(login) { Ok(()) } else { Err(LoginError::Ended) }
    }

    /// Asks the issuer where its endpoints are.
    ///
    /// # Errors
    /// When it does not say, is of another issuer, or names an endpoint that others can listen at.
    pub fn discover(&self) -> Result<ProviderMetadata, LoginError> {
        let url = discovery_url(&self.issuer);
        let request = ureq::http::Request::get(&url).header("accept", "application/json");
        let agent = self.agent(&url)?;
        let answer = request.body(()).map_err(ureq::Error::from).and_then(|request| agent.run(request));
        let answer = answer.map_err(|error| Failure::Unreachable(error.to_string()));
        let description: ProviderMetadata = self.read(answer).map_err(|failure| self.failed(failure))?;
        // OpenID Connect Discovery 1.0 section 4.3. Whether there is a slash at the end is often mistaken.
        if description.issuer.trim_end_matches('/') != self.issuer.trim_end_matches('/') {
            return Err(LoginError::AnotherIssuer { url, issuer: description.issuer });
        }
        let endpoints = [
            Some(&description.token_endpoint),
            description.device_authorization_endpoint.as_ref(),
            description.revocation_endpoint.as_ref(),
        ];
        let open = endpoints.into_iter().flatten().find(|endpoint| !self.may_name(endpoint));
        match open {
            Some(open) => Err(LoginError::OpenEndpoint { url, endpoint: open.clone() }),
            None => Ok(description),
        }
    }

    /// Asks for a code that the person types in elsewhere.
    ///
    /// # Errors
    /// When the issuer has no device grant, or does not give one to this client.
    pub fn begin(&self, description: &ProviderMetadata) -> Result<DeviceCode, LoginError> {
        let Some(url) = &description.device_authorization_endpoint else {
            return Err(LoginError::NoDeviceGrant { issuer: self.issuer.clone() });
        };
        let scope = self.scope(description);
        let mut form = vec![("client_id", self.client_id.as_str()), ("scope", scope.as_str())];
        form.extend(self.audience.as_deref().map(|audience| ("audience", audience)));
        let code: DeviceCode = self.post(url, &form).map_err(|failure| self.failed(failure))?;
        if code.user_code.chars().count() > MAX_USER_CODE {
            return Err(LoginError::LongCode { issuer: self.issuer.clone() });
        }
        let code = DeviceCode { expires_in: code.expires_in.min(MAX_WAIT.as_secs()), ..code };
        let uris = [Some(&code.verification_uri), code.verification_uri_complete.as_ref()];
        let open_uri = uris.into_iter().flatten().find(|uri| !self.may_name(uri));
        match open_uri {
            Some(uri) => Err(LoginError::OpenPage { uri: uri.clone() }),
            None => Ok(code),
        }
    }

    fn may_name(&self, url: &str) -> bool {
        Endpoint::parse(url).is_ok_and(|named| self.endpoint.may_name(&named))
    }

    /// Some issuers refuse what they do not know: what the profile does not insist on is left out.
    fn scope(&self, description: &ProviderMetadata) -> String {
        let is_supported = |scope: &&str| {
            let supported = description.scopes_supported.as_ref();
            supported.is_none_or(|supported| supported.iter().any(|known| known == scope))
        };
        let default = || DEFAULT_SCOPE.split(' ').filter(is_supported).collect::<Vec<_>>().join(" ");
        self.scope.clone().unwrap_or_else(default)
    }

    /// Asks until the person has decided, as often as the issuer wants to be asked.
    ///
    /// # Errors
    /// When they said no (3), nothing in time (7), or the issuer has no token for them.
    pub fn wait(
        &self,
        description: &ProviderMetadata,
        code: &DeviceCode,
        pace: &dyn Clock,
    ) -> Result<Login, LoginError> {
        let form = [
            ("grant_type", DEVICE_GRANT),
            ("device_code", code.device_code.expose()),
            ("client_id", self.client_id.as_str()),
        ];
        let mut lost = None;
        let interval = code.interval.map_or(DEFAULT_INTERVAL, Duration::from_secs);
        let mut interval = interval.clamp(MIN_INTERVAL, MAX_INTERVAL);
        let mut left = Duration::from_secs(code.expires_in).min(MAX_WAIT);
        loop {
            left = left.checked_sub(interval).ok_or_else(|| LoginError::TimedOut { lost: lost.clone() })?;
            pace.pause(interval);
            let failure = match self.post::<TokenAnswer>(&description.token_endpoint, &form) {
                Ok(answer) => return self.login(description, answer, None, pace.now()),
                Err(failure) => failure,
            };
            match &failure {
                Failure::Refused(refusal) => match refusal.error.as_str() {
                    "authorization_pending" => {}
                    "slow_down" => interval += SLOWER,
                    "access_denied" => return Err(LoginError::Denied),
                    "expired_token" => return Err(LoginError::TimedOut { lost: None }),
                    _ => return Err(self.failed(failure)),
                },
                // RFC 8628 section 3.5: an issuer that cannot be reached is asked less often.
                Failure::Unreachable(reason) => {
                    lost = Some(reason.clone());
                    interval = (interval * 2).clamp(DEFAULT_INTERVAL, MAX_INTERVAL);
                }
                Failure::NotAsked(_) | Failure::NotUnderstood(_) => return Err(self.failed(failure)),
            }
        }
    }

    /// Asks for the next token.
    ///
    /// # Errors
    /// Refused (3) when the issuer wants to see the person again, or names another one; anything else may
    /// pass.
    pub fn renew(&self, login: &Login, now: Timestamp) -> Result<Login, LoginError> {
        let Some(refresh_token) = &login.refresh_token else { return Err(LoginError::Ended) };
        let description = self.discover()?;
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose()),
            ("client_id", self.client_id.as_str()),
        ];
        match self.post(&description.token_endpoint, &form) {
            // An issuer that gives no new one lets the old one be used again.
            Ok(answer) => {
                let renewed = self.login(&description, answer, Some(refresh_token), now)?;
                // OpenID Connect Core 1.0 section 12.2.
                // Issuer and audience are those of any login, and written in more than one way.
                let subject = |login| claim(login, "sub");
                if subject(login).is_none() || subject(&renewed) != subject(login) {
                    return Err(LoginError::AnotherSubject);
                }
                Ok(renewed)
            }
            Err(Failure::Refused(refusal)) if refusal.error == "invalid_grant" => Err(LoginError::Ended),
            Err(failure) => Err(self.failed(failure)),
        }
    }

    /// Tells the issuer that the refresh token is not needed any more. `false` when it takes no such
    /// message.
    ///
    /// # Errors
    /// When the issuer could not be reached, or refused.
    pub fn revoke(&self, login: &Login) -> Result<bool, LoginError> {
        let description = self.discover()?;
        let (Some(url), Some(token)) = (&description.revocation_endpoint, &login.refresh_token) else {
            return Ok(false);
        };
        let form = [
            ("token", token.expose()),
            ("token_type_hint", "refresh_token"),
            ("client_id", self.client_id.as_str()),
        ];
        let answer = self.send(url, &form);
        match answer {
            Ok(answer) if answer.status().is_success() => Ok(true),
            Ok(answer) => Err(LoginError::NotRevoked(answer.status().to_string())),
            Err(failure) => Err(self.failed(failure)),
        }
    }

    /// The service asks for the e-mail, which is in the ID token; an access token is what is left
    /// when there is none. Whether it is genuine is for the service to find out: it came straight
    /// from the issuer, over TLS (OpenID Connect Core 1.0 section 3.1.3.7).
    fn login(
        &self,
        description: &ProviderMetadata,
        answer: TokenAnswer,
        refresh_token: Option<&Secret>,
        now: Timestamp,
    ) -> Result<Login, LoginError> {
        let is_id_token = answer.id_token.is_some();
        let token = answer.id_token.or(answer.access_token).ok_or(LoginError::NoToken)?;
        if !token.is_bearer_token() {
            return Err(LoginError::NoToken);
        }
        let claims = jws::claims(token.expose()).map_err(|_| LoginError::NoToken)?;
        let is_for = |audience: &str| match claims.get("aud") {
            Some(Value::Array(audiences)) => audiences.iter().any(|named| named == audience),
            Some(named) => named == audience,
            None => false,
        };
        let named_issuer = claims.get("iss").and_then(Value::as_str);
        let is_of_issuer = named_issuer == Some(description.issuer.as_str());
        let is_ours = if is_id_token {
            is_of_issuer && is_for(&self.client_id)
        } else {
            (is_of_issuer || !claims.contains_key("iss")) && self.audience.as_deref().is_none_or(is_for)
        };
        if !is_ours {
            return Err(LoginError::TokenOfAnother);
        }
        if claims.get("sub").and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(LoginError::NoToken);
        }
        let expires_at_seconds = claims.get("exp").and_then(Value::as_f64).ok_or(LoginError::NoToken)?;
        // A fraction of a second does not matter, and `as` stays within the numbers there are.
        let expires_at_seconds = expires_at_seconds as i64;
        if expires_at_seconds.saturating_mul(1000) <= now.as_millisecond() {
            return Err(LoginError::ExpiredToken);
        }
        Ok(Login {
            service: self.service.clone(),
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            token,
            expires_at_seconds,
            refresh_token: answer.refresh_token.or_else(|| refresh_token.cloned()),
        })
    }

    fn post<T: DeserializeOwned>(&self, url: &str, form: &[(&str, &str)]) -> Result<T, Failure> {
        self.read(self.send(url, form))
    }

    fn send(&self, url: &str, form: &[(&str, &str)]) -> Result<ureq::http::Response<ureq::Body>, Failure> {
        let agent = self.agent(url).map_err(|error| Failure::NotAsked(error.to_string()))?;
        let request = agent.post(url).header("accept", "application/json");
        request.send_form(form.iter().copied()).map_err(|error| Failure::Unreachable(error.to_string()))
    }

    /// What calls one of the issuer's endpoints: each may be on another host, and behind another proxy.
    fn agent(&self, url: &str) -> Result<ureq::Agent, AgentError> {
        let endpoint = Endpoint::parse(url).map_err(|rule| AgentError::Url {
            named_by: "",
            url: url.to_owned(),
            rule,
        })?;
        agent(self.ca_bundle.as_deref(), TIMEOUT, &endpoint)
    }

    fn read<T: DeserializeOwned>(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, Failure>,
    ) -> Result<T, Failure> {
        let unreachable = |error: ureq::Error| Failure::Unreachable(error.to_string());
        let mut answer = answer?;
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string();
        let text = text.map_err(unreachable)?;
        // What could not be understood is not repeated: there may be a token in it.
        let not_understood =
            |_| Failure::NotUnderstood(format!("its answer (status {status}) is not understood"));
        if status.is_success() {
            return serde_json::from_str(&text).map_err(not_understood);
        }
        Err(serde_json::from_str(&text).map_or_else(not_understood, Failure::Refused))
    }

    fn failed(&self, failure: Failure) -> LoginError {
        let issuer = self.issuer.clone();
        match failure {
            Failure::Refused(refusal) => {
                let description = refusal.error_description.as_deref().unwrap_or_default();
                let said: String = format!("{} {description}", refusal.error).chars().take(300).collect();
                LoginError::Refused { issuer, said: said.trim().to_owned() }
            }
            Failure::NotAsked(reason) => LoginError::NotAsked(reason),
            Failure::Unreachable(reason) | Failure::NotUnderstood(reason) => {
                LoginError::Unreachable { issuer, reason }
            }
        }
    }
}

impl Login {
    /// Whom it names: the issuer, and the subject there. Of a token that cannot be read, the token.
    pub fn subject(&self) -> (String, String) {
        let subject = claim(self, "sub").and_then(|subject| subject.as_str().map(str::to_owned));
        (self.issuer.clone(), subject.unwrap_or_else(|| self.token.expose().to_owned()))
    }
}

fn claim(login: &Login, name: &str) -> Option<Value> {
    jws::claims(login.token.expose()).ok()?.get(name).cloned()
}
