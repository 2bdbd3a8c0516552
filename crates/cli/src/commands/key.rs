//! `countersign key`: the keys that sign permits, of a stopped service or of a deployment.

use crate::aws;
use crate::commands::serve::DataDirectoryArgument;
use crate::error::CommandError;
use crate::view::document;
use clap::{Args, Subcommand};
use countersign_kms::alias::{Aliases, KmsError};
use countersign_kms::rotation::Rotation;
use countersign_permit::{KeySet, KeyStatus};
use countersign_server::data_directory::DataDirectory;
use countersign_system::text_file;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// `countersign key`.
#[derive(Debug, Clone, Args)]
pub struct KeyArguments {
    /// What to do with them.
    #[command(subcommand)]
    pub command: KeyCommand,

    /// Where the keys are.
    #[command(flatten)]
    pub data: DataDirectoryArgument,

    /// A deployment, such as prod, whose keys are in KMS, in place of the data directory; with your AWS region and
    /// credentials
    #[arg(long, value_name = "NAME", global = true)]
    pub environment: Option<String>,

    /// Further certificates to trust on the way to AWS, PEM
    #[arg(long, value_name = "FILE", env = "AWS_CA_BUNDLE", global = true)]
    pub ca_bundle: Option<PathBuf>,
}

/// The commands of `countersign key`.
#[derive(Debug, Clone, Subcommand)]
pub enum KeyCommand {
    /// List them: which signs now, which will next, and which have signed
    List {
        /// As /.well-known/jwks.json has them
        #[arg(long)]
        json: bool,
    },
    /// Let the next key sign, and make another for the next time
    Rotate {
        /// As /.well-known/jwks.json has them then
        #[arg(long)]
        json: bool,
    },
}

/// Lists the keys, or rotates them and lists what they are then.
///
/// # Errors
/// When the keys cannot be reached, or there are none.
pub fn run(arguments: &KeyArguments) -> Result<(), CommandError> {
    let (is_rotation, json) = match arguments.command {
        KeyCommand::List { json } => (false, json),
        KeyCommand::Rotate { json } => (true, json),
    };
    let keys = match &arguments.environment {
        Some(environment) => deployed(environment, arguments.ca_bundle.as_deref(), is_rotation)?,
        None => local(&arguments.data.data_dir, is_rotation)?,
    };
    print(&keys, json)
}

/// The keys of a service on this machine. To rotate them, it must be stopped: it reads them when it starts.
fn local(path: &Path, is_rotation: bool) -> Result<KeySet, CommandError> {
    if !DataDirectory::has_signing_keys(path) {
        let message =
            format!("{} holds no signing keys: `countersign serve` makes them", text_file::shown(path));
        return Err(CommandError::NotFound(message));
    }
    let directory = DataDirectory::open(path)?;
    let keys = if is_rotation {
        let _lock = directory.lock()?;
        directory.rotate_signing_keys()?
    } else {
        directory.signing_keys()?
    };
    Ok(keys.key_set().clone())
}

fn deployed(environment: &str, ca_bundle: Option<&Path>, is_rotation: bool) -> Result<KeySet, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime does not start: {error}"))?;
    runtime.block_on(async {
        let aws = aws::configuration(ca_bundle).await?;
        let keys = Rotation::connect(&aws, Aliases::of_environment(environment));
        let answer = if is_rotation { keys.rotate().await } else { keys.list().await };
        answer.map_err(|error| match error {
            KmsError::NoKey(_) => CommandError::NotFound(error.to_string()),
            KmsError::Refused(_) | KmsError::Unreachable | KmsError::Unsuitable(_) if is_rotation => {
                let advice =
                    "look with `countersign key list`, and call this again: it finishes what was begun";
                CommandError::Failed(format!("{error}; {advice}"))
            }
            KmsError::Refused(_) | KmsError::Unreachable | KmsError::Unsuitable(_) => {
                CommandError::Failed(error.to_string())
            }
        })
    })
}

fn print(keys: &KeySet, json: bool) -> Result<(), CommandError> {
    let mut text = String::new();
    if json {
        text = document::json_line(&keys.to_json())?;
        text.push('\n');
    } else {
        for status in [KeyStatus::Next, KeyStatus::Current, KeyStatus::Past] {
            for key in keys.iter().filter(|key| key.status == status) {
                text.push_str(&format!("{:7}  {}  {}\n", status.to_string(), key.purpose, key.key_id()));
            }
        }
    }
    std::io::stdout().write_all(text.as_bytes()).map_err(CommandError::stdout)
}
