//! `countersign audit population`: every request of a span of time as a table, made of the whole audit log; and whether such a
//! table is what the log gives.

use crate::audit_log::AuditLog;
use crate::commands::population_check::{self, manifest_of};
use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::evidence_key::{EvidenceKey, SigningPlace};
use crate::log_source::read_keys;
use crate::output_file::OutputFile;
use crate::session::Session;
use crate::view::terminal::Terminal;
use crate::view::text::Text;
use clap::Args;
use countersign_audit::evidence::verification::{Demands, verify};
use countersign_audit::key_set::KeySet;
use countersign_audit::population::Span;
use countersign_audit::population::manifest::{Manifest, Sample};
use countersign_audit::population::table::table;
use countersign_core::timestamp::Timestamp;
use countersign_system::text_file;
use serde_json::json;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// `countersign audit population`.
#[derive(Debug, Clone, Args)]
pub struct PopulationArguments {
    /// Requests that were created at this time or later: the beginning of a day such as 2026-01-01, or a time
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse_first, required_unless_present = "check")]
    pub from: Option<Timestamp>,

    /// And before this one, which is not in it: 2026-04-01 for all of March
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse_first, required_unless_present = "check")]
    pub to: Option<Timestamp>,

    /// The audit log: the URL of a service, or a directory with the log's files. All of it is verified
    #[arg(long, value_name = "URL|DIR")]
    pub log: String,

    /// The service's public keys, as /.well-known/jwks.json answers them
    #[arg(long, value_name = "JWKS_FILE")]
    pub key: PathBuf,

    /// The table, which is written for its owner alone; its manifest is put beside it, as FILE.manifest.json
    #[arg(long, value_name = "FILE", required_unless_present = "check")]
    pub file: Option<PathBuf>,

    /// Put them in the place of files that are there
    #[arg(long)]
    pub replace: bool,

    /// Recount this table: whether it and its manifest are what the log gives. Exit code 1 if they are not
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to", "file", "replace", "sample", "data_dir", "environment"])]
    pub check: Option<PathBuf>,

    /// Choose so many requests, and take evidence of each from the service
    #[arg(long, value_name = "NUMBER", requires_all = ["seed", "evidence_dir"])]
    pub sample: Option<u64>,

    /// What the choice depends on: a text that the auditor names after the span has ended
    #[arg(long, value_name = "TEXT", requires = "sample")]
    pub seed: Option<String>,

    /// Where the evidence is put, as ID.json
    #[arg(long, value_name = "DIR", requires = "sample")]
    pub evidence_dir: Option<PathBuf>,

    /// Evidence without parameters, target and result: only their digests
    #[arg(long, requires = "sample")]
    pub redacted: bool,

    /// Sign the manifest by the evidence key of this data directory of a service
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Sign it by the evidence key of this deployment, such as prod, in KMS, with your AWS region and credentials
    #[arg(long, value_name = "NAME", conflicts_with = "data_dir")]
    pub environment: Option<String>,

    /// Further certificates to trust on the way to AWS, PEM
    #[arg(long, value_name = "FILE", env = "AWS_CA_BUNDLE")]
    pub aws_ca_bundle: Option<PathBuf>,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// Makes a population, or recounts one.
///
/// # Errors
/// Damage of the log; what is not as the log gives it; or what cannot be written.
pub fn run(arguments: &PopulationArguments) -> Result<(), CommandError> {
    if let Some(file) = &arguments.check {
        return population_check::run(&arguments.connection, &arguments.log, &arguments.key, file);
    }
    match (arguments.from, arguments.to, &arguments.file) {
        (Some(from), Some(to), Some(file)) if from < to => make(arguments, Span { from, to }, file),
        (Some(_), Some(_), Some(_)) => Err(CommandError::Usage("--from must be before --to".to_owned())),
        (_, _, _) => Err(CommandError::Usage("--from, --to and --file are needed, or --check".to_owned())),
    }
}

fn make(arguments: &PopulationArguments, span: Span, file: &Path) -> Result<(), CommandError> {
    let manifest_file = manifest_of(file);
    // Before all of a log is read in vain.
    let mut table_output = OutputFile::begin(file, arguments.replace)?;
    let mut manifest_output = OutputFile::begin(&manifest_file, arguments.replace)?;
    let keys = read_keys(&arguments.key)?;
    let log = AuditLog::open(&arguments.log, &arguments.key, &arguments.connection)?;
    let (population, last) = log.population(span)?;
    let table = table(&population).map_err(|error| CommandError::Failed(format!("the table: {error}")))?;
    let mut manifest = Manifest::of(&population, &table, &log.checkpoint, &log.note);
    if let (Some(size), Some(seed), Some(directory)) =
        (arguments.sample, &arguments.seed, &arguments.evidence_dir)
    {
        let sample = Sample::of(&population, seed, size);
        take_evidence(arguments, &log, &sample, directory, &keys)?;
        manifest.sample = Some(sample);
    }
    let manifest = signed(arguments, manifest, &keys)?;
    table_output.write(&table)?;
    manifest_output.write(manifest.canonical().as_str().as_bytes())?;
    table_output.finish()?;
    // Last, so that a table whose writing was interrupted has no manifest of its own.
    manifest_output.finish()?;
    if last.is_none_or(|last| last < span.to) {
        warn("the log ends before --to: requests that are created until then are not in the table");
    }
    if manifest.dsse.is_none() {
        warn(
            "the manifest is not signed by the deployment: its checkpoint is, and the log proves the table. \
             --data-dir or --environment name a key",
        );
    }
    report(arguments, &manifest, file, &manifest_file, &log)
}

/// The manifest with the signature of the deployment, if the command line says where its key is.
fn signed(
    arguments: &PopulationArguments,
    manifest: Manifest,
    keys: &KeySet,
) -> Result<Manifest, CommandError> {
    let place = SigningPlace::of(arguments.data_dir.as_deref(), arguments.environment.as_deref());
    let Some(place) = place else { return Ok(manifest) };
    let key = EvidenceKey::open(place, keys, arguments.aws_ca_bundle.as_deref())?;
    let signature = key.sign(&manifest.signed_bytes())?;
    manifest.with_signature(key.public(), &signature).map_err(|error| CommandError::Failed(error.to_string()))
}

/// Says on stderr what must not be missed.
fn warn(text: &str) {
    // Nothing is lost if it cannot be written: the manifest shows it as well.
    let _ = writeln!(std::io::stderr(), "warning: {text}");
}

/// Takes evidence of each request of a sample. None is kept that is not believed.
fn take_evidence(
    arguments: &PopulationArguments,
    log: &AuditLog,
    sample: &Sample,
    directory: &Path,
    keys: &KeySet,
) -> Result<(), CommandError> {
    let opened;
    let session = match log.service() {
        Some(session) => session,
        None => {
            opened = Session::open(&arguments.connection)?;
            &opened
        }
    };
    for id in &sample.request_ids {
        let mut file = OutputFile::begin(&directory.join(format!("{id}.json")), arguments.replace)?;
        let evidence = session.connection.evidence(id, arguments.redacted)?;
        verify(&evidence, keys, Demands { require_inclusion: false }).map_err(|mismatches| {
            let first = mismatches.first().map(ToString::to_string).unwrap_or_default();
            CommandError::Failed(format!("the evidence of request {id} is not believed: {first}"))
        })?;
        file.write(&evidence)?;
        file.finish()?;
    }
    Ok(())
}

fn report(
    arguments: &PopulationArguments,
    manifest: &Manifest,
    file: &Path,
    manifest_file: &Path,
    log: &AuditLog,
) -> Result<(), CommandError> {
    let output = arguments.connection.output();
    let shown = text_file::shown(file);
    let sampled = manifest.sample.as_ref().map(|sample| sample.request_ids.len());
    if output.is_document() {
        let answer = json!({
            "file": shown, "manifest": text_file::shown(manifest_file),
            "rows": manifest.rows, "from": manifest.from, "to": manifest.to, "sha256": manifest.sha256,
            "tree_size": manifest.tree_size, "signed": manifest.dsse.is_some(), "sampled": sampled,
        });
        return output.print(Terminal::plain(), &answer, Text::default);
    }
    let Manifest { rows, from, to, .. } = manifest;
    let mut said =
        format!("{shown}: {rows} requests created from {from} until before {to}, of {}", log.checkpoint);
    if let (Some(sampled), Some(directory)) = (sampled, &arguments.evidence_dir) {
        said.push_str(&format!("; evidence of {sampled} of them in {}", text_file::shown(directory)));
    }
    Terminal::plain().print(&Text::of_line(&said))
}
