//! Functions as Lambda runs them, measured side by side: processes on a Runtime API of this program, each with a fresh
//! embedded store behind TLS. Programs take turns call by call, so that a busy moment is in the figures of all.

mod calls;
mod database;
mod report;
mod sandbox;
mod share;

use crate::certificate::Certificate;
use crate::metered_store::StoreCall;
use calls::{Dialect, Operation, Subject};
use clap::Parser;
use database::Database;
use report::{ColdStart, OperationCost, ProgramReport, Report, Warm};
use sandbox::{Program, Sandbox};
use share::Share;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The memory of a function whose share of a processor cold starts are measured at, in MB.
const MEMORY: u64 = 512;
/// What a call of the store takes more, when the way to a database in the same region is counted.
const WAY_TO_THE_STORE: Duration = Duration::from_millis(4);
/// Requests that wait for approval while others come and go: what a page of a list shows.
const WAITING: usize = 20;

/// What is measured.
#[derive(Debug, Parser)]
#[command(name = "functions")]
pub(crate) struct Arguments {
    /// A program that takes payloads of the original endpoint: NAME=COMMAND, words apart by spaces
    #[arg(long = "program", value_name = "NAME=COMMAND")]
    programs: Vec<String>,
    /// A directory with the built functions, called by direct payloads and by events of the gateway
    #[arg(long, value_name = "DIR")]
    functions: Option<PathBuf>,
    /// The samples of events, for cold starts of every function
    #[arg(long, value_name = "DIR", default_value = "events")]
    events: PathBuf,
    /// A policy directory that cold starts are measured with as well
    #[arg(long, value_name = "DIR")]
    policy: Option<PathBuf>,
    /// Cold starts of each program
    #[arg(long, value_name = "COUNT", default_value_t = 25)]
    cold: usize,
    /// Calls of each operation
    #[arg(long, value_name = "COUNT", default_value_t = 400)]
    rounds: usize,
    /// Functions in the directory that start cold; all of them if none is named
    #[arg(long = "only", value_name = "NAME")]
    only: Vec<String>,
    /// The program that the others are compared with
    #[arg(long, value_name = "NAME", default_value = "floor")]
    floor: String,
    /// Where the figures are written as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Measures, prints one table, and writes JSON if that is asked for.
pub(crate) fn measure(arguments: &[&str]) -> Result<(String, bool), String> {
    let arguments = std::iter::once(&"functions").chain(arguments);
    let arguments = Arguments::try_parse_from(arguments).map_err(text)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(text)?;
    let report = runtime.block_on(run(&arguments))?;
    if let Some(path) = &arguments.json {
        let json = serde_json::to_string_pretty(&report).map_err(text)?;
        std::fs::write(path, json + "\n").map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok((report.to_string(), true))
}

async fn run(arguments: &Arguments) -> Result<Report, String> {
    let certificate = Certificate::issue()?;
    let directory = tempfile::tempdir().map_err(text)?;
    let bundle = directory.path().join("roots.pem");
    std::fs::write(&bundle, &certificate.pem).map_err(text)?;
    let bench = Bench { certificate, bundle };
    let mut programs = Vec::new();
    for program in &arguments.programs {
        let (name, command) = program.split_once('=').ok_or("--program must be NAME=COMMAND")?;
        let command = command.split_whitespace().map(str::to_owned).collect();
        programs.push(Measured::original(Program { name: name.to_owned(), command }));
    }
    if let Some(directory) = &arguments.functions {
        programs.push(Measured::functions("functions, direct", directory, Dialect::Direct));
        programs.push(Measured::functions("functions, gateway", directory, Dialect::Gateway));
    }
    let mut reports = BTreeMap::new();
    for (program, report) in programs.iter().zip(bench.warm(&programs, arguments.rounds).await?) {
        reports.insert(program.name.clone(), report);
    }
    let mut starts = arguments
        .programs
        .iter()
        .zip(&programs)
        .map(|(_, program)| {
            let payload = calls::payload(Dialect::Original, Operation::Create, 0, &Subject::default());
            Start { program: program.function(Operation::Create), payload, policy: None }
        })
        .collect::<Vec<_>>();
    if let Some(directory) = &arguments.functions {
        for name in functions(directory, &arguments.events, &arguments.only)? {
            let command = vec![directory.join(&name).display().to_string()];
            let payload = calls::sample(&arguments.events, &name)?;
            let program = Program { name: name.clone(), command };
            starts.push(Start { program: program.clone(), payload: payload.clone(), policy: None });
            if let Some(policy) = &arguments.policy {
                let program = Program { name: format!("{name}, own policy"), ..program };
                starts.push(Start { program, payload, policy: Some(policy.display().to_string()) });
            }
        }
    }
    let cold = bench.cold(&starts, arguments.cold).await?;
    Ok(Report { floor: arguments.floor.clone(), memory: MEMORY, warm: reports, cold })
}

/// The functions of a directory that there are samples for, in order.
fn functions(
    directory: &std::path::Path,
    events: &std::path::Path,
    only: &[String],
) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(events).map_err(|error| format!("{}: {error}", events.display()))? {
        let name = entry.map_err(text)?.file_name().to_string_lossy().into_owned();
        let is_wanted = only.is_empty() || only.contains(&name);
        if is_wanted && directory.join(&name).is_file() && calls::sample(events, &name).is_ok() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// A program, or one for each operation.
#[derive(Debug)]
struct Measured {
    name: String,
    dialect: Dialect,
    command: Vec<String>,
    directory: Option<PathBuf>,
}

impl Measured {
    fn original(program: Program) -> Self {
        let Program { name, command } = program;
        Self { name, dialect: Dialect::Original, command, directory: None }
    }

    fn functions(name: &str, directory: &std::path::Path, dialect: Dialect) -> Self {
        let directory = Some(directory.to_owned());
        Self { name: name.to_owned(), dialect, command: Vec::new(), directory }
    }

    /// What is started for an operation.
    fn function(&self, operation: Operation) -> Program {
        let command = match &self.directory {
            Some(directory) => vec![directory.join(operation.as_str()).display().to_string()],
            None => self.command.clone(),
        };
        Program { name: self.name.clone(), command }
    }
}

/// A process that is started to see what its first answer costs.
#[derive(Debug)]
struct Start {
    program: Program,
    payload: bytes::Bytes,
    policy: Option<String>,
}

struct Bench {
    certificate: Certificate,
    bundle: PathBuf,
}

impl Bench {
    fn variables(&self, database: &Database, policy: Option<&str>) -> Vec<(String, String)> {
        let mut variables: BTreeMap<String, String> = calls::variables().into_iter().collect();
        let names = countersign_dynamodb::table::TableNames::of_environment("bench");
        #[expect(clippy::disallowed_methods, reason = "this is a shell: it starts programs")]
        let path = std::env::var("PATH").unwrap_or_default();
        for (name, value) in [
            ("APPROVALS_TABLE", names.approvals),
            ("AUDIT_LOG_TABLE", names.audit),
            ("OUTBOX_TABLE", names.outbox),
            ("AWS_ENDPOINT_URL", format!("https://{}", database.address)),
            ("AWS_CA_BUNDLE", self.bundle.display().to_string()),
            ("AWS_REGION", "eu-central-1".to_owned()),
            // Lambda sets both; the SDK for Python reads this one.
            ("AWS_DEFAULT_REGION", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "bench".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "bench".to_owned()),
            // Functions in other languages are found by it.
            ("PATH", path),
        ] {
            variables.insert(name.to_owned(), value);
        }
        if let Some(policy) = policy {
            variables.insert("POLICY_DIR".to_owned(), policy.to_owned());
        }
        variables.into_iter().collect()
    }

    async fn warm(&self, programs: &[Measured], rounds: usize) -> Result<Vec<ProgramReport>, String> {
        let near = self.rounds(programs, rounds, Duration::ZERO).await?;
        // Time in the region does not change with the rounds: a quarter of them tells as much.
        let far = self.rounds(programs, rounds.div_ceil(4), WAY_TO_THE_STORE).await?;
        Ok(near.into_iter().zip(far).map(|(near, far)| ProgramReport { near, far }).collect())
    }

    async fn rounds(
        &self,
        programs: &[Measured],
        rounds: usize,
        delay: Duration,
    ) -> Result<Vec<Warm>, String> {
        let mut running = Vec::new();
        for program in programs {
            let database = Database::start(&self.certificate, delay).await?;
            running.push(Running::start(program, database, self).await?);
        }
        for number in 0..rounds {
            for one in &mut running {
                one.round(number + WAITING).await?;
            }
        }
        running.into_iter().map(Running::finish).collect()
    }

    async fn cold(&self, starts: &[Start], count: usize) -> Result<BTreeMap<String, ColdStart>, String> {
        let mut measured: Vec<ColdStart> = starts.iter().map(|start| ColdStart::of(&start.program)).collect();
        let mut databases = Vec::new();
        for _ in starts {
            databases.push(Database::start(&self.certificate, Duration::ZERO).await?);
        }
        for is_shared in [false, true] {
            for _ in 0..count {
                for ((start, database), measured) in starts.iter().zip(&databases).zip(&mut measured) {
                    let share = if is_shared { Share::of_memory(MEMORY) } else { None };
                    if is_shared && share.is_none() {
                        continue;
                    }
                    let variables = self.variables(database, start.policy.as_deref());
                    let mut sandbox = Sandbox::start(&start.program, &variables, share.as_ref()).await?;
                    let answer = sandbox.invoke(start.payload.clone()).await?;
                    measured.add(is_shared, sandbox.since_start(&answer), sandbox.spent()?);
                }
            }
        }
        Ok(starts.iter().map(|start| start.program.name.clone()).zip(measured).collect())
    }
}

/// A program under load.
struct Running<'a> {
    program: &'a Measured,
    database: Database,
    sandboxes: BTreeMap<Operation, Sandbox>,
    costs: BTreeMap<Operation, Vec<Call>>,
}

/// A call that was measured.
#[derive(Debug)]
struct Call {
    took: Duration,
    store: Vec<StoreCall>,
    cpu: Duration,
    response_bytes: usize,
}

impl<'a> Running<'a> {
    async fn start(program: &'a Measured, database: Database, bench: &Bench) -> Result<Self, String> {
        let variables = bench.variables(&database, None);
        let mut sandboxes = BTreeMap::new();
        let operations: &[Operation] =
            if program.directory.is_some() { &Operation::ALL } else { &[Operation::Create] };
        for operation in operations {
            let function = program.function(*operation);
            sandboxes.insert(*operation, Sandbox::start(&function, &variables, None).await?);
        }
        let mut running = Self { program, database, sandboxes, costs: BTreeMap::new() };
        for number in 0..WAITING {
            running.call(Operation::Create, number, &Subject::default()).await?;
        }
        let subject = running.call(Operation::Create, WAITING, &Subject::default()).await?;
        for operation in [Operation::Approve, Operation::Get, Operation::List] {
            running.call(operation, WAITING, &subject).await?;
        }
        running.costs.clear();
        Ok(running)
    }

    async fn round(&mut self, number: usize) -> Result<(), String> {
        let subject = self.call(Operation::Create, number + 1, &Subject::default()).await?;
        for operation in [Operation::Approve, Operation::Get, Operation::List] {
            self.call(operation, number, &subject).await?;
        }
        Ok(())
    }

    async fn call(
        &mut self,
        operation: Operation,
        number: usize,
        subject: &Subject,
    ) -> Result<Subject, String> {
        let program = self.program;
        let payload = calls::payload(program.dialect, operation, number, subject);
        let key = if program.directory.is_some() { operation } else { Operation::Create };
        let sandbox = self.sandboxes.get_mut(&key).ok_or("a function that was not started")?;
        self.database.store.take_calls();
        let before = sandbox.spent()?.cpu;
        let began = Instant::now();
        let answer = sandbox.invoke(payload).await?;
        let took = answer.at.duration_since(began);
        if !answer.is_ok || !calls::is_success(program.dialect, &answer.body) {
            let body = String::from_utf8_lossy(&answer.body);
            return Err(format!("{}: {} answers {body}", program.name, operation.as_str()));
        }
        let cpu = sandbox.spent()?.cpu.saturating_sub(before);
        let store = self.database.store.take_calls();
        let call = Call { took, store, cpu, response_bytes: answer.body.len() };
        self.costs.entry(operation).or_default().push(call);
        Ok(calls::created(program.dialect, &answer.body).unwrap_or_default())
    }

    fn finish(self) -> Result<Warm, String> {
        let operations = self
            .costs
            .iter()
            .map(|(operation, calls)| (operation.as_str().to_owned(), OperationCost::of(calls)));
        let mut peak_memory = 0;
        for sandbox in self.sandboxes.values() {
            peak_memory = peak_memory.max(sandbox.spent()?.peak_memory);
        }
        let all: Vec<&Call> = self.costs.values().flatten().collect();
        Ok(Warm::of(operations.collect(), &all, peak_memory))
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
