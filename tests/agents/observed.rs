//! What agents were seen to send, before a tool and after it: Claude Code 2.1.332, Codex 0.171.0, Gemini CLI 0.61.0 and Copilot 1.0.102.
//! Each use is approved, run once and reported by what the agent says of its end.

use crate::hook::Place;
use crate::hook_rows::{Row, is_silent};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("agents/observed")
}

fn seen(name: &str) -> Value {
    let path = directory().join(format!("{name}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The names of the cases.
fn cases() -> BTreeSet<String> {
    let files = std::fs::read_dir(directory()).unwrap().map(|file| file.unwrap().file_name());
    let names = files.map(|name| name.into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(".before.json").map(str::to_owned)).collect()
}

#[test]
fn each_use_is_approved_run_once_and_reported() {
    let cases = cases();
    assert_eq!(std::fs::read_dir(directory()).unwrap().count(), 2 * cases.len());
    for case in cases {
        let (agent, kind) = case.split_once('.').unwrap();
        let (before, after) = (seen(&format!("{case}.before")), seen(&format!("{case}.after")));
        let place = Place::new();
        if place.asks(agent, &before) != Row::Go {
            place.approve(&place.only_request());
            assert_eq!(place.asks(agent, &before), Row::Go, "{case}");
        }
        let request = place.only_request();
        assert_eq!(request["status"], "executing", "{case}");
        let arguments = match &before[if agent == "copilot" { "toolArgs" } else { "tool_input" }] {
            Value::String(text) => json!({ "input": text }),
            arguments => arguments.clone(),
        };
        assert_eq!(request["parameters"]["arguments"], arguments, "{case}");
        is_silent(agent, &place.hook(&["--agent", agent, "--event", "post"], after.to_string().as_bytes()));
        let request = place.only_request();
        let (status, error) = match kind {
            "rewritten" | "edited-by-person" => ("failed", json!("other_arguments")),
            _ if kind.contains("fails") => ("failed", Value::Null),
            _ => ("executed", Value::Null),
        };
        let result = &request["execution_result"];
        assert_eq!((&request["status"], &result["error"]), (&json!(status), &error), "{case}: {result}");
        assert_ne!(result["bytes"], 4, "{case}: no tool answers `null`");
    }
}
