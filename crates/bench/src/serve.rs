//! What `countersign serve` can take: reads, creations and decisions, beside the cost of one commit on the same disk.
//!
//! All is measured over HTTP, on connections that are kept, of the release binary as a process of its own. Commits and
//! decisions take turns, so that a disk that is slow for a while is slow for both.

pub(crate) mod disk;
pub(crate) mod http;
pub(crate) mod load;
pub(crate) mod service;

use crate::serve::disk::Disk;
use crate::serve::http::Connection;
use crate::serve::load::{Measured, dealt, drive};
use crate::serve::service::{Service, create, request_body};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How many callers there are at once.
const CALLERS: [usize; 3] = [1, 4, 16];
/// How many approvers there are: a caller each.
const APPROVERS: usize = 16;
/// How many people ask, and for how many requests each: a few less than may wait at once.
const REQUESTERS: usize = 32;
const OF_REQUESTER: usize = 48;
/// How long reads of one kind are measured with so many callers.
const READING: Duration = Duration::from_secs(3);
/// How often commits and decisions take turns.
const ROUNDS: usize = 3;
/// How many decisions a caller makes in a row, by how many callers there are.
const DECISIONS: [usize; 3] = [120, 40, 12];
/// How many commits are measured in a row.
const COMMITS: usize = 120;
/// How long the service is left alone before plain commits are measured.
const REST: Duration = Duration::from_millis(1500);

/// What is claimed: reads in a second, and the time of a decision as a multiple of a commit's.
const LEAST_READS: f64 = 4000.0;
const MOST_COMMITS: f64 = 1.5;

/// What is measured, and where.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) program: PathBuf,
    pub(crate) directory: PathBuf,
}

impl Options {
    /// `--program PATH`, and `--directory DIR` for the disk: this one if it is left out.
    ///
    /// # Errors
    /// When there is no program, or something else on the line.
    pub(crate) fn read(arguments: &[&str]) -> Result<Self, String> {
        let (mut program, mut directory) = (None, PathBuf::from("."));
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} has no value"))?;
            match *name {
                "--program" => program = Some(PathBuf::from(value)),
                "--directory" => directory = PathBuf::from(value),
                _ => return Err(format!("{name} is not known")),
            }
        }
        let program = program.ok_or("--program names the release binary of countersign")?;
        let program = program.canonicalize().map_err(|error| format!("{}: {error}", program.display()))?;
        Ok(Self { program, directory })
    }
}

/// Measures; a table and the same as JSON, and whether what is claimed holds.
///
/// # Errors
/// When the service or the disk fails.
pub(crate) fn measure(options: &Options) -> Result<(String, bool), String> {
    let service = Service::start(&options.program, &options.directory)?;
    let people = People::of(&service)?;
    let (creations, waiting) = create_all(&service, &people)?;
    // Caches are warm, and what was created is in the log.
    std::thread::sleep(REST);
    let one = read(&service, &people, |turn| {
        let id = waiting.get(turn % waiting.len().max(1)).map_or("", String::as_str);
        format!("/v1/approvals/{id}")
    })?;
    let page = read(&service, &people, |_| "/v1/approvals?status=pending&limit=20".to_owned())?;
    let (commits, decisions) = decide(&service, &people, &options.directory, waiting)?;
    let figures = Figures { creations, one, page, commits, decisions };
    Ok((figures.report(), figures.hold()))
}

/// Those who call.
struct People {
    requesters: Vec<String>,
    approvers: Vec<String>,
}

impl People {
    fn of(service: &Service) -> Result<Self, String> {
        let tokens = |group: &str, count: usize| -> Result<Vec<String>, String> {
            (0..count).map(|one| service.token(&format!("{group}-{one}@example.com"), group)).collect()
        };
        Ok(Self { requesters: tokens("developer", REQUESTERS)?, approvers: tokens("approver", APPROVERS)? })
    }

    fn approver(&self, caller: usize) -> &str {
        self.approvers.get(caller % APPROVERS).map_or("", String::as_str)
    }
}

/// Makes all requests, with four callers at once: what each took, and their ids.
fn create_all(service: &Service, people: &People) -> Result<(Measured, Vec<String>), String> {
    let ids = std::sync::Mutex::new(Vec::new());
    let body = request_body();
    let tokens = people.requesters.iter().flat_map(|token| std::iter::repeat_n(token.as_str(), OF_REQUESTER));
    let before = service.cpu()?;
    let mut measured = drive(service.address(), &dealt(tokens, 4), |connection, token| {
        let (id, took) = create(connection, token, &body)?;
        ids.lock().map_err(|error| error.to_string())?.push(id);
        Ok(took)
    })?;
    measured.cpu = service.cpu()?.saturating_sub(before);
    Ok((measured, ids.into_inner().map_err(|error| error.to_string())?))
}

/// Reads for a while, with ever more callers.
fn read(
    service: &Service,
    people: &People,
    target: impl Fn(usize) -> String + Sync,
) -> Result<Vec<Measured>, String> {
    CALLERS
        .iter()
        .map(|callers| {
            let tasks: Vec<Vec<usize>> = (0..*callers).map(|caller| vec![caller]).collect();
            let before = service.cpu()?;
            let calls = std::sync::Mutex::new(Vec::new());
            let mut measured = drive(service.address(), &tasks, |connection, caller| {
                let mut took = Vec::new();
                let began = Instant::now();
                while began.elapsed() < READING {
                    let target = target(caller + took.len() * callers);
                    let answer = connection.call("GET", &target, people.approver(*caller), "")?;
                    answer.text()?;
                    took.push(answer.took);
                }
                calls.lock().map_err(|error| error.to_string())?.append(&mut took);
                Ok(began.elapsed())
            })?;
            measured.calls = calls.into_inner().map_err(|error| error.to_string())?;
            measured.cpu = service.cpu()?.saturating_sub(before);
            Ok(measured)
        })
        .collect()
}

/// Commits and decisions in turn: plain commits, and decisions with ever more callers.
fn decide(
    service: &Service,
    people: &People,
    on: &Path,
    mut waiting: Vec<String>,
) -> Result<(Measured, Vec<Measured>), String> {
    let disk = Disk::open(on)?;
    disk.commits(COMMITS)?;
    let mut commits = Measured::default();
    let mut decisions = vec![Measured::default(); CALLERS.len()];
    for _ in 0..ROUNDS {
        for ((callers, of_each), all) in CALLERS.iter().zip(DECISIONS).zip(&mut decisions) {
            std::thread::sleep(REST);
            let began = Instant::now();
            let calls = disk.commits(COMMITS / CALLERS.len())?;
            commits.add(Measured { calls, elapsed: began.elapsed(), ..Measured::default() });
            let count = (callers * of_each).min(waiting.len());
            let ids = waiting.split_off(waiting.len() - count);
            let tasks = ids.into_iter().enumerate().map(|(turn, id)| (turn % callers, id));
            let before = service.cpu()?;
            let mut measured =
                drive(service.address(), &dealt(tasks, *callers), |connection, (caller, id)| {
                    approve(connection, people.approver(*caller), id)
                })?;
            // What follows from a decision is part of its cost.
            std::thread::sleep(REST);
            measured.cpu = service.cpu()?.saturating_sub(before);
            all.add(measured);
        }
    }
    Ok((commits, decisions))
}

fn approve(connection: &mut Connection, token: &str, id: &str) -> Result<Duration, String> {
    let answer = connection.call("POST", &format!("/v1/approvals/{id}/approve"), token, "{}")?;
    answer.text()?;
    Ok(answer.took)
}

/// All that was measured.
struct Figures {
    creations: Measured,
    one: Vec<Measured>,
    page: Vec<Measured>,
    commits: Measured,
    decisions: Vec<Measured>,
}

impl Figures {
    fn most_reads(&self) -> f64 {
        self.one.iter().map(Measured::per_second).fold(0.0, f64::max)
    }

    /// The time of a decision as a multiple of a commit's, where nobody else decides.
    fn commits_of_decision(&self) -> f64 {
        self.decisions.first().map_or(f64::NAN, |alone| alone.percentile(50) / self.commits.percentile(50))
    }

    fn hold(&self) -> bool {
        self.most_reads() >= LEAST_READS && self.commits_of_decision() <= MOST_COMMITS
    }

    fn report(&self) -> String {
        let mut table = "Times in microseconds.\n\n".to_owned();
        let width = 34;
        let mut row = |what: &str, columns: [String; 7]| {
            let [rate, mean, p50, p99, each, cpu, callers] = columns;
            // INVARIANT: a text takes everything that is written to it.
            let _ = writeln!(
                table,
                "{what:width$} {rate:>9} {mean:>9} {p50:>9} {p99:>9} {each:>9} {cpu:>9} {callers:>9}"
            );
        };
        row("", ["per s", "mean", "p50", "p99", "wall each", "CPU each", "callers'"].map(str::to_owned));
        let mut measured = |what: &str, measured: &Measured| {
            let [p50, p99] = [50, 99].map(|percent| format!("{:.0}", measured.percentile(percent)));
            let numbers = [
                measured.per_second(),
                measured.mean(),
                measured.each(),
                measured.cpu_each(),
                measured.callers_cpu_each(),
            ];
            let [rate, mean, each, cpu, callers] = numbers.map(|number| format!("{number:.0}"));
            row(what, [rate, mean, p50, p99, each, cpu, callers]);
        };
        measured("one commit of SQLite", &self.commits);
        for (what, all) in
            [("reads of one request", &self.one), ("pages of 20", &self.page), ("decisions", &self.decisions)]
        {
            for (callers, of_callers) in CALLERS.iter().zip(all) {
                measured(&format!("{what}, {callers} at once"), of_callers);
            }
        }
        measured("creations, 4 at once", &self.creations);
        let verdict = |holds: bool| if holds { "holds" } else { "DOES NOT HOLD" };
        let (reads, commits) = (self.most_reads(), self.commits_of_decision());
        let _ = writeln!(
            table,
            "\n{reads:.0} reads a second (at least {LEAST_READS:.0})  {}\na decision is {commits:.2} commits (at most \
             {MOST_COMMITS}), by their medians  {}\n",
            verdict(reads >= LEAST_READS),
            verdict(commits <= MOST_COMMITS),
        );
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        for (callers, one) in CALLERS.iter().zip(&self.one) {
            let _ = writeln!(
                table,
                "{callers} reading at once: {:.0} a second would be what its CPU time allows on {cores} cores",
                1e6 * f64::from(u32::try_from(cores).unwrap_or(u32::MAX)) / one.cpu_each(),
            );
        }
        let commit = self.commits.percentile(50);
        for (callers, decisions) in CALLERS.iter().zip(&self.decisions) {
            let _ = writeln!(
                table,
                "{callers} deciding at once: a decision takes {:.2} commits for its caller, and {:.2} of the service",
                decisions.percentile(50) / commit,
                decisions.each() / commit,
            );
        }
        let _ = writeln!(table, "\n{}", self.json());
        table
    }

    fn json(&self) -> Value {
        let by_callers = |all: &[Measured]| -> Value {
            CALLERS.iter().zip(all).map(|(callers, one)| (callers.to_string(), one.json())).collect()
        };
        json!({
            "commit": self.commits.json(),
            "read_one": by_callers(&self.one),
            "read_page": by_callers(&self.page),
            "decision": by_callers(&self.decisions),
            "creation": self.creations.json(),
            "decision_in_commits": self.commits_of_decision(),
        })
    }
}
