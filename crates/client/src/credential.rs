//! As whom the service is called: without a token, as the bearer of a token, or who is logged in.

use crate::config::{ConfigurationError, ProfileName};
use crate::environment::Environment;
use crate::lasting;
use crate::oidc::{self, Login, LoginError};
use crate::profile::{Settings, TokenSource};
use crate::secret::Secret;
use crate::signing::Signer;
use crate::token_store::{TokenStore, TokenStoreError};
use countersign_app::host::Clock as _;
use countersign_core::timestamp::Timestamp;
use countersign_identity::claim_path::Claims;
use countersign_identity::jws;
use countersign_system::system::SystemHost;
use countersign_system::{private_file, text_file};
use serde_json::Value;
use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;

/// Gets what signs calls of a service in a region, if the profile says which.
pub type SignerOf = fn(&Settings, Option<&str>) -> Result<Box<dyn Signer>, String>;

/// There is no token to send, or none that may be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The file of the token cannot be read, or others can read it too.
    #[error("{named_by} {}: {reason}", text_file::shown(path))]
    File {
        /// What names it.
        named_by: &'static str,
        /// Its path.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// There is nothing in the file.
    #[error("{named_by} {}: there is no token in it", text_file::shown(path))]
    EmptyFile {
        /// What names it.
        named_by: &'static str,
        /// Its path.
        path: PathBuf,
    },
    /// The token of a profile is for another service than the one that is called.
    #[error(
        "profile {profile} is for another service, which its token is not sent to; leave out --url, choose another \
         --profile, or give a token with COUNTERSIGN_TOKEN or --token-file"
    )]
    OfAnotherService {
        /// The profile.
        profile: ProfileName,
    },
    /// The token was copied with the word that stands before it in the header.
    #[error(
        "the token begins with `Bearer `, which is a word of the header and not of the token: leave it out"
    )]
    SchemeInToken,
    /// The text is no bearer token.
    #[error("the token has characters in it that no token has: was it copied with something else?")]
    NotAToken,
    /// Who began the command is not who is logged in now, and has seen nothing of what it has shown.
    #[error(
        "another person has logged in at profile {profile} since this command began; nothing more is sent"
    )]
    AnotherPerson {
        /// The profile.
        profile: ProfileName,
    },
    /// Calls are to be signed, and cannot be.
    #[error("calls cannot be signed: {0}")]
    Signing(String),
    /// The configuration names no place for logins.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// There is no login that can be used.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// The login cannot be read or kept.
    #[error(transparent)]
    Store(#[from] TokenStoreError),
}

/// Why a service may not accept a token, as far as the token itself says, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// None was sent.
    Missing,
    /// It is no JSON Web Token.
    Unreadable,
    /// It has ended.
    Expired {
        /// How long ago.
        ago_milliseconds: i64,
    },
    /// The call was signed, and has no token.
    Signed,
    /// None that can be seen from here.
    Unknown,
}

impl TokenFault {
    /// What is wrong with a token.
    pub fn of(token: Option<&Secret>, now: Timestamp) -> Self {
        let Some(token) = token else { return Self::Missing };
        let Ok(claims) = jws::claims(token.expose()) else { return Self::Unreadable };
        match expiry(&claims) {
            Some(end) if end <= now => {
                Self::Expired { ago_milliseconds: now.as_millisecond() - end.as_millisecond() }
            }
            Some(_) | None => Self::Unknown,
        }
    }
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str(
                "no token was sent: set COUNTERSIGN_TOKEN to one, name a --token-file, or run `countersign login`",
            ),
            Self::Unreadable => f.write_str(
                "your token cannot be read: it is not a JSON Web Token; was all of it copied?",
            ),
            Self::Expired { ago_milliseconds } => write!(
                f,
                "your token has expired, {} ago: get a new one, as from `countersign login` or `countersign token`",
                lasting::in_words(*ago_milliseconds)
            ),
            Self::Signed => f.write_str(
                "the call was signed with credentials of AWS: the URL must be that of the API for signed calls \
                 (`IamApiUrl`), and your role needs `execute-api:Invoke`; `countersign doctor` says more",
            ),
            Self::Unknown => f.write_str(
                "your token can be read and has not expired: it may be signed with another key (`countersign token \
                 --data-dir` must be the server's), or be of another issuer or for another audience; `countersign \
                 doctor` says more",
            ),
        }
    }
}

/// When a token ends, as it says.
pub fn expiry(claims: &Claims) -> Option<Timestamp> {
    let seconds = claims.get("exp").and_then(Value::as_i64)?;
    Some(Timestamp::from_millisecond(seconds.saturating_mul(1000)))
}

/// Whom a token names; empty if it does not say.
pub fn person(claims: &Claims) -> String {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    text("email").or_else(|| text("sub")).unwrap_or_default()
}

/// As whom the service is called.
#[derive(Debug)]
pub enum Credential {
    /// No token.
    Nobody,
    /// The caller whom this token names, as long as it is good.
    Token(Secret),
    /// The caller who is logged in at a profile; the token is renewed while the program runs.
    Login(Box<LoggedIn>),
    /// The caller whose credentials sign each call.
    Signer(Box<dyn Signer>),
}

/// A login, and how it is renewed.
#[derive(Debug)]
pub struct LoggedIn {
    /// Issuer and subject that the command began with.
    began_as: OnceLock<Option<(String, String)>>,
    store: TokenStore,
    name: ProfileName,
    client: oidc::Client,
}

impl Credential {
    /// The credential that the settings name; `signer` gets what signs calls, if they are to be signed.
    ///
    /// # Errors
    /// When a file cannot be read, the profile is for another service, or there is nothing to sign with.
    pub fn of(settings: &Settings, signer: SignerOf) -> Result<Self, CredentialError> {
        match (&settings.token, &settings.profile) {
            (TokenSource::Signed { region }, _) => {
                let signer = signer(settings, region.as_deref()).map_err(CredentialError::Signing)?;
                Ok(Self::Signer(signer))
            }
            (TokenSource::Environment(token), _) => Ok(Self::Token(token.clone())),
            (TokenSource::File { named_by, path }, _) => {
                let text = private_file::read(path).map_err(|error| CredentialError::File {
                    named_by,
                    path: path.clone(),
                    reason: error.to_string(),
                })?;
                let token = Secret::new(&text);
                match token.expose() {
                    "" => Err(CredentialError::EmptyFile { named_by, path: path.clone() }),
                    _ => Ok(Self::Token(token)),
                }
            }
            (TokenSource::Login, Some((name, profile))) => Ok(Self::Login(Box::new(LoggedIn {
                began_as: OnceLock::new(),
                store: TokenStore::at(&Environment::of_process().token_directory()?),
                name: name.clone(),
                client: oidc::Client::new(profile, settings.ca_bundle.as_deref())?,
            }))),
            (TokenSource::OfAnotherUrl, Some((name, _))) => {
                Err(CredentialError::OfAnotherService { profile: name.clone() })
            }
            (TokenSource::Nowhere | TokenSource::Login | TokenSource::OfAnotherUrl, _) => Ok(Self::Nobody),
        }
    }

    /// The token for the next call, if calls have one.
    ///
    /// # Errors
    /// When the caller has to log in, or the issuer cannot be asked for the next token.
    pub fn token(&self) -> Result<Option<Secret>, CredentialError> {
        match self {
            Self::Nobody | Self::Signer(_) => Ok(None),
            Self::Token(token) if !token.is_bearer_token() => {
                let begins = token.expose().get(..7).is_some_and(|word| word.eq_ignore_ascii_case("bearer "));
                Err(if begins { CredentialError::SchemeInToken } else { CredentialError::NotAToken })
            }
            Self::Token(token) => Ok(Some(token.clone())),
            Self::Login(login) => {
                let host = SystemHost::default();
                let login = login.current(&|| host.now())?;
                Ok(Some(login.token))
            }
        }
    }
}

impl LoggedIn {
    /// The login, renewed if it must be.
    ///
    /// # Errors
    /// Besides those of [`TokenStore::fresh`]: another person has logged in since the command began, who has
    /// seen nothing of what it has shown.
    fn current(&self, now: &dyn Fn() -> Timestamp) -> Result<Login, CredentialError> {
        let kept = self.store.read(&self.name)?;
        let began_as = self.began_as.get_or_init(|| kept.as_ref().map(Login::subject));
        let renew = |login: &Login| {
            self.client.check(login)?;
            self.client.renew(login, now())
        };
        // Nothing is lost if the issuer cannot be reached: the token is kept nowhere.
        let discard = |login: &Login| drop(self.client.revoke(login));
        let login = self.store.fresh(&self.name, now, &renew, &discard)?;
        self.client.check(&login)?;
        if began_as.as_ref().is_some_and(|began_as| *began_as != login.subject()) {
            return Err(CredentialError::AnotherPerson { profile: self.name.clone() });
        }
        Ok(login)
    }
}
