//! What is wrong with a set of policies, and where.

use crate::context::Attribute;
use crate::source::Source;
use countersign_core::policy::access::Action;
use countersign_core::policy::finding::Name;
use miette::Diagnostic;
use std::collections::BTreeSet;
use std::fmt;
use strum::IntoEnumIterator;

/// The most tokens that a message names as what might follow.
const MAX_TOKENS: usize = 5;

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
    pub(crate) fn check_depth(file: &str, source: &Source) -> Result<(), Self> {
        let Some((offset, rule)) = source.too_deep() else { return Ok(()) };
        let (line, column) = source.line_and_column(offset);
        let problem = Problem { file: file.to_owned(), line, column, reason: Reason::TooDeep(rule) };
        Err(Self::policies([problem]))
    }

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

/// Cedar's message in the manner of ours: one line, lower case, no final period, its advice and ours
/// in parentheses.
pub(crate) fn message(diagnostic: &dyn Diagnostic) -> String {
    let said = one_line(&diagnostic.to_string());
    let labelled = diagnostic.labels().and_then(|mut labels| labels.next());
    let label = labelled.as_ref().and_then(|label| label.label()).map(one_line);
    let advice = diagnostic.help().map(|help| one_line(&help.to_string()));
    let hint = hint(&said, label.as_deref());
    let advice = about_no_request(&said).or(advice);
    let label = label.map(|label| without_most_operators(&label).unwrap_or(label));
    let details: Vec<String> = [label, advice, hint].into_iter().flatten().collect();
    if details.is_empty() { said } else { format!("{said} ({})", details.join("; ")) }
}

/// What Cedar cannot know: how amounts are written here, and where the names of groups come from.
fn hint(said: &str, label: Option<&str>) -> Option<String> {
    let is_part_of_a_number = |token: &str| token.bytes().all(|byte| byte.is_ascii_digit());
    let token = said.strip_prefix("unexpected token `").and_then(|rest| rest.strip_suffix('`'));
    if said.contains("decimal") && said.contains("Long") {
        Some(
            "compare amounts with `.greaterThan(decimal(\"500.0\"))`, `.lessThan(…)` and the like".to_owned(),
        )
    } else if token.is_some_and(is_part_of_a_number) && label == Some("expected identifier") {
        Some("a number with a point is written `decimal(\"500.5\")`".to_owned())
    } else if said.contains("entity `Group::") {
        Some("groups are listed in people.toml".to_owned())
    } else {
        None
    }
}

/// For an author who forgets that a policy about all actions is about those that are about no request: Cedar
/// says only that an attribute is not there, and that another one is.
fn about_no_request(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("attribute `")?;
    let (name, rest) = rest.split_once("` in context for Action::\"")?;
    let (action, _) = rest.split_once("\" not found")?;
    name.parse().ok().filter(|attribute: &Attribute| attribute.is_of_request())?;
    let action = Action::iter().find(|known| known.as_str() == action && !known.is_of_request())?;
    Some(format!(
        "`{0}` is about no request; a policy with `resource is Operation` is not about `{0}`",
        action.as_str()
    ))
}

/// Cedar's parser names every token that might follow, and nearly everywhere all operators might. The
/// brackets and separators are what an author has forgotten.
fn without_most_operators(label: &str) -> Option<String> {
    let tokens: Vec<&str> = label.strip_prefix("expected ")?.split(", ").collect();
    if tokens.len() <= MAX_TOKENS {
        return None;
    }
    let ends = ["`,`", "`;`", "`)`", "`]`", "`}`"];
    let kept = tokens.iter().copied().filter(|token| ends.contains(token));
    let operator = if tokens.contains(&"`&&`") { "an operator such as `&&`" } else { "an operator" };
    let kept: Vec<&str> = kept.chain([operator]).collect();
    Some(format!("expected {}", kept.join(" or ")))
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
