//! `countersign policy`: what is odd about a policy, and whether it does what its cases say. Both need
//! no service; what a policy would have made of past requests does, see [`crate::commands::replay`].

use crate::commands::replay::{self, ReplayArguments};
use crate::error::CommandError;
use crate::view::document;
use crate::view::terminal::{Terminal, write_document};
use crate::view::text::{Line, Text, Tone};
use clap::{Args, Subcommand};
use countersign_app::host::Clock as _;
use countersign_core::policy::Policy;
use countersign_core::policy::finding::{Name, Severity};
use countersign_core::policy::mistake::{InvalidPolicy, Mistake};
use countersign_core::text::escaped_line;
use countersign_core::timestamp::Timestamp;
use countersign_egress::configured as egress;
use countersign_policy::cases::{self, Case, Mismatch};
use countersign_policy::finding::{self, Finding};
use countersign_policy::load::{
    BUNDLED, NOTIFICATIONS_FILE, PolicyFiles, check, read_cases, read_notifications, write_first,
};
use countersign_system::system::SystemHost;
use countersign_system::text_file;
use serde::Serialize;
use std::path::{Path, PathBuf};
use strum::IntoEnumIterator;

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
    /// Write a policy to begin with, and cases that it passes, into a directory
    Init(InitArguments),
    /// Run the table of cases beside a policy
    Test(TestArguments),
    /// Say what a policy would have made of past requests; asks the service for them
    Replay(Box<ReplayArguments>),
}

/// `countersign policy check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArguments {
    /// The directory with operations.toml, people.toml and access.cedar, and notifications.toml if there is one;
    /// the policy that comes with the program if neither this nor `POLICY_DIR` is given
    #[arg(value_name = "DIR", env = "POLICY_DIR")]
    pub directory: Option<PathBuf>,

    /// End with code 1 if there are warnings, too
    #[arg(long)]
    pub deny_warnings: bool,

    /// A finding to put up with, by its name: shown, and no reason for code 1. Errors cannot be accepted
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = finding_name)]
    pub accept: Vec<Name>,

    /// The answer as JSON, for scripts
    #[arg(long)]
    pub json: bool,
}

/// `countersign policy init`.
#[derive(Debug, Clone, Args)]
pub struct InitArguments {
    /// The directory; made if it is not there. No file in it is replaced
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

/// `countersign policy test`.
#[derive(Debug, Clone, Args)]
pub struct TestArguments {
    /// The directory with operations.toml, people.toml, access.cedar and tests.toml
    #[arg(value_name = "DIR", env = "POLICY_DIR")]
    pub directory: PathBuf,

    /// The answer as JSON, for scripts
    #[arg(long)]
    pub json: bool,
}

/// Carries out a command.
///
/// # Errors
/// See [`CommandError`].
pub fn run(arguments: &PolicyArguments) -> Result<(), CommandError> {
    match &arguments.command {
        PolicyCommand::Check(arguments) => run_check(arguments),
        PolicyCommand::Init(arguments) => run_init(&arguments.directory),
        PolicyCommand::Test(arguments) => run_test(arguments),
        PolicyCommand::Replay(arguments) => replay::run(arguments),
    }
}

/// Something that is wrong or odd, as it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct FindingBody {
    severity: Severity,
    /// What it is about. Stable.
    name: Name,
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    message: String,
}

/// What was found out about a policy, or about the cases beside it.
#[derive(Debug, Serialize)]
struct Findings {
    /// Where the policy is; nothing for the one that comes with the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notifications_version: Option<String>,
    findings: Vec<FindingBody>,
}

fn run_init(directory: &Path) -> Result<(), CommandError> {
    let files = write_first(directory).map_err(|error| CommandError::Failed(escaped_line(&error)))?;
    let directory = escaped_line(&text_of(directory));
    let mut text = Text::of_line(&format!("Wrote {} to {directory}.", files.join(", ")));
    text.push(Line::plain("Change them, and then:"));
    text.push(Line::plain(&format!("  countersign policy check {directory}")));
    text.push(Line::plain(&format!("  countersign policy test {directory}")));
    Terminal::of_process().print(&text)
}

fn run_check(arguments: &CheckArguments) -> Result<(), CommandError> {
    let directory = arguments.directory.as_deref();
    let findings = checked(directory, SystemHost::default().now())
        .unwrap_or_else(|invalid| Findings::of_invalid(directory, invalid));
    findings.show(arguments.json)?;
    let fails = findings.policy_version.is_none()
        || findings.count(Severity::Error) > 0
        || (arguments.deny_warnings && findings.warns_of_other_than(&arguments.accept));
    if fails { Err(failed(arguments.json, findings.summary())) } else { Ok(()) }
}

/// The name of a finding, as it is shown.
fn finding_name(text: &str) -> Result<Name, String> {
    text.parse().map_err(|_| "is not the name of a finding: docs/policy.md lists them".to_owned())
}

/// Everything that is odd about a policy.
fn checked(directory: Option<&Path>, now: Timestamp) -> Result<Findings, InvalidPolicy> {
    let files = directory.map(PolicyFiles::read).transpose()?;
    let text = files.as_ref().map_or(BUNDLED, PolicyFiles::text);
    let (policy, mut findings) = finding::inspect(&text, now)?;
    let mut notifications_version = None;
    if let Some(text) = directory.map(read_notifications).transpose()?.flatten() {
        let (configuration, others) = finding::inspect_notifications(&text, &policy)?;
        if let Err(error) = egress::rules(&configuration) {
            return Err(Mistake::new(
                Name::RefusedValue,
                NOTIFICATIONS_FILE,
                None,
                format!("[webhooks] {error}"),
            )
            .into());
        }
        notifications_version = configuration.version().map(|version| version.to_string());
        findings.extend(others);
        findings.sort_by_key(|finding| finding.severity);
    }
    let found = Findings::of(directory, Some(policy.version().to_string()), findings);
    Ok(Findings { notifications_version, ..found })
}

impl FindingBody {
    fn of(finding: Finding, directory: Option<&Path>) -> Self {
        let Finding { severity, name, file, line, column, place, message } = finding;
        let file = match (file, directory) {
            (Some(file), directory) => path_of(directory, file),
            (None, directory) => directory.map_or_else(String::new, text_of),
        };
        Self { severity, name, file, line, column, place, message }
    }
}

impl Findings {
    fn of(directory: Option<&Path>, policy_version: Option<String>, findings: Vec<Finding>) -> Self {
        let findings = findings.into_iter().map(|finding| FindingBody::of(finding, directory)).collect();
        Self { directory: directory.map(text_of), policy_version, notifications_version: None, findings }
    }

    fn of_invalid(directory: Option<&Path>, invalid: InvalidPolicy) -> Self {
        Self::of(directory, None, invalid.0.into_iter().map(Finding::from).collect())
    }

    fn show(&self, as_json: bool) -> Result<(), CommandError> {
        if as_json {
            return print_json(self);
        }
        let terminal = Terminal::of_process();
        terminal.print(&self.in_words(terminal.columns()))
    }

    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    fn warns_of_other_than(&self, accepted: &[Name]) -> bool {
        let mut warnings = self.findings.iter().filter(|finding| finding.severity == Severity::Warning);
        warnings.any(|finding| !accepted.contains(&finding.name))
    }

    /// `1 error, 2 warnings, 0 notes`.
    fn summary(&self) -> String {
        let counted: Vec<_> = Severity::iter()
            .map(|severity| {
                let count = self.count(severity);
                format!("{count} {severity}{}", if count == 1 { "" } else { "s" })
            })
            .collect();
        counted.join(", ")
    }

    /// Each with a line of its own that says where, whatever its length: others look for it there.
    fn in_words(&self, columns: usize) -> Text {
        let mut text = Text::default();
        for finding in &self.findings {
            let tone = match finding.severity {
                Severity::Error => Tone::Danger,
                Severity::Warning => Tone::Warning,
                Severity::Note => Tone::Quiet,
            };
            let place = finding.place.as_ref().map_or(String::new(), |place| format!(" {place}"));
            let number = |number: Option<usize>| number.map_or(String::new(), |number| format!(":{number}"));
            let position = format!("{}{}{place}", number(finding.line), number(finding.column));
            text.push(
                Line::new(tone, &format!("{}[{}]", finding.severity, finding.name))
                    .with(None, ": ")
                    .with(Tone::Strong, &format!("{}{position}", finding.file)),
            );
            indented(&mut text, 2, columns, &finding.message);
        }
        let name = self.directory.as_deref().unwrap_or("the policy that comes with the program");
        indented(&mut text, 0, columns, &format!("{name}: {}", self.summary()));
        text
    }
}

/// What `policy test` has found.
#[derive(Debug, Serialize)]
struct Results {
    directory: String,
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

fn run_test(arguments: &TestArguments) -> Result<(), CommandError> {
    let directory = &arguments.directory;
    let results = match tested(directory) {
        Ok(results) => results,
        Err(invalid) => {
            let findings = Findings::of_invalid(Some(directory), invalid);
            findings.show(arguments.json)?;
            return Err(failed(arguments.json, findings.summary()));
        }
    };
    if arguments.json {
        print_json(&results)?;
    } else {
        let terminal = Terminal::of_process();
        let path = path_of(Some(directory), cases::FILE);
        terminal.print(&results.in_words(terminal.columns(), &path))?;
    }
    match results.failed() {
        0 => Ok(()),
        count => Err(failed(arguments.json, format!("{count} of {} failed", counted(results.cases.len())))),
    }
}

/// Runs the cases beside a policy.
///
/// # Errors
/// What is wrong with the policy or with the table of cases.
fn tested(directory: &Path) -> Result<Results, InvalidPolicy> {
    let files = PolicyFiles::read(directory)?;
    let (policy, _) = check(&files.text())?;
    let table = read_cases(directory)?;
    let cases = cases::parse(&table, policy.people())?;
    Ok(Results::of(text_of(directory), &policy, &cases))
}

/// The end of what failed. A person has read it; a program's stdout is JSON alone.
fn failed(as_json: bool, summary: String) -> CommandError {
    if as_json { CommandError::Failed(summary) } else { CommandError::told() }
}

impl Results {
    fn of(directory: String, policy: &Policy, cases: &[Case]) -> Self {
        let result = |case: &Case| {
            let failures: Vec<_> = cases::run(case, policy).into_iter().map(FailureBody::from).collect();
            CaseResult { name: case.name.clone(), line: case.line, passed: failures.is_empty(), failures }
        };
        let policy_version = policy.version().to_string();
        Self { directory, policy_version, cases: cases.iter().map(result).collect() }
    }

    fn failed(&self) -> usize {
        self.cases.iter().filter(|case| !case.passed).count()
    }

    fn in_words(&self, columns: usize, path: &str) -> Text {
        let mut text = Text::default();
        for case in &self.cases {
            let verdict = match case.passed {
                true => Line::new(Tone::Good, "ok    "),
                false => Line::new(Tone::Danger, "FAILED"),
            };
            let name = Line::wrapped(None, &case.name, columns.saturating_sub(8));
            for (index, piece) in name.into_iter().enumerate() {
                text.push(match index {
                    0 => verdict.clone().with(None, "  ").and(piece),
                    _ => piece.behind(None, "        "),
                });
            }
            if !case.passed {
                text.push(Line::plain(&format!("        {path}:{}", case.line)));
            }
            let mut told: &[String] = &[];
            for failure in &case.failures {
                let FailureBody { what, expected, found, reasons } = failure;
                indented(&mut text, 8, columns, &format!("{what}: expected {expected}, found {found}"));
                // The same reasons again tell nothing new.
                if told != reasons.as_slice() {
                    reasons.iter().for_each(|reason| indented(&mut text, 10, columns, reason));
                    told = reasons;
                }
            }
        }
        let passed = self.cases.len() - self.failed();
        indented(&mut text, 0, columns, &format!("{path}: {passed} of {} passed", counted(self.cases.len())));
        text
    }
}

impl From<Mismatch> for FailureBody {
    fn from(failure: Mismatch) -> Self {
        let Mismatch { what, expected, found, reasons } = failure;
        Self { what, expected, found, reasons }
    }
}

fn counted(cases: usize) -> String {
    format!("{cases} case{}", if cases == 1 { "" } else { "s" })
}

/// A text on lines of its own, so far in.
fn indented(text: &mut Text, indent: usize, columns: usize, message: &str) {
    let lines = Line::wrapped(None, message, columns.saturating_sub(indent));
    text.extend(lines.into_iter().map(|line| line.behind(None, &" ".repeat(indent))));
}

fn text_of(path: &Path) -> String {
    text_file::shown(path)
}

/// A file of a policy, as findings name it.
fn path_of(directory: Option<&Path>, file: &str) -> String {
    directory.map_or(file.to_owned(), |directory| text_of(&directory.join(file)))
}

fn print_json(answer: &impl Serialize) -> Result<(), CommandError> {
    write_document(&document::json(answer)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::width::WIDTH;

    #[test]
    fn where_something_is_wrong_is_one_line_on_a_screen_too() {
        let mistake = Mistake::refused("operations.toml", Some(7), "rules.x", "no ".repeat(50));
        let directory = format!("/{}", "a long directory/".repeat(8));
        let findings = Findings::of_invalid(Some(Path::new(&directory)), mistake.into());
        let text = findings.in_words(WIDTH).to_string();
        assert!(
            text.starts_with(&format!("error[refused-value]: {directory}operations.toml:7 rules.x\n  no no")),
            "{text}"
        );
        assert!(text.lines().skip(1).all(|line| line.len() <= WIDTH && !line.ends_with(' ')), "{text}");
        let whole = findings.in_words(usize::MAX).to_string();
        assert_eq!(whole.lines().count(), 3, "{whole}");
    }

    #[test]
    fn notifications_toml_is_checked_beside_a_policy() {
        let directory = tempfile::tempdir().unwrap();
        write_first(directory.path()).unwrap();
        let now = SystemHost::default().now();
        let check = |text: &str| {
            std::fs::write(directory.path().join(NOTIFICATIONS_FILE), text).unwrap();
            checked(Some(directory.path()), now)
        };
        let findings = check("[destinations.log]\nkind = \"log\"\n").unwrap();
        assert_eq!(findings.notifications_version.as_ref().map(String::len), Some(64));
        assert!(findings.findings.iter().any(|finding| finding.name == Name::DestinationUnused));
        for text in ["[surprise]\n", "[webhooks]\nallow_networks = [\"0.0.0.0/0\"]\n"] {
            let invalid = check(text).unwrap_err();
            assert_eq!(
                invalid.0.first().and_then(|mistake| mistake.file),
                Some(NOTIFICATIONS_FILE),
                "{text}"
            );
        }
    }
}
