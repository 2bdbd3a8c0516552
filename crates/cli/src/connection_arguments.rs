//! The options of every command that asks a service: which, as whom, and how the answer is shown.

use crate::complete;
use crate::view::output::Output;
use crate::view::times::Times;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap_complete::ArgValueCompleter;
use countersign_client::config::ProfileName;
use countersign_client::profile::Overrides;
use countersign_client::signing::Auth;
use std::path::PathBuf;
use strum::VariantNames as _;

/// Which of the configured services.
#[derive(Debug, Clone, Default, Args)]
pub struct ProfileArgument {
    /// The profile of the configuration file; or `COUNTERSIGN_PROFILE`, or the default profile
    #[arg(long, value_name = "NAME", value_parser = ProfileName::parse, add = ArgValueCompleter::new(complete::profiles))]
    pub profile: Option<ProfileName>,
}

/// Which service, as whom, and how the answer is shown.
///
/// The environment and the profile are read where they are weighed against these, in
/// [`countersign_client::profile`].
#[derive(Debug, Clone, Default, Args)]
pub struct ConnectionArguments {
    /// Where the service is; or `COUNTERSIGN_URL`, or the profile's; else `http://127.0.0.1:9000`
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,

    /// The profile.
    #[command(flatten)]
    pub profile: ProfileArgument,

    /// What proves who you are: a token, or a signature with credentials of AWS; or `COUNTERSIGN_AUTH`
    #[arg(long, value_name = "HOW", value_parser = auth(), conflicts_with = "token_file")]
    pub auth: Option<Auth>,

    /// A file that holds your token; or `COUNTERSIGN_TOKEN` with the token, or
    /// `COUNTERSIGN_TOKEN_FILE`
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// Certificates to trust besides the public ones, PEM; or `COUNTERSIGN_CA_BUNDLE`
    #[arg(long, value_name = "FILE")]
    pub ca_bundle: Option<PathBuf>,

    /// How the answer is shown
    #[arg(long, short, value_name = "FORMAT", value_enum, conflicts_with = "json")]
    pub output: Option<Output>,

    /// The answer as JSON, for scripts: the same as `-o json`
    #[arg(long)]
    pub json: bool,

    /// Times as dates in UTC, not as "4h 12m left"
    #[arg(long, conflicts_with = "local")]
    pub utc: bool,

    /// Times as dates in the time zone of this machine, with its offset
    #[arg(long)]
    pub local: bool,
}

/// The names of what proves who calls, for help and completion too.
fn auth() -> impl TypedValueParser<Value = Auth> {
    PossibleValuesParser::new(Auth::VARIANTS).try_map(|name| name.parse::<Auth>())
}

impl ConnectionArguments {
    /// How the answer is shown.
    pub fn output(&self) -> Output {
        match self.output {
            Some(output) => output,
            None if self.json => Output::Json,
            None => Output::Table,
        }
    }

    /// The form of times.
    pub fn times(&self) -> Times {
        match (self.utc, self.local) {
            (true, _) => Times::Utc,
            (_, true) => Times::Local,
            (false, false) => Times::Relative,
        }
    }

    /// What the line says of the service, for it to be weighed against the rest.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            url: self.url.clone(),
            profile: self.profile.profile.clone(),
            auth: self.auth,
            token_file: self.token_file.clone(),
            ca_bundle: self.ca_bundle.clone(),
        }
    }
}

/// One request, and nothing else to say.
#[derive(Debug, Clone, Args)]
pub struct RequestArguments {
    /// The request: its id, or the beginning of it
    #[arg(value_name = "ID", add = ArgValueCompleter::new(complete::requests))]
    pub id: String,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}
