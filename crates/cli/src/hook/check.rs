//! `countersign hook check`: whether the entry is there, and what the hook would do with a recorded input.

use crate::error::CommandError;
use crate::hook::install::{SettingsFile, current_directory};
use crate::view::terminal::write_document;
use countersign_core::text::{escaped_line, escaped_lines};
use countersign_hook::agent::Agent;
use countersign_hook::check::{CHECK_VARIABLE, CHECKED, Understood, understood};
use countersign_hook::recorded;
use countersign_hook::settings::codex::{self, Config};
use countersign_hook::settings::entry::{self, shell};
use countersign_hook::settings::faults::{self, Fault};
use countersign_hook::settings::{gemini, plugin};
use countersign_system::text_file;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Checks the entry, and runs it.
///
/// # Errors
/// When there is none, when it is not as it should be, or when the answer is not the one of a check.
pub fn check(file: &SettingsFile) -> Result<(), CommandError> {
    let (agent, shown) = (file.agent, text_file::shown(&file.path()?));
    let install = format!("run `countersign hook install --agent {agent}`");
    let text =
        file.text()?.ok_or_else(|| CommandError::NotFound(format!("there is no {shown}: {install}")))?;
    let none = || CommandError::NotFound(format!("{shown} has no entry of this program: {install}"));
    let (command, mut faults) = if agent == Agent::Opencode {
        let words = plugin::command(&text).ok_or_else(none)?;
        let odd = || Fault::of_entry(agent, "the file is not what this program writes");
        let odd = (!plugin::is_ours(&text)).then(odd);
        (shell(&words), odd.into_iter().chain(faults::of_words(agent, &words)).collect())
    } else {
        let installed = entry::installed(agent, &program()?, &text)
            .map_err(|error| CommandError::Usage(format!("{shown}: {error}")))?
            .ok_or_else(none)?;
        (installed.command.clone(), faults::faults(agent, &installed))
    };
    faults.extend(file.switches(&text, &command)?);
    match agent {
        Agent::Codex => faults.extend(trust(file, &text)?),
        Agent::Gemini => faults.extend(folder(file)?),
        Agent::Claude | Agent::Cursor | Agent::Copilot | Agent::Opencode | Agent::Generic => {}
    }
    let output = run(agent, &command)?;
    let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text_of(&output.stdout), text_of(&output.stderr));
    let mut lines = vec![format!("entry: {shown}"), format!("command: {}", escaped_line(&command))];
    match understood(agent, output.status.code(), &stdout, &stderr) {
        Understood::Refused(reason) => {
            if !reason.contains(&format!("({CHECKED})")) {
                let what = "the hook refuses every tool now";
                // A program that is not there or crashes has no answer of its own.
                faults.push(match output.status.code() {
                    Some(0) => Fault::new(what, "do what its answer above says"),
                    _ => Fault::of_entry(agent, what),
                });
            }
            lines.push("answer to a shell command:".to_owned());
            lines.extend(escaped_lines(&reason).map(|line| format!("  {line}")));
        }
        Understood::Go => {
            let what = "the command lets a tool run without asking: it is not this program";
            faults.push(Fault::of_entry(agent, what));
        }
        Understood::Deferred | Understood::Failed => {
            let what =
                format!("{agent} does not understand the answer of the command, and takes it for a failure");
            faults.push(Fault::of_entry(agent, what));
            lines.extend(escaped_lines(stderr.trim()).map(|line| format!("  {line}")));
        }
    }
    lines.extend(faults.iter().map(|fault| format!("fault: {fault}")));
    write_document(&lines.join("\n"))?;
    match faults.len() {
        0 => Ok(()),
        count => Err(CommandError::Failed(format!("faults: {count}; each line says what mends it"))),
    }
}

/// What Codex asks of a hook besides its entry: trust and features in `config.toml`, the user's and the project's.
fn trust(file: &SettingsFile, settings: &str) -> Result<Vec<Fault>, CommandError> {
    let path = current_directory()?.join(file.path()?);
    let directory = file.user_directory()?;
    // Codex resolves the links of its directory, and not that of the file in it.
    let settings_file =
        without_links(path.parent().unwrap_or(&path)).join(path.file_name().unwrap_or_default());
    let hooks = codex::remembered(&settings_file, &program()?, settings)
        .map_err(|error| CommandError::Usage(format!("{}: {error}", text_file::shown(&path))))?;
    let user = config(directory.join(codex::FILE));
    let project = config(current_directory()?.join(".codex").join(codex::FILE));
    let is_other = without_links(&project.file) != without_links(&user.file);
    Ok(codex::faults(&user, is_other.then_some(&project), &hooks))
}

/// A file of Codex: one that is not there says nothing.
fn config(file: PathBuf) -> Config {
    let text = match text_file::read_to_string(&file) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error.to_string()),
    };
    Config { file, text }
}

/// Whether Gemini CLI trusts the current directory.
fn folder(file: &SettingsFile) -> Result<Option<Fault>, CommandError> {
    let named = std::env::var_os(gemini::VARIABLE).filter(|path| !path.is_empty());
    let path = match named {
        Some(path) => path.into(),
        None => file.user_directory()?.join(gemini::FILE),
    };
    let directory = without_links(&current_directory()?);
    match text_file::read_to_string(&path) {
        Ok(text) => Ok(gemini::faults(&path, &text, &directory, without_links)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let what = format!(
                "{}: {error}: the folders that Gemini CLI trusts are not known",
                text_file::shown(&path)
            );
            Ok(Some(Fault::new(what, "see to it that the file can be read")))
        }
    }
}

/// A path as agents know it. One that leads nowhere stays as it is.
fn without_links(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The file name of this program.
fn program() -> Result<String, CommandError> {
    let path = std::env::current_exe().map_err(|error| format!("the path of this program: {error}"))?;
    Ok(path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default())
}

/// Runs the command as the agent does, with a recorded document. The variable makes each hook in it ask for nothing and refuse.
fn run(agent: Agent, command: &str) -> Result<Output, CommandError> {
    let failed = |error: std::io::Error| CommandError::Failed(format!("the command cannot be run: {error}"));
    let directory = std::env::current_dir().map_err(failed)?;
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .env(CHECK_VARIABLE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let document = recorded::command(agent, &directory.display().to_string());
    if let Some(mut stdin) = child.stdin.take() {
        // A command that does not read it is found by its answer.
        let _ = stdin.write_all(document.to_string().as_bytes());
    }
    child.wait_with_output().map_err(failed)
}
