//! `countersign evidence`: what an auditor takes away of a request, and whether that is believed. Verifying needs no
//! service.

use crate::complete;
use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::log_source::read_keys;
use crate::session::Session;
use crate::view::document;
use clap::{Args, Subcommand};
use clap_complete::ArgValueCompleter;
use countersign_audit::evidence::document::MAX_BYTES;
use countersign_audit::evidence::mismatch::Mismatch;
use countersign_audit::evidence::verification::{Demands, Verified, verify};
use countersign_core::text::escaped_line;
use countersign_system::{private_file, text_file};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// `countersign evidence`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct EvidenceArguments {
    /// What to do with it.
    #[command(subcommand)]
    pub command: Option<EvidenceCommand>,

    /// The request: its id, or the beginning of it
    #[arg(value_name = "ID", required = true, add = ArgValueCompleter::new(complete::requests))]
    pub id: Option<String>,

    /// Without parameters, target and result: only their digests
    #[arg(long)]
    pub redacted: bool,

    /// Write it into this file, for its owner alone, and not to stdout
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// The commands of `countersign evidence`.
#[derive(Debug, Clone, Subcommand)]
pub enum EvidenceCommand {
    /// Say whether evidence is believed, and what it does not prove; code 1 if it is not
    Verify(EvidenceVerifyArguments),
}

/// `countersign evidence verify`.
#[derive(Debug, Clone, Args)]
pub struct EvidenceVerifyArguments {
    /// The evidence; - is stdin
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The service's public keys, as /.well-known/jwks.json answers them
    #[arg(long, value_name = "JWKS_FILE")]
    pub key: PathBuf,

    /// Believe it only if the audit log has every event
    #[arg(long)]
    pub require_inclusion: bool,

    /// The answer as JSON, for scripts
    #[arg(long)]
    pub json: bool,
}

/// Takes evidence away, or verifies it.
///
/// # Errors
/// Everything that is wrong with the evidence; or as for any call.
pub fn run(arguments: &EvidenceArguments) -> Result<(), CommandError> {
    match &arguments.command {
        Some(EvidenceCommand::Verify(arguments)) => verified(arguments),
        None => taken(arguments),
    }
}

fn taken(arguments: &EvidenceArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.connection)?;
    let id = arguments.id.as_deref().unwrap_or_default();
    let request = session.connection.find(id)?;
    let evidence = session.connection.evidence(&request.request_id, arguments.redacted)?;
    let Some(path) = &arguments.file else {
        // To the byte: it is signed.
        return std::io::stdout().write_all(&evidence).map_err(CommandError::stdout);
    };
    private_file::write(path, &evidence)
        .map_err(|error| CommandError::Failed(format!("--file {}: {error}", text_file::shown(path))))
}

fn verified(arguments: &EvidenceVerifyArguments) -> Result<(), CommandError> {
    let keys = read_keys(&arguments.key)?;
    let evidence = read(&arguments.file)?;
    let demands = Demands { require_inclusion: arguments.require_inclusion };
    let verified = verify(&evidence, &keys, demands).map_err(|mismatches| refused(&mismatches))?;
    let shown = if arguments.json {
        document::json_line(&answer(&verified))?
    } else {
        sentences(&verified).iter().map(|line| escaped_line(line)).collect::<Vec<_>>().join("\n")
    };
    writeln!(std::io::stdout(), "{shown}").map_err(CommandError::stdout)
}

/// At most one byte more than evidence may have.
fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    let limit = MAX_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(CommandError::Failed(format!("the evidence {}: {error}", text_file::shown(path)))),
    }
}

/// Everything that is wrong, a line each.
fn refused(mismatches: &[Mismatch]) -> CommandError {
    let lines = mismatches.iter().map(|mismatch| format!("\n- {mismatch}"));
    CommandError::Failed(format!("the evidence is not believed:{}", lines.collect::<String>()))
}

/// A member of the request's state or content, as text.
fn member(verified: &Verified, name: &str) -> String {
    let request = &verified.document.request;
    let value = request.state.get(name).or_else(|| request.content.get(name));
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}

fn sentences(verified: &Verified) -> Vec<String> {
    let of = |name: &str| member(verified, name);
    let document = &verified.document;
    let redacted = if document.redacted { ", without parameters, target and result" } else { "" };
    let log = match (&verified.checkpoint, verified.pending.len()) {
        (Some(checkpoint), 0) => format!("all of them in the audit log: {checkpoint}"),
        (Some(checkpoint), waiting) => format!("{waiting} of them not in the audit log yet: {checkpoint}"),
        (None, _) => "none of them in the audit log yet".to_owned(),
    };
    let mut lines = vec![
        format!("the evidence is believed, as of {}{redacted}", document.made_at),
        format!(
            "request {}: {} on {}, asked for by {}, {} at version {}",
            of("request_id"),
            of("operation_type"),
            of("instance_id"),
            of("requested_by"),
            of("status"),
            of("version")
        ),
        format!("signed by key {} of {}", verified.key_id, document.origin),
        format!("{} events, {log}", verified.events.len()),
        "it does not prove".to_owned(),
    ];
    lines.extend(verified.not_proved().iter().map(|limit| format!("- {limit}")));
    lines
}

fn answer(verified: &Verified) -> Value {
    let document = &verified.document;
    let checkpoint = verified.checkpoint.as_ref();
    json!({
        "verified": true,
        "request_id": member(verified, "request_id"),
        "status": member(verified, "status"),
        "version": document.request.state.get("version"),
        "made_at": document.made_at,
        "origin": document.origin,
        "redacted": document.redacted,
        "key_id": verified.key_id,
        "events": verified.events.len(),
        "pending_inclusion": verified.pending,
        "log_size": checkpoint.map(|checkpoint| checkpoint.size),
        "not_proved": verified.not_proved(),
    })
}
