//! `countersign permit`: a permit held against the keys that a service publishes. Needs no service.

use crate::error::CommandError;
use crate::view::document;
use clap::{Args, Subcommand};
use countersign_app::host::Clock as _;
use countersign_core::canonical;
use countersign_core::text::escaped_line;
use countersign_core::timestamp::Timestamp;
use countersign_permit::{
    Claims, Expected, KeySet, PermitError, parameters_digest, verify, verify_signature,
};
use countersign_system::system::SystemHost;
use countersign_system::text_file;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// `countersign permit`.
#[derive(Debug, Clone, Args)]
pub struct PermitArguments {
    /// What to do with it.
    #[command(subcommand)]
    pub command: PermitCommand,
}

/// The commands of `countersign permit`.
#[derive(Debug, Clone, Subcommand)]
pub enum PermitCommand {
    /// Say whether a permit is good, and what it says; code 3 if it is not
    Verify(PermitVerifyArguments),
}

/// `countersign permit verify`.
#[derive(Debug, Clone, Args)]
pub struct PermitVerifyArguments {
    /// The permit; - is stdin
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The service's public keys, as /.well-known/jwks.json answers them
    #[arg(long, value_name = "JWKS_FILE")]
    pub key: PathBuf,

    /// The deployment that must have given it: its origin, as `events` shows it
    #[arg(long, value_name = "ORIGIN")]
    pub issuer: Option<String>,

    /// For whom it must be: an executor's name, or client
    #[arg(long, value_name = "NAME")]
    pub audience: Option<String>,

    /// What is about to be done: the parameters, as JSON
    #[arg(long, value_name = "FILE")]
    pub parameters: Option<PathBuf>,

    /// When it must be valid, in place of now: 2026-01-01T12:00:00.000Z
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    pub at: Option<Timestamp>,

    /// The answer as JSON, for scripts
    #[arg(long)]
    pub json: bool,
}

/// Verifies a permit, and prints what it says. Code 3 if it is refused.
///
/// # Errors
/// Why it is refused, or what cannot be read.
pub fn run(arguments: &PermitArguments) -> Result<(), CommandError> {
    let PermitCommand::Verify(arguments) = &arguments.command;
    let keys = KeySet::parse(&read("--key", &arguments.key)?).map_err(|error| {
        CommandError::Failed(format!("--key {}: {error}", text_file::shown(&arguments.key)))
    })?;
    let digest = arguments.parameters.as_deref().map(digest_of).transpose()?;
    let text = read("the permit", &arguments.file)?;
    let claims = verified(arguments, text.trim(), &keys, digest.as_deref()).map_err(|error| {
        // A service that has rotated its keys since publishes others.
        let advice =
            if error == PermitError::UnknownKey { "; is --key as the service publishes it now?" } else { "" };
        CommandError::Refused(format!("{error}{advice}"))
    })?;
    print(arguments, &claims)
}

/// What is not expected is not compared.
fn verified(
    arguments: &PermitVerifyArguments,
    permit: &str,
    keys: &KeySet,
    parameters_digest: Option<&str>,
) -> Result<Claims, PermitError> {
    let claims = verify_signature(permit, keys)?;
    let now = arguments.at.unwrap_or_else(|| SystemHost::default().now());
    let expected = Expected {
        issuer: arguments.issuer.as_deref().unwrap_or(&claims.iss),
        audience: arguments.audience.as_deref().unwrap_or(&claims.aud),
        now: u64::try_from(now.as_millisecond()).unwrap_or_default() / 1000,
        parameters_digest,
    };
    verify(permit, keys, &expected)
}

fn read(what: &str, path: &Path) -> Result<String, CommandError> {
    let failed = |error| CommandError::Failed(format!("{what} {}: {error}", text_file::shown(path)));
    if path != Path::new("-") {
        return text_file::read_to_string(path).map_err(failed);
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).and_then(|_| text_file::text_of(bytes)).map_err(failed)
}

fn digest_of(path: &Path) -> Result<String, CommandError> {
    let text = read("--parameters", path)?;
    let parameters = canonical::read(text.as_bytes())
        .map_err(|error| CommandError::Usage(format!("--parameters {}: {error}", text_file::shown(path))))?;
    Ok(parameters_digest(&parameters))
}

fn print(arguments: &PermitVerifyArguments, claims: &Claims) -> Result<(), CommandError> {
    let compared = [
        ("issuer", arguments.issuer.is_some()),
        ("audience", arguments.audience.is_some()),
        ("parameters", arguments.parameters.is_some()),
    ];
    let named =
        |is: bool| compared.iter().filter(move |(_, compared)| *compared == is).map(|(name, _)| *name);
    let members = serde_json::to_value(claims).map_err(|error| error.to_string())?;
    let mut text = String::new();
    if arguments.json {
        let verified: Vec<_> = ["signature", "time"].into_iter().chain(named(true)).collect();
        text = document::json_line(&json!({ "verified": verified, "claims": members }))?;
        text.push('\n');
    } else {
        for (name, value) in members.as_object().into_iter().flatten() {
            let value = match value {
                Value::String(text) => text.clone(),
                value => value.to_string(),
            };
            text.push_str(&format!("{name}: {}\n", escaped_line(&value)));
        }
        let not_compared: Vec<_> = named(false).collect();
        if !not_compared.is_empty() {
            text.push_str(&format!("not compared: {}\n", not_compared.join(", ")));
        }
    }
    std::io::stdout().write_all(text.as_bytes()).map_err(CommandError::stdout)
}
