//! `countersign config`: looking at and changing the configuration file.

use crate::error::CommandError;
use crate::view::terminal::write_document;
use clap::{Args, Subcommand};
use countersign_client::config::{
    self, Config, ConfigurationError, ProfileChanges, ProfileName, set_default, set_profile,
};
use countersign_client::environment::Environment;
use countersign_core::text::escaped_lines;
use countersign_endpoint::without_passwords;
use countersign_system::text_file;

/// `countersign config`.
#[derive(Debug, Clone, Args)]
pub struct ConfigArguments {
    /// What to do with it.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// The commands of `countersign config`.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Print the configuration file
    Show,
    /// Print where the configuration file is, or would be
    Path,
    /// Make a profile, or change what is given of it; an empty value takes a setting out
    SetProfile(Box<SetProfileArguments>),
    /// Make a profile the default one
    Use {
        /// The profile
        #[arg(value_name = "NAME", value_parser = ProfileName::parse)]
        name: ProfileName,
    },
}

/// `countersign config set-profile`.
#[derive(Debug, Clone, Args)]
pub struct SetProfileArguments {
    /// The profile
    #[arg(value_name = "NAME", value_parser = ProfileName::parse)]
    pub name: ProfileName,

    /// Where the service is
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,

    /// Certificates to trust besides the public ones, PEM
    #[arg(long, value_name = "FILE")]
    pub ca_bundle: Option<String>,

    /// What proves who you are: `token`, or `aws` for a signature with credentials of AWS
    #[arg(long, value_name = "HOW")]
    pub auth: Option<String>,

    /// The region to sign for, if the URL does not name it
    #[arg(long, value_name = "REGION")]
    pub aws_region: Option<String>,

    /// A file that holds your token
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<String>,

    /// The OpenID Connect issuer that `countersign login` asks for a token
    #[arg(long, value_name = "URL")]
    pub oidc_issuer: Option<String>,

    /// The client id of this program at the issuer: a public client with the device grant
    #[arg(long, value_name = "ID")]
    pub oidc_client_id: Option<String>,

    /// The audience to ask for, if the issuer wants to be told
    #[arg(long, value_name = "AUDIENCE")]
    pub oidc_audience: Option<String>,

    /// The scopes to ask for, in place of `openid email offline_access`
    #[arg(long, value_name = "SCOPES")]
    pub oidc_scope: Option<String>,
}

impl SetProfileArguments {
    fn changes(&self) -> ProfileChanges {
        ProfileChanges {
            url: self.url.clone(),
            ca_bundle: self.ca_bundle.clone(),
            auth: self.auth.clone(),
            aws_region: self.aws_region.clone(),
            token_file: self.token_file.clone(),
            oidc_issuer: self.oidc_issuer.clone(),
            oidc_client_id: self.oidc_client_id.clone(),
            oidc_audience: self.oidc_audience.clone(),
            oidc_scope: self.oidc_scope.clone(),
        }
    }
}

/// Carries it out.
///
/// # Errors
/// What is wrong, and what to do about it.
pub fn run(arguments: &ConfigArguments) -> Result<(), CommandError> {
    let path = Environment::of_process().config_path().ok_or(ConfigurationError::NoConfigHome)?;
    match &arguments.command {
        ConfigCommand::Path => write_document(&text_file::shown(&path)),
        ConfigCommand::Show => {
            let text = config::text_of(&path)?;
            Config::parse(&path, &text)?;
            let lines: Vec<_> = escaped_lines(&text).map(|line| without_passwords(&line)).collect();
            write_document(&lines.join("\n"))
        }
        ConfigCommand::SetProfile(arguments) => {
            set_profile(&path, &arguments.name, &arguments.changes())?;
            write_document(&format!("profile {} is in {}", arguments.name, text_file::shown(&path)))
        }
        ConfigCommand::Use { name } => {
            set_default(&path, name)?;
            write_document(&format!("profile {name} is the default one"))
        }
    }
}
