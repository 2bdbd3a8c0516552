//! What is amiss with an entry that is there, or with the switches beside it.

use super::document::Node;
use super::entry::Installed;
use crate::agent::Agent;
use crate::words::value;
use countersign_core::text::escaped_line;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What is amiss with an entry.
pub fn faults(agent: Agent, installed: &Installed) -> Vec<String> {
    let mut faults = Vec::new();
    if installed.is_fail_closed == Some(false) {
        let switch = if agent == Agent::Cursor { "failClosed" } else { "onFailure" };
        faults.push(format!("the entry has no `{switch}`: a hook that fails lets the tool run"));
    }
    if !installed.is_for_every_tool {
        faults.push("the entry is for some tools only: the others run without a hook".to_owned());
    }
    for member in &installed.odd {
        faults.push(format!("`{}` of the entry is not what `hook install` writes", escaped_line(member)));
    }
    for event in &installed.missing {
        faults.push(format!("there is no entry for `{event}`: the end of a tool is not reported"));
    }
    if !installed.is_plain {
        faults.push(
            "the command is more than this program and its options: it may answer otherwise".to_owned(),
        );
    }
    let of_agent = installed.limit.unwrap_or_else(|| agent.default_limit().as_secs());
    let said = value(&installed.words, "--limit").and_then(|seconds| seconds.parse::<u64>().ok());
    if said.unwrap_or_else(|| agent.default_limit().as_secs()) > of_agent {
        faults.push(format!(
            "the agent ends the hook after {of_agent} s, before `--limit` says: the tool runs then unless the agent refuses what \
             is late"
        ));
    }
    faults.extend(of_words(&installed.words));
    faults
}

/// What the words of a hook leave to the environment and to the directory that the agent works in: both are a project's to
/// set, in a file that the agent loads.
pub fn of_words(words: &[String]) -> Vec<String> {
    let is_there = |name: &str| value(words, name).is_some();
    let mut faults = Vec::new();
    if !is_there("--url") {
        faults.push(
            "the command has no `--url`: a variable of a project may lead it to another service".to_owned(),
        );
    }
    if !is_there("--tools") && !words.iter().any(|word| word == "--no-tools") {
        faults.push(
            "the command has neither `--tools` nor `--no-tools`: a variable of a project may lead it to another file of tools"
                .to_owned(),
        );
    }
    if is_there("--profile") && !is_there("--config") {
        faults.push(
            "the command has `--profile` without `--config`: the profile may be another file's".to_owned(),
        );
    }
    for name in ["--tools", "--config", "--token-file", "--ca-bundle", "--state-directory"] {
        if value(words, name).is_some_and(|path| !Path::new(path).is_absolute()) {
            faults.push(format!("the path of `{name}` is relative: it is another file in each project"));
        }
    }
    faults
}

/// The switches of a settings file that turn hooks off. What cannot be read turns nothing off: the agent does not read it
/// either.
pub fn switched_off(agent: Agent, settings: &str, command: &str) -> Vec<String> {
    let Ok(document) = Node::read(settings) else { return Vec::new() };
    let at = |names: &[&str]| names.iter().try_fold(&document, |node, name| node.get(name));
    let is_other = |names: &[&str], usual: Value| {
        at(names).is_some_and(|node| !matches!(node, Node::Leaf(value) if *value == usual))
    };
    let switches: &[(&[&str], bool)] = match agent {
        Agent::Claude | Agent::Copilot => &[(&["disableAllHooks"], false)],
        Agent::Gemini => &[
            (&["hooksConfig", "enabled"], true),
            (&["hooks", "enabled"], true),
            (&["tools", "enableHooks"], true),
        ],
        Agent::Codex | Agent::Cursor | Agent::Opencode | Agent::Generic => &[],
    };
    let mut off: Vec<String> = switches
        .iter()
        .filter(|(names, usual)| is_other(names, json!(usual)))
        .map(|(names, usual)| format!("`{}` is not {usual}: no hooks are run", names.join(".")))
        .collect();
    if agent == Agent::Gemini {
        for names in [["hooksConfig", "disabled"], ["hooks", "disabled"]] {
            let listed = at(&names).map_or(&[][..], Node::elements);
            if listed.iter().any(|node| node.text() == Some(command)) {
                off.push(format!("`{}` lists the command: it is not run", names.join(".")));
            }
        }
    }
    off
}

/// The files, besides the one of the entry, that have such switches.
pub fn beside(agent: Agent, file: &Path, project: &Path) -> Vec<PathBuf> {
    let files = match agent {
        Agent::Claude => {
            ["settings.json", "settings.local.json"].map(|name| project.join(".claude").join(name)).to_vec()
        }
        Agent::Gemini => vec![project.join(".gemini/settings.json")],
        Agent::Copilot => {
            let directory = file.parent().and_then(Path::parent);
            directory.map_or_else(Vec::new, |home| {
                ["settings.json", "config.json"].map(|name| home.join(name)).to_vec()
            })
        }
        Agent::Codex | Agent::Cursor | Agent::Opencode | Agent::Generic => Vec::new(),
    };
    files.into_iter().filter(|other| other != file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn what_is_left_to_the_environment_is_a_fault() {
        assert_eq!(of_words(&words("c hook --url=http://127.0.0.1:9000 --no-tools")), Vec::<String>::new());
        assert_eq!(
            of_words(&words("c hook --url x --tools /t --profile a --config /c")),
            Vec::<String>::new()
        );
        for (line, count) in [
            ("c hook", 2),
            ("c hook --url=x", 1),
            ("c hook --url=x --tools t", 1),
            ("c hook --url=x --no-tools --profile=a", 1),
            ("c hook --url=x --no-tools --profile=a --config=c --token-file=t", 2),
        ] {
            assert_eq!(of_words(&words(line)).len(), count, "{line}");
        }
    }

    #[test]
    fn switches_are_found() {
        for (agent, settings, count) in [
            (Agent::Claude, r#"{"disableAllHooks": false}"#, 0),
            (Agent::Claude, r#"{"disableAllHooks": true}"#, 1),
            (Agent::Claude, r#"{"disableAllHooks": "true"}"#, 1),
            (Agent::Copilot, r#"{"disableAllHooks": true}"#, 1),
            (Agent::Gemini, r#"{"hooksConfig": {"enabled": true, "disabled": ["x"]}}"#, 0),
            (Agent::Gemini, r#"{"hooksConfig": {"enabled": false, "disabled": ["c hook"]}}"#, 2),
            (Agent::Gemini, r#"{"tools": {"enableHooks": false}, "hooks": {"enabled": false}}"#, 2),
            (Agent::Codex, r#"{"disableAllHooks": true}"#, 0),
        ] {
            assert_eq!(switched_off(agent, settings, "c hook").len(), count, "{agent} {settings}");
        }
    }
}
