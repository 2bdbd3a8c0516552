//! As whom the service is called: nobody, the bearer of a token, or who is logged in.

use crate::client::config::ProfileName;
use crate::client::environment::Environment;
use crate::client::moment::RelativeTime;
use crate::client::oidc::{self, Login};
use crate::client::profile::{Settings, TokenSource};
use crate::client::secret::Secret;
use crate::client::token_store::TokenStore;
use crate::exit::Exit;
use crate::private_file;
use countersign_app::host::Host as _;
use countersign_core::text::escaped_line;
use countersign_core::timestamp::Timestamp;
use countersign_identity::jws;
use countersign_system::system::SystemHost;
use std::sync::OnceLock;

/// As whom the service is called.
#[derive(Debug)]
pub enum Credential {
    /// Nobody.
    Nobody,
    /// Whoever this token names, as long as it is good.
    Token(Secret),
    /// Whoever is logged in at a profile; the token is renewed while the program runs.
    Login(Box<LoggedIn>),
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
    /// The credential that the settings name.
    ///
    /// # Errors
    /// When a file cannot be read, or the profile is for another service.
    pub fn of(settings: &Settings) -> Result<Self, Exit> {
        match (&settings.token, &settings.profile) {
            (TokenSource::Environment(token), _) => Ok(Self::Token(token.clone())),
            (TokenSource::File { named_by, path }, _) => {
                let shown = escaped_line(&path.display().to_string());
                let text = private_file::read(path)
                    .map_err(|error| Exit::from(format!("{named_by} {shown}: {error}")))?;
                let token = Secret::new(&text);
                match token.expose() {
                    "" => Err(Exit::usage(format!("{named_by} {shown}: there is no token in it"))),
                    _ => Ok(Self::Token(token)),
                }
            }
            (TokenSource::Login, Some((name, profile))) => Ok(Self::Login(Box::new(LoggedIn {
                began_as: OnceLock::new(),
                store: TokenStore::at(&Environment::of_process().token_directory()?),
                name: name.clone(),
                client: oidc::Client::new(profile, settings.ca_bundle.as_deref())?,
            }))),
            (TokenSource::OfAnotherUrl, Some((name, _))) => Err(Exit::usage(format!(
                "profile {name} is for another service, which its token is not sent to; leave out --url, \
                 choose another --profile, or give a token with COUNTERSIGN_TOKEN or --token-file"
            ))),
            (TokenSource::Nowhere | TokenSource::Login | TokenSource::OfAnotherUrl, _) => Ok(Self::Nobody),
        }
    }

    /// The token for the next call.
    ///
    /// # Errors
    /// When somebody has to log in, or the issuer cannot be asked for the next token.
    pub fn token(&self) -> Result<Option<Secret>, Exit> {
        match self {
            Self::Nobody => Ok(None),
            Self::Token(token) if !token.is_bearer_token() => {
                let begins = token.expose().get(..7).is_some_and(|word| word.eq_ignore_ascii_case("bearer "));
                let fault = if begins {
                    "the token begins with `Bearer `, which is a word of the header and not of the token: leave it out"
                } else {
                    "the token has characters in it that no token has: was it copied with something else?"
                };
                Err(Exit::usage(fault.to_owned()))
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

/// Why a service may not accept a token, as far as the token itself says, and what to do.
pub fn fault(token: Option<&Secret>, now: Timestamp) -> String {
    let Some(token) = token else {
        return "no token was sent: set COUNTERSIGN_TOKEN to one, name a --token-file, or run `countersign login`"
            .to_owned();
    };
    let Ok(claims) = jws::claims(token.expose()) else {
        return "your token cannot be read: it is not a JSON Web Token; was all of it copied?".to_owned();
    };
    let end = claims.get("exp").and_then(serde_json::Value::as_i64);
    match end.map(|seconds| Timestamp::from_millisecond(seconds.saturating_mul(1000))) {
        Some(end) if end <= now => format!(
            "your token has expired, {}: get a new one, as from `countersign login` or `countersign token`",
            RelativeTime::relative(now).ago(&end.to_string())
        ),
        _ => "your token can be read and has not expired: it may be signed with another key (`countersign token \
              --data-dir` must be the server's), or be of another issuer or for another audience; `countersign \
              doctor` says more"
            .to_owned(),
    }
}

impl LoggedIn {
    /// The login, renewed if it must be.
    ///
    /// # Errors
    /// Besides those of [`TokenStore::fresh`]: another person has logged in since the command began, who has
    /// seen nothing of what it has shown.
    fn current(&self, now: &dyn Fn() -> Timestamp) -> Result<Login, Exit> {
        let kept = self.store.read(&self.name)?;
        let began_as = self.began_as.get_or_init(|| kept.as_ref().map(Login::subject));
        let renew = |login: &Login| {
            self.client.check(login)?;
            self.client.renew(login, now())
        };
        // Nothing is lost if the issuer cannot be told: the token is kept nowhere.
        let discard = |login: &Login| drop(self.client.revoke(login));
        let login = self.store.fresh(&self.name, now, &renew, &discard)?;
        self.client.check(&login)?;
        if began_as.as_ref().is_some_and(|began_as| *began_as != login.subject()) {
            return Err(Exit::refused(format!(
                "another person has logged in at profile {} since this command began; nothing more is sent",
                self.name
            )));
        }
        Ok(login)
    }
}
