//! An OpenID Connect issuer, as a public client sees it: the device authorization grant (RFC 8628),
//! refresh tokens (RFC 6749 section 6) and revocation (RFC 7009).
//!
//! Knows no terminal, and no files but certificates; what time it is and how to wait are handed in.

use crate::client::config::Profile;
use crate::client::connection::agent;
use crate::client::profile;
use crate::client::secret::Secret;
use crate::endpoint::{self, Endpoint};
use crate::exit::Exit;
use crate::issuer::{MAX_ANSWER_BYTES, TIMEOUT, discovery_url};
use countersign_core::text::escaped_line;
use countersign_core::timestamp::Timestamp;
use countersign_identity::jws;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

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

/// RFC 8628 section 3.2: what the person is told, and what is asked with.
#[derive(Debug, Clone, Deserialize)]
pub struct DeviceCode {
    device_code: Secret,
    /// What the person types in. As the issuer wrote it: escape it.
    pub user_code: String,
    /// Where.
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

/// How an issuer says no.
enum AppError {
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
pub fn issuer_of(profile: &Profile) -> Result<Endpoint, Exit> {
    let issuer = profile.oidc_issuer.as_deref().ok_or_else(no_issuer)?;
    Endpoint::parse_base(issuer)
        .map_err(|rule| Exit::usage(format!("oidc_issuer {}: {rule}", endpoint::shown(issuer))))
}

fn no_issuer() -> Exit {
    Exit::usage(
        "the profile has no issuer: give it one with `countersign config set-profile NAME --oidc-issuer URL \
         --oidc-client-id ID`"
            .to_owned(),
    )
}

impl Client {
    /// Gets ready; nothing is sent yet.
    ///
    /// # Errors
    /// When the profile does not say who the issuer is, or the issuer cannot be asked safely.
    pub fn new(profile: &Profile, ca_bundle: Option<&Path>) -> Result<Self, Exit> {
        let endpoint = issuer_of(profile)?;
        let (Some(issuer), Some(client_id)) = (&profile.oidc_issuer, &profile.oidc_client_id) else {
            return Err(no_issuer());
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
    pub fn check(&self, login: &Login) -> Result<(), Exit> {
        if login.service != self.service {
            return Err(Exit::refused(format!(
                "your login was made for {}, and is not sent to {}: run `countersign login`",
                escaped_line(&login.service),
                escaped_line(&self.service)
            )));
        }
        if self.is_of(login) { Ok(()) } else { Err(log_in_again()) }
    }

    /// Asks the issuer where its doors are.
    ///
    /// # Errors
    /// When it does not say, speaks for somebody else, or names a door that others can listen at.
    pub fn discover(&self) -> Result<ProviderMetadata, Exit> {
        let url = discovery_url(&self.issuer);
        let request = ureq::http::Request::get(&url).header("accept", "application/json");
        let agent = self.agent(&url)?;
        let answer = request.body(()).map_err(ureq::Error::from).and_then(|request| agent.run(request));
        let answer = answer.map_err(|error| AppError::Unreachable(error.to_string()));
        let description: ProviderMetadata = self.read(answer).map_err(|failure| self.failed(&failure))?;
        // OpenID Connect Discovery 1.0 section 4.3. Whether there is a slash at the end is often mistaken.
        if description.issuer.trim_end_matches('/') != self.issuer.trim_end_matches('/') {
            return Err(Exit::from(format!(
                "{} says that it is {}; put that into the profile's oidc_issuer if it is meant",
                escaped_line(&url),
                escaped_line(&description.issuer)
            )));
        }
        let doors = [
            Some(&description.token_endpoint),
            description.device_authorization_endpoint.as_ref(),
            description.revocation_endpoint.as_ref(),
        ];
        let open_door = doors.into_iter().flatten().find(|door| !self.may_name(door));
        match open_door {
            Some(door) => Err(Exit::from(format!(
                "{} names {}, which is not https or is on this machine",
                escaped_line(&url),
                escaped_line(door)
            ))),
            None => Ok(description),
        }
    }

    /// Asks for a code that the person types in elsewhere.
    ///
    /// # Errors
    /// When the issuer has no device grant, or does not give one to this client.
    pub fn begin(&self, description: &ProviderMetadata) -> Result<DeviceCode, Exit> {
        let Some(url) = &description.device_authorization_endpoint else {
            return Err(Exit::from(format!(
                "{} has no device grant (Amazon Cognito has none); put a token into a file and name it with \
                 --token-file, or set COUNTERSIGN_TOKEN",
                escaped_line(&self.issuer)
            )));
        };
        let scope = self.scope(description);
        let mut form = vec![("client_id", self.client_id.as_str()), ("scope", scope.as_str())];
        form.extend(self.audience.as_deref().map(|audience| ("audience", audience)));
        let code: DeviceCode = self.post(url, &form).map_err(|failure| self.failed(&failure))?;
        if code.user_code.chars().count() > MAX_USER_CODE {
            return Err(Exit::from(format!(
                "{} gave a code of more than {MAX_USER_CODE} characters to enter; it was not asked further",
                escaped_line(&self.issuer)
            )));
        }
        let code = DeviceCode { expires_in: code.expires_in.min(MAX_WAIT.as_secs()), ..code };
        let uris = [Some(&code.verification_uri), code.verification_uri_complete.as_ref()];
        let open_uri = uris.into_iter().flatten().find(|uri| !self.may_name(uri));
        match open_uri {
            Some(uri) => Err(Exit::from(format!(
                "the issuer sends you to {}, which is not https or is on this machine; it was not asked further",
                escaped_line(uri)
            ))),
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
    ) -> Result<Login, Exit> {
        let form = [
            ("grant_type", DEVICE_GRANT),
            ("device_code", code.device_code.expose()),
            ("client_id", self.client_id.as_str()),
        ];
        let too_late = |lost: &Option<String>| {
            let but = lost.as_ref().map_or_else(String::new, |reason| {
                format!(", as far as the issuer could be asked: {}", escaped_line(reason))
            });
            Exit::timed_out(format!("the code was not entered in time{but}; try again"))
        };
        let mut lost = None;
        let interval = code.interval.map_or(DEFAULT_INTERVAL, Duration::from_secs);
        let mut interval = interval.clamp(MIN_INTERVAL, MAX_INTERVAL);
        let mut left = Duration::from_secs(code.expires_in).min(MAX_WAIT);
        loop {
            left = left.checked_sub(interval).ok_or_else(|| too_late(&lost))?;
            pace.pause(interval);
            let failure = match self.post::<TokenAnswer>(&description.token_endpoint, &form) {
                Ok(answer) => return self.login(description, answer, None, pace.now()),
                Err(failure) => failure,
            };
            match &failure {
                AppError::Refused(refusal) => match refusal.error.as_str() {
                    "authorization_pending" => {}
                    "slow_down" => interval += SLOWER,
                    "access_denied" => {
                        return Err(Exit::refused("the issuer was told no: nobody is logged in".to_owned()));
                    }
                    "expired_token" => return Err(too_late(&None)),
                    _ => return Err(self.failed(&failure)),
                },
                // RFC 8628 section 3.5: an issuer that cannot be reached is asked less often.
                AppError::Unreachable(reason) => {
                    lost = Some(reason.clone());
                    interval = (interval * 2).clamp(DEFAULT_INTERVAL, MAX_INTERVAL);
                }
                AppError::NotAsked(_) | AppError::NotUnderstood(_) => return Err(self.failed(&failure)),
            }
        }
    }

    /// Asks for the next token.
    ///
    /// # Errors
    /// Refused (3) when the issuer wants to see the person again, or names another one; anything else may
    /// pass.
    pub fn renew(&self, login: &Login, now: Timestamp) -> Result<Login, Exit> {
        let Some(refresh_token) = &login.refresh_token else { return Err(log_in_again()) };
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
                    return Err(Exit::refused(
                        "the issuer renewed your login with a token of another subject, which was not kept: run \
                         `countersign login`"
                            .to_owned(),
                    ));
                }
                Ok(renewed)
            }
            Err(AppError::Refused(refusal)) if refusal.error == "invalid_grant" => Err(log_in_again()),
            Err(failure) => Err(self.failed(&failure)),
        }
    }

    /// Tells the issuer that the refresh token is not needed any more. `false` when it takes no such
    /// message.
    ///
    /// # Errors
    /// When it could not be told.
    pub fn revoke(&self, login: &Login) -> Result<bool, Exit> {
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
            Ok(answer) => Err(Exit::from(format!("the issuer answered with status {}", answer.status()))),
            Err(failure) => Err(self.failed(&failure)),
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
    ) -> Result<Login, Exit> {
        let nothing = || {
            Exit::from(
                "the issuer gave no token that says who you are; the profile's oidc_scope must have openid \
                 and email in it"
                    .to_owned(),
            )
        };
        let is_id_token = answer.id_token.is_some();
        let token = answer.id_token.or(answer.access_token).ok_or_else(nothing)?;
        if !token.is_bearer_token() {
            return Err(nothing());
        }
        let claims = jws::claims(token.expose()).map_err(|_| nothing())?;
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
            return Err(Exit::from(
                "the issuer gave a token of another issuer, or for another client or audience".to_owned(),
            ));
        }
        if claims.get("sub").and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(nothing());
        }
        let expires_at_seconds = claims.get("exp").and_then(Value::as_f64).ok_or_else(nothing)?;
        // A fraction of a second is nobody's loss, and `as` stays within the numbers there are.
        let expires_at_seconds = expires_at_seconds as i64;
        if expires_at_seconds.saturating_mul(1000) <= now.as_millisecond() {
            return Err(Exit::from(
                "the issuer gave a token that has expired; is this machine's clock right?".to_owned(),
            ));
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

    fn post<T: DeserializeOwned>(&self, url: &str, form: &[(&str, &str)]) -> Result<T, AppError> {
        self.read(self.send(url, form))
    }

    fn send(&self, url: &str, form: &[(&str, &str)]) -> Result<ureq::http::Response<ureq::Body>, AppError> {
        let agent = self.agent(url).map_err(|exit| AppError::NotAsked(exit.message))?;
        let request = agent.post(url).header("accept", "application/json");
        request.send_form(form.iter().copied()).map_err(|error| AppError::Unreachable(error.to_string()))
    }

    /// What calls one of the issuer's endpoints: each may be on another host, and behind another proxy.
    fn agent(&self, url: &str) -> Result<ureq::Agent, Exit> {
        let endpoint =
            Endpoint::parse(url).map_err(|rule| Exit::usage(format!("{}: {rule}", endpoint::shown(url))))?;
        agent(self.ca_bundle.as_deref(), TIMEOUT, &endpoint)
    }

    fn read<T: DeserializeOwned>(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, AppError>,
    ) -> Result<T, AppError> {
        let unreachable = |error: ureq::Error| AppError::Unreachable(error.to_string());
        let mut answer = answer?;
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string();
        let text = text.map_err(unreachable)?;
        // What could not be understood is not told: there may be a token in it.
        let not_understood =
            |_| AppError::NotUnderstood(format!("its answer (status {status}) is not understood"));
        if status.is_success() {
            return serde_json::from_str(&text).map_err(not_understood);
        }
        Err(serde_json::from_str(&text).map_or_else(not_understood, AppError::Refused))
    }

    fn failed(&self, failure: &AppError) -> Exit {
        let issuer = escaped_line(&self.issuer);
        match failure {
            AppError::Refused(refusal) => {
                let description = refusal.error_description.as_deref().unwrap_or_default();
                let said: String = format!("{} {description}", refusal.error).chars().take(300).collect();
                Exit::from(format!("{issuer} refuses: {}", escaped_line(said.trim())))
            }
            AppError::NotAsked(reason) => Exit::usage(reason.clone()),
            AppError::Unreachable(reason) | AppError::NotUnderstood(reason) => {
                Exit::from(format!("{issuer} cannot be asked: {}", escaped_line(reason)))
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

/// The issuer wants to see the person.
pub fn log_in_again() -> Exit {
    Exit::refused("your login has ended: run `countersign login`".to_owned())
}
