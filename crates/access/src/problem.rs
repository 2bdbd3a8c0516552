//! What is wrong with a set of policies, and where.

use crate::source::Source;
use countersign_core::policy::finding::Name;
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
    /// A `@reason` that cannot be repeated in a refusal.
    #[error("the @reason {0}")]
    OddReason(String),
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
    /// It could not be read, or evaluated, on the stack of a thread.
    #[error("{0}")]
    TooDeep(&'static str),
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
    /// What it is about.
    pub name: Name,
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
    /// Whether policies are too deep to be read.
    ///
    /// # Errors
    /// The first that is, and where.
    pub fn check_depth(file: &str, source: &Source) -> Result<(), Self> {
        let Some((offset, rule)) = source.too_deep() else { return Ok(()) };
        let (line, column) = source.line_and_column(offset);
        let problem = Problem { file: file.to_owned(), line, column, reason: Reason::TooDeep(rule) };
        Err(Self::policies([problem]))
    }

    /// The problems, in the order of the text and each once: Cedar finds some of them once for every
    /// action that a policy is about.
    pub fn policies(problems: impl IntoIterator<Item = Problem>) -> Self {
        Self::Policies(problems.into_iter().collect::<BTreeSet<_>>().into_iter().collect())
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}
