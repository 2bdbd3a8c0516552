//! What functions link, as it is written down: a change moves it on purpose.

use crate::root;
use countersign_e2e::grants::functions;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// The crates that a function depends on when it is built by itself, tests and build scripts not included.
fn crates(function: &str) -> BTreeSet<String> {
    let manifest = root().join("functions").join(function).join("Cargo.toml");
    let tree = [
        "tree",
        "--manifest-path",
        manifest.to_str().unwrap(),
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--locked",
        "--offline",
    ];
    let output = Command::new(env!("CARGO")).args(tree).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn functions_link_as_many_crates_as_is_written_down() {
    let figures: toml::Table =
        std::fs::read_to_string(root().join("benches/figures.toml")).unwrap().parse().unwrap();
    let written: BTreeMap<String, usize> = figures["crates"].clone().try_into().unwrap();
    let mut linked = BTreeMap::new();
    for function in functions() {
        let crates = crates(&function);
        for unwanted in
            ["cedar-policy", "cedar-policy-core", "lalrpop-util", "regex", "rsa", "aws-lc-rs", "openssl"]
        {
            assert!(!crates.contains(unwanted), "{function} links {unwanted}");
        }
        linked.insert(function, crates.len());
    }
    assert_eq!(linked, written, "benches/figures.toml");
}
