//! Which service a hook asks, as whom, and which file of tools it takes.
//!
//! INVARIANT: once the line says where the service is, no variable of the environment says whom to trust, which profile is
//! meant or where the configuration file is. An agent loads variables from files of the project that it works in.

use crate::error::CommandError;
use crate::hook::arguments::AskArguments;
use countersign_client::config::{Config, ConfigurationError};
use countersign_client::environment::Environment;
use countersign_client::profile::{self, Settings, TokenSource};
use std::path::{Path, PathBuf};

/// The service of a hook cannot be found out.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A variable names a file that is another one in each directory.
    #[error("COUNTERSIGN_CONFIG is a relative path: name the file from the root on, or with --config")]
    RelativeConfig,
    /// The configuration cannot be used.
    #[error("{0}")]
    Configuration(#[from] ConfigurationError),
    /// There is no current directory.
    #[error("the current directory: {0}")]
    Directory(std::io::Error),
}

/// The environment, as far as the line leaves it a say.
fn environment(ask: &AskArguments) -> Result<Environment, ServiceError> {
    let mut environment = Environment::of_process();
    if ask.url.is_some() {
        environment = Environment { url: None, profile: None, ca_bundle: None, config: None, ..environment };
    }
    if let Some(path) = &ask.config {
        environment.config = Some(std::path::absolute(path).map_err(ServiceError::Directory)?);
    }
    match &environment.config {
        Some(path) if path.is_relative() => Err(ServiceError::RelativeConfig),
        _ => Ok(environment),
    }
}

/// Whether a configuration file is read: where the line has a URL, only one that it names or takes a profile of.
fn is_configured(ask: &AskArguments) -> bool {
    ask.url.is_none() || ask.config.is_some() || ask.profile.is_some()
}

/// The service, and as whom it is asked.
///
/// # Errors
/// When the configuration cannot be used.
pub fn settings(ask: &AskArguments) -> Result<Settings, ServiceError> {
    let environment = environment(ask)?;
    let path = environment.config_path().filter(|_| is_configured(ask));
    let config = path.map_or(Ok(Config::default()), |path| Config::read(&path))?;
    let overrides = ask.overrides();
    if ask.url.is_some() {
        // What the line names goes before the token of a variable.
        let bare = Environment { token: None, token_file: None, auth: None, ..environment.clone() };
        let settings = profile::weigh(&overrides, &bare, &config)?;
        if !matches!(settings.token, TokenSource::Nowhere | TokenSource::OfAnotherUrl) {
            return Ok(settings);
        }
    }
    Ok(profile::weigh(&overrides, &environment, &config)?)
}

/// The file of tools: the one that is named, or the one beside the configuration file if there is one.
///
/// # Errors
/// When the configuration cannot be used.
pub fn tools_file(ask: &AskArguments) -> Result<Option<PathBuf>, ServiceError> {
    if ask.no_tools || ask.tools.is_some() {
        return Ok(ask.tools.clone());
    }
    let path = environment(ask)?.config_path().map(|path| path.with_file_name("tools.toml"));
    Ok(path.filter(|path| path.symlink_metadata().is_ok()))
}

/// The same with everything said that the environment says now, but the token: for an entry that has to mean the same wherever
/// the agent runs it.
///
/// # Errors
/// When the configuration cannot be used.
pub fn pinned(ask: &AskArguments) -> Result<AskArguments, CommandError> {
    let unusable = |error: ServiceError| CommandError::Usage(error.to_string());
    let settings = settings(ask).map_err(unusable)?;
    let tools = tools_file(ask).map_err(unusable)?;
    let (name, profile) = settings.profile.clone().unzip();
    let profile = profile.unwrap_or_default();
    let of_profile = |path: &Path, named: &Option<PathBuf>| named.as_deref() == Some(path);
    let token_file = match settings.token {
        TokenSource::File { path, .. } if !of_profile(&path, &profile.token_file) => Some(path),
        _ => None,
    };
    let config = environment(ask).map_err(unusable)?.config_path().filter(|_| name.is_some());
    Ok(AskArguments {
        no_tools: tools.is_none(),
        tools,
        url: Some(settings.url),
        config,
        profile: name,
        token_file,
        ca_bundle: settings.ca_bundle.filter(|path| !of_profile(path, &profile.ca_bundle)),
        ..ask.clone()
    })
}
