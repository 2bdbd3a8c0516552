//! The entries of each agent's settings file: the events that they are for, their limit and their fail-closed switch.

use super::document::{Node, indentation};
use crate::agent::Agent;
use crate::words::{ShellCommand, value};
use serde_json::{Value, json};

/// The file name of the program, unless it has another one here.
const PROGRAM: &str = "countersign";

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
    /// Its words from the program on.
    pub words: Vec<String>,
    /// Whether a shell does nothing else.
    pub is_plain: bool,
    /// The agent's limit in seconds, if the entry names one.
    pub limit: Option<u64>,
    /// Whether the agent refuses if the hook fails. None of an agent that has no such switch.
    pub is_fail_closed: Option<bool>,
    /// Whether the entry is for every tool.
    pub is_for_every_tool: bool,
    /// Its members that this program does not write, or not so.
    pub odd: Vec<String>,
    /// The events after a use that have no entry.
    pub missing: Vec<&'static str>,
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
    /// The file name of the program.
    fn program(&self) -> &str {
        self.words.first().map_or("", |word| file_name(word))
    }

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

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// A command of a settings file that runs this program's hook, wherever the program is and whatever else is around it.
struct Ours {
    words: Vec<String>,
    is_plain: bool,
    is_after: bool,
}

/// Reads a command as ours for this agent, with whatever options in whatever order.
fn ours(agent: Agent, program: &str, command: &str) -> Option<Ours> {
    let ShellCommand { words, is_plain } = ShellCommand::read(command);
    let names = [program, PROGRAM];
    let at = words.windows(2).position(|pair| match pair {
        [word, next] => names.contains(&file_name(word)) && next == "hook",
        _ => false,
    })?;
    let words = words.get(at..)?.to_vec();
    (value(&words, "--agent") == Some(agent.name())).then(|| Ours {
        is_plain: is_plain && at == 0,
        is_after: value(&words, "--event") == Some("post"),
        words,
    })
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
            Some(Node::Array(groups)) => replace(groups, new, agent, entry.program(), &form),
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
fn replace(groups: &mut Vec<Node>, new: Node, agent: Agent, program: &str, form: &Form) {
    let is_own = |hook: &Node| {
        hook.get(form.command).and_then(Node::text).is_some_and(|text| ours(agent, program, text).is_some())
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
    let Some(Node::Array(hooks)) = group.get_mut("hooks") else { return None };
    let before = hooks.len();
    hooks.retain(|hook| !is_own(hook));
    (hooks.len() < before).then_some(hooks.is_empty())
}

/// The first hook of an event that is ours, and the element of the event's list that it is in.
fn found<'a>(
    document: &'a Node,
    event: &str,
    form: &Form,
    is_meant: impl Fn(&str) -> bool,
) -> Option<(&'a Node, &'a Node)> {
    let groups = document.get("hooks").and_then(|hooks| hooks.get(event)).map_or(&[][..], Node::elements);
    let all = groups.iter().flat_map(|group| {
        let hooks = if form.is_grouped {
            group.get("hooks").map_or(&[][..], Node::elements)
        } else {
            std::slice::from_ref(group)
        };
        hooks.iter().map(move |hook| (group, hook))
    });
    let is_meant = |hook: &Node| hook.get(form.command).and_then(Node::text).is_some_and(&is_meant);
    all.into_iter().find(|(_, hook)| is_meant(hook))
}

/// The members of a hook that this program does not write, or not so.
fn odd(group: &Node, hook: &Node, form: &Form) -> Vec<String> {
    let closed = form.fail_closed.map(|(name, _)| name);
    let matcher = (!form.is_grouped).then_some("matcher");
    let known: Vec<&str> =
        ["type", form.command, form.limit].into_iter().chain(closed).chain(matcher).collect();
    let mut odd: Vec<_> = hook.names().filter(|name| !known.contains(name)).map(str::to_owned).collect();
    if form.is_grouped {
        odd.extend(group.names().filter(|name| !["matcher", "hooks"].contains(name)).map(str::to_owned));
    }
    if hook.get("type").and_then(Node::text) != Some("command") {
        odd.push("type".to_owned());
    }
    odd
}

/// The entry for the event before a use, of a program of this file name or of the usual one.
///
/// # Errors
/// As for [`merged`].
pub fn installed(agent: Agent, program: &str, settings: &str) -> Result<Option<Installed>, SettingsError> {
    let form = form(agent).ok_or(SettingsError::None(agent))?;
    let document = Node::read(settings).map_err(SettingsError::Unreadable)?;
    let is_of = |is_after: bool| {
        move |command: &str| ours(agent, program, command).is_some_and(|ours| ours.is_after == is_after)
    };
    let Some((group, hook)) = found(&document, form.before, &form, is_of(false)) else { return Ok(None) };
    let command = hook.get(form.command).and_then(Node::text).unwrap_or_default();
    let Some(ours) = ours(agent, program, command) else { return Ok(None) };
    let mut odd_members = odd(group, hook, &form);
    let mut missing = Vec::new();
    for event in form.after {
        match found(&document, event, &form, is_of(true)) {
            Some((group, hook)) => odd_members
                .extend(odd(group, hook, &form).into_iter().map(|member| format!("{event}: {member}"))),
            None => missing.push(*event),
        }
    }
    let matcher = group.get("matcher").and_then(Node::text);
    Ok(Some(Installed {
        command: command.to_owned(),
        words: ours.words,
        is_plain: ours.is_plain,
        limit: hook.get(form.limit).and_then(Node::number).map(|limit| limit / form.per_second),
        is_fail_closed: form
            .fail_closed
            .map(|(name, holds)| matches!(hook.get(name), Some(Node::Leaf(value)) if holds(value))),
        is_for_every_tool: matcher.is_none_or(|matcher| matches!(matcher, "" | "*" | ".*")),
        odd: odd_members,
        missing,
    }))
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
            let found = installed(agent, PROGRAM, &once).unwrap().unwrap();
            let command =
                format!("'/opt/it'\\''s here/countersign' hook --agent {agent} --limit 310 --profile agent");
            assert_eq!(found.command, command);
            assert_eq!(found.limit, Some(310));
            assert_ne!(found.is_fail_closed, Some(false), "{agent}");
            assert!(found.is_for_every_tool && found.is_plain);
            assert_eq!((found.odd, found.missing), (Vec::<String>::new(), Vec::<&str>::new()), "{agent}");
            let changed = merged(agent, Some(&once), &entry(600)).unwrap();
            assert_eq!(installed(agent, PROGRAM, &changed).unwrap().unwrap().limit, Some(600));
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
                        \"command\": \"/old/countersign hook --limit 3 --agent=claude || exit 2\"\n                    }\n                ]\n            }\n        ]\n    \
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
    fn the_hook_is_known_by_its_words() {
        let is_ours =
            |command: &str| ours(Agent::Claude, "c7", command).map(|ours| (ours.is_plain, ours.is_after));
        for command in [
            "/x/countersign hook --agent claude",
            "c7 hook --limit 3 --agent=claude",
            "'/a b/c7' hook --agent claude",
        ] {
            assert_eq!(is_ours(command), Some((true, false)), "{command}");
        }
        for command in [
            "c7 hook --agent claude || exit 2",
            "env A=b c7 hook --agent claude",
            "A=b c7 hook --agent claude",
            "c7 hook --agent claude $X",
        ] {
            assert_eq!(is_ours(command), Some((false, false)), "{command}");
        }
        assert_eq!(is_ours("c7 hook --agent=claude --event=post"), Some((true, true)));
        for command in [
            "mine hook --agent claude",
            "c7 hook --agent claudette",
            "c7 hook --agent codex",
            "c7 hooks --agent claude",
            "echo c7",
        ] {
            assert_eq!(is_ours(command), None, "{command}");
        }
    }

    #[test]
    fn groups_of_others_stay_as_they_are() {
        let settings = "{\n  \"hooks\": {\n    \"PreToolUse\": [\n      {\n        \"matcher\": \"x\"\n      }\n    ]\n  }\n}\n";
        let merged: Value =
            serde_json::from_str(&merged(Agent::Claude, Some(settings), &entry(310)).unwrap()).unwrap();
        assert_eq!(merged["hooks"]["PreToolUse"][0], json!({ "matcher": "x" }));
    }

    #[test]
    fn what_install_would_not_write_is_seen() {
        let once = merged(Agent::Claude, None, &entry(310)).unwrap();
        let odd = once.replacen(
            "\"type\": \"command\",",
            "\"type\": \"http\", \"if\": \"Bash(x)\", \"async\": true,",
            1,
        );
        let found = installed(Agent::Claude, PROGRAM, &odd).unwrap().unwrap();
        assert_eq!(found.odd, ["if", "async", "type"]);
        let half = once.replace("PostToolUseFailure", "Stop");
        let found = installed(Agent::Claude, PROGRAM, &half).unwrap().unwrap();
        assert_eq!(found.missing, ["PostToolUseFailure"]);
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
        assert!(!installed(Agent::Claude, PROGRAM, &once).unwrap().unwrap().is_for_every_tool);
        let open = merged(Agent::Cursor, None, &entry(310)).unwrap().replace("true", "false");
        assert_eq!(installed(Agent::Cursor, PROGRAM, &open).unwrap().unwrap().is_fail_closed, Some(false));
    }
}
