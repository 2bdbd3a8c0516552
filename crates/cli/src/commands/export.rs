//! `countersign audit export`: the events of the whole audit log, for a program that collects them.

use crate::audit_log::{AuditLog, LoggedEvent};
use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::output_file::OutputFile;
use crate::view::document;
use clap::{Args, ValueEnum};
use countersign_audit::ocsf;
use countersign_core::canonical::CanonicalJson;
use countersign_core::cloud_event;
use countersign_core::timestamp::Timestamp;
use std::borrow::Cow;
use std::io::{BufWriter, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

/// `countersign audit export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArguments {
    /// What each line is
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: Format,

    /// The audit log: the URL of a service, or a directory with the log's files. All of it is verified
    #[arg(long, value_name = "URL|DIR")]
    pub log: String,

    /// The service's public keys, as /.well-known/jwks.json answers them
    #[arg(long, value_name = "JWKS_FILE")]
    pub key: PathBuf,

    /// Events of this time or later: the beginning of a day such as 2026-01-01, or a time
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse_first)]
    pub from: Option<Timestamp>,

    /// And before this one, which is not in it: 2026-04-01 for all of March
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse_first)]
    pub to: Option<Timestamp>,

    /// Where they are written, for the owner of the file alone; - is stdout
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub file: PathBuf,

    /// Put it in the place of a file that is there
    #[arg(long)]
    pub replace: bool,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// What each line of an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The event as it was logged: canonical JSON
    Jsonl,
    /// A CloudEvent 1.0 whose data is the event
    Cloudevents,
    /// An event of OCSF 1.6.0
    Ocsf,
}

impl Format {
    fn line<'a>(self, logged: &LoggedEvent<'a>) -> Cow<'a, str> {
        let line = |value| Cow::Owned(CanonicalJson::of(&value).as_str().to_owned());
        match self {
            Self::Jsonl => Cow::Borrowed(logged.text),
            Self::Cloudevents => line(cloud_event::of_audit_event(&logged.event)),
            Self::Ocsf => line(ocsf::to_value(&logged.event)),
        }
    }
}

/// Writes the events. None is written before all of the log is verified.
///
/// # Errors
/// Damage of the log, or what cannot be written.
pub fn run(arguments: &ExportArguments) -> Result<(), CommandError> {
    if arguments.file == Path::new("-") {
        let is_terminal = std::io::stdout().is_terminal();
        let mut stdout = BufWriter::new(std::io::stdout().lock());
        // A program gets the bytes that were logged, and a terminal nothing that it acts on.
        write(arguments, &mut |line| {
            let line = if is_terminal { Cow::Owned(document::escaped(line)) } else { Cow::Borrowed(line) };
            writeln!(stdout, "{line}").map_err(CommandError::stdout)
        })?;
        return stdout.flush().map_err(CommandError::stdout);
    }
    let mut file = OutputFile::begin(&arguments.file, arguments.replace)?;
    write(arguments, &mut |line| file.write(format!("{line}\n").as_bytes()))?;
    file.finish()
}

fn write(
    arguments: &ExportArguments,
    each: &mut dyn FnMut(&str) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let log = AuditLog::open(&arguments.log, &arguments.key, &arguments.connection)?;
    log.events(log.checkpoint.size, &mut |logged| {
        let at = logged.event.timestamp;
        let is_in_span =
            arguments.from.is_none_or(|from| from <= at) && arguments.to.is_none_or(|to| at < to);
        if is_in_span { each(&arguments.format.line(&logged)) } else { Ok(()) }
    })
}
