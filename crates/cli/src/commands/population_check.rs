//! `countersign audit population --check`: a table and its manifest recounted from the audit log. For anybody who has the log and
//! the published keys: neither the deployment nor the maker of the table is believed.

use crate::audit_log::AuditLog;
use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::log_source::read_keys;
use crate::view::terminal::Terminal;
use crate::view::text::Text;
use countersign_audit::population::discrepancy::Discrepancy;
use countersign_audit::population::manifest::{MAX_BYTES, Manifest};
use countersign_audit::population::recount::recount;
use countersign_system::text_file;
use serde_json::json;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Recounts; exit code 1 with the first difference.
///
/// # Errors
/// What is not as the log gives it, or what cannot be read.
pub(super) fn run(
    connection: &ConnectionArguments,
    log: &str,
    key: &Path,
    file: &Path,
) -> Result<(), CommandError> {
    let keys = read_keys(key)?;
    let table = read(file, u64::MAX)?;
    // One byte more than a manifest may have, for it to be refused.
    let manifest = read(&manifest_of(file), MAX_BYTES as u64 + 1)?;
    let manifest = Manifest::read(&manifest).map_err(refused)?;
    let span = manifest.span().map_err(refused)?;
    let checkpoint = manifest.open_checkpoint(&keys).map_err(refused)?;
    let log = AuditLog::open(log, key, connection)?;
    let log = log.at(&manifest.checkpoint, checkpoint)?;
    let (population, _) = log.population(span)?;
    let signer = recount(&manifest, &table, &population, &keys).map_err(refused)?;
    let key_id = signer.map(|key| key.key_id());
    let output = connection.output();
    if output.is_document() {
        let answer = json!({
            "verified": true, "rows": manifest.rows, "from": manifest.from, "to": manifest.to,
            "sha256": manifest.sha256, "tree_size": manifest.tree_size, "key_id": key_id,
            "sampled": manifest.sample.as_ref().map(|sample| sample.request_ids.len()),
        });
        return output.print(Terminal::plain(), &answer, Text::default);
    }
    let signed = match key_id {
        Some(key_id) => format!("signed by key {key_id}"),
        None => "not signed by the deployment".to_owned(),
    };
    let Manifest { rows, from, to, .. } = &manifest;
    let said = format!(
        "recounted: {rows} requests created from {from} until before {to}, as the log gives them: {}; {signed}",
        log.checkpoint
    );
    Terminal::plain().print(&Text::of_line(&said))
}

/// Where the manifest of a table is.
pub(super) fn manifest_of(file: &Path) -> PathBuf {
    let mut name: OsString = file.as_os_str().to_owned();
    name.push(".manifest.json");
    PathBuf::from(name)
}

fn refused(discrepancy: Discrepancy) -> CommandError {
    CommandError::Failed(format!("the population is not believed: {discrepancy}"))
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(CommandError::Failed(format!("{}: {error}", text_file::shown(path)))),
    }
}
