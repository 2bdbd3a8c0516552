//! The policy in force: what comes with the program, or a directory in its place.

use crate::cases;
use countersign_access::{Access, InvalidAccess, Problem};
use countersign_core::policy::finding::Name;
use countersign_core::policy::mistake::{InvalidPolicy, Mistake};
use countersign_core::policy::people::{self, People};
use countersign_core::policy::rules::{self, Rules};
use countersign_core::policy::{BUNDLED_OPERATIONS, BUNDLED_PEOPLE, Policy, PolicyText};
use countersign_core::text::{ends_in_stacked_marks, escaped_line, must_be_escaped};
use countersign_core::timestamp::Timestamp;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(feature = "cedar")]
mod by_cedar;

#[cfg(feature = "cedar")]
pub(crate) use by_cedar::lint_access;
#[cfg(feature = "cedar")]
pub use by_cedar::{check, checked_policy};

/// The name of the file that says who may do what.
pub const ACCESS_FILE: &str = "access.cedar";

/// The name of the file that says who hears of what. No decision reads it, and it is no part of the policy's digest.
pub const NOTIFICATIONS_FILE: &str = "notifications.toml";

/// The longest file that is read. Ten thousand people with their addresses fit; what is longer was not
/// meant, and is not to fill the memory of a function before it is refused.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The texts that come with the program.
pub const BUNDLED: PolicyText<'static> = PolicyText {
    operations: BUNDLED_OPERATIONS,
    people: BUNDLED_PEOPLE,
    access: countersign_access::BUNDLED,
};

/// The cases beside them.
pub const BUNDLED_CASES: &str = include_str!("../../../policy/tests.toml");

/// The policy that comes with the program. A test has held it against its schema.
///
/// # Errors
/// None in a build that passed its tests.
pub fn bundled() -> Result<Policy, InvalidPolicy> {
    parse(&BUNDLED)
}

/// A policy of texts. Whether access policies fit their schema is not looked at: see [`check`].
///
/// # Errors
/// The first text that cannot be used, with the file, the line and the reason.
pub fn parse(text: &PolicyText<'_>) -> Result<Policy, InvalidPolicy> {
    read(text).map(|(policy, _)| policy)
}

/// The same, with access policies held against their schema: what a function reads of a directory.
///
/// # Errors
/// As for [`parse`], and a policy that does not fit the schema.
pub fn parse_checked(text: &PolicyText<'_>) -> Result<Policy, InvalidPolicy> {
    let (policy, access) = read(text)?;
    access.check().map_err(in_access)?;
    Ok(policy)
}

fn read(text: &PolicyText<'_>) -> Result<(Policy, Arc<Access>), InvalidPolicy> {
    let people = People::parse(text.people)?;
    let rules = Rules::parse(text.operations, people.groups())?;
    put_together(text, people, rules)
}

fn put_together(
    text: &PolicyText<'_>,
    people: People,
    rules: Rules,
) -> Result<(Policy, Arc<Access>), InvalidPolicy> {
    let access = Access::parse(ACCESS_FILE, text.access, people.groups(), rules.time_zone());
    let access = Arc::new(access.map_err(|error| in_access_of(text, error))?);
    let policy = Policy::new(text.version(), rules, people, Arc::<Access>::clone(&access));
    Ok((policy.with_text(text), access))
}

fn in_access_of(text: &PolicyText<'_>, error: InvalidAccess) -> InvalidPolicy {
    match error {
        // The time zone is passed on, and stands in operations.toml.
        InvalidAccess::TimeZone(_) => {
            let rule = "must be the name of a time zone, such as Europe/Vienna";
            let line = text.line_of(rules::FILE, &["time_zone".to_owned()]);
            Mistake::refused(rules::FILE, line, "time_zone", rule).into()
        }
        InvalidAccess::Policies(_) | InvalidAccess::Schema(_) => in_access(error),
    }
}

fn in_access(error: InvalidAccess) -> InvalidPolicy {
    let mistake = |problem: Problem| Mistake {
        column: Some(problem.column),
        ..Mistake::new(Name::RefusedAccess, ACCESS_FILE, Some(problem.line), problem.reason.to_string())
    };
    match error {
        InvalidAccess::Policies(problems) => InvalidPolicy(problems.into_iter().map(mistake).collect()),
        InvalidAccess::TimeZone(_) | InvalidAccess::Schema(_) => {
            Mistake::new(Name::RefusedAccess, ACCESS_FILE, None, error.to_string()).into()
        }
    }
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
    /// A directory or file that is not there or cannot be read, or a file that is not one of text.
    pub fn read(directory: &Path) -> Result<Self, InvalidPolicy> {
        check_directory(directory)?;
        let text = |name| read_text(directory, name);
        Ok(Self { operations: text(rules::FILE)?, people: text(people::FILE)?, access: text(ACCESS_FILE)? })
    }

    /// The texts.
    pub fn text(&self) -> PolicyText<'_> {
        PolicyText { operations: &self.operations, people: &self.people, access: &self.access }
    }
}

/// The text of `notifications.toml` beside a policy; nothing if there is no such file.
///
/// # Errors
/// As for [`PolicyFiles::read`], of a file that is there.
pub fn read_notifications(directory: &Path) -> Result<Option<String>, InvalidPolicy> {
    check_directory(directory)?;
    match std::fs::symlink_metadata(directory.join(NOTIFICATIONS_FILE)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Ok(_) | Err(_) => Ok(read_text(directory, NOTIFICATIONS_FILE).map(Some)?),
    }
}

/// Writes a policy to begin with into a directory, which is made if it is not there: the one that comes with
/// the program, with its cases. Tells the names of the files.
///
/// # Errors
/// A file of a policy that is there already, under any kind of name; a file that cannot be written. What is
/// there is left alone.
pub fn write_first(directory: &Path) -> Result<[&'static str; 4], String> {
    let files = [
        (rules::FILE, BUNDLED.operations),
        (people::FILE, BUNDLED.people),
        (ACCESS_FILE, BUNDLED.access),
        (cases::FILE, BUNDLED_CASES),
    ];
    std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", shown(directory)))?;
    let is_there = |name: &&str| std::fs::symlink_metadata(directory.join(name)).is_ok();
    if let Some(name) = files.map(|(name, _)| name).iter().find(|name| is_there(name)) {
        let path = directory.join(name);
        return Err(format!(
            "{} is there already, and is not replaced: name another directory",
            shown(&path)
        ));
    }
    for (name, text) in files {
        let path = directory.join(name);
        let written = File::create_new(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| format!("{}: {error}", shown(&path)))?;
    }
    Ok(files.map(|(name, _)| name))
}

/// The text of the cases beside a policy.
///
/// # Errors
/// As for [`PolicyFiles::read`].
pub fn read_cases(directory: &Path) -> Result<String, InvalidPolicy> {
    check_directory(directory)?;
    let hint = if directory.join(cases::FILE).exists() { "" } else { "; it holds the cases to run" };
    let with_hint = |mistake: Mistake| Mistake { rule: mistake.rule + hint, ..mistake };
    Ok(read_text(directory, cases::FILE).map_err(with_hint)?)
}

fn check_directory(directory: &Path) -> Result<(), Mistake> {
    let shown = shown(directory);
    let unusable = |rule: String| {
        Err(Mistake { name: Name::UnreadableFile, file: None, line: None, column: None, place: None, rule })
    };
    match std::fs::metadata(directory) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => unusable(format!("{shown} is not a directory")),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            unusable(format!("the directory {shown} is not there"))
        }
        Err(error) => unusable(format!("{shown}: {error}")),
    }
}

/// The text of a file, as it is: its bytes name the policy.
fn read_text(directory: &Path, file: &'static str) -> Result<String, Mistake> {
    let path = directory.join(file);
    let refused = |rule: String| Mistake::new(Name::UnreadableFile, file, None, rule);
    let unreadable = |error: std::io::Error| {
        let is_missing = error.kind() == ErrorKind::NotFound;
        refused(if is_missing { "is not there".to_owned() } else { error.to_string() })
    };
    // A pipe without a writer would keep a start waiting for ever.
    if !std::fs::metadata(&path).map_err(unreadable)?.is_file() {
        return Err(refused("is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    File::open(&path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(refused(format!("must be at most {MAX_FILE_BYTES} bytes long")));
    }
    let at = |before: &[u8], rule: &str| {
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Mistake::new(Name::UnreadableFile, file, Some(line), rule)
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let (before, _) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        at(before, "is not UTF-8: save it as UTF-8")
    })?;
    // What is UTF-16 may pass for UTF-8 with zeros in it.
    if let Some((before, _)) = text.split_once('\0') {
        return Err(at(before.as_bytes(), "has a zero byte, as in UTF-16: save it as UTF-8"));
    }
    // TOML takes no notice of a mark and Cedar takes it for a mistake.
    if text.starts_with('\u{feff}') {
        return Err(at(b"", "begins with a byte order mark: save it as UTF-8 without one"));
    }
    match hidden(&text) {
        Some((line, column, c)) => {
            let rule = format!("has {}, which hides from a reader what stands there: take it out", named(c));
            let mistake = Mistake::new(Name::UnreadableFile, file, Some(line), rule);
            Err(Mistake { column: Some(column), ..mistake })
        }
        None => Ok(text),
    }
}

/// The first character that makes a text look otherwise than it is read, with its line and column: a line
/// end for an editor that is none for Cedar or TOML, as a lone carriage return in a comment; what reorders
/// text or takes no room (Trojan Source, CVE-2021-42574); and any other control.
fn hidden(text: &str) -> Option<(usize, usize, char)> {
    let mut characters = text.chars().peekable();
    let (mut line, mut column) = (1, 0);
    let mut line_so_far = String::new();
    while let Some(c) = characters.next() {
        column += 1;
        match c {
            '\n' => {
                (line, column) = (line + 1, 0);
                line_so_far.clear();
            }
            '\t' => {}
            '\r' if characters.peek() == Some(&'\n') => {}
            _ if must_be_escaped(c) => return Some((line, column, c)),
            _ => {
                line_so_far.push(c);
                if ends_in_stacked_marks(&line_so_far) {
                    return Some((line, column, c));
                }
                continue;
            }
        }
    }
    None
}

/// A path as it may be printed within a line.
fn shown(path: &Path) -> String {
    escaped_line(&path.display().to_string())
}

fn named(c: char) -> String {
    match c {
        '\r' => "a carriage return without a line feed".to_owned(),
        '\u{feff}' => "a byte order mark (U+FEFF)".to_owned(),
        c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
            format!("a control character (U+{:04X})", u32::from(c))
        }
        c => format!("an invisible character (U+{:04X})", u32::from(c)),
    }
}

/// Refuses a time of restoring that is still to come: approvals that are given until then would count, and
/// lapse without a restore.
///
/// # Errors
/// When `restored_at` is after `now`.
pub fn check_clock(policy: &Policy, text: &PolicyText<'_>, now: Timestamp) -> Result<(), InvalidPolicy> {
    match policy.rules().restored_at().filter(|restored_at| *restored_at > now) {
        None => Ok(()),
        Some(restored_at) => {
            let line = text.line_of(rules::FILE, &["restored_at".to_owned()]);
            let rule = format!(
                "must not lie in the future: it is {restored_at}, and now is {now}; write the time of the restore, in UTC"
            );
            Err(Mistake::refused(rules::FILE, line, "restored_at", rule).into())
        }
    }
}

/// The policy of a directory with `operations.toml`, `people.toml` and `access.cedar`, as a function uses it at a time;
/// without one, the bundled policy. A service that is not started for a call reads [`checked_policy`].
///
/// # Errors
/// What is wrong, and with which file. Nothing weaker takes its place.
pub fn policy(directory: Option<&Path>, now: Timestamp) -> Result<Policy, LoadError> {
    load(directory, now, parse_checked)
}

fn load(
    directory: Option<&Path>,
    now: Timestamp,
    read: impl Fn(&PolicyText<'_>) -> Result<Policy, InvalidPolicy>,
) -> Result<Policy, LoadError> {
    let Some(directory) = directory else { return Ok(bundled()?) };
    load_directory(directory, now, read)
        .map_err(|invalid| LoadError::Directory { directory: directory.to_owned(), invalid })
}

/// The policy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// That of a directory. The message has the paths of its files, escaped, and a line for each mistake.
    #[error("{}", invalid.in_directory(directory))]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What is wrong.
        invalid: InvalidPolicy,
    },
    /// The one that comes with the program.
    #[error(transparent)]
    Bundled(#[from] InvalidPolicy),
}

fn load_directory(
    directory: &Path,
    now: Timestamp,
    read: impl Fn(&PolicyText<'_>) -> Result<Policy, InvalidPolicy>,
) -> Result<Policy, InvalidPolicy> {
    let files = PolicyFiles::read(directory)?;
    let text = files.text();
    let policy = read(&text)?;
    check_clock(&policy, &text, now)?;
    Ok(policy)
}
