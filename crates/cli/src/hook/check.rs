//! `countersign hook check`: whether the entry is there, and what the hook would do with a recorded input.

use crate::error::CommandError;
use crate::hook::install::SettingsFile;
use crate::view::terminal::write_document;
use countersign_core::text::{escaped_line, escaped_lines};
use countersign_hook::agent::Agent;
use countersign_hook::check::{CHECK_VARIABLE, CHECKED, Understood, understood};
use countersign_hook::recorded;
use countersign_hook::settings::entry::{self, shell};
use countersign_hook::settings::{faults, plugin};
use countersign_system::text_file;
use std::io::Write as _;
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
        let odd = (!plugin::is_ours(&text)).then(|| "the file is not what this program writes".to_owned());
        (shell(&words), odd.into_iter().chain(faults::of_words(&words)).collect())
    } else {
        let installed = entry::installed(agent, &program()?, &text)
            .map_err(|error| CommandError::Usage(format!("{shown}: {error}")))?
            .ok_or_else(none)?;
        (installed.command.clone(), faults::faults(agent, &installed))
    };
    faults.extend(file.switches(&text, &command)?);
    let output = run(agent, &command)?;
    let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text_of(&output.stdout), text_of(&output.stderr));
    let mut lines = vec![format!("entry: {shown}"), format!("command: {}", escaped_line(&command))];
    match understood(agent, output.status.code(), &stdout, &stderr) {
        Understood::Refused(reason) => {
            if !reason.contains(&format!("({CHECKED})")) {
                faults.push("the hook refuses every tool now: see its answer".to_owned());
            }
            lines.push("answer to a shell command:".to_owned());
            lines.extend(escaped_lines(&reason).map(|line| format!("  {line}")));
        }
        Understood::Go => {
            faults.push("the command lets a tool run without asking: it is not this program".to_owned())
        }
        Understood::Deferred | Understood::Failed => {
            faults.push(format!(
                "{agent} does not understand the answer of the command, and takes it for a failure"
            ));
            lines.extend(escaped_lines(stderr.trim()).map(|line| format!("  {line}")));
        }
    }
    lines.extend(faults.iter().map(|fault| format!("fault: {fault}")));
    write_document(&lines.join("\n"))?;
    match faults.len() {
        0 => Ok(()),
        count => Err(CommandError::Failed(format!("{count} faults; {install} writes the entry anew"))),
    }
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
