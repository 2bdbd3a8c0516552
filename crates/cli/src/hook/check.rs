//! `countersign hook check`: whether the entry is there, and what the hook would do with a recorded input.

use crate::error::CommandError;
use crate::hook::install::SettingsFile;
use crate::view::terminal::write_document;
use countersign_core::text::{escaped_line, escaped_lines};
use countersign_hook::agent::Agent;
use countersign_hook::check::{CHECKED, Understood, understood};
use countersign_hook::recorded;
use countersign_hook::settings::entry::{self, Installed, shell};
use countersign_hook::settings::plugin;
use countersign_system::text_file;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// What is amiss with an entry that is there.
fn faults(agent: Agent, installed: &Installed) -> Vec<String> {
    let mut faults = Vec::new();
    if installed.is_fail_closed == Some(false) {
        let switch = if agent == Agent::Cursor { "failClosed" } else { "onFailure" };
        faults.push(format!("the entry has no `{switch}`: a hook that fails lets the tool run"));
    }
    if !installed.is_for_every_tool {
        faults.push("the entry is for some tools only: the others run without a hook".to_owned());
    }
    let mut words = installed.command.split(' ').skip_while(|word| *word != "--limit");
    let said = words.nth(1).and_then(|seconds| seconds.parse::<u64>().ok());
    let of_agent = installed.limit.unwrap_or_else(|| agent.default_limit().as_secs());
    if said.unwrap_or_else(|| agent.default_limit().as_secs()) > of_agent {
        faults.push(format!(
            "the agent ends the hook after {of_agent} s, before `--limit` says: the tool runs then unless the agent refuses what \
             is late"
        ));
    }
    faults
}

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
        (shell(&words), odd.into_iter().collect())
    } else {
        let installed = entry::installed(agent, &text)
            .map_err(|error| CommandError::Usage(format!("{shown}: {error}")))?
            .ok_or_else(none)?;
        let faults = faults(agent, &installed);
        (installed.command, faults)
    };
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

/// Runs the command as the agent does, with a recorded document. `--check` makes it ask for nothing and refuse.
fn run(agent: Agent, command: &str) -> Result<Output, CommandError> {
    let failed = |error: std::io::Error| CommandError::Failed(format!("the command cannot be run: {error}"));
    let directory = std::env::current_dir().map_err(failed)?;
    let mut child = Command::new("/bin/sh")
        .args(["-c", &format!("{command} --check")])
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
