//! As whom the service is called: nobody, the bearer of a token, or who is logged in.

use crate::client::config::ProfileName;
use crate::client::connection::agent;
use crate::client::environment::Environment;
use crate::client::oidc::{self, Login, log_in_again};
use crate::client::profile::{Settings, TokenSource};
use crate::client::secret::Secret;
use crate::client::token_store::TokenStore;
use crate::exit::Exit;
use crate::issuer;
use countersign_app::host::Host as _;
use countersign_host::system::SystemHost;
use countersign_host::text_file;

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
                let text = text_file::read_to_string(path);
                let text =
                    text.map_err(|error| Exit::from(format!("{named_by} {}: {error}", path.display())))?;
                Ok(Self::Token(Secret::new(&text)))
            }
            (TokenSource::Login, Some((name, profile))) => {
                let agent = agent(settings.ca_bundle.as_deref(), issuer::TIMEOUT)?;
                Ok(Self::Login(Box::new(LoggedIn {
                    store: TokenStore::at(&Environment::of_process().token_directory()?),
                    name: name.clone(),
                    client: oidc::Client::new(profile, agent)?,
                })))
            }
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
    fn current(&self, now: &dyn Fn() -> countersign_core::timestamp::Timestamp) -> Result<Login, Exit> {
        // What another issuer gave, before the profile was changed, is not for this one to renew.
        let renew = |login: &Login| match self.client.is_of(login) {
            true => self.client.renew(login, now()),
            false => Err(log_in_again()),
        };
        let login = self.store.fresh(&self.name, now, &renew)?;
        if self.client.is_of(&login) { Ok(login) } else { Err(log_in_again()) }
    }
}
