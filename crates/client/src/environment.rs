//! What the environment says of services and tokens; the one place of the client that reads it.
//!
//! A variable that is set to nothing counts as not set.

use crate::config::ConfigurationError;
use crate::secret::Secret;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The variables.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `COUNTERSIGN_URL`.
    pub url: Option<String>,
    /// `COUNTERSIGN_PROFILE`.
    pub profile: Option<String>,
    /// `COUNTERSIGN_TOKEN`. There is no option for it: everybody on a machine can read the arguments
    /// of its programs.
    pub token: Option<Secret>,
    /// `COUNTERSIGN_TOKEN_FILE`.
    pub token_file: Option<PathBuf>,
    /// `COUNTERSIGN_AUTH`.
    pub auth: Option<String>,
    /// `COUNTERSIGN_CA_BUNDLE`.
    pub ca_bundle: Option<PathBuf>,
    /// `AWS_CA_BUNDLE`: further roots for calls of AWS itself, as the AWS CLI reads it.
    pub aws_ca_bundle: Option<PathBuf>,
    /// `COUNTERSIGN_CONFIG`.
    pub config: Option<PathBuf>,
    /// `APPROVAL_WORKFLOW_ENABLED`.
    pub workflow_enabled: Option<String>,
    /// `APPROVAL_MAX_PENDING`.
    pub max_pending: Option<String>,
    /// `POLICY_DIR`.
    pub policy_directory: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub state_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
}

impl Environment {
    /// That of this process.
    pub fn of_process() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
        // What is no UTF-8 is no URL, name or token either, and is refused as such; passed over, it would mean
        // another service, or another caller.
        let text = |name: &str| set(name).map(|value| value.to_string_lossy().into_owned());
        let path = |name: &str| set(name).map(PathBuf::from);
        Self {
            url: text("COUNTERSIGN_URL"),
            profile: text("COUNTERSIGN_PROFILE"),
            token: text("COUNTERSIGN_TOKEN").map(|token| Secret::new(&token)),
            token_file: path("COUNTERSIGN_TOKEN_FILE"),
            auth: text("COUNTERSIGN_AUTH"),
            ca_bundle: path("COUNTERSIGN_CA_BUNDLE"),
            aws_ca_bundle: path("AWS_CA_BUNDLE"),
            config: path("COUNTERSIGN_CONFIG"),
            workflow_enabled: text("APPROVAL_WORKFLOW_ENABLED"),
            max_pending: text("APPROVAL_MAX_PENDING"),
            policy_directory: path("POLICY_DIR"),
            config_home: path("XDG_CONFIG_HOME"),
            state_home: path("XDG_STATE_HOME"),
            home: path("HOME"),
        }
    }

    /// Where the configuration file is, or would be; nowhere without a home.
    pub fn config_path(&self) -> Option<PathBuf> {
        let default = || Some(self.base(self.config_home.as_deref(), ".config")?.join("config.toml"));
        self.config.clone().or_else(default)
    }

    /// The directory of the tokens that `countersign login` gets.
    ///
    /// # Errors
    /// Without a home.
    pub fn token_directory(&self) -> Result<PathBuf, ConfigurationError> {
        let base = self.base(self.state_home.as_deref(), ".local/state");
        Ok(base.ok_or(ConfigurationError::NoStateHome)?.join("tokens"))
    }

    /// A path of the configuration file: `~/` is the home, and what is relative is relative to the
    /// file's directory, wherever the command is run.
    pub fn resolved(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), &self.home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => {
                let directory = self.config_path().and_then(|file| file.parent().map(Path::to_owned));
                directory.map_or_else(|| path.to_owned(), |directory| directory.join(path))
            }
        }
    }

    /// XDG Base Directory Specification: a relative path is to be ignored.
    fn base(&self, configured: Option<&Path>, default: &str) -> Option<PathBuf> {
        let configured = configured.filter(|path| path.is_absolute()).map(Path::to_owned);
        let base = configured.or_else(|| self.home.as_ref().map(|home| home.join(default)));
        base.map(|base| base.join("countersign"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_where_the_base_directory_specification_says() {
        let path = |text: &str| Some(PathBuf::from(text));
        let at_home = Environment { home: path("/people/ann"), ..Environment::default() };
        assert_eq!(at_home.config_path(), path("/people/ann/.config/countersign/config.toml"));
        assert_eq!(at_home.token_directory().ok(), path("/people/ann/.local/state/countersign/tokens"));
        let elsewhere =
            Environment { config_home: path("/cfg"), state_home: path("/state"), ..at_home.clone() };
        assert_eq!(elsewhere.config_path(), path("/cfg/countersign/config.toml"));
        assert_eq!(elsewhere.token_directory().ok(), path("/state/countersign/tokens"));
        let relative = Environment { config_home: path("cfg"), ..at_home.clone() };
        assert_eq!(relative.config_path(), at_home.config_path());
        let named = Environment { config: path("mine.toml"), ..elsewhere };
        assert_eq!(named.config_path(), path("mine.toml"));
        assert_eq!(Environment::default().config_path(), None);
        assert!(Environment::default().token_directory().is_err());
    }

    #[test]
    fn paths_of_the_file_do_not_depend_on_where_a_command_is_run() {
        let environment = Environment { home: Some("/people/ann".into()), ..Environment::default() };
        for (written, meant) in [
            ("/etc/ca.pem", "/etc/ca.pem"),
            ("~/ca.pem", "/people/ann/ca.pem"),
            ("ca.pem", "/people/ann/.config/countersign/ca.pem"),
        ] {
            assert_eq!(environment.resolved(Path::new(written)), Path::new(meant), "{written}");
        }
    }
}
