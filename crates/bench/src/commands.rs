//! What each command takes besides the service that it calls: the release binary, run many times.
//!
//! A command that calls a service does so through a stopwatch, which takes the time from the last byte of a call to the first
//! of its answer: what is left is the command's own.

mod stopwatch;

use crate::commands::stopwatch::Stopwatch;
use crate::serve::Options;
use crate::serve::http::Connection;
use crate::serve::service::{Service, create, request_body};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// How often each command is run.
const TURNS: usize = 15;
/// What is claimed: the most milliseconds of a command besides the service's, and of `policy check`.
const MOST: f64 = 30.0;
const MOST_OF_CHECK: f64 = 50.0;

/// Who runs a command.
#[derive(Debug, Clone, Copy)]
enum Who {
    Requester,
    Approver,
    Auditor,
    /// Nobody: it calls no service.
    Nobody,
}

/// A command, and what it needs before each of its runs.
struct Row {
    line: &'static str,
    who: Who,
    needs: Needs,
}

/// What a run of a command uses up.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Needs {
    /// Nothing, or what there is already.
    Nothing,
    /// A pending request, whose id takes the place of `ID`.
    Pending,
    /// An approved one.
    Approved,
    /// One that has been started.
    Started,
}

const fn row(line: &'static str, who: Who, needs: Needs) -> Row {
    Row { line, who, needs }
}

/// All commands that end by themselves. `ID` is a request, `FRESH` a directory that is not there, `POLICY` one that holds the
/// bundled policy, `DATA` the data directory, `STOPPED` one of a service that has stopped.
const ROWS: &[Row] = &[
    row("policy check", Who::Nobody, Needs::Nothing),
    row("policy check POLICY", Who::Nobody, Needs::Nothing),
    row("policy test POLICY", Who::Nobody, Needs::Nothing),
    row("policy init FRESH", Who::Nobody, Needs::Nothing),
    row("--version", Who::Nobody, Needs::Nothing),
    row("--help", Who::Nobody, Needs::Nothing),
    row("completions bash", Who::Nobody, Needs::Nothing),
    row("man", Who::Nobody, Needs::Nothing),
    row("config path", Who::Nobody, Needs::Nothing),
    row("config set-profile one --url http://127.0.0.1:9000", Who::Nobody, Needs::Nothing),
    row("config use one", Who::Nobody, Needs::Nothing),
    row("config show", Who::Nobody, Needs::Nothing),
    row("token ann@example.com --data-dir DATA", Who::Nobody, Needs::Nothing),
    row("key list --data-dir STOPPED", Who::Nobody, Needs::Nothing),
    row("outbox list --data-dir STOPPED", Who::Nobody, Needs::Nothing),
    row("operations", Who::Requester, Needs::Nothing),
    row("whoami", Who::Requester, Needs::Nothing),
    row("doctor", Who::Requester, Needs::Nothing),
    row("dashboard --no-browser", Who::Requester, Needs::Nothing),
    row(
        "create modify_storage dev-db-02 -e non-production -m why --parameters {\"allocated_storage\":200}",
        Who::Requester,
        Needs::Nothing,
    ),
    row(
        "simulate modify_storage dev-db-02 -e non-production -m why --parameters {\"allocated_storage\":200}",
        Who::Requester,
        Needs::Nothing,
    ),
    row("list", Who::Approver, Needs::Nothing),
    row("list -o json", Who::Approver, Needs::Nothing),
    row("get ID", Who::Approver, Needs::Pending),
    row("wait ID", Who::Requester, Needs::Approved),
    row("explain ID", Who::Requester, Needs::Pending),
    row("events ID", Who::Requester, Needs::Pending),
    row("verify ID", Who::Auditor, Needs::Pending),
    row("comment ID hello", Who::Requester, Needs::Pending),
    row("approve ID --yes", Who::Approver, Needs::Pending),
    row("reject ID --yes -m no", Who::Approver, Needs::Pending),
    row("withdraw ID", Who::Approver, Needs::Approved),
    row("cancel ID", Who::Requester, Needs::Pending),
    row("start ID", Who::Requester, Needs::Approved),
    row("execution ID", Who::Requester, Needs::Started),
    row("finish ID succeeded", Who::Requester, Needs::Started),
    row("evidence ID", Who::Auditor, Needs::Approved),
    row("audit list", Who::Auditor, Needs::Nothing),
    row("audit stats", Who::Auditor, Needs::Nothing),
];

/// What one command took.
struct Taken {
    line: &'static str,
    wall: f64,
    of_service: f64,
}

impl Taken {
    fn own(&self) -> f64 {
        self.wall - self.of_service
    }

    fn at_most(&self) -> f64 {
        if self.line.starts_with("policy check") { MOST_OF_CHECK } else { MOST }
    }

    fn holds(&self) -> bool {
        self.own() <= self.at_most()
    }
}

/// Measures; a table and the same as JSON, and whether what is claimed holds.
///
/// # Errors
/// When a command fails.
pub(crate) fn measure(options: &Options) -> Result<(String, bool), String> {
    let service = Service::start(&options.program, &options.directory)?;
    let mut stopped = Service::start(&options.program, &options.directory)?;
    stopped.stop();
    let bench = Bench::of(&options.program, &service, &stopped)?;
    let taken: Vec<Taken> =
        ROWS.iter().enumerate().map(|(number, row)| bench.run(number, row)).collect::<Result<_, _>>()?;
    let width = taken.iter().map(|one| one.line.chars().count().min(48)).max().unwrap_or(0);
    let mut table = format!("Medians of {TURNS} runs, in milliseconds.\n\n");
    // INVARIANT: a text takes everything that is written to it.
    let _ = writeln!(table, "{:width$} {:>8} {:>8} {:>8}", "", "wall", "service", "own");
    for one in &taken {
        let line: String = one.line.chars().take(width).collect();
        let (wall, of_service, own) = (one.wall, one.of_service, one.own());
        let verdict = if one.holds() { "holds" } else { "DOES NOT HOLD" };
        let limit = one.at_most();
        let _ = writeln!(
            table,
            "{line:width$} {wall:8.1} {of_service:8.1} {own:8.1}  at most {limit:.0}  {verdict}"
        );
    }
    let as_json: Vec<Value> = taken
        .iter()
        .map(|one| json!({ "command": one.line, "wall": one.wall, "service": one.of_service, "own": one.own() }))
        .collect();
    let _ = writeln!(table, "\n{}", Value::Array(as_json));
    Ok((table, taken.iter().all(Taken::holds)))
}

/// All that the commands are run with.
struct Bench<'a> {
    program: &'a Path,
    service: &'a Service,
    stopped: &'a Service,
    stopwatch: Stopwatch,
    home: tempfile::TempDir,
    approver: String,
    auditor: String,
}

impl<'a> Bench<'a> {
    fn of(program: &'a Path, service: &'a Service, stopped: &'a Service) -> Result<Self, String> {
        let bench = Self {
            program,
            service,
            stopped,
            stopwatch: Stopwatch::start(service.address())?,
            home: tempfile::tempdir().map_err(|error| error.to_string())?,
            approver: service.token("bob@example.com", "approver")?,
            auditor: service.token("eve@example.com", "auditor")?,
        };
        let policy = bench.home.path().join("policy");
        let init = Command::new(program).args(["policy", "init"]).arg(&policy).output();
        succeeded("policy init", &init.map_err(|error| error.to_string())?)?;
        Ok(bench)
    }

    fn run(&self, number: usize, row: &Row) -> Result<Taken, String> {
        // Somebody else for each row: nobody has too many open requests.
        let requester = self.service.token(&format!("ann-{number}@example.com"), "developer")?;
        let (mut walls, mut of_service) = (Vec::new(), Vec::new());
        // The first run finds cold caches.
        for turn in 0..=TURNS {
            let id = self.request(row.needs, &requester)?;
            let fresh = self.home.path().join(format!("{}-{turn}", row.line.len()));
            let words = row.line.split(' ').map(|word| match word {
                "ID" => id.clone(),
                "FRESH" => fresh.display().to_string(),
                "POLICY" => self.home.path().join("policy").display().to_string(),
                "STOPPED" => self.stopped.data_directory().display().to_string(),
                "DATA" => self.service.data_directory().display().to_string(),
                word => word.to_owned(),
            });
            let mut command = Command::new(self.program);
            command.args(words).env_clear().env("HOME", self.home.path()).env("PATH", "/usr/bin:/bin");
            if let Some(token) = self.token(row.who, &requester) {
                command.env("COUNTERSIGN_URL", format!("http://{}", self.stopwatch.address()));
                command.env("COUNTERSIGN_TOKEN", token);
            }
            self.stopwatch.reset();
            let began = Instant::now();
            let output = command.output().map_err(|error| error.to_string())?;
            let wall = began.elapsed();
            succeeded(row.line, &output)?;
            if turn > 0 {
                walls.push(wall);
                of_service.push(self.stopwatch.waited());
            }
        }
        Ok(Taken { line: row.line, wall: median(walls), of_service: median(of_service) })
    }

    fn token<'b>(&'b self, who: Who, requester: &'b str) -> Option<&'b str> {
        match who {
            Who::Requester => Some(requester),
            Who::Approver => Some(&self.approver),
            Who::Auditor => Some(&self.auditor),
            Who::Nobody => None,
        }
    }

    /// A request that a run may use up; no id if it needs none.
    fn request(&self, needs: Needs, requester: &str) -> Result<String, String> {
        if needs == Needs::Nothing {
            return Ok(String::new());
        }
        let mut connection = Connection::open(self.service.address())?;
        let (id, _) = create(&mut connection, requester, &request_body())?;
        let mut act = |action: &str, token: &str| -> Result<(), String> {
            let target = format!("/v1/approvals/{id}/{action}");
            connection.call("POST", &target, token, "{}")?.text().map(|_| ())
        };
        if needs != Needs::Pending {
            act("approve", &self.approver)?;
        }
        if needs == Needs::Started {
            act("execution", requester)?;
        }
        Ok(id)
    }
}

fn succeeded(line: &str, output: &Output) -> Result<(), String> {
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{line}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// In milliseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
}
