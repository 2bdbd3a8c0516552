//! `countersign hook install`: the entry of an agent's settings file, beside everything else that is in it.

use crate::error::CommandError;
use crate::view::terminal::write_document;
use countersign_client::environment::Environment;
use countersign_core::text::escaped_lines;
use countersign_hook::agent::Agent;
use countersign_hook::settings::difference::difference;
use countersign_hook::settings::entry::{self, Entry, SettingsError};
use countersign_hook::settings::{Scope, file, plugin};
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
        let base = match self.scope {
            Scope::Project => {
                std::env::current_dir().map_err(|error| format!("the current directory: {error}"))?
            }
            Scope::User => Environment::of_process().home.ok_or_else(|| {
                CommandError::Usage("there is no HOME; name the file with --settings".to_owned())
            })?,
        };
        file(self.agent, self.scope, &base)
            .ok_or_else(|| CommandError::Usage(SettingsError::None(self.agent).to_string()))
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
            "next: review and trust the hook with /hooks in Codex, and run `countersign hook check --agent codex`"
        }
        (false, _) => "next: start the agent anew, and run `countersign hook check` for it",
    };
    write_document(&format!("{}\n{said} {shown}\n{next}", lines.join("\n")))
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
