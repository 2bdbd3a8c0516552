//! The environment variables of a function. Nothing else reads them; an empty one counts as unset,
//! because a template cannot leave one out on condition.

use countersign_system::text_file;
use std::collections::BTreeMap;
use std::fmt;

/// A variable is missing or has an impossible value. The message leaves its value out: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} {rule}")]
pub struct InvalidVariable {
    name: String,
    rule: String,
}

/// What the process was started with.
#[derive(Clone)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process.
    pub fn of_process() -> Self {
        let text = |variable: std::ffi::OsString| variable.into_string().ok();
        Self(std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect())
    }

    /// These variables.
    pub fn of<V: Into<String>>(variables: impl IntoIterator<Item = (&'static str, V)>) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
    }

    /// A variable that may be unset.
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A variable that must be set.
    ///
    /// # Errors
    /// When it is not.
    pub fn required(&self, name: &str) -> Result<String, InvalidVariable> {
        self.optional(name).map(str::to_owned).ok_or_else(|| Self::invalid(name, "is not set"))
    }

    /// `true` or `false`; unset is `false`.
    ///
    /// # Errors
    /// When it is anything else: a switch that is misspelt is not off by accident.
    pub fn switch(&self, name: &str) -> Result<bool, InvalidVariable> {
        match self.optional(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Self::invalid(name, "must be true or false")),
        }
    }

    /// Names separated by commas; `default` if unset.
    pub fn names(&self, name: &str, default: &[&str]) -> Vec<String> {
        match self.optional(name) {
            None => default.iter().map(|name| (*name).to_owned()).collect(),
            Some(list) => list.split(',').map(|name| name.trim().to_owned()).collect(),
        }
    }

    /// A whole number; `default` if unset.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn number(&self, name: &str, default: u32) -> Result<u32, InvalidVariable> {
        match self.optional(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| Self::invalid(name, "must be a whole number")),
        }
    }

    /// The bytes of the file that a variable names; `None` if unset.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn file(&self, name: &str) -> Result<Option<Vec<u8>>, InvalidVariable> {
        let read = |path| {
            text_file::read(path).map_err(|error| {
                Self::invalid(name, format_args!("names a file that cannot be read: {error}"))
            })
        };
        self.optional(name).map(read).transpose()
    }

    /// The error of a variable that breaks a rule.
    pub fn invalid(name: &str, rule: impl fmt::Display) -> InvalidVariable {
        InvalidVariable { name: name.to_owned(), rule: rule.to_string() }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names only: credentials are among the values.
        f.debug_tuple("Environment").field(&self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::direct::DirectAccess;
    use crate::gateway::Authentication;

    #[test]
    fn doubt_is_an_error_that_names_the_variable_and_not_its_value() {
        let environment = Environment::of([("EMPTY", ""), ("ON", "true"), ("ODD", "TRUE"), ("N", "6o")]);
        assert_eq!(environment.required("EMPTY").unwrap_err().to_string(), "EMPTY is not set");
        assert_eq!(environment.switch("ON"), Ok(true));
        assert_eq!(environment.switch("EMPTY"), Ok(false));
        assert_eq!(environment.switch("ODD").unwrap_err().to_string(), "ODD must be true or false");
        assert_eq!(environment.number("N", 1).unwrap_err().to_string(), "N must be a whole number");
        assert_eq!(environment.names("NONE", &["developer"]), ["developer"]);
        assert!(!format!("{environment:?}").contains("6o"));
    }

    /// The variables that the documents name, each set to nothing: what is read of them is what is read
    /// of none.
    #[test]
    fn a_documented_variable_that_is_empty_counts_as_unset() {
        let page = include_str!("../../../docs/deploy.md");
        let (_, section) = page.split_once("## The functions' variables").unwrap();
        let rows = section
            .lines()
            .take_while(|line| !line.starts_with("## "))
            .filter(|line| line.starts_with("| `"));
        let names: Vec<&'static str> =
            rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2)).collect();
        assert!(names.len() >= 18, "{names:?}");
        let empty = Environment::of(names.iter().map(|name| (*name, "")));
        let unset = Environment::of::<&str>([]);
        for name in names {
            assert_eq!(empty.optional(name), None, "{name}");
            assert_eq!(empty.required(name), unset.required(name), "{name}");
            assert_eq!(empty.switch(name), unset.switch(name), "{name}");
            assert_eq!(empty.number(name, 60), Ok(60), "{name}");
            assert_eq!(empty.names(name, &["a"]), ["a"], "{name}");
        }
        let people = countersign_policy::load::bundled().unwrap();
        let people = people.people();
        let settings = |environment: &Environment| {
            format!("{:?} {:?}", Authentication::read(environment), DirectAccess::read(environment, people))
        };
        assert_eq!(settings(&empty), settings(&unset));
    }
}
