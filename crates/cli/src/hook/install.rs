//! `countersign hook install`: the entry of an agent's settings file, beside everything else that is in it.

use crate::error::CommandError;
use crate::view::terminal::write_document;
use countersign_client::environment::Environment;
use countersign_core::text::escaped_lines;
use countersign_hook::agent::Agent;
use countersign_hook::settings::difference::difference;
use countersign_hook::settings::entry::{self, Entry, SettingsError};
use countersign_hook::settings::faults::{self, Fault};
use countersign_hook::settings::{Scope, file, named_file, plugin, variable};
use countersign_system::private_file::Unfinished;
use countersign_system::text_file;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Which file.
#[derive(Debug, Clone)]
pub struct SettingsFile {
    /// The agent.
    pub agent: Agent,
    /// Whose settings.
    pub scope: Scope,
    /// The file, in place of where the agent has it.
    pub named: Option<PathBuf>,
}

impl SettingsFile {
    /// Where it is.
    ///
    /// # Errors
    /// Without a home, and for an agent that has none.
    pub fn path(&self) -> Result<PathBuf, CommandError> {
        if let Some(path) = &self.named {
            return Ok(path.clone());
        }
        let none = || CommandError::Usage(SettingsError::None(self.agent).to_string());
        let set = |name: &'static str| {
            let directory = std::env::var_os(name).filter(|value| !value.is_empty());
            directory.map(|directory| (name, PathBuf::from(directory)))
        };
        if self.scope == Scope::Project {
            let path = file(self.agent, self.scope, &current_directory()?).ok_or_else(none)?;
            stays_inside(&path)?;
            return Ok(path);
        }
        if let Some((name, directory)) = variable(self.agent).and_then(set) {
            if directory.is_absolute() {
                return named_file(self.agent, &directory).ok_or_else(none);
            }
            // XDG Base Directory Specification: a relative path is to be ignored.
            if name != "XDG_CONFIG_HOME" {
                let message = format!("{name} is a relative path; name the file with --settings");
                return Err(CommandError::Usage(message));
            }
        }
        let home = Environment::of_process().home.ok_or_else(|| {
            CommandError::Usage("there is no HOME; name the file with --settings".to_owned())
        })?;
        file(self.agent, self.scope, &home).ok_or_else(none)
    }

    /// The agent's directory of the user, also for the file of a project; that of a named file is the one that it is in.
    ///
    /// # Errors
    /// As for [`Self::path`].
    pub fn user_directory(&self) -> Result<PathBuf, CommandError> {
        let path = Self { scope: Scope::User, ..self.clone() }.path()?;
        let path = std::path::absolute(&path).map_err(|error| at(&path, &error))?;
        Ok(path.parent().map_or_else(PathBuf::new, Path::to_owned))
    }

    /// The switches that turn hooks off: in its text, and in the files beside it.
    ///
    /// # Errors
    /// Without a home, or a current directory.
    pub fn switches(&self, text: &str, command: &str) -> Result<Vec<Fault>, CommandError> {
        let path = self.path()?;
        let mut off = faults::switched_off(self.agent, &path, text, command);
        for other in faults::beside(self.agent, &path, &current_directory()?) {
            // One that is not there turns nothing off.
            let text = text_file::read_to_string(&other).unwrap_or_default();
            off.extend(faults::switched_off(self.agent, &other, &text, command));
        }
        Ok(off)
    }

    /// Its text, if there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn text(&self) -> Result<Option<String>, CommandError> {
        let path = self.path()?;
        match text_file::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at(&path, &error)),
        }
    }
}

/// Writes the entry, and shows what that changes.
///
/// # Errors
/// When the file cannot be read, understood or written; it is as it was then.
pub fn install(file: &SettingsFile, entry: &Entry, is_dry: bool) -> Result<(), CommandError> {
    let path = file.path()?;
    let before = file.text()?;
    let after = match file.agent {
        Agent::Opencode => {
            if before.as_deref().is_some_and(|text| !text.contains("countersign hook install")) {
                return Err(CommandError::Conflict(format!(
                    "{} is there already, and this program has not written it",
                    text_file::shown(&path)
                )));
            }
            plugin::plugin(entry)
        }
        agent => entry::merged(agent, before.as_deref(), entry).map_err(|error| unreadable(&path, &error))?,
    };
    let changes = difference(before.as_deref().unwrap_or_default(), &after);
    let shown = text_file::shown(&path);
    if before.as_deref() == Some(after.as_str()) {
        return write_document(&format!("{shown} has it already"));
    }
    let lines: Vec<_> = escaped_lines(changes.trim_end_matches('\n')).collect();
    let said = if is_dry { "would change" } else { "changed" };
    if !is_dry {
        write(&path, after.as_bytes()).map_err(|error| at(&path, &error))?;
    }
    let next = match (is_dry, file.agent) {
        (true, _) => "nothing is written",
        (false, Agent::Codex) => {
            "next: start `codex` once and choose \"Trust all and continue\", or trust the hook by `/hooks`, after each `install` \
             anew (else each tool runs without asking, and `codex exec` never asks for trust), write `unified_exec_tty = false` under \
             `[features]` in `config.toml`, and run `countersign hook check --agent codex`"
        }
        (false, _) => "next: start the agent anew, and run `countersign hook check` for it",
    };
    write_document(&format!("{}\n{said} {shown}\n{next}", lines.join("\n")))
}

/// The directory that this program is run in.
///
/// # Errors
/// Without one.
pub fn current_directory() -> Result<PathBuf, CommandError> {
    Ok(std::env::current_dir().map_err(|error| format!("the current directory: {error}"))?)
}

/// That the file of a project is in the project: it may have links that others have put there.
fn stays_inside(path: &Path) -> Result<(), CommandError> {
    let existing = path.ancestors().find(|ancestor| ancestor.symlink_metadata().is_ok()).unwrap_or(path);
    let real = existing.canonicalize().map_err(|error| at(existing, &error))?;
    let project = current_directory()?;
    let project = project.canonicalize().map_err(|error| at(&project, &error))?;
    if real.starts_with(&project) {
        return Ok(());
    }
    let (shown, real) = (text_file::shown(existing), text_file::shown(&real));
    Err(CommandError::Conflict(format!(
        "{shown} is a link out of the project, to {real}; name the file with --settings"
    )))
}

fn unreadable(path: &Path, error: &SettingsError) -> CommandError {
    let shown = text_file::shown(path);
    CommandError::Usage(format!(
        "{shown}: {error}; nothing is written: mend it, or add the entry by hand as the guide shows"
    ))
}

fn at(path: &Path, error: &io::Error) -> CommandError {
    CommandError::Failed(format!("{}: {error}", text_file::shown(path)))
}

/// Puts the text into the file in one step. A link stays one, and the file may be read by whom it could be read before.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let path = if path.symlink_metadata().is_ok() { fs::canonicalize(path)? } else { path.to_owned() };
    let permissions = fs::metadata(&path).ok().map(|metadata| metadata.permissions());
    let mut file = Unfinished::beside(&path)?;
    file.write_all(text)?;
    file.replace()?;
    permissions.map_or(Ok(()), |permissions| fs::set_permissions(&path, permissions))
}
