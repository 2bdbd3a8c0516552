//! `countersign key`: the keys that sign permits, checkpoints of the audit log, and evidence; of a stopped service or of a
//! deployment.

use crate::aws;
use crate::commands::serve::DataDirectoryArgument;
use crate::error::CommandError;
use crate::view::document;
use clap::{Args, Subcommand, ValueEnum};
use countersign_audit::key::Purpose;
use countersign_audit::key_set as audit;
use countersign_kms::alias::{Aliases, KmsError};
use countersign_kms::purpose::SigningPurpose;
use countersign_kms::rotation::Rotation;
use countersign_permit::{KeySet, KeyStatus, Purpose as PermitPurpose};
use countersign_server::data_directory::DataDirectory;
use countersign_system::text_file;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use strum::IntoEnumIterator as _;

/// `countersign key`.
#[derive(Debug, Clone, Args)]
pub struct KeyArguments {
    /// What to do with them.
    #[command(subcommand)]
    pub command: KeyCommand,

    /// What the keys sign. Without it, all are listed, and those that sign permits are rotated
    #[arg(long, value_name = "WHAT", value_enum, global = true)]
    pub purpose: Option<KeyPurpose>,

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

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyPurpose {
    /// Permits
    Permit,
    /// Checkpoints of the audit log
    Log,
    /// Evidence
    Evidence,
}

impl KeyPurpose {
    /// Of the Ed25519 keys; none of permits.
    fn of_audit(self) -> Option<Purpose> {
        match self {
            Self::Permit => None,
            Self::Log => Some(Purpose::Log),
            Self::Evidence => Some(Purpose::Evidence),
        }
    }
}

/// A key, of whichever kind.
struct ListedKey {
    status: String,
    purpose: String,
    id: String,
    json: Value,
}

impl ListedKey {
    fn of_permits(keys: &KeySet) -> impl Iterator<Item = Self> {
        keys.iter().map(|key| Self {
            status: key.status.to_string(),
            purpose: key.purpose.to_string(),
            id: key.key_id().to_owned(),
            json: key.to_json(),
        })
    }

    fn of_audit(keys: &audit::KeySet) -> impl Iterator<Item = Self> {
        keys.iter().map(|key| Self {
            status: key.status.to_string(),
            purpose: key.purpose.to_string(),
            id: key.key_id().to_owned(),
            json: key.to_json(),
        })
    }
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
    let purpose = arguments.purpose;
    let mut keys = match &arguments.environment {
        Some(environment) => deployed(environment, arguments.ca_bundle.as_deref(), is_rotation, purpose)?,
        None => local(&arguments.data.data_dir, is_rotation, purpose)?,
    };
    if let Some(purpose) = purpose.and_then(|purpose| purpose.to_possible_value()) {
        keys.retain(|key| key.purpose == purpose.get_name());
    }
    print(&keys, json)
}

/// The keys of a service on this machine. To rotate them, it must be stopped: it reads them when it starts.
fn local(
    path: &Path,
    is_rotation: bool,
    purpose: Option<KeyPurpose>,
) -> Result<Vec<ListedKey>, CommandError> {
    if !DataDirectory::has_signing_keys(path) {
        let message =
            format!("{} holds no signing keys: `countersign serve` makes them", text_file::shown(path));
        return Err(CommandError::NotFound(message));
    }
    let directory = DataDirectory::open(path)?;
    // Held while keys are made or moved.
    let _lock = if is_rotation { Some(directory.lock()?) } else { None };
    match purpose.and_then(KeyPurpose::of_audit) {
        Some(purpose) if is_rotation => drop(directory.rotate_audit_keys(purpose)?),
        None if is_rotation => drop(directory.rotate_signing_keys()?),
        Some(_) | None => {}
    }
    let mut keys: Vec<_> = ListedKey::of_permits(directory.signing_keys()?.key_set()).collect();
    // A service that has not been started since it has an audit log has no keys for it.
    if Purpose::iter().all(|purpose| DataDirectory::has_audit_keys(path, purpose)) {
        keys.extend(ListedKey::of_audit(&directory.audit_keys()?.key_set()));
    }
    Ok(keys)
}

/// The keys of a deployment.
fn deployed(
    environment: &str,
    ca_bundle: Option<&Path>,
    is_rotation: bool,
    purpose: Option<KeyPurpose>,
) -> Result<Vec<ListedKey>, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime does not start: {error}"))?;
    runtime.block_on(async {
        let aws = aws::configuration(ca_bundle).await?;
        let rotated = is_rotation.then_some(purpose.unwrap_or(KeyPurpose::Permit));
        let permits = Rotation::connect(&aws, Aliases::of_environment(environment, PermitPurpose::Permit));
        let mut keys = Vec::new();
        if purpose.is_none_or(|purpose| purpose == KeyPurpose::Permit) {
            let permits = keys_behind(&permits, rotated == Some(KeyPurpose::Permit)).await?;
            keys.extend(ListedKey::of_permits(&KeySet::new(permits)));
        }
        for of_audit in [KeyPurpose::Log, KeyPurpose::Evidence] {
            let Some(signs) = of_audit.of_audit().filter(|_| purpose.is_none_or(|it| it == of_audit)) else {
                continue;
            };
            let rotation = Rotation::connect(&aws, Aliases::of_environment(environment, signs));
            match keys_behind(&rotation, rotated == Some(of_audit)).await {
                Ok(public) => keys.extend(ListedKey::of_audit(&audit::KeySet::new(public))),
                // A deployment of a release before there was an audit log has none: all the same, it has others.
                Err(CommandError::NotFound(_)) if purpose.is_none() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(keys)
    })
}

async fn keys_behind<P: SigningPurpose>(
    rotation: &Rotation<P>,
    is_rotation: bool,
) -> Result<Vec<P::PublicKey>, CommandError> {
    let answer = if is_rotation { rotation.rotate().await } else { rotation.list().await };
    answer.map_err(|error| match error {
        KmsError::NoKey(_) => CommandError::NotFound(error.to_string()),
        KmsError::Refused(_) | KmsError::Unreachable | KmsError::Unsuitable { .. } if is_rotation => {
            let advice = "look with `countersign key list`, and call this again: it finishes what was begun";
            CommandError::Failed(format!("{error}; {advice}"))
        }
        KmsError::Refused(_) | KmsError::Unreachable | KmsError::Unsuitable { .. } => {
            CommandError::Failed(error.to_string())
        }
    })
}

fn print(keys: &[ListedKey], json: bool) -> Result<(), CommandError> {
    let mut text = String::new();
    if json {
        let keys: Vec<_> = keys.iter().map(|key| &key.json).collect();
        text = document::json_line(&json!({ "keys": keys }))?;
        text.push('\n');
    } else {
        for status in [KeyStatus::Next, KeyStatus::Current, KeyStatus::Past].map(|status| status.to_string())
        {
            for key in keys.iter().filter(|key| key.status == status) {
                text.push_str(&format!("{status:7}  {:8}  {}\n", key.purpose, key.id));
            }
        }
    }
    std::io::stdout().write_all(text.as_bytes()).map_err(CommandError::stdout)
}
