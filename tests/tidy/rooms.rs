//! The map of the rooms: which crate may depend on which, what no crate inside may know, and that the files of a crate
//! depend on one another in one direction.

use crate::{root, shown};
use countersign_e2e::grants::functions;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The workspace crates that each crate and each function depends on, tests not included.
fn edges() -> BTreeMap<String, BTreeSet<String>> {
    let mut edges = BTreeMap::new();
    for folder in ["crates", "functions"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let package = entry.unwrap().path();
            let manifest: toml::Table =
                fs::read_to_string(package.join("Cargo.toml")).unwrap().parse().unwrap();
            let name = manifest["package"]["name"].as_str().unwrap().to_owned();
            if folder == "functions" {
                assert!(package.ends_with(&name), "{} is called {name}", shown(&package));
            }
            let dependencies = manifest["dependencies"].as_table().unwrap().keys();
            let own = dependencies.filter(|name| name.starts_with("countersign"));
            edges.insert(name, own.cloned().collect());
        }
    }
    edges
}

#[test]
fn dependencies_point_inward_only() {
    let mut allowed: BTreeMap<String, &[&str]> = [
        ("core", [].as_slice()),
        ("app", &["core"]),
        ("identity", &["core"]),
        ("cedar", &["core"]),
        ("policy", &["cedar", "core"]),
        ("system", &["app", "core"]),
        ("embedded", &[]),
        ("aws", &[]),
        ("dynamodb", &["app", "core"]),
        ("sns", &["app", "core"]),
        ("api", &["app", "core"]),
        ("lambda", &["api", "app", "aws", "core", "identity", "policy", "system"]),
        // Nothing depends on it.
        ("bench", &["api", "app", "core", "policy", "system"]),
    ]
    .map(|(name, dependencies)| (format!("countersign-{name}"), dependencies))
    .into();
    let shell = ["api", "app", "aws", "core", "dynamodb", "embedded", "identity", "policy", "system"];
    allowed.insert("countersign".to_owned(), &shell);
    for function in functions() {
        allowed.insert(function, &["api", "dynamodb", "lambda", "sns"]);
    }
    for (name, dependencies) in edges() {
        let allowed = allowed.get(&name).unwrap_or_else(|| panic!("{name} is not on the map"));
        for dependency in dependencies {
            let short = dependency.strip_prefix("countersign-").unwrap_or(&dependency);
            assert!(allowed.contains(&short), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn inner_crates_know_no_technology_of_the_outer_ones() {
    for (name, forbidden) in [
        ("core", ["tokio", "aws-", "axum", "http", "tracing"].as_slice()),
        ("app", &["tokio", "aws-", "axum", "http", "serde"]),
        ("api", &["tokio", "aws-", "axum", "lambda_runtime", "jsonwebtoken"]),
        ("identity", &["tokio", "aws-", "axum", "lambda_runtime"]),
        ("dynamodb", &["axum", "lambda_runtime", "dynoxide-rs", "tokio"]),
        ("sns", &["axum", "lambda_runtime", "tokio"]),
        ("aws", &["aws-sdk-", "axum", "lambda_runtime", "tokio"]),
        ("cedar", &["tokio", "aws-", "axum", "http", "lambda_runtime"]),
        ("policy", &["aws-", "axum", "clap", "http", "lambda_runtime", "tokio"]),
        ("system", &["aws-", "axum", "lambda_runtime"]),
        ("lambda", &["axum", "aws-sdk-"]),
    ] {
        let manifest = fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        for dependency in manifest["dependencies"].as_table().unwrap().keys() {
            let breach = forbidden.iter().any(|prefix| {
                dependency == prefix || (prefix.ends_with('-') && dependency.starts_with(prefix))
            });
            assert!(!breach, "{name} must not know {dependency}");
        }
    }
}

/// The modules of a crate by their paths (`policy::rules`), each with its file. The crate's root is left out: it only
/// lists the others.
fn modules(source: &Path) -> BTreeMap<String, PathBuf> {
    let mut modules = BTreeMap::new();
    let mut folders = vec![source.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let module = path.strip_prefix(source).unwrap().with_extension("");
            let mut names: Vec<_> = module.iter().map(|name| name.to_string_lossy().into_owned()).collect();
            if names.last().is_some_and(|name| name == "mod") {
                names.pop();
            }
            let is_root = ["lib", "main"].iter().any(|root| names == [*root]);
            if path.extension().is_some_and(|extension| extension == "rs") && !is_root {
                modules.insert(names.join("::"), path);
            }
        }
    }
    modules
}

/// The paths that a file names from the root of its crate, tests and comments not included: `policy::rules::Rule`.
fn paths_from_the_root(text: &str, module: &str) -> Vec<String> {
    let code: Vec<&str> = text
        .split("#[cfg(test)]")
        .next()
        .unwrap()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n");
    let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
    let of_parent =
        |path: &str| if parent.is_empty() { path.to_owned() } else { format!("{parent}::{path}") };
    let mut paths = Vec::new();
    for (prefix, is_of_root) in [("crate::", true), ("super::", false)] {
        for (start, _) in code.match_indices(prefix) {
            let (before, rest) = code.split_at(start);
            if before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let rest = rest.strip_prefix(prefix).unwrap();
            let full = |path: &str| if is_of_root { path.to_owned() } else { of_parent(path) };
            let end =
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
            let (path, rest) = rest.split_at(end);
            let path = path.trim_end_matches("::");
            paths.push(full(path));
            // The members of a list may be modules.
            if let Some((list, _)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                let members = list.split([',', '{']).map(str::trim);
                paths.extend(members.map(|member| full(&format!("{path}::{member}"))));
            }
        }
    }
    paths.into_iter().map(|path| path.trim_start_matches("::").to_owned()).collect()
}

/// A way from a module back to itself.
fn circle(edges: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn follow(
        module: &str,
        edges: &BTreeMap<String, BTreeSet<String>>,
        way: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Option<Vec<String>> {
        if let Some(start) = way.iter().position(|passed| passed == module) {
            return Some(way[start..].iter().cloned().chain([module.to_owned()]).collect());
        }
        if done.contains(module) {
            return None;
        }
        way.push(module.to_owned());
        let found = edges[module].iter().find_map(|next| follow(next, edges, way, done));
        way.pop();
        done.insert(module.to_owned());
        found
    }
    let mut done = BTreeSet::new();
    edges.keys().find_map(|module| follow(module, edges, &mut Vec::new(), &mut done))
}

/// Which module of a crate uses which other. A module and those inside it count as one room where one of them names
/// the other by `mod` alone; only what is named by a path is an arrow.
fn arrows(source: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let modules = modules(source);
    let named = |path: &str| {
        let mut path = path;
        loop {
            if modules.contains_key(path) {
                return Some(path.to_owned());
            }
            path = path.rsplit_once("::")?.0;
        }
    };
    let arrows = modules.iter().map(|(module, file)| {
        let text = fs::read_to_string(file).unwrap();
        let targets = paths_from_the_root(&text, module).into_iter().filter_map(|path| named(&path));
        (module.clone(), targets.filter(|target| target != module).collect())
    });
    arrows.collect()
}

#[test]
fn no_crate_has_a_circle_of_files() {
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let source = entry.unwrap().path().join("src");
        if let Some(circle) = circle(&arrows(&source)) {
            panic!("{}: {}", shown(&source), circle.join(" → "));
        }
    }
}

#[test]
fn a_circle_is_seen() {
    let edges = |edges: &[(&str, &[&str])]| -> BTreeMap<String, BTreeSet<String>> {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        edges.iter().map(|(from, to)| ((*from).to_owned(), names(to))).collect()
    };
    assert_eq!(circle(&edges(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])])), None);
    assert_eq!(circle(&edges(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])])).unwrap().join(" "), "b c b");
    let text = "use crate::policy::{Rules, access::Access};\nuse super::text;\nfn a() { crate::digest::of() }\n// crate::not\n";
    let paths = paths_from_the_root(text, "audit::event");
    for path in ["policy::Rules", "policy::access::Access", "policy", "audit::text", "digest::of"] {
        assert!(paths.contains(&path.to_owned()), "{path}: {paths:?}");
    }
    assert!(!paths.iter().any(|path| path.contains("not")), "{paths:?}");
}
