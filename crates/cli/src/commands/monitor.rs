//! `countersign audit monitor`: whether a log still begins with what was seen of it before. For an auditor, on a machine of
//! theirs: what this remembers, no operator of the service can change.

use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::log_source::{LogSource, failed, read_keys};
use crate::view::output::Output;
use crate::view::terminal::Terminal;
use crate::view::text::Text;
use clap::Args;
use countersign_audit::checkpoint::Checkpoint;
use countersign_audit::monitor::{Verdict, compare};
use countersign_audit::note;
use countersign_audit::verification::consistency_proof;
use countersign_system::{private_file, text_file};
use serde_json::json;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// `countersign audit monitor`.
#[derive(Debug, Clone, Args)]
pub struct MonitorArguments {
    /// The log: the URL of a service, or a directory with the log's files
    #[arg(value_name = "URL|DIR")]
    pub log: String,

    /// The service's public keys, as /.well-known/jwks.json answers them
    #[arg(long, value_name = "JWKS_FILE")]
    pub key: PathBuf,

    /// Remembers the last checkpoint that was seen; made by the first run
    #[arg(long, value_name = "FILE")]
    pub state: PathBuf,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// Compares the log with what was seen of it, and remembers what is there now. Exit code 1 if it is not the same log.
///
/// # Errors
/// Why it is not, or what cannot be read. What is remembered is then as it was.
pub fn run(arguments: &MonitorArguments) -> Result<(), CommandError> {
    let keys = read_keys(&arguments.key)?;
    let seen = seen(&arguments.state)?;
    let log = LogSource::open(&arguments.log, &arguments.connection)?;
    let (note, now) = log.checkpoint(&keys)?;
    let proof = match &seen {
        Some(seen) if seen.size <= now.size => {
            consistency_proof(seen.size, now.size, &mut |path| log.read(path)).map_err(failed)?
        }
        Some(_) | None => Vec::new(),
    };
    let verdict = compare(seen.as_ref(), &now, &proof).map_err(|refused| {
        CommandError::Failed(format!("{refused}. Keep both, and ask how it came about"))
    })?;
    if verdict != Verdict::Unchanged {
        remember(&arguments.state, &note)?;
    }
    show(arguments.connection.output(), &verdict, &now)
}

/// The checkpoint that was seen last. Its signature was verified then, by a key that may not be published any more.
fn seen(path: &Path) -> Result<Option<Checkpoint>, CommandError> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Ok(_) | Err(_) => {}
    }
    let text = text_file::read_to_string(path)
        .map_err(|error| CommandError::Failed(format!("--state {}: {error}", text_file::shown(path))))?;
    let checkpoint = note::text_of(&text).and_then(Checkpoint::of_text);
    checkpoint.map(Some).ok_or_else(|| {
        CommandError::Failed(format!("--state {}: this is no checkpoint", text_file::shown(path)))
    })
}

fn remember(path: &Path, note: &str) -> Result<(), CommandError> {
    private_file::write(path, note.as_bytes())
        .map_err(|error| CommandError::Failed(format!("--state {}: {error}", text_file::shown(path))))
}

fn show(output: Output, verdict: &Verdict, now: &Checkpoint) -> Result<(), CommandError> {
    let added = match verdict {
        Verdict::FirstSeen => None,
        Verdict::Unchanged => Some(0),
        Verdict::Grown(added) => Some(*added),
    };
    if output.is_document() {
        let answer = json!({
            "consistent": true, "first_seen": added.is_none(), "added": added,
            "origin": now.origin, "size": now.size, "root": now.root_text(),
        });
        return output.print(Terminal::plain(), &answer, Text::default);
    }
    let said = match added {
        None => format!("seen for the first time, and believed: {now}"),
        Some(0) => format!("nothing was added: {now}"),
        Some(added) => format!("{added} entries were added, and all before them are as they were: {now}"),
    };
    writeln!(std::io::stdout(), "{said}").map_err(CommandError::stdout)
}
