//! No circle between the files of a crate: what a file names with `use` or a path is read before it, and never
//! the other way round.

use crate::{files, root, shown};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Where a module stands in its crate: no names for the root.
type Module = Vec<String>;

#[test]
fn no_circle_between_the_files_of_a_crate() {
    let circles = fs::read_dir(root().join("crates")).unwrap().filter_map(|entry| {
        let folder = entry.unwrap().path();
        let modules = modules(&folder.join("src"));
        let edges =
            modules.iter().map(|(module, text)| (module.clone(), named(module, text, &modules))).collect();
        let circle: Vec<_> = circle(&edges)?.iter().map(|module| module.join("::")).collect();
        Some(format!("{}: {}", shown(&folder), circle.join(" -> ")))
    });
    assert_eq!(circles.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn a_circle_is_found_and_what_tests_name_is_none() {
    let modules: BTreeMap<Module, String> = [
        ("a", "use crate::{\n    b::{self, B},\n    c::d::D,\n};"),
        ("b", "fn b() -> super::c::C { super::c::C }"),
        ("c", "use d::D;\n// use crate::a::A;\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n"),
        ("c::d", ""),
    ]
    .map(|(path, text)| (path.split("::").map(str::to_owned).collect(), text.to_owned()))
    .into();
    let edges = |modules: &BTreeMap<Module, String>| -> BTreeMap<_, _> {
        modules.iter().map(|(module, text)| (module.clone(), named(module, text, modules))).collect()
    };
    let names = |module: &str| vec![module.to_owned()];
    let found = edges(&modules);
    assert_eq!(found[&names("a")], [names("b"), vec!["c".to_owned(), "d".to_owned()]].into());
    assert_eq!(found[&names("b")], [names("c")].into());
    assert_eq!(circle(&found), None);
    let mut round = modules;
    round.insert(vec!["c".to_owned(), "d".to_owned()], "use crate::a::A;".to_owned());
    let length = circle(&edges(&round)).map(|circle| circle.len());
    assert!(length.is_some_and(|length| length >= 3), "{length:?}");
}

/// The modules of a crate that are files, with their texts; those of tests are left out.
fn modules(source: &Path) -> BTreeMap<Module, String> {
    let module = |path: &Path| -> Option<Module> {
        let path = path.strip_prefix(source).ok()?.with_extension("");
        let mut names: Vec<_> = path
            .iter()
            .map(|part| part.to_str().unwrap_or_else(|| panic!("{}", shown(&path))).to_owned())
            .collect();
        if names.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
            names.pop();
        }
        let is_test = names.iter().any(|name| name == "tests" || name.ends_with("_tests"));
        (!is_test && !names.is_empty()).then_some(names)
    };
    let texts = files(&[".rs"]).into_iter();
    texts.filter_map(|path| Some((module(&path)?, fs::read_to_string(path).ok()?))).collect()
}

/// The other modules that one names outside of its tests.
fn named(module: &Module, text: &str, modules: &BTreeMap<Module, String>) -> BTreeSet<Module> {
    let code = without_tests(text);
    let mut found = BTreeSet::new();
    let mut words = code.as_str();
    while let Some(at) = words.find(|c: char| c.is_alphabetic() || c == '_') {
        let (between, from_here) = words.split_at(at);
        let before = between.chars().next_back();
        words = from_here;
        let end = words.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(words.len());
        let (first, rest) = words.split_at(end);
        words = rest;
        let begins_path = before != Some(':') && before != Some('.');
        if let (true, Some(rest)) = (begins_path, rest.strip_prefix("::")) {
            let from = match first {
                "crate" => Vec::new(),
                "super" => module[..module.len() - 1].to_vec(),
                "self" => module.clone(),
                // A module and those inside it are one room, where it names them by themselves.
                _ => continue,
            };
            resolve(from, rest, modules, &mut found);
        }
    }
    found.remove(module);
    found
}

/// Adds the modules that a path leads to, which begins in a module; braces hold several.
fn resolve(from: Module, path: &str, modules: &BTreeMap<Module, String>, found: &mut BTreeSet<Module>) {
    let path = path.trim_start();
    if let Some(group) = path.strip_prefix('{') {
        let (mut depth, mut begin) = (0, 0);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                '}' | ',' if depth == 0 => {
                    resolve(from.clone(), group.get(begin..at).unwrap_or_default(), modules, found);
                    begin = at + 1;
                }
                _ => {}
            }
            if c == '}' && depth == 0 && begin == at + 1 {
                return;
            }
        }
        return;
    }
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    let below = [from.as_slice(), &[name.to_owned()]].concat();
    match rest.strip_prefix("::") {
        Some(rest) if name == "super" => resolve(from[..from.len() - 1].to_vec(), rest, modules, found),
        Some(rest) if is_module(&below, modules) => resolve(below, rest, modules, found),
        _ if modules.contains_key(&below) => {
            found.insert(below);
        }
        _ if modules.contains_key(&from) => {
            found.insert(from);
        }
        _ => {}
    }
}

/// Whether there is a module of this name, with a file of its own or only with files below.
fn is_module(module: &Module, modules: &BTreeMap<Module, String>) -> bool {
    modules.keys().any(|other| other.starts_with(module))
}

/// The code of a file without comments and without what is compiled for tests alone. Rustfmt has made the last line
/// of an item one brace or semicolon, as far in as its first.
fn without_tests(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        if line.trim_start().starts_with("#[cfg(test)]") {
            for line in lines.by_ref() {
                let is_as_far_in = line.len() - line.trim_start().len() == indent;
                let is_attribute = line.trim_start().starts_with("#[");
                if is_as_far_in && !is_attribute && (line.ends_with(';') || line.trim() == "}") {
                    break;
                }
            }
        } else if !line.trim_start().starts_with("//") {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

/// The first circle that is found, from a module back to itself.
fn circle(edges: &BTreeMap<Module, BTreeSet<Module>>) -> Option<Vec<Module>> {
    let mut done = BTreeSet::new();
    edges.keys().find_map(|module| circle_from(module, edges, &mut Vec::new(), &mut done))
}

fn circle_from(
    module: &Module,
    edges: &BTreeMap<Module, BTreeSet<Module>>,
    way: &mut Vec<Module>,
    done: &mut BTreeSet<Module>,
) -> Option<Vec<Module>> {
    if let Some(at) = way.iter().position(|before| before == module) {
        return Some([&way[at..], std::slice::from_ref(module)].concat());
    }
    if done.contains(module) {
        return None;
    }
    way.push(module.clone());
    let found = edges[module].iter().find_map(|next| circle_from(next, edges, way, done));
    way.pop();
    done.insert(module.clone());
    found
}
