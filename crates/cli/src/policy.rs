//! `countersign policy`: what is odd about a policy, and whether it does what its cases say. Both need
//! no service; what a policy would have made of past requests does, see [`crate::client::replay`].

use crate::client::replay::{self, ReplayArguments};
use crate::client::show;
use crate::client::terminal::{Terminal, Tone};
use crate::exit::Exit;
use clap::{Args, Subcommand};
use countersign_app::host::Host as _;
use countersign_core::cases::{self, Case, Failure};
use countersign_core::digest::Digest;
use countersign_core::lint::{Severity, lint};
use countersign_core::policy::{Policy, PolicyError, PolicyText};
use countersign_core::text::escaped_line;
use countersign_core::timestamp::Timestamp;
use countersign_host::policy::{ACCESS_FILE, BUNDLED, PolicyFiles, check, in_directory};
use countersign_host::system::SystemHost;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// `countersign policy`.
#[derive(Debug, Clone, Args)]
pub struct PolicyArguments {
    /// What to do with it.
    #[command(subcommand)]
    pub command: PolicyCommand,
}

/// The commands of `countersign policy`.
#[derive(Debug, Clone, Subcommand)]
pub enum PolicyCommand {
    /// Say what is wrong or odd about a policy
    Check(CheckArguments),
    /// Run the table of cases beside a policy
    Test(TestArguments),
    /// Say what a policy would have made of past requests; asks the service for them
    Replay(Box<ReplayArguments>),
}

/// `countersign policy check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArguments {
    /// The directory with operations.toml, people.toml and access.cedar; the policy that comes with
    /// the program if it is left out
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,

    /// End with code 1 if there are warnings, too
    #[arg(long)]
    pub deny_warnings: bool,

    /// The answer as JSON, for scripts
    #[arg(long)]
    pub json: bool,
}

/// `countersign policy test`.
#[derive(Debug, Clone, Args)]
pub struct TestArguments {
    /// The directory with operations.toml, people.toml, access.cedar and tests.toml
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,

    /// The answer as JSON, for scripts
    #[arg(long)]
    pub json: bool,
}

/// Carries out a command.
///
/// # Errors
/// See [`Exit`].
pub fn run(arguments: &PolicyArguments) -> Result<(), Exit> {
    match &arguments.command {
        PolicyCommand::Check(arguments) => run_check(arguments),
        PolicyCommand::Test(arguments) => run_test(arguments),
        PolicyCommand::Replay(arguments) => replay::run(arguments),
    }
}

/// Something that is wrong or odd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    severity: &'static str,
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    message: String,
}

/// What `policy check` has found.
#[derive(Debug, Serialize)]
struct Findings {
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_version: Option<String>,
    findings: Vec<Finding>,
}

fn run_check(arguments: &CheckArguments) -> Result<(), Exit> {
    let directory = arguments.directory.as_deref();
    let findings = findings(directory, SystemHost::default().now())?;
    if arguments.json {
        print_json(&findings)?;
    } else {
        let name = directory.map_or("the policy that comes with the program".to_owned(), shown);
        Terminal::of_process().print(&findings.in_words(Terminal::of_process(), &name))?;
    }
    let fails = findings.count(Severity::Error) > 0
        || (arguments.deny_warnings && findings.count(Severity::Warning) > 0);
    if fails { Err(Exit::from(findings.summary())) } else { Ok(()) }
}

fn findings(directory: Option<&Path>, now: Timestamp) -> Result<Findings, Exit> {
    let files = directory.map(PolicyFiles::read).transpose()?;
    let text = files.as_ref().map_or(BUNDLED, PolicyFiles::text);
    let in_directory = |file: &str| match directory {
        Some(directory) => directory.join(file).display().to_string(),
        None => file.to_owned(),
    };
    let (policy, warnings) = match check(&text) {
        Ok(checked) => checked,
        Err(error) => {
            let findings = unusable(&error, &text, in_directory);
            return Ok(Findings { policy_version: None, findings });
        }
    };
    let of_access = warnings.iter().map(|warning| of_access(Severity::Warning, warning, in_directory));
    let mut findings: Vec<Finding> = lint(&policy, now)
        .into_iter()
        .map(|lint| Finding {
            severity: lint.severity.as_str(),
            file: in_directory(lint.file),
            line: text.line_of(lint.file, &lint.path),
            place: Some(lint.path.join(".")),
            message: lint.message,
        })
        .chain(of_access)
        .collect();
    findings.sort_by_key(|finding| {
        Severity::ALL.map(Severity::as_str).iter().position(|name| *name == finding.severity)
    });
    Ok(Findings { policy_version: Some(policy.version().to_string()), findings })
}

/// A policy that cannot be used is one error, or for `access.cedar` one for each line.
fn unusable(
    error: &PolicyError,
    text: &PolicyText<'_>,
    in_directory: impl Fn(&str) -> String,
) -> Vec<Finding> {
    let finding = |file: String, line: Option<usize>, place: Option<String>, message: String| Finding {
        severity: Severity::Error.as_str(),
        file,
        line,
        place,
        message,
    };
    match error {
        PolicyError::Unreadable { file, line, reason } => {
            vec![finding(in_directory(file), *line, None, reason.clone())]
        }
        PolicyError::Refused { file, line, place, rule } => {
            let line = line.or_else(|| text.line_of(file, std::slice::from_ref(place)));
            vec![finding(in_directory(file), line, Some(place.clone()), rule.clone())]
        }
        PolicyError::Access(reasons) => {
            reasons.lines().map(|reason| of_access(Severity::Error, reason, &in_directory)).collect()
        }
    }
}

/// `access.cedar:12:3: …`, taken apart.
fn of_access(severity: Severity, reason: &str, in_directory: impl Fn(&str) -> String) -> Finding {
    let placed = || {
        let rest = reason.strip_prefix(ACCESS_FILE)?.strip_prefix(':')?;
        let (line, rest) = rest.split_once(':')?;
        let (_column, message) = rest.split_once(": ")?;
        Some((line.parse().ok()?, message.to_owned()))
    };
    let (line, message) = placed().unzip();
    Finding {
        severity: severity.as_str(),
        file: in_directory(ACCESS_FILE),
        line,
        place: None,
        message: message.unwrap_or_else(|| reason.to_owned()),
    }
}

impl Findings {
    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity.as_str()).count()
    }

    /// `1 error, 2 warnings, 0 notes`.
    fn summary(&self) -> String {
        let counted = Severity::ALL.map(|severity| {
            let count = self.count(severity);
            format!("{count} {}{}", severity.as_str(), if count == 1 { "" } else { "s" })
        });
        counted.join(", ")
    }

    fn in_words(&self, terminal: Terminal, name: &str) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let tone = match finding.severity {
                "error" => Tone::Danger,
                "warning" => Tone::Warning,
                _ => Tone::Quiet,
            };
            let place = finding.place.as_ref().map_or(String::new(), |place| format!(" {place}"));
            let line = finding.line.map_or(String::new(), |line| format!(":{line}"));
            let place = escaped_line(&format!("{}{line}{place}", finding.file));
            let lines = show::wrapped(&place, show::WIDTH - "warning: ".len());
            let lines: Vec<_> = lines.iter().map(|line| line.trim_end()).collect();
            let _ = writeln!(
                text,
                "{}: {}",
                terminal.paint(tone, finding.severity),
                terminal.paint(Tone::Strong, &lines.join("\n  "))
            );
            indented(&mut text, 2, &finding.message);
        }
        let end = format!("{}: {}", escaped_line(name), self.summary());
        for line in show::wrapped(&end, show::WIDTH) {
            let _ = writeln!(text, "{line}");
        }
        text
    }
}

/// What `policy test` has found.
#[derive(Debug, Serialize)]
struct Results {
    policy_version: String,
    cases: Vec<CaseResult>,
}

/// How one case went.
#[derive(Debug, Serialize)]
struct CaseResult {
    name: String,
    line: usize,
    passed: bool,
    failures: Vec<FailureBody>,
}

/// Something that is not as expected.
#[derive(Debug, Serialize)]
struct FailureBody {
    what: String,
    expected: String,
    found: String,
    reasons: Vec<String>,
}

fn run_test(arguments: &TestArguments) -> Result<(), Exit> {
    let directory = &arguments.directory;
    let policy = usable(directory)?;
    let path = directory.join(cases::FILE);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Exit::from(format!("{}: {error}; it holds the cases to run", shown(&path))))?;
    let cases =
        cases::parse(&text).map_err(|error| Exit::from(escaped_line(&in_directory(directory, &error))))?;
    let results = Results::of(policy.version(), &policy, &cases);
    if arguments.json {
        print_json(&results)?;
    } else {
        let terminal = Terminal::of_process();
        terminal.print(&results.in_words(terminal, &shown(&path)))?;
    }
    match results.failed() {
        0 => Ok(()),
        failed => Err(Exit::from(format!("{failed} of {} failed", counted(results.cases.len())))),
    }
}

/// The policy of a directory.
///
/// # Errors
/// What is wrong with it, escaped.
pub(crate) fn usable(directory: &Path) -> Result<Policy, Exit> {
    countersign_host::policy::load(Some(directory)).map_err(|error| {
        let lines: Vec<_> = error.lines().map(escaped_line).collect();
        Exit::from(lines.join("\n  "))
    })
}

impl Results {
    fn of(version: Digest, policy: &Policy, cases: &[Case]) -> Self {
        let result = |case: &Case| {
            let failures: Vec<_> = cases::run(case, policy).into_iter().map(FailureBody::from).collect();
            CaseResult { name: case.name.clone(), line: case.line, passed: failures.is_empty(), failures }
        };
        Self { policy_version: version.to_string(), cases: cases.iter().map(result).collect() }
    }

    fn failed(&self) -> usize {
        self.cases.iter().filter(|case| !case.passed).count()
    }

    fn in_words(&self, terminal: Terminal, path: &str) -> String {
        let mut text = String::new();
        for case in &self.cases {
            let verdict = match case.passed {
                true => terminal.paint(Tone::Good, "ok    "),
                false => terminal.paint(Tone::Danger, "FAILED"),
            };
            let mut lines = show::wrapped(&escaped_line(&case.name), show::WIDTH - 8).into_iter();
            let _ = writeln!(text, "{verdict}  {}", lines.next().unwrap_or_default().trim_end());
            for line in lines {
                let _ = writeln!(text, "        {}", line.trim_end());
            }
            if !case.passed {
                indented(&mut text, 8, &format!("{path}:{}", case.line));
            }
            let mut told: &[String] = &[];
            for failure in &case.failures {
                let FailureBody { what, expected, found, reasons } = failure;
                indented(&mut text, 8, &format!("{what}: expected {expected}, found {found}"));
                // The same reasons again tell nothing new.
                if told != reasons.as_slice() {
                    reasons.iter().for_each(|reason| indented(&mut text, 10, reason));
                    told = reasons;
                }
            }
        }
        let passed = self.cases.len() - self.failed();
        let _ = writeln!(text, "{passed} of {} passed", counted(self.cases.len()));
        text
    }
}

impl From<Failure> for FailureBody {
    fn from(failure: Failure) -> Self {
        let Failure { what, expected, found, reasons } = failure;
        Self { what, expected, found, reasons }
    }
}

fn counted(cases: usize) -> String {
    format!("{cases} case{}", if cases == 1 { "" } else { "s" })
}

/// A text on lines of its own, so far in.
fn indented(text: &mut String, columns: usize, message: &str) {
    for line in show::wrapped(&escaped_line(message), show::WIDTH - columns) {
        let _ = writeln!(text, "{:columns$}{}", "", line.trim_end());
    }
}

fn shown(path: &Path) -> String {
    escaped_line(&path.display().to_string())
}

fn print_json(answer: &impl Serialize) -> Result<(), Exit> {
    let json = serde_json::to_string_pretty(answer).map_err(|error| error.to_string())?;
    Terminal::plain().print(&json)
}
