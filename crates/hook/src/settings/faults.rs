//! What is amiss with an entry that is there, or with the switches beside it, and what mends it.

use super::document::Node;
use super::entry::Installed;
use crate::agent::Agent;
use crate::words::value;
use countersign_core::text::escaped_line;
use serde_json::{Value, json};
use std::fmt;
use std::path::{Path, PathBuf};

/// What is amiss, and what mends it: a fault that `hook install` does not mend says what does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    what: String,
    mend: String,
}

impl Fault {
    /// A fault that is mended some other way than by writing the entry anew.
    pub fn new(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what: what.into(), mend: mend.into() }
    }

    /// A fault of the entry itself.
    pub fn of_entry(agent: Agent, what: impl Into<String>) -> Self {
        Self::new(
            what,
            format!("run `countersign hook install --agent {agent}`, which writes the entry anew"),
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. To mend it, {}", self.what, self.mend)
    }
}

/// What is amiss with an entry.
pub fn faults(agent: Agent, installed: &Installed) -> Vec<Fault> {
    let mut faults = Vec::new();
    if installed.is_fail_closed == Some(false) {
        let switch = if agent == Agent::Cursor { "failClosed" } else { "onFailure" };
        faults.push(format!("the entry has no `{switch}`: a hook that fails lets the tool run"));
    }
    if installed.has_tail == Some(false) {
        faults.push(
            "the command does not end in `exit 2` where the program fails: a hook that is killed or crashes lets the tool run"
                .to_owned(),
        );
    }
    if installed.is_environment_closed == Some(false) {
        faults.push(
            "`env` of the entry is not what `hook install` writes: a variable in the `.env` of a project, such as `BASH_ENV`, \
             switches the hook off"
                .to_owned(),
        );
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
    let faults = faults.into_iter().map(|what| Fault::of_entry(agent, what));
    faults.chain(of_words(agent, &installed.words)).collect()
}

/// What the words of a hook leave to the environment and to the directory that the agent works in: both are a project's to
/// set, in a file that the agent loads.
pub fn of_words(agent: Agent, words: &[String]) -> Vec<Fault> {
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
    faults.into_iter().map(|what| Fault::of_entry(agent, what)).collect()
}

/// The switches of a settings file that turn hooks off. One that cannot be read and names a switch is a fault.
pub fn switched_off(agent: Agent, file: &Path, settings: &str, command: &str) -> Vec<Fault> {
    let shown = shown(file);
    // Copilot begins its own file with lines of comment, and Gemini CLI reads settings without theirs.
    let uncommented = settings.lines().filter(|line| !line.trim_start().starts_with("//"));
    let Ok(document) = Node::read(&uncommented.collect::<Vec<_>>().join("\n")) else {
        let names = ["disableAllHooks", "hooksConfig"];
        let may_switch = names.iter().any(|name| settings.contains(name));
        let what = format!(
            "{shown} names a switch of hooks and is no plain JSON: whether hooks are run is not known"
        );
        return may_switch.then(|| Fault::new(what, "take comments out of that file")).into_iter().collect();
    };
    let at = |names: &[&str]| names.iter().try_fold(&document, |node, name| node.get(name));
    let is_other = |names: &[&str], usual: Value| {
        at(names).is_some_and(|node| !matches!(node, Node::Leaf(value) if *value == usual))
    };
    let switches: &[(&[&str], bool)] = match agent {
        Agent::Claude | Agent::Copilot => &[(&["disableAllHooks"], false)],
        // `hooks.disabled` and `tools.enableHooks` do nothing, and with `hooks.enabled` Gemini CLI reports an error (0.61.0).
        Agent::Gemini => &[(&["hooksConfig", "enabled"], true)],
        Agent::Codex | Agent::Cursor | Agent::Opencode | Agent::Generic => &[],
    };
    let mut off: Vec<_> = switches
        .iter()
        .filter(|(names, usual)| is_other(names, json!(usual)))
        .map(|(names, usual)| {
            Fault::new(
                format!(
                    "`{}` is not {usual} in {shown}: no hooks are run, and tools run without asking",
                    names.join(".")
                ),
                "take it out of that file",
            )
        })
        .collect();
    if agent == Agent::Gemini {
        let listed = at(&["hooksConfig", "disabled"]).map_or(&[][..], Node::elements);
        if listed.iter().any(|node| node.text() == Some(command)) {
            off.push(Fault::new(
                format!("`hooksConfig.disabled` lists the command in {shown}: tools run without asking"),
                "take the command out of that list, or switch it on in `/hooks`",
            ));
        }
    }
    off
}

/// A path as it may be printed within a line.
pub(super) fn shown(path: &Path) -> String {
    escaped_line(&path.display().to_string())
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
            let of_user = directory.map_or_else(Vec::new, |home| {
                ["settings.json", "config.json"].map(|name| home.join(name)).to_vec()
            });
            // Of a project that its user trusts (1.0.102).
            let of_project = [".github/copilot", ".claude"].map(|name| project.join(name));
            let of_project = of_project.iter().flat_map(|directory| {
                ["settings.json", "settings.local.json"].map(|name| directory.join(name))
            });
            of_user.into_iter().chain(of_project).collect()
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
        let of_words = |line: &str| of_words(Agent::Claude, &words(line));
        assert_eq!(of_words("c hook --url=http://127.0.0.1:9000 --no-tools"), Vec::new());
        assert_eq!(of_words("c hook --url x --tools /t --profile a --config /c"), Vec::new());
        for (line, count) in [
            ("c hook", 2),
            ("c hook --url=x", 1),
            ("c hook --url=x --tools t", 1),
            ("c hook --url=x --no-tools --profile=a", 1),
            ("c hook --url=x --no-tools --profile=a --config=c --token-file=t", 2),
        ] {
            assert_eq!(of_words(line).len(), count, "{line}");
        }
    }

    #[test]
    fn switches_are_found() {
        for (agent, settings, count) in [
            (Agent::Copilot, "// a\n  // b\n{\"disableAllHooks\": true}", 1),
            (Agent::Copilot, "// a\n{\"trusted\": []}", 0),
            (Agent::Claude, r#"{"disableAllHooks": false}"#, 0),
            (Agent::Claude, r#"{"disableAllHooks": true}"#, 1),
            (Agent::Claude, r#"{"disableAllHooks": "true"}"#, 1),
            (Agent::Copilot, r#"{"disableAllHooks": true}"#, 1),
            (Agent::Gemini, r#"{"hooksConfig": {"enabled": true, "disabled": ["x"]}}"#, 0),
            (Agent::Gemini, r#"{"hooksConfig": {"enabled": false, "disabled": ["c hook"]}}"#, 2),
            (Agent::Gemini, r#"{"hooksConfig": {"enabled": "yes"}}"#, 1),
            // Neither does anything in Gemini CLI 0.61.0.
            (Agent::Gemini, r#"{"tools": {"enableHooks": false}, "hooks": {"disabled": ["c hook"]}}"#, 0),
            (Agent::Codex, r#"{"disableAllHooks": true}"#, 0),
        ] {
            let off = switched_off(agent, Path::new("/user/x\u{9b}"), settings, "c hook");
            assert_eq!(off.len(), count, "{agent} {settings}");
            for fault in off {
                let line = fault.to_string();
                assert!(line.contains("To mend it, take") && !line.contains("install"), "{line}");
                assert!(line.contains("/user/x\\u{9b}"), "{line}");
            }
        }
    }

    #[test]
    fn what_fails_open_is_a_fault_that_install_mends() {
        let good = Installed {
            command: String::new(),
            words: words("c hook --limit 310 --url=x --no-tools"),
            is_plain: true,
            has_tail: Some(true),
            is_environment_closed: Some(true),
            limit: Some(310),
            is_fail_closed: None,
            is_for_every_tool: true,
            odd: Vec::new(),
            missing: Vec::new(),
        };
        assert_eq!(faults(Agent::Gemini, &good), Vec::new());
        for (installed, said) in [
            (
                Installed { has_tail: Some(false), ..good.clone() },
                "a hook that is killed or crashes lets the tool run",
            ),
            (Installed { is_environment_closed: Some(false), ..good }, "`BASH_ENV`"),
        ] {
            let lines: Vec<_> = faults(Agent::Gemini, &installed).iter().map(Fault::to_string).collect();
            let mend = "`countersign hook install --agent gemini`";
            assert!(matches!(&lines[..], [line] if line.contains(said) && line.contains(mend)), "{lines:?}");
        }
    }
}
