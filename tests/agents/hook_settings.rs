//! `hook install` and `hook check`: the entries of agents' settings.

use crate::hook::{BINARY, Place, commands};
use crate::hook_rows::{AGENTS, row};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Where each agent has its hooks.
fn file(place: &Place, agent: &str) -> PathBuf {
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
    let command = |agent: &str| format!("{BINARY} hook --agent {agent} --limit 120");
    let post = |agent: &str| format!("{BINARY} hook --agent {agent} --event post --limit 30");
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
    assert_eq!(
        read("gemini"),
        json!({ "hooks": {
            "BeforeTool": [{ "matcher": ".*", "hooks": [claude(command("gemini"), 120_000)] }],
            "AfterTool": [{ "matcher": ".*", "hooks": [claude(post("gemini"), 30_000)] }],
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
            "preToolUse": copilot(command("copilot"), 120),
            "postToolUse": copilot(post("copilot"), 30),
            "postToolUseFailure": copilot(post("copilot"), 30),
        }})
    );
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
    let settings: Value = serde_json::from_slice(&fs::read(file(&place, "claude")).unwrap()).unwrap();
    let command = settings["hooks"]["PreToolUse"][0]["hooks"][0]["command"].as_str().unwrap();
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .env_clear()
        .envs(&place.variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, commands("claude").to_string().as_bytes()).unwrap();
    drop(stdin);
    row("claude", &child.wait_with_output().unwrap()).refused();
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
        ("codex", BINARY, "/nonexistent/countersign", "takes it for a failure"),
        ("opencode", "throw new Error(answer.fault)", "return", "not what this program writes"),
    ] {
        place.run(&["hook", "install", "--agent", agent]);
        let installed = fs::read_to_string(file(&place, agent)).unwrap();
        assert!(installed.contains(from), "{installed}");
        fs::write(file(&place, agent), installed.replace(from, to)).unwrap();
        let check = place.run(&["hook", "check", "--agent", agent]);
        assert_eq!(check.status.code(), Some(1), "{agent}: {}", text(&check));
        assert!(text(&check).contains(said), "{agent}: {}", text(&check));
        fs::remove_file(file(&place, agent)).unwrap();
    }
    // A program that lets everything pass.
    place.run(&["hook", "install", "--agent", "gemini"]);
    let open = fs::read_to_string(file(&place, "gemini"))
        .unwrap()
        .replace(BINARY, "echo '{\\\"decision\\\":\\\"allow\\\"}' #");
    fs::write(file(&place, "gemini"), open).unwrap();
    let check = place.run(&["hook", "check", "--agent", "gemini"]);
    assert!(text(&check).contains("lets a tool run without asking"), "{}", text(&check));
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
