//! The shape of the repository: what depends on what, what files are called and how they begin.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod circles;
mod figures;
mod generated;
mod generated_dashboard;
mod generated_destinations;
mod generated_mcp;
mod generated_routes;
mod guarantees;
mod operations;
mod rooms;
mod template;

use countersign_api::files::FileRoute;
use countersign_api::operation::{HOLD_FUNCTION, NOTIFICATIONS_FUNCTION, Operation, WEBHOOKS_FUNCTION};
use countersign_e2e::grants::functions;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use strum::IntoEnumIterator;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// Every file of the repository with one of these endings, outside of build and data folders.
fn files(endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !["target", ".git", ".aws-sam", "countersign-data"].contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

#[test]
fn nothing_is_a_drawer() {
    let drawers =
        ["common", "utils", "util", "helpers", "helper", "shared", "types", "misc", "manager", "lib_utils"];
    for path in files(&[".rs", ".toml", ".md"]) {
        for part in path.strip_prefix(root()).unwrap().components() {
            let part = part.as_os_str().to_string_lossy();
            let stem = part.split('.').next().unwrap();
            assert!(!drawers.contains(&stem), "{}: a thing lives with the owner of its noun", shown(&path));
        }
    }
}

#[test]
fn every_source_file_says_what_it_owns_and_stays_readable() {
    for path in files(&[".rs"]) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{} does not open with //!", shown(&path));
        let lines = text.lines().count();
        assert!(lines <= 600, "{} has {lines} lines: is it one room or two?", shown(&path));
    }
}

#[test]
fn the_repository_names_no_machine() {
    let forbidden = ["work", "root", "home", "tmp"].map(|folder| format!("/{folder}/"));
    for path in files(&[".rs", ".toml", ".md", ".yaml", ".json", ".patch"]) {
        let text = fs::read_to_string(&path).unwrap();
        for place in &forbidden {
            assert!(!text.contains(place), "{} names {place}", shown(&path));
        }
    }
}

#[test]
fn the_release_profile_is_written_out() {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let release = manifest["profile"]["release"].as_table().unwrap();
    for key in ["opt-level", "lto", "codegen-units", "strip", "panic", "overflow-checks"] {
        assert!(release.contains_key(key), "{key}");
    }
    assert_eq!(release["panic"].as_str(), Some("unwind"), "the runtime's net under a panic");
}

#[test]
fn no_template_turns_escaping_off() {
    let templates = files(&[".html"]);
    assert!(!templates.is_empty());
    for path in templates {
        let text: String =
            fs::read_to_string(&path).unwrap().chars().filter(|c| !c.is_whitespace()).collect();
        for filter in ["|safe", "|e(", "|e}", "|escape", "%filter", "%-filter"] {
            assert!(!text.contains(filter), "{}: {filter}", shown(&path));
        }
    }
}

#[test]
fn python_tools_are_pinned_with_all_that_they_need() {
    let requirements = files(&["requirements.txt"]);
    assert_eq!(requirements.len(), 7, "{requirements:?}");
    for path in requirements {
        let text = fs::read_to_string(&path).unwrap();
        let pins: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        // The tools of a release are wheels of binaries, which need nothing; what examples need, a test of them compares; a
        // handler needs the SDK.
        let needs_little = ["release", "examples", "benches"]
            .iter()
            .any(|directory| path.starts_with(root().join(directory)));
        let has_all = pins.len() > 10 || needs_little;
        assert!(has_all, "{}: what the tools need is listed too", shown(&path));
        for pin in pins {
            let exact = pin.split_once("==").is_some_and(|(name, version)| {
                !name.is_empty()
                    && version.starts_with(|first: char| first.is_ascii_digit())
                    && !version.contains('*')
            });
            assert!(exact, "{}: {pin}", shown(&path));
        }
    }
    // Nothing is installed that is not listed.
    for program in ["infra/check", "tests/agents/check", "tests/api/check", "tests/harness/moto.rs"] {
        let text = fs::read_to_string(root().join(program)).unwrap();
        assert!(text.contains("--no-deps"), "{program}");
    }
}

#[test]
fn no_crate_brings_in_aws_lc() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for name in ["aws-lc-rs", "aws-lc-sys", "openssl-sys"] {
        assert!(!lock.contains(&format!("name = \"{name}\"")), "{name}: see [workspace.dependencies]");
    }
}

#[test]
fn every_operation_has_its_end_to_end_module() {
    let modules = fs::read_to_string(root().join("tests/e2e/main.rs")).unwrap();
    for operation in Operation::iter() {
        let module = format!("mod {};", operation.function());
        assert!(modules.contains(&module), "tests/e2e/main.rs has no `{module}`");
    }
}

/// Functions behind no operation: sweeps, executors, the dashboard and the tools for agents.
fn is_of_no_operation(function: &str) -> bool {
    ["dashboard", "deliver", "expire", "mcp", "notify", "rds-executor", "seal"].contains(&function)
}

#[test]
fn every_function_is_an_operation_or_scheduled_and_says_little() {
    let files = FileRoute::iter().map(FileRoute::slug);
    let routed: BTreeSet<_> = Operation::iter().map(Operation::function).chain(files).collect();
    for function in functions() {
        assert!(is_of_no_operation(&function) || routed.contains(function.as_str()), "{function}");
        let main = root().join("functions").join(&function).join("src/main.rs");
        let lines = fs::read_to_string(main).unwrap().lines().count();
        assert!(lines <= 30, "{function} has {lines} lines: what of it belongs into crates/lambda?");
    }
}

#[test]
fn every_function_has_samples_of_what_it_is_invoked_with() {
    for function in functions() {
        let folder = root().join("events").join(&function);
        let samples = fs::read_dir(folder).unwrap_or_else(|_| panic!("no events/{function}"));
        let from_the_gateway: BTreeSet<_> = samples
            .map(|sample| {
                let sample: Value =
                    serde_json::from_str(&fs::read_to_string(sample.unwrap().path()).unwrap()).unwrap();
                sample.get("requestContext").is_some()
            })
            .collect();
        let expected = if ["dashboard", "mcp"].contains(&function.as_str()) {
            [true].into()
        } else if is_of_no_operation(&function) {
            [false].into()
        } else if [HOLD_FUNCTION, NOTIFICATIONS_FUNCTION, WEBHOOKS_FUNCTION].contains(&function.as_str())
            || FileRoute::iter().any(|route| route.slug() == function)
        {
            [true].into()
        } else {
            [false, true].into()
        };
        assert_eq!(from_the_gateway, expected, "events/{function}");
    }
}

#[test]
fn every_file_that_a_guide_names_exists() {
    for guide in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/deploy.md"] {
        let text = fs::read_to_string(root().join(guide)).unwrap();
        let quoted = text.split('`').skip(1).step_by(2);
        let looks_like_a_file = |name: &&str| {
            let known = ["crates/", "tests/", "policy/", "docs/", ".ci/", "functions/", "infra/", "events/"];
            known.iter().any(|folder| name.starts_with(folder))
                && !name.contains(['*', '<', '{', ' ', '…'])
                && !name.contains("::")
        };
        for name in quoted.filter(looks_like_a_file) {
            assert!(root().join(name).exists(), "{guide} names {name}, which is not there");
        }
    }
}
