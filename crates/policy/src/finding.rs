//! Everything that is wrong or odd about a policy, as data: mistakes that make it unusable, and what the lints of
//! its parts say.

use crate::lint::{Lint, lint};
use crate::load::{self, ACCESS_FILE};
use countersign_access::Warning;
use countersign_core::policy::finding::{Name, Severity};
use countersign_core::policy::mistake::{InvalidPolicy, Mistake};
use countersign_core::policy::{Policy, PolicyText};
use countersign_core::timestamp::Timestamp;
use countersign_notifications::configuration::Configuration;
use countersign_notifications::warning;

/// Something that is wrong or odd about a policy, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub name: Name,
    /// The name of the file; `None` if it is about the directory.
    pub file: Option<&'static str>,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The character in the line, from 1.
    pub column: Option<usize>,
    /// The table or key.
    pub place: Option<String>,
    /// What is wrong or odd, and what to do about it.
    pub message: String,
}

impl From<Mistake> for Finding {
    fn from(mistake: Mistake) -> Self {
        let Mistake { name, file, line, column, place, rule } = mistake;
        Self { severity: Severity::Error, name, file, line, column, place, message: rule }
    }
}

impl Finding {
    fn of_lint(lint: Lint, text: &PolicyText<'_>) -> Self {
        Self {
            severity: lint.severity,
            name: lint.name,
            file: Some(lint.file),
            line: text.line_of(lint.file, &lint.path),
            column: None,
            place: Some(lint.place()).filter(|place| !place.is_empty()),
            message: lint.message,
        }
    }

    fn of_access(warning: Warning) -> Self {
        Self {
            severity: Severity::Warning,
            name: warning.name,
            file: Some(ACCESS_FILE),
            line: Some(warning.line),
            column: Some(warning.column),
            place: None,
            message: warning.reason,
        }
    }
}

/// Everything that is odd about the text of `notifications.toml` beside a policy, the worst first.
///
/// # Errors
/// What makes it unusable.
pub fn inspect_notifications(
    text: &str,
    policy: &Policy,
) -> Result<(Configuration, Vec<Finding>), InvalidPolicy> {
    let configuration = Configuration::parse(text, policy.people().groups())?;
    let found = warning::warnings(&configuration, text, policy).into_iter().map(|warning| {
        let warning::Warning { name, severity, line, place, message } = warning;
        let file = Some(load::NOTIFICATIONS_FILE);
        Finding { severity, name, file, line, column: None, place: Some(place), message }
    });
    let mut findings: Vec<Finding> = found.collect();
    findings.sort_by_key(|finding| finding.severity);
    Ok((configuration, findings))
}

/// Everything that is odd about a policy, the worst first. Takes seconds at worst: for trying a policy out, not for
/// a start.
///
/// # Errors
/// As for [`load::check`] and [`load::check_clock`].
pub fn inspect(text: &PolicyText<'_>, now: Timestamp) -> Result<(Policy, Vec<Finding>), InvalidPolicy> {
    let (policy, warnings) = load::lint_access(text, now)?;
    load::check_clock(&policy, text, now)?;
    let of_rules = lint(&policy, now).into_iter().map(|lint| Finding::of_lint(lint, text));
    let mut findings: Vec<Finding> = of_rules.chain(warnings.into_iter().map(Finding::of_access)).collect();
    findings.sort_by_key(|finding| finding.severity);
    Ok((policy, findings))
}
