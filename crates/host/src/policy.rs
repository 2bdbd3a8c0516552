//! The policy in force: what comes with the program, or a directory in its place.

use countersign_cedar::{CedarAccess, InvalidAccess};
use countersign_core::people::{self, People};
use countersign_core::policy::{BUNDLED_OPERATIONS, BUNDLED_PEOPLE, Policy, PolicyError, PolicyText};
use countersign_core::rules::{self, Rules};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The name of the file that says who may do what.
pub const ACCESS_FILE: &str = "access.cedar";

/// The texts that come with the program.
pub const BUNDLED: PolicyText<'static> =
    PolicyText { operations: BUNDLED_OPERATIONS, people: BUNDLED_PEOPLE, access: countersign_cedar::BUNDLED };

/// The policy that comes with the program. A test has held it against its schema.
///
/// # Errors
/// None in a build that passed its tests.
pub fn bundled() -> Result<Policy, PolicyError> {
    parse(&BUNDLED)
}

/// A policy of texts. Whether access policies fit their schema is not looked at: see [`check`].
///
/// # Errors
/// The first text that cannot be used, with the file, the line and the reason.
pub fn parse(text: &PolicyText<'_>) -> Result<Policy, PolicyError> {
    read(text).map(|(policy, _)| policy)
}

/// The same, with access policies held against their schema, and what Cedar's validator finds odd.
///
/// # Errors
/// As for [`parse`], and a policy that does not fit the schema.
pub fn check(text: &PolicyText<'_>) -> Result<(Policy, Vec<String>), PolicyError> {
    let (policy, access) = read(text)?;
    let warnings = access.validate().map_err(in_access)?;
    Ok((policy, warnings.iter().map(ToString::to_string).collect()))
}

fn read(text: &PolicyText<'_>) -> Result<(Policy, Arc<CedarAccess>), PolicyError> {
    let people = People::parse(text.people)?;
    let rules = Rules::parse(text.operations, people.groups())?;
    let access = CedarAccess::parse(ACCESS_FILE, text.access, people.groups(), rules.time_zone());
    let access = Arc::new(access.map_err(|error| match error {
        // Cedar is told of the time zone, and operations.toml is where it stands.
        InvalidAccess::TimeZone(_) => PolicyError::Refused {
            file: rules::FILE,
            line: None,
            place: "time_zone".to_owned(),
            rule: "must be the name of a time zone, such as Europe/Vienna".to_owned(),
        },
        InvalidAccess::Policies(_) | InvalidAccess::Schema(_) => in_access(error),
    })?);
    let policy = Policy::new(text.version(), rules, people, Arc::<CedarAccess>::clone(&access));
    Ok((policy, access))
}

fn in_access(error: impl fmt::Display) -> PolicyError {
    PolicyError::Access(error.to_string())
}

/// The texts of a directory.
#[derive(Debug, Clone)]
pub struct PolicyFiles {
    operations: String,
    people: String,
    access: String,
}

impl PolicyFiles {
    /// Reads the three files of a directory.
    ///
    /// # Errors
    /// A file that is not there or cannot be read.
    pub fn read(directory: &Path) -> Result<Self, String> {
        let text = |name: &str| {
            let path = directory.join(name);
            std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
        };
        Ok(Self { operations: text(rules::FILE)?, people: text(people::FILE)?, access: text(ACCESS_FILE)? })
    }

    /// The texts.
    pub fn text(&self) -> PolicyText<'_> {
        PolicyText { operations: &self.operations, people: &self.people, access: &self.access }
    }
}

/// An error of a policy's texts, with the paths of a directory's files.
pub fn in_directory(directory: &Path, error: &PolicyError) -> String {
    let lines: Vec<_> =
        error.to_string().lines().map(|line| directory.join(line).display().to_string()).collect();
    lines.join("\n")
}

/// The policy of a directory with `operations.toml`, `people.toml` and `access.cedar`; without one,
/// the bundled policy.
///
/// # Errors
/// What is wrong, and with which file. Nothing weaker takes its place.
pub fn load(directory: Option<&Path>) -> Result<Policy, String> {
    let Some(directory) = directory else {
        return bundled().map_err(|error| error.to_string());
    };
    let files = PolicyFiles::read(directory)?;
    let checked = check(&files.text()).map_err(|error| in_directory(directory, &error))?;
    Ok(checked.0)
}
