//! `hook install` and `hook check`: the entries of agents' settings.

use crate::hook::{BINARY, Place, commands};
use crate::hook_rows::{AGENTS, Row, row};
use countersign_core::canonical::CanonicalJson;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What stands behind the command before a use.
pub(crate) const TAIL: &str =
    " || /bin/sh -c 'echo countersign: the hook has failed, nothing was run >&2; exit 2'";

/// The variables that an entry of Gemini CLI empties.
fn empty_variables() -> Value {
    let names = ["BASH_ENV", "ENV", "LD_AUDIT", "LD_DEBUG", "LD_LIBRARY_PATH", "LD_PRELOAD", "SHELLOPTS"];
    Value::Object(names.into_iter().map(|name| (name.to_owned(), json!(""))).collect())
}

/// Trusts the only hook of each event in the `hooks.json` of a directory as a person does in Codex, and takes its terminal.
pub(crate) fn trust(directory: &Path) {
    let settings: Value = serde_json::from_slice(&fs::read(directory.join("hooks.json")).unwrap()).unwrap();
    let real = directory.canonicalize().unwrap().join("hooks.json");
    let mut text = "[features]\nunified_exec_tty = false\n".to_owned();
    for (event, name) in [("PreToolUse", "pre_tool_use"), ("PostToolUse", "post_tool_use")] {
        let mut hook: Map<String, Value> =
            settings["hooks"][event][0]["hooks"][0].as_object().unwrap().clone();
        hook.insert("async".to_owned(), json!(false));
        let digest = CanonicalJson::of(&json!({ "event_name": name, "hooks": [hook] })).digest();
        let key = format!("{}:{name}:0:0", real.display());
        writeln!(text, "[hooks.state.{}]\ntrusted_hash = \"sha256:{digest}\"", json!(key)).unwrap();
    }
    fs::write(directory.join("config.toml"), text).unwrap();
}

pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Where each agent has its hooks.
pub(crate) fn file(place: &Place, agent: &str) -> PathBuf {
    place.home.path().join(match agent {
        "claude" => ".claude/settings.json",
        "codex" => ".codex/hooks.json",
        "cursor" => ".cursor/hooks.json",
        "gemini" => ".gemini/settings.json",
        "copilot" => ".copilot/hooks/countersign.json",
        _ => ".config/opencode/plugins/countersign.js",
    })
}

fn installable() -> impl Iterator<Item = &'static str> {
    AGENTS.into_iter().filter(|agent| *agent != "generic")
}

#[test]
fn what_is_installed_is_found_runs_and_asks_for_nothing() {
    let place = Place::new();
    for agent in installable() {
        let check = place.run(&["hook", "check", "--agent", agent]);
        assert_eq!(check.status.code(), Some(4), "{agent}: {}", text(&check));
        let dry = place.run(&["hook", "install", "--agent", agent, "--dry-run"]);
        assert!(text(&dry).contains("nothing is written") && text(&dry).contains("+ "), "{}", text(&dry));
        assert!(!file(&place, agent).exists(), "{agent}");
        let install =
            ["hook", "install", "--agent", agent, "--environment", "non-production", "-m", "it's a test"];
        let installed = place.run(&install);
        assert_eq!(installed.status.code(), Some(0), "{agent}: {}", text(&installed));
        let before = fs::read_to_string(file(&place, agent)).unwrap();
        assert!(text(&place.run(&install)).contains("has it already"), "{agent}");
        assert_eq!(fs::read_to_string(file(&place, agent)).unwrap(), before, "{agent}");
        if agent == "codex" {
            trust(file(&place, agent).parent().unwrap());
        }
        let check = place.run(&["hook", "check", "--agent", agent]);
        assert_eq!(check.status.code(), Some(0), "{agent}: {}", text(&check));
        assert!(
            text(&check).contains("execute_bash") && text(&check).contains("wait for 2 approvals"),
            "{}",
            text(&check)
        );
    }
    assert_eq!(place.requests(), Vec::<Value>::new());
    let generic = place.run(&["hook", "install", "--agent", "generic"]);
    assert_eq!(generic.status.code(), Some(2), "{}", text(&generic));
}

#[test]
fn the_entry_is_what_each_agent_documents() {
    let place = Place::new();
    for agent in installable().filter(|agent| *agent != "opencode") {
        place.run(&["hook", "install", "--agent", agent, "--limit", "120"]);
    }
    let read =
        |agent: &str| -> Value { serde_json::from_slice(&fs::read(file(&place, agent)).unwrap()).unwrap() };
    let pins = format!("--url={} --no-tools", place.service.base());
    let plain = |agent: &str| format!("{BINARY} hook --agent {agent} --limit 120 {pins}");
    let command = |agent: &str| format!("{}{TAIL}", plain(agent));
    let post = |agent: &str| format!("{BINARY} hook --agent {agent} --event post --limit 30 {pins}");
    let claude =
        |command: String, timeout: u64| json!({ "type": "command", "command": command, "timeout": timeout });
    let mut closed = claude(command("claude"), 120);
    closed["onFailure"] = json!("block");
    let after = json!([{ "matcher": "*", "hooks": [claude(post("claude"), 30)] }]);
    assert_eq!(
        read("claude"),
        json!({ "hooks": {
            "PreToolUse": [{ "matcher": "*", "hooks": [closed] }], "PostToolUse": after, "PostToolUseFailure": after,
        }})
    );
    assert_eq!(
        read("codex"),
        json!({ "hooks": {
            "PreToolUse": [{ "hooks": [claude(command("codex"), 120)] }],
            "PostToolUse": [{ "hooks": [claude(post("codex"), 30)] }],
        }})
    );
    let with_variables = |mut hook: Value| {
        hook["env"] = empty_variables();
        hook
    };
    assert_eq!(
        read("gemini"),
        json!({ "hooks": {
            "BeforeTool": [{ "matcher": ".*", "hooks": [with_variables(claude(command("gemini"), 120_000))] }],
            "AfterTool": [{ "matcher": ".*", "hooks": [with_variables(claude(post("gemini"), 30_000))] }],
        }})
    );
    let mut closed = claude(command("cursor"), 120);
    closed["failClosed"] = json!(true);
    let after = json!([claude(post("cursor"), 30)]);
    assert_eq!(
        read("cursor"),
        json!({ "version": 1, "hooks": { "preToolUse": [closed], "postToolUse": after, "postToolUseFailure": after } })
    );
    let copilot =
        |command: String, limit: u64| json!([{ "type": "command", "bash": command, "timeoutSec": limit }]);
    assert_eq!(
        read("copilot"),
        json!({ "version": 1, "hooks": {
            "preToolUse": copilot(plain("copilot"), 120),
            "postToolUse": copilot(post("copilot"), 30),
            "postToolUseFailure": copilot(post("copilot"), 30),
        }})
    );
}

/// Runs the entry of Claude Code as it does, with further variables, in the home.
#[track_caller]
fn run_entry(place: &Place, variables: &[(&str, &str)]) -> Row {
    let settings: Value = serde_json::from_slice(&fs::read(file(place, "claude")).unwrap()).unwrap();
    let command = settings["hooks"]["PreToolUse"][0]["hooks"][0]["command"].as_str().unwrap();
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .env_clear()
        .envs(&place.variables)
        .envs(variables.iter().copied())
        .current_dir(place.home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, commands("claude").to_string().as_bytes()).unwrap();
    drop(stdin);
    row("claude", &child.wait_with_output().unwrap())
}

#[test]
fn variables_of_a_project_lead_the_entry_nowhere_else() {
    let (place, other) = (Place::new(), Place::new());
    let path = |name: &str| place.home.path().join(name).to_str().unwrap().to_owned();
    place.run(&["hook", "install", "--agent", "claude", "--limit", "6"]);
    // What a project has in its files: a service of its own, and tools that are all harmless.
    fs::create_dir_all(place.home.path().join("project/countersign")).unwrap();
    let config = format!(
        "default_profile = \"evil\"\n[profiles.evil]\nurl = \"{}\"\nca_bundle = \"none.pem\"\n",
        other.service.base()
    );
    fs::write(path("project/countersign/config.toml"), &config).unwrap();
    fs::write(path("project/countersign/tools.toml"), "[tools]\nBash = \"read_file\"\n").unwrap();
    let token = &other.variables["COUNTERSIGN_TOKEN"];
    for variables in [
        &[("COUNTERSIGN_URL", other.service.base()), ("COUNTERSIGN_TOKEN", token)][..],
        &[("COUNTERSIGN_CONFIG", &path("project/countersign/config.toml"))],
        &[("COUNTERSIGN_CONFIG", "project/countersign/config.toml")],
        &[("XDG_CONFIG_HOME", &path("project"))],
        &[("COUNTERSIGN_PROFILE", "evil"), ("COUNTERSIGN_CA_BUNDLE", "none.pem")],
    ] {
        let reason = run_entry(&place, variables).refused();
        assert!(reason.contains("approval_pending"), "{variables:?}: {reason}");
    }
    assert_eq!(place.only_request()["operation_type"], "execute_bash");
    assert_eq!(other.requests(), Vec::<Value>::new());
    // Without options the hook of an entry by hand is led there, and a relative path is not taken.
    let relative = place.with("COUNTERSIGN_CONFIG", "project/countersign/config.toml");
    let reason = relative.asks("claude", &commands("claude")).refused();
    assert!(reason.contains("COUNTERSIGN_CONFIG is a relative path"), "{reason}");
}

#[test]
fn a_profile_is_written_down_with_its_file_and_its_token() {
    let place = Place::new();
    let directory = place.home.path().join(".config/countersign");
    fs::create_dir_all(&directory).unwrap();
    let (url, token) = (place.service.base().to_owned(), place.variables["COUNTERSIGN_TOKEN"].clone());
    let profile = format!("[profiles.agent]\nurl = \"{url}\"\ntoken_file = \"agent.token\"\n");
    for (name, text) in [("agent.token", token), ("config.toml", profile)] {
        fs::write(directory.join(name), text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(directory.join(name), mode).unwrap();
    }
    fs::write(directory.join("tools.toml"), "[tools]\nBash = \"read_file\"\n").unwrap();
    let place = place.with("COUNTERSIGN_URL", "").with("COUNTERSIGN_TOKEN", "");
    place.run(&["hook", "install", "--agent", "claude", "--profile", "agent", "--limit", "20"]);
    let written = fs::read_to_string(file(&place, "claude")).unwrap();
    let shown = directory.display();
    for pin in [
        format!("--url={url}"),
        format!("--config={shown}/config.toml"),
        "--profile=agent".to_owned(),
        format!("--tools={shown}/tools.toml"),
    ] {
        assert!(written.contains(&pin), "{pin}: {written}");
    }
    let check = place.run(&["hook", "check", "--agent", "claude"]);
    assert_eq!(check.status.code(), Some(0), "{}", text(&check));
    // The token of a variable does not stand in place of the profile's.
    assert_eq!(run_entry(&place, &[("COUNTERSIGN_TOKEN", "a.b.c"), ("COUNTERSIGN_CONFIG", "x")]), Row::Go);
    let unknown = place.run(&["hook", "install", "--agent", "claude", "--profile", "nobody"]);
    assert_ne!(unknown.status.code(), Some(0));
}

#[test]
fn the_directory_that_a_variable_names_is_the_agents() {
    for (agent, variable, name) in [
        ("claude", "CLAUDE_CONFIG_DIR", "settings.json"),
        ("codex", "CODEX_HOME", "hooks.json"),
        ("gemini", "GEMINI_CLI_HOME", ".gemini/settings.json"),
        ("copilot", "COPILOT_HOME", "hooks/countersign.json"),
        ("opencode", "XDG_CONFIG_HOME", "opencode/plugins/countersign.js"),
    ] {
        let place = Place::new();
        let directory = place.home.path().join("elsewhere");
        let place = place.with(variable, directory.to_str().unwrap());
        let install = place.run(&["hook", "install", "--agent", agent]);
        assert_eq!(install.status.code(), Some(0), "{agent}: {}", text(&install));
        assert!(directory.join(name).is_file() && !file(&place, agent).exists(), "{agent}");
        if agent == "codex" {
            trust(&directory);
        }
        let check = place.run(&["hook", "check", "--agent", agent]);
        assert_eq!(check.status.code(), Some(0), "{agent}: {}", text(&check));
        let place = place.with(variable, "elsewhere");
        let check = place.run(&["hook", "check", "--agent", agent]);
        assert_eq!(
            check.status.code(),
            Some(if agent == "opencode" { 4 } else { 2 }),
            "{agent}: {}",
            text(&check)
        );
    }
}

#[test]
fn switches_beside_the_entry_are_found() {
    let place = Place::new();
    for (agent, name, switch, said) in [
        ("claude", ".claude/settings.local.json", "{\"disableAllHooks\": true}", "disableAllHooks"),
        ("copilot", ".copilot/config.json", "{\"disableAllHooks\": true}", "disableAllHooks"),
        ("copilot", ".github/copilot/settings.json", "{\"disableAllHooks\": true}", "disableAllHooks"),
        ("copilot", ".claude/settings.local.json", "{\"disableAllHooks\": true}", "disableAllHooks"),
    ] {
        place.run(&["hook", "install", "--agent", agent]);
        assert_eq!(place.run(&["hook", "check", "--agent", agent]).status.code(), Some(0), "{agent}");
        let path = place.home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, switch).unwrap();
        let check = place.run(&["hook", "check", "--agent", agent]);
        assert!(check.status.code() == Some(1) && text(&check).contains(said), "{agent}: {}", text(&check));
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_link_out_of_a_project_is_not_followed() {
    let place = Place::new();
    let outside = tempfile::tempdir().unwrap();
    for (link, target) in
        [(".claude", ""), (".codex/hooks.json", "hooks.json"), (".cursor/hooks.json", "missing.json")]
    {
        let link = place.home.path().join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(outside.path().join(target), &link).unwrap();
    }
    fs::write(outside.path().join("hooks.json"), "{}").unwrap();
    for agent in ["claude", "codex", "cursor"] {
        let install = place.run(&["hook", "install", "--agent", agent, "--project"]);
        assert!(!install.status.success(), "{agent}: {}", text(&install));
    }
    assert_eq!(fs::read_to_string(outside.path().join("hooks.json")).unwrap(), "{}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn the_installed_command_answers_as_its_agent_runs_it() {
    let place = Place::new();
    place.run(&[
        "hook",
        "install",
        "--agent",
        "claude",
        "--limit",
        "6",
        "-m",
        "it's \"odd\" $HOME",
        "--session=-x",
    ]);
    run_entry(&place, &[]).refused();
    let request = place.only_request();
    assert_eq!(request["justification"], "it's \"odd\" $HOME");
    assert_eq!(request["parameters"]["session"], "-x");
}

#[test]
fn faults_of_an_entry_are_found() {
    let place = Place::new();
    for (agent, from, to, said) in [
        ("claude", "\"onFailure\": \"block\"", "\"x\": 1", "onFailure"),
        ("claude", "\"timeout\": 310", "\"timeout\": 20", "before `--limit` says"),
        ("claude", "\"matcher\": \"*\"", "\"matcher\": \"Bash\"", "some tools only"),
        ("cursor", "\"failClosed\": true", "\"failClosed\": false", "failClosed"),
        ("copilot", "\"timeoutSec\": 310", "\"timeoutSec\": 30", "before `--limit` says"),
        ("gemini", "\"timeout\": 310000", "\"timeout\": 310", "before `--limit` says"),
        ("copilot", BINARY, "/nonexistent/countersign", "takes it for a failure"),
        (
            "cursor",
            BINARY,
            "/nonexistent/countersign",
            "refuses every tool now. To mend it, run `countersign hook install",
        ),
        ("claude", TAIL, "", "a hook that is killed or crashes lets the tool run"),
        ("codex", TAIL, "", "a hook that is killed or crashes lets the tool run"),
        ("gemini", "exit 2'", "exit 0'", "more than this program"),
        ("copilot", " --no-tools\"", &format!(" --no-tools{TAIL}\""), "more than this program"),
        ("gemini", "\"BASH_ENV\": \"\"", "\"BASH_ENV\": \"/evil.sh\"", "`env` of the entry is not what"),
        ("claude", "\"timeout\": 310", "\"timeout\": 310, \"if\": \"Bash(x)\"", "`if`"),
        ("claude", "\"timeout\": 310", "\"timeout\": 310, \"async\": true", "`async`"),
        ("claude", "\"type\": \"command\"", "\"type\": \"prompt\"", "`type`"),
        ("claude", "\"PostToolUseFailure\"", "\"Stop\"", "no entry for `PostToolUseFailure`"),
        ("claude", "{\n  \"hooks\"", "{\n  \"disableAllHooks\": true,\n  \"hooks\"", "disableAllHooks"),
        (
            "gemini",
            "{\n  \"hooks\"",
            "{\n  \"hooksConfig\": {\"enabled\": false},\n  \"hooks\"",
            "hooksConfig.enabled",
        ),
        ("cursor", "--no-tools", "--no-tools || exit 2", "more than this program"),
        ("codex", "--url", "--session", "no `--url`"),
        ("copilot", " --no-tools", "", "neither `--tools` nor"),
        ("opencode", ",\"--no-tools\"", "", "neither `--tools` nor"),
        ("opencode", "throw new Error(answer.fault)", "return", "not what this program writes"),
    ] {
        place.run(&["hook", "install", "--agent", agent]);
        let installed = fs::read_to_string(file(&place, agent)).unwrap();
        assert!(installed.contains(from), "{installed}");
        fs::write(file(&place, agent), installed.replace(from, to)).unwrap();
        let check = place.run(&["hook", "check", "--agent", agent]);
        assert_eq!(check.status.code(), Some(1), "{agent}: {}", text(&check));
        let said_so: Vec<_> =
            text(&check).lines().filter(|line| line.contains(said)).map(str::to_owned).collect();
        assert!(said_so.iter().any(|line| line.contains("To mend it, ")), "{agent} {said}: {}", text(&check));
        fs::remove_file(file(&place, agent)).unwrap();
    }
    // A program that lets everything pass.
    place.run(&["hook", "install", "--agent", "gemini"]);
    let open = fs::read_to_string(file(&place, "gemini"))
        .unwrap()
        .replace(BINARY, &format!("echo '{{\\\"decision\\\":\\\"allow\\\"}}' # {BINARY}"));
    fs::write(file(&place, "gemini"), open).unwrap();
    let check = place.run(&["hook", "check", "--agent", "gemini"]);
    assert!(text(&check).contains("lets a tool run without asking"), "{}", text(&check));
    assert_eq!(place.requests(), Vec::<Value>::new(), "a check asks for nothing, whatever the entry is");
}

#[test]
fn a_file_that_is_not_understood_or_is_another_persons_is_left_alone() {
    let place = Place::new();
    for (agent, settings) in [
        ("claude", "{ // mine\n}"),
        ("claude", "{\"hooks\":[]}"),
        ("cursor", "[]"),
        ("opencode", "export const Mine = async () => ({});\n"),
    ] {
        let path = file(&place, agent);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, settings).unwrap();
        let output = place.run(&["hook", "install", "--agent", agent]);
        assert_ne!(output.status.code(), Some(0), "{agent}");
        assert_eq!(fs::read_to_string(&path).unwrap(), settings, "{agent}");
    }
    // What is shown of a project's file cannot paint a terminal.
    let hostile = place.home.path().join("hostile.json");
    fs::write(&hostile, "{\"hooks\": {\"x\u{202e}\": \"\u{9b}2J\"}}").unwrap();
    let shown = place.run(&[
        "hook",
        "install",
        "--agent",
        "claude",
        "--settings",
        hostile.to_str().unwrap(),
        "--dry-run",
    ]);
    assert!(!text(&shown).contains(['\u{202e}', '\u{9b}']), "{}", text(&shown));
}

#[test]
fn a_link_stays_one_and_the_mode_of_a_file_too() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let (real, link) = (place.home.path().join("dotfiles.json"), file(&place, "claude"));
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    fs::write(&real, "{\n  \"model\": \"x\"\n}\n").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    place.run(&["hook", "install", "--agent", "claude"]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::read_to_string(&real).unwrap().contains("\"model\": \"x\""));
    // Of a project it is another file.
    place.run(&["hook", "install", "--agent", "copilot", "--project"]);
    assert!(place.home.path().join(".github/hooks/countersign.json").is_file());
}
