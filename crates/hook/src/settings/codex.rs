//! What Codex asks of a hook besides its entry: trust, and features. Both are in `config.toml`; Codex passes a hook over without
//! a word if it does not trust it. Found out with Codex 0.171.0. Reads texts, and knows nothing of files.

use super::document::Node;
use super::entry::{Found, SettingsError, found};
use super::faults::{Fault, shown};
use crate::agent::Agent;
use countersign_core::canonical::CanonicalJson;
use countersign_core::text::escaped_line;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use toml::Table;

/// The name of the file, in the user's directory and in `.codex` of a project.
pub const FILE: &str = "config.toml";

/// The features that hooks need; the second is the older name of the first.
const HOOKS: [&str; 2] = ["hooks", "codex_hooks"];

/// The feature by which `write_stdin` types into a shell that runs already.
const TTY: &str = "unified_exec_tty";

/// A hook of ours, as Codex remembers that its user trusts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Its name under `hooks.state`.
    pub key: String,
    /// `trusted_hash` there.
    pub hash: String,
    is_after: bool,
}

/// The hooks of ours in a `hooks.json`, whose path is without links.
///
/// # Errors
/// When the settings are not what the documentation of Codex says.
pub fn remembered(file: &Path, program: &str, settings: &str) -> Result<Vec<Remembered>, SettingsError> {
    let document = Node::read(settings).map_err(SettingsError::Unreadable)?;
    let of = |found: &Found<'_>| {
        let event = snake_case(found.event);
        Remembered {
            key: format!("{}:{event}:{}:{}", file.display(), found.group_index, found.hook_index),
            hash: hash(&event, found),
            is_after: found.is_after,
        }
    };
    Ok(found(Agent::Codex, program, &document)?.iter().map(of).collect())
}

/// The name of an event as `hooks.state` has it.
fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// What is trusted of a hook: its event, its matcher, and its members with their usual values where it has none.
fn hash(event: &str, found: &Found<'_>) -> String {
    let text = |node: &Node, name: &str| node.get(name).and_then(Node::text).map(|text| json!(text));
    let limit = found.hook.get("timeout").and_then(Node::number);
    let limit = limit.unwrap_or_else(|| Agent::Codex.default_limit().as_secs()).max(1);
    let is_asynchronous = matches!(found.hook.get("async"), Some(Node::Leaf(Value::Bool(true))));
    let hook = [
        ("async", Some(json!(is_asynchronous))),
        ("command", text(found.hook, "command")),
        ("statusMessage", text(found.hook, "statusMessage")),
        ("timeout", Some(json!(limit))),
        ("type", Some(json!("command"))),
    ];
    let hook: Map<_, _> =
        hook.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let mut identity = Map::new();
    identity.insert("event_name".to_owned(), json!(event));
    identity.insert("hooks".to_owned(), json!([hook]));
    identity.extend(text(found.group, "matcher").map(|matcher| ("matcher".to_owned(), matcher)));
    format!("sha256:{}", CanonicalJson::of(&Value::Object(identity)).digest())
}

/// A `config.toml`.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it is, or would be.
    pub file: PathBuf,
    /// What it says, or why it cannot be read. An empty text if it is not there.
    pub text: Result<String, String>,
}

impl Config {
    fn table(&self) -> Result<Table, Fault> {
        let unreadable = |error: &str| {
            let what = format!(
                "{}: {}: whether Codex runs the hook at all is not known",
                shown(&self.file),
                escaped_line(error)
            );
            Fault::new(what, "mend that file by hand")
        };
        let text = self.text.as_ref().map_err(|error| unreadable(error))?;
        toml::from_str(text).map_err(|error: toml::de::Error| unreadable(error.message()))
    }
}

/// What is amiss with the user's `config.toml`, and with that of the project if it is another one. Codex heeds features alone
/// of a project's.
pub fn faults(user: &Config, project: Option<&Config>, hooks: &[Remembered]) -> Vec<Fault> {
    let mut faults = Vec::new();
    match user.table() {
        Err(fault) => faults.push(fault),
        Ok(table) => {
            faults.extend(hooks.iter().filter_map(|hook| distrust(&user.file, &table, hook)));
            faults.extend(switched_off(&user.file, &table));
            if !is_false(feature(&table, TTY)) {
                faults.push(typing(&user.file, "write `unified_exec_tty = false` under `[features]` there"));
            }
        }
    }
    match project.map(|project| (&project.file, project.table())) {
        None => {}
        Some((_, Err(fault))) => faults.push(fault),
        Some((file, Ok(table))) => {
            faults.extend(switched_off(file, &table));
            let tty = feature(&table, TTY);
            if tty.is_some() && !is_false(tty) {
                faults.push(typing(file, "take it out of that file"));
            }
        }
    }
    faults
}

/// Why Codex passes a hook over, if it does.
fn distrust(file: &Path, table: &Table, hook: &Remembered) -> Option<Fault> {
    let state = table.get("hooks").and_then(|hooks| hooks.get("state"));
    let state = state.and_then(|state| state.get(&hook.key));
    let member = |name: &str| state.and_then(|state| state.get(name));
    let (name, outcome) = if hook.is_after {
        ("hook after a tool", "the end of a tool is not reported")
    } else {
        ("hook before a tool", "each tool runs without asking")
    };
    let shown = shown(file);
    if member("enabled").is_some_and(|value| !is_true(value)) {
        return Some(Fault::new(
            format!("the {name} is switched off (`enabled` in {shown}): Codex passes it over, and {outcome}"),
            "switch it on by `/hooks` in `codex`",
        ));
    }
    let trusted = member("trusted_hash").and_then(toml::Value::as_str);
    if trusted == Some(hook.hash.as_str()) {
        return None;
    }
    let why = if trusted.is_some() { "has been changed since its user trusted it" } else { "is not trusted" };
    Some(Fault::new(
        format!("the {name} {why} ({shown}): Codex passes it over without a word, and {outcome}"),
        "start `codex` once and choose \"Trust all and continue\", or trust it by `/hooks` there, and again after each change by \
         `hook install`; `codex exec` never asks",
    ))
}

/// The features of a file that switch hooks off.
fn switched_off(file: &Path, table: &Table) -> Vec<Fault> {
    let is_off = |name: &&str| feature(table, name).is_some_and(|value| !is_true(value));
    let fault = |name: &str| {
        let what = format!(
            "`features.{name}` is not true in {}: Codex runs no hooks, and each tool runs without asking",
            shown(file)
        );
        Fault::new(what, "take it out of that file")
    };
    HOOKS.into_iter().filter(is_off).map(fault).collect()
}

fn typing(file: &Path, mend: &str) -> Fault {
    let what = format!(
        "`features.{TTY}` is not false in {}: once a shell is approved, Codex types further commands into it (`write_stdin`) \
         without a hook",
        shown(file)
    );
    Fault::new(what, mend)
}

fn feature<'a>(table: &'a Table, name: &str) -> Option<&'a toml::Value> {
    table.get("features").and_then(|features| features.get(name))
}

fn is_true(value: &toml::Value) -> bool {
    value.as_bool() == Some(true)
}

fn is_false(value: Option<&toml::Value>) -> bool {
    value.and_then(toml::Value::as_bool) == Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `hook install` wrote before it wrote a tail, and what Codex 0.171.0 wrote into `config.toml` when its user trusted it:
    /// with other paths since, and hashes by Python as below, which gave those of Codex for the paths that there were.
    const SETTINGS: &str = r#"{"hooks": {
        "PreToolUse": [{"hooks": [{"type": "command", "timeout": 310, "command": "/opt/countersign hook --agent codex --limit 310 --url=http://127.0.0.1:18910 --token-file=/srv/agent/bot.token --no-tools"}]}],
        "PostToolUse": [{"hooks": [{"type": "command", "timeout": 30, "command": "/opt/countersign hook --agent codex --event post --limit 30 --url=http://127.0.0.1:18910 --token-file=/srv/agent/bot.token --no-tools"}]}]
    }}"#;
    const TRUSTED: &str = r#"
        [features]
        unified_exec_tty = false
        [hooks.state."/srv/agent/.codex/hooks.json:pre_tool_use:0:0"]
        trusted_hash = "sha256:1ac1c8a7a60d10cb93162ede0940df88768c5b8fbb077563bcf0b616721a0395"
        [hooks.state."/srv/agent/.codex/hooks.json:post_tool_use:0:0"]
        trusted_hash = "sha256:2bd643fe47250f7846d39d76fad0f4743213e49c7afe9dab78c8f6bbd4e1f823"
    "#;

    fn hooks(settings: &str) -> Vec<Remembered> {
        let file = Path::new("/srv/agent/.codex/hooks.json");
        remembered(file, "countersign", settings).unwrap()
    }

    fn lines(user: Result<&str, &str>, project: Option<&str>, settings: &str) -> Vec<String> {
        let of = |file: &str, text: Result<&str, &str>| Config {
            file: file.into(),
            text: text.map(str::to_owned).map_err(str::to_owned),
        };
        let user = of("/user/config.toml", user);
        let project = project.map(|text| of("/project/config.toml", Ok(text)));
        let faults = faults(&user, project.as_ref(), &hooks(settings));
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn trust_is_as_codex_writes_it() {
        assert_eq!(lines(Ok(TRUSTED), None, SETTINGS), Vec::<String>::new());
        assert_eq!(lines(Ok(TRUSTED), Some("model = \"x\""), SETTINGS), Vec::<String>::new());
    }

    #[test]
    fn the_hash_is_of_every_member_and_of_the_matcher() {
        // Calculated by Python: hashlib.sha256 of json.dumps(…, sort_keys=True, separators=(",", ":")).
        for (group, expected) in [
            (
                r#"{"hooks": [{"command": "countersign hook --agent codex", "type": "command"}]}"#,
                "1c7b39281f514a7b503270f2748eff66ffe4654b9873a76fe8c0819b2b4c8e25",
            ),
            (
                r#"{"matcher": "Bash|é", "hooks": [{"timeout": 0, "command": "countersign hook --agent codex", "statusMessage": "a \"b\"", "async": true}]}"#,
                "5a5440aed53399ee4b1ae08f9218cbec492ad0621919f203a5e725b44c697858",
            ),
        ] {
            let hooks = hooks(&format!(r#"{{"hooks": {{"PreToolUse": [{group}]}}}}"#));
            assert_eq!(hooks[0].hash, format!("sha256:{expected}"), "{group}");
        }
    }

    #[test]
    fn the_place_among_the_hooks_of_others_is_in_the_key() {
        let others = r#"[{"matcher": "x"}, {"hooks": [{"command": "a"}, {"command": "countersign hook --agent codex"}]}]"#;
        let hooks = hooks(&format!(r#"{{"hooks": {{"PreToolUse": {others}, "Stop": {others}}}}}"#));
        let keys: Vec<_> = hooks.iter().map(|hook| hook.key.as_str()).collect();
        assert_eq!(keys, ["/srv/agent/.codex/hooks.json:pre_tool_use:1:1"]);
    }

    #[test]
    fn each_reason_to_pass_the_hook_over_is_a_fault() {
        let without = TRUSTED.replace("pre_tool_use:0:0", "pre_tool_use:0:1");
        let changed = TRUSTED.replace("1ac1c8", "ffffff");
        let off = TRUSTED
            .replace("trusted_hash = \"sha256:1ac1c8", "enabled = false\ntrusted_hash = \"sha256:1ac1c8");
        let after = TRUSTED.replace("2bd643", "ffffff");
        for (text, said) in [
            (without.as_str(), "is not trusted"),
            (&changed, "has been changed since"),
            (&off, "is switched off"),
        ] {
            let lines = lines(Ok(text), None, SETTINGS);
            assert_eq!(lines.len(), 1, "{lines:?}");
            let line = &lines[0];
            assert!(line.contains(said) && line.contains("each tool runs without asking"), "{line}");
            assert!(line.contains("`/hooks`") && !line.contains("run `countersign hook install"), "{line}");
        }
        let lines = lines(Ok(&after), None, SETTINGS);
        assert!(
            matches!(&lines[..], [line] if line.contains("the end of a tool is not reported")),
            "{lines:?}"
        );
    }

    #[test]
    fn features_of_the_user_and_of_the_project_are_faults() {
        let user = |features: &str| TRUSTED.replace("unified_exec_tty = false", features);
        for (text, project, said) in [
            (user("unified_exec_tty = false\nhooks = false"), None, "`features.hooks` is not true in /user"),
            (user("unified_exec_tty = false\ncodex_hooks = 0"), None, "`features.codex_hooks` is not true"),
            (user(""), None, "`features.unified_exec_tty` is not false in /user"),
            (user("unified_exec_tty = true"), None, "`features.unified_exec_tty` is not false in /user"),
            (
                TRUSTED.to_owned(),
                Some("[features]\nhooks = false"),
                "`features.hooks` is not true in /project",
            ),
            (
                TRUSTED.to_owned(),
                Some("features.codex_hooks = false"),
                "`features.codex_hooks` is not true in /project",
            ),
            (TRUSTED.to_owned(), Some("features.unified_exec_tty = true"), "is not false in /project"),
            (TRUSTED.to_owned(), Some("features = ["), "/project/config.toml: "),
        ] {
            let lines = lines(Ok(&text), project, SETTINGS);
            assert!(matches!(&lines[..], [line] if line.contains(said)), "{said}: {lines:?}");
        }
        let on = "[features]\nhooks = true\ncodex_hooks = true\nunified_exec_tty = false";
        assert_eq!(
            lines(Ok(&user(&on.replace("[features]\n", ""))), Some(on), SETTINGS),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_configuration_that_cannot_be_read_or_is_not_there_is_a_fault() {
        assert_eq!(lines(Ok(""), None, SETTINGS).len(), 3);
        for user in [Err("permission denied"), Ok("= 1\u{9b}"), Ok("[hooks]\n[hooks]")] {
            let lines = lines(user, None, SETTINGS);
            assert!(matches!(&lines[..], [line] if line.contains("is not known")), "{lines:?}");
            assert!(!lines[0].contains('\u{9b}'), "{lines:?}");
        }
    }
}
