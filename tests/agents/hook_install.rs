//! What keeps an installed hook from running, or from refusing: `hook check` says so, and says what mends it.

use crate::hook::{BINARY, Place, commands};
use crate::hook_settings::{TAIL, file, text, trust};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};

/// What `check` says of faults, with its exit code.
fn faults(place: &Place, agent: &str) -> (Option<i32>, Vec<String>) {
    let check = place.run(&["hook", "check", "--agent", agent]);
    let said = text(&check);
    let lines = said.lines().filter(|line| line.starts_with("fault: ")).map(str::to_owned).collect();
    (check.status.code(), lines)
}

#[track_caller]
fn only_fault(place: &Place, agent: &str, said: &str) {
    let (code, faults) = faults(place, agent);
    assert!(code == Some(1) && faults.len() == 1 && faults[0].contains(said), "{said}: {code:?} {faults:?}");
    assert!(faults[0].contains("To mend it, ") && !faults[0].contains("run `countersign"), "{faults:?}");
}

/// The command of an entry.
fn command(place: &Place, agent: &str, event: &str) -> String {
    let settings: Value = serde_json::from_slice(&fs::read(file(place, agent)).unwrap()).unwrap();
    let group = &settings["hooks"][event][0];
    let hook = if group["hooks"].is_null() { group } else { &group["hooks"][0] };
    hook["command"].as_str().or_else(|| hook["bash"].as_str()).unwrap().to_owned()
}

#[test]
fn a_hook_that_is_killed_or_crashes_is_a_refusal() {
    let place = Place::new();
    let program = place.home.path().join("program");
    for (agent, before, after) in [
        ("claude", "PreToolUse", "PostToolUse"),
        ("codex", "PreToolUse", "PostToolUse"),
        ("cursor", "preToolUse", "postToolUse"),
        ("gemini", "BeforeTool", "AfterTool"),
    ] {
        place.run(&["hook", "install", "--agent", agent]);
        for script in ["kill -9 $$", "exit 101", "exit 1", "echo half; exit 3"] {
            fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
            for shell in ["/bin/sh", "/bin/bash"] {
                let run = |command: &str| {
                    let command = command.replace(BINARY, program.to_str().unwrap());
                    let mut shell = Command::new(shell);
                    shell.args(["-c", &command]).env_clear().stdin(Stdio::null()).output().unwrap()
                };
                let output = run(&command(&place, agent, before));
                assert_eq!(output.status.code(), Some(2), "{agent} {script}: {output:?}");
                let stderr = String::from_utf8_lossy(&output.stderr);
                assert!(stderr.contains("countersign: the hook has failed, nothing was run"), "{stderr}");
                // After a use there is nothing to refuse.
                assert_ne!(run(&command(&place, agent, after)).status.code(), Some(2), "{agent} {script}");
            }
        }
    }
    place.run(&["hook", "install", "--agent", "copilot"]);
    assert!(!command(&place, "copilot", "preToolUse").contains("||"));
}

#[test]
fn an_earlier_entry_without_a_tail_is_written_anew_in_its_place() {
    let place = Place::new();
    for agent in ["claude", "codex", "cursor", "gemini"] {
        place.run(&["hook", "install", "--agent", agent]);
        let now = fs::read_to_string(file(&place, agent)).unwrap();
        let earlier = now.replace(TAIL, "");
        assert_ne!(earlier, now, "{agent}");
        fs::write(file(&place, agent), earlier).unwrap();
        let (_, faults) = faults(&place, agent);
        let mend = format!("run `countersign hook install --agent {agent}`");
        assert!(faults.iter().any(|line| line.contains("crashes") && line.contains(&mend)), "{faults:?}");
        place.run(&["hook", "install", "--agent", agent]);
        assert_eq!(fs::read_to_string(file(&place, agent)).unwrap(), now, "{agent}");
    }
}

#[test]
fn variables_of_a_project_do_not_switch_the_hook_of_gemini_off() {
    let place = Place::new();
    place.run(&["hook", "install", "--agent", "gemini", "--limit", "6"]);
    let settings: Value = serde_json::from_slice(&fs::read(file(&place, "gemini")).unwrap()).unwrap();
    let entry = &settings["hooks"]["BeforeTool"][0]["hooks"][0];
    let script = place.home.path().join("evil.sh");
    fs::write(&script, "echo '{\"decision\":\"allow\"}'; exit 0\n").unwrap();
    let script = script.to_str().unwrap();
    for (name, value) in [("BASH_ENV", script), ("SHELLOPTS", "noexec"), ("LD_DEBUG", "help")] {
        let run = |is_closed: bool| {
            let mut bash = Command::new("bash");
            bash.args(["-c", entry["command"].as_str().unwrap()]).env_clear().envs(&place.variables);
            bash.env(name, value).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            if is_closed {
                let variables = entry["env"].as_object().unwrap();
                bash.envs(variables.iter().map(|(name, value)| (name, value.as_str().unwrap())));
            }
            let mut child = bash.current_dir(place.home.path()).spawn().unwrap();
            // A shell that runs nothing does not read it.
            let input = commands("gemini").to_string();
            let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes());
            child.wait_with_output().unwrap()
        };
        // Without the member the hook does not run, which Gemini CLI takes for go.
        let open = run(false);
        assert_eq!(open.status.code(), Some(0), "{name}: {open:?}");
        assert!(!text(&open).contains("deny"), "{name}: {open:?}");
        let closed = run(true);
        assert!(text(&closed).contains("\"decision\":\"deny\""), "{name}: {closed:?}");
    }
}

#[test]
fn codex_runs_no_hook_that_it_does_not_trust() {
    let place = Place::new();
    let home = place.home.path().join(".codex");
    let install = place.run(&["hook", "install", "--agent", "codex"]);
    for said in ["Trust all and continue", "/hooks", "codex exec", "unified_exec_tty = false"] {
        assert!(text(&install).contains(said), "{said}: {}", text(&install));
    }
    let (code, untrusted) = faults(&place, "codex");
    assert_eq!((code, untrusted.len()), (Some(1), 3), "{untrusted:?}");
    assert!(untrusted[0].contains("each tool runs without asking"), "{untrusted:?}");
    trust(&home);
    assert_eq!(faults(&place, "codex"), (Some(0), Vec::new()));
    let trusted = fs::read_to_string(home.join("config.toml")).unwrap();
    let write = |text: &str| fs::write(home.join("config.toml"), text).unwrap();
    write(&trusted.replace("pre_tool_use:0:0\"]", "pre_tool_use:0:0\"]\nenabled = false"));
    only_fault(&place, "codex", "is switched off");
    write(&trusted.replace("unified_exec_tty", "hooks = false\nunified_exec_tty"));
    only_fault(&place, "codex", "`features.hooks` is not true");
    write(&trusted.replace("unified_exec_tty = false", ""));
    only_fault(&place, "codex", "`features.unified_exec_tty` is not false");
    write("[features");
    only_fault(&place, "codex", "is not known");
    write(&trusted);
    fs::set_permissions(home.join("config.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(home.join("config.toml")).unwrap();
    fs::create_dir(home.join("config.toml")).unwrap();
    only_fault(&place, "codex", "is not a regular file");
    fs::remove_dir(home.join("config.toml")).unwrap();
    // Any change of the entry takes the trust away.
    write(&trusted);
    place.run(&["hook", "install", "--agent", "codex", "--limit", "120"]);
    only_fault(&place, "codex", "has been changed since");
}

#[test]
fn features_of_a_project_switch_the_hooks_of_codex_off_too() {
    let place = Place::new();
    let home = tempfile::tempdir().unwrap();
    // Codex remembers a directory without links.
    let link = place.home.path().join("link");
    symlink(home.path(), &link).unwrap();
    let place = place.with("CODEX_HOME", link.to_str().unwrap());
    place.run(&["hook", "install", "--agent", "codex"]);
    trust(home.path());
    assert_eq!(faults(&place, "codex"), (Some(0), Vec::new()));
    let project = place.home.path().join(".codex");
    fs::create_dir_all(&project).unwrap();
    for (features, said) in [
        ("codex_hooks = false", "`features.codex_hooks` is not true"),
        ("unified_exec_tty = true", "`features.unified_exec_tty` is not false"),
        ("hooks", "is not known"),
    ] {
        fs::write(project.join("config.toml"), format!("[features]\n{features}\n")).unwrap();
        only_fault(&place, "codex", said);
    }
}

#[test]
fn gemini_runs_no_hook_in_a_folder_that_it_does_not_trust() {
    let place = Place::new();
    place.run(&["hook", "install", "--agent", "gemini"]);
    let directory = place.home.path().canonicalize().unwrap();
    let rules = |rules: Value| {
        fs::write(place.home.path().join(".gemini/trustedFolders.json"), rules.to_string()).unwrap();
    };
    let (here, parent) = (directory.to_str().unwrap(), directory.parent().unwrap().to_str().unwrap());
    rules(json!({ here: "DO_NOT_TRUST" }));
    only_fault(&place, "gemini", "does not trust this folder");
    rules(json!({ parent: "DO_NOT_TRUST" }));
    only_fault(&place, "gemini", "does not trust this folder");
    rules(json!({ parent: "DO_NOT_TRUST", here: "TRUST_FOLDER" }));
    assert_eq!(faults(&place, "gemini"), (Some(0), Vec::new()));
    rules(json!([]));
    only_fault(&place, "gemini", "are not known");
    let other = place.home.path().join("other.json");
    fs::write(&other, json!({ here: "DO_NOT_TRUST" }).to_string()).unwrap();
    rules(json!({}));
    let place = place.with("GEMINI_CLI_TRUSTED_FOLDERS_PATH", other.to_str().unwrap());
    only_fault(&place, "gemini", "does not trust this folder");
}
