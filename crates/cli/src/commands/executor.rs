//! `countersign executor`: carrying out what was approved, as an executor of its own identity.

use crate::aws;
use crate::connection_arguments::ConnectionArguments;
use crate::error::CommandError;
use crate::executor::program::ProgramExecutor;
use crate::session::Session;
use crate::value_parsers::seconds;
use clap::Args;
use countersign_app::host::Clock as _;
use countersign_client::executor::{ExecutorError, ServiceApprovals, Verifier};
use countersign_client::profile;
use countersign_core::person::PersonId;
use countersign_core::runbook::Runbook;
use countersign_core::text::{Identifier, escaped_line};
use countersign_executor::port::Executor;
use countersign_executor::rds;
use countersign_executor::registry::ExecutorName;
use countersign_executor::ssm_automation::SsmAutomation;
use countersign_executor::worker::Worker;
use countersign_permit::KeySet;
use countersign_rds::{RdsExecutor, Settings};
use countersign_ssm::SsmExecutor;
use countersign_system::system::SystemHost;
use countersign_system::text_file;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;
use strum::IntoEnumIterator as _;
use tokio::signal::unix::{SignalKind, signal};

/// `countersign executor`.
#[derive(Debug, Clone, Args)]
pub struct ExecutorArguments {
    /// The executor as operations.toml names it: it carries out the requests that were made for it [default: rds, or program]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// The operations; with --rds all nine if it is left out
    #[arg(long, value_name = "NAMES", value_delimiter = ',', required_unless_present_any = ["rds", "ssm_automation"])]
    pub operations: Vec<String>,

    /// Carry out operations on Amazon RDS, with the credentials of the environment
    #[arg(long, conflicts_with = "program")]
    pub rds: bool,

    /// The ARNs of instances, clusters and parameter groups that may be touched, `*` for any characters; none if it
    /// is left out
    #[arg(long = "allow-arn", value_name = "ARNS", value_delimiter = ',', requires = "rds")]
    pub allowed_arns: Vec<String>,

    /// The role by which Enhanced Monitoring writes its metrics
    #[arg(long, value_name = "ARN", requires = "rds")]
    pub monitoring_role_arn: Option<String>,

    /// Carry operations out by runbooks of AWS Systems Manager: OPERATION=RUNBOOK:VERSION:PARAMETER, where the version is a
    /// number and the parameter is what becomes of the request's instance
    #[arg(long, value_name = "RUNBOOKS", value_delimiter = ',', value_parser = runbook, conflicts_with_all = ["rds", "program", "operations"])]
    pub ssm_automation: Vec<(String, Runbook)>,

    /// A file with the service's public keys: permits are verified with it before they are claimed
    #[arg(long, value_name = "JWKS_FILE", requires = "issuer")]
    pub key: Option<PathBuf>,

    /// The issuer of permits: the origin of the service
    #[arg(long, value_name = "ORIGIN", requires = "key")]
    pub issuer: Option<String>,

    /// How often is looked: a number and s, m or h
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = seconds)]
    pub interval: u32,

    /// Look once, and end
    #[arg(long)]
    pub once: bool,

    /// How long one run of the program may take
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = seconds)]
    pub time_limit: u32,

    /// The service.
    #[command(flatten)]
    pub connection: ConnectionArguments,

    /// The program that carries the operations out, and its arguments
    #[arg(last = true, value_name = "PROGRAM", required_unless_present_any = ["rds", "ssm_automation"])]
    pub program: Vec<OsString>,
}

/// Carries out what was approved, until SIGTERM or Ctrl-C; what is under way is ended first.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &ExecutorArguments) -> Result<(), CommandError> {
    let session = Session::open(&arguments.connection)?;
    let runbooks: BTreeMap<_, _> = arguments.ssm_automation.iter().cloned().collect();
    let kind = match (arguments.rds, runbooks.is_empty()) {
        (true, _) => ExecutorName::Rds,
        (false, false) => ExecutorName::SsmAutomation,
        (false, true) => ExecutorName::Program,
    };
    let name = arguments.name.clone().unwrap_or_else(|| kind.to_string());
    let operations = match arguments.operations.as_slice() {
        [] if kind == ExecutorName::SsmAutomation => runbooks.keys().cloned().collect(),
        [] => rds::Operation::iter().map(|operation| operation.to_string()).collect(),
        named => named.to_vec(),
    };
    let me = me(&session)?;
    let approvals = ServiceApprovals::new(session.connection, name, operations, verifier(arguments)?, me);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime does not start: {error}"))?;
    runtime.block_on(async {
        let overrides = arguments.connection.overrides();
        let bundle = profile::settings(&overrides)?.aws_ca_bundle;
        if kind == ExecutorName::SsmAutomation {
            let aws = aws::configuration(bundle.as_deref()).await?;
            let executor = SsmExecutor::connect(&aws, SsmAutomation { runbooks });
            carry_out(arguments, Worker::new(approvals, executor)).await
        } else if arguments.rds {
            let settings = Settings {
                allowed_arns: arguments.allowed_arns.clone(),
                monitoring_role_arn: arguments.monitoring_role_arn.clone(),
            };
            let executor = RdsExecutor::connect(&aws::configuration(bundle.as_deref()).await?, settings);
            carry_out(arguments, Worker::new(approvals, executor)).await
        } else {
            let time_limit = Duration::from_secs(u64::from(arguments.time_limit));
            let executor = ProgramExecutor { command: arguments.program.clone(), time_limit };
            carry_out(arguments, Worker::new(approvals, executor)).await
        }
    })
}

/// This executor, as answers may name it; nothing if its token does not say.
fn me(session: &Session) -> Result<Vec<String>, CommandError> {
    let person = session.person()?;
    let service = PersonId::service(&person).map(|service| service.to_string());
    Ok([Some(person), service.ok()].into_iter().flatten().filter(|name| !name.is_empty()).collect())
}

/// `OPERATION=RUNBOOK:VERSION:PARAMETER`.
fn runbook(text: &str) -> Result<(String, Runbook), String> {
    let (operation, runbook) = text.split_once('=').ok_or("must be OPERATION=RUNBOOK:VERSION:PARAMETER")?;
    let operation = Identifier::parse(operation).map_err(|error| error.to_string())?;
    Ok((operation.to_string(), Runbook::parse(runbook).map_err(|error| error.to_string())?))
}

fn verifier(arguments: &ExecutorArguments) -> Result<Option<Verifier>, CommandError> {
    let (Some(path), Some(issuer)) = (&arguments.key, &arguments.issuer) else { return Ok(None) };
    let at = |error: &dyn std::fmt::Display| {
        CommandError::Usage(format!("--key {}: {error}", text_file::shown(path)))
    };
    let text = text_file::read_to_string(path).map_err(|error| at(&error))?;
    let keys = KeySet::parse(&text).map_err(|error| at(&error))?;
    Ok(Some(Verifier { keys, issuer: issuer.clone() }))
}

async fn carry_out<E: Executor>(
    arguments: &ExecutorArguments,
    mut worker: Worker<ServiceApprovals, E>,
) -> Result<(), CommandError> {
    let failed = |error: std::io::Error| CommandError::Failed(format!("signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let host = SystemHost::default();
    // What was said last of each request: the same is not said again.
    let mut said = BTreeMap::new();
    let mut lost = None;
    loop {
        match worker.pass(|| host.now(), None).await {
            Ok(pass) => {
                lost = None;
                for note in pass.notes {
                    let detail = note.detail.map(|detail| format!(": {detail}")).unwrap_or_default();
                    let message = format!("{}{detail}", note.message);
                    let last = said.insert(note.request_id.clone(), message.clone());
                    if last.as_ref() != Some(&message) {
                        say(&note.request_id, &message);
                    }
                }
            }
            Err(ExecutorError::Call(error)) if error.is_passing() && !arguments.once => {
                let error = error.to_string();
                if lost.as_ref() != Some(&error) {
                    say("service", &error);
                }
                lost = Some(error);
            }
            Err(error) => return Err(error.into()),
        }
        if arguments.once {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(u64::from(arguments.interval))) => {}
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
    }
}

/// A line on stderr. Texts of others are escaped.
fn say(request_id: &str, message: &str) {
    let (request_id, message) = (escaped_line(request_id), escaped_line(message));
    // Nothing is lost if it cannot be written.
    let _ = writeln!(std::io::stderr(), "{request_id}: {message}");
}
