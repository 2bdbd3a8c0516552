//! What makes the texts of a policy unusable, and where it stands: data until it is printed.

use crate::policy::finding::Name;
use crate::text::escaped_line;
use std::fmt;
use std::path::Path;

/// One mistake in the texts of a policy. Prints as `FILE:LINE:COLUMN: PLACE RULE`, without the parts that are
/// not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What kind of mistake it is.
    pub name: Name,
    /// The name of the file; `None` if it is about the directory.
    pub file: Option<&'static str>,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The character in the line, from 1.
    pub column: Option<usize>,
    /// The table or key.
    pub place: Option<String>,
    /// The rule that is broken; after [`place`](Self::place) it makes a sentence.
    pub rule: String,
}

impl Mistake {
    /// A mistake in a file, at a line if that is known.
    pub fn new(name: Name, file: &'static str, line: Option<usize>, rule: impl Into<String>) -> Self {
        Self { name, file: Some(file), line, column: None, place: None, rule: rule.into() }
    }

    /// A table or key of a file that breaks a rule.
    pub fn refused(
        file: &'static str,
        line: Option<usize>,
        place: impl Into<String>,
        rule: impl Into<String>,
    ) -> Self {
        Self { place: Some(place.into()), ..Self::new(Name::RefusedValue, file, line, rule) }
    }

    /// What is said of it behind the file: `:LINE:COLUMN: PLACE RULE`.
    fn position_and_rule(&self) -> String {
        let number = |number: Option<usize>| number.map_or(String::new(), |number| format!(":{number}"));
        let place = self.place.as_ref().map_or(String::new(), |place| format!("{place} "));
        format!("{}{}: {place}{}", number(self.line), number(self.column), self.rule)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file {
            Some(file) => write!(f, "{file}{}", self.position_and_rule()),
            None => f.write_str(&self.rule),
        }
    }
}

/// A policy that cannot be used. Prints as a line for each mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidPolicy(pub Vec<Mistake>);

impl From<Mistake> for InvalidPolicy {
    fn from(mistake: Mistake) -> Self {
        Self(vec![mistake])
    }
}

impl fmt::Display for InvalidPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(Mistake::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Mistake {}

impl std::error::Error for InvalidPolicy {}

impl InvalidPolicy {
    /// The same lines with the paths of a directory's files, for a terminal or a log.
    pub fn in_directory(&self, directory: &Path) -> String {
        let line = |mistake: &Mistake| match mistake.file {
            Some(file) => {
                let path = directory.join(file).display().to_string();
                escaped_line(&format!("{path}{}", mistake.position_and_rule()))
            }
            None => escaped_line(&mistake.rule),
        };
        self.0.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}
