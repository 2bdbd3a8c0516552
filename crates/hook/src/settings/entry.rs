//! The entries of each agent's settings file: the events that they are for, their limit and their fail-closed switch.

use super::document::{Node, indentation};
use crate::agent::Agent;
use serde_json::{Value, json};

/// How long a report of what has happened may take, in seconds.
const REPORT_LIMIT: u64 = 30;

/// What is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The program, and its arguments before `hook`'s own.
    pub words: Vec<String>,
    /// The agent's limit, in seconds.
    pub limit: u64,
}

/// What a settings file has of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The command, for a shell.
    pub command: String,
    /// The agent's limit in seconds, if the entry names one.
    pub limit: Option<u64>,
    /// Whether the agent refuses if the hook fails. None of an agent that has no such switch.
    pub is_fail_closed: Option<bool>,
    /// Whether the entry is for every tool.
    pub is_for_every_tool: bool,
}

/// A settings file cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// It is not what the agent's documentation says.
    #[error("{0}")]
    Unreadable(String),
    /// The agent has no file of settings that this could be in.
    #[error("{0} has no settings file: let your program run the command that the guide shows")]
    None(Agent),
}

/// Whether a value of a switch turns it on.
type Holds = fn(&Value) -> bool;

/// How an agent writes down its hooks.
struct Form {
    before: &'static str,
    after: &'static [&'static str],
    /// Whether hooks are in groups that share a matcher.
    is_grouped: bool,
    /// The matcher for every tool, where one has to be written.
    matcher: Option<&'static str>,
    limit: &'static str,
    /// How many of the unit of the limit are a second.
    per_second: u64,
    command: &'static str,
    fail_closed: Option<(&'static str, Holds)>,
    /// The version that the document names.
    is_versioned: bool,
}

fn form(agent: Agent) -> Option<Form> {
    let claude = Form {
        before: "PreToolUse",
        after: &["PostToolUse", "PostToolUseFailure"],
        is_grouped: true,
        matcher: Some("*"),
        limit: "timeout",
        per_second: 1,
        command: "command",
        fail_closed: Some(("onFailure", |value| value == "block")),
        is_versioned: false,
    };
    Some(match agent {
        Agent::Claude => claude,
        Agent::Codex => Form { after: &["PostToolUse"], matcher: None, fail_closed: None, ..claude },
        Agent::Gemini => Form {
            before: "BeforeTool",
            after: &["AfterTool"],
            matcher: Some(".*"),
            per_second: 1000,
            fail_closed: None,
            ..claude
        },
        Agent::Cursor => Form {
            before: "preToolUse",
            after: &["postToolUse", "postToolUseFailure"],
            is_grouped: false,
            matcher: None,
            fail_closed: Some(("failClosed", |value| value == true)),
            is_versioned: true,
            ..claude
        },
        Agent::Copilot => Form {
            before: "preToolUse",
            after: &["postToolUse", "postToolUseFailure"],
            is_grouped: false,
            matcher: None,
            limit: "timeoutSec",
            command: "bash",
            fail_closed: None,
            is_versioned: true,
            ..claude
        },
        Agent::Opencode | Agent::Generic => return None,
    })
}

impl Entry {
    /// The words of the hook for an event: the one before a use, or that after it.
    pub fn hook(&self, agent: Agent, is_after: bool) -> Vec<String> {
        let (event, limit): (&[&str], u64) =
            if is_after { (&["--event", "post"], REPORT_LIMIT) } else { (&[], self.limit) };
        let own =
            ["hook", "--agent", agent.name()].into_iter().chain(event.iter().copied()).map(str::to_owned);
        let (program, options) =
            self.words.split_first().map_or((None, &[][..]), |(first, rest)| (Some(first), rest));
        let limit = ["--limit".to_owned(), limit.to_string()];
        program.cloned().into_iter().chain(own).chain(limit).chain(options.iter().cloned()).collect()
    }
}

/// The words as one command of a POSIX shell.
pub fn shell(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
        if !word.is_empty() && word.bytes().all(is_plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// Whether a command of a settings file is ours for this agent, of whatever version and with whatever options.
fn is_ours(agent: Agent, command: &str) -> bool {
    let words = format!("{command} ");
    words.contains(&format!(" hook --agent {} ", agent.name()))
}

/// The settings with the entry in place of an earlier one, and everything else as it was.
///
/// # Errors
/// When they are not what the agent's documentation says, or the agent has none.
pub fn merged(agent: Agent, settings: Option<&str>, entry: &Entry) -> Result<String, SettingsError> {
    let form = form(agent).ok_or(SettingsError::None(agent))?;
    let settings = settings.filter(|text| !text.trim().is_empty());
    let mut document = settings
        .map_or_else(|| Ok(Node::Object(Vec::new())), Node::read)
        .map_err(SettingsError::Unreadable)?;
    if form.is_versioned {
        document.entry("version", || Node::of(json!(1)));
    }
    let odd = |what: &str| {
        SettingsError::Unreadable(format!("its {what} is not of the form that {agent} documents"))
    };
    let hooks = document.entry("hooks", || Node::Object(Vec::new())).ok_or_else(|| odd("root"))?;
    for (event, is_after) in
        [(form.before, false)].into_iter().chain(form.after.iter().map(|event| (*event, true)))
    {
        let new = Node::of(group(&form, agent, entry, is_after));
        match hooks.entry(event, || Node::Array(Vec::new())) {
            Some(Node::Array(groups)) => replace(groups, new, agent, &form),
            _ => return Err(odd("list of hooks")),
        }
    }
    Ok(document.print(settings.map_or("  ", indentation)))
}

/// One element of the list of an event.
fn group(form: &Form, agent: Agent, entry: &Entry, is_after: bool) -> Value {
    let mut hook = serde_json::Map::new();
    hook.insert("type".to_owned(), json!("command"));
    hook.insert(form.command.to_owned(), json!(shell(&entry.hook(agent, is_after))));
    let seconds = if is_after { REPORT_LIMIT } else { entry.limit };
    hook.insert(form.limit.to_owned(), json!(seconds.saturating_mul(form.per_second)));
    match form.fail_closed {
        Some((name, _)) if !is_after => {
            hook.insert(name.to_owned(), if agent == Agent::Claude { json!("block") } else { json!(true) });
        }
        _ => {}
    }
    match (form.is_grouped, form.matcher) {
        (false, _) => Value::Object(hook),
        (true, None) => json!({ "hooks": [hook] }),
        (true, Some(matcher)) => json!({ "matcher": matcher, "hooks": [hook] }),
    }
}

/// Puts the new element where the first of ours was, or at the end, and takes the others of ours out.
fn replace(groups: &mut Vec<Node>, new: Node, agent: Agent, form: &Form) {
    let is_own = |hook: &Node| {
        hook.get(form.command).and_then(Node::text).is_some_and(|command| is_ours(agent, command))
    };
    let mut at = None;
    let mut kept = Vec::new();
    for mut group in std::mem::take(groups) {
        let is_touched =
            if form.is_grouped { without(&mut group, is_own) } else { is_own(&group).then_some(true) };
        if is_touched.is_some() {
            at = at.or(Some(kept.len()));
        }
        if is_touched != Some(true) {
            kept.push(group);
        }
    }
    kept.insert(at.unwrap_or(kept.len()), new);
    *groups = kept;
}

/// Takes hooks out of a group; gives whether it is empty then, or nothing if none were in it.
fn without(group: &mut Node, is_own: impl Fn(&Node) -> bool) -> Option<bool> {
    let Some(Node::Array(hooks)) = group.entry("hooks", || Node::Array(Vec::new())) else { return None };
    let before = hooks.len();
    hooks.retain(|hook| !is_own(hook));
    (hooks.len() < before).then_some(hooks.is_empty())
}

/// The entry for the event before a use.
///
/// # Errors
/// As for [`merged`].
pub fn installed(agent: Agent, settings: &str) -> Result<Option<Installed>, SettingsError> {
    let form = form(agent).ok_or(SettingsError::None(agent))?;
    let document = Node::read(settings).map_err(SettingsError::Unreadable)?;
    let groups =
        document.get("hooks").and_then(|hooks| hooks.get(form.before)).map_or(&[][..], Node::elements);
    for group in groups {
        let hooks = if form.is_grouped {
            group.get("hooks").map_or(&[][..], Node::elements)
        } else {
            std::slice::from_ref(group)
        };
        for hook in hooks {
            let command = hook.get(form.command).and_then(Node::text).unwrap_or_default();
            if !is_ours(agent, command) {
                continue;
            }
            let matcher = group.get("matcher").and_then(Node::text);
            return Ok(Some(Installed {
                command: command.to_owned(),
                limit: hook.get(form.limit).and_then(Node::number).map(|limit| limit / form.per_second),
                is_fail_closed: form
                    .fail_closed
                    .map(|(name, holds)| matches!(hook.get(name), Some(Node::Leaf(value)) if holds(value))),
                is_for_every_tool: matcher.is_none_or(|matcher| matches!(matcher, "" | "*" | ".*")),
            }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(limit: u64) -> Entry {
        let words = ["/opt/it's here/countersign", "--profile", "agent"];
        Entry { words: words.map(str::to_owned).to_vec(), limit }
    }

    const FILES: [Agent; 5] = [Agent::Claude, Agent::Codex, Agent::Cursor, Agent::Gemini, Agent::Copilot];

    #[test]
    fn an_entry_is_written_once_and_found_again() {
        for agent in FILES {
            let once = merged(agent, None, &entry(310)).unwrap();
            assert_eq!(merged(agent, Some(&once), &entry(310)).unwrap(), once, "{agent}");
            let found = installed(agent, &once).unwrap().unwrap();
            let command =
                format!("'/opt/it'\\''s here/countersign' hook --agent {agent} --limit 310 --profile agent");
            assert_eq!(found.command, command);
            assert_eq!(found.limit, Some(310));
            assert_ne!(found.is_fail_closed, Some(false), "{agent}");
            assert!(found.is_for_every_tool);
            let changed = merged(agent, Some(&once), &entry(600)).unwrap();
            assert_eq!(installed(agent, &changed).unwrap().unwrap().limit, Some(600));
            assert_eq!(changed.matches("--limit 600").count(), 1);
            assert!(!changed.contains("310"), "{changed}");
        }
    }

    #[test]
    fn what_others_have_written_stays() {
        let settings = "{\n    \"model\": \"x\",\n    \"hooks\": {\n        \"PreToolUse\": [\n            {\n                \
                        \"matcher\": \"Bash\",\n                \"hooks\": [\n                    {\n                        \
                        \"type\": \"command\",\n                        \"command\": \"mine hook --agent claudette\"\n                    \
                        },\n                    {\n                        \"type\": \"command\",\n                        \
                        \"command\": \"old hook --agent claude\"\n                    }\n                ]\n            }\n        ]\n    \
                        },\n    \"a\": 1\n}\n";
        let merged = merged(Agent::Claude, Some(settings), &entry(310)).unwrap();
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let (before, mut after) = (read(settings), read(&merged));
        let groups = after["hooks"]["PreToolUse"].as_array().unwrap().clone();
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0]["matcher"], "*");
        assert_eq!(groups[1]["hooks"][0]["command"], "mine hook --agent claudette");
        assert_eq!(groups[1]["hooks"].as_array().unwrap().len(), 1);
        after["hooks"] = before["hooks"].clone();
        assert_eq!(after, before);
        assert!(merged.find("\"model\"").unwrap() < merged.find("\"a\"").unwrap());
        assert!(merged.contains("\n    \"model\""), "the indentation is the file's");
    }

    #[test]
    fn odd_files_are_left_alone() {
        for settings in ["[]", "{\"hooks\": []}", "{\"hooks\": {\"PreToolUse\": {}}}", "{ // comment\n}"] {
            assert!(merged(Agent::Claude, Some(settings), &entry(310)).is_err(), "{settings}");
        }
        for agent in [Agent::Opencode, Agent::Generic] {
            assert_eq!(merged(agent, None, &entry(310)), Err(SettingsError::None(agent)));
        }
    }

    #[test]
    fn a_matcher_that_leaves_tools_out_is_seen() {
        let once = merged(Agent::Claude, None, &entry(310)).unwrap().replacen("\"*\"", "\"Bash\"", 1);
        assert!(!installed(Agent::Claude, &once).unwrap().unwrap().is_for_every_tool);
        let open = merged(Agent::Cursor, None, &entry(310)).unwrap().replace("true", "false");
        assert_eq!(installed(Agent::Cursor, &open).unwrap().unwrap().is_fail_closed, Some(false));
    }
}
