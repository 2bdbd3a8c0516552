//! What is wrong with a set of policies, and where.

use crate::source::Source;
use miette::Diagnostic;
use std::collections::BTreeSet;
use std::fmt;

/// The policies cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAccess {
    /// The text is refused: every problem that was found, in the order of the text. One line each.
    #[error("{}", lines(.0))]
    Policies(Vec<Problem>),
    /// The bundled time zones do not have this one.
    #[error("there is no time zone `{}`", .0.escape_debug())]
    TimeZone(String),
    /// The schema cannot be completed with the names of the configured groups.
    #[error("the schema of the policies cannot be read: {0}")]
    Schema(String),
}

/// Something that makes a text unusable as policies. Prints as `FILE:LINE:COLUMN: reason`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The name of the text.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong at some place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Reason {
    /// There is no policy at all. A file that refuses everybody everything says so in a policy.
    #[error("there is no policy in this file")]
    NoPolicy,
    /// A policy without a name cannot be named to whom it refuses.
    #[error("this policy has no name: write @id(\"...\") above it")]
    NoId,
    /// A name that does not look like one.
    #[error("the @id `{}` must be 1 to 64 letters, digits, `-` or `_`", .0.escape_debug())]
    OddId(String),
    /// A name that a policy above has already.
    #[error("there is a policy `{id}` already, in line {line}")]
    RepeatedId {
        /// The name.
        id: String,
        /// Where the first policy of this name begins.
        line: usize,
    },
    /// A policy with `?principal` or `?resource`: nothing would ever fill them in.
    #[error("this is a policy template, and templates are not supported: write `principal` and `resource`")]
    Template,
    /// Cedar cannot read it.
    #[error("{0}")]
    Syntax(String),
    /// It does not fit the schema.
    #[error("{0}")]
    Schema(String),
}

/// Something in a usable set of policies that is probably not meant. Prints as
/// `FILE:LINE:COLUMN: reason`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The name of the text.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// What is odd.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.reason)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.reason)
    }
}

impl InvalidAccess {
    /// The problems, in the order of the text and each once: Cedar finds some of them once for every
    /// action that a policy is about.
    pub(crate) fn policies(problems: impl IntoIterator<Item = Problem>) -> Self {
        Self::Policies(problems.into_iter().collect::<BTreeSet<_>>().into_iter().collect())
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// Where Cedar points with a message: the beginning of its first label, or of the text.
pub(crate) fn place(source: &Source, diagnostic: &dyn Diagnostic) -> (usize, usize) {
    let offset = diagnostic.labels().and_then(|mut labels| labels.next()).map_or(0, |label| label.offset());
    source.line_and_column(offset)
}

/// Cedar's message in the manner of ours: one line, lower case, no final period, its advice in
/// parentheses.
pub(crate) fn message(diagnostic: &dyn Diagnostic) -> String {
    let said = one_line(&diagnostic.to_string());
    let labelled = diagnostic.labels().and_then(|mut labels| labels.next());
    let expected = labelled.as_ref().and_then(|label| label.label()).map(one_line).unwrap_or_default();
    let advice = diagnostic.help().map(|help| one_line(&help.to_string())).unwrap_or_default();
    match (expected.as_str(), advice.as_str()) {
        ("", "") => said,
        (hint, "") | ("", hint) => format!("{said} ({hint})"),
        (expected, advice) => format!("{said} ({expected}; {advice})"),
    }
}

fn one_line(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.trim_end_matches('.');
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        // `IPv6` and `Group` at the beginning of a sentence: the first is a name.
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().chain([second]).chain(characters).collect()
        }
        _ => text.to_owned(),
    }
}
