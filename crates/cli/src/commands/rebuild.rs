//! `countersign audit rebuild`: figures computed anew from the audit log, and compared: with those that a stopped service has
//! stored, or with those that a service answers.

use crate::commands::recount;
use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::log_source::read_keys;
use crate::view::terminal::Terminal;
use crate::view::text::Text;
use clap::Args;
use countersign_app::audit_keys::AuditKeys;
use countersign_app::fold::{FoldError, Folder, Rebuilt};
use countersign_app::host::BoxFuture;
use countersign_app::log_reader::LogReader;
use countersign_app::signing::SigningError;
use countersign_audit::key::{PublicKey, Purpose};
use countersign_audit::key_set::KeySet;
use countersign_dynamodb::store::DynamoStore;
use countersign_server::log_directory::LogDirectory;
use countersign_server::stopped_service::StoppedService;
use countersign_system::system::SystemHost;
use countersign_system::text_file;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `countersign audit rebuild`.
#[derive(Debug, Clone, Args)]
pub struct RebuildArguments {
    /// The data directory of a stopped service, in place of a service that is asked for its figures
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_DATA_DIR")]
    pub data_dir: Option<PathBuf>,

    /// The audit log: the URL of a service, or a directory with the log's files. Of a data directory, its own if left out
    #[arg(long, value_name = "URL|DIR")]
    pub log: Option<String>,

    /// The public keys that the log is believed for; of a data directory, its own if left out
    #[arg(long, value_name = "JWKS_FILE")]
    pub key: Option<PathBuf>,

    /// Put what was computed in the place of what is stored
    #[arg(long, requires = "data_dir")]
    pub replace: bool,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,
}

/// Keys that verify and sign nothing.
#[derive(Debug)]
struct PublishedKeys(KeySet);

impl AuditKeys for PublishedKeys {
    fn current(&self, _: Purpose) -> BoxFuture<'_, Result<PublicKey, SigningError>> {
        Box::pin(async { Err(SigningError::NoKeys) })
    }

    fn sign<'a>(&'a self, _: &'a PublicKey, _: &'a [u8]) -> BoxFuture<'a, Result<[u8; 64], SigningError>> {
        Box::pin(async { Err(SigningError::NoKeys) })
    }

    fn published(&self) -> BoxFuture<'_, Result<KeySet, SigningError>> {
        let keys = self.0.clone();
        Box::pin(async move { Ok(keys) })
    }
}

fn failed(error: FoldError) -> CommandError {
    CommandError::Failed(format!("the figures cannot be computed: {error}"))
}

/// Computes and compares; exit code 1 if what is stored is something else and stays.
///
/// # Errors
/// What differs, or why nothing could be computed.
pub fn run(arguments: &RebuildArguments) -> Result<(), CommandError> {
    let Some(data_directory) = &arguments.data_dir else {
        return match (&arguments.log, &arguments.key) {
            (Some(log), Some(key)) => recount::run(&arguments.connection, log, key),
            (_, _) => Err(CommandError::Usage(
                "--data-dir is needed, or --log and --key to compare with what a service answers".to_owned(),
            )),
        };
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime does not start: {error}"))?;
    runtime.block_on(rebuild(arguments, data_directory))
}

async fn rebuild(arguments: &RebuildArguments, data_directory: &Path) -> Result<(), CommandError> {
    let stopped = StoppedService::open(data_directory)?;
    let keys = match &arguments.key {
        Some(path) => read_keys(path)?,
        None => stopped.directory.audit_keys()?.key_set(),
    };
    let path = arguments.log.as_ref().map_or_else(|| stopped.directory.log_path(), PathBuf::from);
    if !path.is_dir() {
        return Err(CommandError::NotFound(format!("there is no directory {}", text_file::shown(&path))));
    }
    let storage = LogDirectory::open(&path, None).map_err(|error| CommandError::Failed(error.to_string()))?;
    let key = stopped.directory.deployment_key()?;
    let store = DynamoStore::new(stopped.client, stopped.tables);
    let host = SystemHost::default();
    let keys = PublishedKeys(keys);
    let log = LogReader { storage: &storage, keys: &keys, key: &key };
    let folder = Folder { store: &store, log, host: &host };
    let found = folder.compare().await.map_err(failed)?;
    let is_replaced = arguments.replace && !found.is_equal();
    if is_replaced {
        let is_reset = folder.reset().await.map_err(failed)?;
        let folded = folder.fold(Duration::MAX).await.map_err(failed)?;
        if !is_reset || folded.cut_short {
            return Err(CommandError::Failed("another program folds the same log".to_owned()));
        }
    }
    report(arguments, &found, is_replaced)
}

fn report(arguments: &RebuildArguments, found: &Rebuilt, is_replaced: bool) -> Result<(), CommandError> {
    let Rebuilt { stored, log, differing_days, differing_requests } = found;
    let is_equal = found.is_equal();
    let output = arguments.connection.output();
    if output.is_document() {
        let answer = json!({
            "equal": is_equal, "replaced": is_replaced, "stored_size": stored, "log_size": log,
            "differing_days": differing_days, "differing_requests": differing_requests,
        });
        output.print(Terminal::plain(), &answer, Text::default)?;
    } else {
        let said = match (is_equal, is_replaced) {
            (true, _) => format!("equal: the figures of {stored} events are what the log of {log} gives"),
            (false, true) => format!("replaced: the figures are now those of the {log} events of the log"),
            (false, false) => {
                format!("not equal: figures of {stored} events, of a log of {log}; --replace puts them right")
            }
        };
        Terminal::plain().print(&Text::of_line(&said))?;
        for day in differing_days {
            Terminal::plain().print(&Text::of_line(&format!("{day} differs")))?;
        }
    }
    if is_equal || is_replaced {
        return Ok(());
    }
    Err(CommandError::Failed("the figures that are stored are not those of the log".to_owned()))
}
