//! The entries of each agent's settings file: written beside everything else that is in it, and found again.

use super::document::{Node, indentation};
use super::form::{ENVIRONMENT, Form, TAIL, form};
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
    /// Whether a shell does nothing else, but for the tail that `install` writes behind it.
    pub is_plain: bool,
    /// Whether that tail is there: exit 2 where the program is killed or crashes. None of an agent that takes no exit code for a refusal.
    pub has_tail: Option<bool>,
    /// Whether the entry empties the variables that lead a shell to other code. None of an agent whose entries have none.
    pub is_environment_closed: Option<bool>,
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
    has_tail: bool,
    is_after: bool,
}

/// Reads a command as ours for this agent, with whatever options in whatever order.
fn ours(agent: Agent, program: &str, command: &str) -> Option<Ours> {
    // A tail within quotes or behind `#` leaves a rest that is not plain.
    let without_tail = command.strip_suffix(TAIL);
    let ShellCommand { words, is_plain } = ShellCommand::read(without_tail.unwrap_or(command));
    let names = [program, PROGRAM];
    let at = words.windows(2).position(|pair| match pair {
        [word, next] => names.contains(&file_name(word)) && next == "hook",
        _ => false,
    })?;
    let words = words.get(at..)?.to_vec();
    let is_after = value(&words, "--event") == Some("post");
    let may_have_tail = !is_after && form(agent).is_some_and(|form| form.has_tail);
    (value(&words, "--agent") == Some(agent.name())).then(|| Ours {
        is_plain: is_plain && at == 0 && (may_have_tail || without_tail.is_none()),
        has_tail: without_tail.is_some(),
        is_after,
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
    let tail = if form.has_tail && !is_after { TAIL } else { "" };
    hook.insert(form.command.to_owned(), json!(format!("{}{tail}", shell(&entry.hook(agent, is_after)))));
    let seconds = if is_after { REPORT_LIMIT } else { entry.limit };
    hook.insert(form.limit.to_owned(), json!(seconds.saturating_mul(form.per_second)));
    match form.fail_closed {
        Some((name, _)) if !is_after => {
            hook.insert(name.to_owned(), if agent == Agent::Claude { json!("block") } else { json!(true) });
        }
        _ => {}
    }
    if !form.emptied.is_empty() {
        let empty = form.emptied.iter().map(|name| ((*name).to_owned(), json!("")));
        hook.insert(ENVIRONMENT.to_owned(), Value::Object(empty.collect()));
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

/// A hook of ours in a document.
pub(super) struct Found<'a> {
    /// The event that it is for.
    pub(super) event: &'static str,
    /// Whether that is one after a use.
    pub(super) is_after: bool,
    /// The element of the event's list that it is in: itself, unless hooks are in groups.
    pub(super) group: &'a Node,
    /// The hook.
    pub(super) hook: &'a Node,
    /// How many elements of the list are before the group.
    pub(super) group_index: usize,
    /// How many hooks of the group are before it.
    pub(super) hook_index: usize,
    ours: Ours,
}

/// The first hook of ours for each event that has one, beginning with the one before a use.
///
/// # Errors
/// When the agent has no file of settings.
pub(super) fn found<'a>(
    agent: Agent,
    program: &str,
    document: &'a Node,
) -> Result<Vec<Found<'a>>, SettingsError> {
    let form = form(agent).ok_or(SettingsError::None(agent))?;
    let events = [(form.before, false)].into_iter().chain(form.after.iter().map(|event| (*event, true)));
    let of_event = |(event, is_after): (&'static str, bool)| {
        let groups = document.get("hooks").and_then(|hooks| hooks.get(event)).map_or(&[][..], Node::elements);
        groups.iter().enumerate().find_map(|(group_index, group)| {
            let hooks = if form.is_grouped {
                group.get("hooks").map_or(&[][..], Node::elements)
            } else {
                std::slice::from_ref(group)
            };
            hooks.iter().enumerate().find_map(|(hook_index, hook)| {
                let command = hook.get(form.command).and_then(Node::text)?;
                let ours = ours(agent, program, command).filter(|ours| ours.is_after == is_after)?;
                Some(Found { event, is_after, group, hook, group_index, hook_index, ours })
            })
        })
    };
    Ok(events.filter_map(of_event).collect())
}

/// Whether the variables of an entry are exactly those that `install` writes.
fn is_environment_closed(hook: &Node, form: &Form) -> bool {
    hook.get(ENVIRONMENT).is_some_and(|variables| {
        let is_empty = |name: &&str| variables.get(name).and_then(Node::text) == Some("");
        form.emptied.iter().all(is_empty) && variables.names().count() == form.emptied.len()
    })
}

/// The members of a hook that this program does not write, or not so.
fn odd(group: &Node, hook: &Node, form: &Form) -> Vec<String> {
    let closed = form.fail_closed.map(|(name, _)| name);
    let matcher = (!form.is_grouped).then_some("matcher");
    let environment = (!form.emptied.is_empty()).then_some(ENVIRONMENT);
    let own = ["type", form.command, form.limit].into_iter();
    let known: Vec<&str> = own.chain(closed).chain(matcher).chain(environment).collect();
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
    let mut found = found(agent, program, &document)?.into_iter().peekable();
    let Some(before) = found.next_if(|found| !found.is_after) else { return Ok(None) };
    let (group, hook) = (before.group, before.hook);
    let mut odd_members = odd(group, hook, &form);
    let mut missing = form.after.to_vec();
    for after in found {
        let mut odd = odd(after.group, after.hook, &form);
        if !after.ours.is_plain {
            odd.push(form.command.to_owned());
        }
        if !form.emptied.is_empty() && !is_environment_closed(after.hook, &form) {
            odd.push(ENVIRONMENT.to_owned());
        }
        odd_members.extend(odd.into_iter().map(|member| format!("{}: {member}", after.event)));
        missing.retain(|event| *event != after.event);
    }
    let matcher = group.get("matcher").and_then(Node::text);
    Ok(Some(Installed {
        command: hook.get(form.command).and_then(Node::text).unwrap_or_default().to_owned(),
        words: before.ours.words,
        is_plain: before.ours.is_plain,
        has_tail: form.has_tail.then_some(before.ours.has_tail),
        is_environment_closed: (!form.emptied.is_empty()).then(|| is_environment_closed(hook, &form)),
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
            let tail = if agent == Agent::Copilot { "" } else { TAIL };
            let command = format!(
                "'/opt/it'\\''s here/countersign' hook --agent {agent} --limit 310 --profile agent{tail}"
            );
            assert_eq!(found.command, command);
            assert_eq!(found.has_tail, (agent != Agent::Copilot).then_some(true), "{agent}");
            assert_eq!(found.is_environment_closed, (agent == Agent::Gemini).then_some(true), "{agent}");
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
    fn the_tail_alone_may_stand_behind_the_command() {
        let read = |agent: Agent, command: &str| {
            let command = format!("c7 hook --agent {agent}{command}");
            ours(agent, "c7", &command).map(|ours| (ours.is_plain, ours.has_tail))
        };
        assert_eq!(read(Agent::Codex, TAIL), Some((true, true)));
        assert_eq!(read(Agent::Codex, ""), Some((true, false)));
        assert_eq!(
            value(&ours(Agent::Codex, "c7", &format!("c7 hook --agent codex{TAIL}")).unwrap().words, "||"),
            None
        );
        for behind in [
            format!("{TAIL}{TAIL}"),
            format!("{TAIL};"),
            format!("; true{TAIL}"),
            format!(" #{TAIL}"),
            format!(" '{TAIL}"),
            format!(" \\{TAIL}"),
            TAIL.replace("exit 2", "exit 0"),
            TAIL.trim_end_matches('\'').to_owned(),
        ] {
            assert_eq!(read(Agent::Codex, &behind).map(|(is_plain, _)| is_plain), Some(false), "{behind}");
        }
        // After a use exit 2 refuses nothing, and Copilot has none.
        assert_eq!(read(Agent::Codex, &format!(" --event post{TAIL}")), Some((false, true)));
        assert_eq!(read(Agent::Copilot, TAIL), Some((false, true)));
    }

    #[test]
    fn an_entry_of_before_gets_the_tail_and_the_variables_in_its_place() {
        for agent in [Agent::Claude, Agent::Codex, Agent::Cursor, Agent::Gemini] {
            let now = merged(agent, None, &entry(310)).unwrap();
            let mut before: Value = serde_json::from_str(&now.replace(TAIL, "")).unwrap();
            before["hooks"].as_object_mut().unwrap().values_mut().for_each(|event| {
                event[0].get_mut("hooks").into_iter().for_each(|hooks| {
                    hooks[0].as_object_mut().unwrap().remove(ENVIRONMENT);
                });
            });
            let before = before.to_string();
            let found = installed(agent, PROGRAM, &before).unwrap().unwrap();
            assert_eq!((found.is_plain, found.has_tail), (true, Some(false)), "{agent}");
            assert_eq!(found.is_environment_closed, (agent == Agent::Gemini).then_some(false), "{agent}");
            let after = merged(agent, Some(&before), &entry(310)).unwrap();
            assert_eq!(
                serde_json::from_str::<Value>(&after).unwrap(),
                serde_json::from_str::<Value>(&now).unwrap(),
                "{agent}"
            );
        }
    }

    #[test]
    fn other_variables_of_an_entry_are_seen() {
        let once = merged(Agent::Gemini, None, &entry(310)).unwrap();
        for (from, to) in [
            ("\"BASH_ENV\": \"\"", "\"BASH_ENV\": \"/evil.sh\""),
            ("\"SHELLOPTS\": \"\"", "\"SHELLOPTS\": null"),
            ("\"ENV\": \"\"", "\"ENV\": \"\", \"PATH\": \"/evil\""),
            ("\"LD_PRELOAD\"", "\"LD_PRELOADED\""),
            ("\"env\"", "\"envs\""),
        ] {
            assert!(once.contains(from), "{once}");
            let found = installed(Agent::Gemini, PROGRAM, &once.replacen(from, to, 1)).unwrap().unwrap();
            assert_eq!(found.is_environment_closed, Some(false), "{to}");
            let after = once.rfind(from).unwrap();
            let (start, end) = once.split_at(after);
            let found = installed(Agent::Gemini, PROGRAM, &format!("{start}{}", end.replacen(from, to, 1)));
            let odd = found.unwrap().unwrap().odd;
            assert!(odd.contains(&"AfterTool: env".to_owned()), "{to}: {odd:?}");
        }
        // Elsewhere such a member is not ours.
        let text = merged(Agent::Codex, None, &entry(310)).unwrap();
        let text = text.replacen("\"timeout\"", "\"env\": {}, \"timeout\"", 1);
        assert_eq!(installed(Agent::Codex, PROGRAM, &text).unwrap().unwrap().odd, ["env"]);
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
