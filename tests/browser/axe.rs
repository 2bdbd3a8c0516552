//! axe (<https://github.com/dequelabs/axe-core>): rules of accessibility that a program can check, in a page that is open.
//!
//! It comes by npm. If `AXE_CORE` does not name its `axe.min.js`, it is installed under `target/`, once for each list of releases.

use crate::driver::Browser;
use countersign_e2e::grants::root;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// What is installed, from the root of the repository, and where.
const PACKAGES: [&str; 2] = ["package.json", "package-lock.json"];
const SOURCE: &str = "tests/browser";
const INSTALLED: &str = "target/axe";

fn script() -> &'static str {
    static SCRIPT: OnceLock<String> = OnceLock::new();
    SCRIPT.get_or_init(|| {
        let path = std::env::var_os("AXE_CORE").map_or_else(installed, PathBuf::from);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    })
}

fn installed() -> PathBuf {
    let (source, target) = (root().join(SOURCE), root().join(INSTALLED));
    let is_installed = PACKAGES.iter().all(|name| {
        fs::read(target.join(name)).is_ok_and(|text| text == fs::read(source.join(name)).unwrap())
    });
    if !is_installed {
        // The list is copied last: what stopped half-way is begun again.
        let staging = root().join("target/axe-new");
        let _ = fs::remove_dir_all(&staging);
        fs::create_dir_all(&staging).unwrap();
        for name in PACKAGES {
            fs::copy(source.join(name), staging.join(name)).unwrap();
        }
        let arguments =
            ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        let status = Command::new("npm").args(arguments).current_dir(&staging).status();
        assert!(
            status.as_ref().is_ok_and(std::process::ExitStatus::success),
            "npm {arguments:?}: {status:?}; these tests need Node with npm, and the registry of npm once"
        );
        let _ = fs::remove_dir_all(&target);
        fs::rename(&staging, &target).unwrap();
    }
    target.join("node_modules/axe-core/axe.min.js")
}

/// What axe finds wrong with the page, a line for each rule and element.
pub(crate) fn violations(browser: &Browser) -> Vec<String> {
    browser.execute(script(), Vec::new());
    let run = "
        const done = arguments[arguments.length - 1];
        axe.run(document, {resultTypes: ['violations']}).then(
            ({violations}) => done(violations.flatMap(({id, nodes}) => nodes.map((node) => `${id}: ${node.html}: ${node.failureSummary}`))),
            (error) => done([String(error)]),
        );";
    let found = browser.execute_async(run);
    found.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}
