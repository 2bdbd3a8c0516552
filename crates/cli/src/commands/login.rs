//! `countersign login` and `countersign logout`.

use crate::connection_arguments::ProfileArgument;
use crate::error::CommandError;
use crate::view::times::RelativeTime;
use clap::Args;
use countersign_app::host::Clock as _;
use countersign_client::config::{Config, ConfigurationError, Profile, ProfileName};
use countersign_client::credential::person;
use countersign_client::environment::Environment;
use countersign_client::oidc::{Client, Clock, Login};
use countersign_client::profile;
use countersign_client::token_store::{Removed, TokenStore};
use countersign_core::text::escaped_line;
use countersign_core::timestamp::Timestamp;
use countersign_identity::jws;
use countersign_system::system::SystemHost;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// `countersign login` and `countersign logout`.
#[derive(Debug, Clone, Args)]
pub struct LoginArguments {
    /// The profile to log in to.
    #[command(flatten)]
    pub profile: ProfileArgument,

    /// Certificates to trust besides the public ones, PEM; or `COUNTERSIGN_CA_BUNDLE`
    #[arg(long, value_name = "FILE")]
    pub ca_bundle: Option<PathBuf>,
}

/// What both commands work on.
struct Place {
    name: ProfileName,
    profile: Profile,
    store: TokenStore,
    ca_bundle: Option<PathBuf>,
}

impl Place {
    fn of(arguments: &LoginArguments) -> Result<Self, CommandError> {
        let environment = Environment::of_process();
        let config = environment.config_path().map_or(Ok(Config::default()), |path| Config::read(&path))?;
        let selected = profile::selected(arguments.profile.profile.as_ref(), &environment, &config)?;
        let (name, profile) = selected.ok_or(ConfigurationError::NoProfile)?;
        let ca_bundle = arguments.ca_bundle.as_ref().or(environment.ca_bundle.as_ref());
        let ca_bundle = ca_bundle.or(profile.ca_bundle.as_ref()).cloned();
        Ok(Self { name, store: TokenStore::at(&environment.token_directory()?), ca_bundle, profile })
    }
}

/// The machine's time.
struct RealPace(SystemHost);

impl Clock for RealPace {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn pause(&self, length: Duration) {
        std::thread::sleep(length);
    }
}

/// `countersign login`.
///
/// # Errors
/// See [`device_login`].
pub fn login(arguments: &LoginArguments) -> Result<(), CommandError> {
    let Place { name, profile, store, ca_bundle } = Place::of(arguments)?;
    let client = Client::new(&profile, ca_bundle.as_deref())?;
    let mut stdout = std::io::stdout().lock();
    device_login(&client, &store, &name, &RealPace(SystemHost::default()), &mut stdout)?;
    // A token that the person has given elsewhere wins: they should know why the login is not used.
    let environment = Environment::of_process();
    if environment.token.is_some() || environment.token_file.is_some() || profile.token_file.is_some() {
        let note = "the login is not used while COUNTERSIGN_TOKEN, COUNTERSIGN_TOKEN_FILE or the profile's \
                    token_file is set";
        writeln!(stdout, "{note}").map_err(CommandError::stdout)?;
    }
    Ok(())
}

/// Logs the caller in by the device authorization grant: shows them where to enter which code, waits
/// until they have, and keeps the login.
///
/// # Errors
/// Refused (3) when they said no, timed out (7) when they said nothing, failed (1) when the issuer
/// cannot be asked or understood.
pub fn device_login(
    client: &Client,
    store: &TokenStore,
    name: &ProfileName,
    pace: &dyn Clock,
    out: &mut dyn Write,
) -> Result<Login, CommandError> {
    let mut tell =
        |line: String| writeln!(out, "{line}").and_then(|()| out.flush()).map_err(CommandError::stdout);
    let description = client.discover()?;
    let code = client.begin(&description)?;
    tell(format!("Open {} and enter the code", escaped_line(&code.verification_uri)))?;
    tell(format!("\n    {}\n", escaped_line(&code.user_code)))?;
    if let Some(uri) = &code.verification_uri_complete {
        tell(format!("or open {} and compare the code.", escaped_line(uri)))?;
    }
    tell(format!("Waiting; the code is good for {} min.", code.expires_in.div_ceil(60)))?;
    let login = client.wait(&description, &code, pace)?;
    store.write(name, &login)?;
    let claims = jws::claims(login.token.expose()).unwrap_or_default();
    let person = person(&claims);
    let ends = Timestamp::from_millisecond(login.expires_at_seconds.saturating_mul(1000)).to_string();
    let left = RelativeTime::relative(pace.now()).deadline(&ends);
    let renewed = if login.refresh_token.is_some() { "and then renewed" } else { "and not renewed" };
    tell(format!(
        "Logged in as {} at profile {name}; the token is good for {left}, {renewed}.",
        escaped_line(&person)
    ))?;
    Ok(login)
}

/// `countersign logout`: the login is gone from this machine in any case; the token is revoked if the
/// issuer takes that.
///
/// # Errors
/// When the file cannot be removed, or the token could not be revoked.
pub fn logout(arguments: &LoginArguments) -> Result<(), CommandError> {
    let Place { name, profile, store, ca_bundle } = Place::of(arguments)?;
    let mut stdout = std::io::stdout().lock();
    let client = Client::new(&profile, ca_bundle.as_deref());
    forget(client.as_ref().ok(), &store, &name, &mut stdout)
}

/// Forgets a login, and tells the issuer.
///
/// # Errors
/// As for [`logout`].
pub fn forget(
    client: Option<&Client>,
    store: &TokenStore,
    name: &ProfileName,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let removed = store.remove(name)?;
    let line = match removed {
        Removed::Nothing => "Nobody was logged in at",
        Removed::Unreadable | Removed::Login(_) => "Logged out of",
    };
    writeln!(out, "{line} profile {name}.").map_err(CommandError::stdout)?;
    if let (Removed::Login(login), Some(client)) = (removed, client)
        && client.is_of(&login)
    {
        client.revoke(&login).map_err(|error| {
            let message =
                format!("the login is gone from this machine, but the issuer was not told: {error}");
            CommandError::from(error).explained(message)
        })?;
    }
    Ok(())
}
